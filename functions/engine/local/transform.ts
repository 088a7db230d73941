// From a query to the rows of a table: compiled, typed as pinned, in one streaming pass where the query allows it.
import { analyzeQuery } from '#dialect/index.ts'
import { isApproximate } from '#core/content-hash.ts'
import { quoteDuckdb } from '#core/names.ts'
import type { GoldStep, SilverStep } from '#core/plan.ts'
import { duckdbType } from '#core/types.ts'
import type { StepContext } from './batch.ts'
import { finish } from './finish.ts'
import type { Inputs } from './inputs.ts'
import { emptyOutcome, type Outcome } from './protocol.ts'
import type { StepSession } from './session.ts'
import type { Target } from './target.ts'
import { tableHash } from './writers/parquet.ts'

/** How the rows of a query become a table. */
export type Shape = Pick<
  SilverStep,
  | 'query'
  | 'load_type'
  | 'keys'
  | 'dedupe'
  | 'has_where'
  | 'has_delete'
  | 'has_sequence'
  | 'sequence_type'
  | 'sequence_column'
>

/** No new rows, or the same versions read by the same definition: there is nothing to do. */
function isUnchanged(target: Target, inputs: Inputs, by_time: boolean): boolean {
  const { snapshot, last_note, definition } = target
  if (snapshot === null) return false
  if (!inputs.fresh) return true
  return (
    !by_time &&
    last_note?.definition === definition &&
    sameVersions(last_note.inputs, inputs.versions) &&
    Object.entries(last_note.input_ids ?? {}).every(([table, id]) => inputs.ids[table] === id)
  )
}

/** The report of a step that had nothing to do: its table stays as it is. */
export function idle({ snapshot }: Target, input_versions: Record<string, number>): Outcome {
  const version = snapshot?.version ?? null
  const columns = snapshot?.columns ?? []
  return {
    ...emptyOutcome('succeeded'),
    input_versions,
    delta_version_before: version,
    delta_version_after: version,
    content_hash: tableHash(snapshot?.files ?? [], columns),
    hash_approximate: isApproximate(columns),
  }
}

function sameVersions(a: Record<string, number>, b: Record<string, number>): boolean {
  const tables = Object.keys(a)
  return tables.length === Object.keys(b).length && tables.every((table) => a[table] === b[table])
}

/**
 * Runs a silver or gold step on its open inputs; writes nothing where there is nothing new.
 * @throws what the dialect, DuckDB, a rule or the commit refuses
 */
export async function transform(
  context: StepContext,
  step: SilverStep | GoldStep,
  target: Target,
  inputs: Inputs,
  shape: Shape,
): Promise<Outcome> {
  const { session } = context
  const compiled = await analyzeQuery(
    shape.query,
    step.inputs.map(({ table, columns }) => ({ name: table, columns })),
  )
  // A query that asks for the time gives something else in every batch.
  const by_time = compiled.duckdb.includes('lf_now()')
  if (context.replay === null && isUnchanged(target, inputs, by_time))
    return idle(target, inputs.versions)
  const columns = [
    ...step.columns.map(({ name, type }) => [name, duckdbType(type)] as const),
    ...(shape.has_where ? [['__keep', 'boolean'] as const] : []),
    ...(shape.has_sequence ? [['__sequence', duckdbType(shape.sequence_type!)] as const] : []),
    ...(shape.has_delete ? [['__delete', 'boolean'] as const] : []),
  ]
  // What the engine computes with (hugeint, double sums) must not reach the files: every column gets its pinned type.
  const list = columns.map(
    ([name, type]) => `cast(${quoteDuckdb(name)} as ${type}) as ${quoteDuckdb(name)}`,
  )
  const query = `select ${list.join(', ')} from (${compiled.duckdb})`
  const kind = (await streams(session, query)) ? 'view' : 'table'
  await session.run(`create ${kind} __rows as ${query}`)
  const counted = await session.row(
    `select count(*) as read${shape.has_where ? ', count(*) filter (__keep is not true) as filtered' : ''} from __rows`,
  )
  const kept = shape.has_where ? '(select * exclude (__keep) from __rows where __keep)' : '__rows'
  return await finish(context, step, target, {
    rows: kept,
    columns: step.columns,
    load_type: shape.load_type,
    keys: shape.keys,
    dedupe: shape.dedupe,
    has_delete: shape.has_delete,
    has_sequence: shape.has_sequence,
    sequence_type: shape.sequence_type,
    sequence_column: shape.sequence_column,
    inputs: inputs.versions,
    input_ids: inputs.ids,
    references: inputs.references,
    rows_read: Number(counted.read),
    counts: {
      rows_filtered: Number(counted.filtered ?? 0),
      bytes_read: inputs.bytes_read,
    },
  })
}

/** Operators that pass rows on as they come: running such a query twice costs two scans, and no memory. */
const STREAMING = new Set(['PROJECTION', 'FILTER', 'READ_PARQUET', 'DUMMY_SCAN', 'EMPTY_RESULT'])

/** True when DuckDB's own plan for the query is a scan with projections and filters. */
async function streams(session: StepSession, query: string): Promise<boolean> {
  const plan = await session.row(`explain (format json) ${query}`)
  type Node = { name: string; children?: Node[] }
  const all = (node: Node): boolean =>
    STREAMING.has(node.name.trim()) && (node.children ?? []).every(all)
  return (JSON.parse(String(plan.explain_value)) as Node[]).every(all)
}
