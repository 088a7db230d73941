import { error } from '@sveltejs/kit'
import { CONFIG_ZONES } from '#lib/api/tables.ts'
import { configQueries } from '#lib/queries/configs.ts'
import { client } from '#lib/queries.ts'

export function load({ params }: { params: { zone: string; id: string } }) {
  const zone = CONFIG_ZONES.find((each) => each === params.zone)
  if (!zone) error(404, 'There is no such zone')
  void client.prefetchQuery(configQueries.config(zone, params.id))
  return { zone, id: params.id }
}
