import { client } from '#lib/queries.ts'
import { operate } from '#lib/queries/operate.ts'

export function load() {
  void client.prefetchQuery(operate.quarantine())
}
