// Patterns of dates: a closed set of Java's letters, as DuckDB's format or as a regular expression that reads them.
import { literalDuckdb } from '#core/names.ts'

import { MACROS, raise } from './prelude.ts'
import { once, type Source } from './value.ts'

const { macro } = MACROS
type Piece = { letters: string } | { text: string }

/** Splits a pattern into letters and literal text. @throws sql_unsupported */
function pieces(source: Source, pattern: string, at: number): Piece[] {
  const found: Piece[] = []
  const token = /([A-Za-z])\1*|'((?:[^']|'')*)'|[^A-Za-z']/gy
  let end = 0
  for (let match = token.exec(pattern); match; match = token.exec(pattern)) {
    end = token.lastIndex
    if (match[1]) found.push({ letters: match[0] })
    else if (match[2] !== undefined)
      found.push({ text: match[2] === '' ? "'" : match[2].replaceAll("''", "'") })
    // Brackets, braces and # have a meaning of their own.
    else if ('[]{}#'.includes(match[0]))
      return source.unsupported(`“${match[0]}” in a date pattern`, at)
    else found.push({ text: match[0] })
  }
  if (end < pattern.length || pattern === '')
    return source.unsupported('A date pattern of this form', at)
  return found
}

const FORMATS: Record<string, string> = {
  yyyy: '%Y',
  yy: '%y',
  MM: '%m',
  M: '%-m',
  MMM: '%b',
  MMMM: '%B',
  L: '%-m',
  LL: '%m',
  LLL: '%b',
  LLLL: '%B',
  dd: '%d',
  d: '%-d',
  E: '%a',
  EE: '%a',
  EEE: '%a',
  EEEE: '%A',
  HH: '%H',
  H: '%-H',
  hh: '%I',
  h: '%-I',
  a: '%p',
  mm: '%M',
  m: '%-M',
  ss: '%S',
  s: '%-S',
  SSS: '%g',
  SSSSSS: '%f',
  DDD: '%j',
}

// What strftime doesn't know; `t` is a TIMESTAMP of the years 1 to 9999. The session's zone is UTC.
const PRINTERS: Record<string, (t: string) => string> = {
  y: (t) => `CAST(year(${t}) AS VARCHAR)`,
  Q: (t) => `CAST(quarter(${t}) AS VARCHAR)`,
  QQ: (t) => `'0' || CAST(quarter(${t}) AS VARCHAR)`,
  D: (t) => `CAST(dayofyear(${t}) AS VARCHAR)`,
  k: (t) => `CAST((hour(${t}) + 23) % 24 + 1 AS VARCHAR)`,
  kk: (t) => `lpad(CAST((hour(${t}) + 23) % 24 + 1 AS VARCHAR), 2, '0')`,
  K: (t) => `CAST(hour(${t}) % 12 AS VARCHAR)`,
  KK: (t) => `lpad(CAST(hour(${t}) % 12 AS VARCHAR), 2, '0')`,
  X: () => "'Z'",
  XXX: () => "'Z'",
  xxx: () => "'+00:00'",
  Z: () => "'+0000'",
  VV: () => "'UTC'",
  z: () => "'UTC'",
  G: () => "'AD'",
}
for (const digits of [1, 2, 4, 5])
  PRINTERS['S'.repeat(digits)] = (t) => `left(strftime(${t}, '%f'), ${digits})`

/** A TIMESTAMP as text. @throws sql_unsupported for letters outside of the set */
export function formatPattern(source: Source, pattern: string, time: string, at: number): string {
  const parts: (string | { format: string })[] = []
  for (const piece of pieces(source, pattern, at)) {
    const letters = 'letters' in piece ? piece.letters : ''
    const own = PRINTERS[letters]
    if (own) {
      parts.push(own(time))
      continue
    }
    const format =
      'text' in piece
        ? piece.text.replaceAll('%', '%%')
        : (FORMATS[letters] ??
          source.unsupported(
            `“${letters}” in a date pattern`,
            at,
            `Letters: ${[...Object.keys(FORMATS), ...Object.keys(PRINTERS)].join(' ')}.`,
          ))
    const last = parts.at(-1)
    if (typeof last === 'object') last.format += format
    else parts.push({ format })
  }
  const text = parts
    .map((part) =>
      typeof part === 'string' ? part : `strftime(${time}, ${literalDuckdb(part.format)})`,
    )
    .join(' || ')
  return `CASE WHEN year(${time}) BETWEEN 1 AND 9999 THEN ${text} WHEN ${time} IS NULL THEN NULL ELSE ${raise('UNSUPPORTED_VALUE')} END`
}

