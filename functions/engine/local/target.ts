// A step's table as this batch finds it: what is there, whether the batch has committed already, and how it commits.
// The Delta log is the truth; a report that was lost is made again from it.
import { createHash } from 'node:crypto'
import { fail } from '#core/errors.ts'
import { type BronzeStep, canonicalJson, type GoldStep, type SilverStep } from '#core/plan.ts'
import type { Counts, RuleResult, SchemaChange } from '#engine/engine.ts'
import { committedIn, readSnapshot, type Snapshot } from './delta.ts'
import { quarantineTable, tableDir } from './layout.ts'
import { emptyOutcome, type Outcome } from './protocol.ts'
import { readRecord } from './record.ts'
import type { StepContext } from './batch.ts'

export type TableStep = BronzeStep | SilverStep | GoldStep

/** What a commit of ours says in its userMetadata. A retry and a repair answer with it. */
export type CommitNote = {
  lakeforge: 1
  batch_id: string
  seq: string
  step: string
  config_id: string
  plan_hash: string
  /** sha256 of the step as planned: the same again means the same result from the same inputs. */
  definition: string
  /** Table -> version consumed up to (incremental) or read whole. */
  inputs: Record<string, number>
  /** Table -> id of the Delta table that these versions are of. Absent in old commits. */
  input_ids?: Record<string, string>
  /** Bronze: the seqs of the manifests that went in. */
  manifests?: string[]
  counts: Counts
  rules: Omit<RuleResult, 'samples'>[]
  schema_changes: SchemaChange[]
  content_hash: string | null
  hash_approximate: boolean
  warnings: string[]
  /** Said again under the next epoch, by a restore: no rows came with this commit. */
  carried?: true
}

export type Target = {
  table: string
  dir: string
  snapshot: Snapshot | null
  quarantine_dir: string
  quarantine: Snapshot | null
  /** `<config id>/<epoch>`: the name under which this step's batches are counted in the log. */
  app_id: string
  seq: number
  /** The last batch that this step committed; -1 when none. */
  last_seq: number
  /** The note of that commit; null when there is none or its log file is gone. */
  last_note: CommitNote | null
  definition: string
  /** Set when a batch is run again to be compared: its own commit, whose state before is `snapshot`. */
  compare: { version: number; note: CommitNote } | null
}

export const EPOCH = 'lakeforge.epoch'

/** Reads the table and its quarantine. */
export async function openTarget(context: StepContext, step: TableStep): Promise<Target> {
  const { root, input, session } = context
  if (context.replay !== null) return await openFormer(context, step, context.replay)
  const { connection } = session
  const dir = tableDir(root, step.target)
  const quarantine_dir = tableDir(root, quarantineTable(step.target))
  const snapshot = await readSnapshot(dir, { connection })
  const app_id = `${step.config_id}/${snapshot?.properties[EPOCH] ?? '0'}`
  const last_seq = snapshot?.txn.get(app_id) ?? -1
  const last = snapshot && last_seq >= 0 ? await findNote(dir, app_id, last_seq) : null
  return {
    table: step.target,
    dir,
    snapshot,
    quarantine_dir,
    quarantine: await readSnapshot(quarantine_dir, { connection }),
    app_id,
    seq: seqNumber(input.seq),
    last_seq,
    last_note: last?.note ?? null,
    definition: definitionOf(step),
    compare: null,
  }
}

