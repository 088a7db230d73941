// What an entry of the list of functions is made of. The entries are in functions.ts and functions/*.ts.
import { implicit } from './cast.ts'
import { position } from './lexer.ts'
import type { Call, Expr } from './ast.ts'
import {
  BIGINT,
  DOUBLE,
  INT,
  isIntegral,
  isNumeric,
  STRING,
  textOf,
  wider,
  type T,
} from './types.ts'
import { cast } from './cast.ts'
import type { Source, Value } from './value.ts'
import { fail } from '#core/errors.ts'

export const CATEGORIES = [
  'aggregate',
  'array',
  'conditional',
  'conversion',
  'date and time',
  'hash',
  'json',
  'map',
  'number',
  'table',
  'string',
  'struct',
  'window',
] as const
export type Category = (typeof CATEGORIES)[number]

/** What help pages need to know of a function. */
export type FunctionInfo = {
  name: string
  category: Category
  signature: string
  description: string
  /** Spark's rule for the type of its result. */
  returns: string
  kind: 'scalar' | 'aggregate' | 'window'
  aliases: string[]
}

export type FunctionEntry = Omit<FunctionInfo, 'aliases' | 'kind'> & {
  aliases?: string[]
  /** Least and greatest number of arguments. */
  args: [min: number, max: number]
  /** Arguments at these positions are lambdas and come uncompiled. */
  lambdas?: number[]
  /** It may have WITHIN GROUP (ORDER BY …). */
  within?: boolean
  /** With three arguments the first is a bare word such as DAY, and comes uncompiled. */
  unit?: boolean
} & (
    | { kind?: 'scalar'; compile: (context: Context) => Value }
    | { kind: 'aggregate' | 'window'; aggregate: (context: Context) => Aggregate }
  )

/**
 * An aggregate or window function: `build` prints it, asking `agg` for each DuckDB aggregate with DISTINCT, FILTER and OVER
 * already in place.
 */
export type Aggregate = {
  type: T
  nullable: boolean
  build: (agg: (name: string, args: string[]) => string) => string
  /** Values that the arguments became after their casts. */
  parts: Value[]
  unordered?: boolean
  raises?: boolean
  /** Order of the window that it can't be without. */
  ordered?: boolean
  /** DuckDB's function takes no frame where Spark's has a fixed one. */
  frameless?: boolean
  /** It has taken IGNORE NULLS into account. */
  nulls?: boolean
  /** DISTINCT makes no sense or isn't supported. */
  noDistinct?: boolean
}

/** What an entry's compile function is given. */
export class Context {
  source: Source
  call: Call
  args: Value[]
  /** The keys of WITHIN GROUP, with their direction and place for NULLs. */
  order: { sql: string; value: Value }[]
  lambda: (expr: Expr, params: { type: T; nullable: boolean; index?: boolean }[]) => Lambda
  /** The body of a lambda whose parameters are these values; they are NULLs for Spark's rules if `nullable`. */
  bind: (expr: Expr, params: { sql: string; type: T; nullable: boolean }[]) => Value
  /** A name that nothing else in the text has. */
  unique: (prefix: string) => string
  /** Compiles a part of the call that isn't one of its arguments. */
  compile: (expr: Expr) => Value

  constructor(
    source: Source,
    call: Call,
    args: Value[],
    more: Pick<Context, 'order' | 'lambda' | 'bind' | 'unique' | 'compile'>,
  ) {
    this.source = source
    this.call = call
    this.args = args
    this.order = more.order
    this.lambda = more.lambda
    this.bind = more.bind
    this.unique = more.unique
    this.compile = more.compile
  }

  get at(): number {
    return this.call.at
  }

  /** The argument, or undefined if it was left out. */
  maybe(index: number): Value | undefined {
    return this.args[index]
  }

  arg(index: number): Value {
    return this.args[index] ?? this.wrong(`argument ${index + 1} is missing`)
  }

  string(index: number): Value {
    return implicit(this.source, this.arg(index), STRING)
  }

  int(index: number): Value {
    return implicit(this.source, this.arg(index), INT)
  }

  double(index: number): Value {
    return implicit(this.source, this.arg(index), DOUBLE)
  }

  as(index: number, type: T): Value {
    return implicit(this.source, this.arg(index), type)
  }

  /** A number as it is; a string as double, NULL as double. */
  number(index: number): Value {
    const value = this.arg(index)
    if (isNumeric(value.type)) return value
    if (value.type.kind === 'string' || value.type.kind === 'void')
      return cast(this.source, value, DOUBLE)
    return this.source.type(`${this.call.name} takes a number, not ${textOf(value.type)}`, value.at)
  }

  /** A whole number as bigint. */
  bigint(index: number): Value {
    return implicit(this.source, this.arg(index), BIGINT)
  }

  /** A text that must be written as a literal. */
  text(index: number, what: string): string {
    const value = this.arg(index)
    if (typeof value.literal !== 'string' || value.type.kind !== 'string')
      return this.source.unsupported(
        `${this.call.name} with ${what} that isn't a literal`,
        value.at,
        `Write ${what} as a string literal.`,
      )
    return value.literal
  }

  /** A whole number that must be written as a literal. */
  whole(index: number, what: string): number {
    const value = this.arg(index)
    if (value.literal == null || !isIntegral(value.type))
      return this.source.unsupported(
        `${this.call.name} with ${what} that isn't a whole number's literal`,
        value.at,
        `Write ${what} as a literal.`,
      )
    return Number(value.literal)
  }

  /** The elements of an argument that is written as array(…). */
  listed(index: number): Value[] {
    const written = this.call.args[index]
    if (written?.k !== 'call' || written.name !== 'array')
      return this.wrong(`argument ${index + 1} must be written as array(…)`)
    return written.args.map((arg) => this.compile(arg))
  }

  /** The arguments as one type. @throws sql_type */
  common(from = 0, strings = true): Value[] {
    const values = this.args.slice(from)
    let type: T = { kind: 'void' }
    for (const value of values) {
      const next = wider(type, value.type, strings)
      if (!next)
        return this.source.type(
          `${this.call.name} takes values of one type, not ${textOf(type)} and ${textOf(value.type)}`,
          value.at,
        )
      type = next
    }
    if (type.kind === 'void') return values
    return values.map((value) => cast(this.source, value, type))
  }

  make(
    sql: string,
    type: T,
    parts: readonly Value[] = this.args,
    more: Parameters<Source['make']>[3] = {},
  ): Value {
    return this.source.make(sql, type, parts, { at: this.at, ...more })
  }

  wrong(reason: string): never {
    return fail('sql_invalid', {
      reason: `${this.call.name}: ${reason}.`,
      ...position(this.source.sql, this.at),
    })
  }
}

export type Lambda = { sql: string; body: Value }
