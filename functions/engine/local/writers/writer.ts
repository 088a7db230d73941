// What every writer takes and gives: staged rows of one table in, data files and counts out. A writer commits nothing.
import type { PlanColumn } from '#core/plan.ts'
import type { Counts } from '#engine/engine.ts'
import type { DeltaFile, Snapshot } from '../delta.ts'
import type { Sql, WrittenFile } from './parquet.ts'

export type Load = {
  sql: Sql
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
