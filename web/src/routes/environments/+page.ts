import { ENVIRONMENTS } from '#lib/config/kinds.ts'
import { readList } from '#lib/list/state.ts'
import { client } from '#lib/queries.ts'

export function load({ url }: { url: URL }) {
  void client.prefetchInfiniteQuery(
    ENVIRONMENTS.list(readList(url.searchParams, ENVIRONMENTS.spec)),
  )
}
