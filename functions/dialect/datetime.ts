// Patterns of dates: a closed set of Java's letters, as DuckDB's format or as a regular expression that reads them.
import { literalDuckdb } from '#core/names.ts'

import { raise } from './prelude.ts'
import { once, type Source } from './value.ts'

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

/** A TIMESTAMP as text. @throws sql_unsupported for letters outside of the set */
export function formatPattern(source: Source, pattern: string, time: string, at: number): string {
  const format = pieces(source, pattern, at)
    .map((piece) => {
      if ('text' in piece) return piece.text.replaceAll('%', '%%')
      return (
        FORMATS[piece.letters] ??
        source.unsupported(
          `“${piece.letters}” in a date pattern`,
          at,
          `Letters: ${Object.keys(FORMATS).join(' ')}.`,
        )
      )
    })
    .join('')
  return `CASE WHEN year(${time}) BETWEEN 1 AND 9999 THEN strftime(${time}, ${literalDuckdb(format)}) WHEN ${time} IS NULL THEN NULL ELSE ${raise('UNSUPPORTED_VALUE')} END`
}

const READERS: Record<string, [part: keyof typeof PARTS, regex: string]> = {
  yyyy: ['year', '([0-9]{4})'],
  MM: ['month', '([0-9]{2})'],
  M: ['month', '([0-9]{1,2})'],
  dd: ['day', '([0-9]{2})'],
  d: ['day', '([0-9]{1,2})'],
  HH: ['hour', '([0-9]{2})'],
  H: ['hour', '([0-9]{1,2})'],
  mm: ['minute', '([0-9]{2})'],
  m: ['minute', '([0-9]{1,2})'],
  ss: ['second', '([0-9]{2})'],
  s: ['second', '([0-9]{1,2})'],
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
    if (
      (piece.letters.length === 1 || part === 'fraction') &&
      ((next && 'letters' in next) || (previous && 'letters' in previous))
    )
      return source.unsupported(`“${piece.letters}” beside other digits in a date pattern`, at)
    taken.add(part)
    regex += digits
    groups++
    group[part] = groups
    if (piece.letters.length === 1 || part === 'fraction') widths = undefined
    else if (widths) widths[part] = [place, piece.letters.length]
    place += piece.letters.length
  })
  // Without a year Spark counts from 1970; a day or month alone is unusual enough to be a mistake.
  if (!taken.has('year')) source.unsupported('A date pattern without yyyy', at)
  if (taken.has('day') && !taken.has('month'))
    source.unsupported('A date pattern with a day but no month', at)
  const bad = attempt ? 'NULL' : raise('CANNOT_PARSE_TIMESTAMP')
  const match = literalDuckdb(`\\A${regex}\\z`)
  // Spark reads years with a sign, too.
  const signedYear = literalDuckdb(regex.replace('([0-9]{4})', '[+-][0-9]{4,9}'))
  const failed = (sql: string) =>
    `CASE WHEN regexp_full_match(${sql}, ${signedYear}) THEN ${raise('UNSUPPORTED_VALUE')} ELSE ${bad} END`
  const stamp = (piece: (part: keyof typeof PARTS) => string, padded: boolean) => {
    const two = (part: keyof typeof PARTS) =>
      padded ? piece(part) : `lpad(${piece(part)}, 2, '0')`
    return `${piece('year')} || '-' || ${two('month')} || '-' || ${two('day')} || ' ' || ${two('hour')} || ':' || ${two('minute')} || ':' || ${two('second')} || '.' || ${piece('fraction')}`
  }
  const read = (text_: string, hour: string) =>
    // DuckDB would take 24:00:00.
    `coalesce(${group.hour === undefined ? '' : `CASE WHEN ${hour} < '24' THEN `}TRY_CAST(${text_} AS TIMESTAMP)${group.hour === undefined ? '' : ' END'}, ${bad})`
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
      `CASE WHEN ${x} IS NULL THEN NULL WHEN regexp_matches(${x}, ${match}) THEN list_transform([regexp_extract(${x}, ${match}, [${names}])], lambda lf_p: ${read(stamp(piece, false), hour)})[1] ELSE ${failed(x)} END`,
  )
}

/** Java's parser takes letters of the pattern's quoted text in either case. */
const letter = (char: string) =>
  /[A-Za-z]/.test(char) ? `[${char.toLowerCase()}${char.toUpperCase()}]` : char
