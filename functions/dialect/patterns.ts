// Patterns of LIKE and regular expressions. Spark's are Java's, DuckDB's are RE2's: a pattern is read here, checked against
// what both do alike, and printed anew; what differs is refused by name.
import { literalDuckdb } from '#core/names.ts'

import { raise } from './prelude.ts'
import { BOOLEAN } from './types.ts'
import type { Source, Value } from './value.ts'

/** The pattern and its ESCAPE as DuckDB text. @throws sql_type where Spark finds the pattern invalid */
export function likePattern(source: Source, pattern: string, escape: string, at: number): string {
  let printed = ''
  const chars = [...pattern]
  // Spark takes these characters apart and finds them nowhere.
  if (chars.some((char) => char.length > 1))
    source.unsupported('LIKE with a character beyond U+FFFF', at, 'Use contains or startswith.')
  for (let i = 0; i < chars.length; i++) {
    const char = chars[i]!
    if (char === escape) {
      const next = chars[++i]
      if (next === undefined || (next !== '_' && next !== '%' && next !== escape))
        return source.type('The LIKE pattern has an escape before an ordinary character', at)
      printed += next === '_' || next === '%' || next === '~' ? `~${next}` : next
    } else printed += char === '~' ? '~~' : char
  }
  return `${literalDuckdb(printed)} ESCAPE '~'`
}

export type Regex = {
  /** For DuckDB, as a quoted literal. */
  literal: string
  groups: number
  /** The text it stands for, if it has no meaning beyond its characters. */
  plain?: string
  /** It can match the empty text: then replacing and splitting differ between Java and RE2. */
  empty: boolean
  /** It has a $, which in Java also stands before a last line break. */
  dollar: boolean
  /**
   * `then`, or an error for a text that ends in a line break: there Java's $ has a second place that RE2 doesn't know.
   */
  guarded: (text: string, then: string) => string
  /** `s RLIKE pattern`. */
  matches: (text: Value) => Value
}

const TERMINATOR = '(?:\\r\\n|[\\n\\r\\x{85}\\x{2028}\\x{2029}])'
const NOT_TERMINATOR = '[^\\n\\r\\x{85}\\x{2028}\\x{2029}]'
const CLASSES: Record<string, string> = {
  d: '0-9',
  w: 'a-zA-Z0-9_',
  s: ' \\t\\n\\x{0b}\\f\\r',
}
const POSIX: Record<string, string> = {
  Alpha: 'a-zA-Z',
  Digit: '0-9',
  Alnum: 'a-zA-Z0-9',
  Upper: 'A-Z',
  Lower: 'a-z',
  Punct: '!-/:-@\\[-`{-~',
  Space: ' \\t\\n\\x{0b}\\f\\r',
  ASCII: '\\x{00}-\\x{7f}',
  XDigit: '0-9a-fA-F',
  Blank: ' \\t',
}

/**
 * Reads a Java pattern.
 * @throws sql_type if Java wouldn't take it either; sql_unsupported for what RE2 lacks or does otherwise
 */
