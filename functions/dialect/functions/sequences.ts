// sequence(): the whole numbers, dates or timestamps from one to another.
import type { Context, FunctionEntry } from '../catalogue.ts'
import { cast } from '../cast.ts'
import { MACROS, raise } from '../prelude.ts'
import { DATE, duck, isIntegral, isInterval, isTime, textOf, tightest } from '../types.ts'
import type { Value } from '../value.ts'
import { arrayOf } from './arrays.ts'

const category = 'array'
const { macro } = MACROS

// Ten million elements are more than anyone means.
const LIMIT = 10_000_000
macro(
  'lf_sequence(a, b, step)',
  `CASE WHEN a IS NULL OR b IS NULL OR step IS NULL THEN NULL WHEN a = b THEN [a::BIGINT]
    WHEN step = 0 OR (step > 0) <> (b > a) THEN ${raise('ILLEGAL_SEQUENCE_BOUNDARIES')}
    WHEN (b::HUGEINT - a) // step > ${LIMIT} THEN ${raise('UNSUPPORTED_VALUE')}
    ELSE generate_series(a::BIGINT, b::BIGINT, step::BIGINT) END`,
)

/** sequence(start, stop[, step]) of whole numbers, dates and timestamps. */
function sequence(context: Context): Value {
  const { source } = context
  const [from, to] = [context.arg(0), context.arg(1)]
  const type = tightest(from.type, to.type)
  if (!type) return source.type('sequence goes from one value to another of its type', context.at)
  const [a, b] = [cast(source, from, type), cast(source, to, type)]
  const step = context.maybe(2)
  if (isIntegral(type)) {
    const by = step && cast(source, step, type)
    if (by && !isIntegral(step.type)) source.type('The step is a whole number', step.at)
    const text = by?.sql ?? `CASE WHEN ${b.sql} < ${a.sql} THEN -1 ELSE 1 END`
    const sql = `lf_sequence(${a.sql}, ${b.sql}, ${text})`
    return context.make(
      type.kind === 'bigint' ? sql : `CAST(${sql} AS ${duck(type)}[])`,
      arrayOf(type),
      by ? [a, b, by] : [a, b],
      { raises: true, uses: 8 },
    )
  }
  if (!isTime(type)) return source.type(`There is no sequence of ${textOf(type)}`, context.at)
  const amount = step === undefined ? undefined : Number(step.literal)
  if (step && !isInterval(step.type)) source.type('The step is an interval', step.at)
  if (!step && type.kind !== 'date')
    source.unsupported('A sequence of timestamps without a step', context.at)
  if (step?.type.kind === 'interval_month') {
    // Each element is so many months from the first: the 31st comes back after a shorter month.
    const n = amount!
    if (n <= 0)
      source.unsupported('A sequence that goes back by months', context.at, 'Use reverse(…).')
    const naive = type.kind === 'timestamp' ? `lf_naive(${a.sql})` : a.sql
    const added = `(${naive} + to_months(CAST(lf_i AS INTEGER)))`
    const moved =
      type.kind === 'date'
        ? `CAST(${added} AS DATE)`
        : type.kind === 'timestamp'
          ? `lf_instant(${added})`
          : added
    const [first, last] = [a.sql, b.sql]
    const months = `(year(${last}) - year(${first})) * 12 + month(${last}) - month(${first})`
    return context.make(
      `CASE WHEN ${first} > ${last} THEN ${raise('ILLEGAL_SEQUENCE_BOUNDARIES')} WHEN ${first} IS NOT NULL AND ${last} IS NOT NULL THEN list_filter(list_transform(generate_series(0, ${months}, ${n}), lambda lf_i: ${moved}), lambda lf_d: lf_d <= ${last}) END`,
      arrayOf(type),
      [a, b],
      { raises: true, uses: 6 },
    )
  }
  if (type.kind === 'date') {
    const day = 86_400_000_000
    if (amount !== undefined && amount % day !== 0)
      source.unsupported('A sequence of dates by less than days', context.at)
    const by =
      amount === undefined ? `CASE WHEN ${b.sql} < ${a.sql} THEN -1 ELSE 1 END` : amount / day
    const days = (date: string) => `(${date} - DATE '1970-01-01')`
    return context.make(
      `list_transform(lf_sequence(${days(a.sql)}, ${days(b.sql)}, ${by}), lambda lf_d: DATE '1970-01-01' + CAST(lf_d AS INTEGER))`,
      arrayOf(DATE),
      [a, b],
      { raises: true, uses: 8 },
    )
  }
  const make = type.kind === 'timestamp' ? 'make_timestamptz' : 'make_timestamp'
  return context.make(
    `list_transform(lf_sequence(epoch_us(${a.sql}), epoch_us(${b.sql}), CAST('${amount}' AS BIGINT)), lambda lf_d: ${make}(lf_d))`,
    arrayOf(type),
    [a, b],
    { raises: true, uses: 8 },
  )
}

export const SEQUENCES: FunctionEntry[] = [
  {
    name: 'sequence',
    category,
    signature: 'sequence(start, stop[, step])',
    description:
      'The whole numbers, dates or timestamps from start to stop; by 1, -1 or one day without a step.',
    returns: 'array of the common type',
    args: [2, 3],
    compile: sequence,
  },
]
