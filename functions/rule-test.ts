// A rule tried on real rows before it is saved: how many pass, fail or yield null, and some that fail. Of a silver table, on what
// its expressions make of the newest inputs, which is what its rules see; else on the table's newest version.
import * as v from 'valibot'
import { silverQuery } from '#core/build-plan.ts'
import { DqRuleCreate } from '#core/dq-rule.ts'
import type { DqRule } from '#core/dq-rule.ts'
import { fail } from '#core/errors.ts'
import { id } from '#core/fields.ts'
import { quoteDuckdb } from '#core/names.ts'
import type { PlanColumn, PlanRule } from '#core/plan.ts'
import type { SilverConfig } from '#core/silver-config.ts'
import type { RuleTest } from '#engine/engine.ts'
import { parse } from './request.ts'
import type { Ctx } from './request.ts'
import { checkRule } from './rule-check.ts'
import { tableColumns } from './sql-check.ts'
import { environmentName, hiddenColumns } from './tables.ts'

const QUERY_MS = 30_000
const SAMPLES = 20

/** A saved rule by its id, or a draft. */
export const RuleTestBody = v.pipe(
  v.strictObject({
    id: v.optional(id),
    rule: v.optional(v.record(v.string(), v.unknown())),
    environment: v.optional(v.pipe(v.string(), v.maxLength(100))),
  }),
  v.check(({ id, rule }) => (id === undefined) !== (rule === undefined), 'Give id or rule.'),
)

export type TriedRule = RuleTest & { target: string; environment: string; timeout_ms: number }

/** @throws not_found, validation_failed with the draft's fields, table_missing, rule_broken, query_timeout */
export async function tryRule(
  c: Ctx,
  body: v.InferOutput<typeof RuleTestBody>,
): Promise<TriedRule> {
  const { sql, deps } = c.var
  const rule = body.id === undefined ? draftOf(body.rule!) : await savedRule(c, body.id)
  await checkRule(sql, deps.dialect, rule)
  const engine = deps.engines.local ?? fail('engine_unavailable', { what: 'reading tables' })
  const environment = await environmentName(sql, body.environment)
  const seen = await rowsOf(c, rule.target)
  const reference = rule.check === 'referential' ? [String(rule.options.table)] : []
  const hidden = await hiddenColumns(c, rule.target)
  const tried = await engine.testRule({
    environment,
    rule: planned(rule),
    target: rule.target,
    columns: seen.columns,
    query: seen.query,
    tables: [...new Set([...seen.tables, ...reference])],
    masked: [...hidden].map((name) => name.toLowerCase()),
    limit: SAMPLES,
    timeout_ms: QUERY_MS,
  })
  return { target: rule.target, environment, timeout_ms: QUERY_MS, ...tried }
}

/** A draft needs no name yet. */
function draftOf(rule: Record<string, unknown>): DqRuleCreate {
  return parse(DqRuleCreate, { name: 'draft', ...rule }, 'rule')
}

async function savedRule(c: Ctx, id: string): Promise<DqRule> {
  const [rule] = await c.var.sql<DqRule[]>`select * from config.dq_rule where id = ${id}`
  return rule ?? fail('not_found', { kind: 'rule', name: id })
}

function planned(rule: DqRuleCreate): PlanRule {
  const { name, check, options, columns, filter, on_fail, threshold, null_passes } = rule
  const what = { name, check, options, columns, filter, on_fail, threshold, null_passes }
  return { id: 'test', fingerprint: 'test', ...what }
}

/** What the rules of a table see: its columns, and the query that makes them; null: the table itself. */
async function rowsOf(
  c: Ctx,
  target: string,
): Promise<{ columns: PlanColumn[]; query: string | null; tables: string[] }> {
  const { sql, deps } = c.var
  const [silver] = await sql<SilverConfig[]>`
    select * from config.silver_config where target = ${target}
  `
  if (!silver) {
    const columns = (await tableColumns(sql, [target])).get(target)!
    return { columns, query: null, tables: [target] }
  }
  const tables = [...new Set([...silver.from, ...silver.joins.map((join) => join.table)])]
  const known = await tableColumns(sql, tables)
  const dialect = await (deps.dialect ?? fail('sql_check_unavailable'))()
  const { duckdb } = await dialect.analyzeQuery(
    silverQuery(silver, known.get(silver.from[0]!) ?? []),
    [...known].map(([name, columns]) => ({ name, columns })),
  )
  const list = silver.columns.map(({ name }) => quoteDuckdb(name)).join(', ')
  const kept = silver.where === null ? '' : ` where ${quoteDuckdb('__keep')}`
  return {
    columns: silver.columns,
    query: `select ${list} from (${duckdb}\n)${kept}`,
    tables,
  }
}
