// Who writes: the audit's triggers read it from the transaction.
import type { Sql, Tx } from './db.ts'

export type Actor = { name: string; request_id?: string }

/** All that this transaction changes from now on is audited as the actor's. */
export async function actAs(tx: Tx, actor: Actor): Promise<void> {
  await tx`
    select
      set_config('lakeforge.actor', ${actor.name}, true),
      set_config('lakeforge.request_id', ${actor.request_id ?? ''}, true)`
}

/** A transaction in which all changes of metadata are audited as the actor's; its result is that of `work`. */
export async function actingAs<T>(
  sql: Sql,
  actor: Actor,
  work: (tx: Tx) => Promise<T>,
): Promise<T> {
  const result = await sql.begin(async (tx) => {
    await actAs(tx, actor)
    return { value: await work(tx) }
  })
  return result.value as T
}
