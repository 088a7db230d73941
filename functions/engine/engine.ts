// The seam between the metadata and what runs it. An engine gets a plan and a run input, and answers with reports; it never
// writes run state: run.ts does, from the reports.
import type { Plan, PlanColumn, PlanRule, PlanStep, RunInput } from '#core/plan.ts'

/** The counts of DESIGN's log schema. Each is counted on its own, never by subtraction; absent means zero. */
export const COUNTS = [
  'rows_read',
  'rows_written',
  'rows_quarantined',
  'rows_dropped',
  'rows_filtered',
  'rows_deduplicated',
  'rows_late',
  'rows_inserted',
  'rows_updated',
  'rows_deleted',
  'rows_closed',
  'files_rewritten',
  'bytes_read',
  'bytes_written',
] as const
export type Counts = Partial<Record<(typeof COUNTS)[number], number>>

export type RuleResult = {
  rule_id: string
  name: string
  check: string
  on_fail: 'warn' | 'drop' | 'quarantine' | 'fail'
  columns: string[]
  rows_checked: number
  rows_failed: number
  /** true: more rows failed than the threshold allows, so on_fail applied (or, for warn, was said). */
  applied: boolean
  fingerprint: string
  /** Some failing rows (at most 20), values as text, columns tagged pii masked. */
  samples: Record<string, string | null>[]
}

export type LedgerFile = {
  /** Relative to the raw object's folder. */
  path: string
  source_path: string
  size: number
  sha256: string
  rows: number | null
  source_modified_at: string | null
}

export type SchemaChange = {
  kind: 'added' | 'missing' | 'retyped' | 'reordered'
  column: string
  from_type: string | null
  to_type: string | null
  /** What the schema policy did: evolved, refused, rescued, waiting. */
  outcome: string
}

export type ColumnProfile = {
  column: string
  rows: number
  nulls: number
  /** Estimated distinct values among `sampled` rows; null where not looked at. */
  distinct: number | null
  sampled: number
  min: string | null
  max: string | null
}

export type StepError = { code: string; message: string; hint: string; retry: boolean }

/** The end of a step's attempt that decides the step, or its start. `at` is an ISO instant of the engine's clock. */
export type StepReport =
  | { kind: 'step'; step: string; state: 'running'; attempt: number; at: string }
  | {
      kind: 'step'
      step: string
      state: 'succeeded' | 'failed' | 'skipped' | 'cancelled'
      attempt: number
      at: string
      counts: Counts
      /** Table -> Delta version that this step read. Recorded beside the data before the first commit. */
      input_versions: Record<string, number>
      delta_version_before: number | null
      delta_version_after: number | null
      content_hash: string | null
      hash_approximate: boolean
      watermark_from: string | null
      watermark_to: string | null
      rules: RuleResult[]
      files: LedgerFile[]
      schema_changes: SchemaChange[]
      profiles: ColumnProfile[]
      /** Warnings in words; a succeeded step with any shows as warned. */
      warnings: string[]
      error: StepError | null
      /** For skipped: key of the step that failed first, or the id of the batch that consumed this one's input. */
      root_cause: string | null
    }

export type EventReport = {
  kind: 'event'
  step: string | null
  level: 'debug' | 'info' | 'warn' | 'error'
  text: string
  at: string
  /** Progress of the step where known; `total` null while unknown. */
  progress?: { done: number; total: number | null; unit: 'rows' | 'bytes' | 'files' }
}

/** After `done` no further report of this run comes. */
export type Report =
  StepReport | EventReport | { kind: 'done'; state: 'succeeded' | 'failed' | 'cancelled' }

export type Run = {
  plan: Plan
  input: RunInput
  /** Steps that this start runs; the others of the plan are taken as done. Absent: all. */
  only?: string[]
  /** Attempt of the batch as a whole, from 1. */
  attempt: number
  /**
   * Runs a batch that has run before again, from raw and the versions that it recorded, into a scratch folder, and compares:
   * a step whose rows or counts differ fails with `replay_differs`. Nothing that is there changes.
   */
  replay?: boolean
}

/** What stands in place of a value that the role may not see. */
export const MASK = '•••'

