// Aggregates of statistics, percentiles and ordered sets.
import type { Aggregate, Context, FunctionEntry } from '../catalogue.ts'
import { implicit } from '../cast.ts'
import { raise } from '../prelude.ts'
import { BIGINT, DOUBLE, isFloat, isIntegral, isNested, STRING, textOf, type T } from '../types.ts'
import type { Value } from '../value.ts'
import { literalDuckdb } from '#core/names.ts'

const category = 'aggregate'

const bits = (name: string, description: string): FunctionEntry => ({
  kind: 'aggregate',
  name,
  category,
  signature: `${name}(x)`,
  description,
  returns: 'the type of x',
  args: [1, 1],
  aggregate: (context) => {
    const x = context.arg(0)
    if (!isIntegral(x.type))
      context.source.type(`${name} takes a whole number, not ${textOf(x.type)}`, x.at)
    return { type: x.type, nullable: true, parts: [x], build: (agg) => agg(name, [x.sql]) }
  },
})

/** Of the rows in which both are known. */
const pair = (
  name: string,
  description: string,
  build: (agg: Parameters<Aggregate['build']>[0], y: string, x: string) => string,
  more: { type?: T; raises?: boolean } = {},
): FunctionEntry => ({
  kind: 'aggregate',
  name,
  category,
  signature: `${name}(y, x)`,
  description: `${description} Rows in which one of the two is NULL are skipped.`,
  returns: more.type ? textOf(more.type) : 'double',
  args: [2, 2],
  aggregate: (context) => {
    const [y, x] = [context.double(0), context.double(1)]
    return {
      type: more.type ?? DOUBLE,
      nullable: more.type === undefined,
      parts: [y, x, y, x],
      raises: more.raises,
      noDistinct: true,
      build: (agg) => build(agg, y.sql, x.sql),
    }
  },
})

// All values equal: then Spark has no spread to divide by.
const constant = (agg: Parameters<Aggregate['build']>[0], x: string, y: string) => {
  const known = `CASE WHEN ${x} IS NOT NULL AND ${y} IS NOT NULL THEN ${x} END`
  return `${agg('min', [known])} = ${agg('max', [known])}`
}

const regression = (name: string, description: string): FunctionEntry =>
  pair(name, description, (agg, y, x) => agg(name, [y, x]))

const moment = (
  name: 'skewness' | 'kurtosis',
  description: string,
  build: (agg: Parameters<Aggregate['build']>[0], x: string) => string,
): FunctionEntry => ({
  kind: 'aggregate',
  name,
  category,
  signature: `${name}(x)`,
  description,
  returns: 'double',
  args: [1, 1],
  aggregate: (context) => {
    const x = context.double(0)
    return {
      type: DOUBLE,
      nullable: true,
      parts: [x],
      noDistinct: true,
      build: (agg) =>
        `CASE WHEN ${agg('min', [x.sql])} < ${agg('max', [x.sql])} THEN ${build(agg, x.sql)} END`,
    }
  },
})

/** A share from 0 to 1, written as a literal. */
function share(context: Context, value: Value): string {
  const number = Number(value.literal ?? NaN)
  if (typeof value.literal === 'boolean' || !(number >= 0 && number <= 1))
    return context.source.unsupported(
      `${context.call.name} with a share that isn't a literal from 0 to 1`,
      value.at,
    )
  return `${number}::DOUBLE`
}

/** The text of WITHIN GROUP's order, of exactly one key. */
function oneKey(context: Context): { sql: string; value: Value; desc: boolean } {
  const item = context.call.within?.[0]
  const key = context.order[0]
  if (!item || !key || context.order.length !== 1)
    return context.source.unsupported(
      `${context.call.name} without WITHIN GROUP (ORDER BY …) over one expression`,
      context.at,
    )
  return { ...key, desc: item.desc }
}

