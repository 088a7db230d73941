// Gold: a query over tables as they stand, replacing the whole table.
import type { GoldStep } from '#core/plan.ts'
import type { StepContext } from '../batch.ts'
import { openInputs } from '../inputs.ts'
import type { Outcome } from '../protocol.ts'
import { openTarget, settled } from '../target.ts'
import { transform } from '../transform.ts'

/** @throws what the query, its rules or the commit fail with */
export async function runGold(context: StepContext, step: GoldStep): Promise<Outcome> {
  const target = await openTarget(context, step)
  const done = await settled(context, target)
  if (done !== null) return done
  const inputs = await openInputs(context, step, target, false)
  return await transform(context, step, target, inputs, {
    query: step.query,
    load_type: 'replace',
    keys: [],
    dedupe: false,
    has_where: false,
    has_delete: false,
    has_sequence: false,
    sequence_type: null,
    sequence_column: null,
  })
}
