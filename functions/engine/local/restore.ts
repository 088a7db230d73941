// Takes the tables of a group back to before a batch, so that it and all later ones can run again: the epoch rises, because
// the log keeps the batches' numbers, and what the tables had consumed by then is said again under the new one.
import type { PlanStep } from '#core/plan.ts'
import type { RestoredTable } from '#engine/engine.ts'
import { commit, committedIn, history, readSnapshot, restore, type Snapshot } from './delta.ts'
import { quarantineTable, tableDir } from './layout.ts'
import { OWNER_TAG, SEQ_TAG } from './quarantine.ts'
import { type CommitNote, EPOCH, seqNumber } from './target.ts'

/**
 * Restores every table that `steps` write to its newest version without a row of batch `seq` or a later one; quarantines lose
 * the files of those batches. Safe to repeat after a crash: what is restored already is left alone. Raw data stays; nothing
 * is deleted from disk.
 * @throws delta_files_gone when vacuum took what is needed
 */
export async function restoreTables(
  root: string,
  steps: readonly PlanStep[],
  seq: string,
): Promise<RestoredTable[]> {
  const configs = new Map<string, string[]>()
  for (const step of steps)
    if (step.zone !== 'raw')
      configs.set(step.target, [...(configs.get(step.target) ?? []), step.config_id])
  const restored: RestoredTable[] = []
  for (const [table, ids] of configs) {
    await takeFromQuarantine(tableDir(root, quarantineTable(table)), ids, seqNumber(seq))
    const found = await takeBack(tableDir(root, table), table, ids, seqNumber(seq))
    if (found !== null) restored.push(found)
  }
  return restored
}

async function takeBack(
  dir: string,
  table: string,
  ids: readonly string[],
  seq: number,
): Promise<RestoredTable | null> {
  const now = await readSnapshot(dir)
  if (now === null || !holds(now, ids, seq)) return null
  const epoch = epochOf(now)
  const former = await newestWithout(dir, now, ids, seq)
  await carryOver(dir, former, ids, epoch + 1)
  const base = (await readSnapshot(dir))!
  const common = {
    base,
    operation: 'RESTORE',
    operation_parameters: { version: former === null ? 'empty' : String(former.version) },
    properties: { [EPOCH]: String(epoch + 1) },
    timestamp: Date.now(),
  }
  const version =
    former === null
      ? await commit(dir, { ...common, removes: base.files })
      : await restore(dir, former, common)
  return { table, from_version: now.version, to_version: former?.version ?? null, version }
}

function epochOf(snapshot: Snapshot): number {
  return Number(snapshot.properties[EPOCH] ?? 0)
}

/** Whether the table, as it is in this version, has batch `seq` or a later one in it. */
function holds(snapshot: Snapshot, ids: readonly string[], seq: number): boolean {
  return ids.some((id) => (snapshot.txn.get(`${id}/${epochOf(snapshot)}`) ?? -1) >= seq)
}

/** Null: every version that the log still has holds such a batch. */
async function newestWithout(
  dir: string,
  now: Snapshot,
  ids: readonly string[],
  seq: number,
): Promise<Snapshot | null> {
  const oldest = (await history(dir)).at(-1)?.version ?? now.version
  let found: Snapshot | null = null
  let from: Snapshot | null = null
  for (let version = oldest; version < now.version; version++) {
    from = await readSnapshot(dir, { version, from })
    if (from !== null && !holds(from, ids, seq)) found = from
  }
  return found
}

/**
 * Says under the next epoch what each config had committed last in the former state. Nobody reads it before the epoch
 * rises, so a crash in between does no harm.
 */
async function carryOver(
  dir: string,
  former: Snapshot | null,
  ids: readonly string[],
  epoch: number,
): Promise<void> {
  for (const id of ids) {
    const app_id = `${id}/${former === null ? 0 : epochOf(former)}`
    const version = former?.txn.get(app_id)
    const base = (await readSnapshot(dir))!
    const txn = { appId: `${id}/${epoch}`, version: version ?? -1 }
    if (version === undefined || base.txn.has(txn.appId)) continue
    const last = await committedIn(dir, { appId: app_id, version })
    const note = last?.user_metadata as CommitNote | null | undefined
    await commit(dir, {
      base,
      operation: 'WRITE',
      txn,
      ...(note ? { user_metadata: { ...note, carried: true } satisfies CommitNote } : {}),
      timestamp: Date.now(),
    })
  }
}

async function takeFromQuarantine(dir: string, ids: readonly string[], seq: number): Promise<void> {
  const base = await readSnapshot(dir)
  const removes = (base?.files ?? []).filter(
    ({ tags }) =>
      ids.some((id) => tags[OWNER_TAG]?.startsWith(`${id}/`)) && Number(tags[SEQ_TAG]) >= seq,
  )
  if (base !== null && removes.length > 0)
    await commit(dir, { base, operation: 'RESTORE', removes, timestamp: Date.now() })
}
