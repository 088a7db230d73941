// Which steps of a finished batch a retry runs again: what failed, one step and what follows on it, or all that is not done. Pure:
// the preview, the retry itself and the screen ask the same function.
import * as v from 'valibot'
import { isFinal } from './batch.ts'
import type { State } from './batch.ts'

/** `failed`: what failed and what was skipped because of it. `all`: everything that has not succeeded. */
export const RetryScope = v.strictObject({
  scope: v.optional(v.pipe(v.picklist(['failed', 'all', 'step']), v.title('What')), 'all'),
  /** Key of the step that a retry `step` begins at. */
  from: v.optional(v.nullable(v.pipe(v.string(), v.maxLength(500), v.title('From step'))), null),
})
export type RetryScope = v.InferOutput<typeof RetryScope>

export type RetryStep = {
  key: string
  state: State
  depends_on: readonly string[]
  /** Of a skipped step: key of the step that failed first. A group that stops at a failure skips steps that don't depend on it. */
  root_cause?: string | null
}

/**
 * Keys in the order of `steps`. What succeeded stays done. A step never runs before what it reads: the unfinished steps above a
 * chosen one come along. Empty where there is nothing to run, also for an unknown `from`.
 */
export function stepsToRetry(steps: readonly RetryStep[], { scope, from }: RetryScope): string[] {
  const open = new Map(
    steps
      .filter((step) => isFinal(step.state) && step.state !== 'succeeded')
      .map((step) => [step.key, step]),
  )
  if (scope === 'all') return [...open.keys()]
  const followers = new Map<string, string[]>()
  for (const step of open.values())
    for (const above of step.depends_on) {
      const list = followers.get(above)
      if (list) list.push(step.key)
      else followers.set(above, [step.key])
    }
  const begin =
    scope === 'step'
      ? steps.filter((step) => step.key === from).map((step) => step.key)
      : [...open.values()]
          .filter(
            (step) =>
              step.state === 'failed' || open.get(step.root_cause ?? '')?.state === 'failed',
          )
          .map((step) => step.key)
  const chosen = reach(begin, (key) => followers.get(key) ?? [])
  const whole = reach(
    [...chosen].filter((key) => open.has(key)),
    (key) => open.get(key)?.depends_on.filter((above) => open.has(above)) ?? [],
  )
  return [...open.keys()].filter((key) => whole.has(key))
}

function reach(begin: readonly string[], next: (key: string) => readonly string[]): Set<string> {
  const found = new Set(begin)
  for (const key of found) for (const other of next(key)) found.add(other)
  return found
}
