// Expressions: each node of the tree becomes DuckDB text with Spark's type, or is refused by name.
import { fail } from '#core/errors.ts'
import { quoteDuckdb } from '#core/names.ts'

import type { Call, Expr, Query, Window } from './ast.ts'
import { cast, implicit } from './cast.ts'
import { Context, type Aggregate } from './catalogue.ts'
import { lookup } from './functions.ts'
import { position } from './lexer.ts'
import {
  binaryLiteral,
  dateLiteral,
  intervalLiteral,
  numberLiteral,
  timestampLiteral,
} from './literals.ts'
import { shiftBits } from './functions/bits.ts'
import { likePattern, regexLiteral } from './patterns.ts'
import { raise } from './prelude.ts'
import { sortKey, windowed } from './over.ts'
import { REFUSED } from './refused.ts'
import { arithmetic, bitwise, comparable, comparison, concat, logical, unary } from './operators.ts'
import { fields, resolve, type Scope } from './scope.ts'
import {
  BOOLEAN,
  duck,
  hasMap,
  INT,
  isIntegral,
  STRING,
  textOf,
  VOID,
  wider,
  type T,
} from './types.ts'
import { once, type Source, type Value } from './value.ts'

/** Where an expression stands, and so what it may contain. */
export type Env = {
  source: Source
  scope: Scope
  /** For messages: `WHERE`, `the select list`. */
  where: string
  lambdas: Map<string, Value>
  /** Set while the items of a grouped query are compiled; undefined where aggregates aren't allowed. */
  group?: Group
  windows: boolean
  /** The expression is one of the conditions, joined by AND, that rows are filtered by. */
  filter?: boolean
  named: Map<string, Window>
  /** Compiles a subquery; undefined where none may stand. */
  subquery?: (query: Query, scope: Scope) => Subquery
  /** Unique names within one text. */
  unique: (prefix: string) => string
}

export type Subquery = {
  sql: string
  columns: { name: string; type: T; nullable: boolean; from: Value['from'] }[]
  correlated: boolean
  /** One row whatever the data: an aggregate without GROUP BY. */
  single: boolean
}

/** The inner level of a grouped query: its keys and the aggregates collected so far. */
export type Group = {
  inner: Env
  /** By canonical text of the key's expression. */
  keys: Map<string, Value>
  /** The inner texts of the keys by their canonical text; only with ROLLUP, CUBE or GROUPING SETS. */
  sets?: Map<string, string>
  /** Registers an aggregate of the inner level; the value reads it from outside. */
  aggregate: (value: Value) => Value
}

