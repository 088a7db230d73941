// Silver: expressions, rules, dedupe, write. Incremental load types take the new rows of their first table.
import type { SilverStep } from '#core/plan.ts'
import type { StepContext } from '../batch.ts'
import { openInputs } from '../inputs.ts'
import type { Outcome } from '../protocol.ts'
import { openTarget, settled } from '../target.ts'
import { transform } from '../transform.ts'

/** Load types that read all of their first table each time. */
const WHOLE = new Set(['replace', 'snapshot'])

/** @throws what the query, its rules or the commit fail with */
export async function runSilver(context: StepContext, step: SilverStep): Promise<Outcome> {
  const target = await openTarget(context, step)
  const done = await settled(context, target)
  if (done !== null) return done
  const inputs = await openInputs(context, step, target, !WHOLE.has(step.load_type))
  return await transform(context, step, target, inputs, step)
}