/** A read of tables at one version each. `sql` is compiled already, for this engine. */
export type QueryRequest = {
  environment: string
  sql: string
  /**
   * The tables that it names (`schema.table`, also `…_quarantine`) and the version to read; null: the newest. `masked` columns
   * are text, and their values a mask, to all of the query: no condition can find them out.
   */
  tables: { table: string; version: number | null; masked?: readonly string[] }[]
  /** Rows to answer at most. */
  limit: number
  timeout_ms: number
}

export type QueryResult = {
  /** `type` is Spark's text. */
  columns: { name: string; type: string }[]
  /** Values as JSON: bigint, decimal, dates and times are text. */
  rows: unknown[][]
  /** There were more rows than `limit`. */
  truncated: boolean
  /** The version of each table that was read. */
  versions: Record<string, number>
}

/** A rule to be tried on rows as they are. */
export type RuleTestRequest = {
  environment: string
  rule: PlanRule
  /** The table that the rule is for. */
  target: string
  /** Its columns. */
  columns: PlanColumn[]
  /** What makes the rows, compiled for this engine; null: they are the table's own. */
  query: string | null
  /** The tables that are read, at their newest versions. */
  tables: string[]
  /** Columns, in lower case, whose values a sample must not show. */
  masked: string[]
  /** Failing rows to show at most. */
  limit: number
  timeout_ms: number
}

export type RuleTest = {
  rows: number
  /** Of these, how many the rule looks at: those that its filter lets through. */
  rows_checked: number
  rows_passed: number
  rows_failed: number
  /** Where the check yields null: they fail, or pass with `null_passes`, and are counted there too. */
  rows_null: number
  /** More rows fail than the threshold allows: `on_fail` would act. */
  applies: boolean
  /** Failing rows, values as text. */
  samples: Record<string, string | null>[]
  versions: Record<string, number>
  duration_ms: number
}

/**
 * A table that is taken back; `to_version` null: to before its first commit. `version` is that of the restoring commit, null
 * in a dry run. Rows are null where a file's statistics don't tell.
 */
export type RestoredTable = {
  table: string
  from_version: number
  to_version: number | null
  version: number | null
  from_rows: number | null
  from_bytes: number
  to_rows: number | null
  to_bytes: number
}

export type Engine = {
  name: 'local' | 'spark' | 'databricks'
  can: {
    /** Load types that it writes. */
    load_types: readonly string[]
    extractors: readonly string[]
    /** Rows of any table version can be queried right here. */
    query: boolean
    /** Runs on the machine of the metadata's owner: only the owner of the home may drive it. */
    owned: boolean
  }
  /** Starts a run and returns at once; the handle is JSON, and stored with the batch. */
  start(run: Run): Promise<string>
  /**
   * The reports since the last poll, in order; waits up to `wait_ms` for the first one.
   * @throws run_lost when the process that ran it is gone: start it again, what is committed is found and reported
   */
  poll(handle: string, wait_ms: number): Promise<Report[]>
  /** Asks the run to stop; running steps end as cancelled, nothing half-written becomes visible. */
  cancel(handle: string): Promise<void>
  /**
   * Lets go of a run that can't be followed any more: when this resolves, nothing of it works or writes here, and its batch may be
   * started anew. A run that is over, or unknown here, is let go already.
   */
  abandon(handle: string): Promise<void>
  /** Runs that this engine started without us (a job's own schedule), since a time. The local engine has none. */
  collect(since: string): Promise<{ run: Run; reports: Report[] }[]>
  /**
   * Rows of a query, read apart from the batches. Only where `can.query`.
   * @throws table_missing, sql_failed, query_timeout, …
   */
  query(request: QueryRequest): Promise<QueryResult>
  /**
   * Tries a rule on rows as they are, apart from the batches. Only where `can.query`.
   * @throws table_missing, rule_invalid, rule_broken, query_timeout, …
   */
  testRule(request: RuleTestRequest): Promise<RuleTest>
  /** The folder in which a Delta table lies, there already or not; absent where tables are found by name alone. */
  location?(environment: string, table: string): string
  /**
   * Takes all tables that `steps` write back to before batch `seq`, so that it and every later batch can be started again, in
   * order, with their own plans and run inputs. No batch of these tables may run meanwhile. Only where `can.query`. A dry run
   * says what would be done, and refuses what could not.
   * @throws delta_files_gone, raw_gone before anything is changed
   */
  restore(request: {
    environment: string
    steps: PlanStep[]
    seq: string
    dry_run?: boolean
  }): Promise<RestoredTable[]>
  close(): Promise<void>
}
