// Dates and timestamps. The session's zone is UTC, so an instant's clock reading needs no zone rules.
import type { Expr } from '../ast.ts'
import type { Context, FunctionEntry } from '../catalogue.ts'
import { cast, implicit } from '../cast.ts'
import { formatPattern, parsePattern } from '../datetime.ts'
import { MACROS, raise } from '../prelude.ts'
import {
  BIGINT,
  BOOLEAN,
  DATE,
  DOUBLE,
  INT,
  isIntegral,
  STRING,
  textOf,
  TIMESTAMP,
  type T,
} from '../types.ts'
import type { Value } from '../value.ts'
import { literalDuckdb } from '#core/names.ts'

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
// Set by the engine for each batch, so that a replay sees the same time.
macro('lf_now()', `coalesce(CAST(getvariable('lf_now') AS TIMESTAMPTZ), ${raise('NO_BATCH_TIME')})`)

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

/** The clock's reading of a timestamp (or what Spark reads as one) as DuckDB TIMESTAMP. */
function clock(context: Context, value: Value): Value {
  const time =
    value.type.kind === 'timestamp_ntz' ? value : implicit(context.source, value, TIMESTAMP)
  return time.type.kind === 'timestamp' ? { ...time, sql: `lf_naive(${time.sql})` } : time
}

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

/** to_date and to_timestamp: with a pattern, or as a cast. */
const reading =
  (to: T, attempt: boolean) =>
  (context: Context): Value => {
    const value = context.arg(0)
    if (context.args.length === 1 || value.type.kind !== 'string')
      return { ...cast(context.source, value, to, attempt, context.at), nullable: true }
    const text = context.string(0)
    const naive = parsePattern(
      context.source,
      context.text(1, 'a pattern'),
      text.sql,
      attempt,
      context.arg(1).at,
    )
    const sql = to.kind === 'date' ? `CAST(${naive} AS DATE)` : `lf_instant(${naive})`
    return context.make(sql, to, [text], { nullable: true, raises: !attempt, uses: 2 })
  }

function dateFormat(context: Context): Value {
  const time = clock(context, context.arg(0))
  const pattern = context.text(1, 'a pattern')
  return context.make(
    formatPattern(context.source, pattern, time.sql, context.arg(1).at),
    STRING,
    [time],
    {
      uses: 2,
      raises: true,
    },
  )
}

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

const now = (name: string, aliases: string[], type: T, print: string): FunctionEntry => ({
  name,
  aliases,
  category,
  signature: `${name}()`,
  description: `The ${type.kind === 'date' ? 'date' : 'time'} at which the batch began: the same for all its rows and for its replay.`,
  returns: textOf(type),
  args: [0, 0],
  compile: (context) => context.make(print, type, [], { nullable: false, raises: true }),
})

const epoch = (name: string, unit: string, unit_us: number): FunctionEntry => ({
  name,
  category,
  signature: `${name}(timestamp)`,
  description: `The ${unit} since 1970-01-01 00:00:00 UTC.`,
  returns: 'bigint',
  args: [1, 1],
  compile: (context) => {
    const time = context.as(0, TIMESTAMP)
    const us = `epoch_us(${time.sql})`
    return context.make(unit_us === 1 ? us : `lf_floor_div(${us}, ${unit_us})`, BIGINT, [time], {
      uses: 5,
    })
  },
})

const fromEpoch = (name: string, unit: string, unit_us: number): FunctionEntry => ({
  name,
  category,
  signature: `${name}(number)`,
  description: `The timestamp that many ${unit} after 1970-01-01 00:00:00 UTC.`,
  returns: 'timestamp',
  args: [1, 1],
  compile: (context) => {
    const n = context.arg(0)
    if (!isIntegral(n.type))
      return context.source.unsupported(`${name} of ${textOf(n.type)}`, n.at, 'Cast it to bigint.')
    return context.make(`make_timestamptz(CAST(${n.sql} AS BIGINT) * ${unit_us})`, TIMESTAMP, [n], {
      raises: true,
    })
  },
})

