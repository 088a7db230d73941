// Databricks SQL as tokens, after Spark's own lexer: its literals, escapes, comments and identifiers, nothing more lenient.
import { fail } from '#core/errors.ts'

export type Token = {
  kind: 'word' | 'quoted' | 'number' | 'string' | 'op' | 'end'
  /** Words as written; quoted names and strings without quotes and escapes; numbers with their suffix. */
  text: string
  /** Offset of the first character in the SQL. */
  at: number
  /** Only words: upper case, for keywords. */
  upper: string
}

/** Longer texts are machine-made or hostile; the limit keeps a save quick. In characters. */
export const MAX_SQL_LENGTH = 200_000

const WORD = /[A-Za-z_][A-Za-z0-9_]*/y
const NUMBER = /(?:\d+\.\d*|\.\d+|\d+)(?:[eE][+-]?\d+)?(?:BD|bd|Bd|bD|[LSYFDlsyfd])?/y
// A comment goes on after a backslash at the line's end, as in Spark.
const SPACE = /(?:[ \t\r\n\f]+|--(?:\\\n|[^\r\n])*)+/y
const OPERATORS = ['<=>', '>>>', '->', '::', '<=', '>=', '<>', '!=', '==', '||', '<<', '>>', '=>']
const SINGLE = new Set('()[],.+-*/%=<>!~&^|:;?'.split(''))

/**
 * The tokens of a text, ending with one of kind `end`.
 * @throws sql_invalid for an unterminated string, name or comment, or a character that SQL doesn't know
 */
export function tokenize(sql: string): Token[] {
  if (sql.length > MAX_SQL_LENGTH)
    fail('sql_invalid', {
      reason: `The text has ${sql.length} characters; at most ${MAX_SQL_LENGTH} are read.`,
      line: 1,
      column: 1,
    })
  const tokens: Token[] = []
  let at = 0
  const bad = (reason: string, where = at): never =>
    fail('sql_invalid', { reason, ...position(sql, where) })
  const push = (kind: Token['kind'], text: string, start: number) =>
    tokens.push({ kind, text, at: start, upper: kind === 'word' ? text.toUpperCase() : '' })

  for (;;) {
    at = skipSpace(sql, at, bad)
    if (at >= sql.length) break
    const start = at
    const char = sql[at]!
    if ((char === 'r' || char === 'R') && (sql[at + 1] === "'" || sql[at + 1] === '"')) {
      const end = sql.indexOf(sql[at + 1]!, at + 2)
      if (end < 0) bad('The string is not closed.')
      push('string', sql.slice(at + 2, end), start)
      at = end + 1
    } else if (char === "'" || char === '"') {
      const { text, end } = readString(sql, at, bad)
      push('string', text, start)
      at = end
    } else if (char === '`') {
      const found =
        match(/`((?:[^`]|``)+)`/y, sql, at) ?? bad('The name in backticks is not closed.')
      const name = found.slice(1, -1).replaceAll('``', '`')
      if (name.includes('\0')) bad('A name holds a NUL character.')
      push('quoted', name, start)
      at += found.length
    } else if (/[0-9]/.test(char) || (char === '.' && /[0-9]/.test(sql[at + 1] ?? ''))) {
      const found = match(NUMBER, sql, at)!
      at += found.length
      if (/[A-Za-z0-9_]/.test(sql[at] ?? ''))
        bad('A name that begins with a digit needs backticks.', start)
      push('number', found, start)
    } else if (/[A-Za-z_]/.test(char)) {
      const found = match(WORD, sql, at)!
      at += found.length
      push('word', found, start)
    } else {
      const op = OPERATORS.find((each) => sql.startsWith(each, at)) ?? char
      if (op.length === 1 && !SINGLE.has(op))
        bad(
          /[\p{L}\p{N}$@]/u.test(String.fromCodePoint(sql.codePointAt(at)!))
            ? 'A name with other characters than A-Z, a-z, 0-9 and _ needs backticks.'
            : `The character ${describe(sql.codePointAt(at)!)} has no meaning here.`,
        )
      push('op', op, start)
      at += op.length
    }
  }
  push('end', '', sql.length)
  return tokens
}

/** Line and column, both from 1, of an offset. */
export function position(sql: string, at: number): { line: number; column: number } {
  const before = sql.slice(0, at)
  const line = before.split('\n').length
  return { line, column: at - (before.lastIndexOf('\n') + 1) + 1 }
}

/** The same for errors whose `column` is a column's name. */
export function place(sql: string, at: number): { line: number; line_column: number } {
  const { line, column } = position(sql, at)
  return { line, line_column: column }
}

function skipSpace(sql: string, from: number, bad: (reason: string, at?: number) => never): number {
  let at = from
  for (;;) {
    at += match(SPACE, sql, at)?.length ?? 0
    if (!sql.startsWith('/*', at)) return at
    // A hint looks like a comment to us, but Spark would obey it.
    if (sql[at + 2] === '+') bad('Hints are not read; leave /*+ … */ out.', at)
    // Spark's comments nest.
    let depth = 0
    let end = at
    do {
      const open = sql.indexOf('/*', end)
      const close = sql.indexOf('*/', end)
      if (close < 0) bad('The comment is not closed.', at)
      if (open >= 0 && open < close) {
        depth++
        end = open + 2
      } else {
        depth--
        end = close + 2
      }
    } while (depth > 0)
    at = end
  }
}

/** Reads a string with Spark's escapes: `\%` and `\_` keep their backslash (LIKE needs it), a doubled quote is one. */
function readString(
  sql: string,
  from: number,
  bad: (reason: string, at?: number) => never,
): { text: string; end: number } {
  const quote = sql[from]!
  let text = ''
  let at = from + 1
  for (;;) {
    const char = sql[at]
    if (char === undefined) return bad('The string is not closed.', from)
    if (char === quote) {
      if (sql[at + 1] !== quote) break
      text += quote
      at += 2
    } else if (char !== '\\') {
      text += char
      at++
    } else {
      const short = match(/\\u[0-9A-Fa-f]{4}/y, sql, at)
      const long = match(/\\U[0-9A-Fa-f]{8}/y, sql, at)
      const octal = match(/\\[01][0-7][0-7]/y, sql, at)
      if (short || long) {
        const code = Number.parseInt((short ?? long)!.slice(2), 16)
        if (code > 0x10ffff) bad('The escape is beyond Unicode.', at)
        text += short ? String.fromCharCode(code) : String.fromCodePoint(code)
        at += (short ?? long)!.length
      } else if (octal) {
        text += String.fromCharCode(Number.parseInt(octal.slice(1), 8))
        at += 4
      } else {
        const next = sql[at + 1]
        if (next === undefined) return bad('The string is not closed.', from)
        text += ESCAPES[next] ?? next
        at += 2
      }
    }
  }
  if (text.includes('\0')) bad('A string holds a NUL character.', from)
  if (/\p{Surrogate}/u.test(text)) bad('A string holds half of a Unicode character.', from)
  return { text, end: at + 1 }
}

const ESCAPES: Record<string, string> = {
  '0': '\0',
  b: '\b',
  n: '\n',
  r: '\r',
  t: '\t',
  Z: '\u001a',
  '%': '\\%',
  _: '\\_',
}

function match(pattern: RegExp, text: string, at: number): string | undefined {
  pattern.lastIndex = at
  return pattern.exec(text)?.[0]
}

function describe(code: number): string {
  return code < 33 ? `U+${code.toString(16).padStart(4, '0')}` : `“${String.fromCodePoint(code)}”`
}
