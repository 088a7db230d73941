// Rules against the columns that they look at: when a rule or a rule set is saved, and when a table changes that they are for.
import type { DqRule, DqRuleCreate } from '#core/dq-rule.ts'
import { fail, LakeForgeError } from '#core/errors.ts'
import type { FieldError } from '#core/errors.ts'
import { attachedTables, spelledOut } from '#core/plan-rules.ts'
import type { Attachable } from '#core/plan-rules.ts'
import type { PlanColumn } from '#core/plan.ts'
import type { RuleSet, RuleSetCreate } from '#core/rule-set.ts'
import { parseType } from '#core/types.ts'
import type { Db, Tx } from '#sql/db.ts'
import { openDialect, sqlFault, tableColumns } from './sql-check.ts'
import type { ColumnsOf, DialectDoor } from './sql-check.ts'

type RuleText = Pick<DqRuleCreate, 'check' | 'columns' | 'options' | 'filter'> & { target: string }

/** Of a set that fits none of its tables, faults beyond these are left out. */
const MOST_FAULTS = 50
/** Added by the load, after the rules have looked. */
const AFTER_RULES = new Set(['__START_AT', '__END_AT'])

/** `ruleAgainst` with the columns that are stored. */
export function checkRule(db: Db, door: DialectDoor, rule: RuleText): Promise<void> {
  return ruleAgainst((tables) => tableColumns(db, tables), door, rule)
}

/** A rule against the columns of its table. @throws validation_failed, or the dialect's errors with the field under `errors` */
export async function ruleAgainst(
  columnsOf: ColumnsOf,
  door: DialectDoor,
  rule: RuleText,
): Promise<void> {
  const there = rule.check === 'referential' ? String(rule.options.table) : null
  const known = await columnsOf([rule.target, ...(there === null ? [] : [there])])
  const columns = known.get(rule.target)?.filter(({ name }) => !AFTER_RULES.has(name))
  const faults = [...columnFaults(rule, columns, there === null ? null : known.get(there))]
  if (faults.length > 0) fail('validation_failed', {}, { errors: faults })
  await checkSql(door, rule, columns!)
}

function* columnFaults(
  rule: RuleText,
  columns: PlanColumn[] | undefined,
  /** Of the table that a reference looks into; null: it is none. */
  there: PlanColumn[] | undefined | null,
): Generator<FieldError> {
  if (columns === undefined) {
    yield { path: 'target', message: `Nothing writes the table ${rule.target}.` }
    return
  }
  for (const [index, name] of rule.columns.entries())
    if (!columnOf(columns, name))
      yield { path: `columns.${index}`, message: `${rule.target} has no column ${name}.` }
  if (there === undefined)
    yield { path: 'options.table', message: `Nothing writes the table ${rule.options.table}.` }
  for (const [index, name] of (there ? (rule.options.columns as string[]) : []).entries())
    if (!columnOf(there!, name))
      yield {
        path: `options.columns.${index}`,
        message: `${rule.options.table} has no column ${name}.`,
      }
  const first = columnOf(columns, rule.columns[0] ?? '')
  if (!first) return
  if (rule.check === 'regex' && first.type !== 'string')
    yield { path: 'columns.0', message: `A pattern looks at text, not ${first.type}.` }
  if (NUMERIC.has(parseType(first.type).kind))
    for (const [path, value] of boundsOf(rule))
      if (typeof value === 'boolean' || Number.isNaN(Number(value)) || value === '')
        yield { path, message: `The column is ${first.type}: give a number.` }
}

const NUMERIC = new Set([
  'tinyint',
  'smallint',
  'int',
  'bigint',
  'decimal',
  'float',
  'double',
] as string[])

/** What a range or a list compares the column with. */
function boundsOf({ check, options }: RuleText): [path: string, value: unknown][] {
  if (check === 'range')
    return (['min', 'max'] as const)
      .filter((name) => options[name] !== null && options[name] !== undefined)
      .map((name) => [`options.${name}`, options[name]])
  if (check === 'accepted_values')
    return (options.values as unknown[]).map((value, index) => [`options.values.${index}`, value])
  return []
}

function columnOf(list: readonly PlanColumn[], name: string): PlanColumn | undefined {
  return list.find((each) => each.name.toLowerCase() === name.toLowerCase())
}

