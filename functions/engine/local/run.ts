// One batch on the parent's side: a child, the schedule, and the reports that both lead to.
import { describeError, fail, LakeForgeError } from '#core/errors.ts'
import type { Plan, PlanStep } from '#core/plan.ts'
import type { Report, Run, StepError } from '#engine/engine.ts'
import type { MemoryPool, Share } from './memory.ts'
import { type Child, startChild } from './process.ts'
import { emptyOutcome, type FromChild, type Outcome } from './protocol.ts'
import { createSchedule, type Decided, type Ended } from './schedule.ts'

/** Columns from which on a batch runs in one thread with all memory there is: DuckDB holds 2 048 values of each, several times a thread. */
const WIDE = 1000

export type RunSettings = {
  root: string
  home: string | null
  threads: number
  memory: MemoryPool
  /** First wait before a step is tried again; doubled each time. */
  retry_base_ms: number
  /** How long a step may take to stop when asked; then its process is killed. */
  grace_ms: number
  /** What computes: absent, a child process with DuckDB. `ended` is called once, in words. */
  start?: (heard: (message: FromChild) => void, ended: (reason: string) => void) => Child
}

export type LocalRun = {
  /** Reports since the last call; waits up to `wait_ms` for the first. */
  poll(wait_ms: number): Promise<Report[]>
  cancel(): void
  /** Kills the child at once; resolves when it is dead. */
  abandon(): Promise<void>
  /** Everything was reported and fetched. */
  drained(): boolean
}

