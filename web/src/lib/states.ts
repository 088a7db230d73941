// What a state is called and how it looks. The stored states are in core/batch.ts; queued, retrying and warned are derived for the screen.

import type { State } from '#core/batch.ts'

export type Shown =
  | 'queued'
  | 'waiting'
  | 'running'
  | 'retrying'
  | 'succeeded'
  | 'warned'
  | 'failed'
  | 'skipped'
  | 'cancelled'

export type Tone = 'ok' | 'run' | 'queue' | 'wait' | 'warn' | 'fail' | 'skip' | 'cancel'

export const TONES: Record<Shown, Tone> = {
  queued: 'queue',
  waiting: 'wait',
  running: 'run',
  retrying: 'run',
  succeeded: 'ok',
  warned: 'warn',
  failed: 'fail',
  skipped: 'skip',
  cancelled: 'cancel',
}

export const LABELS: Record<Shown, string> = {
  queued: 'Queued',
  waiting: 'Waiting',
  running: 'Running',
  retrying: 'Retrying',
  succeeded: 'Succeeded',
  warned: 'Warned',
  failed: 'Failed',
  skipped: 'Skipped',
  cancelled: 'Cancelled',
}

/** Whole class names, so that the style sheet's compiler finds them. */
export const TONE_TEXT: Record<Tone, string> = {
  ok: 'text-ok bg-ok-bg',
  run: 'text-run bg-run-bg',
  queue: 'text-queue bg-queue-bg',
  wait: 'text-wait bg-wait-bg',
  warn: 'text-warn bg-warn-bg',
  fail: 'text-fail bg-fail-bg',
  skip: 'text-skip bg-skip-bg',
  cancel: 'text-cancel bg-cancel-bg',
}

export const TONE_BAR: Record<Tone, string> = {
  ok: 'bg-ok',
  run: 'bg-run',
  queue: 'bg-queue',
  wait: 'bg-wait',
  warn: 'bg-warn',
  fail: 'bg-fail',
  skip: 'bg-skip',
  cancel: 'bg-cancel',
}

/** The state as the screen says it, of a batch or a step. */
export function shown(of: {
  state: State
  attempt?: number
  warned?: boolean
  warnings?: readonly string[]
}): Shown {
  if (of.state === 'pending') return 'queued'
  if (of.state === 'running' && (of.attempt ?? 1) > 1) return 'retrying'
  if (of.state === 'succeeded' && (of.warned || of.warnings?.length)) return 'warned'
  return of.state
}

/**
 * One state for many (a table's steps, a zone's tables). A failure shows at once, even while the rest still runs;
 * some done and some queued is running. Empty: queued.
 */
export function rollup(states: readonly Shown[]): Shown {
  const has = (state: Shown) => states.includes(state)
  if (has('failed')) return 'failed'
  if (has('running')) return 'running'
  if (has('retrying')) return 'retrying'
  if (has('waiting')) return 'waiting'
  if (has('queued')) return states.every((state) => state === 'queued') ? 'queued' : 'running'
  if (states.length === 0) return 'queued'
  if (has('cancelled')) return 'cancelled'
  if (has('warned')) return 'warned'
  return states.every((state) => state === 'skipped') ? 'skipped' : 'succeeded'
}
