// Parts of dates and timestamps, and cutting them to a unit. The session's zone is UTC, so an instant's clock reading needs no
// zone rules.
import type { Context, FunctionEntry } from '../catalogue.ts'
import { implicit } from '../cast.ts'
import { MACROS, raise } from '../prelude.ts'
import { DATE, INT, STRING, TIMESTAMP, type T } from '../types.ts'
import type { Value } from '../value.ts'

const category = 'date and time'
const { macro } = MACROS

/** The clock's reading of a timestamp (or what Spark reads as one) as DuckDB TIMESTAMP. */
export function clock(context: Context, value: Value): Value {
  const time =
    value.type.kind === 'timestamp_ntz' ? value : implicit(context.source, value, TIMESTAMP)
  return time.type.kind === 'timestamp' ? { ...time, sql: `lf_naive(${time.sql})` } : time
}

/** Something of a date: `print` gets a DATE. */
const ofDate = (
  name: string,
  description: string,
  print: (date: string) => string,
  aliases?: string[],
): FunctionEntry => ({
  name,
  aliases,
  category,
  signature: `${name}(date)`,
  description,
  returns: 'int',
  args: [1, 1],
  compile: (context) => {
    const date = context.as(0, DATE)
    return context.make(`CAST(${print(date.sql)} AS INTEGER)`, INT, [date])
  },
})

/** Something of the time of day. */
const ofTime = (name: 'hour' | 'minute' | 'second'): FunctionEntry => ({
  name,
  category,
  signature: `${name}(timestamp)`,
  description: `The ${name} of the clock.`,
  returns: 'int',
  args: [1, 1],
  compile: (context) => {
    const time = clock(context, context.arg(0))
    return context.make(`CAST(${name}(${time.sql}) AS INTEGER)`, INT, [time])
  },
})

const UNITS: Record<string, string> = {
  year: 'year',
  yyyy: 'year',
  yy: 'year',
  quarter: 'quarter',
  month: 'month',
  mon: 'month',
  mm: 'month',
  week: 'week',
  day: 'day',
  dd: 'day',
  hour: 'hour',
  minute: 'minute',
  second: 'second',
  millisecond: 'millisecond',
  microsecond: 'microsecond',
}

function truncUnit(context: Context, index: number, allowed: readonly string[]): string {
  const text = context.text(index, 'a unit')
  const unit = UNITS[text.toLowerCase()]
  if (!unit || !allowed.includes(unit))
    return context.source.unsupported(
      `${context.call.name} to '${text.slice(0, 20)}'`,
      context.at,
      `Units: ${allowed.join(', ')}.`,
    )
  return unit
}

function dateTrunc(context: Context): Value {
  const unit = truncUnit(context, 0, [...new Set(Object.values(UNITS))])
  const ts = context.arg(1)
  const time = clock(context, ts)
  const out = `date_trunc('${unit}', ${time.sql})`
  return context.make(`lf_instant(${out})`, TIMESTAMP, [time], { nullable: true })
}

function trunc(context: Context): Value {
  const unit = truncUnit(context, 1, ['year', 'quarter', 'month', 'week'])
  const date = context.as(0, DATE)
  return context.make(`CAST(date_trunc('${unit}', ${date.sql}) AS DATE)`, DATE, [date], {
    nullable: true,
  })
}

/** Spark's words for the fields of date_part and EXTRACT. */
const FIELDS: Record<string, string> = {}
for (const [name, words] of [
  ['year', 'year y years yr yrs'],
  ['yearofweek', 'yearofweek'],
  ['quarter', 'quarter qtr'],
  ['month', 'month mon mons months'],
  ['weekofyear', 'week w weeks'],
  ['day', 'day d days'],
  ['dayofweek', 'dayofweek dow'],
  ['isodow', 'dayofweek_iso dow_iso'],
  ['dayofyear', 'doy'],
  ['hour', 'hour h hours hr hrs'],
  ['minute', 'minute m min mins minutes'],
  ['second', 'second s sec seconds secs'],
] as const)
  for (const word of words.split(' ')) FIELDS[word] = name

const SECONDS: T = { kind: 'decimal', precision: 8, scale: 6 }

