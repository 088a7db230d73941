// Numbers: rounding and elementary functions.
import type { Context, FunctionEntry } from '../catalogue.ts'
import { cast } from '../cast.ts'
import { arithmetic, exact34, negative, unscaled, whole as digitsOf } from '../operators.ts'
import { MACROS } from '../prelude.ts'
import {
  adjusted,
  asDecimal,
  BIGINT,
  DOUBLE,
  duck,
  INT,
  isFloat,
  isIntegral,
  tightest,
  type Decimal,
  type T,
} from '../types.ts'
import type { Value } from '../value.ts'

const category = 'number'
const { macro } = MACROS

// Java rounds the shortest text of a double, half up. From 2^52 on a double has no fraction; below 2^53 units of the last
// digit an integer over a power of ten is the nearest double, above only the text is.
macro(
  'lf_round_double(x, short, long, limit_)',
  `CASE WHEN abs(x) < limit_ THEN CAST(short AS DOUBLE) WHEN isfinite(x) AND abs(x) < 4503599627370496::DOUBLE
    THEN CAST(CAST(long AS VARCHAR) AS DOUBLE) ELSE x END`,
)
// Java saturates at the ends of bigint, and NaN is 0.
macro(
  'lf_whole(x)',
  `CASE WHEN isnan(x) THEN 0 WHEN x >= 9223372036854775808::DOUBLE THEN 9223372036854775807
    WHEN x <= (-9223372036854775808)::DOUBLE THEN -9223372036854775808 ELSE CAST(x AS BIGINT) END`,
)
macro('lf_round_int(x, unit)', 'lf_div_half_up(x::HUGEINT, unit::HUGEINT) * unit::HUGEINT')
macro(
  'lf_half_even(a, b)',
  `a // b + CASE WHEN 2 * abs(a % b) > b OR (2 * abs(a % b) = b AND (a // b) % 2 <> 0) THEN CASE WHEN a < 0 THEN -1 ELSE 1 END ELSE 0 END`,
)

/** round(x, d) and bround(x, d): half up, or half to even. */
function rounding(even: boolean): (context: Context) => Value {
  return (context) => {
    const x = context.number(0)
    const d = context.args.length > 1 ? context.whole(1, 'a number of digits') : 0
    if (Math.abs(d) > 38) context.source.unsupported(`Rounding to ${d} digits`, context.at)
    if (isIntegral(x.type)) {
      if (d >= 0) return { ...x, column: undefined, nullable: true }
      if (d < -18) context.source.unsupported(`Rounding to ${d} digits`, context.at)
      const unit = `1${'0'.repeat(-d)}`
      const sql = even
        ? `CAST(lf_half_even(${x.sql}::HUGEINT, ${unit}::HUGEINT) * ${unit} AS ${duck(x.type)})`
        : `CAST(lf_round_int(${x.sql}, ${unit}) AS ${duck(x.type)})`
      return context.make(sql, x.type, [x], { nullable: true, raises: true, uses: 6 })
    }
    if (x.type.kind === 'decimal') {
      const { precision, scale } = x.type
      const whole = precision - scale + 1
      const type: Decimal =
        d < 0
          ? { kind: 'decimal', precision: Math.min(Math.max(whole, -d + 1), 38), scale: 0 }
          : {
              kind: 'decimal',
              precision: Math.min(whole + Math.min(scale, d), 38),
              scale: Math.min(scale, d),
            }
      if (d >= scale) return { ...cast(context.source, x, type), nullable: true, column: undefined }
      if (!even && d >= 0)
        return context.make(`CAST(${x.sql} AS ${duck(type)})`, type, [x], {
          nullable: true,
          raises: precision === 38,
        })
      const cut = scale - d
      if (cut > 37) return context.make(`CAST(${x.sql} * 0 AS ${duck(type)})`, type, [x])
      const unit = `1${'0'.repeat(cut)}`
      const plain = digitsOf(x)
      const parts = even
        ? `lf_half_even(${plain}, ${unit}::HUGEINT)`
        : `lf_div_half_up(${plain}, ${unit}::HUGEINT)`
      const sql =
        d < 0 ? `CAST(${parts} * 1${'0'.repeat(-d)} AS ${duck(type)})` : unscaled(parts, type)
      return context.make(sql, type, [x], { nullable: true, raises: true, uses: 6 })
    }
    if (even)
      return context.source.unsupported('bround of a double', context.at, 'Cast it to decimal.')
    const type = x.type
    if (d < 0 || d > 15) context.source.unsupported(`Rounding a double to ${d} digits`, context.at)
    const text = (precision: number) =>
      `CAST(lf_plain(CAST(${x.sql} AS VARCHAR)) AS DECIMAL(${precision},${d}))`
    const limit = d === 15 ? '9' : `9${'0'.repeat(15 - d)}`
    const sql = `lf_round_double(${x.sql}, ${text(18)}, ${text(38)}, ${limit}::DOUBLE)`
    if (type.kind === 'float')
      return context.source.unsupported(
        'Rounding a float',
        context.at,
        'Cast it to double or decimal.',
      )
    return context.make(sql, type, [x], { nullable: true, uses: 8 })
  }
}