async function checkSql(door: DialectDoor, rule: RuleText, columns: PlanColumn[]): Promise<void> {
  const pieces: [path: string, sql: string][] = []
  if (rule.filter !== null) pieces.push(['filter', rule.filter])
  if (rule.check === 'expression')
    pieces.push(['options.expression', String(rule.options.expression)])
  if (rule.check === 'regex') {
    // The dialect knows which patterns Java and RE2 read alike
    const pattern = String(rule.options.pattern).replaceAll('\\', '\\\\').replaceAll("'", "\\'")
    pieces.push(['options.pattern', `\`${rule.columns[0]}\` rlike '${pattern}'`])
  }
  if (pieces.length === 0) return
  const { analyzeExpression } = await openDialect(door)
  for (const [path, sql] of pieces)
    await analyzeExpression(sql, columns, { boolean: true }).catch((error: unknown) => {
      if (!(error instanceof LakeForgeError)) throw error
      const errors = [sqlFault(path, error)]
      return fail(error.code, error.detail, { cause: error, hint: error.hint, errors })
    })
}

/**
 * The rules of an approved set against each of `tables`, their parameters filled in.
 * @throws validation_failed with what doesn't fit, each with its table; without SQL to check nothing of the dialect is needed
 */
export async function setAgainst(
  columnsOf: ColumnsOf,
  door: DialectDoor,
  set: RuleSetCreate,
  tables: Iterable<string>,
): Promise<void> {
  if (set.status !== 'approved') {
    if (set.rules.some((rule) => rule.filter !== null || rule.check === 'expression'))
      await openDialect(door)
    return
  }
  const known = await columnsOf([
    ...new Set([...tables, ...set.rules.map((rule) => String(rule.options.table))]),
  ])
  const errors: FieldError[] = []
  for (const target of tables)
    for (const [index, rule] of set.rules.entries()) {
      if (errors.length >= MOST_FAULTS) break
      const { check, columns, options, filter } = spelledOut({ ...set, id: '' }, rule, target)
      const text = { target, check: check as DqRuleCreate['check'], columns, options, filter }
      try {
        await ruleAgainst(async () => known, door, text)
      } catch (error) {
        if (!(error instanceof LakeForgeError) || error.errors.length === 0) throw error
        for (const fault of error.errors)
          errors.push({
            ...fault,
            path: `rules.${index}.${fault.path}`,
            message: fault.message.includes(target) ? fault.message : `${target}: ${fault.message}`,
          })
      }
    }
  if (errors.length > 0) fail('validation_failed', {}, { errors })
}

/** A set against the tables that it is attached to. @throws as `setAgainst` */
export async function checkRuleSet(db: Db, door: DialectDoor, set: RuleSetCreate): Promise<void> {
  const tables = attachedTables(set, await attachable(db))
  await setAgainst((names) => tableColumns(db, names), door, set, tables)
}

/** The tables that sets can be attached to; all of them, or those of these names. */
async function attachable(db: Db, targets?: readonly string[]) {
  const these = targets === undefined ? db`` : db`where target = any (${targets as string[]})`
  return {
    bronze_configs: await db<Attachable[]>`select target, tags from config.bronze_config ${these}`,
    silver_configs: await db<Attachable[]>`select target, tags from config.silver_config ${these}`,
    gold_configs: await db<Attachable[]>`select target, tags from config.gold_config ${these}`,
  }
}

/**
 * After a change of these tables' columns or tags: the approved rules that are for them or look into them, and the sets that
 * are attached to them, must still fit.
 * @throws breaks_dependant naming the first rule that doesn't
 */
export async function checkRulesOf(
  tx: Tx,
  door: DialectDoor,
  targets: readonly string[],
): Promise<void> {
  const names = targets as string[]
  const columnsOf: ColumnsOf = (tables) => tableColumns(tx, tables)
  const breaks = (table: string) => (error: unknown) => {
    if (!(error instanceof LakeForgeError) || error.code === 'sql_check_unavailable') throw error
    const reason = error.errors[0]?.message ?? error.message
    return fail('breaks_dependant', { table, reason }, { cause: error })
  }
  const rules = await tx<DqRule[]>`
    select * from config.dq_rule
    where status = 'approved'
      and (target = any (${names}) or id in (select reader_id from config.input where target = any (${names})))
  `
  for (const rule of rules)
    await ruleAgainst(columnsOf, door, rule).catch(breaks(`${rule.target} (rule ${rule.name})`))
  const sets = await tx<RuleSet[]>`select * from config.rule_set where status = 'approved'`
  if (sets.length === 0) return
  const configs = await attachable(tx, targets)
  for (const set of sets)
    for (const table of attachedTables(set, configs))
      await setAgainst(columnsOf, door, set, [table]).catch(
        breaks(`${table} (rule set ${set.name})`),
      )
}