function datePart(context: Context): Value {
  const field = context.text(0, 'a field').toLowerCase()
  const name = FIELDS[field]
  if (!name)
    return context.source.unsupported(
      `The field ${field.slice(0, 20)}`,
      context.at,
      `Fields: ${Object.keys(FIELDS).join(' ')}.`,
    )
  if (['hour', 'minute', 'second'].includes(name)) {
    const time = clock(context, context.arg(1))
    return name === 'second'
      ? context.make(
          `CAST(microsecond(${time.sql}) * CAST('0.000001' AS DECIMAL(7,6)) AS DECIMAL(8,6))`,
          SECONDS,
          [time],
        )
      : context.make(`CAST(${name}(${time.sql}) AS INTEGER)`, INT, [time])
  }
  const date = context.as(1, DATE)
  const fn = name === 'yearofweek' ? 'isoyear' : name
  const sql = name === 'dayofweek' ? `(dayofweek(${date.sql}) + 1)` : `${fn}(${date.sql})`
  return context.make(`CAST(${sql} AS INTEGER)`, INT, [date])
}

const WEEKDAYS = ['MONDAY', 'TUESDAY', 'WEDNESDAY', 'THURSDAY', 'FRIDAY', 'SATURDAY', 'SUNDAY']
macro(
  'lf_weekday(s)',
  `CASE WHEN s IS NULL THEN NULL ${WEEKDAYS.map(
    (day, i) =>
      `WHEN upper(s) IN ('${day.slice(0, 2)}', '${day.slice(0, 3)}', '${day}') THEN ${i + 1}`,
  ).join(' ')} ELSE ${raise('ILLEGAL_DAY_OF_WEEK')} END`,
)

const nameOf = (name: 'dayname' | 'monthname'): FunctionEntry => ({
  name,
  category,
  signature: `${name}(date)`,
  description: `The first three letters of the ${name === 'dayname' ? 'day of the week' : 'month'}.`,
  returns: 'string',
  args: [1, 1],
  compile: (context) => {
    const date = context.as(0, DATE)
    return context.make(`left(${name}(${date.sql}), 3)`, STRING, [date])
  },
})

export const DATE_PARTS: FunctionEntry[] = [
  ofDate('year', 'The year.', (d) => `year(${d})`),
  ofDate('quarter', 'The quarter, 1 to 4.', (d) => `quarter(${d})`),
  ofDate('month', 'The month, 1 to 12.', (d) => `month(${d})`),
  ofDate('day', 'The day of the month.', (d) => `day(${d})`, ['dayofmonth']),
  ofDate(
    'dayofweek',
    'The day of the week: 1 is Sunday, 7 is Saturday.',
    (d) => `(dayofweek(${d}) + 1)`,
  ),
  ofDate('weekday', 'The day of the week: 0 is Monday, 6 is Sunday.', (d) => `(isodow(${d}) - 1)`),
  ofDate('dayofyear', 'The day of the year, from 1.', (d) => `dayofyear(${d})`),
  ofDate(
    'weekofyear',
    'The ISO week: 1 has the first Thursday of the year.',
    (d) => `weekofyear(${d})`,
  ),
  ofTime('hour'),
  ofTime('minute'),
  ofTime('second'),
  {
    name: 'date_part',
    aliases: ['datepart'],
    category,
    signature: "date_part('field', date), extract(field FROM date)",
    description:
      'A part of a date or timestamp: year, yearofweek, quarter, month, week, day, dayofweek, dow_iso, doy, hour, minute, second.',
    returns: 'int; decimal(8,6) for seconds',
    args: [2, 2],
    compile: datePart,
  },
  nameOf('dayname'),
  nameOf('monthname'),
  {
    name: 'next_day',
    category,
    signature: 'next_day(date, weekday)',
    description: 'The first such day of the week behind the date; weekday as Mo, Mon or Monday.',
    returns: 'date',
    args: [2, 2],
    compile: (context) => {
      const [date, day] = [context.as(0, DATE), context.string(1)]
      return context.make(
        `CASE WHEN ${date.sql} IS NOT NULL THEN ${date.sql} + CAST((lf_weekday(${day.sql}) - isodow(${date.sql}) + 6) % 7 + 1 AS INTEGER) END`,
        DATE,
        [date, day],
        { nullable: true, raises: true, uses: 10 },
      )
    },
  },
  {
    name: 'last_day',
    category,
    signature: 'last_day(date)',
    description: 'The last day of the month.',
    returns: 'date',
    args: [1, 1],
    compile: (context) => {
      const date = context.as(0, DATE)
      return context.make(`last_day(${date.sql})`, DATE, [date])
    },
  },
  {
    name: 'date_trunc',
    category,
    signature: "date_trunc('unit', timestamp)",
    description: 'The timestamp cut to a unit; a week begins on Monday.',
    returns: 'timestamp',
    args: [2, 2],
    compile: dateTrunc,
  },
  {
    name: 'trunc',
    category,
    signature: "trunc(date, 'unit')",
    description: 'The date cut to its year, quarter, month or week.',
    returns: 'date',
    args: [2, 2],
    compile: trunc,
  },
]