export function compile(expr: Expr, env: Env): Value {
  const { source } = env
  if (env.group) {
    const key = env.group.keys.get(canonical(expr, env.group.inner))
    if (key) return { ...key, at: expr.at }
  }
  const nested: Env = env.filter ? { ...env, filter: false } : env
  const sub = (inner: Expr) => compile(inner, nested)
  switch (expr.k) {
    case 'null':
      return source.literal(null, VOID, expr.at)
    case 'boolean':
      return source.literal(expr.value, BOOLEAN, expr.at)
    case 'string':
      return source.literal(expr.value, STRING, expr.at)
    case 'number':
      return numberLiteral(source, expr.text, expr.suffix, expr.at)
    case 'typed':
      if (expr.word === 'X') return binaryLiteral(source, expr.value, expr.at)
      return expr.word === 'DATE'
        ? dateLiteral(source, expr.value, expr.at)
        : timestampLiteral(source, expr.word, expr.value, expr.at)
    case 'interval':
      return intervalLiteral(source, expr)
    case 'name':
      return name(expr, env)
    case 'field':
      return fields(source, sub(expr.of), [expr.name], expr.at)
    case 'index':
      return index(source, sub(expr.of), sub(expr.index), expr.at)
    case 'unary':
      return unary(source, expr.op, sub(expr.arg), expr.at)
    case 'binary':
      return binary(source, expr.op, sub(expr.left), sub(expr.right), expr.at)
    case 'and':
    case 'or':
      return logical(source, expr.k, expr.args.map(sub), expr.at)
    case 'not': {
      const arg = implicit(source, sub(expr.arg), BOOLEAN)
      return source.make(`(NOT ${arg.sql})`, BOOLEAN, [arg], { at: expr.at })
    }
    case 'between': {
      const arg = sub(expr.arg)
      const low = comparison(source, '>=', arg, sub(expr.low), expr.at)
      const high = comparison(source, '<=', arg, sub(expr.high), expr.at)
      const both = logical(source, 'and', [low, high], expr.at)
      return expr.not ? source.make(`(NOT ${both.sql})`, BOOLEAN, [both], { at: expr.at }) : both
    }
    case 'in':
      return isIn(expr, env, sub(expr.arg))
    case 'like':
      return like(expr, env)
    case 'is': {
      const arg = expr.what === 'NULL' ? sub(expr.arg) : implicit(source, sub(expr.arg), BOOLEAN)
      const what = expr.what === 'UNKNOWN' ? 'NULL' : expr.what
      return source.make(`(${arg.sql} IS ${expr.not ? 'NOT ' : ''}${what})`, BOOLEAN, [arg], {
        nullable: false,
        at: expr.at,
      })
    }
    case 'case':
      return caseWhen(expr, env)
    case 'cast':
      return cast(source, sub(expr.arg), expr.type, expr.attempt, expr.at)
    case 'call':
      return call(expr, env)
    case 'subquery':
      return scalar(expr.query, env, expr.at)
    case 'exists': {
      const inner = subquery(expr.query, env, expr.at)
      const from = inner.columns.flatMap((column) => column.from)
      return {
        ...source.make(`EXISTS (${inner.sql})`, BOOLEAN, [], { at: expr.at }),
        nullable: false,
        from,
      }
    }
    case 'lambda':
      return source.unsupported('A lambda outside of a function that takes one', expr.at)
    case 'row':
      return source.unsupported('A row of values', expr.at, 'Use struct(…).')
    case 'alias':
      return source.unsupported('An alias here', expr.at)
    case 'star':
      return source.unsupported('* here', expr.at)
  }
}

function name(expr: Extract<Expr, { k: 'name' }>, env: Env): Value {
  const bound = env.lambdas.get(expr.parts[0]!.toLowerCase())
  if (bound) return fields(env.source, { ...bound, at: expr.at }, expr.parts.slice(1), expr.at)
  const found = resolve(env.source, env.scope, expr.parts, expr.at)
  const isAlias = !expr.parts[1] && env.scope.aliases?.get(expr.parts[0]!.toLowerCase())
  if (env.group && !found.correlated && !(isAlias && found.value.sql === isAlias.sql))
    return fail('sql_invalid', {
      reason: `“${expr.parts.join('.')}” is neither in GROUP BY nor inside an aggregate.`,
      ...position(env.source.sql, expr.at),
    })
  return found.value
}

function binary(source: Source, op: string, left: Value, right: Value, at: number): Value {
  switch (op) {
    case '||':
      return concat(source, [left, right], at)
    case '&':
    case '|':
    case '^':
      return bitwise(source, op, left, right, at)
    case '<<':
    case '>>':
    case '>>>':
      return shiftBits(source, op, left, implicit(source, right, INT), at)
    case '+':
    case '-':
    case '*':
    case '/':
    case '%':
    case 'DIV':
      return arithmetic(source, op, left, right, at)
    default:
      return comparison(source, op, left, right, at)
  }
}

