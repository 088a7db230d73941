// Comparing, masking and formatting text.
import type { Context, FunctionEntry } from '../catalogue.ts'
import { cast } from '../cast.ts'
import { whole } from '../operators.ts'
import { MACROS, raise } from '../prelude.ts'
import {
  asDecimal,
  BOOLEAN,
  INT,
  isIntegral,
  loose,
  STRING,
  textOf,
  type Decimal,
} from '../types.ts'
import type { Value } from '../value.ts'
import { literalDuckdb } from '#core/names.ts'

const category = 'string'
const { macro } = MACROS
const STOP = raise('UNSUPPORTED_VALUE')

// DuckDB counts the bytes that differ, Spark the characters.
macro(
  'lf_levenshtein(s, t)',
  `CASE WHEN strlen(s) = length(s) AND strlen(t) = length(t) THEN CAST(levenshtein(s, t) AS INTEGER)
    WHEN s IS NULL OR t IS NULL THEN NULL ELSE ${STOP} END`,
)
// Letters as digits of their sound; H and W are left out, what is no letter parts two sounds like a vowel.
const SOUNDS = "translate(s, 'AEIOUYBFPVCGJKQSXZDTLMNRHW', '000000111122222222334556')"
macro('lf_sounds(s)', SOUNDS)
macro('lf_letters(s)', "upper(regexp_replace(s, '[^A-Za-z]', '0', 'g'))")
macro(
  'lf_soundex(s)',
  `CASE WHEN regexp_matches(s, '^[A-Za-z]') THEN rpad(upper(s[1]) || left(array_to_string(list_transform(
      [list_concat([CASE WHEN s[1] IN ('h', 'H', 'w', 'W') THEN '7' ELSE lf_sounds(upper(s[1])) END], string_split(lf_sounds(lf_letters(s[2:])), ''))],
      lambda lf_q: list_filter(lf_q, lambda lf_v, lf_i: lf_i > 1 AND lf_v NOT IN ('0', '') AND lf_v <> lf_q[lf_i - 1]))[1], ''), 3), 4, '0')
    ELSE s END`,
)
macro(
  'lf_overlay(s, r, p, n)',
  `lf_substring(s, 1, p - 1) || r || lf_substring(s, p + CASE WHEN n < 0 THEN length(r) ELSE n END, 2147483647)`,
)
macro(
  'lf_luhn(s)',
  `CASE WHEN s IS NULL THEN NULL WHEN regexp_full_match(s, '[0-9]+') THEN list_sum(list_transform(list_reverse(string_split(s, '')),
    lambda lf_v, lf_i: CASE WHEN lf_i % 2 = 1 THEN lf_v::INTEGER WHEN lf_v >= '5' THEN lf_v::INTEGER * 2 - 9 ELSE lf_v::INTEGER * 2 END)) % 10 = 0
    ELSE false END`,
)

const UPPER = 'A-ZÀ-ÖØ-Þ'
const LOWER = 'a-zªµºß-öø-ÿ'
// Characters of which Java and we agree what they are, with those that stand for the masked ones for a moment.
macro(
  'lf_maskable(s)',
  `CASE WHEN regexp_matches(s, '[^\\x{01}-\\x{ff}\\p{Han}\\p{Hiragana}\\p{Katakana}\\p{Hangul}]') OR regexp_matches(s, '[\\x{10000}-\\x{10ffff}]')
    THEN ${STOP} ELSE s END`,
)

function mask(context: Context): Value {
  const text = context.string(0)
  // The letters of upper case, lower case, digits and the rest; NULL leaves them as they are.
  const by = ['X', 'x', 'n', null].map((otherwise, i): string | null => {
    if (context.args.length <= i + 1) return otherwise
    const given = context.arg(i + 1)
    if (given.type.kind === 'void' || given.literal === null) return null
    const char = context.text(i + 1, 'a character')
    return [...char].length === 1
      ? char
      : context.source.type('mask takes single characters', given.at)
  })
  const classes = [`[${UPPER}]`, `[${LOWER}]`, '[0-9]', `[^${UPPER}${LOWER}0-9\\x{e000}-\\x{e003}]`]
  const place = (i: number) => String.fromCharCode(0xe000 + i)
  let sql = `lf_maskable(${text.sql})`
  by.forEach((char, i) => {
    if (char !== null)
      sql = `regexp_replace(${sql}, '${classes[i]}', ${literalDuckdb(place(i))}, 'g')`
  })
  const used = by.flatMap((char, i) => (char === null ? [] : [i]))
  if (used.length)
    sql = `translate(${sql}, ${literalDuckdb(used.map(place).join(''))}, ${literalDuckdb(used.map((i) => by[i]).join(''))})`
  return context.make(sql, STRING, [text], { raises: true, uses: 4 })
}

