// Generators: functions that make several rows or columns of one, beside SELECT's items or in LATERAL VIEW.
import { quoteDuckdb } from '#core/names.ts'
import type { SparkType } from '#core/types.ts'

import type { Call } from './ast.ts'
import { cast, structField } from './cast.ts'
import { compile, type Env } from './expression.ts'
import type { ScopeColumn } from './scope.ts'
import { isUntyped, same, textOf, VOID, type T } from './types.ts'
import { merge, type Origin } from './value.ts'

const NAMES = [
  'explode',
  'explode_outer',
  'posexplode',
  'posexplode_outer',
  'inline',
  'inline_outer',
  'stack',
]
export const generator = (call: Call): boolean => NAMES.includes(call.name)

type Made = { name: string; sql: string; type: T; nullable: boolean }
export type Generated = { join: string; alone: string; columns: ScopeColumn[] }

/** A generator as a lateral join of its rows; `names` are its columns' aliases, if there are any. */
export function generate(
  call: Call,
  { table, names, outer }: { table: string; names: string[]; outer: boolean },
  unique: (prefix: string) => string,
  inner: Env,
): Generated {
  const { source } = inner
  const keepsEmpty = outer || call.name.endsWith('_outer')
  const { made, from, origins } =
    call.name === 'stack' ? stack(call, inner) : rows(call, inner, keepsEmpty, unique)
  if (names.length && names.length !== made.length)
    source.type(`${call.name} gives ${made.length} columns, not ${names.length}`, call.at)
  const alias = unique('v')
  const columns = made.map((column, i): ScopeColumn => {
    const name = names[i] ?? column.name
    const value = source.make(`${alias}.${quoteDuckdb(name)}`, column.type, [], {
      nullable: column.nullable,
      at: call.at,
    })
    return { name, qualifiers: table ? [table] : [alias], value: { ...value, from: origins } }
  })
  const items = made.map((column, i) => `${column.sql} AS ${quoteDuckdb(names[i] ?? column.name)}`)
  const query = `(SELECT ${items.join(', ')}${from})`
  return {
    join: keepsEmpty
      ? `LEFT JOIN LATERAL ${query} AS ${alias} ON true`
      : `CROSS JOIN LATERAL ${query} AS ${alias}`,
    alone: `${query} AS ${alias}`,
    columns,
  }
}

type Rows = { made: Made[]; from: string; origins: Origin[] }

/** The elements of an array or a map. */
function rows(call: Call, env: Env, keepsEmpty: boolean, unique: (prefix: string) => string): Rows {
  const { source } = env
  if (call.args.length !== 1) source.type(`${call.name} takes one array or map`, call.at)
  const arg = compile(call.args[0]!, env)
  const refused = (): never => source.unsupported(`${call.name} of ${textOf(arg.type)}`, call.at)
  const made: Made[] = []
  if (call.name.startsWith('inline')) {
    if (arg.type.kind !== 'array' || arg.type.element.kind !== 'struct') return refused()
    const alias = unique('u')
    for (const field of arg.type.element.fields)
      made.push({
        name: field.name,
        sql: structField(`${alias}.x`, field.name),
        type: field.type,
        nullable: true,
      })
    return { made, from: ` FROM (SELECT unnest(${arg.sql}) AS x) AS ${alias}`, origins: arg.from }
  }
  if (call.name.startsWith('pos')) {
    const list = arg.type.kind === 'map' ? `map_keys(${arg.sql})` : arg.sql
    made.push({
      name: 'pos',
      sql: `CAST(generate_subscripts(${list}, 1) - 1 AS INTEGER)`,
      type: { kind: 'int' },
      nullable: keepsEmpty,
    })
  }
  if (arg.type.kind === 'array') {
    if (isUntyped(arg.type)) refused()
    made.push({ name: 'col', sql: `unnest(${arg.sql})`, type: arg.type.element, nullable: true })
  } else if (arg.type.kind === 'map') {
    made.push({
      name: 'key',
      sql: `unnest(map_keys(${arg.sql}))`,
      type: arg.type.key,
      nullable: keepsEmpty,
    })
    made.push({
      name: 'value',
      sql: `unnest(map_values(${arg.sql}))`,
      type: arg.type.value,
      nullable: true,
    })
  } else refused()
  return { made, from: '', origins: arg.from }
}

/** stack(n, …): the values in n rows; what is missing at the end is NULL. */
function stack(call: Call, env: Env): Rows {
  const { source } = env
  const [count, ...values] = call.args.map((arg) => compile(arg, env))
  const n = Number(count?.literal)
  if (!count || count.type.kind !== 'int' || !Number.isInteger(n) || n < 1 || n > 1000)
    source.unsupported('stack with a number of rows that isn’t a literal', call.at)
  if (values.length === 0) source.type('stack needs values', call.at)
  const width = Math.ceil(values.length / n)
  const made = Array.from({ length: width }, (_, column): Made => {
    const cells = Array.from(
      { length: n },
      (_row, row) => values[row * width + column] ?? source.literal(null, VOID, call.at),
    )
    const type = cells.find((cell) => cell.type.kind !== 'void')?.type ?? VOID
    if (cells.some((cell) => cell.type.kind !== 'void' && !same(cell.type, type)))
      source.type(`Column ${column + 1} of stack has values of different types`, call.at)
    if (type.kind === 'void')
      source.unsupported('A column of NULL alone', call.at, 'Write cast(NULL as …).')
    const typed = cells.map((cell) => cast(source, cell, type))
    const list = source.make(
      `list_value(${typed.map((cell) => cell.sql).join(', ')})`,
      { kind: 'array', element: type as SparkType },
      typed,
    )
    return {
      name: `col${column}`,
      sql: `unnest(${list.sql})`,
      type,
      nullable: true,
    }
  })
  return { made, from: '', origins: merge(values.map((value) => value.from)) }
}
