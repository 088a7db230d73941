// Which step runs when: order, parallelism, retries, what a failure takes with it. Pure but for its own state; time is an argument.
import type { Plan, PlanStep } from '#core/plan.ts'
import type { StepError } from '#engine/engine.ts'

type State = 'pending' | 'running' | 'retrying' | 'succeeded' | 'failed' | 'skipped' | 'cancelled'

type Entry = {
  step: PlanStep
  state: State
  attempt: number
  /** Attempts that failed through no fault of another step. */
  failures: number
  /** It may have brought down others: it runs by itself, so that the next fall tells. */
  alone: boolean
  ready_at: number
  cause: string
}

/** What a decision brings about: steps that end without having run. */
export type Decided = { step: string; state: 'skipped' | 'cancelled'; root_cause: string | null }

/** How an attempt ended. `skipped`: a later batch has consumed its input; steps below it run and find out for themselves. */
export type Ended = {
  state: 'succeeded' | 'failed' | 'skipped' | 'cancelled'
  error: StepError | null
  /**
   * The attempt is not counted against the step. `displaced`: another step's stop took it along. `crowd`: the process fell
   * while several ran, and nobody knows through which.
   */
  blameless?: 'displaced' | 'crowd'
}

export type Schedule = {
  /** Steps to start now, marked as running, with their attempt from 1. */
  next(now: number): { step: string; attempt: number }[]
  /** When, after the `now` that `next` was asked with, it is worth asking again; null when only an end can bring news. */
  wakeAt(now: number): number | null
  /** Notes an attempt's end. `retry`: it will run again; else the steps that this end decides. */
  ended(step: string, ended: Ended, now: number): { retry: boolean; decided: Decided[] }
  /** Nothing starts any more; answers what ends at once. Running steps end by themselves. */
  cancel(): Decided[]
  running(): string[]
  /** Null while something runs or waits. */
  result(): 'succeeded' | 'failed' | 'cancelled' | null
}

/**
 * `only`: keys of the steps to run; the others count as done. At most `max_parallel` steps run at once, and never two that
 * write one target. A retry waits `retry_base_ms`, doubled each time, at most a minute.
 */
export function createSchedule(
  plan: Plan,
  only: readonly string[] | undefined,
  retry_base_ms: number,
): Schedule {
  const entries = new Map<string, Entry>()
  for (const step of plan.steps)
    if (only === undefined || only.includes(step.key))
      entries.set(step.key, {
        step,
        state: 'pending',
        attempt: 0,
        failures: 0,
        alone: false,
        ready_at: 0,
        cause: '',
      })
  let cancelled = false

  const inState = (...states: State[]) =>
    [...entries.values()].filter((entry) => states.includes(entry.state))
  const satisfied = (key: string) => {
    const entry = entries.get(key)
    return entry === undefined || entry.state === 'succeeded' || entry.cause === CONSUMED
  }
  const decide = (entry: Entry, state: Decided['state'], root_cause: string | null): Decided => {
    entry.state = state
    entry.cause = root_cause ?? ''
    return { step: entry.step.key, state, root_cause }
  }

  return {
    next(now) {
      const busy = new Set(inState('running').map((entry) => target(entry.step)))
      let free = Math.max(1, plan.group.max_parallel) - inState('running').length
      const started: { step: string; attempt: number }[] = []
      const waiting = inState('pending', 'retrying')
      const suspect = waiting.find((entry) => entry.alone && entry.ready_at <= now)
      // Nothing starts beside a suspect, and a suspect only when all else has ended.
      if (inState('running').some((entry) => entry.alone)) return started
      if (suspect !== undefined && busy.size > 0) return started
      for (const entry of suspect === undefined ? waiting : [suspect]) {
        if (free <= 0) break
        if (entry.ready_at > now || busy.has(target(entry.step))) continue
        if (!entry.step.depends_on.every(satisfied)) continue
        entry.state = 'running'
        entry.attempt++
        busy.add(target(entry.step))
        free--
        started.push({ step: entry.step.key, attempt: entry.attempt })
      }
      return started
    },

    wakeAt(now) {
      // What is ready already waits for another step's end, not for a time
      const times = inState('retrying')
        .map((entry) => entry.ready_at)
        .filter((at) => at > now)
      return times.length === 0 ? null : Math.min(...times)
    },

    ended(key, ended, now) {
      const entry = entries.get(key)!
      if (ended.state === 'failed' && ended.error?.retry && !cancelled) {
        if (ended.blameless !== undefined) {
          entry.state = 'retrying'
          entry.ready_at = now
          entry.alone ||= ended.blameless === 'crowd'
          return { retry: true, decided: [] }
        }
        if (++entry.failures <= entry.step.retries) {
          entry.state = 'retrying'
          entry.ready_at =
            now + Math.min(MAX_BACK_OFF_MS, retry_base_ms * 2 ** (entry.failures - 1))
          return { retry: true, decided: [] }
        }
      }
      entry.state = ended.state
      if (ended.state === 'skipped') entry.cause = CONSUMED
      if (ended.state !== 'failed') return { retry: false, decided: [] }
      const stop = plan.group.on_failure === 'stop'
      const lost = new Set([key])
      const decided: Decided[] = []
      // Steps stand after those that they depend on, so one pass finds all that are below.
      for (const below of entries.values()) {
        if (below.state !== 'pending') continue
        if (!stop && !below.step.depends_on.some((dependency) => lost.has(dependency))) continue
        lost.add(below.step.key)
        decided.push(decide(below, 'skipped', key))
      }
      return { retry: false, decided }
    },

    cancel() {
      cancelled = true
      return inState('pending', 'retrying').map((entry) => decide(entry, 'cancelled', null))
    },

    running: () => inState('running').map((entry) => entry.step.key),

    result() {
      if (inState('pending', 'running', 'retrying').length > 0) return null
      if (inState('failed').length > 0) return 'failed'
      return inState('cancelled').length > 0 ? 'cancelled' : 'succeeded'
    },
  }
}

const MAX_BACK_OFF_MS = 60_000
/** In `cause`: the step's input went into a later batch, which is no reason to hold back the steps below. */
const CONSUMED = '\0consumed'

function target(step: PlanStep): string {
  return step.zone === 'raw' ? step.key : step.target
}
