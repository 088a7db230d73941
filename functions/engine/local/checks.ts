// Quality rules on the transformed rows of a table: one scan counts every rule, then rows are good, quarantined or dropped.
// Nothing is written here; the selects that come out are for the writers.
import { literalDuckdb, quoteDuckdb } from '#core/names.ts'
import { ERRORS_COLUMN, type PlanColumn, type PlanRule } from '#core/plan.ts'
import type { Counts, RuleResult } from '#engine/engine.ts'
import { duckdbError } from './duckdb-error.ts'
import { type RuleContext, ruleError, ruleSql, type RuleSql } from './rules-sql.ts'
import type { Sql } from './writers/parquet.ts'

export type RulesInput = {
  /** What stands after FROM: the output columns, and what else the writer needs. Must give the same rows each time. */
  relation: string
  columns: readonly PlanColumn[]
  rules: readonly PlanRule[]
  batch_id: string
  /** False: the table keeps no quarantine, and what would go there is dropped. */
  quarantine: boolean
  /** Append: the table's rows before this batch as a relation, where `unique` looks too. Else null. */
  target: string | null
  /** Another table's current version as a relation, for `referential`. @throws if there is none */
  table(name: string): string
  /** Columns whose values samples must not show. */
  pii: readonly string[]
}

export type Verdict = {
  /** One for each rule, in the plan's order. */
  results: RuleResult[]
  /** Rules with on_fail `fail` that failed: nothing of this batch may be committed. Else empty. */
  failed: RuleResult[]
  counts: Pick<Counts, 'rows_quarantined' | 'rows_dropped'>
  /** What stands after FROM: the rows that go on, with all columns of the relation. */
  good: string
  /** A select of the output columns and `_errors`; null when no row is quarantined. */
  bad: string | null
  /** Drops what `good` and `bad` read. */
  close(): Promise<void>
}

const SAMPLES = 20
const SAMPLE_COLUMNS = 40
const SAMPLE_CHARACTERS = 200

let made = 0

/**
 * Judges all rows. A row that fails several rules takes the hardest of their actions (fail, quarantine, drop, warn) and
 * counts once; a rule acts only if more than `threshold` of the rows that it looked at fail.
 * @throws rule_invalid, rule_broken naming the rule, and what the dialect refuses
 */
