// Aggregates: over groups, and over windows where OVER follows.
import type { SparkType } from '#core/types.ts'

import type { Aggregate, Context, FunctionEntry } from '../catalogue.ts'
import { cast, implicit, packStruct } from '../cast.ts'
import { divide } from '../operators.ts'
import {
  adjusted,
  BIGINT,
  BOOLEAN,
  DOUBLE,
  duck,
  isFloat,
  isIntegral,
  isNested,
  textOf,
  type Decimal,
} from '../types.ts'

const category = 'aggregate'

function count(context: Context): Aggregate {
  const { args, source } = context
  const base = { type: BIGINT, nullable: false, parts: args }
  if (args.length === 0) {
    if (context.call.distinct) source.unsupported('count(DISTINCT *)', context.at)
    return { ...base, build: (agg) => agg('count', ['*']) }
  }
  for (const arg of args) if (arg.type.kind === 'map') source.unsupported('count of maps', arg.at)
  if (args.length === 1) return { ...base, build: (agg) => agg('count', [args[0]!.sql]) }
  // Rows in which one of the values is NULL don't count.
  const complete = args.map((arg) => `${arg.sql} IS NOT NULL`).join(' AND ')
  const row = packStruct(args.map((value, i) => ({ name: `c${i}`, value })))
  return { ...base, build: (agg) => agg('count', [`CASE WHEN ${complete} THEN ${row} END`]) }
}

function sum(context: Context): Aggregate {
  const x = context.number(0)
  const base = { nullable: true, parts: [x], raises: true }
  if (x.type.kind === 'decimal') {
    const type = adjusted(Math.min(38, x.type.precision + 10), x.type.scale)
    // DuckDB lets a sum grow beyond 38 digits; below that the cast finds out.
    const check = type.precision === 38 ? 'lf_38_digits' : ''
    return {
      ...base,
      type,
      build: (agg) => `CAST(${check}(${agg('sum', [x.sql])}) AS ${duck(type)})`,
    }
  }
  if (isIntegral(x.type))
    return { ...base, type: BIGINT, build: (agg) => `CAST(${agg('sum', [x.sql])} AS BIGINT)` }
  const wide = cast(context.source, x, DOUBLE)
  return { ...base, type: DOUBLE, parts: [wide], build: (agg) => agg('sum', [wide.sql]) }
}

function avg(context: Context): Aggregate {
  const { source } = context
  const x = context.number(0)
  if (x.type.kind === 'decimal') {
    const { precision, scale } = x.type
    const total: Decimal = { kind: 'decimal', precision: Math.min(38, precision + 10), scale }
    const type = adjusted(precision + 4, scale + 4)
    const lossy = (): never =>
      source.unsupported(`avg of ${textOf(x.type)}`, context.at, 'Cast it to a narrower decimal.')
    if (type.scale !== scale + 4) lossy()
    const build: Aggregate['build'] = (agg) => {
      const counted = agg('count', [x.sql])
      const a = source.make(`CAST(${agg('sum', [x.sql])} AS ${duck(total)})`, total, [], {
        nullable: true,
      })
      const b = source.make(
        `nullif(${counted}, 0)`,
        { kind: 'decimal', precision: 19, scale: 0 },
        [],
      )
      return divide(source, a, b, type, context.at, lossy).sql
    }
    // The count has at most 19 digits; with 38 for the sum, the quotient's digits may not fit.
    if (total.precision + 4 > 38) lossy()
    return { type, nullable: true, parts: [x], raises: true, build }
  }
  const wide = cast(source, x, DOUBLE)
  return {
    type: DOUBLE,
    nullable: true,
    parts: [wide],
    build: (agg) => `(${agg('sum', [wide.sql])} / nullif(${agg('count', [wide.sql])}, 0))`,
  }
}

const extreme = (name: 'min' | 'max'): FunctionEntry => ({
  kind: 'aggregate',
  name,
  category,
  signature: `${name}(x)`,
  description: `The ${name === 'min' ? 'least' : 'greatest'} value; NULLs are skipped.`,
  returns: 'the type of x',
  args: [1, 1],
  aggregate: (context) => {
    const x = context.arg(0)
    if (isNested(x.type)) context.source.unsupported(`${name} of ${textOf(x.type)}`, context.at)
    return { type: x.type, nullable: true, parts: [x], build: (agg) => agg(name, [x.sql]) }
  },
})

const extremeBy = (name: 'min_by' | 'max_by', fn: string): FunctionEntry => ({
  kind: 'aggregate',
  name,
  category,
  signature: `${name}(x, y)`,
  description: `The x of the row with the ${name === 'min_by' ? 'least' : 'greatest'} y; rows without y are skipped. Of several such rows any one.`,
  returns: 'the type of x',
  args: [2, 2],
  aggregate: (context) => {
    const [x, y] = [context.arg(0), context.arg(1)]
    if (isNested(y.type)) context.source.unsupported(`${name} by ${textOf(y.type)}`, y.at)
    return {
      type: x.type,
      nullable: true,
      parts: [x, y],
      noDistinct: true,
      build: (agg) => agg(fn, [x.sql, y.sql]),
    }
  },
})

const truth = (
  name: string,
  aliases: string[],
  fn: string,
  description: string,
): FunctionEntry => ({
  kind: 'aggregate',
  name,
  aliases,
  category,
  signature: `${name}(condition)`,
  description,
  returns: 'boolean',
  args: [1, 1],
  aggregate: (context) => {
    const x = context.as(0, BOOLEAN)
    return { type: BOOLEAN, nullable: true, parts: [x], build: (agg) => agg(fn, [x.sql]) }
  },
})

