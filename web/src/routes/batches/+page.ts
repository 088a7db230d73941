import { client, queries } from '#lib/queries.ts'
import { readBatchFilter } from '#lib/run/view.ts'

export function load({ url }: { url: URL }) {
  const filter = readBatchFilter(url.searchParams)
  void client.prefetchInfiniteQuery(queries.batches(filter))
  void client.prefetchQuery(queries.groups())
  return { filter }
}
