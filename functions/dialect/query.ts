// SELECT: scopes, joins, grouping, set operations. A grouped query is printed in two levels (inside keys and aggregates,
// outside what is made of them), so that nothing hangs on how DuckDB matches expressions with GROUP BY.
import { fail } from '#core/errors.ts'
import { quoteDuckdb } from '#core/names.ts'
import { parseType, type Column, type SparkType } from '#core/types.ts'

import type { Expr, Query, Select, SetOperation, SortItem, Window } from './ast.ts'
import { implicit } from './cast.ts'
import { canonical, compile, type Env, type Group } from './expression.ts'
import { compileSources, type From } from './from.ts'
import { lookup } from './functions.ts'
import { generator } from './generators.ts'
import { place } from './lexer.ts'
import { direction, sortKey } from './over.ts'
import { resolve, type Scope, type ScopeColumn } from './scope.ts'
import { setOperation } from './set-operation.ts'
import { BOOLEAN, duck, unsigned, type T } from './types.ts'
import type { Origin, Source, Value } from './value.ts'

/** A table that a query may read. `name` is `schema.table` as metadata says it. */
export type Relation = { name: string; columns: Column[] }

/** An output column; `name` is undefined for an expression without a name. `plain`: a base column, unchanged. */
export type Out = {
  name?: string
  type: T
  nullable: boolean
  from: Origin[]
  plain?: Origin
  at: number
}

export type Compiled = { sql: string; columns: Out[]; correlated: boolean; single: boolean }

export type QueryEnv = {
  source: Source
  relations: Map<string, Relation>
  ctes: Map<string, { alias: string; columns: Out[] }>
  inputs: Set<string>
  parent?: Scope
  unique: (prefix: string) => string
}

export function compileQuery(query: Query, env: QueryEnv): Compiled {
  const inner: QueryEnv = { ...env, ctes: new Map(env.ctes) }
  const ctes = query.ctes.map((cte) => {
    const compiled = compileQuery(cte.query, { ...inner, parent: undefined })
    const columns = renamed(env.source, compiled.columns, cte.columns, cte.at)
    const alias = env.unique('cte')
    inner.ctes.set(cte.name.toLowerCase(), { alias, columns })
    return `${alias}(${columnList(columns)}) AS (${compiled.sql})`
  })
  const body =
    'k' in query.body && query.body.k === 'select'
      ? compileSelect(query.body, query.order, inner)
      : ordered(compileBody(query.body, inner), query.order, inner)
  const rows = [
    query.limit ? ` LIMIT ${count(query.limit, inner, 'LIMIT')}` : '',
    query.offset ? ` OFFSET ${count(query.offset, inner, 'OFFSET')}` : '',
  ].join('')
  const withs = ctes.length ? `WITH ${ctes.join(', ')} ` : ''
  return { ...body, sql: `${withs}${body.sql}${rows}`, single: body.single && rows === '' }
}

export function compileBody(body: Select | SetOperation | Query, env: QueryEnv): Compiled {
  if (!('k' in body)) {
    const inner = compileQuery(body, env)
    return { ...inner, sql: `SELECT * FROM (${inner.sql}) AS ${env.unique('q')}` }
  }
  return body.k === 'set' ? setOperation(body, env) : compileSelect(body, [], env)
}

/** LIMIT and OFFSET: a literal. */
function count(expr: Expr, env: QueryEnv, what: string): string {
  if (expr.k !== 'number' || expr.suffix !== '' || !/^\d{1,9}$/.test(expr.text))
    return env.source.unsupported(`${what} with other than a whole number`, expr.at)
  return expr.text
}

/** ORDER BY over a set operation or a query in parentheses: output columns only. */
function ordered(body: Compiled, order: SortItem[], env: QueryEnv): Compiled {
  if (order.length === 0) return body
  const keys = order.map((item) => {
    const at = outputIndex(item.expr, body.columns)
    if (at === undefined)
      return env.source.unsupported('ORDER BY other than an output column here', item.expr.at)
    return `${at + 1} ${direction(item)}`
  })
  return {
    ...body,
    sql: `SELECT * FROM (${body.sql}) AS ${env.unique('q')} ORDER BY ${keys.join(', ')}`,
  }
}

