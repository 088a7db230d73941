import { error } from '@sveltejs/kit'
import { CONFIG_ZONES } from '#lib/api/tables.ts'

export function load({ params, url }: { params: { zone: string }; url: URL }) {
  const zone = CONFIG_ZONES.find((each) => each === params.zone)
  if (!zone) error(404, 'There is no such zone')
  return {
    zone,
    group: url.searchParams.get('group') || undefined,
    from: url.searchParams.get('from') || undefined,
  }
}