const percentile = (name: 'percentile_cont' | 'percentile_disc'): FunctionEntry => ({
  kind: 'aggregate',
  name,
  category,
  within: true,
  signature: `${name}(share) WITHIN GROUP (ORDER BY x)`,
  description:
    name === 'percentile_cont'
      ? 'The value below which that share of the values lies, interpolated between two of them.'
      : 'The first value up to which at least that share of the values lies.',
  returns: 'double',
  args: [1, 1],
  aggregate: (context) => {
    const at = share(context, context.arg(0))
    const key = oneKey(context)
    const x = implicit(context.source, key.value, DOUBLE)
    const fn = name === 'percentile_cont' ? 'quantile_cont' : 'quantile_disc'
    return {
      type: DOUBLE,
      nullable: true,
      parts: [x],
      noDistinct: true,
      build: (agg) => agg(fn, [x.sql, `${at} ORDER BY ${x.sql}${key.desc ? ' DESC' : ''}`]),
    }
  },
})

function quantile(context: Context): Aggregate {
  const x = context.double(0)
  const written = context.call.args[1]
  const base = { nullable: true, parts: [x], noDistinct: true }
  if (context.args.length > 2) context.source.unsupported('percentile with a frequency', context.at)
  if (context.call.name === 'median')
    return { ...base, type: DOUBLE, build: (agg) => agg('quantile_cont', [x.sql, '0.5::DOUBLE']) }
  if (written?.k === 'call' && written.name === 'array') {
    const shares = context.listed(1).map((value) => share(context, value))
    return {
      ...base,
      type: { kind: 'array', element: { kind: 'double' } },
      build: (agg) => agg('quantile_cont', [x.sql, `[${shares.join(', ')}]`]),
    }
  }
  const at = share(context, context.arg(1))
  return { ...base, type: DOUBLE, build: (agg) => agg('quantile_cont', [x.sql, at]) }
}

function mode(context: Context): Aggregate {
  const flag = context.maybe(1)?.literal
  const within = context.call.within !== undefined
  if (within && context.args.length > 0) context.wrong('with WITHIN GROUP it takes no arguments')
  if (!within && flag !== true)
    context.source.unsupported(
      'mode(x)',
      context.at,
      'Of values that are equally frequent either may come: write mode(x, true) or mode() WITHIN GROUP (ORDER BY x).',
    )
  const key = within ? oneKey(context) : { value: context.arg(0), desc: false }
  const x = key.value
  if (isNested(x.type) || isFloat(x.type))
    context.source.unsupported(`mode of ${textOf(x.type)}`, x.at)
  return {
    type: x.type,
    nullable: true,
    parts: [x],
    noDistinct: true,
    // Of values that are equally frequent DuckDB takes the one that it saw first.
    build: (agg) => agg('mode', [`${x.sql} ORDER BY ${x.sql}${key.desc ? ' DESC' : ''}`]),
  }
}

function listagg(context: Context): Aggregate {
  const { source, call } = context
  const x = context.string(0)
  const given = context.maybe(1)
  const separator =
    given === undefined || given.type.kind === 'void' ? '' : context.text(1, 'a separator')
  if (!call.within)
    source.unsupported(
      `${call.name} without an order`,
      context.at,
      `Write ${call.name}(…) WITHIN GROUP (ORDER BY …).`,
    )
  if (call.distinct && context.order.some((key) => key.value.sql !== context.arg(0).sql))
    source.unsupported(`${call.name} of distinct values in another order`, context.at)
  const order = context.order.map((key) => key.sql).join(', ')
  return {
    type: STRING,
    nullable: true,
    parts: [x, ...context.order.map((key) => key.value)],
    build: (agg) => agg('string_agg', [x.sql, `${literalDuckdb(separator)} ORDER BY ${order}`]),
  }
}

