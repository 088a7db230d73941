// The end of a table's step: balance, hash, profile, then the record, the quarantine's commit and the table's, in this order.
import { isApproximate } from '#core/content-hash.ts'
import { fail, LakeForgeError } from '#core/errors.ts'
import type { Column } from '#core/types.ts'
import { COUNTS, type Counts, type RuleResult, type SchemaChange } from '#engine/engine.ts'
import type { StepContext } from './batch.ts'
import { hashFiles, tableHash, type WrittenFile } from './writers/parquet.ts'
import { checkpointIfDue, commit, type DeltaFile, expiry, readSnapshot, vacuum } from './delta.ts'
import { duckdbError, stepError } from './duckdb-error.ts'
import { profileFiles } from './profile.ts'
import { emptyOutcome, type Outcome } from './protocol.ts'
import { quarantineTable } from './layout.ts'
import { OWNER_TAG, quarantineColumns, SEQ_TAG } from './quarantine.ts'
import { writeRecord } from './record.ts'
import type { CommitNote, TableStep, Target } from './target.ts'

/** All that a step has made ready; nothing of it is part of a table yet. */
export type Ready = {
  /** The table's columns from now on. */
  columns: Column[]
  /** Those of a row before it was written: what the quarantine keeps. */
  row_columns: Column[]
  adds: WrittenFile[]
  removes: DeltaFile[]
  quarantined: WrittenFile[]
  counts: Counts
  rules: RuleResult[]
  inputs: Record<string, number>
  input_ids?: Record<string, string>
  manifests?: string[]
  schema_changes?: SchemaChange[]
  warnings?: string[]
  properties: Record<string, string>
  operation: string
}

/**
 * Commits a step's result and reports it. A crash anywhere leaves the batch repeatable: the next attempt finds what is there.
 * @throws balance_open, delta_conflict, disk_full, …
 */
export async function publish(
  context: StepContext,
  step: TableStep,
  target: Target,
  ready: Ready,
): Promise<Outcome> {
  const { root, input, session } = context
  const { snapshot } = target
  const counts: Counts = {
    ...ready.counts,
    bytes_written: sum(ready.adds, 'size') + sum(ready.quarantined, 'size'),
  }
  checkBalance(target.table, counts)
  const adds = await hashFiles(session, target.dir, ready.adds, ready.columns)
  const removed = new Set(ready.removes.map((file) => file.path))
  const live = (snapshot?.files ?? []).filter((file) => !removed.has(file.path))
  const profiles = await profileFiles(session, target.dir, adds, ready.columns)
  const note: CommitNote = {
    lakeforge: 1,
    batch_id: input.batch_id,
    seq: input.seq,
    step: step.key,
    config_id: step.config_id,
    plan_hash: input.plan_hash,
    definition: target.definition,
    inputs: ready.inputs,
    ...(ready.input_ids ? { input_ids: ready.input_ids } : {}),
    ...(ready.manifests ? { manifests: ready.manifests } : {}),
    counts,
    rules: ready.rules.map(withoutSamples),
    schema_changes: ready.schema_changes ?? [],
    content_hash: tableHash([...live, ...adds], ready.columns),
    hash_approximate: isApproximate(ready.columns),
    warnings: ready.warnings ?? [],
  }
  if (context.replay !== null) return compared(target, note, ready.rules)
  // From here on the step comes to its end, whoever asks it to stop: what is committed must be reported.
  if (context.signal.aborted) throw duckdbError(new Error('INTERRUPT Error: Interrupted!'))
  await writeRecord(root, input.batch_id, {
    format: 1,
    step: step.key,
    plan_hash: input.plan_hash,
    app_id: target.app_id,
    inputs: ready.inputs,
    ...(ready.input_ids ? { input_ids: ready.input_ids } : {}),
    profiles,
    samples: Object.fromEntries(ready.rules.map((rule) => [rule.rule_id, rule.samples])),
  })
  const txn = { appId: target.app_id, version: target.seq }
  await commitQuarantine(target, ready, note, txn)
  const version = await commit(target.dir, {
    base: snapshot,
    operation: ready.operation,
    adds,
    removes: ready.removes,
    columns: ready.columns,
    properties: ready.properties,
    txn,
    user_metadata: note,
    timestamp: Date.now(),
  })
  const upkeep = await afterCommit(context, target)
  return {
    ...emptyOutcome('succeeded'),
    counts,
    input_versions: ready.inputs,
    delta_version_before: snapshot?.version ?? null,
    delta_version_after: version,
    content_hash: note.content_hash,
    hash_approximate: note.hash_approximate,
    rules: ready.rules,
    schema_changes: note.schema_changes,
    profiles,
    warnings: [...note.warnings, ...upkeep],
  }
}