/** `array[i]` from 0, with Spark's error beyond its ends; `map[key]` gives NULL for a key that isn't there. */
function index(source: Source, of: Value, at_: Value, at: number): Value {
  if (of.type.kind === 'map') {
    const key = implicit(source, at_, of.type.key)
    return source.make(`map_extract_value(${of.sql}, ${key.sql})`, of.type.value, [of, key], {
      nullable: true,
      at,
    })
  }
  if (of.type.kind === 'struct' && typeof at_.literal === 'string')
    return fields(source, of, [at_.literal], at)
  if (of.type.kind !== 'array')
    return source.type(`[…] needs an array or a map, not ${textOf(of.type)}`, at)
  if (!isIntegral(at_.type))
    return source.type(`An array’s index is a whole number, not ${textOf(at_.type)}`, at)
  // A literal is as good as checked against one of the array's ends.
  const i = `CAST(${at_.sql} AS BIGINT)`
  const fixed = typeof at_.literal === 'number' && at_.literal >= 0
  const sql = once(of.sql, (list) =>
    fixed
      ? `CASE WHEN len(${list}) <= ${at_.literal} THEN ${raise('INVALID_ARRAY_INDEX')} ELSE ${list}[${Number(at_.literal) + 1}] END`
      : `CASE WHEN ${list} IS NULL OR ${i} IS NULL THEN NULL WHEN ${i} < 0 OR ${i} >= len(${list}) THEN ${raise('INVALID_ARRAY_INDEX')} ELSE ${list}[${i} + 1] END`,
  )
  return source.make(sql, of.type.element, [of, at_], { nullable: true, raises: true, uses: 4, at })
}

function isIn(expr: Extract<Expr, { k: 'in' }>, env: Env, arg: Value): Value {
  const { source } = env
  const not = expr.not ? 'NOT ' : ''
  if (!Array.isArray(expr.list)) {
    const inner = subquery(expr.list, env, expr.at)
    // Elsewhere Spark says false where SQL says NULL.
    const certain = !arg.nullable && inner.columns.every((column) => !column.nullable)
    if (!env.filter && !certain)
      source.unsupported(
        'IN (SELECT …) in another place than a condition of WHERE or HAVING',
        expr.at,
        'Use EXISTS, or join it.',
      )
    if (inner.columns.length !== 1)
      source.type(`IN (SELECT …) needs one column, not ${inner.columns.length}`, expr.at)
    const column = inner.columns[0]!
    const alias = env.unique('q')
    const item: Value = {
      ...source.make(`${alias}.${quoteDuckdb(column.name)}`, column.type, [], {
        nullable: column.nullable,
      }),
      from: column.from,
    }
    const [left, right] = comparable(source, arg, item, expr.at)
    const sql = `(${left.sql} ${not}IN (SELECT ${right.sql} FROM (${inner.sql}) AS ${alias}))`
    return source.make(sql, BOOLEAN, [left, right], { at: expr.at })
  }
  const values = expr.list.map((item) => compile(item, env))
  let type: T = arg.type
  for (const value of values) {
    const next = wider(type, value.type)
    if (!next)
      return source.type(`${textOf(type)} can't be compared with ${textOf(value.type)}`, value.at)
    type = next
  }
  if (hasMap(type)) return source.type('Maps can’t be compared', expr.at)
  const typed = [arg, ...values].map((value) =>
    type.kind === 'void' ? value : cast(source, value, type),
  )
  const items = typed.slice(1).map((value) => value.sql)
  return source.make(`(${typed[0]!.sql} ${not}IN (${items.join(', ')}))`, BOOLEAN, typed, {
    at: expr.at,
  })
}

