// What the parent and its DuckDB child say to each other over IPC. Plain values; each is one message.
import type { Plan, RunInput } from '#core/plan.ts'
import type { EventReport, StepError, StepReport } from '#engine/engine.ts'

type FinalReport = Extract<StepReport, { counts: unknown }>

/** How an attempt ended, as the child knows it: the parent adds step, attempt and time. */
export type Outcome = Omit<FinalReport, 'kind' | 'step' | 'attempt' | 'at'>

export type ChildSettings = {
  /** The lake's folder, absolute. */
  root: string
  memory_bytes: number
  threads: number
}

export type ToChild =
  | { kind: 'open_batch'; settings: ChildSettings; plan: Plan; input: RunInput }
  | { kind: 'run'; step: string }
  | { kind: 'stop'; step: string; reason: StopReason }

export type StopReason = 'cancelled' | 'timeout'

export type FromChild =
  | { kind: 'opened' }
  /** The child can't work at all; it ends after this. */
  | { kind: 'broken'; error: StepError }
  | { kind: 'event'; event: Omit<EventReport, 'kind' | 'at'> }
  | { kind: 'outcome'; step: string; outcome: Outcome }

/** An outcome with nothing in it yet. */
export function emptyOutcome(state: Outcome['state']): Outcome {
  return {
    state,
    counts: {},
    input_versions: {},
    delta_version_before: null,
    delta_version_after: null,
    content_hash: null,
    hash_approximate: false,
    watermark_from: null,
    watermark_to: null,
    rules: [],
    files: [],
    schema_changes: [],
    profiles: [],
    warnings: [],
    error: null,
    root_cause: null,
  }
}
