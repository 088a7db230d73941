// One batch on an engine, to its end.
import type { PlanStep } from '#core/plan.ts'
import type { Engine } from '#engine/engine.ts'
import type { Final } from './compare.ts'

/** Step key -> final report. `hour` of the batch's instant tells batches of one scenario apart. */
export async function runOn(
  engine: Engine,
  environment: string,
  steps: PlanStep[],
  seq: number,
): Promise<Record<string, Final>> {
  const handle = await engine.start({
    plan: {
      format: 1,
      group: { id: 'parity', name: 'parity', max_parallel: 2, on_failure: 'continue' },
      steps,
    },
    input: {
      format: 1,
      batch_id: `batch-${seq}`,
      plan_hash: `plan-${seq}`,
      group: 'parity',
      environment,
      seq: String(seq),
      batch_time: `2026-01-01T${String(seq).padStart(2, '0')}:00:00.000Z`,
      watermarks: {},
    },
    attempt: 1,
  })
  const reports: Record<string, Final> = {}
  for (;;)
    for (const report of await engine.poll(handle, 30_000)) {
      if (report.kind === 'step' && 'counts' in report) reports[report.step] = report
      if (report.kind === 'done') return reports
    }
}