function unixTimestamp(context: Context): Value {
  if (context.args.length === 0)
    return context.source.unsupported(
      'unix_timestamp() without a timestamp',
      context.at,
      'Write unix_timestamp(current_timestamp()).',
    )
  const value = context.arg(0)
  if (value.type.kind === 'string') {
    const text = context.string(0)
    const pattern = context.args.length > 1 ? context.text(1, 'a pattern') : 'yyyy-MM-dd HH:mm:ss'
    const naive = parsePattern(context.source, pattern, text.sql, false, context.at)
    return context.make(`(epoch_us(${naive}) // 1000000)`, BIGINT, [text], {
      nullable: true,
      raises: true,
      uses: 10,
    })
  }
  const time = clock(context, value)
  // Towards zero, unlike unix_seconds.
  return context.make(`(epoch_us(${time.sql}) // 1000000)`, BIGINT, [time], { nullable: true })
}

const FIELDS: Record<string, string> = {
  year: 'year',
  quarter: 'quarter',
  month: 'month',
  week: 'weekofyear',
  day: 'day',
  dayofweek: 'dayofweek',
  doy: 'dayofyear',
  hour: 'hour',
  minute: 'minute',
}

export const DATES: FunctionEntry[] = [
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
      'A part of a date or timestamp: year, quarter, month, week, day, dayofweek, doy, hour, minute.',
    returns: 'int',
    args: [2, 2],
    compile: (context) => {
      const field = context.text(0, 'a field').toLowerCase()
      const name = FIELDS[field]
      if (!name) return context.source.unsupported(`The field ${field.slice(0, 20)}`, context.at)
      if (name === 'hour' || name === 'minute') {
        const time = clock(context, context.arg(1))
        return context.make(`CAST(${name}(${time.sql}) AS INTEGER)`, INT, [time])
      }
      const date = context.as(1, DATE)
      const sql = name === 'dayofweek' ? `(dayofweek(${date.sql}) + 1)` : `${name}(${date.sql})`
      return context.make(`CAST(${sql} AS INTEGER)`, INT, [date])
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
  {
    name: 'to_date',
    category,
    signature: 'to_date(text[, pattern])',
    description: 'The date that a text says, by default as yyyy-MM-dd; an error if it says none.',
    returns: 'date',
    args: [1, 2],
    compile: reading(DATE, false),
  },
  {
    name: 'try_to_date',
    category,
    signature: 'try_to_date(text[, pattern])',
    description: 'As to_date, but NULL if the text says no date.',
    returns: 'date',
    args: [1, 2],
    compile: reading(DATE, true),
  },
  {
    name: 'to_timestamp',
    category,
    signature: 'to_timestamp(text[, pattern])',
    description:
      'The timestamp that a text says (in UTC if it names no zone); an error if it says none.',
    returns: 'timestamp',
    args: [1, 2],
    compile: reading(TIMESTAMP, false),
  },
  {
    name: 'try_to_timestamp',
    category,
    signature: 'try_to_timestamp(text[, pattern])',
    description: 'As to_timestamp, but NULL if the text says no timestamp.',
    returns: 'timestamp',
    args: [1, 2],
    compile: reading(TIMESTAMP, true),
  },
  {
    name: 'date_format',
    category,
    signature: 'date_format(timestamp, pattern)',
    description: 'A date or timestamp as text, by a pattern such as yyyy-MM-dd HH:mm:ss.',
    returns: 'string',
    args: [2, 2],
    compile: dateFormat,
  },
  {
    name: 'unix_timestamp',
    aliases: ['to_unix_timestamp'],
    category,
    signature: 'unix_timestamp(timestamp), unix_timestamp(text[, pattern])',
    description: 'The seconds since 1970-01-01 00:00:00 UTC.',
    returns: 'bigint',
    args: [0, 2],
    compile: unixTimestamp,
  },
  {
    name: 'from_unixtime',
    category,
    signature: 'from_unixtime(seconds[, pattern])',
    description: 'Seconds since 1970-01-01 00:00:00 UTC as text.',
    returns: 'string',
    args: [1, 2],
    compile: (context) => {
      const seconds = context.bigint(0)
      const pattern = context.args.length > 1 ? context.text(1, 'a pattern') : 'yyyy-MM-dd HH:mm:ss'
      const time = `lf_naive(lf_epoch(${seconds.sql}))`
      return context.make(
        formatPattern(context.source, pattern, time, context.at),
        STRING,
        [seconds],
        {
          nullable: true,
          raises: true,
          uses: 2,
        },
      )
    },
  },
  {
    name: 'from_utc_timestamp',
    category,
    signature: "from_utc_timestamp(timestamp, 'zone')",
    description: 'The clock reading in a zone such as Europe/Berlin, as a timestamp.',
    returns: 'timestamp',
    args: [2, 2],
    compile: (context) => {
      const time = context.as(0, TIMESTAMP)
      const zone = context.text(1, 'a zone')
      if (!/^(?:UTC|[A-Z][A-Za-z]+\/[A-Z][A-Za-z_]+)$/.test(zone) || !knownZone(zone))
        context.source.unsupported(
          `The zone ${zone.slice(0, 40)}`,
          context.at,
          'Write it as Europe/Berlin.',
        )
      return context.make(`lf_instant(timezone(${literalDuckdb(zone)}, ${time.sql}))`, TIMESTAMP, [
        time,
      ])
    },
  },
  now('current_timestamp', ['now'], TIMESTAMP, 'lf_now()'),
  now('current_date', ['curdate'], DATE, 'CAST(lf_naive(lf_now()) AS DATE)'),
  epoch('unix_seconds', 'seconds', 1_000_000),
  epoch('unix_millis', 'milliseconds', 1000),
  epoch('unix_micros', 'microseconds', 1),
  fromEpoch('timestamp_seconds', 'seconds', 1_000_000),
  fromEpoch('timestamp_millis', 'milliseconds', 1000),
  fromEpoch('timestamp_micros', 'microseconds', 1),
  {
    name: 'unix_date',
    category,
    signature: 'unix_date(date)',
    description: 'The days since 1970-01-01.',
    returns: 'int',
    args: [1, 1],
    compile: (context) => {
      const date = context.as(0, DATE)
      return context.make(`CAST(${date.sql} - DATE '1970-01-01' AS INTEGER)`, INT, [date])
    },
  },
  {
    name: 'date_from_unix_date',
    category,
    signature: 'date_from_unix_date(days)',
    description: 'The date that many days after 1970-01-01.',
    returns: 'date',
    args: [1, 1],
    compile: (context) => {
      const days = context.int(0)
      return context.make(`(DATE '1970-01-01' + ${days.sql})`, DATE, [days], { raises: true })
    },
  },
  {
    name: 'make_date',
    category,
    signature: 'make_date(year, month, day)',
    description: 'The date of three numbers; an error if there is no such day.',
    returns: 'date',
    args: [3, 3],
    compile: (context) => {
      const parts = [0, 1, 2].map((i) => context.int(i))
      return context.make(`make_date(${parts.map((part) => part.sql).join(', ')})`, DATE, parts, {
        raises: true,
      })
    },
  },
  ...conversions(),
]

/** `date(x)`, `int(x)` …: a cast written as a function. */
function conversions(): FunctionEntry[] {
  const types: [string, T][] = [
    ['boolean', BOOLEAN],
    ['tinyint', { kind: 'tinyint' }],
    ['smallint', { kind: 'smallint' }],
    ['int', INT],
    ['bigint', BIGINT],
    ['float', { kind: 'float' }],
    ['double', DOUBLE],
    ['decimal', { kind: 'decimal', precision: 10, scale: 0 }],
    ['string', STRING],
    ['binary', { kind: 'binary' }],
    ['date', DATE],
    ['timestamp', TIMESTAMP],
  ]
  return types.map(([name, type]) => ({
    name,
    category: 'conversion' as const,
    signature: `${name}(x)`,
    description: `The value as ${textOf(type)}; same as CAST.`,
    returns: textOf(type),
    args: [1, 1],
    compile: (context) => cast(context.source, context.arg(0), type, false, context.at),
  }))
}

function knownZone(zone: string): boolean {
  try {
    return Boolean(new Intl.DateTimeFormat('en', { timeZone: zone }))
  } catch {
    return false
  }
}