/** The output column that an ORDER BY or GROUP BY item means by its number or name. */
function outputIndex(expr: Expr, columns: { name?: string }[]): number | undefined {
  if (expr.k === 'number' && expr.suffix === '' && /^\d+$/.test(expr.text)) {
    const at = Number(expr.text) - 1
    return at >= 0 && at < columns.length ? at : undefined
  }
  if (expr.k !== 'name' || expr.parts.length !== 1) return undefined
  const at = columns.findIndex(
    (column) => column.name?.toLowerCase() === expr.parts[0]!.toLowerCase(),
  )
  return at < 0 ? undefined : at
}

// ---- select ----

type Item = { expr: Expr; name?: string; at: number }

function compileSelect(select: Select, order: SortItem[], env: QueryEnv): Compiled {
  const { source } = env
  let correlated = false
  const named = new Map<string, Window>(
    select.windows.map((each) => [each.name.toLowerCase(), each.window]),
  )
  const base = (scope: Scope, where: string): Env => ({
    source,
    scope,
    where,
    lambdas: new Map(),
    windows: false,
    named,
    unique: env.unique,
    subquery: (query, around) => {
      const compiled = compileQuery(query, { ...env, parent: around })
      if (compiled.correlated && env.parent) correlated = true
      return {
        ...compiled,
        columns: compiled.columns.map((column, i) => ({ ...column, name: outName(column, i) })),
      }
    },
  })
  const from = compileSources(select, env, base)
  const scope: Scope = {
    columns: from.columns,
    hidden: from.hidden,
    parent: env.parent && { ...env.parent, found: () => (correlated = true) },
    where: from.where,
  }

  const items = expand(select, scope, from, env, base)
  const where = select.where
    ? ` WHERE ${filterText(source, select.where, base(scope, 'WHERE'))}`
    : ''
  const aliases = new Map<string, Value>()
  const isGrouped =
    select.group !== undefined ||
    select.having !== undefined ||
    items.some((item) => hasAggregate(item.expr)) ||
    order.some((item) => hasAggregate(item.expr))

  const level = isGrouped
    ? grouped(select, items, scope, from, where, base, source, env)
    : { env: base(scope, 'the select list'), sql: `${from.sql}${where}` }
  const itemEnv: Env = {
    ...level.env,
    windows: true,
    where: 'the select list',
    scope: { ...level.env.scope, aliases },
  }
  const outs = items.map((item, i): Out & { value: Value } => {
    const value = compile(item.expr, itemEnv)
    if (value.unordered)
      source.unsupported(
        'A list whose order is undefined',
        value.at,
        'Sort it: sort_array(collect_list(…)).',
      )
    if (value.type.kind.startsWith('interval'))
      source.unsupported('An interval as a column', item.at, 'Use datediff or timestampdiff.')
    if (item.name !== undefined && !aliases.has(item.name.toLowerCase()))
      aliases.set(item.name.toLowerCase(), value)
    return {
      name: item.name,
      type: value.type,
      nullable: value.nullable,
      from: value.from,
      plain: value.column,
      at: item.at,
      value: { ...value, at: items[i]!.at },
    }
  })
  const list = outs.map((out, i) => {
    const plain = select.distinct ? unsigned(out.value.sql, out.type) : out.value.sql
    const sql = out.type.kind === 'void' ? 'NULL' : `CAST(${plain} AS ${duck(out.type)})`
    return `${sql} AS ${quoteDuckdb(outName(out, i))}`
  })

  let having = ''
  if (select.having) {
    const text = filterText(source, select.having, { ...itemEnv, windows: false, where: 'HAVING' })
    having = ` WHERE ${text}`
  }
  let qualify = ''
  if (select.qualify)
    qualify = ` QUALIFY ${filterText(source, select.qualify, { ...itemEnv, where: 'QUALIFY' })}`
  const sort = order.map((item) => {
    const at = outputIndex(item.expr, outs)
    if (at !== undefined) return `${at + 1} ${direction(item)}`
    if (item.expr.k === 'number')
      return source.type('ORDER BY a number that no column has', item.expr.at)
    if (select.distinct)
      return source.unsupported(
        'ORDER BY other than an output column beside DISTINCT',
        item.expr.at,
      )
    return sortKey(item, { ...itemEnv, where: 'ORDER BY', scope: orderScope(itemEnv.scope, outs) })
      .sql
  })
  for (const out of outs)
    if (select.distinct && out.type.kind === 'map')
      source.type('DISTINCT can’t compare maps', out.at)

  const sql = `SELECT ${select.distinct ? 'DISTINCT ' : ''}${list.join(', ')}${level.sql}${having}${qualify}${
    sort.length ? ` ORDER BY ${sort.join(', ')}` : ''
  }`
  return {
    sql,
    columns: outs,
    correlated,
    single: isGrouped && select.group === undefined,
  }
}

