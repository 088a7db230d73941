// Which writer a table gets in a workspace: a declarative pipeline wherever it keeps all promises, else LakeForge's own notebook.
// What a pipeline can't keep is said by name, at save and in the docs. Pure.
import type { GoldStep, PlanRule, SilverStep } from '#core/plan.ts'

export type Choice = {
  writer: 'pipeline' | 'lakeforge'
  /** Why not a pipeline; or, where one was asked for, what it will not keep. */
  reasons: string[]
}

/** `wanted`: what the config says; null leaves the choice to us. */
export function chooseWriter(
  step:
    | Pick<
        SilverStep,
        'zone' | 'load_type' | 'has_sequence' | 'dedupe' | 'inputs' | 'rules' | 'quarantine'
      >
    | Pick<GoldStep, 'zone' | 'materialisation' | 'rules' | 'quarantine'>,
  wanted: 'pipeline' | 'lakeforge' | null,
): Choice {
  if (wanted === 'lakeforge') return { writer: 'lakeforge', reasons: ['the config says so'] }
  const reasons = [
    ...(step.zone === 'silver' ? loadReasons(step) : []),
    ...step.rules.flatMap((rule) => ruleReasons(rule, step.quarantine)),
  ]
  const unique = [...new Set(reasons)]
  return {
    writer: wanted === 'pipeline' || unique.length === 0 ? 'pipeline' : 'lakeforge',
    reasons: unique,
  }
}

function loadReasons(
  step: Pick<SilverStep, 'load_type' | 'has_sequence' | 'dedupe' | 'inputs'>,
): string[] {
  const reasons: string[] = []
  if (step.load_type === 'snapshot') reasons.push('a snapshot is compared by a notebook')
  if ((step.load_type === 'merge' || step.load_type === 'cdc') && !step.has_sequence)
    reasons.push('AUTO CDC needs to know which row is newer')
  if (step.dedupe && (step.load_type === 'append' || step.load_type === 'replace'))
    reasons.push('an expectation can not tell the newest of equal keys')
  return reasons
}

function ruleReasons(rule: PlanRule, quarantine: boolean): string[] {
  const reasons: string[] = []
  if (rule.check === 'unique' || rule.check === 'referential')
    reasons.push(`an expectation sees one row: ${rule.check} needs others`)
  if (rule.threshold > 0) reasons.push('an expectation has no threshold')
  if (rule.on_fail === 'quarantine' && quarantine) reasons.push('an expectation has no quarantine')
  if (rule.on_fail === 'fail') reasons.push('an expectation fails after other flows have written')
  return reasons
}
