// The steps of a plan in zones, as people read them. Pure.
import type { PlanStep, Zone } from '#core/plan.ts'

export type PlanLine = {
  key: string
  name: string
  what: string
  waits_for: string[]
  rules: number
}

const ORDER: readonly Zone[] = ['raw', 'bronze', 'silver', 'gold']

/** In the plan's order within each zone; zones without steps are left out. */
export function planLines(steps: readonly PlanStep[]): { zone: Zone; lines: PlanLine[] }[] {
  return ORDER.map((zone) => ({
    zone,
    lines: steps.filter((step) => step.zone === zone).map(lineOf),
  })).filter((each) => each.lines.length > 0)
}

function lineOf(step: PlanStep): PlanLine {
  const waits_for = step.depends_on.map((key) => key.slice(key.indexOf(':') + 1))
  if (step.zone === 'raw')
    return {
      key: step.key,
      name: `${step.source.name}.${step.name}`,
      what: `${step.read_mode} of ${step.object}`,
      waits_for,
      rules: 0,
    }
  const what =
    step.zone === 'bronze'
      ? step.write
      : step.zone === 'silver'
        ? `${step.load_type}${step.keys.length ? ` by ${step.keys.join(', ')}` : ''}`
        : step.materialisation
  return { key: step.key, name: step.target, what, waits_for, rules: step.rules.length }
}
