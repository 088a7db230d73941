// A rule in SQL: what it looks at and when a row passes, as DuckDB expressions over the transformed rows (alias `r`).
// Three-valued: NULL means that the rule can't say, and then the row fails unless the rule lets NULL pass.
import { analyzeExpression } from '#dialect/index.ts'
import { type CheckKind, checkFaults } from '#core/checks.ts'
import { LakeForgeError, fail } from '#core/errors.ts'
import { literalDuckdb, quoteDuckdb, quoteSpark } from '#core/names.ts'
import type { PlanColumn, PlanRule } from '#core/plan.ts'
import { duckdbType, parseType } from '#core/types.ts'

/** Where a rule may look beside the row itself. Each relation is what may stand after FROM. */
export type RuleContext = {
  /** The output columns; `__sequence` and `__delete` are no rule's business. */
  columns: readonly PlanColumn[]
  relation: string
  /** Rows that the table already holds, when the rule `unique` must look there too (append); else null. */
  target: string | null
  /** Another table's current version. */
  table(name: string): string
}

/** Values that decide for a row and need a pass of their own: the keys found there are the failing ones. */
export type KeySet = {
  /** The rule's columns as SQL, in order. */
  keys: string[]
  /** A query whose columns are `__k0, __k1, …`: each failing key once, without NULLs. */
  query: string
}

export type RuleSql = {
  rule: PlanRule
  /** Null: the rule looks at every row. */
  looked: string | null
  /** `keyed` stands for "this row's key is in the key set". */
  passes(keyed: string): string
  key_set: KeySet | null
  /** What `_errors` says; never a value of the row. */
  message: string
}

/**
 * The rule as SQL.
 * @throws rule_invalid when options or columns don't fit, and what the dialect refuses
 */
export async function ruleSql(rule: PlanRule, context: RuleContext): Promise<RuleSql> {
  const kind = Object.hasOwn(KINDS, rule.check) ? KINDS[rule.check as CheckKind] : undefined
  if (!kind) return invalid(rule, `there is no check "${rule.check}"`)
  // Checked at save; metadata that came another way is checked here, before any of it becomes SQL.
  for (const { path, message } of checkFaults(rule)) invalid(rule, `${path.join('.')}: ${message}`)
  const looked = rule.filter === null ? null : await condition(rule.filter, context)
  const columns = rule.columns.map((name) => {
    const found = context.columns.find((column) => column.name.toLowerCase() === name.toLowerCase())
    return found ?? invalid(rule, `the table has no column "${name}"`)
  })
  return { rule, looked, key_set: null, ...(await kind({ rule, columns, context, looked })) }
}

type Given = {
  rule: PlanRule
  columns: PlanColumn[]
  context: RuleContext
  looked: string | null
}
type Compiled = Pick<RuleSql, 'passes' | 'message'> & { key_set?: KeySet }

type Scalar = string | number | boolean
type Range = {
  min?: Scalar | null
  max?: Scalar | null
  min_exclusive?: boolean
  max_exclusive?: boolean
}

/**
 * Longer lists of accepted values are joined: DuckDB goes through `in` one by one for each row (measured: 499 values, 5
 * million rows: 8 s of CPU against 0.3).
 */
const INLINE = 8

