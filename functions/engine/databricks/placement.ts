// Which pipeline and job a table lives in. Assigned once: a table that moved would lose its streaming state. Pure.
import type { Plan, PlanStep } from '#core/plan.ts'

export type Placement = { target: string; job_key: string; pipeline_key: string | null }

/** A pipeline takes 1000 tables; this leaves room for the tables that AUTO CDC keeps beside its own. */
export const TABLES_OF_A_PIPELINE = 400

/**
 * The placement of every silver and gold table of a plan: those of `known` as they are, new ones behind them. Steps alternate
 * between notebooks and pipelines in layers: a table is put with those of its layer, so that no two pipelines wait for each other.
 */
export function placeTables(
  plan: Plan,
  writerOf: (target: string) => 'pipeline' | 'lakeforge',
  known: readonly Placement[],
): Placement[] {
  const job_key = plan.group.name
  const placed = new Map(known.map((each) => [each.target, each]))
  const used = new Map<string, number>()
  for (const { pipeline_key } of known)
    if (pipeline_key !== null) used.set(pipeline_key, (used.get(pipeline_key) ?? 0) + 1)
  const layers = layersOf(plan, writerOf)
  const result: Placement[] = []
  for (const step of plan.steps) {
    if (step.zone !== 'silver' && step.zone !== 'gold') continue
    const before = placed.get(step.target)
    const writer = writerOf(step.target)
    // A table whose writer has changed moves for good reason, and the sync says so
    if (before && (before.pipeline_key !== null) === (writer === 'pipeline')) {
      result.push(before)
      continue
    }
    let pipeline_key: string | null = null
    if (writer === 'pipeline') {
      const base = layers.get(step.key) === 0 ? job_key : `${job_key}_after${layers.get(step.key)}`
      pipeline_key = base
      for (let n = 2; (used.get(pipeline_key) ?? 0) >= TABLES_OF_A_PIPELINE; n++)
        pipeline_key = `${base}_${n}`
      used.set(pipeline_key, (used.get(pipeline_key) ?? 0) + 1)
    }
    result.push({ target: step.target, job_key, pipeline_key })
  }
  return result
}

/** Per step how often the way to it has changed from a pipeline back to a notebook. */
function layersOf(
  plan: Plan,
  writerOf: (target: string) => 'pipeline' | 'lakeforge',
): Map<string, number> {
  const pipeline = (step: PlanStep) =>
    (step.zone === 'silver' || step.zone === 'gold') && writerOf(step.target) === 'pipeline'
  const steps = new Map(plan.steps.map((step) => [step.key, step]))
  const layers = new Map<string, number>()
  for (const step of plan.steps) {
    let layer = 0
    for (const key of step.depends_on) {
      const before = steps.get(key)
      if (before)
        layer = Math.max(layer, layers.get(key)! + (pipeline(before) && !pipeline(step) ? 1 : 0))
    }
    layers.set(step.key, layer)
  }
  return layers
}
