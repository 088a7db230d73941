// Dates and timestamps to text and back, by Java's patterns.
import type { Context, FunctionEntry } from '../catalogue.ts'
import { cast } from '../cast.ts'
import { formatPattern, parsePattern } from '../datetime.ts'
import { DATE, isTime, STRING, textOf, TIMESTAMP, type T } from '../types.ts'
import type { Value } from '../value.ts'
import { clock } from './date-parts.ts'

const category = 'date and time'

/** to_date and to_timestamp: with a pattern, or as a cast. */
const reading =
  (to: T, attempt: boolean) =>
  (context: Context): Value => {
    const value = context.arg(0)
    if (context.args.length === 1 || value.type.kind !== 'string')
      return { ...cast(context.source, value, to, attempt, context.at), nullable: true }
    const text = context.string(0)
    const letters = context.text(1, 'a pattern').replaceAll(/'[^']*'/g, '')
    if (to.kind === 'timestamp_ntz' && letters.includes('X'))
      context.source.unsupported('A zone in the pattern of a timestamp without one', context.at)
    const naive = parsePattern(
      context.source,
      context.text(1, 'a pattern'),
      text.sql,
      attempt,
      context.arg(1).at,
    )
    const sql =
      to.kind === 'date'
        ? `CAST(${naive} AS DATE)`
        : to.kind === 'timestamp'
          ? `lf_instant(${naive})`
          : naive
    return context.make(sql, to, [text], {
      nullable: attempt || text.nullable,
      raises: !attempt,
      uses: 2,
    })
  }

export function dateFormat(context: Context): Value {
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

export const DATE_TEXTS: FunctionEntry[] = [
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
    name: 'to_timestamp_ntz',
    category,
    signature: 'to_timestamp_ntz(text[, pattern])',
    description: 'The timestamp without a zone that a text says; an error if it says none.',
    returns: 'timestamp_ntz',
    args: [1, 2],
    compile: reading({ kind: 'timestamp_ntz' }, false),
  },
  {
    name: 'to_timestamp_ltz',
    category,
    signature: 'to_timestamp_ltz(text[, pattern])',
    description: 'As to_timestamp.',
    returns: 'timestamp',
    args: [1, 2],
    compile: reading(TIMESTAMP, false),
  },
  {
    name: 'to_char',
    aliases: ['to_varchar'],
    category,
    signature: 'to_char(timestamp, pattern)',
    description: 'A date or timestamp as text; same as date_format. Numbers have no patterns here.',
    returns: 'string',
    args: [2, 2],
    compile: (context) => {
      const x = context.arg(0)
      if (!isTime(x.type))
        context.source.unsupported(
          `${context.call.name} of ${textOf(x.type)}`,
          x.at,
          'Use format_number, or cast it to a decimal and that to string.',
        )
      return dateFormat(context)
    },
  },
]