function like(expr: Extract<Expr, { k: 'like' }>, env: Env): Value {
  const { source } = env
  const arg = implicit(source, compile(expr.arg, env), STRING)
  const tests = expr.patterns.map((pattern) => {
    const value = compile(pattern, env)
    if (value.type.kind === 'void')
      return source.make('CAST(NULL AS BOOLEAN)', BOOLEAN, [arg, value], { nullable: true })
    if (typeof value.literal !== 'string') {
      if (expr.op !== 'LIKE' || expr.escape !== undefined || value.type.kind !== 'string')
        return source.unsupported(`${expr.op} with a pattern that isn't a literal`, pattern.at)
      return source.make(`lf_like(${arg.sql}, ${value.sql})`, BOOLEAN, [arg, value], {
        raises: true,
        uses: 4,
        at: expr.at,
      })
    }
    if (expr.op === 'RLIKE') return regexLiteral(source, value.literal, pattern.at).matches(arg)
    if (expr.op === 'ILIKE') {
      if (!/^[ -~\s]*$/.test(value.literal))
        return source.unsupported('ILIKE with other than ASCII', expr.at, 'Write lower(a) LIKE ….')
      const small = likePattern(
        source,
        value.literal.toLowerCase(),
        expr.escape ?? '\\',
        pattern.at,
      )
      return source.make(`(lf_lower(${arg.sql}) LIKE ${small})`, BOOLEAN, [arg, value], {
        uses: 4,
        raises: true,
        at: expr.at,
      })
    }
    const text = likePattern(source, value.literal, expr.escape ?? '\\', pattern.at)
    return source.make(`(${arg.sql} LIKE ${text})`, BOOLEAN, [arg, value], { at: expr.at })
  })
  // NOT stands before each of them: NOT LIKE ANY means that one doesn't match.
  const results = expr.not
    ? tests.map((test) => source.make(`(NOT ${test.sql})`, BOOLEAN, [test], { at: expr.at }))
    : tests
  return results.length === 1
    ? results[0]!
    : logical(source, expr.quantifier === 'ALL' ? 'and' : 'or', results, expr.at)
}

function caseWhen(expr: Extract<Expr, { k: 'case' }>, env: Env): Value {
  const { source } = env
  const operand = expr.operand && compile(expr.operand, env)
  const whens = expr.whens.map(({ when }) => {
    const value = compile(when, env)
    return operand ? comparison(source, '=', operand, value, when.at) : condition(source, value)
  })
  const thens = [
    ...expr.whens.map(({ result }) => compile(result, env)),
    ...(expr.otherwise ? [compile(expr.otherwise, env)] : []),
  ]
  return choose(source, whens, thens, expr.at)
}

/** A condition of CASE and IF: unlike AND, they take no text for a boolean; only IF takes NULL. */
export function condition(source: Source, value: Value, orNull = false): Value {
  if (value.type.kind !== 'boolean' && !(orNull && value.type.kind === 'void'))
    source.type(`A condition is boolean, not ${textOf(value.type)}`, value.at)
  return implicit(source, value, BOOLEAN)
}

/** CASE over conditions; one more value than conditions is the ELSE. */
export function choose(source: Source, whens: Value[], thens: Value[], at: number): Value {
  let type: T = VOID
  for (const value of thens) {
    const next = wider(type, value.type)
    if (!next)
      return source.type(
        `CASE gives one type, not ${textOf(type)} and ${textOf(value.type)}`,
        value.at,
      )
    type = next
  }
  const typed = type.kind === 'void' ? thens : thens.map((value) => cast(source, value, type))
  const branches = whens.map((when, i) => `WHEN ${when.sql} THEN ${typed[i]!.sql}`)
  const otherwise = typed[whens.length]
  const sql = `CASE ${branches.join(' ')}${otherwise ? ` ELSE ${otherwise.sql}` : ''} END`
  return source.make(sql, type, [...whens, ...typed], {
    nullable: !otherwise || typed.some((value) => value.nullable),
    at,
  })
}

function subquery(query: Query, env: Env, at: number): Subquery {
  if (!env.subquery)
    return env.source.unsupported(`A subquery in ${env.where}`, at, 'Use a join, or a gold query.')
  return env.subquery(query, env.scope)
}

function scalar(query: Query, env: Env, at: number): Value {
  const inner = subquery(query, env, at)
  if (inner.columns.length !== 1)
    env.source.type(`A subquery as a value has one column, not ${inner.columns.length}`, at)
  if (inner.correlated && !inner.single)
    env.source.unsupported(
      'A correlated subquery as a value without an aggregate',
      at,
      'Use a join.',
    )
  const column = inner.columns[0]!
  const value = env.source.make(`(${inner.sql})`, column.type, [], {
    nullable: true,
    raises: true,
    at,
  })
  return { ...value, from: column.from }
}

