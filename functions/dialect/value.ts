// A compiled expression: DuckDB's text with Spark's type. Everything that prints SQL is built from these.
import { fail } from '#core/errors.ts'
import { literalDuckdb } from '#core/names.ts'

import { position } from './lexer.ts'
import { duck, type T } from './types.ts'

/** A column of a table that a value was made from. `table` is empty for columns given without one. */
export type Origin = { table: string; column: string }

export type Value = {
  /** Atomic text: a call, a name or parenthesised. It can stand anywhere an operand can. */
  sql: string
  type: T
  nullable: boolean
  /** True if evaluating it can end in an error: it mustn't be evaluated where Spark wouldn't. */
  raises: boolean
  /** Base columns it depends on, in order of appearance, without repeats. */
  from: Origin[]
  /** The very column, unchanged. */
  column?: Origin
  /** A literal's value, for functions that need to know it while compiling. */
  literal?: string | number | boolean | null
  /** Of a list whose order Spark doesn't define either. */
  unordered?: boolean
  at: number
  /** How large the text gets once DuckDB has unfolded our macros. */
  weight: number
}

/** Macros repeat their arguments; nested ones multiply. Beyond this DuckDB would need minutes to plan. */
export const MAX_WEIGHT = 20_000

/** What is known while compiling one text: its source, for positions. */
export class Source {
  sql: string
  constructor(sql: string) {
    this.sql = sql
  }

  /** @throws sql_unsupported with the name of what isn't on the list */
  unsupported(what: string, at: number, hint?: string): never {
    return fail('sql_unsupported', { what, ...position(this.sql, at) }, hint ? { hint } : {})
  }

  /** @throws sql_type: Spark would refuse these types too */
  type(what: string, at: number): never {
    return fail('sql_type', { what, ...position(this.sql, at) })
  }

  /** A value made of others: its origins, errors and weight add up. `uses` is how often the text repeats each part. */
  make(
    sql: string,
    type: T,
    parts: readonly Value[],
    more: { nullable?: boolean; raises?: boolean; uses?: number; at?: number } = {},
  ): Value {
    const at = more.at ?? parts[0]?.at ?? 0
    const weight = 1 + (more.uses ?? 1) * parts.reduce((sum, part) => sum + part.weight, 0)
    if (weight > MAX_WEIGHT)
      this.unsupported(
        'An expression nested this deeply',
        at,
        'Split it over two steps, or a common table expression.',
      )
    const interval = parts.find((part) => part.type.kind.startsWith('interval'))
    if (interval)
      this.unsupported('An interval as a value', interval.at, 'Add it to a date or a timestamp.')
    const unordered = parts.find((part) => part.unordered)
    if (unordered)
      this.unsupported(
        'A list whose order is undefined',
        unordered.at,
        'Sort it: sort_array(collect_list(…)).',
      )
    return {
      sql,
      type,
      nullable: more.nullable ?? parts.some((part) => part.nullable),
      raises: more.raises === true || parts.some((part) => part.raises),
      from: merge(parts.map((part) => part.from)),
      at,
      weight,
    }
  }

  /** A literal as DuckDB reads it, with its type spelled out: DuckDB's own literals adapt to their neighbours. */
  literal(value: string | number | boolean | null, type: T, at: number): Value {
    const sql =
      value === null
        ? type.kind === 'void'
          ? 'NULL'
          : `CAST(NULL AS ${duck(type)})`
        : typeof value === 'boolean'
          ? value
            ? 'true'
            : 'false'
          : type.kind === 'string'
            ? literalDuckdb(String(value))
            : `CAST('${value}' AS ${duck(type)})`
    return {
      sql,
      type,
      nullable: value === null,
      raises: false,
      from: [],
      literal: value,
      at,
      weight: 1,
    }
  }
}

/** Whether repeating the text costs nothing: a column. */
export const isPlain = (sql: string): boolean =>
  /^[A-Za-z_0-9]*\.?"(?:[^"]|"")*"$|^lf_\w+$/.test(sql)

/**
 * `print(x)` where x stands for the text, evaluated once: a list of one and a lambda are how DuckDB says that. A column is
 * simply repeated. Two around each other need two names.
 */
export function once(sql: string, print: (name: string) => string, name = 'lf_b'): string {
  return isPlain(sql) ? print(sql) : `list_transform([${sql}], lambda ${name}: ${print(name)})[1]`
}

export function merge(lists: readonly Origin[][]): Origin[] {
  if (lists.length === 1) return lists[0]!
  const seen = new Map<string, Origin>()
  for (const list of lists)
    for (const origin of list) {
      const key = `${origin.table}\0${origin.column}`
      if (!seen.has(key)) seen.set(key, origin)
    }
  return [...seen.values()]
}
