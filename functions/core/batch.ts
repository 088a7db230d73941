// A batch and its steps: their states, what may follow on what, and what a person may do in which state.
import type { Zone } from './plan.ts'

export const STATES = [
  'pending',
  'running',
  'waiting',
  'succeeded',
  'failed',
  'skipped',
  'cancelled',
] as const
export type State = (typeof STATES)[number]

/** States that end a run; `finished_at` is set exactly in these. */
export const FINAL_STATES = ['succeeded', 'failed', 'skipped', 'cancelled'] as const

export function isFinal(state: State): boolean {
  return (FINAL_STATES as readonly State[]).includes(state)
}

/** To which states a step may go; logging.set_step_state refuses the others. A state may follow itself. */
export const STEP_TRANSITIONS: Record<State, readonly State[]> = {
  pending: ['pending', 'running', 'waiting', 'failed', 'skipped', 'cancelled'],
  running: STATES,
  waiting: ['waiting', 'pending', 'running', 'failed', 'skipped', 'cancelled'],
  succeeded: ['succeeded'],
  failed: ['failed', 'pending'],
  skipped: ['skipped', 'pending'],
  cancelled: ['cancelled', 'pending'],
}

export const BATCH_ACTIONS = ['cancel', 'retry', 'replay'] as const
export type BatchAction = (typeof BATCH_ACTIONS)[number]

/** What can be done with a batch in each state: read by buttons, the API and its messages alike. */
export const BATCH_CAN: Record<State, readonly BatchAction[]> = {
  pending: ['cancel'],
  running: ['cancel'],
  waiting: ['cancel'],
  succeeded: ['replay'],
  failed: ['retry', 'replay'],
  skipped: ['retry'],
  cancelled: ['retry'],
}

export const TRIGGERS = [
  'manual',
  'schedule',
  'webhook',
  'file_arrival',
  'table_update',
  'replay',
  'external',
] as const
export type Trigger = (typeof TRIGGERS)[number]

/** A row of logging.batch_run. */
export type Batch = {
  id: string
  group_id: string
  group_name: string
  environment_id: string
  environment: string
  /** bigint as text */
  seq: string
  engine: 'local' | 'spark' | 'databricks'
  state: State
  /** What it waits for. */
  reason: string | null
  warned: boolean
  trigger: Trigger
  schedule_id: string | null
  due_at: Date | null
  attempt: number
  plan_hash: string
  metadata_version: string
  replay_of: string | null
  /** The applied replay by which it ran last. */
  replay_run_id: string | null
  requested_by: string
  idempotency_key: string | null
  handle: string | null
  cancel_requested_at: Date | null
  cancel_requested_by: string | null
  error_code: string | null
  error_message: string | null
  error_hint: string | null
  created_at: Date
  started_at: Date | null
  finished_at: Date | null
}

/** A row of logging.step_run. bigints are text. */
export type Step = {
  id: string
  batch_id: string
  group_id: string
  key: string
  zone: Zone
  name: string
  config_id: string
  depends_on: string[]
  state: State
  reason: string | null
  root_cause: string | null
  attempt: number
  max_attempts: number
  next_attempt_at: Date | null
  rows_read: string
  rows_written: string
  rows_quarantined: string
  rows_dropped: string
  rows_filtered: string
  rows_deduplicated: string
  rows_late: string
  rows_inserted: string
  rows_updated: string
  rows_deleted: string
  rows_closed: string
  files_rewritten: string
  bytes_read: string
  bytes_written: string
  duration_ms: string | null
  delta_version_before: string | null
  delta_version_after: string | null
  content_hash: string | null
  hash_approximate: boolean
  watermark_from: string | null
  watermark_to: string | null
  input_versions: Record<string, number> | null
  warnings: string[]
  progress: { done: number; total: number | null; unit: 'rows' | 'bytes' | 'files' } | null
  error_code: string | null
  error_message: string | null
  error_hint: string | null
  error_retry: boolean | null
  created_at: Date
  started_at: Date | null
  finished_at: Date | null
}
