import { readList } from '#lib/list/state.ts'
import { client } from '#lib/queries.ts'
import { AUDIT, auditList } from '#lib/queries/operate.ts'

export function load({ url }: { url: URL }) {
  void client.prefetchInfiniteQuery(auditList(readList(url.searchParams, AUDIT)))
}
