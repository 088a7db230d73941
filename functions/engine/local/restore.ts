// Takes the tables of a group back to before a batch, so that it and all later ones can run again: the epoch rises, because
// the log keeps the batches' numbers, and what the tables had consumed by then is said again under the new one.
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { fail } from '#core/errors.ts'
import type { PlanStep, RawStep } from '#core/plan.ts'
import type { RestoredTable } from '#engine/engine.ts'
import {
  commit,
  committedIn,
  fileRows,
  history,
  readSnapshot,
  restore,
  type Snapshot,
} from './delta.ts'
import { readManifest } from './extractors/manifest.ts'
import { quarantineTable, rawDir, tableDir } from './layout.ts'
import { OWNER_TAG, SEQ_TAG } from './quarantine.ts'
import { type CommitNote, EPOCH, seqNumber } from './target.ts'

type TakenBack = {
  table: string
  dir: string
  /** Configs that write it. */
  ids: string[]
  now: Snapshot
  /** Its newest version without a row of the batches; null: there is none. */
  former: Snapshot | null
}

/**
 * Restores every table that `steps` write to its newest version without a row of batch `seq` or a later one; quarantines lose
 * the files of those batches. All is looked at before anything is changed, and a `dry_run` ends there. Safe to repeat after a
 * crash: what is restored already is left alone. Raw data stays; nothing is deleted from disk.
 * @throws delta_files_gone when vacuum took what is needed, raw_gone when what came in since lies in raw no more
 */
export async function restoreTables(
  root: string,
  steps: readonly PlanStep[],
  seq: string,
  dry_run = false,
): Promise<RestoredTable[]> {
  const before = seqNumber(seq)
  const configs = new Map<string, string[]>()
  for (const step of steps)
    if (step.zone !== 'raw')
      configs.set(step.target, [...new Set([...(configs.get(step.target) ?? []), step.config_id])])
  const found: TakenBack[] = []
  for (const [table, ids] of configs) {
    const dir = tableDir(root, table)
    const now = await readSnapshot(dir)
    if (now === null || !holds(now, ids, before)) continue
    const former = await newestWithout(dir, now, ids, before)
    found.push({ table, dir, ids, now, former })
  }
  for (const each of found) await canTakeBack(root, steps, each)
  const restored = found.map(({ table, now, former }) => ({
    table,
    from_version: now.version,
    to_version: former?.version ?? null,
    version: null,
    ...sizeOf('from', now),
    ...sizeOf('to', former),
  }))
  if (dry_run) return restored
  for (const [table, ids] of configs)
    await takeFromQuarantine(tableDir(root, quarantineTable(table)), ids, before)
  const versions: number[] = []
  for (const each of found) versions.push(await takeBack(each))
  return restored.map((each, at) => ({ ...each, version: versions[at]! }))
}

/** Files, bytes and rows of a version; rows null where its statistics don't tell. */
function sizeOf<Side extends 'from' | 'to'>(side: Side, snapshot: Snapshot | null) {
  const files = snapshot?.files ?? []
  const rows = files.map(fileRows)
  return {
    [`${side}_rows`]: rows.includes(null) ? null : rows.reduce<number>((sum, n) => sum + n!, 0),
    [`${side}_bytes`]: files.reduce((sum, file) => sum + file.size, 0),
  } as Record<`${Side}_rows`, number | null> & Record<`${Side}_bytes`, number>
}

/** Whether all that is needed is still there: the former version's files, and what its later batches took from raw. */
async function canTakeBack(
  root: string,
  steps: readonly PlanStep[],
  { table, dir, ids, now, former }: TakenBack,
): Promise<void> {
  const live = new Set(now.files.map((file) => file.path))
  for (const { path } of former?.files ?? [])
    if (!live.has(path))
      await stat(join(dir, path)).catch((cause: unknown) =>
        fail('delta_files_gone', { table, after: former!.version, up_to: now.version }, { cause }),
      )
  const entries = await history(dir)
  // Without the beginning of its log nobody can say what a table held before
  if (former === null && entries.at(-1)?.version !== 0)
    fail('delta_files_gone', { table, after: 0, up_to: now.version })
  for (const step of steps) {
    if (step.zone !== 'bronze' || step.target !== table || !ids.includes(step.config_id)) continue
    const raw = steps.find((each): each is RawStep => each.zone === 'raw' && each.key === step.raw)!
    const taken = entries
      .filter(({ version }) => version > (former?.version ?? -1))
      .map(({ user_metadata }) => user_metadata as CommitNote | null)
      .flatMap((note) => (note?.config_id === step.config_id ? (note.manifests ?? []) : []))
    for (const seq of new Set(taken)) {
      const manifest = await readManifest(root, raw.source.name, raw.name, seq)
      const gone = (cause?: unknown) =>
        fail('raw_gone', { table, raw: `${raw.source.name}.${raw.name}`, seq }, { cause })
      if (manifest === null) return gone()
      for (const { path } of manifest.files)
        await stat(join(rawDir(root, raw.source.name, raw.name), path)).catch(gone)
    }
  }
}

/** The version of the restoring commit. */
async function takeBack({ dir, ids, now, former }: TakenBack): Promise<number> {
  const epoch = epochOf(now)
  await carryOver(dir, former, ids, epoch + 1)
  const base = (await readSnapshot(dir))!
  const common = {
    base,
    operation: 'RESTORE',
    operation_parameters: { version: former === null ? 'empty' : String(former.version) },
    properties: { [EPOCH]: String(epoch + 1) },
    timestamp: Date.now(),
  }
  return former === null
    ? await commit(dir, { ...common, removes: base.files })
    : await restore(dir, former, common)
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