const KINDS: Record<CheckKind, (given: Given) => Compiled | Promise<Compiled>> = {
  not_null: ({ columns }) => ({
    passes: () => each(columns, (sql) => `${sql} is not null`),
    message: `${list(columns)} is NULL`,
  }),

  accepted_values({ rule, columns, context, looked }) {
    const values = rule.options.values as Scalar[]
    const typed = (column: PlanColumn) => values.map((value) => literal(value, column)).join(', ')
    const message = `${list(columns)} is not one of the accepted values`
    const [column] = columns
    if (columns.length > 1 || values.length <= INLINE)
      return { passes: () => each(columns, (sql, one) => `${sql} in (${typed(one)})`), message }
    const keys = quoted(columns)
    return {
      key_set: {
        keys,
        query: `select distinct ${keys[0]} as __k0 from ${context.relation} as r
          anti join (select unnest([${typed(column!)}]) as v) as a on ${keys[0]} = a.v
          where ${and([looked, `${keys[0]} is not null`])}`,
      },
      passes: (keyed) => unlessNull(keys, `not ${keyed}`),
      message,
    }
  },

  range({ rule, columns }) {
    const { min = null, max = null, min_exclusive, max_exclusive } = rule.options as Range
    const bounds = [
      ...(min === null ? [] : [[min_exclusive ? '>' : '>=', min] as const]),
      ...(max === null ? [] : [[max_exclusive ? '<' : '<=', max] as const]),
    ]
    return {
      passes: () =>
        each(columns, (sql, column) => {
          const within = bounds.map(([sign, bound]) => `${sql} ${sign} ${literal(bound, column)}`)
          // NaN counts as greater than everything, so "at least 5" would let it pass.
          const float = ['float', 'double'].includes(parseType(column.type).kind)
          return [...(float ? [`not isnan(${sql})`] : []), ...within].join(' and ')
        }),
      message: `${list(columns)} is not ${bounds.map(([sign, bound]) => `${sign} ${said(bound)}`).join(' and ')}`,
    }
  },

  async regex({ rule, columns, context }) {
    const pattern = rule.options.pattern as string
    const found: string[] = []
    for (const column of columns) {
      if (parseType(column.type).kind !== 'string')
        return invalid(rule, `"${column.name}" is ${column.type}, not string`)
      // Through the dialect, so that a pattern means here what `rlike` means in an expression.
      const sql = `${quoteSpark(column.name)} rlike ${literalSpark(pattern)}`
      found.push(await condition(sql, context))
    }
    return {
      passes: () => found.join(' and '),
      message: `${list(columns)} does not match ${said(pattern)}`,
    }
  },

  async expression({ rule, context }) {
    const text = rule.options.expression as string
    const sql = await condition(text, context)
    return { passes: () => sql, message: `not true: ${text}` }
  },

  unique({ columns, context, looked }) {
    const keys = quoted(columns)
    const from = (relation: string) =>
      `from ${relation} as r where ${and([looked, ...keys.map((key) => `${key} is not null`)])}`
    const named = keys.map((key, n) => `${key} as __k${n}`).join(', ')
    const twice = `select ${named} ${from(context.relation)} group by all having count(*) > 1`
    const on = keys.map((_, n) => `b.__k${n} = t.__k${n}`).join(' and ')
    const known =
      context.target === null
        ? ''
        : ` union select b.* from (select ${named} ${from(context.relation)}) as b
            semi join (select ${named} ${from(context.target)}) as t on ${on}`
    return {
      key_set: { keys, query: `${twice}${known}` },
      passes: (keyed) => unlessNull(keys, `not ${keyed}`),
      message: `${list(columns)} occurs more than once`,
    }
  },

  referential({ rule, columns, context, looked }) {
    const keys = quoted(columns)
    const { table, columns: theirs } = rule.options as { table: string; columns: string[] }
    const on = theirs.map((name, n) => `t.${quoteDuckdb(name)} = b.__k${n}`).join(' and ')
    const mine = `select distinct ${keys.map((key, n) => `${key} as __k${n}`).join(', ')}
      from ${context.relation} as r where ${and([looked, ...keys.map((key) => `${key} is not null`)])}`
    return {
      key_set: {
        keys,
        query: `select b.* from (${mine}) as b anti join ${context.table(table)} as t on ${on}`,
      },
      passes: (keyed) => unlessNull(keys, `not ${keyed}`),
      message: `${list(columns)} is not in ${table} (${theirs.join(', ')})`,
    }
  },
}

/** The check on each of the rule's columns, all of which must pass. */
function each(columns: PlanColumn[], check: (sql: string, column: PlanColumn) => string): string {
  const keys = quoted(columns)
  return keys.map((key, n) => `(${check(key, columns[n]!)})`).join(' and ')
}

function quoted(columns: PlanColumn[]): string[] {
  return columns.map((column) => `r.${quoteDuckdb(column.name)}`)
}

/** A Databricks SQL condition as DuckDB text. */
async function condition(sql: string, context: RuleContext): Promise<string> {
  return (await analyzeExpression(sql, [...context.columns], { boolean: true })).duckdb
}

/** A value of the rule's options in the column's own type, so that 1.10 and 1.1, or two instants, compare as values. */
function literal(value: Scalar, column: PlanColumn): string {
  return `cast(${literalDuckdb(String(value))} as ${duckdbType(column.type)})`
}

function unlessNull(keys: string[], sql: string): string {
  return `case when ${keys.map((key) => `${key} is null`).join(' or ')} then null else ${sql} end`
}

function and(conditions: (string | null)[]): string {
  return conditions.filter((condition) => condition !== null).join(' and ')
}

function list(columns: PlanColumn[]): string {
  return columns.map((column) => column.name).join(', ')
}

function said(value: Scalar): string {
  return typeof value === 'string' ? `'${value}'` : JSON.stringify(value)
}

/** A text literal for Spark, where backslashes escape. */
function literalSpark(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
}

function invalid(rule: PlanRule, reason: string): never {
  return fail('rule_invalid', { rule: rule.name, reason })
}

/** What went wrong with one rule, with its name; an error that has a name of its own keeps it as cause. */
export function ruleError(rule: PlanRule, error: unknown): LakeForgeError {
  if (error instanceof LakeForgeError && error.code === 'rule_invalid') return error
  const reason = error instanceof Error ? error.message.split('\n')[0]! : String(error)
  return new LakeForgeError('rule_broken', { rule: rule.name, reason }, { cause: error })
}
