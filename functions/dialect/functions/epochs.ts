// Timestamps as numbers since 1970, or made of numbers.
import type { Context, FunctionEntry } from '../catalogue.ts'
import { formatPattern, parsePattern } from '../datetime.ts'
import { MACROS, raise } from '../prelude.ts'
import {
  BIGINT,
  DATE,
  INT,
  isFloat,
  isIntegral,
  STRING,
  textOf,
  TIMESTAMP,
  type T,
} from '../types.ts'
import type { Value } from '../value.ts'
import { clock } from './date-parts.ts'

const category = 'date and time'
const { macro } = MACROS

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
    if (name === 'timestamp_seconds' && n.type.kind === 'decimal' && n.type.scale <= 6)
      return context.make(`make_timestamptz(CAST(${n.sql} * 1000000 AS BIGINT))`, TIMESTAMP, [n], {
        raises: true,
      })
    if (name === 'timestamp_seconds' && isFloat(n.type))
      return context.make(
        `CASE WHEN isfinite(${n.sql}) THEN CASE WHEN abs(${n.sql}) < 9e12 THEN make_timestamptz(CAST(trunc(${n.sql}::DOUBLE * 1000000) AS BIGINT)) ELSE ${raise('UNSUPPORTED_VALUE')} END END`,
        TIMESTAMP,
        [n],
        { nullable: true, raises: true, uses: 3 },
      )
    if (!isIntegral(n.type))
      return context.source.unsupported(`${name} of ${textOf(n.type)}`, n.at, 'Cast it to bigint.')
    return context.make(`make_timestamptz(CAST(${n.sql} AS BIGINT) * ${unit_us})`, TIMESTAMP, [n], {
      raises: true,
    })
  },
})

function unixTimestamp(context: Context): Value {
  if (context.args.length === 0)
    return context.make('lf_seconds(lf_now())', BIGINT, [], { nullable: false, raises: true })
  const value = context.arg(0)
  if (value.type.kind === 'string') {
    const text = context.string(0)
    const pattern = context.args.length > 1 ? context.text(1, 'a pattern') : 'yyyy-MM-dd HH:mm:ss'
    const naive = parsePattern(context.source, pattern, text.sql, false, context.at)
    return context.make(`(epoch_us(${naive}) // 1000000)`, BIGINT, [text], {
      nullable: text.nullable,
      raises: true,
      uses: 10,
    })
  }
  const time = clock(context, value)
  // Towards zero, unlike unix_seconds.
  return context.make(`(epoch_us(${time.sql}) // 1000000)`, BIGINT, [time], { nullable: true })
}

export const EPOCHS: FunctionEntry[] = [
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
  ...made(),
]

/** make_timestamp(…) and its kin: 60 seconds are the next minute, as in Spark. */
function made(): FunctionEntry[] {
  const kinds: [suffix: string, type: T][] = [
    ['', TIMESTAMP],
    ['_ltz', TIMESTAMP],
    ['_ntz', { kind: 'timestamp_ntz' }],
  ]
  return kinds.flatMap(([suffix, type]) =>
    [false, true].map((attempt): FunctionEntry => {
      const name = `${attempt ? 'try_' : ''}make_timestamp${suffix}`
      return {
        name,
        category,
        signature: `${name}(year, month, day, hour, minute, second)`,
        description: `The timestamp${suffix === '_ntz' ? ' without a zone' : ''} of its parts; seconds may have six digits of fraction. ${attempt ? 'NULL' : 'An error'} if there is no such time.`,
        returns: textOf(type),
        args: [6, 7],
        compile: (context) => {
          if (context.args.length > 6)
            context.source.unsupported(`${name} with a zone`, context.at, 'Use to_utc_timestamp.')
          const parts = [0, 1, 2, 3, 4].map((i) => context.int(i))
          parts.push(context.as(5, { kind: 'decimal', precision: 16, scale: 6 }))
          const naive = `lf_make_timestamp${attempt ? '_try' : ''}(${parts.map((part) => part.sql).join(', ')})`
          return context.make(suffix === '_ntz' ? naive : `lf_instant(${naive})`, type, parts, {
            nullable: attempt || parts.some((part) => part.nullable),
            raises: true,
            uses: 6,
          })
        },
      }
    }),
  )
}
for (const [suffix, bad] of [
  ['', raise('DATETIME_FIELD_OUT_OF_BOUNDS')],
  ['_try', 'NULL'],
])
  macro(
    `lf_make_timestamp${suffix}(y, m, d, h, i, s)`,
    `CASE WHEN y IS NULL OR m IS NULL OR d IS NULL OR h IS NULL OR i IS NULL OR s IS NULL THEN NULL
      WHEN y NOT BETWEEN 1 AND 9999 THEN ${raise('UNSUPPORTED_VALUE')}
      WHEN m NOT BETWEEN 1 AND 12 OR d NOT BETWEEN 1 AND 31 OR h NOT BETWEEN 0 AND 23 OR i NOT BETWEEN 0 AND 59
        OR s NOT BETWEEN 0 AND 60 OR TRY_CAST(format('{:04d}-{:02d}-{:02d}', y, m, d) AS DATE) IS NULL THEN ${bad}
      ELSE make_timestamp(epoch_us(TRY_CAST(format('{:04d}-{:02d}-{:02d}', y, m, d) AS TIMESTAMP)) + (h * 60 + i) * 60000000::BIGINT + CAST(s * 1000000 AS BIGINT)) END`,
  )