const spread = (name: string, aliases: string[], description: string): FunctionEntry => ({
  kind: 'aggregate',
  name,
  aliases,
  category,
  signature: `${name}(x)`,
  description,
  returns: 'double',
  args: [1, 1],
  aggregate: (context) => {
    const x = context.double(0)
    return { type: DOUBLE, nullable: true, parts: [x], build: (agg) => agg(name, [x.sql]) }
  },
})

const collect = (name: 'collect_list' | 'collect_set', aliases: string[]): FunctionEntry => ({
  kind: 'aggregate',
  name,
  aliases,
  category,
  signature: `sort_array(${name}(x))`,
  description: `All values${name === 'collect_set' ? ', each once' : ''}, without NULLs. Their order is undefined, so it stands in sort_array(…) or size(…).`,
  returns: 'array of the type of x',
  args: [1, 1],
  aggregate: (context) => {
    const x = context.arg(0)
    if (x.type.kind === 'void') context.source.unsupported(`${name} of NULL`, context.at)
    // Spark keeps 0.0 and -0.0 apart here.
    if (name === 'collect_set' && (isNested(x.type) || isFloat(x.type)))
      context.source.unsupported(`${name} of ${textOf(x.type)}`, context.at)
    const distinct = name === 'collect_set' ? 'DISTINCT ' : ''
    return {
      type: { kind: 'array', element: x.type as SparkType },
      nullable: false,
      parts: [x],
      unordered: true,
      noDistinct: name === 'collect_set',
      build: (agg) =>
        `coalesce(list_filter(${agg('list', [`${distinct}${x.sql}`])}, lambda lf_v: lf_v IS NOT NULL), CAST([] AS ${duck(x.type)}[]))`,
    }
  },
})

export const AGGREGATES: FunctionEntry[] = [
  {
    kind: 'aggregate',
    name: 'count',
    category,
    signature: 'count(*), count([DISTINCT] a, b, …)',
    description: 'The number of rows, or of those in which no argument is NULL.',
    returns: 'bigint',
    args: [0, 99],
    aggregate: count,
  },
  {
    kind: 'aggregate',
    name: 'count_if',
    category,
    signature: 'count_if(condition)',
    description: 'The number of rows for which the condition is true.',
    returns: 'bigint',
    args: [1, 1],
    aggregate: (context) => {
      const x = implicit(context.source, context.arg(0), BOOLEAN)
      return {
        type: BIGINT,
        nullable: false,
        parts: [x],
        noDistinct: true,
        build: (agg) => agg('count', [`CASE WHEN ${x.sql} THEN 1 END`]),
      }
    },
  },
  {
    kind: 'aggregate',
    name: 'sum',
    category,
    signature: 'sum([DISTINCT] x)',
    description: 'The sum; NULLs are skipped. A sum beyond its type is an error.',
    returns: 'bigint for whole numbers, decimal(p+10, s) for decimals, else double',
    args: [1, 1],
    aggregate: sum,
  },
  {
    kind: 'aggregate',
    name: 'avg',
    aliases: ['mean'],
    category,
    signature: 'avg([DISTINCT] x)',
    description: 'The mean; NULLs are skipped.',
    returns: 'decimal(p+4, s+4) for decimals, else double',
    args: [1, 1],
    aggregate: avg,
  },
  {
    kind: 'aggregate',
    name: 'try_sum',
    category,
    signature: 'try_sum([DISTINCT] x)',
    description: 'The sum, or NULL where it is beyond its type; NULLs are skipped.',
    returns: 'as sum',
    args: [1, 1],
    aggregate: (context) => {
      const parts = sum(context)
      if (!isIntegral(parts.type) && parts.type.kind !== 'decimal') return parts
      if (parts.type.kind === 'decimal' && parts.type.precision === 38)
        context.source.unsupported('try_sum of decimals this wide', context.at)
      const x = context.number(0)
      const build: Aggregate['build'] = (agg) =>
        `TRY_CAST(${agg('sum', [x.sql])} AS ${duck(parts.type)})`
      return { ...parts, raises: false, build }
    },
  },
  {
    kind: 'aggregate',
    name: 'try_avg',
    category,
    signature: 'try_avg([DISTINCT] x)',
    description: 'The mean; NULLs are skipped. It has no sum that could overflow.',
    returns: 'as avg',
    args: [1, 1],
    aggregate: avg,
  },
  extreme('min'),
  extreme('max'),
  extremeBy('min_by', 'arg_min_null'),
  extremeBy('max_by', 'arg_max_null'),
  ...(['grouping', 'grouping_id'] as const).map((name): FunctionEntry => ({
    kind: 'aggregate',
    name,
    category,
    signature: name === 'grouping' ? 'grouping(key)' : 'grouping_id([key, …])',
    description:
      name === 'grouping'
        ? '1 in rows of ROLLUP, CUBE or GROUPING SETS that are summed over the key, else 0.'
        : 'The bits of grouping() of the keys (all of them), the first one highest.',
    returns: name === 'grouping' ? 'tinyint' : 'bigint',
    args: [0, 64],
    aggregate: (context) =>
      context.source.unsupported(`${name} with OVER`, context.at, 'Use it beside GROUP BY.'),
  })),
  truth('bool_and', ['every'], 'bool_and', 'Whether all values are true; NULLs are skipped.'),
  truth('bool_or', ['some', 'any'], 'bool_or', 'Whether a value is true; NULLs are skipped.'),
  spread('stddev_samp', ['stddev', 'std'], 'The standard deviation of a sample; NULL for one row.'),
  spread('stddev_pop', [], 'The standard deviation of a population.'),
  spread('var_samp', ['variance'], 'The variance of a sample; NULL for one row.'),
  spread('var_pop', [], 'The variance of a population.'),
  collect('collect_list', ['array_agg']),
  collect('collect_set', []),
]