/** Starts a batch's steps in their order. Never throws: what fails is in the reports. */
export function startRun(run: Run, settings: RunSettings): LocalRun {
  const steps = new Map<string, PlanStep>(run.plan.steps.map((step) => [step.key, step]))
  const schedule = createSchedule(
    run.replay ? separately(run.plan) : run.plan,
    run.only,
    settings.retry_base_ms,
  )
  const wide = run.plan.steps.some((step) => step.columns.length > WIDE)
  const attempts = new Map<string, number>()
  /** Steps that were asked to stop, and how they end if they must be killed. */
  const stopping = new Map<string, Outcome>()
  const timers = new Map<string, NodeJS.Timeout>()
  const queue: Report[] = []
  let wake: () => void = () => undefined
  let child: Child | null = null
  /** Of each child that was started, until it is dead. */
  const living = new Set<Promise<void>>()
  let share: Share | null = null
  let wakeTimer: NodeJS.Timeout | undefined
  let killTimer: NodeJS.Timeout | undefined
  let cancelled = false
  let over = false

  const now = () => new Date().toISOString()
  const report = (...reports: Report[]) => {
    queue.push(...reports)
    wake()
  }

  const reportDecided = (decided: Decided[]) => {
    for (const { step, state, root_cause } of decided)
      report({
        kind: 'step',
        step,
        attempt: attempts.get(step) ?? 0,
        at: now(),
        ...emptyOutcome(state),
        root_cause,
      })
  }

  const ended = (step: string, outcome: Outcome, blameless?: Ended['blameless']) => {
    const attempt = attempts.get(step)!
    clearTimeout(timers.get(step))
    timers.delete(step)
    stopping.delete(step)
    const { retry, decided } = schedule.ended(
      step,
      { state: outcome.state, error: outcome.error, ...(blameless ? { blameless } : {}) },
      Date.now(),
    )
    if (retry) {
      const error = outcome.error!
      const text = `Attempt ${attempt} failed: ${error.message} It will be tried again.`
      report({ kind: 'event', step, level: 'warn', text, at: now() })
    } else {
      report({ kind: 'step', step, attempt, at: now(), ...outcome })
    }
    reportDecided(decided)
  }

  const stop = (step: string, outcome: Outcome) => {
    if (stopping.has(step)) return
    stopping.set(step, outcome)
    child?.send({ kind: 'stop', step })
    killTimer ??= setTimeout(() => child?.kill(), settings.grace_ms)
  }

  const heard = (message: FromChild) => {
    if (message.kind === 'event') report({ kind: 'event', at: now(), ...message.event })
    else if (message.kind === 'outcome' && schedule.running().includes(message.step)) {
      // What fails after it was asked to stop has stopped; what succeeded had begun to commit.
      const told = message.outcome.state === 'failed' ? stopping.get(message.step) : undefined
      const displaced = message.outcome.error?.code === 'step_displaced'
      ended(message.step, told ?? message.outcome, displaced ? 'displaced' : undefined)
      if (stopping.size === 0) {
        clearTimeout(killTimer)
        killTimer = undefined
      }
    } else if (message.kind === 'broken') lost(message.error)
    advance()
  }

  /** The child is gone: what ran in it ends, what was told to stop as it was told. */
  const lost = (error: StepError) => {
    child = null
    clearTimeout(killTimer)
    killTimer = undefined
    const running = schedule.running()
    const stopped = new Map(stopping)
    // Killed for a step that didn't stop: that one is to blame. Else it may have been any of those that ran.
    const others = stopped.size > 0 ? 'displaced' : running.length > 1 ? 'crowd' : undefined
    for (const step of running) {
      const told = stopped.get(step)
      if (told !== undefined) ended(step, told)
      else ended(step, { ...emptyOutcome('failed'), error }, others)
    }
  }

  const spawn = (bytes: number): Child => {
    const { root, home } = settings
    const threads = wide ? 1 : settings.threads
    let gone = () => {}
    const life = new Promise<void>((resolve) => (gone = resolve)).then(
      () => void living.delete(life),
    )
    living.add(life)
    const made = (settings.start ?? startChild)(
      (message) => void (child === made && heard(message)),
      (reason) => {
        gone()
        if (child !== made) return
        lost(asStepError(new LakeForgeError('engine_killed', { reason })))
        advance()
      },
    )
    made.send({
      kind: 'open_batch',
      settings: { root, home, threads, memory_bytes: bytes },
      plan: run.plan,
      input: run.input,
      only: run.only ?? null,
      replay: run.replay ?? false,
    })
    return made
  }

  const advance = () => {
    if (over || share === null) return
    clearTimeout(wakeTimer)
    const time = Date.now()
    for (const { step, attempt } of schedule.next(time)) {
      child ??= spawn(share.bytes)
      attempts.set(step, attempt)
      report({ kind: 'step', step, state: 'running', attempt, at: now() })
      const { timeout_s } = steps.get(step)!
      if (timeout_s !== null) {
        const error = asStepError(new LakeForgeError('step_timeout', { timeout_s }))
        const expire = () => stop(step, { ...emptyOutcome('failed'), error })
        timers.set(step, setTimeout(expire, Math.min(timeout_s * 1000, 2 ** 31 - 1)))
      }
      child.send({ kind: 'run', step })
    }
    const wakeAt = schedule.wakeAt(time)
    if (wakeAt !== null) wakeTimer = setTimeout(advance, Math.max(0, wakeAt - Date.now()))
    const result = schedule.result()
    if (result === null) return
    over = true
    clearTimeout(wakeTimer)
    child?.close()
    child = null
    share.release()
    report({ kind: 'done', state: cancelled && result !== 'failed' ? 'cancelled' : result })
  }

  void settings.memory.take(wide).then((taken) => {
    if (over) return taken.release()
    share = taken
    advance()
  })

  return {
    async poll(wait_ms) {
      if (queue.length === 0 && wait_ms > 0) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, wait_ms)
          wake = () => {
            clearTimeout(timer)
            resolve()
          }
        })
        wake = () => undefined
      }
      return queue.splice(0)
    },
    cancel() {
      if (over || cancelled) return
      cancelled = true
      reportDecided(schedule.cancel())
      for (const step of schedule.running()) stop(step, emptyOutcome('cancelled'))
      advance()
    },
    async abandon() {
      over = true
      clearTimeout(wakeTimer)
      clearTimeout(killTimer)
      for (const timer of timers.values()) clearTimeout(timer)
      child?.kill()
      child = null
      await Promise.all(living)
      share?.release()
      share = null
    },
    drained: () => over && queue.length === 0,
  }
}

function asStepError(error: LakeForgeError): StepError {
  return { ...describeError(error), retry: error.retry }
}

/** A replay compares every step with what it came to: none waits for another, none is tried twice. */
function separately(plan: Plan): Plan {
  const steps = plan.steps.map((step) => ({ ...step, depends_on: [], retries: 0 }))
  return { ...plan, group: { ...plan.group, on_failure: 'continue' }, steps }
}

/** The handle of a run is its batch and a name of its own: a batch that is started again gets another. */
export function parseHandle(handle: string): { batch_id: string; run_id: string } {
  try {
    const { batch_id, run_id } = JSON.parse(handle) as Record<string, unknown>
    if (typeof batch_id === 'string' && typeof run_id === 'string') return { batch_id, run_id }
  } catch {
    // Not ours: said below.
  }
  return fail('run_lost')
}
