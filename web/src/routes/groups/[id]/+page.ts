import { configQueries } from '#lib/queries/configs.ts'
import { client } from '#lib/queries.ts'
import { GROUP_TABS } from '#lib/table-paths.ts'

export function load({ params, url }: { params: { id: string }; url: URL }) {
  void client.prefetchQuery(configQueries.group(params.id))
  const tab = GROUP_TABS.find((each) => each === url.searchParams.get('tab')) ?? 'overview'
  return { id: params.id, tab, sort: url.searchParams.get('sort') ?? '' }
}