const MONTHS = 'jan feb mar apr may jun jul aug sep oct nov dec'.split(' ')
const LONG_MONTHS =
  'january february march april may june july august september october november december'.split(' ')
macro(
  'lf_month_number(s)',
  `lpad(CAST(strpos('${MONTHS.join('')}', left(lower(s), 3)) // 3 + 1 AS VARCHAR), 2, '0')`,
)
// Hours from 1 to 12 and half of the day; what else there is becomes 99, which no clock has.
macro(
  'lf_hour_of(h, half)',
  `CASE WHEN h::INTEGER BETWEEN 1 AND 12 THEN lpad(CAST(h::INTEGER % 12 + CASE WHEN lower(half) = 'pm' THEN 12 ELSE 0 END AS VARCHAR), 2, '0') ELSE '99' END`,
)
// Minutes east of UTC; beyond 18 hours there is no zone.
macro(
  'lf_offset(z)',
  `CASE WHEN upper(z) = 'Z' THEN 0 WHEN abs(replace(z, ':', '')::INTEGER) > 1800 THEN NULL
    ELSE (CASE WHEN z[1] = '-' THEN -1 ELSE 1 END) * (z[2:3]::INTEGER * 60 + lf_or(replace(z[4:], ':', ''), '0')::INTEGER) END`,
)

const READERS: Record<string, [part: keyof typeof PARTS, regex: string]> = {
  yyyy: ['year', '([0-9]{4})'],
  yy: ['year', '([0-9]{2})'],
  MM: ['month', '([0-9]{2})'],
  M: ['month', '([0-9]{1,2})'],
  MMM: ['month', `((?i:${MONTHS.join('|')}))`],
  MMMM: ['month', `((?i:${LONG_MONTHS.join('|')}))`],
  hh: ['hour', '([0-9]{2})'],
  h: ['hour', '([0-9]{1,2})'],
  a: ['half', '((?i:am|pm))'],
  X: ['zone', '([Zz]|[+-][0-9]{2}(?:[0-9]{2})?)'],
  XXX: ['zone', '([Zz]|[+-][0-9]{2}:[0-9]{2})'],
  dd: ['day', '([0-9]{2})'],
  d: ['day', '([0-9]{1,2})'],
  HH: ['hour', '([0-9]{2})'],
  H: ['hour', '([0-9]{1,2})'],
  mm: ['minute', '([0-9]{2})'],
  m: ['minute', '([0-9]{1,2})'],
  ss: ['second', '([0-9]{2})'],
  s: ['second', '([0-9]{1,2})'],
  S: ['fraction', '([0-9])'],
  SSS: ['fraction', '([0-9]{1,3})'],
  SSSSSS: ['fraction', '([0-9]{1,6})'],
}
const PARTS = {
  year: '1970',
  month: '01',
  day: '01',
  hour: '00',
  minute: '00',
  second: '00',
  fraction: '0',
  half: 'am',
  zone: 'Z',
}

/**
 * A text read by a pattern, as DuckDB TIMESTAMP; NULL instead of an error if `attempt`.
 * @throws sql_unsupported for letters outside of the set
 */
