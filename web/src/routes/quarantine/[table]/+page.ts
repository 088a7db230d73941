import { client } from '#lib/queries.ts'
import { operate } from '#lib/queries/operate.ts'

export function load({ params, url }: { params: { table: string }; url: URL }) {
  const of = {
    rule: url.searchParams.get('rule') ?? undefined,
    batch: url.searchParams.get('batch') ?? undefined,
  }
  void client.prefetchQuery(operate.quarantined(params.table, of))
  void client.prefetchQuery(operate.quarantine())
  return { table: params.table, of }
}
