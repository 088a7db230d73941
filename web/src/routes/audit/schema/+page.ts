import { readList } from '#lib/list/state.ts'
import { client } from '#lib/queries.ts'
import { SCHEMA_CHANGES, schemaChangeList } from '#lib/queries/operate.ts'

export function load({ url }: { url: URL }) {
  void client.prefetchInfiniteQuery(schemaChangeList(readList(url.searchParams, SCHEMA_CHANGES)))
}
