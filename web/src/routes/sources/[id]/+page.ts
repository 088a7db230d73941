import { client } from '#lib/queries.ts'
import { sourceQueries } from '#lib/queries/sources.ts'

export function load({ params }: { params: { id: string } }) {
  void client.prefetchQuery(sourceQueries.one(params.id))
  void client.prefetchQuery(sourceQueries.healthOf(params.id))
  void client.prefetchQuery(sourceQueries.tables(params.id))
  return { id: params.id }
}