// ---- functions ----

function call(expr: Call, env: Env): Value {
  const { source } = env
  const entry = lookup(expr.name)
  if (!entry)
    return source.unsupported(
      `The function ${expr.name}`,
      expr.at,
      REFUSED.get(expr.name)?.reason ?? near(expr.name),
    )
  if (entry.kind === 'aggregate' || entry.kind === 'window') {
    if (expr.over !== undefined) return windowed(expr, env)
    if (entry.kind === 'window') return source.unsupported(`${expr.name} without OVER`, expr.at)
    if (!env.group) return source.unsupported(`The aggregate ${expr.name} in ${env.where}`, expr.at)
    const { inner } = env.group
    if (expr.name === 'grouping' || expr.name === 'grouping_id') return grouping(expr, env.group)
    const args = starless(expr).map((arg) => compile(arg, inner))
    const parts = entry.aggregate(context(expr, args, inner))
    return env.group.aggregate(finish(expr, parts, inner, ''))
  }
  if (expr.over !== undefined) return source.unsupported(`${expr.name} with OVER`, expr.at)
  if (expr.distinct) return source.unsupported(`${expr.name} with DISTINCT`, expr.at)
  if (expr.filter) return source.unsupported(`${expr.name} with FILTER`, expr.at)
  if (expr.nulls) return source.unsupported(`${expr.name} with ${expr.nulls} NULLS`, expr.at)
  const args = expr.args.map((arg, i): Value => {
    if (entry.lambdas?.includes(i) || (entry.unit && i === 0 && expr.args.length === 3))
      return { ...source.literal(null, VOID, arg.at), nullable: false }
    if (arg.k === 'alias' && entry.name === 'struct') return compile(arg.arg, env)
    return compile(arg, env)
  })
  if (entry.kind !== undefined && entry.kind !== 'scalar') throw new TypeError(entry.name)
  return entry.compile(context(expr, args, env))
}

function near(name: string): string | undefined {
  return lookup(`${name}s`) || lookup(name.replace(/s$/, ''))
    ? `Did you mean ${lookup(`${name}s`) ? `${name}s` : name.replace(/s$/, '')}?`
    : undefined
}

/** grouping(key) and grouping_id(…): which keys a row of ROLLUP, CUBE or GROUPING SETS is summed over. */
function grouping(expr: Call, group: Group): Value {
  const { inner, sets } = group
  const { source } = inner
  if (!sets) return source.type(`${expr.name} needs ROLLUP, CUBE or GROUPING SETS`, expr.at)
  if (expr.distinct || expr.filter || expr.nulls || expr.within)
    source.unsupported(`${expr.name} of this form`, expr.at)
  if (expr.name === 'grouping' && expr.args.length !== 1)
    source.type('grouping takes one key', expr.at)
  const texts = expr.args.length
    ? expr.args.map(
        (arg) =>
          sets.get(canonical(arg, inner)) ??
          source.type(`${expr.name} takes keys of GROUP BY`, arg.at),
      )
    : [...sets.values()]
  const type: T = { kind: expr.name === 'grouping' ? 'tinyint' : 'bigint' }
  const sql = `CAST(grouping(${texts.join(', ')}) AS ${duck(type)})`
  return group.aggregate(source.make(sql, type, [], { nullable: false, at: expr.at }))
}

/** count(*) has no argument. */
export function starless(expr: Call): Expr[] {
  return expr.name === 'count' &&
    expr.args.length === 1 &&
    expr.args[0]!.k === 'star' &&
    expr.args[0]!.table.length === 0
    ? []
    : expr.args
}