/** The table as this batch found it, to be written anew below `scratch`. */
async function openFormer(context: StepContext, step: TableStep, scratch: string): Promise<Target> {
  const { root, input, session } = context
  const { connection } = session
  const dir = tableDir(root, step.target)
  const seq = seqNumber(input.seq)
  const latest = await readSnapshot(dir, { connection })
  // Batches before a restore count under the epoch of their time.
  let own: Target['compare'] = null
  let epoch = Number(latest?.properties[EPOCH] ?? 0)
  for (; epoch >= 0 && own === null; epoch--) {
    const found = await findNote(dir, `${step.config_id}/${epoch}`, seq)
    if (!found?.note.carried) own = found
  }
  const app_id = `${step.config_id}/${epoch + 1}`
  const version = (own?.version ?? 0) - 1
  const snapshot = version < 0 ? null : await readSnapshot(dir, { version, connection })
  const last_seq = snapshot?.txn.get(app_id) ?? -1
  return {
    table: step.target,
    dir: tableDir(scratch, step.target),
    snapshot,
    quarantine_dir: tableDir(scratch, quarantineTable(step.target)),
    quarantine: null,
    app_id,
    seq,
    last_seq,
    last_note: last_seq < 0 ? null : ((await findNote(dir, app_id, last_seq))?.note ?? null),
    definition: definitionOf(step),
    compare: own,
  }
}

/**
 * How this step ended, if it need not run: this batch's own commit is in the log, or a later batch has taken its input.
 * Null: it must run.
 * @throws seq_order
 */
export async function settled(context: StepContext, target: Target): Promise<Outcome | null> {
  const { snapshot, quarantine, app_id, seq, last_seq } = target
  if (context.replay !== null) {
    const warnings = [`This batch wrote nothing to ${target.table}: there is nothing to compare.`]
    return target.compare === null ? { ...emptyOutcome('succeeded'), warnings } : null
  }
  if (snapshot && last_seq >= seq) {
    const own = await findNote(target.dir, app_id, seq)
    if (own) return await outcomeOf(context, own.version, own.note)
    return supersededBy(target, target.last_note)
  }
  // A later batch that came as far as its quarantine has taken this one's rows with it.
  const quarantined = quarantine?.txn.get(app_id) ?? -1
  if (quarantine && quarantined > seq)
    return supersededBy(target, (await findNote(quarantine.dir, app_id, quarantined))?.note ?? null)
  return null
}

function supersededBy(target: Target, note: CommitNote | null): Outcome {
  if (note === null)
    return fail('seq_order', { table: target.table, seq: target.seq, last: target.last_seq })
  return { ...emptyOutcome('skipped'), root_cause: note.batch_id }
}

/** The report of a commit, as the attempt that made it would have given it. */
async function outcomeOf(
  context: StepContext,
  version: number,
  note: CommitNote,
): Promise<Outcome> {
  const record = await readRecord(context.root, note.batch_id, note.step)
  return {
    ...emptyOutcome('succeeded'),
    counts: note.counts,
    input_versions: note.inputs,
    delta_version_before: version === 0 ? null : version - 1,
    delta_version_after: version,
    content_hash: note.content_hash,
    hash_approximate: note.hash_approximate,
    rules: note.rules.map((rule) => ({ ...rule, samples: record?.samples[rule.rule_id] ?? [] })),
    schema_changes: note.schema_changes,
    profiles: record?.profiles ?? [],
    warnings: note.warnings,
  }
}

/** The commit with which `app_id` took `seq`. Null when its log file is gone, or another writer made it. */
async function findNote(
  dir: string,
  app_id: string,
  seq: number,
): Promise<{ version: number; note: CommitNote } | null> {
  const entry = await committedIn(dir, { appId: app_id, version: seq })
  const note = entry?.user_metadata as CommitNote | null | undefined
  return entry && note?.lakeforge === 1 ? { version: entry.version, note } : null
}

/** Order, retries and timeouts say nothing of what a table holds. */
function definitionOf(step: TableStep): string {
  const { depends_on: _, retries: __, timeout_s: ___, ...meaning } = step
  return createHash('sha256').update(canonicalJson(meaning)).digest('hex')
}

/** A txn's version is a long in the log; ours are counted one by one and stay far below 2^53. */
export function seqNumber(seq: string): number {
  const number = Number(seq)
  return Number.isSafeInteger(number) && number >= 0
    ? number
    : fail('internal', {}, { cause: new Error(`seq ${seq}`) })
}