/** In ORDER BY an unqualified name means the output column before it means the table's. */
function orderScope(scope: Scope, outs: (Out & { value: Value })[]): Scope {
  const names = new Set(outs.map((out) => out.name?.toLowerCase()))
  const hides = (column: ScopeColumn) => names.has(column.name.toLowerCase())
  const outputs = outs.flatMap((out): ScopeColumn[] =>
    out.name === undefined ? [] : [{ name: out.name, qualifiers: [], value: out.value }],
  )
  return {
    ...scope,
    columns: [...outputs, ...scope.columns.filter((column) => !hides(column))],
    hidden: [...scope.hidden, ...scope.columns.filter(hides)],
  }
}

/** Stars and generators become columns; every item gets its name. */
function expand(
  select: Select,
  scope: Scope,
  from: From,
  env: QueryEnv,
  base: (scope: Scope, where: string) => Env,
): Item[] {
  const { source } = env
  return select.items.flatMap(({ expr, alias, aliases, at }): Item[] => {
    if (aliases && !hasGenerator(expr)) source.unsupported('Several aliases for one expression', at)
    if (expr.k === 'star') {
      if (alias !== undefined) source.type('* can’t have an alias', at)
      const wanted = expr.table.map((part) => part.toLowerCase())
      const pool = wanted.length
        ? // A table's star has all its columns, those of USING too.
          [...scope.columns, ...scope.hidden].filter(
            (column) =>
              column.qualifiers.length >= wanted.length &&
              column.qualifiers
                .slice(-wanted.length)
                .every((part, i) => part.toLowerCase() === wanted[i]),
          )
        : scope.columns
      if (pool.length === 0)
        return fail('column_unknown', {
          column: [...expr.table, '*'].join('.').slice(0, 200),
          where: scope.where,
          columns: '(none)',
          ...place(source.sql, at),
        })
      for (const left of expr.except)
        if (!pool.some((column) => column.name.toLowerCase() === left.name.toLowerCase()))
          resolve(source, { ...scope, columns: pool, hidden: [] }, [left.name], left.at)
      const out = new Set(expr.except.map((left) => left.name.toLowerCase()))
      return pool
        .filter((column) => !out.has(column.name.toLowerCase()))
        .map((column) => ({
          expr: { k: 'name', at, parts: [...column.qualifiers.slice(-2), column.name] } as Expr,
          name: column.name,
          at,
        }))
    }
    if (expr.k === 'call' && generator(expr)) {
      if (
        select.group ||
        select.items.some((item) => item.expr !== expr && hasGenerator(item.expr))
      )
        source.unsupported(`${expr.name} beside grouping or another generator`, at)
      const columns = from.generate(
        expr,
        aliases ?? (alias === undefined ? [] : [alias]),
        base(scope, 'the select list'),
      )
      scope.columns = [...scope.columns, ...columns]
      return columns.map((column) => ({
        expr: { k: 'name', at, parts: [...column.qualifiers, column.name] } as Expr,
        name: column.name,
        at,
      }))
    }
    const name =
      alias ?? (expr.k === 'name' ? expr.parts.at(-1) : expr.k === 'field' ? expr.name : undefined)
    return [{ expr, name, at }]
  })
}