export function parsePattern(
  source: Source,
  pattern: string,
  text: string,
  attempt: boolean,
  at: number,
): string {
  let regex = ''
  let groups = 0
  let place = 1
  let widths: Partial<Record<keyof typeof PARTS, [from: number, length: number]>> | undefined = {}
  const group: Partial<Record<keyof typeof PARTS, number>> = {}
  const taken = new Set<string>()
  const written = new Map<keyof typeof PARTS, string>()
  const split = pieces(source, pattern, at)
  split.forEach((piece, i) => {
    if ('text' in piece) {
      place += [...piece.text].length
      regex += [...piece.text]
        .map((char) =>
          /[A-Za-z0-9]/.test(char) ? letter(char) : `\\x{${char.codePointAt(0)!.toString(16)}}`,
        )
        .join('')
      return
    }
    const reader = READERS[piece.letters]
    if (!reader)
      return source.unsupported(
        `“${piece.letters}” in a date pattern`,
        at,
        `Letters: ${Object.keys(READERS).join(' ')}.`,
      )
    const [part, digits] = reader
    if (taken.has(part)) return source.unsupported(`Two ${part}s in a date pattern`, at)
    const next = split[i + 1]
    const previous = split[i - 1]
    const isText = part === 'half' || piece.letters.startsWith('MMM')
    if (
      !isText &&
      part !== 'zone' &&
      (piece.letters.length === 1 || part === 'fraction') &&
      ((next && 'letters' in next) || (previous && 'letters' in previous))
    )
      return source.unsupported(`“${piece.letters}” beside other digits in a date pattern`, at)
    taken.add(part)
    written.set(part, piece.letters)
    regex += digits
    groups++
    group[part] = groups
    const width = part === 'half' ? 2 : piece.letters.length
    const isFixed = part === 'half' || (width > 1 && part !== 'fraction' && part !== 'zone')
    if (!isFixed || piece.letters === 'MMMM') widths = undefined
    else if (widths) widths[part] = [place, width]
    place += width
  })
  // Without a year Spark counts from 1970; a day or month alone is unusual enough to be a mistake.
  if (!taken.has('year')) source.unsupported('A date pattern without yyyy', at)
  if (taken.has('day') && !taken.has('month'))
    source.unsupported('A date pattern with a day but no month', at)
  const halves = written.get('hour')?.startsWith('h') === true
  if (halves !== taken.has('half'))
    source.unsupported('A date pattern with one of h and a alone', at, 'Write hh:mm a, or HH:mm.')
  const bad = attempt ? 'NULL' : raise('CANNOT_PARSE_TIMESTAMP')
  const match = literalDuckdb(`\\A${regex}\\z`)
  // Spark reads years with a sign, too.
  const signedYear = literalDuckdb(regex.replace('([0-9]{4})', '[+-][0-9]{4,9}'))
  const failed = (sql: string) =>
    `CASE WHEN regexp_full_match(${sql}, ${signedYear}) THEN ${raise('UNSUPPORTED_VALUE')} ELSE ${bad} END`
  const stamp = (raw: (part: keyof typeof PARTS) => string, padded: boolean) => {
    const piece = (part: keyof typeof PARTS) =>
      part === 'year' && written.get('year') === 'yy'
        ? `'20' || ${raw('year')}`
        : part === 'month' && written.get('month')?.startsWith('MMM')
          ? `lf_month_number(${raw('month')})`
          : part === 'hour' && halves
            ? `lf_hour_of(${raw('hour')}, ${raw('half')})`
            : raw(part)
    const two = (part: keyof typeof PARTS) =>
      padded ? piece(part) : `lpad(${piece(part)}, 2, '0')`
    return `${piece('year')} || '-' || ${two('month')} || '-' || ${two('day')} || ' ' || ${two('hour')} || ':' || ${two('minute')} || ':' || ${two('second')} || '.' || ${piece('fraction')}`
  }
  const read = (text_: string, hour: string, zone?: string) =>
    // DuckDB would take 24:00:00.
    `coalesce(${group.hour === undefined ? '' : `CASE WHEN ${hour} < '24' THEN `}TRY_CAST(${text_} AS TIMESTAMP)${zone === undefined ? '' : ` - to_minutes(lf_offset(${zone}))`}${group.hour === undefined ? '' : ' END'}, ${bad})`
  if (widths) {
    // All parts have their place: no need to let the expression find them.
    const at_ = widths
    return once(text, (x) => {
      const piece = (part: keyof typeof PARTS) =>
        at_[part] ? `substring(${x}, ${at_[part][0]}, ${at_[part][1]})` : `'${PARTS[part]}'`
      return `CASE WHEN ${x} IS NULL THEN NULL WHEN regexp_matches(${x}, ${match}) THEN ${read(stamp(piece, true), piece('hour'))} ELSE ${failed(x)} END`
    })
  }
  const names = Array.from({ length: groups }, (_, i) => `'p${i + 1}'`).join(', ')
  const piece = (part: keyof typeof PARTS) =>
    group[part] === undefined ? `'${PARTS[part]}'` : `lf_p.p${group[part]}`
  const hour = `lpad(${piece('hour')}, 2, '0')`
  return once(
    text,
    (x) =>
      `CASE WHEN ${x} IS NULL THEN NULL WHEN regexp_matches(${x}, ${match}) THEN list_transform([regexp_extract(${x}, ${match}, [${names}])], lambda lf_p: ${read(stamp(piece, false), hour, taken.has('zone') ? piece('zone') : undefined)})[1] ELSE ${failed(x)} END`,
  )
}

/** Java's parser takes letters of the pattern's quoted text in either case. */
const letter = (char: string) =>
  /[A-Za-z]/.test(char) ? `[${char.toLowerCase()}${char.toUpperCase()}]` : char