/**
 * A checkpoint where one is due, and with it a vacuum: files that left the table longer ago than its
 * `delta.deletedFileRetentionDuration` (a week) go. No reader has them open by then, and no version since needs them. The
 * commits stand whatever comes of it: what fails is a warning, and due again next time.
 */
async function afterCommit({ session }: StepContext, target: Target): Promise<string[]> {
  const warnings: string[] = []
  for (const [table, dir, from] of [
    [target.table, target.dir, target.snapshot],
    [quarantineTable(target.table), target.quarantine_dir, target.quarantine],
  ] as const) {
    try {
      const now = await readSnapshot(dir, { connection: session.connection, from })
      const { connection } = session
      const at = Date.now()
      if (now === null || !(await checkpointIfDue(now, connection, at))) continue
      const cutoff = expiry(now.properties, at)
      if (cutoff > 0) await vacuum(dir, { retention_ms: at - cutoff, now: at, connection })
    } catch (error) {
      const { message } = duckdbError(error)
      warnings.push(
        `${table} is committed, but its checkpoint or its cleaning could not be done: ${message}`,
      )
    }
  }
  return warnings
}

/** Failing rows are a row's values: they have no place in a log that stays as long as its table. */
function withoutSamples(result: RuleResult): Omit<RuleResult, 'samples'> {
  const { samples: _, ...rule } = result
  return rule
}

/** What a batch that was run again came to, beside what it had come to before. */
function compared(target: Target, note: CommitNote, rules: RuleResult[]): Outcome {
  const { version, note: former } = target.compare!
  const same = (key: keyof Counts) =>
    key.startsWith('bytes_') || (former.counts[key] ?? 0) === (note.counts[key] ?? 0)
  const differing = COUNTS.filter((key) => !same(key)).map(
    (key) => `${key} ${former.counts[key] ?? 0} → ${note.counts[key] ?? 0}`,
  )
  if (former.content_hash !== note.content_hash)
    differing.push(`content_hash ${former.content_hash} → ${note.content_hash}`)
  const detail = { table: target.table, differences: differing.join(', ') }
  return {
    ...emptyOutcome(differing.length === 0 ? 'succeeded' : 'failed'),
    counts: note.counts,
    input_versions: note.inputs,
    delta_version_before: target.snapshot?.version ?? null,
    delta_version_after: version,
    content_hash: note.content_hash,
    hash_approximate: note.hash_approximate,
    rules,
    schema_changes: note.schema_changes,
    error: differing.length === 0 ? null : stepError(new LakeForgeError('replay_differs', detail)),
  }
}

/** Files of a batch that came as far as its quarantine, and no further: their rows are in this batch again. */
function abandoned(target: Target): DeltaFile[] {
  return (target.quarantine?.files ?? []).filter(
    ({ tags }) => tags[OWNER_TAG] === target.app_id && Number(tags[SEQ_TAG]) > target.last_seq,
  )
}

async function commitQuarantine(
  target: Target,
  ready: Ready,
  note: CommitNote,
  txn: { appId: string; version: number },
): Promise<void> {
  const { quarantine } = target
  // A former attempt of this batch came this far, with the same rows.
  if ((quarantine?.txn.get(txn.appId) ?? -1) >= txn.version) return
  const removes = abandoned(target)
  if (ready.quarantined.length === 0 && removes.length === 0) return
  const tags = { [OWNER_TAG]: txn.appId, [SEQ_TAG]: String(txn.version) }
  await commit(target.quarantine_dir, {
    base: quarantine,
    operation: 'WRITE',
    adds: ready.quarantined.map((file) => ({
      ...file,
      tags: { ...file.tags, ...tags },
    })),
    removes,
    columns: quarantineColumns(ready.row_columns, quarantine),
    txn,
    user_metadata: note,
    timestamp: Date.now(),
  })
}

/** @throws balance_open */
function checkBalance(table: string, counts: Counts): void {
  const terms = ['written', 'quarantined', 'dropped', 'filtered', 'deduplicated', 'late'] as const
  const out = terms.reduce((total, term) => total + (counts[`rows_${term}`] ?? 0), 0)
  const read = counts.rows_read ?? 0
  if (read === out) return
  const said = terms.map((term) => `${counts[`rows_${term}`] ?? 0} ${term}`).join(' + ')
  fail('balance_open', { table, balance: `${read} read, but ${said} = ${out}` })
}

function sum(files: readonly WrittenFile[], what: 'size' | 'rows'): number {
  return files.reduce((total, file) => total + file[what], 0)
}
