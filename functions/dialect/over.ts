// Windows: OVER (…), its frames, and the order of sort keys.
import type { Call, SortItem, Window } from './ast.ts'
import { context, compile, finish, starless, type Env } from './expression.ts'
import { lookup } from './functions.ts'
import { duck, isIntegral, isNested, isTime, textOf } from './types.ts'
import type { Value } from './value.ts'

export function windowed(expr: Call, env: Env): Value {
  const { source } = env
  if (!env.windows)
    return source.unsupported(`The window function ${expr.name} in ${env.where}`, expr.at)
  const entry = lookup(expr.name)!
  if (entry.kind !== 'aggregate' && entry.kind !== 'window') throw new TypeError(entry.name)
  if (expr.filter) source.unsupported(`${expr.name} with FILTER and OVER`, expr.at)
  if (expr.within) source.unsupported(`${expr.name} with WITHIN GROUP and OVER`, expr.at)
  // Spark doesn't know the aliases of other items in here.
  const scope = { ...env.scope, aliases: undefined }
  const inside: Env = { ...env, scope, windows: false, where: 'a window function' }
  const args = starless(expr).map((arg) => compile(arg, inside))
  const parts = entry.aggregate(context(expr, args, inside))
  const definition =
    typeof expr.over === 'string' ? named(expr.over, env, expr.at) : merged(expr.over!, env)
  if (parts.ordered && definition.order.length === 0)
    source.type(`${expr.name} needs ORDER BY in its window`, expr.at)
  const keys = definition.partition.map((key) => compile(key, inside))
  const order = definition.order.map((item) => sortKey(item, inside))
  const frame = definition.frame
  if (frame && parts.frameless) source.unsupported(`A frame for ${expr.name}`, expr.at)
  const words = [
    keys.length ? `PARTITION BY ${keys.map((key) => key.sql).join(', ')}` : '',
    order.length ? `ORDER BY ${order.map((item) => item.sql).join(', ')}` : '',
    frame
      ? frameText(
          frame,
          order.map((item) => item.value),
          inside,
          definition.at,
        )
      : '',
  ].filter(Boolean)
  const all = { ...parts, parts: [...parts.parts, ...keys, ...order.map((item) => item.value)] }
  return finish(expr, all, inside, ` OVER (${words.join(' ')})`)
}

function named(name: string, env: Env, at: number): Window {
  const found = env.named.get(name.toLowerCase())
  return found ? merged(found, env) : env.source.unsupported(`The unknown window ${name}`, at)
}

function merged(window: Window, env: Env): Window {
  if (window.base === undefined) return window
  return env.source.unsupported('A window made from another', window.at)
}

function frameText(
  frame: NonNullable<Window['frame']>,
  keys: Value[],
  env: Env,
  at: number,
): string {
  if (
    keys.length === 0 &&
    frame.unit === 'RANGE' &&
    [frame.start, frame.end].some((b) => b.side === 'CURRENT')
  )
    env.source.unsupported('A RANGE frame without ORDER BY', at)
  const bound = (each: typeof frame.start) => {
    if (each.side === 'CURRENT') return 'CURRENT ROW'
    if (!each.offset) return `UNBOUNDED ${each.side}`
    const value = compile(each.offset, env)
    if (frame.unit === 'RANGE') return `${distance(value, keys, env, at)} ${each.side}`
    if (value.literal == null || value.type.kind !== 'int' || Number(value.literal) < 0)
      return env.source.unsupported('A frame’s offset that isn’t a whole number', at)
    return `${value.literal} ${each.side}`
  }
  return `${frame.unit} BETWEEN ${bound(frame.start)} AND ${bound(frame.end)}`
}

/** How far a RANGE frame goes from the one key that orders it: a number, days or an interval. */
function distance(value: Value, keys: Value[], env: Env, at: number): string {
  const key = keys[0]?.type
  const far = Number(value.literal)
  if (!key || keys.length > 1)
    return env.source.type('A RANGE frame with an offset needs one key in ORDER BY', at)
  if (value.literal == null || typeof value.literal === 'boolean' || !(far >= 0))
    return env.source.unsupported('A frame’s offset that isn’t a literal', at)
  if (isIntegral(key) && isIntegral(value.type)) return String(far)
  if (key.kind === 'decimal' && isIntegral(value.type)) return `${far}::${duck(key)}`
  if (key.kind === 'date' && isIntegral(value.type)) return `INTERVAL ${far} DAY`
  if (isTime(key) && value.type.kind === 'interval_day')
    return `to_microseconds(CAST('${far}' AS BIGINT))`
  if (isTime(key) && value.type.kind === 'interval_month') return `to_months(${far})`
  return env.source.unsupported(
    `A RANGE frame of ${textOf(value.type)} over ${textOf(key)}`,
    at,
    'Use ROWS, or a whole number or interval that fits the key.',
  )
}

/** A sort key with Spark's place for NULLs: first when ascending, last when descending. */
export function sortKey(item: SortItem, env: Env): { sql: string; value: Value } {
  const value = compile(item.expr, env)
  if (value.type.kind === 'map') env.source.type('A map can’t be sorted by', value.at)
  if (isNested(value.type)) env.source.unsupported(`Sorting by ${textOf(value.type)}`, value.at)
  return { sql: `${value.sql} ${direction(item)}`, value }
}

export function direction(item: SortItem): string {
  const nulls = item.nulls ?? (item.desc ? 'LAST' : 'FIRST')
  return `${item.desc ? 'DESC' : 'ASC'} NULLS ${nulls}`
}
