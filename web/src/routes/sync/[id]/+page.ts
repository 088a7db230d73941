import { client } from '#lib/queries.ts'
import { syncQueries } from '#lib/queries/sync.ts'

export function load({ params }: { params: { id: string } }) {
  void client.prefetchQuery(syncQueries.plan(params.id))
  return { id: params.id }
}
