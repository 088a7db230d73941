// Literals: the number, date, timestamp or interval that Spark reads, checked while compiling.
import { fail } from '#core/errors.ts'

import type { Expr } from './ast.ts'
import { position } from './lexer.ts'
import { BIGINT, DATE, DOUBLE, INT, type T } from './types.ts'
import type { Source, Value } from './value.ts'

const RANGES: Record<string, [bits: bigint, type: T]> = {
  Y: [7n, { kind: 'tinyint' }],
  S: [15n, { kind: 'smallint' }],
  '': [31n, INT],
  L: [63n, BIGINT],
}

export function numberLiteral(source: Source, text: string, suffix: string, at: number): Value {
  const bad = (reason: string): never =>
    fail('sql_invalid', { reason, ...position(source.sql, at) })
  const exponent = /e/i.test(text)
  if (suffix === 'D' || suffix === 'F' || (suffix === '' && exponent)) {
    const number = suffix === 'F' ? Math.fround(Number(text)) : Number(text)
    if (!Number.isFinite(number)) bad(`The number ${text} is out of range.`)
    const type: T = suffix === 'F' ? { kind: 'float' } : DOUBLE
    return { ...source.literal(text, type, at), literal: number }
  }
  if (exponent) return source.unsupported('A decimal with an exponent', at)
  if (/^-?\d+$/.test(text) && suffix !== 'BD') {
    const value = BigInt(text)
    const fits = (bits: bigint) => value >= -(2n ** bits) && value < 2n ** bits
    const range = RANGES[suffix]!
    if (fits(range[0])) return integer(source, value, range[1], at)
    if (suffix !== '') return bad(`The number ${text}${suffix} is out of range.`)
    if (fits(63n)) return integer(source, value, BIGINT, at)
  } else if (suffix !== '' && suffix !== 'BD') return bad(`${text}${suffix} isn’t a whole number.`)
  const [, sign, whole, part = ''] = /^(-?)0*(\d*)\.?(\d*)$/.exec(text)!
  const precision = Math.max(whole!.length + part.length, part.length, 1)
  if (precision > 38) bad('A decimal has at most 38 digits.')
  const type: T = { kind: 'decimal', precision, scale: part.length }
  return source.literal(`${sign}${whole || '0'}${part ? `.${part}` : ''}`, type, at)
}

function integer(source: Source, value: bigint, type: T, at: number): Value {
  const literal = source.literal(String(value), type, at)
  return {
    ...literal,
    literal: Number.isSafeInteger(Number(value)) ? Number(value) : String(value),
  }
}

/** `X'48656C'`; an odd number of digits gets a 0 before it. */
export function binaryLiteral(source: Source, text: string, at: number): Value {
  if (!/^[0-9A-Fa-f]*$/.test(text))
    return fail('sql_invalid', {
      reason: `X'${text.slice(0, 40)}' isn’t hexadecimal.`,
      ...position(source.sql, at),
    })
  const sql = `unhex('${text.length % 2 ? '0' : ''}${text}')`
  return { ...source.make(sql, { kind: 'binary' }, [], { nullable: false, at }) }
}

/** `DATE '2024-01-31'`; month and day may be left out or short, as in Spark. */
export function dateLiteral(source: Source, text: string, at: number): Value {
  const found = /^(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?$/.exec(text.trim())
  const iso = found && isoDate(found[1]!, found[2] ?? '1', found[3] ?? '1')
  if (!iso)
    return fail('sql_invalid', {
      reason: `'${text.slice(0, 40)}' isn’t a date of the form yyyy-MM-dd.`,
      ...position(source.sql, at),
    })
  return source.literal(iso, DATE, at)
}

/** `TIMESTAMP '2024-01-31 10:00:00[.5][Z or +01:00]'`, without a zone in UTC. */
export function timestampLiteral(source: Source, word: string, text: string, at: number): Value {
  const found =
    /^(\d{4})(?:-(\d{1,2})(?:-(\d{1,2})(?:[ T](\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d{1,6}))?)?(Z|UTC|[+-]\d{2}:\d{2})?)?)?)?$/.exec(
      text.trim(),
    )
  const date = found && isoDate(found[1]!, found[2] ?? '1', found[3] ?? '1')
  const [hour, minute, second] = [4, 5, 6].map((part) => Number(found?.[part] ?? 0))
  if (!date || hour! > 23 || minute! > 59 || second! > 59)
    return fail('sql_invalid', {
      reason: `'${text.slice(0, 40)}' isn’t a timestamp of the form yyyy-MM-dd HH:mm:ss.`,
      ...position(source.sql, at),
    })
  const two = (value: number) => String(value).padStart(2, '0')
  const clock = `${date} ${two(hour!)}:${two(minute!)}:${two(second!)}.${(found[7] ?? '').padEnd(6, '0')}`
  const zone = found[8]
  if (word === 'TIMESTAMP_NTZ') {
    if (zone) source.unsupported('A TIMESTAMP_NTZ with a zone', at)
    return source.literal(clock, { kind: 'timestamp_ntz' }, at)
  }
  const offset = zone === undefined || zone === 'Z' || zone === 'UTC' ? '+00:00' : zone
  return source.literal(`${clock}${offset}`, { kind: 'timestamp' }, at)
}

