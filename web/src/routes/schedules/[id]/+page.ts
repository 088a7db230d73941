import { client } from '#lib/queries.ts'
import { operate } from '#lib/queries/operate.ts'

export function load({ params }: { params: { id: string } }) {
  void client.prefetchQuery(operate.schedule(params.id))
  return { id: params.id }
}
