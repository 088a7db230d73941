// Rules with parameters, attached by tag or name.
import { RuleSetCreate, RuleSetPatch } from '#core/rule-set.ts'
import type { RuleSet } from '#core/rule-set.ts'
import { resource } from './resource.ts'
import { checkRuleSet } from './rule-check.ts'

export const ruleSets = resource<RuleSet, typeof RuleSetCreate, typeof RuleSetPatch>({
  table: 'rule_set',
  kind: 'rule set',
  create: RuleSetCreate,
  patch: RuleSetPatch,
  filters: ['status'],
  derive: async (c, row) => {
    await checkRuleSet(c.var.sql, c.var.deps.dialect, row)
    return {}
  },
})
