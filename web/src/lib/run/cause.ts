// Why a batch failed, apart from what followed from it.
import type { Step } from '#lib/api.ts'

export type Cause = {
  step: Step
  /** Steps that did not run because of this one. */
  consequences: Step[]
}

/** The steps that failed by themselves, in the order of time. Empty where nothing failed. */
export function causesOf(steps: readonly Step[]): Cause[] {
  const causes = new Map<string, Cause>()
  for (const step of steps)
    if (step.state === 'failed') causes.set(step.key, { step, consequences: [] })
  for (const step of steps)
    if (step.state === 'skipped' && step.root_cause)
      causes.get(step.root_cause)?.consequences.push(step)
  return [...causes.values()].sort((a, b) => time(a.step) - time(b.step))
}

/** A step's name for people: its table, with the zone in front unless the table's name says it. */
export function stepName(step: Pick<Step, 'zone' | 'table'>): string {
  return step.table.startsWith(`${step.zone}.`) ? step.table : `${step.zone}: ${step.table}`
}

/** Why a step did not run or waits, in words; null where there is nothing to say. */
export function reasonOf(step: Step, byKey: ReadonlyMap<string, Step>): string | null {
  if (step.state !== 'skipped' || !step.root_cause) return step.reason
  const cause = byKey.get(step.root_cause)
  // The cause may be a later batch that already took this step's input.
  return cause ? `Upstream failed: ${stepName(cause)}` : `Taken over by batch ${step.root_cause}`
}

function time(step: Step): number {
  return step.finished_at ? Date.parse(step.finished_at) : Infinity
}
