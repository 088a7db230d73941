import { client } from '#lib/queries.ts'
import { syncQueries } from '#lib/queries/sync.ts'

export function load() {
  void client.prefetchQuery(syncQueries.plans())
}