/** A number with commas and a fixed count of digits behind the point, rounded half to even. */
function formatNumber(context: Context): Value {
  const given = context.arg(0)
  if (!isIntegral(given.type) && given.type.kind !== 'decimal')
    context.source.unsupported(
      `format_number of ${textOf(given.type)}`,
      given.at,
      'Cast it to decimal.',
    )
  const d = context.whole(1, 'a number of digits')
  const x = cast(context.source, given, asDecimal(given.type))
  const { precision, scale } = x.type as Decimal
  if (d < 0 || d > 18 || precision + Math.max(0, d - scale) > 37)
    context.source.unsupported(`format_number of ${textOf(x.type)} to ${d} digits`, context.at)
  const unit = `1${'0'.repeat(Math.abs(scale - d))}::HUGEINT`
  const plain = `abs(${whole(x)}::HUGEINT)`
  const digits = d < scale ? `lf_half_even(${plain}, ${unit})` : `${plain} * ${unit}`
  const one = `1${'0'.repeat(d)}::HUGEINT`
  const part = d > 0 ? ` || '.' || lpad(CAST(lf_n % ${one} AS VARCHAR), ${d}, '0')` : ''
  // Groups of three digits from the end.
  const grouped = `reverse(regexp_replace(reverse(CAST(lf_n // ${one} AS VARCHAR)), '([0-9]{3})', '\\1,', 'g'))`
  return context.make(
    `CASE WHEN ${x.sql} < 0 THEN '-' ELSE '' END || list_transform([${digits}], lambda lf_n: ltrim(${grouped}, ',')${part})[1]`,
    STRING,
    [x],
    { nullable: true, uses: 4 },
  )
}

/** Java's format, as far as %s and %d go. */
function formatString(context: Context): Value {
  const { source } = context
  const format = context.text(0, 'a format')
  const parts: string[] = []
  const used: Value[] = []
  let next = 1
  let end = 0
  const token = /%(?:(\d+)\$)?([-0]?)(\d*)([sdn%])|[^%]+/gy
  for (let match = token.exec(format); match; match = token.exec(format)) {
    end = token.lastIndex
    const [text, index, flag, width, kind] = match
    if (kind === undefined) parts.push(literalDuckdb(text))
    else if (kind === '%' || kind === 'n') {
      if (text.length > 2) source.unsupported(`${text} in a format`, context.at)
      parts.push(literalDuckdb(kind === '%' ? '%' : '\n'))
    } else {
      const at = index ? Number(index) : next++
      if (at < 1 || at >= context.args.length)
        source.type(`The format has no argument ${at}`, context.at)
      const value = context.arg(at)
      const shown = kind === 'd' ? isIntegral(value.type) : showable(value)
      if (!shown && value.type.kind !== 'void')
        source.unsupported(`%${kind} of ${textOf(value.type)}`, value.at, 'Cast it to string.')
      if ((flag && !width) || (flag === '0' && kind === 's'))
        source.unsupported(`${text} in a format`, context.at)
      const sql = cast(source, value, STRING).sql
      used.push(value)
      const n = Number(width)
      if (n > 1000) source.unsupported('A width beyond 1000', context.at)
      if (!width) parts.push(`coalesce(${sql}, 'null')`)
      else {
        const padded = (pad: string) => `CASE WHEN length(lf_s) >= ${n} THEN lf_s ELSE ${pad} END`
        const zeros = `CASE WHEN lf_s = 'null' THEN lpad(lf_s, ${n}, ' ') WHEN lf_s[1] = '-' THEN '-' || lpad(lf_s[2:], ${n - 1}, '0') ELSE lpad(lf_s, ${n}, '0') END`
        const pad =
          flag === '-' ? `rpad(lf_s, ${n}, ' ')` : flag === '0' ? zeros : `lpad(lf_s, ${n}, ' ')`
        // Java counts characters beyond U+FFFF twice.
        const guard =
          kind === 's'
            ? `CASE WHEN regexp_matches(lf_s, '[\\x{10000}-\\x{10ffff}]') THEN ${STOP} ELSE ${padded(pad)} END`
            : padded(pad)
        parts.push(`list_transform([coalesce(${sql}, 'null')], lambda lf_s: ${guard})[1]`)
      }
    }
  }
  if (end < format.length || format === '')
    source.unsupported('A format of this form', context.at, 'Only %s, %d, %n and %% are known.')
  return context.make(`(${parts.join(' || ')})`, STRING, used, {
    nullable: false,
    raises: true,
    uses: 2,
  })
}

const showable = ({ type }: Value): boolean =>
  type.kind === 'string' ||
  type.kind === 'boolean' ||
  isIntegral(type) ||
  (type.kind === 'decimal' && type.scale <= 6)

