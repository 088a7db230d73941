// The batch's time, and clock readings in other zones than UTC.
import type { Context, FunctionEntry } from '../catalogue.ts'
import { MACROS, raise } from '../prelude.ts'
import { DATE, STRING, textOf, TIMESTAMP, type T } from '../types.ts'
import { literalDuckdb } from '#core/names.ts'

const category = 'date and time'
const { macro } = MACROS
const NAIVE: T = { kind: 'timestamp_ntz' }

// Set by the engine for each batch, so that a replay sees the same time.
macro('lf_now()', `coalesce(CAST(getvariable('lf_now') AS TIMESTAMPTZ), ${raise('NO_BATCH_TIME')})`)

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

/** A zone such as Europe/Berlin, written as a literal. @throws sql_unsupported */
function zoneOf(context: Context, index: number): string {
  const zone = context.text(index, 'a zone')
  if (!/^(?:UTC|[A-Z][A-Za-z]+\/[A-Z][A-Za-z_]+)$/.test(zone) || !knownZone(zone))
    context.source.unsupported(
      `The zone ${zone.slice(0, 40)}`,
      context.arg(index).at,
      'Write it as Europe/Berlin.',
    )
  return zone
}

// Of a clock reading that comes twice Java takes the first; DuckDB the second. Clocks were put back by 30 minutes to 3 hours.
const BACK = [180, 120, 60, 40, 30, 20]
macro(
  'lf_at_zone(zone, t)',
  `CASE WHEN t < TIMESTAMP '1900-01-01' THEN ${raise('UNSUPPORTED_VALUE')} ${BACK.map(
    (minutes) =>
      `WHEN timezone(zone, timezone(zone, t) - to_minutes(${minutes})) = t THEN timezone(zone, t) - to_minutes(${minutes})`,
  ).join(' ')} ELSE timezone(zone, t) END`,
)

function knownZone(zone: string): boolean {
  try {
    return Boolean(new Intl.DateTimeFormat('en', { timeZone: zone }))
  } catch {
    return false
  }
}

export const ZONES: FunctionEntry[] = [
  now('current_timestamp', ['now'], TIMESTAMP, 'lf_now()'),
  now('current_date', ['curdate'], DATE, 'CAST(lf_naive(lf_now()) AS DATE)'),
  {
    name: 'from_utc_timestamp',
    category,
    signature: "from_utc_timestamp(timestamp, 'zone')",
    description: 'The clock reading in a zone such as Europe/Berlin, as a timestamp.',
    returns: 'timestamp',
    args: [2, 2],
    compile: (context) => {
      const time = context.as(0, TIMESTAMP)
      const zone = zoneOf(context, 1)
      return context.make(`lf_instant(timezone(${literalDuckdb(zone)}, ${time.sql}))`, TIMESTAMP, [
        time,
      ])
    },
  },
  {
    name: 'to_utc_timestamp',
    category,
    signature: "to_utc_timestamp(timestamp, 'zone')",
    description:
      'The instant of a clock reading in a zone such as Europe/Berlin; of one that comes twice the first.',
    returns: 'timestamp',
    args: [2, 2],
    compile: (context) => {
      const time = context.as(0, TIMESTAMP)
      const zone = zoneOf(context, 1)
      return context.make(
        `lf_at_zone(${literalDuckdb(zone)}, lf_naive(${time.sql}))`,
        TIMESTAMP,
        [time],
        { raises: true, uses: 20 },
      )
    },
  },
  {
    name: 'convert_timezone',
    category,
    signature: "convert_timezone(['from_zone', ]'to_zone', timestamp_ntz)",
    description: 'A clock reading of one zone (UTC) as that of another.',
    returns: 'timestamp_ntz',
    args: [2, 3],
    compile: (context) => {
      const last = context.args.length - 1
      const time = context.as(last, NAIVE)
      const [from, to] = [last === 2 ? zoneOf(context, 0) : 'UTC', zoneOf(context, last - 1)]
      return context.make(
        `timezone(${literalDuckdb(to)}, lf_at_zone(${literalDuckdb(from)}, ${time.sql}))`,
        NAIVE,
        [time],
        { raises: true, uses: 20 },
      )
    },
  },
  now('localtimestamp', [], NAIVE, 'lf_naive(lf_now())'),
  {
    name: 'current_timezone',
    category,
    signature: 'current_timezone()',
    description: 'The session’s zone: always UTC.',
    returns: 'string',
    args: [0, 0],
    compile: (context) => context.source.literal('UTC', STRING, context.at),
  },
]
