// Checks on the rows of tables.
import { describeRoute } from 'hono-openapi'
import { DqRuleCreate, DqRulePatch } from '#core/dq-rule.ts'
import type { DqRule } from '#core/dq-rule.ts'
import { fail } from '#core/errors.ts'
import { need, ROLES, validate } from './request.ts'
import type { Ctx } from './request.ts'
import { resource } from './resource.ts'
import { RuleTestBody, tryRule } from './rule-test.ts'
import { checkRule } from './rule-check.ts'

export const dqRules = resource<DqRule, typeof DqRuleCreate, typeof DqRulePatch>({
  table: 'dq_rule',
  kind: 'rule',
  create: DqRuleCreate,
  patch: DqRulePatch,
  filters: ['target', 'check', 'status', 'on_fail', 'origin'],
  conditions: {
    column: (sql, value) =>
      sql`and exists (select from unnest(columns) as one where lower(one) = lower(${value}))`,
    group: (sql, value) => sql`
      and target in (
        select target from config.silver_config where group_id::text = ${value}
        union all
        select target from config.gold_config where group_id::text = ${value}
        union all
        select b.target from config.bronze_config b
        join config.raw_config r on r.id = b.raw_id where r.group_id::text = ${value}
      )`,
  },
  derive: async (c, row) => {
    await checkRule(c.var.sql, c.var.deps.dialect, row)
    await mayApprove(c, row.status)
    return {}
  },
}).post(
  '/test',
  describeRoute({
    tags: ['rules'],
    summary: 'Try a rule, saved or not, on real rows: how many fail, and 20 of them',
  }),
  validate('json', RuleTestBody),
  async (c) => {
    need(c, 'editor')
    return c.json(await tryRule(c, c.req.valid('json')))
  },
)

/** Where the default environment asks for approval, only an approver makes a rule that runs. */
async function mayApprove(c: Ctx, status: DqRule['status']): Promise<void> {
  if (status !== 'approved' || ROLES.indexOf(c.var.actor.role) >= ROLES.indexOf('approver')) return
  const [asks] = await c.var.sql`
    select from config.environment where is_default and rules_need_approval
  `
  if (asks)
    fail(
      'forbidden',
      { role: 'approver' },
      { hint: 'Save the rule as proposed; an approver decides.' },
    )
}