export const TEXTS: FunctionEntry[] = [
  {
    name: 'levenshtein',
    category,
    signature: 'levenshtein(a, b[, limit])',
    description: 'How many characters must change to make b of a; -1 beyond the limit.',
    returns: 'int',
    args: [2, 3],
    compile: (context) => {
      const parts = [context.string(0), context.string(1)]
      const distance = `lf_levenshtein(${parts[0]!.sql}, ${parts[1]!.sql})`
      if (context.args.length < 3)
        return context.make(distance, INT, parts, { raises: true, uses: 3 })
      const limit = context.int(2)
      return context.make(
        `CASE WHEN ${distance} > ${limit.sql} THEN -1 WHEN ${limit.sql} IS NOT NULL THEN ${distance} END`,
        INT,
        [...parts, limit],
        { raises: true, uses: 6 },
      )
    },
  },
  {
    name: 'soundex',
    category,
    signature: 'soundex(text)',
    description: 'The sound of an English word as a letter and three digits.',
    returns: 'string',
    args: [1, 1],
    compile: (context) => {
      const x = context.arg(0)
      if (x.type.kind !== 'string')
        context.source.type(`soundex takes a string, not ${textOf(x.type)}`, x.at)
      return context.make(`lf_soundex(${x.sql})`, STRING, [x], { uses: 6 })
    },
  },
  {
    name: 'overlay',
    category,
    signature: 'overlay(text PLACING new FROM position [FOR length])',
    description: 'The text with a part of it, by default as long as the new one, replaced.',
    returns: 'string',
    args: [3, 4],
    compile: (context) => {
      if (context.arg(0).type.kind === 'binary')
        context.source.unsupported('overlay of binary', context.at)
      const parts = [context.string(0), context.string(1), context.int(2)]
      if (context.args.length > 3) parts.push(context.int(3))
      const [s, r, p, n] = parts.map((part) => part.sql)
      return context.make(
        `lf_overlay(${s}, ${r}, CAST(${p} AS BIGINT), CAST(${n ?? '-1'} AS BIGINT))`,
        STRING,
        parts,
        { uses: 16 },
      )
    },
  },
  {
    name: 'mask',
    category,
    signature: 'mask(text[, upper[, lower[, digit[, other]]]])',
    description:
      'Letters of upper case as X, of lower case as x, digits as n, or as the given characters; NULL leaves them.',
    returns: 'string',
    args: [1, 5],
    compile: mask,
  },
  {
    name: 'elt',
    category,
    signature: 'elt(n, a, b, …)',
    description: 'The n-th of the texts, from 1.',
    returns: 'string',
    args: [2, 99],
    compile: (context) => {
      const n = context.int(0)
      const texts = context.args.slice(1).map((_, i) => context.string(i + 1))
      const whens = texts.map((text, i) => `WHEN ${i + 1} THEN ${text.sql}`).join(' ')
      return context.make(
        `CASE WHEN ${n.sql} IS NULL THEN NULL ELSE CASE ${n.sql} ${whens} ELSE ${raise('INVALID_ARRAY_INDEX')} END END`,
        STRING,
        [n, ...texts],
        { nullable: true, raises: true, uses: 2 },
      )
    },
  },
  {
    name: 'find_in_set',
    category,
    signature: 'find_in_set(text, list)',
    description: 'The place of the text in a list with commas, from 1; 0 if it isn’t there.',
    returns: 'int',
    args: [2, 2],
    compile: (context) => {
      const [x, list] = [context.string(0), context.string(1)]
      return context.make(
        `CASE WHEN ${x.sql} IS NULL OR ${list.sql} IS NULL THEN NULL WHEN contains(${x.sql}, ',') THEN 0 ELSE CAST(coalesce(list_position(string_split(${list.sql}, ','), ${x.sql}), 0) AS INTEGER) END`,
        INT,
        [x, list],
        { uses: 3 },
      )
    },
  },
  {
    name: 'format_number',
    category,
    signature: 'format_number(number, digits)',
    description:
      'A whole number or decimal with commas between thousands and so many digits behind the point.',
    returns: 'string',
    args: [2, 2],
    compile: formatNumber,
  },
  {
    name: 'format_string',
    aliases: ['printf'],
    category,
    signature: "format_string('format', a, …)",
    description: 'The format with its %s and %d (and widths such as %05d, %-8s) filled in.',
    returns: 'string',
    args: [1, 99],
    compile: formatString,
  },
  {
    name: 'luhn_check',
    category,
    signature: 'luhn_check(digits)',
    description: 'Whether the last digit checks the others by Luhn’s rule.',
    returns: 'boolean',
    args: [1, 1],
    compile: (context) => {
      const x = context.string(0)
      return context.make(`lf_luhn(${x.sql})`, BOOLEAN, [x], { uses: 3 })
    },
  },
  {
    name: 'typeof',
    category: 'conversion',
    signature: 'typeof(x)',
    description: 'The name of the type.',
    returns: 'string',
    args: [1, 1],
    compile: (context) => ({
      ...context.source.literal(textOf(loose(context.arg(0).type)), STRING, context.at),
      from: context.arg(0).from,
    }),
  },
]
