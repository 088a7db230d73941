// Databricks SQL from metadata, as DuckDB runs it. Nothing passes through: what is printed was parsed, typed by Spark's rules
// and found on the list of functions.ts; everything else is refused by name when metadata is saved.
import { fail } from '#core/errors.ts'
import { quoteDuckdb } from '#core/names.ts'
import { formatType, type Column, type SparkType } from '#core/types.ts'

import { implicit } from './cast.ts'
import { compile, type Env } from './expression.ts'
import { position } from './lexer.ts'
import { parseExpression, parseQuery } from './parse.ts'
import {
  compileQuery,
  distinctNames,
  hasAggregate,
  relationColumns,
  type QueryEnv,
  type Relation,
} from './query.ts'
import type { Scope } from './scope.ts'
import { BOOLEAN, duck, isUntyped, loose, textOf } from './types.ts'
import { Source, type Origin, type Value } from './value.ts'

export { FUNCTIONS } from './functions.ts'
export { PRELUDE } from './prelude.ts'
export type { Relation } from './query.ts'

/** Part of a plan's hash: raised whenever the same SQL may be printed or typed differently. */
export const DIALECT_VERSION = 4

export type ColumnLineage = {
  column: string
  /** Columns of input tables that the value is made from; empty for literals and count(*). */
  from: Origin[]
  kind: 'passthrough' | 'derived'
}

export type AnalyzedQuery = {
  /** One SELECT for DuckDB, over `"schema"."table"`; PRELUDE must have run on the connection. */
  duckdb: string
  columns: Column[]
  /** Names of the tables it reads, sorted. */
  inputs: string[]
  lineage: ColumnLineage[]
}

/**
 * Checks a query and prints it for DuckDB. Each output column is cast to its type; types and nullability are Spark's.
 * @throws sql_invalid, sql_unsupported, sql_type, table_unknown, column_unknown, column_ambiguous, column_duplicate; each with
 * line and column in `detail`
 */
export async function analyzeQuery(sql: string, relations: Relation[]): Promise<AnalyzedQuery> {
  const source = new Source(sql)
  const env: QueryEnv = {
    source,
    relations: new Map(relations.map((relation) => [relation.name.toLowerCase(), relation])),
    ctes: new Map(),
    inputs: new Set(),
    unique: names(),
  }
  const { sql: duckdb, columns } = compileQuery(parseQuery(sql), env)
  distinctNames(source, columns)
  return {
    duckdb,
    columns: columns.map((column) => {
      if (column.name === undefined)
        return fail('sql_invalid', {
          reason: 'This column has no name. Add AS and a name.',
          ...position(sql, column.at),
        })
      if (isUntyped(column.type))
        source.unsupported(
          'A column of NULL alone',
          column.at,
          'Give it a type: cast(NULL AS string).',
        )
      return {
        name: column.name,
        type: formatType(loose(column.type) as SparkType),
        nullable: column.nullable,
      }
    }),
    inputs: [...env.inputs].sort(),
    lineage: columns.map((column) => ({
      column: column.name!,
      from: column.from,
      kind: column.plain ? 'passthrough' : 'derived',
    })),
  }
}

/**
 * The SQL of each column of a query's outermost SELECT, by the column's name: what people read beside a lineage. Columns of a star
 * are left out, and everything of a UNION, whose columns have several. Empty for SQL that doesn't parse.
 */
export function outputExpressions(sql: string): Map<string, string> {
  const found = new Map<string, string>()
  let body
  try {
    body = parseQuery(sql).body
  } catch {
    return found
  }
  while (!('k' in body)) body = body.body
  if (body.k !== 'select') return found
  for (const { expr, alias, at, end } of body.items) {
    const name = alias ?? (expr.k === 'name' ? expr.parts.at(-1) : undefined)
    if (name !== undefined) found.set(name, sql.slice(at, end).trim())
  }
  return found
}

export type ExpressionOptions = {
  /** The expression is a condition. */
  boolean?: boolean
  /** Aggregates are allowed (each column must then stand inside one). */
  aggregates?: boolean
  /** Window functions are allowed. */
  windows?: boolean
}

export type AnalyzedExpression = {
  /** An operand for DuckDB, cast to its type. Columns are `"column"`, or `"table"."column"` for those of relations. */
  duckdb: string
  type: string
  nullable: boolean
  /** What it reads, in order of appearance. `table` is the relation's name. */
  columns: { table?: string; column: string }[]
}

/**
 * Checks one expression over columns, or over relations: then a column is printed as `"table"."column"` with the part of the
 * relation's name behind the dot, which the caller uses as alias in FROM.
 * @throws as analyzeQuery
 */
export async function analyzeExpression(
  sql: string,
  over: Relation[] | Column[],
  options: ExpressionOptions = {},
): Promise<AnalyzedExpression> {
  const source = new Source(sql)
  const expr = parseExpression(sql)
  const env = expressionEnv(source, over, options)
  let value: Value
  if (options.aggregates && hasAggregate(expr)) {
    // Aggregates are printed in place; a column outside of one is refused by the empty list of keys.
    const group = {
      inner: { ...env, where: 'an aggregate' },
      keys: new Map(),
      aggregate: (each: Value) => each,
    }
    value = compile(expr, { ...env, group })
  } else value = compile(expr, env)
  if (options.boolean && value.type.kind !== 'boolean' && value.type.kind !== 'void')
    source.type(`A condition is boolean, not ${textOf(value.type)}`, value.at)
  if (value.unordered)
    source.unsupported(
      'A list whose order is undefined',
      value.at,
      'Sort it: sort_array(collect_list(…)).',
    )
  if (value.type.kind.startsWith('interval'))
    source.unsupported('An interval as a value', value.at, 'Use datediff or timestampdiff.')
  if (isUntyped(value.type)) {
    if (!options.boolean || value.type.kind !== 'void')
      source.unsupported('NULL without a type', value.at, 'Give it one: cast(NULL AS string).')
    value = implicit(source, value, BOOLEAN)
  }
  return {
    duckdb: `CAST(${value.sql} AS ${duck(value.type)})`,
    type: formatType(loose(value.type) as SparkType),
    nullable: value.nullable,
    columns: value.from.map(({ table, column }) => (table === '' ? { column } : { table, column })),
  }
}

function expressionEnv(
  source: Source,
  over: Relation[] | Column[],
  options: ExpressionOptions,
): Env {
  const isRelations = (list: Relation[] | Column[]): list is Relation[] =>
    list.length > 0 && 'columns' in list[0]!
  const scope: Scope = { columns: [], hidden: [], where: 'the columns' }
  if (isRelations(over)) {
    scope.where = over.map((relation) => relation.name).join(', ')
    scope.columns = over.flatMap((relation) => {
      const parts = relation.name.split('.')
      return relationColumns(source, relation, parts, `${quoteDuckdb(parts.at(-1)!)}.`, 0)
    })
  } else scope.columns = relationColumns(source, { name: '', columns: over }, [], '', 0)
  return {
    source,
    scope,
    where: 'an expression',
    lambdas: new Map(),
    windows: options.windows === true,
    named: new Map(),
    unique: names(),
  }
}

/** Short names that no column has to share: they only stand as aliases of tables and lambdas' parameters. */
function names(): (prefix: string) => string {
  let count = 0
  return (prefix) => `lf_${prefix}${++count}`
}
