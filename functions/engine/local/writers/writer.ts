// What every writer takes and gives: staged rows of one table in, data files and counts out. A writer commits nothing.
import { fail } from '#core/errors.ts'
import { quoteDuckdb } from '#core/names.ts'
import type { PlanColumn } from '#core/plan.ts'
import { duckdbType } from '#core/types.ts'
import type { Counts } from '#engine/engine.ts'
import type { DeltaFile, Snapshot } from '../delta.ts'
import type { Sql, WrittenFile } from './parquet.ts'

export type Load = {
  sql: Sql
  /** schema.table, for messages. */
  table: string
  /** The table's folder. */
  dir: string
  /** The version that the result will be committed on; null: no table yet. */
  snapshot: Snapshot | null
  /**
   * What stands after FROM: the output columns in order and typed as pinned, then `__sequence` and `__delete` where the
   * step has them. Read several times: it must give the same rows each time.
   */
  staged: string
  /** The step's output columns. */
  columns: readonly PlanColumn[]
  keys: readonly string[]
  has_sequence: boolean
  has_delete: boolean
  /** Type of `__sequence`; scd2's `__START_AT` and `__END_AT` get it. */
  sequence_type: string | null
  /** Merge: the output column that `__sequence` is, which tells a target row's sequence. */
  sequence_column: string | null
  /** The staged rows went through `dedupe`: one per key. Absent: merge sees to it. */
  unique_keys?: boolean
  /** Columns that new rows are sorted by, so that files and row groups hold ranges of them. */
  cluster_by?: readonly string[]
  /** Size at which a new data file begins. */
  file_bytes?: number
}

export type Written = {
  adds: WrittenFile[]
  removes: DeltaFile[]
  /** The table's columns from this commit on. */
  columns: PlanColumn[]
  /** The writer's part of the balance sheet; `bytes_written` is the caller's to sum up. */
  counts: Counts
  /** For the table's history. */
  operation: 'WRITE' | 'MERGE'
}

export type Writer = (load: Load) => Promise<Written>

/** Rows in new files: what COPY says it wrote. */
export function rowsIn(files: readonly WrittenFile[]): number {
  return files.reduce((rows, file) => rows + file.rows, 0)
}

/**
 * The table's columns with this load: the step's, and those that only the table has; they stay, and are NULL in new rows.
 * Nothing becomes `not null` that older files may hold as NULL.
 */
export function tableColumns({ columns, snapshot }: Load): PlanColumn[] {
  if (snapshot === null) return [...columns]
  const before = new Map(snapshot.columns.map((column) => [column.name.toLowerCase(), column]))
  const now = columns.map((column) => {
    const was = before.get(column.name.toLowerCase())
    before.delete(column.name.toLowerCase())
    return { ...column, nullable: column.nullable || (was?.nullable ?? true) }
  })
  return [...now, ...[...before.values()].map((column) => ({ ...column, nullable: true }))]
}

/** `relation` with a NULL for each of `columns` that the step doesn't give. What stands after FROM. */
export function aligned(load: Load, columns: readonly PlanColumn[], relation: string): string {
  const given = new Set(load.columns.map((column) => column.name))
  const empty = columns
    .filter((column) => !given.has(column.name))
    .map(({ name, type }) => `cast(null as ${duckdbType(type)}) as ${quoteDuckdb(name)}`)
  return empty.length === 0 ? relation : `(select *, ${empty.join(', ')} from ${relation})`
}

/** A NULL in a key equals no other NULL: such a row would be a new one each time that it is delivered. @throws key_null */
export async function refuseNullKeys({ sql, table, staged, keys }: Load): Promise<void> {
  const none = keys.map((key) => `${quoteDuckdb(key)} is null`).join(' or ')
  const { rows } = await sql.row(`select count(*) as rows from ${staged} where ${none}`)
  if (Number(rows) > 0) fail('key_null', { table, rows: Number(rows), keys: keys.join(', ') })
}

let made = 0

/** Temporary tables of one load, with names of their own. */
export function scratch<Name extends string>(sql: Sql, parts: readonly Name[]) {
  const id = ++made
  const bare = (part: string) => `__load_${id}_${part}`
  const names = Object.fromEntries(parts.map((part) => [part, `temp.${bare(part)}`])) as Record<
    Name,
    string
  >
  return {
    /** How statements name them. */
    names,
    async make(part: Name, query: string): Promise<void> {
      await sql.run(`create temp table ${bare(part)} as ${query}`)
    },
    /** These, or all. */
    async drop(...some: Name[]): Promise<void> {
      for (const part of some.length > 0 ? some : parts)
        await sql.run(`drop table if exists ${names[part]}`)
    },
  }
}
