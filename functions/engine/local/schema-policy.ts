// What new data does to a bronze table's columns: the difference to what is pinned, and what the table's policy makes of it.
import { legalColumns } from '#core/names.ts'
import type { BronzeStep, PlanColumn, RawStep } from '#core/plan.ts'
import type { Column } from '#core/types.ts'
import type { SchemaChange } from '#engine/engine.ts'
import type { StepContext } from './batch.ts'
import type { Snapshot } from './delta.ts'
import { compareColumns, type RawShape } from './extractors/read-raw.ts'
import { sampleScanSql } from './extractors/read-raw.ts'

/** Table property, followed by the config's id: JSON of source name -> column, for columns that came after pinning. */
export const EVOLVED = 'lakeforge.evolved.'

export type Evolved = {
  /** Columns to read from raw, by their pinned names. */
  read: PlanColumn[]
  /** Table columns beyond the plan's. */
  added: Column[]
  changes: SchemaChange[]
  /** The policy lets nothing of this batch in. */
  refused: boolean
  /** New text of the property; null: as it was. */
  evolved: string | null
}

/** Compares the raw files with the pinned columns and with those that the table has taken on since. */
export async function evolve(
  context: StepContext,
  step: BronzeStep,
  raw: RawStep,
  snapshot: Snapshot | null,
  shape: RawShape,
): Promise<Evolved> {
  const guarded = new Set(step.column_policies.map(({ column }) => column))
  const pinned = raw.columns.map((column) => ({
    ...column,
    // Read as text, all of a protected value stays in its column: nothing of it may reach _rescued_data.
    type: guarded.has(column.name) ? 'string' : column.type,
  }))
  const names = sourceNames(snapshot, step.config_id)
  const types = new Map(snapshot?.columns.map((column) => [column.name, column.type]))
  const former = Object.entries(names).flatMap(([source_name, name]): PlanColumn[] => {
    const type = types.get(name)
    const again = pinned.some((column) => (column.source_name ?? column.name) === source_name)
    return type === undefined || again ? [] : [{ name, type, nullable: true, source_name }]
  })
  const differences = await compareColumns(
    context.session.connection,
    shape,
    [...pinned, ...former],
    sampleScanSql(shape),
  )
  const frozen = step.schema_policy === 'freeze' || step.schema_policy === 'approve'
  const added: PlanColumn[] = []
  const taken = [
    ...step.columns.map((column) => column.name),
    ...(snapshot?.columns ?? []).map((column) => column.name),
  ]
  /** A column of the table that no pinned one stands for is that of the same name, if it has the type. */
  const nameOf = (source_name: string, type: string): string => {
    const plain = legalColumns([source_name])[0]!
    const pinnedToo = step.columns.some((column) => column.name === plain)
    const known = former.some((column) => column.name === plain)
    if (types.get(plain) === type && !pinnedToo && !known) return plain
    return legalColumns([...taken, source_name]).at(-1)!
  }
  const changes = differences.map((difference): SchemaChange => {
    const { kind, source_name, type } = difference
    const known = [...pinned, ...former].find((c) => (c.source_name ?? c.name) === source_name)
    if (kind === 'missing')
      return {
        kind,
        column: known?.name ?? source_name,
        from_type: type,
        to_type: null,
        outcome: frozen ? 'refused' : 'evolved',
      }
    if (kind === 'retyped')
      return {
        kind,
        column: known?.name ?? source_name,
        from_type: type,
        to_type: difference.observed,
        outcome: frozen ? 'refused' : 'rescued',
      }
    if (step.schema_policy !== 'evolve')
      return {
        kind,
        column: source_name,
        from_type: null,
        to_type: type,
        outcome: frozen ? 'refused' : 'rescued',
      }
    const name = nameOf(source_name, type)
    taken.push(name)
    added.push({ name, type, nullable: true, source_name })
    return { kind, column: name, from_type: null, to_type: type, outcome: 'evolved' }
  })
  const all = { ...names, ...Object.fromEntries(added.map((c) => [c.source_name!, c.name])) }
  return {
    read: [...pinned, ...former, ...added],
    // By their names in the table: their source name has done its work.
    added: [...former, ...added].map(({ name, type }) => ({ name, type, nullable: true })),
    changes,
    refused: frozen && changes.length > 0,
    evolved: added.length > 0 ? JSON.stringify(all) : null,
  }
}

function sourceNames(snapshot: Snapshot | null, config_id: string): Record<string, string> {
  try {
    const text = snapshot?.properties[`${EVOLVED}${config_id}`] ?? '{}'
    return JSON.parse(text) as Record<string, string>
  } catch {
    return {}
  }
}
