import { client } from '#lib/queries.ts'
import { operate } from '#lib/queries/operate.ts'

export function load({ params }: { params: { id: string } }) {
  void client.prefetchQuery(operate.rule(params.id))
  void client.prefetchQuery(operate.trend(params.id))
  return { id: params.id }
}
