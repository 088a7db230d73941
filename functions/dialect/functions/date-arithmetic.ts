// Moving dates and timestamps, and the time between them.
import type { Expr } from '../ast.ts'
import type { Context, FunctionEntry } from '../catalogue.ts'
import { implicit } from '../cast.ts'
import { MACROS } from '../prelude.ts'
import { BIGINT, DATE, DOUBLE, INT, isIntegral, textOf, TIMESTAMP, type T } from '../types.ts'
import type { Value } from '../value.ts'
import { clock } from './date-parts.ts'

const category = 'date and time'
const { macro } = MACROS

// DuckDB's date_part of a DATE is its own; of an instant we take the clock's reading first.
macro(
  'lf_months_between(a, b)',
  `CASE WHEN day(a) = day(b) OR (CAST(a AS DATE) = last_day(CAST(a AS DATE)) AND CAST(b AS DATE) = last_day(CAST(b AS DATE)))
    THEN CAST((year(a) - year(b)) * 12 + month(a) - month(b) AS DOUBLE)
    ELSE CAST((year(a) - year(b)) * 12 + month(a) - month(b) AS DOUBLE) +
      CAST((day(a) - day(b)) * 86400 + lf_second_of_day(a) - lf_second_of_day(b) AS DOUBLE) / 2678400 END`,
)
macro('lf_second_of_day(t)', 'hour(t) * 3600 + minute(t) * 60 + second(t)')
// Java's whole months between two clock readings: the later date loses a day if its time of day is the smaller one.
macro('lf_month_days(d)', '(year(d) * 12 + month(d) - 1) * 32 + day(d)')
macro(
  'lf_months(a, b)',
  `(lf_month_days(CASE WHEN b > a AND CAST(b AS TIME) < CAST(a AS TIME) THEN CAST(b AS DATE) - 1
      WHEN b < a AND CAST(b AS TIME) > CAST(a AS TIME) THEN CAST(b AS DATE) + 1 ELSE CAST(b AS DATE) END)
    - lf_month_days(CAST(a AS DATE))) // 32`,
)

/** A date moved by days. */
const moved =
  (sign: '+' | '-') =>
  (context: Context): Value => {
    const date = context.as(0, DATE)
    const days = context.arg(1)
    if (!isIntegral(days.type) && days.type.kind !== 'void' && days.type.kind !== 'string')
      return context.source.type(`Days are a whole number, not ${textOf(days.type)}`, days.at)
    if (days.type.kind === 'bigint')
      return context.source.type('Days are an int, not a bigint', days.at)
    const n = implicit(context.source, days, INT)
    return context.make(`(${date.sql} ${sign} ${n.sql})`, DATE, [date, n], { raises: true })
  }

const UNIT_US: Record<string, number> = {
  MICROSECOND: 1,
  MILLISECOND: 1000,
  SECOND: 1_000_000,
  MINUTE: 60_000_000,
  HOUR: 3_600_000_000,
  DAY: 86_400_000_000,
  WEEK: 604_800_000_000,
}
const UNIT_MONTHS: Record<string, number> = { MONTH: 1, QUARTER: 3, YEAR: 12 }

function unitWord(context: Context): string {
  const written: Expr = context.call.args[0]!
  const word =
    written.k === 'name' && written.parts.length === 1 ? written.parts[0]!.toUpperCase() : ''
  const unit = word === 'DAYOFYEAR' ? 'DAY' : word
  if (!UNIT_US[unit] && !UNIT_MONTHS[unit])
    return context.source.unsupported(
      `The unit ${word || 'of this kind'}`,
      written.at,
      'Units: YEAR, QUARTER, MONTH, WEEK, DAY, HOUR, MINUTE, SECOND, MILLISECOND, MICROSECOND.',
    )
  return unit
}

/** The whole units from one timestamp to another, towards zero. */
function between(context: Context): Value {
  const unit = unitWord(context)
  const [from, to] = [clock(context, context.arg(1)), clock(context, context.arg(2))]
  const months = UNIT_MONTHS[unit]
  const sql = months
    ? `CAST(lf_months(${from.sql}, ${to.sql}) // ${months} AS BIGINT)`
    : `((epoch_us(${to.sql}) - epoch_us(${from.sql})) // ${UNIT_US[unit]})`
  return context.make(sql, BIGINT, [from, to], { uses: months ? 8 : 1 })
}