/** floor and ceil: bigint, or a decimal without fraction. */
function whole(name: 'floor' | 'ceil'): (context: Context) => Value {
  return (context) => {
    const x = context.number(0)
    if (context.args.length > 1) return wholeDigits(context, name, x)
    if (isIntegral(x.type))
      return { ...cast(context.source, x, BIGINT), nullable: true, column: undefined }
    if (x.type.kind === 'decimal') {
      const { precision, scale } = x.type
      const type = adjusted(scale === 0 ? precision : precision - scale + 1, 0)
      return context.make(`CAST(${name}(${x.sql}) AS ${duck(type)})`, type, [x], {
        nullable: true,
        raises: true,
      })
    }
    return context.make(`lf_whole(${name}(${x.sql}))`, BIGINT, [x], { nullable: true, uses: 8 })
  }
}

/** floor(x, digits) and ceil(x, digits): always a decimal. */
function wholeDigits(context: Context, name: 'floor' | 'ceil', given: Value): Value {
  if (isFloat(given.type))
    return context.source.unsupported(
      `${name} of a ${given.type.kind} to a number of digits`,
      context.at,
      'Cast it to decimal.',
    )
  const x = cast(context.source, given, asDecimal(given.type))
  const { precision, scale } = x.type as Decimal
  const d = context.whole(1, 'a number of digits')
  if (Math.abs(d) > 18) context.source.unsupported(`Rounding to ${d} digits`, context.at)
  const whole_ = precision - scale + 1
  const type: Decimal =
    d < 0
      ? { kind: 'decimal', precision: Math.max(whole_, -d + 1), scale: 0 }
      : { kind: 'decimal', precision: whole_ + Math.min(scale, d), scale: Math.min(scale, d) }
  if (type.precision > 38) context.source.unsupported(`${name} of a decimal this wide`, context.at)
  if (d >= scale) return { ...cast(context.source, x, type), nullable: true, column: undefined }
  const unit = `1${'0'.repeat(scale - d)}::HUGEINT`
  const plain = `${digitsOf(x)}::HUGEINT`
  const parts =
    name === 'floor' ? `lf_floor_div(${plain}, ${unit})` : `-lf_floor_div(-(${plain}), ${unit})`
  const sql =
    d < 0 ? `CAST((${parts}) * 1${'0'.repeat(-d)} AS ${duck(type)})` : unscaled(`(${parts})`, type)
  return context.make(sql, type, [x], { nullable: true, raises: true, uses: 6 })
}

/** A function of doubles that both engines compute by the same C or Java rules. */
const real = (
  name: string,
  description: string,
  print: (x: string) => string,
  more: { aliases?: string[]; uses?: number } = {},
): FunctionEntry => ({
  name,
  aliases: more.aliases,
  category,
  signature: `${name}(x)`,
  description,
  returns: 'double',
  args: [1, 1],
  compile: (context) => {
    const x = context.double(0)
    return context.make(print(x.sql), DOUBLE, [x], {
      nullable: true,
      uses: more.uses ?? 1,
    })
  },
})

// A logarithm of what has none is NULL in Spark.
const logarithm = (name: string, description: string, fn: string) =>
  real(name, description, (x) => `CASE WHEN ${x} <= 0 THEN NULL ELSE ${fn}(${x}) END`, { uses: 2 })

function modulo(context: Context): Value {
  return arithmetic(context.source, '%', context.arg(0), context.arg(1), context.at)
}

/** pmod(a, b): the remainder with the sign of b. */
function pmod(context: Context): Value {
  const [a, b] = [context.number(0), context.number(1)]
  const type: T | undefined = tightest(a.type, b.type)
  if (!type || !isIntegral(type)) {
    const { source, at } = context
    const rest = arithmetic(source, '%', a, b, at)
    const again = arithmetic(source, '%', arithmetic(source, '+', rest, b, at), b, at)
    const other = cast(source, again, rest.type)
    return context.make(
      `CASE WHEN ${rest.sql} < 0 THEN ${other.sql} ELSE ${rest.sql} END`,
      rest.type,
      [rest, other],
      { nullable: true, uses: 2 },
    )
  }
  const [x, y] = [a, b].map((value) => cast(context.source, value, BIGINT))
  // In 128 bits, so that the sum of two remainders can't overflow.
  const sql = `CAST(lf_pmod(${x!.sql}::HUGEINT, lf_divisor(${x!.sql}, ${y!.sql}::HUGEINT)) AS ${duck(type)})`
  return context.make(sql, type, [x!, y!], { nullable: true, raises: true, uses: 6 })
}

