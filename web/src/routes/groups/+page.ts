import { readList } from '#lib/list/state.ts'
import { GROUPS, groupList } from '#lib/queries/groups.ts'
import { client, queries } from '#lib/queries.ts'

export function load({ url }: { url: URL }) {
  void client.prefetchInfiniteQuery(groupList(readList(url.searchParams, GROUPS)))
  void client.prefetchQuery(queries.recent())
}