const hasGenerator = (expr: Expr): boolean => expr.k === 'call' && generator(expr)

/** The inner level: keys and aggregates, named k0… and a0…. Its text is complete once the outer items are compiled. */
function grouped(
  select: Select,
  items: Item[],
  scope: Scope,
  from: From,
  where: string,
  base: (scope: Scope, where: string) => Env,
  source: Source,
  env: QueryEnv,
): { env: Env; readonly sql: string } {
  const alias = env.unique('g')
  const inner = base(scope, 'GROUP BY')
  const keys = new Map<string, Value>()
  const inside: string[] = []
  const texts = new Map<string, string>()
  const addKey = (expr: Expr) => {
    const value = compile(expr, inner)
    if (value.type.kind === 'map') source.type('A map can’t be grouped by', expr.at)
    if (value.type.kind === 'void') return
    const id = canonical(expr, inner)
    if (keys.has(id)) return
    const name = `k${keys.size}`
    inside.push(`${unsigned(value.sql, value.type)} AS ${name}`)
    texts.set(id, unsigned(value.sql, value.type))
    keys.set(id, {
      ...value,
      sql: `${alias}.${name}`,
      raises: false,
      weight: 1,
      literal: undefined,
    })
  }
  const written =
    select.group === 'ALL'
      ? items
          .filter((item) => !hasAggregate(item.expr) && !isConstant(item.expr))
          .map((item) => item.expr)
      : (select.group ?? []).map((expr) => byOutput(expr, items, scope, source))
  const sets = select.sets?.map((set) => set.map((expr) => byOutput(expr, items, scope, source)))
  for (const expr of written) {
    if (hasAggregate(expr)) source.type('GROUP BY can’t hold an aggregate', expr.at)
    if (!isConstant(expr)) addKey(expr)
  }
  const keyCount = keys.size
  const ids = [...keys.keys()]
  // In a set without it a key is NULL.
  if (sets) for (const [id, key] of keys) keys.set(id, { ...key, nullable: true })
  const numbers = sets?.map((set) => [
    ...new Set(
      set
        .filter((expr) => !isConstant(expr))
        .map((expr) => ids.indexOf(canonical(expr, inner)) + 1),
    ),
  ])
  const aggregates = new Map<string, string>()
  const group: Group = {
    inner: base(scope, 'an aggregate'),
    keys,
    sets: sets && texts,
    aggregate: (value) => {
      const name = aggregates.get(value.sql) ?? `a${aggregates.size}`
      aggregates.set(value.sql, name)
      return { ...value, sql: `${alias}.${name}`, raises: false, weight: 1 }
    },
  }
  const constantKeys = select.group !== undefined && keyCount === 0 && !sets
  return {
    env: { ...base(scope, 'the select list'), group },
    get sql() {
      const columns = [...inside, ...[...aggregates].map(([sql, name]) => `${sql} AS ${name}`)]
      if (columns.length === 0 || constantKeys) columns.push('count(*) AS rows_')
      const by = numbers
        ? ` GROUP BY GROUPING SETS (${numbers.map((set) => `(${set.join(', ')})`).join(', ')})`
        : keyCount
          ? ` GROUP BY ${Array.from({ length: keyCount }, (_, i) => i + 1).join(', ')}`
          : ''
      // Grouping by constants gives no group for no rows, unlike no GROUP BY at all.
      const some = constantKeys || numbers ? ' HAVING count(*) > 0' : ''
      return ` FROM (SELECT ${columns.join(', ')}${from.sql}${where}${by}${some}) AS ${alias}`
    },
  }
}

/** A key written as the number or the alias of a select item. */
function byOutput(expr: Expr, items: Item[], scope: Scope, source: Source): Expr {
  if (expr.k === 'number' && expr.suffix === '') {
    const at = outputIndex(expr, items)
    if (at === undefined)
      return source.type(`GROUP BY ${expr.text}: there is no such column`, expr.at)
    return items[at]!.expr
  }
  if (expr.k !== 'name' || expr.parts.length !== 1) return expr
  const lower = expr.parts[0]!.toLowerCase()
  // The table's column comes first; an alias is what is left.
  if (scope.columns.some((column) => column.name.toLowerCase() === lower)) return expr
  return items.find((item) => item.name?.toLowerCase() === lower)?.expr ?? expr
}