export const NUMBERS: FunctionEntry[] = [
  {
    name: 'abs',
    category,
    signature: 'abs(x)',
    description: 'The number without its sign.',
    returns: 'the type of x',
    args: [1, 1],
    compile: (context) => {
      const x = context.number(0)
      return context.make(`abs(${exact34(x)})`, x.type, [x], {
        raises: isIntegral(x.type) || x.type.kind === 'decimal',
        uses: 3,
      })
    },
  },
  {
    name: 'negative',
    category,
    signature: 'negative(x)',
    description: 'The number with the other sign.',
    returns: 'the type of x',
    args: [1, 1],
    compile: (context) => {
      const x = context.number(0)
      return context.make(negative(x), x.type, [x], {
        raises: isIntegral(x.type) || x.type.kind === 'decimal',
        uses: 2,
      })
    },
  },
  {
    name: 'positive',
    category,
    signature: 'positive(x)',
    description: 'The number itself.',
    returns: 'the type of x',
    args: [1, 1],
    compile: (context) => ({ ...context.number(0), column: undefined }),
  },
  {
    name: 'sign',
    aliases: ['signum'],
    category,
    signature: 'sign(x)',
    description: '-1, 0 or 1.',
    returns: 'double',
    args: [1, 1],
    compile: (context) => {
      const x = context.double(0)
      return context.make(
        `CASE WHEN isnan(${x.sql}) THEN ${x.sql} ELSE CAST(sign(${x.sql}) AS DOUBLE) END`,
        DOUBLE,
        [x],
        { nullable: true, uses: 3 },
      )
    },
  },
  {
    name: 'round',
    category,
    signature: 'round(x[, digits])',
    description: 'Rounded half up (away from zero).',
    returns: 'the type of x; a decimal with at most that many digits behind the point',
    args: [1, 2],
    compile: rounding(false),
  },
  {
    name: 'bround',
    category,
    signature: 'bround(x[, digits])',
    description: 'Rounded half to the even neighbour.',
    returns: 'as round',
    args: [1, 2],
    compile: rounding(true),
  },
  {
    name: 'floor',
    category,
    signature: 'floor(x)',
    description: 'The greatest whole number not above x.',
    returns: 'bigint, or decimal without fraction',
    args: [1, 2],
    compile: whole('floor'),
  },
  {
    name: 'ceil',
    aliases: ['ceiling'],
    category,
    signature: 'ceil(x)',
    description: 'The least whole number not below x.',
    returns: 'bigint, or decimal without fraction',
    args: [1, 2],
    compile: whole('ceil'),
  },
  {
    name: 'mod',
    category,
    signature: 'mod(a, b)',
    description: 'The remainder of a / b with the sign of a; same as %.',
    returns: 'the common type',
    args: [2, 2],
    compile: modulo,
  },
  {
    name: 'div',
    category,
    signature: 'div(a, b), a DIV b',
    description: 'The whole part of a / b.',
    returns: 'bigint',
    args: [2, 2],
    compile: (context) =>
      arithmetic(context.source, 'DIV', context.arg(0), context.arg(1), context.at),
  },
  {
    name: 'pmod',
    category,
    signature: 'pmod(a, b)',
    description: 'The remainder of a / b, not negative for a positive b.',
    returns: 'the common type',
    args: [2, 2],
    compile: pmod,
  },
  real(
    'sqrt',
    'The square root; NaN of a negative number.',
    (x) => `CASE WHEN ${x} < 0 THEN CAST('nan' AS DOUBLE) ELSE sqrt(${x}) END`,
    { uses: 2 },
  ),
  real('degrees', 'Radians as degrees.', (x) => `(${x} * (180::DOUBLE / pi()))`),
  real('radians', 'Degrees as radians.', (x) => `(${x} / 180::DOUBLE * pi())`),
  real('exp', 'e to the power of x.', (x) => `exp(${x})`),
  logarithm('ln', 'The natural logarithm; NULL for 0 and below.', 'ln'),
  logarithm('log10', 'The logarithm to base 10; NULL for 0 and below.', 'log10'),
  logarithm('log2', 'The logarithm to base 2; NULL for 0 and below.', 'log2'),
  {
    name: 'power',
    aliases: ['pow'],
    category,
    signature: 'power(x, y)',
    description: 'x to the power of y.',
    returns: 'double',
    args: [2, 2],
    compile: (context) => {
      const [x, y] = [context.double(0), context.double(1)]
      return context.make(`lf_power(${x.sql}, ${y.sql})`, DOUBLE, [x, y], { uses: 3 })
    },
  },
  {
    name: 'bit_count',
    category,
    signature: 'bit_count(x)',
    description: 'The number of bits that are set.',
    returns: 'int',
    args: [1, 1],
    compile: (context) => {
      const given = context.arg(0)
      const x =
        given.type.kind === 'boolean' ? cast(context.source, given, BIGINT) : context.bigint(0)
      return context.make(`CAST(bit_count(${x.sql}) AS INTEGER)`, INT, [x])
    },
  },
]

macro(
  'lf_power(x, y)',
  `CASE WHEN y = 0 THEN 1::DOUBLE WHEN isnan(y) OR (abs(x) = 1 AND isinf(y)) THEN CASE WHEN x IS NULL THEN NULL ELSE CAST('nan' AS DOUBLE) END ELSE pow(x, y) END`,
)