/** A timestamp moved by a number of units. */
function add(context: Context): Value {
  const unit = unitWord(context)
  const n = context.int(1)
  const value = context.arg(2)
  const months = UNIT_MONTHS[unit]
  const target: T = value.type.kind === 'timestamp_ntz' ? value.type : TIMESTAMP
  const time = implicit(context.source, value, target)
  const naive = clock(context, time)
  const moved_ = months
    ? `(${naive.sql} + to_months(CAST(CAST(${n.sql} AS BIGINT) * ${months} AS INTEGER)))`
    : `make_timestamp(epoch_us(${naive.sql}) + CAST(${n.sql} AS BIGINT) * ${UNIT_US[unit]})`
  const sql = target.kind === 'timestamp' ? `lf_instant(${moved_})` : moved_
  return context.make(sql, target, [n, time], { raises: true })
}

function datediff(context: Context): Value {
  if (context.args.length === 3) return between(context)
  const [end, start] = [context.as(0, DATE), context.as(1, DATE)]
  return context.make(`CAST(${end.sql} - ${start.sql} AS INTEGER)`, INT, [end, start])
}

export const DATE_ARITHMETIC: FunctionEntry[] = [
  {
    name: 'date_add',
    category,
    signature: 'date_add(date, days)',
    description: 'The date some days later.',
    returns: 'date',
    args: [2, 3],
    unit: true,
    compile: (context) => (context.args.length === 3 ? add(context) : moved('+')(context)),
  },
  {
    name: 'date_sub',
    category,
    signature: 'date_sub(date, days)',
    description: 'The date some days earlier.',
    returns: 'date',
    args: [2, 2],
    compile: moved('-'),
  },
  {
    name: 'dateadd',
    category,
    signature: 'dateadd(date, days), dateadd(unit, number, timestamp)',
    description: 'The date some days later, or the timestamp some units later.',
    returns: 'date, or timestamp with a unit',
    args: [2, 3],
    unit: true,
    compile: (context) => (context.args.length === 3 ? add(context) : moved('+')(context)),
  },
  {
    name: 'timestampadd',
    category,
    signature: 'timestampadd(unit, number, timestamp)',
    description: 'The timestamp some units later.',
    returns: 'timestamp',
    args: [3, 3],
    unit: true,
    compile: add,
  },
  {
    name: 'datediff',
    aliases: ['date_diff'],
    category,
    signature: 'datediff(end, start), datediff(unit, start, end)',
    description: 'The days from start to end, or the whole units from start to end.',
    returns: 'int, or bigint with a unit',
    args: [2, 3],
    unit: true,
    compile: datediff,
  },
  {
    name: 'timestampdiff',
    category,
    signature: 'timestampdiff(unit, start, end)',
    description: 'The whole units from start to end.',
    returns: 'bigint',
    args: [3, 3],
    unit: true,
    compile: between,
  },
  {
    name: 'add_months',
    category,
    signature: 'add_months(date, months)',
    description: 'The date some months later, or the last day of that month if it is shorter.',
    returns: 'date',
    args: [2, 2],
    compile: (context) => {
      const [date, n] = [context.as(0, DATE), context.int(1)]
      return context.make(`CAST(${date.sql} + to_months(${n.sql}) AS DATE)`, DATE, [date, n], {
        raises: true,
      })
    },
  },
  {
    name: 'months_between',
    category,
    signature: 'months_between(end, start[, round])',
    description:
      'The months from start to end, with a month of 31 days for the rest; rounded to 8 digits.',
    returns: 'double',
    args: [2, 3],
    compile: (context) => {
      const parts = [0, 1].map((i) => {
        const value = implicit(context.source, context.arg(i), TIMESTAMP)
        return { ...value, sql: `lf_naive(${value.sql})` }
      })
      const round = context.args.length > 2 ? context.arg(2).literal : true
      if (typeof round !== 'boolean')
        context.source.unsupported(
          "months_between with a flag that isn't true or false",
          context.at,
        )
      const raw = `lf_months_between(${parts[0]!.sql}, ${parts[1]!.sql})`
      const sql = round ? `(floor(${raw} * 100000000 + 0.5::DOUBLE) / 100000000)` : raw
      return context.make(sql, DOUBLE, parts, { uses: 10 })
    },
  },
]