function isConstant(expr: Expr): boolean {
  return ['null', 'boolean', 'number', 'string', 'typed'].includes(expr.k)
}

/** Whether an aggregate (not over a window) stands in the expression, outside of subqueries. */
export function hasAggregate(expr: Expr): boolean {
  if (expr.k === 'subquery' || expr.k === 'exists') return false
  if (expr.k === 'call' && expr.over === undefined && lookup(expr.name)?.kind === 'aggregate')
    return true
  return parts(expr).some(hasAggregate)
}

function parts(node: object): Expr[] {
  return Object.values(node).flatMap((value): Expr[] => {
    if (Array.isArray(value))
      return value.flatMap((each) => (isNode(each) ? [each] : isObject(each) ? parts(each) : []))
    if (isNode(value)) return [value]
    // A subquery has its own aggregates; what stands in OVER, WHEN, … is ours.
    return isObject(value) && !('ctes' in value) ? parts(value) : []
  })
}
const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null
const isNode = (value: unknown): value is Expr =>
  isObject(value) && 'k' in value && !('ctes' in value)

/**
 * A condition that only keeps what is true. Parts that can end in an error are guarded by those before them, as Spark
 * evaluates them; the others stay plain, so that DuckDB can join and push down by them.
 */
export function filterText(source: Source, expr: Expr, env: Env): string {
  const parts_ = (expr.k === 'and' ? expr.args : [expr]).map((part) => {
    const value = implicit(source, compile(part, { ...env, filter: env.where !== 'ON' }), BOOLEAN)
    return value
  })
  const before: string[] = []
  return parts_
    .map((part) => {
      const text =
        part.raises && before.length
          ? `CASE WHEN ${before.join(' AND ')} THEN ${part.sql} ELSE false END`
          : part.sql
      before.push(part.sql)
      return text
    })
    .join(' AND ')
}

// ---- names of output columns ----

export const outName = (column: { name?: string }, index: number): string =>
  column.name ?? `_c${index}`

export const columnList = (columns: Out[]): string =>
  columns.map((column, i) => quoteDuckdb(outName(column, i))).join(', ')

/** Columns under the names of an alias list; without one they must be different. */
export function renamed(source: Source, columns: Out[], names: string[], at: number): Out[] {
  if (names.length && names.length !== columns.length)
    source.type(`${names.length} names for ${columns.length} columns`, at)
  const out = names.length ? columns.map((column, i) => ({ ...column, name: names[i]! })) : columns
  distinctNames(source, out)
  return out
}

/** @throws column_duplicate */
export function distinctNames(source: Source, columns: Out[]): void {
  const seen = new Set<string>()
  columns.forEach((column, i) => {
    const name = outName(column, i).toLowerCase()
    if (seen.has(name))
      fail('column_duplicate', { column: outName(column, i), ...place(source.sql, column.at) })
    seen.add(name)
  })
}

/** Few types are on many columns; their text is parsed once. */
const types = new Map<string, SparkType>()
function columnType(text: string): SparkType {
  const known = types.get(text)
  if (known) return known
  if (types.size > 1000) types.clear()
  const type = parseType(text)
  types.set(text, type)
  return type
}

/** A relation's columns as a scope sees them. */
export function relationColumns(
  source: Source,
  relation: Relation,
  qualifiers: string[],
  prefix: string,
  at: number,
): ScopeColumn[] {
  return relation.columns.map((column) => {
    const origin = { table: relation.name, column: column.name }
    const type = columnType(column.type)
    return {
      name: column.name,
      qualifiers,
      value: {
        ...source.make(`${prefix}${quoteDuckdb(column.name)}`, type, [], {
          nullable: column.nullable,
          at,
        }),
        from: [origin],
        column: origin,
      },
    }
  })
}