export function regexLiteral(source: Source, pattern: string, at: number): Regex {
  let i = 0
  let groups = 0
  let dollar = false
  let spaces = true
  let insensitive = false
  let dotAll = false
  const chars = [...pattern]
  const refuse = (what: string): never => source.unsupported(`${what} in a regular expression`, at)
  const broken = (what: string): never =>
    source.type(`The regular expression is invalid: ${what}`, at)
  if (chars.length > 1000) refuse('More than 1000 characters')

  type Part = { text: string; empty: boolean }
  const letter = (char: string): string => {
    if (insensitive && /[a-zA-Z]/.test(char)) return `[${char.toLowerCase()}${char.toUpperCase()}]`
    return quoteChar(char)
  }

  const alternation = (depth: number): Part => {
    if (depth > 50) refuse('Nesting deeper than 50 groups')
    const flags = [insensitive, dotAll] as const
    const branches = [sequence(depth)]
    while (chars[i] === '|') {
      i++
      branches.push(sequence(depth))
    }
    ;[insensitive, dotAll] = flags
    return {
      text: branches.map((branch) => branch.text).join('|'),
      empty: branches.some((branch) => branch.empty),
    }
  }
  const sequence = (depth: number): Part => {
    let text = ''
    let empty = true
    while (i < chars.length && chars[i] !== '|' && chars[i] !== ')') {
      const part = quantified(depth)
      text += part.text
      empty &&= part.empty
    }
    return { text, empty }
  }
  const quantified = (depth: number): Part => {
    const start = i
    const part = atom(depth)
    const quantifier = readQuantifier()
    if (quantifier === undefined) return part
    if (part.text === '' || /^[\^$]|^\\[bBAz]/.test(chars.slice(start, start + 2).join('')))
      refuse('A quantifier after nothing or an anchor')
    if (chars[i] === '+') refuse('A possessive quantifier')
    let text = quantifier.text
    if (chars[i] === '?') {
      i++
      text += '?'
    }
    if (['*', '+', '?', '{'].includes(chars[i] ?? '')) broken('two quantifiers in a row')
    // Java and RE2 disagree on what a group holds that matched nothing again.
    if (part.empty && quantifier.many) refuse('A repeated part that can be empty')
    return { text: part.text + text, empty: part.empty || quantifier.zero }
  }
  const readQuantifier = (): { text: string; zero: boolean; many: boolean } | undefined => {
    const char = chars[i]
    if (char === '*' || char === '+' || char === '?') {
      i++
      return { text: char, zero: char !== '+', many: char !== '?' }
    }
    if (char !== '{') return undefined
    const found = /^\{(\d{1,4})(,(\d{0,4}))?\}/.exec(chars.slice(i, i + 12).join(''))
    if (!found) return broken('a { that is no quantifier')
    i += found[0].length
    const [low, high] = [Number(found[1]), found[3] ? Number(found[3]) : undefined]
    if (Math.max(low, high ?? 0) > 1000) refuse('More than 1000 repeats')
    if (high !== undefined && high < low) broken('a range that ends before it begins')
    return { text: found[0], zero: low === 0, many: found[2] !== undefined ? high !== 1 : low > 1 }
  }
  const atom = (depth: number): Part => {
    const char = chars[i++]!
    switch (char) {
      case '(':
        return group(depth)
      case '[':
        return { text: characterClass(), empty: false }
      case '.':
        return { text: dotAll ? '(?s:.)' : NOT_TERMINATOR, empty: false }
      case '^':
        return { text: '\\A', empty: true }
      case '$':
        dollar = true
        // \s+ before it takes a last line break with it, wherever Java's $ stands.
        spaces &&= /^\\s[+*]$/.test(chars.slice(Math.max(0, i - 4), i - 1).join(''))
        return { text: '\0', empty: true }
      case '*':
      case '+':
      case '?':
        return broken('a quantifier after nothing')
      case '{':
        return broken('a { after nothing')
      case '\\':
        return escape()
      default:
        return { text: letter(char), empty: false }
    }
  }
  const group = (depth: number): Part => {
    let open = '('
    if (chars[i] === '?') {
      const head = chars.slice(i, i + 40).join('')
      if (/^\?(?:[=!>]|<[=!])/.test(head)) refuse('Lookaround or an atomic group')
      const named = /^\?<([A-Za-z][A-Za-z0-9]*)>/.exec(head)
      const flags = /^\?([a-zA-Z]*)(-[a-zA-Z]+)?([:)])/.exec(head)
      if (named) {
        i += named[0].length
        groups++
      } else if (flags) {
        if (flags[2] || /[^is]/.test(flags[1]!)) refuse(`The flags (?${flags[1]}${flags[2] ?? ''})`)
        i += flags[0].length
        const before = [insensitive, dotAll] as const
        if (flags[1]!.includes('i')) insensitive = true
        if (flags[1]!.includes('s')) dotAll = true
        if (flags[3] === ')') {
          // Java lets a flag reach to the end of its group; only at the very start that is easy to say.
          return { text: '', empty: true }
        }
        open = '(?:'
        const inner = alternation(depth + 1)
        ;[insensitive, dotAll] = before
        if (chars[i++] !== ')') broken('a group that isn’t closed')
        return { text: `${open}${inner.text})`, empty: inner.empty }
      } else refuse('This kind of group')
    } else groups++
    const inner = alternation(depth + 1)
    if (chars[i++] !== ')') broken('a group that isn’t closed')
    return { text: `${open}${inner.text})`, empty: inner.empty }
  }
  /** One character of an escape such as \t or \x41; undefined for the others. */
  const escapedChar = (char: string): string | undefined => {
    const simple: Record<string, string> = {
      t: '\t',
      n: '\n',
      r: '\r',
      f: '\f',
      a: '\u0007',
      e: '\u001b',
    }
    if (simple[char]) return simple[char]
    if (char === 'x' || char === 'u') {
      const found = (char === 'x' ? /^[0-9A-Fa-f]{2}/ : /^[0-9A-Fa-f]{4}/).exec(
        chars.slice(i, i + 4).join(''),
      )
      if (!found) return refuse(`\\${char} without its digits`)
      const code = Number.parseInt(found[0], 16)
      if (code >= 0xd800 && code <= 0xdfff) refuse('Half of a Unicode character')
      i += found[0].length
      return String.fromCodePoint(code)
    }
    return /[A-Za-z0-9]/.test(char) ? undefined : char
  }
  const property = (negated: boolean): string => {
    const found = /^\{([A-Za-z]+)\}/.exec(chars.slice(i, i + 20).join(''))
    const range = found && POSIX[found[1]!]
    if (!range) return refuse(`\\${negated ? 'P' : 'p'}${found?.[0] ?? ''}`)
    i += found[0].length
    return range
  }
  const escape = (): Part => {
    const char = chars[i++]
    if (char === undefined) return broken('a backslash at its end')
    if (CLASSES[char]) return { text: `[${CLASSES[char]}]`, empty: false }
    const lower = char.toLowerCase()
    if (CLASSES[lower]) return { text: `[^${CLASSES[lower]}]`, empty: false }
    if (lower === 'p') {
      const negated = char === 'P'
      if (insensitive) refuse('\\p beside (?i)')
      return { text: `[${negated ? '^' : ''}${property(negated)}]`, empty: false }
    }
    if (char === 'A') return { text: '\\A', empty: true }
    if (char === 'z') return { text: '\\z', empty: true }
    if (char === 'Q') {
      const rest = chars.slice(i).join('')
      const end = rest.indexOf('\\E')
      const quoted = [...(end < 0 ? rest : rest.slice(0, end))]
      i += quoted.length + (end < 0 ? 0 : 2)
      if (readAhead()) refuse('A quantifier after \\E')
      return { text: quoted.map(letter).join(''), empty: quoted.length === 0 }
    }
    if (/[1-9k]/.test(char)) return refuse('A backreference')
    const plain = escapedChar(char)
    if (plain === undefined) return refuse(`\\${char}`)
    return { text: letter(plain), empty: false }
  }
  const readAhead = () => ['*', '+', '?', '{'].includes(chars[i] ?? '')
  const characterClass = (): string => {
    let text = ''
    const negated = chars[i] === '^'
    if (negated) i++
    let first = true
    for (;;) {
      let char = chars[i++]
      if (char === undefined) return broken('a class that isn’t closed')
      if (char === ']' && !first) break
      if (char === ']' || char === '[') refuse('A bracket inside a class')
      if (char === '&' && chars[i] === '&') refuse('&& inside a class')
      first = false
      if (char === '\\') {
        const next = chars[i++]
        if (next === undefined) return broken('a class that isn’t closed')
        if (CLASSES[next]) {
          text += CLASSES[next]
          if (chars[i] === '-' && chars[i + 1] !== ']') refuse('A range that begins with a class')
          continue
        }
        if (next === 'p') {
          text += property(false)
          continue
        }
        const plain = escapedChar(next)
        if (plain === undefined) return refuse(`\\${next} inside a class`)
        char = plain
      }
      if (chars[i] === '-' && chars[i + 1] !== ']' && chars[i + 1] !== undefined) {
        i++
        let end = chars[i++]!
        if (end === '[') refuse('A bracket inside a class')
        if (end === '\\') {
          const next = chars[i++] ?? broken('a class that isn’t closed')
          end = escapedChar(next) ?? refuse(`\\${next} inside a class`)
        }
        const [low, high] = [char.codePointAt(0)!, end.codePointAt(0)!]
        if (low > high) broken('a range that ends before it begins')
        text += `${hex(low)}-${hex(high)}`
        if (insensitive) text += otherCase(low, high)
      } else {
        const code = char.codePointAt(0)!
        text += hex(code)
        if (insensitive) text += otherCase(code, code)
      }
    }
    return `[${negated ? '^' : ''}${text}]`
  }

  const whole = alternation(0)
  if (i < chars.length) broken('a ) without its (')
  const atEnd = whole.text.indexOf('\0') === whole.text.length - 1 && !topLevelBar(whole.text)
  const end = (text: string) => literalDuckdb(whole.text.replaceAll('\0', text))
  const guard = !dollar
    ? ''
    : spaces
      ? '\\x{85}\\x{2028}\\x{2029}'
      : '\\n\\r\\x{85}\\x{2028}\\x{2029}'
  const guarded = (text: string, then: string) =>
    guard
      ? `CASE WHEN regexp_matches(${text}, '[${guard}]\\z') THEN ${raise('UNSUPPORTED_VALUE')} ELSE ${then} END`
      : then
  return {
    literal: end('\\z'),
    plain: /^(?:[^\\.[\]{}()*+?^$|]|\\[^A-Za-z0-9])+$/u.test(pattern)
      ? pattern.replace(/\\(.)/gu, '$1')
      : undefined,
    groups,
    empty: whole.empty,
    dollar,
    guarded,
    matches: (text) =>
      dollar && !atEnd
        ? source.make(
            guarded(text.sql, `regexp_matches(${text.sql}, ${end('\\z')})`),
            BOOLEAN,
            [text],
            {
              uses: 2,
              raises: true,
              at,
            },
          )
        : source.make(`regexp_matches(${text.sql}, ${end(`${TERMINATOR}?\\z`)})`, BOOLEAN, [text], {
            at,
          }),
  }
}

