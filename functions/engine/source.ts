// Looking into a source before anything of it is declared: the seam between the API and whatever can reach the source.
import type { PlanColumn, RawStep } from '#core/plan.ts'

/** One named step of a connection test. After a failed one the rest is skipped. */
export type TestStep = {
  check: string
  state: 'ok' | 'failed' | 'skipped'
  duration_ms: number
  message: string
  hint: string | null
}

/** Something of a source that could become a raw config. */
export type DiscoveredObject = {
  /** Path glob below the root, or schema.table, as a raw config takes it. */
  object: string
  /** A legal name, unique among the objects of one answer. */
  name: string
  format: string
  /** Only what differs from the defaults of the format. */
  options: Record<string, unknown>
  columns: PlanColumn[]
  rows_estimate: number | null
  bytes: number | null
  /** Primary key, by the names of `columns`; empty where none is known. */
  keys: string[]
  /** Columns that an incremental read could go by, the likeliest first. */
  cursor_candidates: string[]
  /** Paths of the files behind the glob, at most 100. */
  files?: string[]
  /** Why the object can't be read as it is; then `columns` may be empty. */
  problem?: { code: string; message: string; hint: string }
}

export type Preview = {
  columns: PlanColumn[]
  /** At most `limit` rows; values as JSON: bigint, decimal, dates and times are text. */
  rows: unknown[][]
  /** Over the rows that were looked at (`rows_profiled`), one entry a column. */
  profile: {
    column: string
    nulls: number
    distinct: number
    min: string | null
    max: string | null
    top: { value: string; rows: number }[]
  }[]
  rows_profiled: number
}

/** What says which object is read, and how: a raw step of the plan, or a proposal of discover. */
export type RawObject = Pick<
  RawStep,
  'name' | 'object' | 'format' | 'options' | 'columns' | 'read_mode' | 'cursor' | 'chunking'
> & { config_id?: string }

export type SourceLike = { name: string; kind: string; options: Record<string, unknown> }

/** Secrets are resolved behind it and never come back. */
export type SourceDoor = {
  test(source: SourceLike): AsyncIterable<TestStep>
  discover(source: SourceLike): Promise<DiscoveredObject[]>
  preview(source: SourceLike, object: RawObject, limit: number): Promise<Preview>
}
