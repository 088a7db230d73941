// Bits of whole numbers and numerals of other bases. Java's shifts wrap around; DuckDB's report what they lose.
import type { Context, FunctionEntry } from '../catalogue.ts'
import { MACROS, raise } from '../prelude.ts'
import { BIGINT, INT, isIntegral, STRING, textOf, type T } from '../types.ts'
import type { Source, Value } from '../value.ts'

const category = 'number'
const { macro } = MACROS
const TINYINT: T = { kind: 'tinyint' }

// Of a whole number without sign, of 32 or 64 bits, the signed one with the same bits.
for (const [bits, type] of [
  [32, 'INTEGER'],
  [64, 'BIGINT'],
] as const) {
  const size = 2n ** BigInt(bits)
  macro(`lf_unsigned_${bits}(x)`, `(x::HUGEINT & ${size - 1n}::HUGEINT)`)
  macro(
    `lf_signed_${bits}(x)`,
    `CAST(CASE WHEN (x & ${size - 1n}::HUGEINT) >= ${size / 2n}::HUGEINT THEN (x & ${size - 1n}::HUGEINT) - ${size}::HUGEINT
      ELSE x & ${size - 1n}::HUGEINT END AS ${type})`,
  )
  macro(`lf_step_${bits}(n)`, `(1::HUGEINT << (n & ${bits - 1})::HUGEINT)`)
  macro(`lf_shl_${bits}(x, n)`, `lf_signed_${bits}(lf_unsigned_${bits}(x) * lf_step_${bits}(n))`)
  macro(`lf_shr_${bits}(x, n)`, `CAST(lf_floor_div(x::HUGEINT, lf_step_${bits}(n)) AS ${type})`)
  macro(`lf_shru_${bits}(x, n)`, `lf_signed_${bits}(lf_unsigned_${bits}(x) // lf_step_${bits}(n))`)
}
const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ'
// The value of the leading digits, as far as they are any; 64 bits without sign.
macro(
  'lf_digits(s, base)',
  `list_reduce(list_transform(string_split(s, ''), lambda lf_c: strpos('${DIGITS}', lf_c) - 1),
    lambda lf_n, lf_d: CASE WHEN lf_n > 18446744073709551615::HUGEINT THEN ${raise('ARITHMETIC_OVERFLOW')} ELSE lf_n * base + lf_d END, 0::HUGEINT)`,
)
macro(
  'lf_numeral(x, base)',
  `CASE WHEN x > 18446744073709551615::HUGEINT THEN ${raise('ARITHMETIC_OVERFLOW')} WHEN x < base THEN '${DIGITS}'[CAST(x AS INTEGER) + 1]
    ELSE upper(to_base(CAST(x // base AS BIGINT), base)) || '${DIGITS}'[CAST(x % base AS INTEGER) + 1] END`,
)

/** `x << n`, `x >> n`, `x >>> n`. */
export function shiftBits(source: Source, op: string, x: Value, n: Value, at: number): Value {
  if (!isIntegral(x.type) && x.type.kind !== 'void')
    source.type(`${op} takes whole numbers, not ${textOf(x.type)}`, at)
  const wide = x.type.kind === 'bigint'
  const fn = `lf_${{ '<<': 'shl', '>>': 'shr', '>>>': 'shru' }[op]}_${wide ? 64 : 32}`
  return source.make(`${fn}(${x.sql}, ${n.sql})`, wide ? BIGINT : INT, [x, n], { uses: 4, at })
}

const shifting = (name: string, op: string, description: string): FunctionEntry => ({
  name,
  category,
  signature: `${name}(x, n)`,
  description,
  returns: 'bigint for a bigint, else int',
  args: [2, 2],
  compile: (context) => {
    const x = context.arg(0).type.kind === 'bigint' ? context.arg(0) : context.int(0)
    return shiftBits(context.source, op, x, context.int(1), context.at)
  },
})

function bit(context: Context): Value {
  const x = context.arg(0)
  const n = context.int(1)
  const bits = { tinyint: 8, smallint: 16, int: 32, bigint: 64 }[x.type.kind as string]
  if (bits === undefined)
    return context.source.type(`bit_get takes whole numbers, not ${textOf(x.type)}`, x.at)
  return context.make(
    `CAST(CASE WHEN ${x.sql} IS NULL OR ${n.sql} IS NULL THEN NULL WHEN ${n.sql} NOT BETWEEN 0 AND ${bits - 1} THEN ${raise('INVALID_PARAMETER_VALUE')} ELSE lf_shr_64(${x.sql}, ${n.sql}) & 1 END AS TINYINT)`,
    TINYINT,
    [x, n],
    { raises: true, uses: 6 },
  )
}