function topLevelBar(text: string): boolean {
  let depth = 0
  let inClass = false
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '\\') i++
    else if (inClass) inClass = text[i] !== ']'
    else if (text[i] === '[') inClass = true
    else if (text[i] === '(') depth++
    else if (text[i] === ')') depth--
    else if (text[i] === '|' && depth === 0) return true
  }
  return false
}

const hex = (code: number) => `\\x{${code.toString(16)}}`
const quoteChar = (char: string) =>
  /[A-Za-z0-9 _,:;@#%&='"<>/~`-]/.test(char) ? char : hex(char.codePointAt(0)!)

function otherCase(low: number, high: number): string {
  let text = ''
  for (const [from, to, shift] of [
    [65, 90, 32],
    [97, 122, -32],
  ] as const) {
    const [a, b] = [Math.max(low, from), Math.min(high, to)]
    if (a <= b) text += `${hex(a + shift)}-${hex(b + shift)}`
  }
  return text
}

/** Java's replacement text ($1, \$) as RE2's (\1). @throws sql_unsupported, sql_type */
export function replacement(source: Source, text: string, groups: number, at: number): string {
  let printed = ''
  for (let i = 0; i < text.length; i++) {
    const char = text[i]!
    if (char === '\\') {
      const next = text[++i]
      if (next === undefined) return source.type('The replacement ends in a backslash', at)
      printed += next === '\\' ? '\\\\' : next
    } else if (char === '$') {
      const digit = text[i + 1] ?? ''
      if (!/\d/.test(digit))
        return source.unsupported('A $ without a group’s number in a replacement', at)
      if (Number(digit) > groups) return source.type(`The pattern has no group ${digit}`, at)
      if (/\d/.test(text[i + 2] ?? '') && groups > 9)
        return source.unsupported('A group’s number beyond 9', at)
      printed += `\\${digit}`
      i++
    } else printed += char
  }
  return literalDuckdb(printed)
}