export const STATISTICS: FunctionEntry[] = [
  bits('bit_and', 'The bits that are set in all values; NULLs are skipped.'),
  bits('bit_or', 'The bits that are set in a value; NULLs are skipped.'),
  bits('bit_xor', 'The bits that are set in an odd number of values; NULLs are skipped.'),
  pair(
    'corr',
    'The correlation of Pearson; an error if one of the two never changes.',
    (agg, y, x) =>
      `CASE WHEN ${agg('regr_count', [y, x])} < 2 THEN NULL WHEN ${constant(agg, y, x)} OR ${constant(agg, x, y)} THEN ${raise('DIVIDE_BY_ZERO')} ELSE ${agg('corr', [y, x])} END`,
    { raises: true },
  ),
  pair('covar_pop', 'The covariance of a population.', (agg, y, x) => agg('covar_pop', [y, x])),
  pair(
    'covar_samp',
    'The covariance of a sample; NULL for one row.',
    (agg, y, x) =>
      `CASE WHEN ${agg('regr_count', [y, x])} > 1 THEN ${agg('covar_samp', [y, x])} END`,
  ),
  pair(
    'regr_count',
    'The number of rows.',
    (agg, y, x) => `CAST(${agg('regr_count', [y, x])} AS BIGINT)`,
    { type: BIGINT },
  ),
  regression('regr_avgx', 'The mean of x.'),
  regression('regr_avgy', 'The mean of y.'),
  regression('regr_sxx', 'The sum of squares of x around its mean.'),
  regression('regr_syy', 'The sum of squares of y around its mean.'),
  regression('regr_sxy', 'The sum of products around the means.'),
  pair(
    'regr_slope',
    'The slope of the line of least squares; NULL if x never changes.',
    (agg, y, x) =>
      `CASE WHEN NOT (${constant(agg, x, y)}) THEN ${agg('covar_pop', [y, x])} / ${agg('regr_sxx', [y, x])} * ${agg('regr_count', [y, x])} END`,
  ),
  pair(
    'regr_intercept',
    'Where the line of least squares begins; NULL if x never changes.',
    (agg, y, x) =>
      `CASE WHEN NOT (${constant(agg, x, y)}) THEN ${agg('regr_avgy', [y, x])} - ${agg('covar_pop', [y, x])} / ${agg('regr_sxx', [y, x])} * ${agg('regr_count', [y, x])} * ${agg('regr_avgx', [y, x])} END`,
  ),
  pair(
    'regr_r2',
    'The share of y’s spread that the line explains; NULL if y never changes, 1 if only x doesn’t.',
    (agg, y, x) =>
      `CASE WHEN ${constant(agg, y, x)} THEN NULL WHEN ${constant(agg, x, y)} THEN 1::DOUBLE ELSE pow(${agg('corr', [y, x])}, 2) END`,
  ),
  moment(
    'skewness',
    'How lopsided the values are, of a population; NULL if they are all equal.',
    // From the sample's skewness to the population's; two values have none.
    (agg, x) => {
      const n = `${agg('count', [x])}::DOUBLE`
      return `CASE WHEN ${n} < 3 THEN 0::DOUBLE ELSE ${agg('skewness', [x])} * (${n} - 2) / sqrt(${n} * (${n} - 1)) END`
    },
  ),
  moment(
    'kurtosis',
    'How heavy the tails are, of a population and less 3; NULL if all values are equal.',
    (agg, x) => agg('kurtosis_pop', [x]),
  ),
  {
    kind: 'aggregate',
    name: 'percentile',
    category,
    signature: 'percentile(x, share), percentile(x, array(share, …))',
    description: 'The value below which that share of the values lies, exactly and interpolated.',
    returns: 'double, or array<double>',
    args: [2, 3],
    aggregate: quantile,
  },
  {
    kind: 'aggregate',
    name: 'median',
    category,
    signature: 'median(x)',
    description: 'The middle value, or the mean of the two middle ones.',
    returns: 'double',
    args: [1, 1],
    aggregate: quantile,
  },
  percentile('percentile_cont'),
  percentile('percentile_disc'),
  {
    kind: 'aggregate',
    name: 'mode',
    category,
    within: true,
    signature: 'mode(x, true), mode() WITHIN GROUP (ORDER BY x)',
    description: 'The most frequent value; of several the least (or the first in order).',
    returns: 'the type of x',
    args: [0, 2],
    aggregate: mode,
  },
  {
    kind: 'aggregate',
    name: 'listagg',
    aliases: ['string_agg'],
    category,
    within: true,
    signature: 'listagg([DISTINCT] text[, separator]) WITHIN GROUP (ORDER BY …)',
    description: 'The texts one after the other, in that order; NULLs are skipped.',
    returns: 'string',
    args: [1, 2],
    aggregate: listagg,
  },
]
