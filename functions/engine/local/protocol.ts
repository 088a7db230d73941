// What the parent and its DuckDB child say to each other over IPC. Plain values; each is one message.
import type { ErrorCode } from '#core/errors.ts'
import type { Plan, RunInput } from '#core/plan.ts'
import type {
  EventReport,
  QueryRequest,
  QueryResult,
  RuleTest,
  RuleTestRequest,
  StepError,
  StepReport,
} from '#engine/engine.ts'

type FinalReport = Extract<StepReport, { counts: unknown }>

/** How an attempt ended, as the child knows it: the parent adds step, attempt and time. */
export type Outcome = Omit<FinalReport, 'kind' | 'step' | 'attempt' | 'at'>

export type ChildSettings = {
  /** The lake's folder, absolute. */
  root: string
  /** LAKEFORGE_HOME, where secrets may lie; null: only the environment has them. */
  home: string | null
  memory_bytes: number
  threads: number
}

export type ToChild =
  | {
      kind: 'open_batch'
      settings: ChildSettings
      plan: Plan
      input: RunInput
      /** Steps that will run; null: all. */
      only: string[] | null
      replay: boolean
    }
  | { kind: 'run'; step: string }
  /** Asks a step to stop: it fails soon, unless it has begun to commit. The parent knows why it asked. */
  | { kind: 'stop'; step: string }
  | { kind: 'open_queries'; settings: ChildSettings }
  | { kind: 'query'; id: number; request: QueryRequest }
  | { kind: 'test_rule'; id: number; request: RuleTestRequest }
  | { kind: 'stop_query'; id: number }

/** An error of ours on its way between processes. */
export type Failure = { code: ErrorCode; detail: Record<string, unknown>; hint: string }

export type FromChild =
  | { kind: 'opened' }
  /** The child can't work at all; it ends after this. */
  | { kind: 'broken'; error: StepError }
  | { kind: 'event'; event: Omit<EventReport, 'kind' | 'at'> }
  | { kind: 'outcome'; step: string; outcome: Outcome }
  | { kind: 'started'; id: number }
  | { kind: 'answer'; id: number; result: QueryResult | RuleTest }
  | { kind: 'answer'; id: number; failure: Failure }

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