function conv(context: Context): Value {
  const text = context.string(0)
  const [from, to] = [context.whole(1, 'a base'), context.whole(2, 'a base')]
  const base = (n: number) => n >= 2 && n <= 36
  if (!base(from) || !base(Math.abs(to)))
    context.source.unsupported('conv with a base other than 2 to 36', context.at)
  const top = DIGITS[from - 1]!
  const range = from <= 10 ? `0-${top}` : `0-9A-${top}`
  const parts = `regexp_extract(upper(trim(${text.sql}, ' ')), '(?s)^(-?)([${range}]*)', ['sign', 'digits'])`
  const value = `lf_digits(lf_p.digits, ${from})`
  // A negative number is written with the bits of 64, unless the base to write in is negative.
  const limit = '9223372036854775808::HUGEINT'
  const stop = raise('UNSUPPORTED_VALUE')
  const number =
    to > 0
      ? `CASE WHEN lf_p.sign = '-' THEN CASE WHEN ${value} >= ${limit} THEN 18446744073709551615::HUGEINT ELSE (18446744073709551616::HUGEINT - ${value}) % 18446744073709551616::HUGEINT END ELSE ${value} END`
      : `CASE WHEN ${value} >= ${limit} THEN ${stop} ELSE ${value} END`
  const sign = to > 0 ? '' : `CASE WHEN lf_p.sign = '-' AND ${value} > 0 THEN '-' ELSE '' END || `
  return context.make(
    `CASE WHEN trim(${text.sql}, ' ') = '' OR ${text.sql} IS NULL THEN NULL ELSE list_transform([${parts}], lambda lf_p: CASE WHEN lf_p.digits = '' THEN '0' ELSE ${sign}lf_numeral(${number}, ${Math.abs(to)}) END)[1] END`,
    STRING,
    [text],
    { nullable: true, raises: true, uses: 3 },
  )
}

export const BITS: FunctionEntry[] = [
  shifting('shiftleft', '<<', 'The bits moved n places to the left; same as <<.'),
  shifting('shiftright', '>>', 'The bits moved n places to the right, with the sign; same as >>.'),
  shifting('shiftrightunsigned', '>>>', 'The bits moved n places to the right; same as >>>.'),
  {
    name: 'bit_get',
    aliases: ['getbit'],
    category,
    signature: 'bit_get(x, place)',
    description: 'The bit at a place; 0 is the lowest.',
    returns: 'tinyint',
    args: [2, 2],
    compile: bit,
  },
  {
    name: 'bin',
    category,
    signature: 'bin(x)',
    description: 'The whole number in binary digits; a negative one with all 64 bits.',
    returns: 'string',
    args: [1, 1],
    compile: (context) => {
      const x = context.bigint(0)
      return context.make(`bin(${x.sql})`, STRING, [x])
    },
  },
  {
    name: 'conv',
    category,
    signature: 'conv(text, from_base, to_base)',
    description: 'A numeral of one base (2 to 36) written in another.',
    returns: 'string',
    args: [3, 3],
    compile: conv,
  },
  {
    name: 'bitmap_bucket_number',
    category,
    signature: 'bitmap_bucket_number(x)',
    description: 'The number of the bitmap (of 32768 bits) that x belongs to.',
    returns: 'bigint',
    args: [1, 1],
    compile: (context) => {
      const x = context.bigint(0)
      return context.make(
        `CASE WHEN ${x.sql} > 0 THEN 1 + (${x.sql} - 1) // 32768 ELSE ${x.sql} // 32768 END`,
        BIGINT,
        [x],
        { uses: 3 },
      )
    },
  },
  {
    name: 'bitmap_bit_position',
    category,
    signature: 'bitmap_bit_position(x)',
    description: 'The place of x in its bitmap, from 0.',
    returns: 'bigint',
    args: [1, 1],
    compile: (context) => {
      const x = context.bigint(0)
      return context.make(
        `CASE WHEN ${x.sql} > 0 THEN (${x.sql} - 1) % 32768 ELSE CAST(-(${x.sql}::HUGEINT) % 32768 AS BIGINT) END`,
        BIGINT,
        [x],
        { uses: 3 },
      )
    },
  },
]