function isoDate(year: string, month: string, day: string): string | undefined {
  const date = new Date(Date.UTC(2000, 0, 1))
  date.setUTCFullYear(Number(year), Number(month) - 1, Number(day))
  const same =
    Number(year) > 0 &&
    date.getUTCFullYear() === Number(year) &&
    date.getUTCMonth() === Number(month) - 1 &&
    date.getUTCDate() === Number(day)
  return same ? `${year}-${month.padStart(2, '0')}-${day.padStart(2, '0')}` : undefined
}

const MONTHS: Record<string, number> = { YEAR: 12, MONTH: 1 }
const MICROSECONDS: Record<string, number> = {
  WEEK: 604_800_000_000,
  DAY: 86_400_000_000,
  HOUR: 3_600_000_000,
  MINUTE: 60_000_000,
  SECOND: 1_000_000,
  MILLISECOND: 1000,
  MICROSECOND: 1,
}

/** An interval of literal numbers, as months or as microseconds: the two kinds that Spark keeps apart. */
export function intervalLiteral(source: Source, expr: Extract<Expr, { k: 'interval' }>): Value {
  let months = 0
  let micros = 0
  if (expr.to) return between(source, expr)
  for (const part of expr.parts) {
    const text =
      part.value.k === 'string'
        ? part.value.value.trim()
        : part.value.k === 'number' && part.value.suffix === ''
          ? part.value.text
          : source.unsupported(
              'An interval of computed length',
              expr.at,
              'Use timestampadd or date_add.',
            )
    const whole = /^[+-]?\d{1,9}$/.test(text)
    const seconds = part.unit === 'SECOND' && /^[+-]?\d{1,9}\.\d{1,6}$/.test(text)
    if (!whole && !seconds)
      return source.unsupported(`The interval '${text.slice(0, 40)}'`, expr.at)
    if (MONTHS[part.unit]) months += Number(text) * MONTHS[part.unit]!
    else micros += Math.round(Number(text) * MICROSECONDS[part.unit]!)
  }
  const isMonths = expr.parts.every((part) => MONTHS[part.unit])
  if (!isMonths && expr.parts.some((part) => MONTHS[part.unit]))
    return source.unsupported(
      'An interval of months and days',
      expr.at,
      'Add the two one after the other.',
    )
  return {
    sql: '',
    type: { kind: isMonths ? 'interval_month' : 'interval_day' },
    nullable: false,
    raises: false,
    from: [],
    literal: isMonths ? months : micros,
    at: expr.at,
    weight: 1,
  }
}

const PLACES = ['DAY', 'HOUR', 'MINUTE', 'SECOND']

/** `INTERVAL '1-2' YEAR TO MONTH`, `INTERVAL '1 02:03:04' DAY TO SECOND` and what lies between. */
function between(source: Source, expr: Extract<Expr, { k: 'interval' }>): Value {
  const part = expr.parts[0]!
  const text = part.value.k === 'string' ? part.value.value.trim() : ''
  const bad = (): never => source.unsupported(`The interval '${text.slice(0, 40)}'`, expr.at)
  const make = (kind: 'interval_month' | 'interval_day', literal: number): Value => ({
    ...source.literal('', { kind: 'void' }, expr.at),
    sql: '',
    type: { kind },
    nullable: false,
    literal,
  })
  if (part.unit === 'YEAR' && expr.to === 'MONTH') {
    const found = /^([+-]?)(\d{1,4})-(\d{1,2})$/.exec(text) ?? bad()
    if (Number(found[3]) > 11) bad()
    return make(
      'interval_month',
      (found[1] === '-' ? -1 : 1) * (Number(found[2]) * 12 + Number(found[3])),
    )
  }
  const [first, last] = [PLACES.indexOf(part.unit), PLACES.indexOf(expr.to!)]
  if (first < 0 || last <= first) return bad()
  const shape = PLACES.slice(first, last + 1)
    .map((unit) => (unit === 'SECOND' ? '(\\d{1,2}(?:\\.\\d{1,6})?)' : '(\\d{1,9})'))
    .join(':')
  const found =
    new RegExp(`^([+-]?)${first === 0 ? shape.replace(':', ' +') : shape}$`).exec(text) ?? bad()
  const numbers = found.slice(2).map(Number)
  // Hours up to 23, minutes and seconds up to 59, unless they come first.
  if (numbers.some((number, i) => i > 0 && number >= (PLACES[first + i] === 'HOUR' ? 24 : 60)))
    bad()
  const micros = numbers.reduce(
    (sum, number, i) => sum + Math.round(number * MICROSECONDS[PLACES[first + i]!]!),
    0,
  )
  return make('interval_day', found[1] === '-' ? -micros : micros)
}
