import { client } from '#lib/queries.ts'
import { readList } from '#lib/list/state.ts'
import { SOURCES, sourceList, sourceQueries } from '#lib/queries/sources.ts'

export function load({ url }: { url: URL }) {
  void client.prefetchInfiniteQuery(sourceList(readList(url.searchParams, SOURCES)))
  void client.prefetchQuery(sourceQueries.health())
}
