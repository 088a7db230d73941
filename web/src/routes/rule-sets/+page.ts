import { RULE_SETS } from '#lib/config/kinds.ts'
import { readList } from '#lib/list/state.ts'
import { client } from '#lib/queries.ts'

export function load({ url }: { url: URL }) {
  void client.prefetchInfiniteQuery(RULE_SETS.list(readList(url.searchParams, RULE_SETS.spec)))
}