export function context(expr: Call, args: Value[], env: Env): Context {
  const entry = lookup(expr.name)!
  const [min, max] = entry.args
  if (expr.within && !entry.within)
    env.source.unsupported(`${expr.name} with WITHIN GROUP`, expr.at)
  const order = (expr.within ?? []).map((item) => sortKey(item, env))
  const bind: Context['bind'] = (lambda, params) => {
    if (lambda.k !== 'lambda')
      return env.source.unsupported(`${expr.name} without a lambda`, lambda.at)
    if (lambda.params.length > params.length)
      return env.source.type(`${expr.name}: the lambda has too many parameters`, lambda.at)
    const lambdas = new Map(env.lambdas)
    for (const [i, param] of lambda.params.entries()) {
      const { sql, type, nullable } = params[i]!
      lambdas.set(param.toLowerCase(), env.source.make(sql, type, [], { nullable, at: lambda.at }))
    }
    return compile(lambda.body, { ...env, lambdas, subquery: undefined })
  }
  const lambda: Context['lambda'] = (written, params) => {
    const names = params
      .slice(0, written.k === 'lambda' ? written.params.length : 0)
      .map(() => env.unique('l'))
    // DuckDB counts from 1.
    const bound = params.map((param, i) => ({
      ...param,
      sql: param.index ? `CAST(${names[i]} - 1 AS INTEGER)` : names[i]!,
    }))
    const body = bind(written, bound)
    return { sql: `lambda ${names.join(', ')}: ${body.sql}`, body }
  }
  const built = new Context(env.source, expr, args, {
    order,
    lambda,
    bind,
    unique: env.unique,
    compile: (part) => compile(part, env),
  })
  if (args.length < min || args.length > max)
    built.wrong(
      min === max
        ? `it takes ${min} arguments`
        : `it takes ${min} to ${max === 99 ? 'any number of' : max} arguments`,
    )
  return built
}

/** DISTINCT, FILTER and OVER around each DuckDB aggregate that a function is made of. */
export function finish(expr: Call, parts: Aggregate, env: Env, over: string): Value {
  const { source } = env
  if (expr.distinct && (parts.noDistinct || over))
    source.unsupported(`${expr.name} with DISTINCT${over ? ' and OVER' : ''}`, expr.at)
  if (expr.nulls && !parts.nulls)
    source.unsupported(`${expr.name} with ${expr.nulls} NULLS`, expr.at)
  let filter = ''
  const used = [...parts.parts]
  if (expr.filter) {
    const condition = implicit(source, compile(expr.filter, env), BOOLEAN)
    filter = ` FILTER (WHERE ${condition.sql})`
    used.push(condition)
  }
  const sql = parts.build(
    (fn, args) => `${fn}(${expr.distinct ? 'DISTINCT ' : ''}${args.join(', ')})${filter}${over}`,
  )
  const value = source.make(sql, parts.type, used, {
    nullable: parts.nullable,
    raises: parts.raises,
    uses: 2,
    at: expr.at,
  })
  return { ...value, unordered: parts.unordered }
}

/** A text that is equal for two expressions that mean the same columns in the same way: how GROUP BY finds its keys. */
export function canonical(expr: Expr, env: Env): string {
  if (expr.k === 'name') {
    try {
      return name(expr, { ...env, group: undefined }).sql
    } catch {
      return `?${expr.parts.join('.').toLowerCase()}`
    }
  }
  const parts = Object.entries(expr).map(([key, value]) =>
    key === 'at' ? '' : `${key}:${canonicalPart(value, env)}`,
  )
  return `{${parts.join(',')}}`
}

function canonicalPart(value: unknown, env: Env): string {
  if (Array.isArray(value)) return `[${value.map((each) => canonicalPart(each, env)).join(',')}]`
  if (value !== null && typeof value === 'object') {
    if ('k' in value) return canonical(value as Expr, env)
    return `{${Object.entries(value)
      .map(([key, each]) => (key === 'at' ? '' : `${key}:${canonicalPart(each, env)}`))
      .join(',')}}`
  }
  return JSON.stringify(value) ?? ''
}
