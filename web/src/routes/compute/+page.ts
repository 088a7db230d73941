import { COMPUTE } from '#lib/config/kinds.ts'
import { readList } from '#lib/list/state.ts'
import { client } from '#lib/queries.ts'

export function load({ url }: { url: URL }) {
  void client.prefetchInfiniteQuery(COMPUTE.list(readList(url.searchParams, COMPUTE.spec)))
}
