// What a silver or gold step reads: every table at one version, fixed before anything is committed, and of the table that
// drives an incremental load only the rows that came since the last commit.
import { fail } from '#core/errors.ts'
import { quoteDuckdb } from '#core/names.ts'
import type { GoldStep, PlanColumn, SilverStep } from '#core/plan.ts'
import { duckdbType } from '#core/types.ts'
import type { StepContext } from './batch.ts'
import {
  duckdbScan,
  filesAddedBetween,
  readSnapshot,
  type DeltaFile,
  type Snapshot,
} from './delta.ts'
import { tableDir } from './layout.ts'
import { readRecord } from './record.ts'
import type { TableStep, Target } from './target.ts'

/** Version of a table that does not exist yet: everything that comes is newer. */
const NOTHING = -1

export type Inputs = {
  versions: Record<string, number>
  /** Table -> id of its Delta table. */
  ids: Record<string, string>
  bytes_read: number
  /** Of the driving table, for an incremental load: there are rows that no commit of this step has taken. */
  fresh: boolean
  /** Tables of `referential` rules, as what stands after FROM. */
  references: Map<string, string>
}

/**
 * Reads the input tables and makes them views of the session. `incremental`: the first table of `from` is cut to its new rows.
 * @throws input_missing, input_rewound, history_gone
 */
export async function openInputs(
  context: StepContext,
  step: SilverStep | GoldStep,
  target: Target,
  incremental: boolean,
): Promise<Inputs> {
  const { root, session } = context
  const { connection } = session
  const recorded = await recordedVersions(context, step, target)
  const inputs: Inputs = {
    versions: {},
    ids: {},
    bytes_read: 0,
    fresh: true,
    references: new Map(),
  }
  const driving = incremental && step.zone === 'silver' ? step.from[0] : undefined
  for (const { table, columns, external } of step.inputs) {
    const dir = tableDir(root, table)
    const wanted = recorded.versions[table]
    const snapshot =
      wanted === NOTHING
        ? null
        : await readSnapshot(dir, {
            connection,
            ...(wanted === undefined ? {} : { version: wanted }),
          })
    if (snapshot !== null) {
      const known = recorded.ids[table]
      if (known !== undefined && known !== snapshot.id)
        fail('input_replaced', { table, target: target.table })
      inputs.ids[table] = snapshot.id
    }
    if (snapshot === null && external) fail('input_missing', { step: step.key, table })
    inputs.versions[table] = snapshot?.version ?? NOTHING
    let files = snapshot?.files ?? []
    if (table === driving) {
      files = await newRows(target, table, snapshot, connection)
      inputs.fresh = files.length > 0
    }
    inputs.bytes_read += files.reduce((sum, file) => sum + file.size, 0)
    await session.view(table, view(columns, snapshot, files))
  }
  inputs.references = await openReferences(context, step, target, inputs.versions)
  return inputs
}

/** The versions that an earlier attempt of this batch has fixed; empty when none has. */
async function recordedVersions(
  { root, input }: StepContext,
  step: TableStep,
  target: Target,
): Promise<{ versions: Record<string, number>; ids: Record<string, string> }> {
  if (target.compare !== null) {
    const { inputs, input_ids } = target.compare.note
    return { versions: inputs, ids: input_ids ?? {} }
  }
  const record = await readRecord(root, input.batch_id, step.key)
  if (record === null) return { versions: {}, ids: {} }
  const ids = record.input_ids ?? {}
  if (record.app_id === target.app_id) return { versions: record.inputs, ids }
  // The table was restored since, and those that it reads with it. Other groups' tables still stand as the batch saw them.
  const external = step.zone === 'bronze' ? [] : step.inputs.filter((found) => found.external)
  const of = <T>(found: Record<string, T>) =>
    Object.fromEntries(
      external.flatMap(({ table }) => (found[table] === undefined ? [] : [[table, found[table]]])),
    ) as Record<string, T>
  return { versions: of(record.inputs), ids: of(ids) }
}

/** Files that brought rows since the last commit of this step; one that was put together with others since is read itself. */
async function newRows(
  target: Target,
  table: string,
  snapshot: Snapshot | null,
  connection: StepContext['session']['connection'],
): Promise<DeltaFile[]> {
  if (snapshot === null) return []
  if (target.last_seq < 0) return snapshot.files
  const known = target.last_note?.input_ids?.[table]
  if (known !== undefined && known !== snapshot.id)
    return fail('input_replaced', { table, target: target.table })
  const consumed =
    target.last_note?.inputs[table] ?? fail('history_gone', { table: target.table, input: table })
  if (consumed === snapshot.version) return []
  if (consumed > snapshot.version)
    return fail('input_rewound', {
      table,
      version: snapshot.version,
      consumed,
      target: target.table,
    })
  const { files, removed } = await filesAddedBetween(snapshot.dir, consumed, snapshot.version)
  // A restore brings back files whose rows were taken long ago.
  const former = removed
    ? await readSnapshot(snapshot.dir, { version: consumed, connection })
    : null
  const taken = new Set(former?.files.map((file) => file.path))
  return files.filter((file) => !taken.has(file.path))
}

/** The columns that the query was checked against, whatever the table has by now; then those that came since. */
function view(
  columns: readonly PlanColumn[],
  snapshot: Snapshot | null,
  files: readonly DeltaFile[],
): string {
  const there = new Map(snapshot?.columns.map((column) => [column.name.toLowerCase(), column]))
  const planned = columns.map(({ name, type }) => {
    const found = there.get(name.toLowerCase())
    there.delete(name.toLowerCase())
    const value = found === undefined ? 'null' : quoteDuckdb(found.name)
    return `cast(${value} as ${duckdbType(type)}) as ${quoteDuckdb(name)}`
  })
  const others = [...there.values()].map((column) => quoteDuckdb(column.name))
  const from = snapshot === null ? '(select 1 where false)' : duckdbScan(snapshot, { files })
  return `select ${[...planned, ...others].join(', ')} from ${from}`
}

/**
 * Tables that `referential` rules look into: name -> what stands after FROM, without those that do not exist. Their versions,
 * the same in every attempt of this batch, are added to `versions`.
 */
export async function openReferences(
  context: StepContext,
  step: TableStep,
  target: Target,
  versions: Record<string, number>,
): Promise<Map<string, string>> {
  const { root, session } = context
  const found = new Map<string, string>()
  const tables = step.rules
    .filter((rule) => rule.check === 'referential')
    .map((rule) => String(rule.options.table))
  if (tables.length === 0) return found
  const recorded = await recordedVersions(context, step, target)
  for (const table of new Set(tables)) {
    const version = recorded.versions[table] ?? versions[table] ?? null
    if (version === NOTHING) continue
    const dir = tableDir(root, table)
    const snapshot = await readSnapshot(dir, { version, connection: session.connection })
    if (snapshot === null) continue
    found.set(table, duckdbScan(snapshot))
    versions[table] = snapshot.version
  }
  return found
}
