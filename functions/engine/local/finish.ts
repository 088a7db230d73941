// What all zones share once rows have the shape of their table: rules, dedupe, write, publish.
import { fail, LakeForgeError } from '#core/errors.ts'
import type { SilverStep } from '#core/plan.ts'
import type { Column } from '#core/types.ts'
import type { Counts, SchemaChange } from '#engine/engine.ts'
import type { StepContext } from './batch.ts'
import { evaluateRules } from './checks.ts'
import { duckdbScan } from './delta.ts'
import { stepError } from './duckdb-error.ts'
import { emptyOutcome, type Outcome } from './protocol.ts'
import { publish } from './publish.ts'
import { quarantineColumns } from './quarantine.ts'
import type { TableStep, Target } from './target.ts'
import { dedupe } from './writers/dedupe.ts'
import { write } from './writers/index.ts'
import { copyRows, type WrittenFile } from './writers/parquet.ts'

export type Shaped = {
  /** What stands after FROM: the table's columns in order, then `__sequence` and `__delete` if there are. */
  rows: string
  columns: Column[]
  load_type: SilverStep['load_type']
  keys: string[]
  dedupe: boolean
  has_delete: boolean
  has_sequence: boolean
  sequence_type: string | null
  sequence_column: string | null
  inputs: Record<string, number>
  input_ids?: Record<string, string>
  /** What stands after FROM for the tables that `referential` rules name. */
  references: ReadonlyMap<string, string>
  manifests?: string[]
  schema_changes?: SchemaChange[]
  warnings?: string[]
  /** Table properties that come with this batch, beside those of the plan. */
  properties?: Record<string, string>
  /** Rows that came in; a function counts them in what was written, where counting them before would read them twice. */
  rows_read: number | ((adds: readonly WrittenFile[]) => Promise<number>)
  /** What else was counted before; the rest is counted here. */
  counts: Counts
}

/** Rules, dedupe, write and commit. @throws rule_failed and what the writer refuses; then nothing is committed */
export async function finish(
  context: StepContext,
  step: TableStep,
  target: Target,
  shaped: Shaped,
): Promise<Outcome> {
  const { session, input } = context
  const { load_type, keys, has_sequence, has_delete } = shaped
  const { snapshot } = target
  // A pinned "not null" is what the query promises; that no file ever holds a null is for rules to see to.
  const columns = shaped.columns.map((column) => ({ ...column, nullable: true }))
  const verdict = await evaluateRules(session, {
    relation: shaped.rows,
    columns,
    rules: step.rules,
    batch_id: input.batch_id,
    quarantine: step.quarantine,
    target: load_type === 'append' && snapshot !== null ? duckdbScan(snapshot) : null,
    table: (name) =>
      shaped.references.get(name) ?? fail('input_missing', { step: step.key, table: name }),
    pii: step.columns.filter((column) => column.pii).map((column) => column.name),
  })
  const broken = verdict.failed[0]
  if (broken !== undefined) {
    const { name, rows_failed, rows_checked } = broken
    const detail = { rule: name, failed: rows_failed, checked: rows_checked, table: target.table }
    return {
      ...emptyOutcome('failed'),
      counts: {
        ...(typeof shaped.rows_read === 'number' ? { rows_read: shaped.rows_read } : {}),
        ...shaped.counts,
      },
      input_versions: shaped.inputs,
      rules: verdict.results,
      schema_changes: shaped.schema_changes ?? [],
      error: stepError(new LakeForgeError('rule_failed', detail)),
    }
  }
  const unique = shaped.dedupe
    ? await dedupe(session, {
        relation: verdict.good,
        columns,
        keys,
        has_sequence,
        has_delete,
        load_type,
      })
    : null
  const written = await write(load_type, {
    sql: session,
    table: target.table,
    dir: target.dir,
    snapshot: target.snapshot,
    staged: unique?.relation ?? verdict.good,
    columns,
    keys,
    has_sequence,
    has_delete,
    sequence_type: shaped.sequence_type,
    sequence_column: shaped.sequence_column,
    unique_keys: shaped.dedupe,
    cluster_by: step.cluster_by,
  })
  await unique?.close()
  const { rows_read } = shaped
  const quarantined =
    verdict.bad === null
      ? []
      : await copyRows(
          session,
          verdict.bad,
          target.quarantine_dir,
          quarantineColumns(columns, null),
        )
  return await publish(context, step, target, {
    columns: written.columns,
    row_columns: columns,
    adds: written.adds,
    removes: written.removes,
    quarantined,
    counts: {
      rows_read: typeof rows_read === 'number' ? rows_read : await rows_read(written.adds),
      ...shaped.counts,
      ...verdict.counts,
      ...written.counts,
      rows_deduplicated:
        (shaped.counts.rows_deduplicated ?? 0) +
        (unique?.rows_deduplicated ?? 0) +
        (written.counts.rows_deduplicated ?? 0),
    },
    rules: verdict.results,
    inputs: shaped.inputs,
    ...(shaped.input_ids ? { input_ids: shaped.input_ids } : {}),
    operation: written.operation,
    ...(shaped.manifests ? { manifests: shaped.manifests } : {}),
    ...(shaped.schema_changes ? { schema_changes: shaped.schema_changes } : {}),
    properties: { ...step.properties, ...shaped.properties },
    ...(shaped.warnings ? { warnings: shaped.warnings } : {}),
  })
}
