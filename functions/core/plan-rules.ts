// The rules of a plan: those of a table, and those of rule sets spelled out for each table that they are attached to. Pure.
import type { DqRule } from './dq-rule.ts'
import { fail } from './errors.ts'
import type { PlanRule } from './plan.ts'
import { fillParameters } from './rule-set.ts'
import type { RuleSet } from './rule-set.ts'

const ZONES = ['bronze', 'silver', 'gold'] as const
type Zone = (typeof ZONES)[number]
/** What a set is attached by. */
export type Attachable = { target: string; tags: string[] }

/** Approved rules by table, sorted by name. */
export function rulesByTable(metadata: {
  dq_rules: readonly DqRule[]
  rule_sets: readonly RuleSet[]
  bronze_configs: readonly Attachable[]
  silver_configs: readonly Attachable[]
  gold_configs: readonly Attachable[]
}): Map<string, PlanRule[]> {
  const rules = new Map<string, PlanRule[]>()
  const add = (table: string, rule: PlanRule) => {
    const list = rules.get(table)
    if (list) list.push(rule)
    else rules.set(table, [rule])
  }
  for (const rule of metadata.dq_rules)
    if (rule.status === 'approved')
      add(rule.target, { id: rule.id, ...meaning(rule), fingerprint: rule.fingerprint })
  for (const set of metadata.rule_sets) {
    if (set.status !== 'approved') continue
    for (const table of attachedTables(set, metadata))
      for (const rule of set.rules) add(table, spelledOut(set, rule, table))
  }
  for (const list of rules.values())
    list.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : a.id < b.id ? -1 : 1))
  return rules
}

/** The tables that a set is attached to, by tag or by name, each once. */
export function attachedTables(
  set: Pick<RuleSet, 'zones' | 'attach_tags' | 'attach_tables'>,
  configs: Record<`${Zone}_configs`, readonly Attachable[]>,
): Set<string> {
  const patterns = set.attach_tables.map(tablePattern)
  return new Set(
    ZONES.filter((zone) => set.zones.includes(zone)).flatMap((zone) =>
      configs[`${zone}_configs`]
        .filter(
          ({ target, tags }) =>
            set.attach_tags.some((tag) => tags.includes(tag)) ||
            patterns.some((pattern) => pattern.test(target)),
        )
        .map(({ target }) => target),
    ),
  )
}

/** A rule of a set as it is for one table, its parameters filled in. @throws plan_broken for a parameter that is not there */
export function spelledOut(
  set: Pick<RuleSet, 'name' | 'parameters'> & { id: string },
  rule: RuleSet['rules'][number],
  table: string,
): PlanRule {
  const filled = fillParameters(rule, set.parameters, (name) =>
    fail('plan_broken', { where: `rule set ${set.name}`, what: `parameter ${name}` }),
  ) as RuleSet['rules'][number]
  return {
    id: `${set.id}/${rule.name}`,
    ...meaning(filled),
    name: `${set.name}.${rule.name}`,
    fingerprint: `${set.id}/${rule.name}/${table}`,
  }
}

/** Other tables that rules look into. */
export function ruleTables(rules: readonly Pick<PlanRule, 'options'>[]): string[] {
  return rules.flatMap((rule) =>
    typeof rule.options.table === 'string' ? [rule.options.table] : [],
  )
}

function meaning(rule: Omit<PlanRule, 'id' | 'fingerprint'>) {
  const { name, check, options, columns, filter, on_fail, threshold, null_passes } = rule
  return { name, check, options, columns, filter, on_fail, threshold, null_passes }
}

function tablePattern(pattern: string): RegExp {
  return new RegExp(`^${pattern.replaceAll('.', '[.]').replaceAll('*', '[a-z0-9_]*')}$`)
}
