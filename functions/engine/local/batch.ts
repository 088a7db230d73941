// A batch inside the child: the DuckDB session, what its steps share, and which function runs a step.
import { join } from 'node:path'
import { PRELUDE } from '#dialect/index.ts'
import { fail } from '#core/errors.ts'
import type { Plan, PlanStep, RunInput } from '#core/plan.ts'
import type { EventReport } from '#engine/engine.ts'
import type { ChildSettings, Outcome } from './protocol.ts'
import { PROGRESS_MS } from './extractors/extractor.ts'
import { openSources, type Sources } from './sources.ts'
import { openSession, type StepSession } from './session.ts'
import { runBronze } from './steps/bronze.ts'
import { runGold } from './steps/gold.ts'
import { runRaw } from './steps/raw.ts'
import { runSilver } from './steps/silver.ts'

export type EventText = Omit<EventReport, 'kind' | 'at'>

/** What a step has at hand. */
export type StepContext = {
  root: string
  plan: Plan
  input: RunInput
  /** A connection of its own, in a catalog of its own. */
  session: StepSession
  /** Aborted when the step is cancelled or out of time. */
  signal: AbortSignal
  sources: Sources
  /** Bytes that the present statement reads as text, where rows can't be told beforehand; null: progress counts rows. */
  reads_bytes: number | null
  /** Folder for what a replay writes; null when the batch runs for good. */
  replay: string | null
  say(level: EventReport['level'], text: string, progress?: EventReport['progress']): void
}

export type Batch = {
  /** Runs one step to its end. @throws what the step fails with */
  run(key: string, signal: AbortSignal): Promise<Outcome>
  /** Folder of its spill files. */
  temp: string
}

/** Opens DuckDB for a batch. */
export async function openBatch(
  settings: ChildSettings,
  plan: Plan,
  input: RunInput,
  only: readonly string[] | null,
  replay: boolean,
  event: (event: EventText) => void,
): Promise<Batch> {
  const { root, home, memory_bytes, threads } = settings
  const session = await openSession({ root, memory_bytes, threads, prelude: PRELUDE })
  // Among the spill files: it goes with the process.
  const scratch = replay ? join(session.temp, 'replay') : null
  const raws = plan.steps.filter((step) => step.zone === 'raw')
  const sources = openSources(
    session,
    home,
    raws.filter((step) => only === null || only.includes(step.key)),
    event,
  )
  return {
    async run(key, signal) {
      const step = plan.steps.find((found) => found.key === key)
      if (step === undefined) return fail('not_found', { kind: 'step', name: key })
      const own = await session.open(input.batch_time)
      const interrupt = () => own.interrupt()
      signal.addEventListener('abort', interrupt)
      if (signal.aborted) interrupt()
      const context: StepContext = {
        root,
        plan,
        input,
        session: own,
        signal,
        sources,
        reads_bytes: null,
        replay: scratch,
        say: (level, text, progress) =>
          event({ step: key, level, text, ...(progress ? { progress } : {}) }),
      }
      const telling = setInterval(() => tellProgress(context), PROGRESS_MS)
      try {
        return await runStep(context, step)
      } finally {
        clearInterval(telling)
        signal.removeEventListener('abort', interrupt)
        await own.close()
      }
    },
    temp: session.temp,
  }
}

function tellProgress({ session, reads_bytes, say }: StepContext): void {
  const now = session.progress()
  if (now === null) return
  const { share, rows, total } = now
  say(
    'debug',
    `${Math.round(share * 100)} % of the present statement.`,
    reads_bytes === null
      ? { done: rows, total, unit: 'rows' }
      : { done: Math.round(share * reads_bytes), total: reads_bytes, unit: 'bytes' },
  )
}

/** Plug-ins of the user's are Python for Spark. */
function refusePlugins(step: PlanStep): void {
  const named =
    step.zone === 'raw'
      ? [step.extractor]
      : ['lakeforge.transform', 'lakeforge.writer'].map((property) => step.properties[property])
  for (const name of named)
    if (name !== undefined)
      fail('engine_unsupported', { engine: 'local', what: `plug-in "${name}"` })
}

function runStep(context: StepContext, step: PlanStep): Promise<Outcome> {
  refusePlugins(step)
  switch (step.zone) {
    case 'raw':
      return runRaw(context, step)
    case 'bronze':
      return runBronze(context, step)
    case 'silver':
      return runSilver(context, step)
    case 'gold':
      return runGold(context, step)
  }
}