export async function evaluateRules(sql: Sql, input: RulesInput): Promise<Verdict> {
  const { relation, rules } = input
  const nothing = { results: [], failed: [], counts: {}, bad: null, close: async () => {} }
  if (rules.length === 0) return { ...nothing, good: relation }
  const context: RuleContext = { ...input }
  const prepared: Prepared[] = []
  const tables: string[] = []
  const close = async () => {
    for (const table of tables) await sql.run(`drop table if exists temp.${table}`)
  }
  try {
    for (const rule of rules) prepared.push(await prepare(sql, rule, context, tables))
    const from = judged(relation, prepared)
    const results = await count(sql, from, prepared)
    await addSamples(sql, from, prepared, input, results)
    const acting = prepared.filter((_, n) => results[n]!.applied)
    return {
      results,
      failed: results.filter((result) => result.applied && result.on_fail === 'fail'),
      ...(await split(sql, input, acting)),
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

/** A rule, ready to be asked of a row: `passes` may be NULL, `fails` is true or false, never NULL. `join` brings what `fails` needs. */
export type Prepared = { sql: RuleSql; passes: string; fails: string; join: string }

/** Compiles a rule, and makes the temporary table that it needs, whose name goes to `tables`. @throws rule_invalid, rule_broken */
export async function prepare(
  sql: Sql,
  rule: PlanRule,
  context: RuleContext,
  tables: string[],
): Promise<Prepared> {
  const compiled = await named(rule, () => ruleSql(rule, context))
  const { key_set, looked } = compiled
  let keyed = 'false'
  let join = ''
  if (key_set) {
    const table = `__rule_${++made}`
    tables.push(table)
    // Its columns' names must be no column's of the rows: expressions name those without saying whose they are.
    const names = key_set.keys.map((_, n) => `${table}_${n}`)
    await named(rule, () =>
      sql.run(`create temp table ${table} (${names.join(', ')}) as ${key_set.query}`),
    )
    // An empty key set spares every later pass the join.
    const { found } = await sql.row(`select count(*) > 0 as found from temp.${table}`)
    if (found === true) {
      const on = key_set.keys.map((key, n) => `${key} = ${names[n]}`).join(' and ')
      join = ` left join temp.${table} as ${table} on ${on}`
      keyed = `(${names[0]} is not null)`
    }
  }
  const passes = compiled.passes(keyed)
  const fails = `not coalesce(${passes}, ${rule.null_passes})`
  return {
    sql: compiled,
    passes,
    fails: looked === null ? `(${fails})` : `(case when ${looked} then ${fails} else false end)`,
    join,
  }
}

/** The rows with what the rules need joined to them; key sets hold each key once, so no row doubles. */
export function judged(relation: string, rules: readonly Prepared[]): string {
  return `${relation} as r${rules.map((rule) => rule.join).join('')}`
}

async function count(sql: Sql, from: string, prepared: readonly Prepared[]): Promise<RuleResult[]> {
  const terms = prepared.flatMap(({ sql: { looked }, fails }, n) => [
    looked === null ? `count(*) as c${n}` : `count(*) filter (${looked}) as c${n}`,
    `count(*) filter (${fails}) as f${n}`,
  ])
  let row: Record<string, unknown>
  try {
    row = await sql.row(`select ${terms.join(', ')} from ${from}`)
  } catch (error) {
    // One rule broke it; asked one by one, the rules tell which.
    for (const one of prepared)
      await named(one.sql.rule, () =>
        sql.row(`select count(*) filter (${one.fails}) as n from ${from}`),
      )
    throw error
  }
  return prepared.map(({ sql: { rule } }, n) => {
    const rows_checked = Number(row[`c${n}`])
    const rows_failed = Number(row[`f${n}`])
    return {
      rule_id: rule.id,
      name: rule.name,
      check: rule.check,
      on_fail: rule.on_fail,
      columns: rule.columns,
      rows_checked,
      rows_failed,
      applied: rows_failed > 0 && rows_failed / rows_checked > rule.threshold,
      fingerprint: rule.fingerprint,
      samples: [],
    }
  })
}

/** Some failing rows of each rule; a scan that ends at its 20th find. */
async function addSamples(
  sql: Sql,
  from: string,
  prepared: readonly Prepared[],
  { columns, pii }: RulesInput,
  results: RuleResult[],
): Promise<void> {
  const hidden = new Set(pii.map((name) => name.toLowerCase()))
  for (const [
    n,
    {
      sql: { rule },
      fails,
    },
  ] of prepared.entries()) {
    if (results[n]!.rows_failed === 0) continue
    const values = sampleList(columns, rule, hidden, '***')
    results[n]!.samples = (await sql.rows(
      `select ${values.join(', ')} from ${from} where ${fails} limit ${SAMPLES}`,
    )) as RuleResult['samples']
  }
}

/** What a sample shows of a failing row `r`: the rule's own columns first, values as text and cut, masked ones as `mask`. */
export function sampleList(
  columns: readonly PlanColumn[],
  rule: PlanRule,
  hidden: ReadonlySet<string>,
  mask: string,
): string[] {
  const own = columns.filter((column) => rule.columns.includes(column.name))
  const shown = [...own, ...columns.filter((column) => !own.includes(column))]
  return shown.slice(0, SAMPLE_COLUMNS).map(({ name }) => {
    const value = `r.${quoteDuckdb(name)}`
    return hidden.has(name.toLowerCase())
      ? `if(${value} is null, null, ${literalDuckdb(mask)}) as ${quoteDuckdb(name)}`
      : `cast(${value} as varchar)[:${SAMPLE_CHARACTERS}] as ${quoteDuckdb(name)}`
  })
}

async function split(
  sql: Sql,
  { relation, columns, batch_id, quarantine }: RulesInput,
  acting: readonly Prepared[],
): Promise<Pick<Verdict, 'counts' | 'good' | 'bad'>> {
  const removing = acting.filter(({ sql: { rule } }) => rule.on_fail !== 'warn')
  if (removing.length === 0) return { counts: {}, good: relation, bad: null }
  const any = (action: string) =>
    removing
      .filter(({ sql: { rule } }) => rule.on_fail === action)
      .map(({ fails }) => fails)
      .join(' or ') || 'false'
  const toQuarantine = quarantine ? `(${any('quarantine')})` : 'false'
  const toDrop = quarantine ? `(${any('drop')})` : `(${any('drop')} or ${any('quarantine')})`
  const from = judged(relation, removing)
  // Rows that fail a `fail` rule go nowhere: nothing is committed then.
  const counted = await sql.row(
    `select count(*) filter (${toQuarantine}) as quarantined,
      count(*) filter (${toDrop} and not ${toQuarantine}) as dropped from ${from}`,
  )
  const rows_quarantined = Number(counted.quarantined)
  const list = columns.map(({ name }) => `r.${quoteDuckdb(name)}`).join(', ')
  return {
    counts: { rows_quarantined, rows_dropped: Number(counted.dropped) },
    good: `(select r.* from ${from} where not (${toQuarantine} or ${toDrop}))`,
    bad:
      rows_quarantined === 0
        ? null
        : `select ${list}, ${errorsSql(acting, batch_id)} as ${quoteDuckdb(ERRORS_COLUMN.name)}
            from ${judged(relation, acting)} where ${toQuarantine}`,
  }
}

/** The list of what a row failed, in the plan's order. */
function errorsSql(acting: readonly Prepared[], batch_id: string): string {
  const errors = acting.map(({ sql: { rule, message }, fails }) => {
    const columns = rule.columns.map(literalDuckdb).join(', ')
    return `case when ${fails} then {'rule': ${literalDuckdb(rule.name)}, 'message': ${literalDuckdb(message)},
      'columns': [${columns}]::varchar[], 'action': ${literalDuckdb(rule.on_fail)},
      'batch_id': ${literalDuckdb(batch_id)}, 'fingerprint': ${literalDuckdb(rule.fingerprint)}} end`
  })
  return `list_filter([${errors.join(', ')}], lambda e: e is not null)`
}

/** An error of `action` with the rule's name. */
export async function named<T>(rule: PlanRule, action: () => Promise<T>): Promise<T> {
  try {
    return await action()
  } catch (error) {
    const ours = duckdbError(error)
    // What isn't the rule's fault (memory, disk, interruption) keeps its own name.
    throw ['value_invalid', 'sql_failed'].includes(ours.code) ? ruleError(rule, ours) : ours
  }
}
