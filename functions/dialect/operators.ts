// Arithmetic, comparison and concatenation, each with Spark's coercions, result type and overflow.
import { cast, holds, implicit } from './cast.ts'
import { concatArrays } from './functions/arrays.ts'
import { raise } from './prelude.ts'
import {
  asDecimal,
  BIGINT,
  BOOLEAN,
  DATE,
  decimalResult,
  DOUBLE,
  duck,
  hasMap,
  isFloat,
  isIntegral,
  isInterval,
  isNested,
  isNumeric,
  isTime,
  promoteString,
  same,
  STRING,
  textOf,
  tightest,
  TIMESTAMP,
  wider,
  type Decimal,
  type T,
} from './types.ts'
import { once, type Source, type Value } from './value.ts'

export function arithmetic(
  source: Source,
  op: string,
  left: Value,
  right: Value,
  at: number,
): Value {
  if (isTime(left.type) || isTime(right.type) || isInterval(left.type) || isInterval(right.type))
    return timeArithmetic(source, op, left, right, at)
  let [a, b] = [left, right]
  // Beside a number a string is read as one; NULL takes the other's type.
  const promoted =
    (isNumeric(a.type) || isNumeric(b.type)) && a.type.kind !== b.type.kind
      ? promoteString(a.type, b.type)
      : undefined
  if (promoted) {
    if (a.type.kind === 'string') a = cast(source, a, promoted)
    else b = cast(source, b, promoted)
  }
  if (a.type.kind === 'void') a = cast(source, a, b.type.kind === 'void' ? DOUBLE : b.type)
  if (b.type.kind === 'void') b = cast(source, b, a.type)
  if (!isNumeric(a.type) || !isNumeric(b.type))
    source.type(`${op} takes numbers, not ${textOf(left.type)} and ${textOf(right.type)}`, at)

  if (a.type.kind === 'decimal' || b.type.kind === 'decimal') {
    if (isFloat(a.type) || isFloat(b.type)) {
      a = cast(source, a, DOUBLE)
      b = cast(source, b, DOUBLE)
    } else return decimalArithmetic(source, op, narrowed(source, a, b), narrowed(source, b, a), at)
  }
  if (op === 'DIV') {
    if (!isIntegral(a.type) || !isIntegral(b.type))
      source.type(`DIV takes whole numbers, not ${textOf(a.type)} and ${textOf(b.type)}`, at)
    a = cast(source, a, BIGINT)
    b = cast(source, b, BIGINT)
    return source.make(unlessNull(a, b, `(${a.sql} // ${nonZero(b, a)})`), BIGINT, [a, b], {
      nullable: true,
      raises: true,
      at,
    })
  }
  if (op === '/') {
    a = cast(source, a, DOUBLE)
    b = cast(source, b, DOUBLE)
    return source.make(unlessNull(a, b, `(${a.sql} / ${nonZero(b, a)})`), DOUBLE, [a, b], {
      nullable: true,
      raises: !isNonZero(b),
      at,
    })
  }
  const type = tightest(a.type, b.type)!
  a = cast(source, a, type)
  b = cast(source, b, type)
  if (op === '%') {
    // DuckDB reports an overflow for the least integer % -1, where Java gives 0.
    const sql = isIntegral(type)
      ? `CASE WHEN ${b.sql} = -1 THEN ${b.sql} - ${b.sql} + (${a.sql} & 0) ELSE ${a.sql} % ${nonZero(b, a)} END`
      : `${a.sql} % ${nonZero(b, a)}`
    const plain = isNonZero(b) && b.literal !== -1
    return source.make(unlessNull(a, b, `(${plain ? `${a.sql} % ${b.sql}` : sql})`), type, [a, b], {
      nullable: true,
      raises: !isNonZero(b),
      uses: plain ? 1 : 4,
      at,
    })
  }
  return source.make(unlessNull(a, b, `(${a.sql} ${op} ${b.sql})`), type, [a, b], {
    raises: isIntegral(type),
    at,
  })
}

const isNonZero = (value: Value) =>
  value.literal !== undefined && value.literal !== null && Number(value.literal) !== 0
/** A divisor that raises if it is 0, unless the dividend is NULL anyway. */
const nonZero = (value: Value, dividend: Value) =>
  isNonZero(value) ? value.sql : `lf_divisor(${dividend.sql}, ${value.sql})`
/** Spark doesn't evaluate the right side of NULL. */
const unlessNull = (left: Value, right: Value, sql: string) =>
  right.raises && left.nullable ? `CASE WHEN ${left.sql} IS NULL THEN NULL ELSE ${sql} END` : sql

/** A whole number beside a decimal: a literal takes as few digits as it has, as in Spark. */
function narrowed(source: Source, value: Value, other: Value): Value {
  if (value.type.kind === 'decimal') return value
  const digits = String(value.literal ?? '').replace('-', '').length
  const type: Decimal =
    value.literal != null && other.type.kind === 'decimal'
      ? { kind: 'decimal', precision: digits, scale: 0 }
      : asDecimal(value.type)
  if (value.literal != null)
    return {
      ...source.literal(String(value.literal), type, value.at),
      literal: value.literal,
      nullable: !holds(value.type, type),
    }
  return { ...cast(source, value, type), nullable: value.nullable }
}

function decimalArithmetic(source: Source, op: string, a: Value, b: Value, at: number): Value {
  const [left, right] = [a.type as Decimal, b.type as Decimal]
  const lossy = (): never =>
    source.unsupported(
      `${textOf(left)} ${op} ${textOf(right)}`,
      at,
      'Its exact result needs more than 38 digits: cast the parts to narrower decimals first.',
    )
  const common = {
    kind: 'decimal' as const,
    precision: 38,
    scale: Math.max(left.scale, right.scale),
  }
  if (op === '+' || op === '-') {
    const type = decimalResult(op, left, right)
    if (type.scale < common.scale) lossy()
    const [x, y] = [a, b].map((value) => `CAST(${value.sql} AS ${duck(type)})`)
    const full =
      Math.max(left.precision - left.scale, right.precision - right.scale) + common.scale + 1
    return source.make(`CAST(${x} ${op} ${y} AS ${duck(type)})`, type, [a, b], {
      nullable: a.nullable || b.nullable || full > 38,
      raises: full > 38,
      at,
    })
  }
  if (op === '*') {
    const type = decimalResult(op, left, right)
    if (type.scale < left.scale + right.scale) lossy()
    // DuckDB multiplies in 64 bits as long as both sides fit there, even if the product doesn't.
    const wide =
      left.precision + right.precision > 18 && left.precision < 19
        ? `CAST(${a.sql} AS DECIMAL(19,${left.scale}))`
        : a.sql
    return source.make(`CAST(${wide} * ${b.sql} AS ${duck(type)})`, type, [a, b], {
      raises: left.precision + right.precision > 38,
      at,
    })
  }
  // Division by whole numbers: both sides without their point, as 128-bit integers (38 digits).
  const digits = (value: Value, scale: number) => {
    const own = value.type as Decimal
    if (own.precision - own.scale + scale > 38) lossy()
    const more = scale - own.scale
    const ten = `1${'0'.repeat(more)}`
    if (more === 0) return whole(value)
    return own.precision + more <= 18
      ? `(${whole(value)} * ${ten})`
      : `(${whole(value)} * ${ten}::HUGEINT)`
  }
  if (op === '%' || op === 'DIV') {
    const scale = common.scale
    const [x, y] = [digits(a, scale), digits(b, scale)]
    if (op === 'DIV')
      return source.make(`CAST(${x} // lf_divisor(${x}, ${y}) AS BIGINT)`, BIGINT, [a, b], {
        nullable: true,
        raises: true,
        uses: 2,
        at,
      })
    const type = decimalResult('%', left, right)
    return source.make(unscaled(`(${x} % lf_divisor(${x}, ${y}))`, type), type, [a, b], {
      nullable: true,
      raises: true,
      uses: 2,
      at,
    })
  }
  if (op !== '/') return source.type(`${op} takes whole numbers`, at)
  const type = decimalResult('/', left, right)
  return divide(source, a, b, type, at, lossy)
}

/** Exact decimal division, rounded half up to the scale of `type`. */
export function divide(
  source: Source,
  a: Value,
  b: Value,
  type: Decimal,
  at: number,
  lossy: () => never,
): Value {
  const [left, right] = [a.type as Decimal, b.type as Decimal]
  // a / b = (A / 10^s1) / (B / 10^s2): the result's digits are A * 10^(scale - s1 + s2) / B.
  const shift = type.scale - left.scale + right.scale
  if (shift < 0 || left.precision + shift > 38 || right.precision > 37) lossy()
  const ten = `1${'0'.repeat(shift)}`
  const [x, y] = [whole(a), whole(b)]
  const quotient =
    left.precision + shift <= 18 && right.precision <= 18
      ? once(
          x,
          (p) => once(y, (q) => `lf_div_half_up(${p} * ${ten}, lf_divisor(${p}, ${q}))`),
          'lf_a',
        )
      : `lf_div_shifted(${x}, lf_divisor(${a.sql}, ${y}), ${ten}::HUGEINT)`
  return source.make(unscaled(quotient, type), type, [a, b], {
    nullable: true,
    raises: true,
    uses: 4,
    at,
  })
}

/** A decimal's digits without its point: as BIGINT if they are at most 18 (128 bits are slow), else as HUGEINT. */
export function whole(value: Value): string {
  const { precision, scale } = value.type as Decimal
  const type = precision <= 18 ? 'BIGINT' : 'HUGEINT'
  if (scale === 0) return `CAST(${value.sql} AS ${type})`
  return precision + scale <= 18
    ? `CAST(CAST(${value.sql} AS DECIMAL(18,${scale})) * 1${'0'.repeat(scale)} AS BIGINT)`
    : `CAST(replace(CAST(${value.sql} AS VARCHAR), '.', '') AS ${type})`
}

/** A HUGEINT of digits as the decimal it stands for. */
export function unscaled(sql: string, type: Decimal): string {
  const { precision, scale } = type
  if (scale === 0) return `CAST(${sql} AS ${duck(type)})`
  // 0.01 and so on are exact decimals; where the product had more than 38 digits, the point is set in the text.
  return precision + scale < 38
    ? `CAST(CAST(${sql} AS DECIMAL(${precision},0)) * CAST('0.${'0'.repeat(scale - 1)}1' AS DECIMAL(${scale},${scale})) AS ${duck(type)})`
    : `CAST(lf_point(${sql}, ${scale}, 1${'0'.repeat(scale)}::HUGEINT) AS ${duck(type)})`
}

/** `-x`, `+x`, `~x`. */
export function unary(source: Source, op: string, arg: Value, at: number): Value {
  if (op === '~') {
    if (!isIntegral(arg.type)) source.type(`~ takes whole numbers, not ${textOf(arg.type)}`, at)
    return source.make(`(~${arg.sql})`, arg.type, [arg], { at })
  }
  if (isInterval(arg.type)) return op === '+' ? arg : { ...arg, literal: -Number(arg.literal), at }
  const x = arg.type.kind === 'string' || arg.type.kind === 'void' ? cast(source, arg, DOUBLE) : arg
  if (!isNumeric(x.type)) source.type(`${op} takes a number, not ${textOf(arg.type)}`, at)
  if (op === '+') return { ...x, column: undefined }
  return source.make(negative(x), x.type, [x], {
    raises: isIntegral(x.type) || x.type.kind === 'decimal',
    uses: 2,
    at,
  })
}

/** Beyond 34 digits Spark rounds when it negates; there we stop. */
export function negative(x: Value): string {
  return `(-${exact34(x)})`
}

export function exact34(x: Value): string {
  if (x.type.kind !== 'decimal' || x.type.precision <= 34) return x.sql
  const whole_ = 34 - x.type.scale
  const limit = whole_ > 0 ? `1${'0'.repeat(whole_)}` : `0.${'0'.repeat(-whole_)}1`
  return `CASE WHEN abs(${x.sql}) >= CAST('${limit}' AS DECIMAL(38,${x.type.scale})) THEN ${raise('UNSUPPORTED_VALUE')} ELSE ${x.sql} END`
}

/** Bitwise `&`, `|`, `^`. */
export function bitwise(source: Source, op: string, a: Value, b: Value, at: number): Value {
  const type = tightest(a.type, b.type)
  if (!type || !isIntegral(type))
    return source.type(`${op} takes whole numbers, not ${textOf(a.type)} and ${textOf(b.type)}`, at)
  const [x, y] = [cast(source, a, type), cast(source, b, type)]
  const sql = op === '^' ? `xor(${x.sql}, ${y.sql})` : `(${x.sql} ${op} ${y.sql})`
  return source.make(sql, type, [x, y], { at })
}

/** Both values as the type that Spark compares them in. */
export function comparable(
  source: Source,
  left: Value,
  right: Value,
  at: number,
  equality = true,
): [Value, Value] {
  let [a, b] = [left, right]
  if (a.type.kind === 'decimal' && isIntegral(b.type)) b = narrowed(source, b, a)
  else if (b.type.kind === 'decimal' && isIntegral(a.type)) a = narrowed(source, a, b)
  const type =
    tightest(a.type, b.type) ??
    promoteString(a.type, b.type) ??
    (isNested(a.type) ? wider(a.type, b.type, false) : undefined)
  if (!type)
    return source.type(`${textOf(left.type)} can't be compared with ${textOf(right.type)}`, at)
  if (type.kind === 'decimal') {
    const needed = [a, b].every((each) => each.type.kind !== 'decimal' || holds(each.type, type))
    if (!needed)
      source.unsupported(
        `Comparing ${textOf(a.type)} with ${textOf(b.type)}`,
        at,
        'Cast both to one decimal.',
      )
  }
  if (hasMap(type)) source.type('Maps can’t be compared', at)
  // Inside of arrays and structs NULL equals NULL on both engines, but it sorts at different ends.
  if (isNested(type) && !equality)
    source.unsupported(`The order of ${textOf(type)}`, at, 'Compare its parts.')
  if (type.kind === 'void') return [a, b]
  return [cast(source, a, type), cast(source, b, type)]
}

export function comparison(
  source: Source,
  op: string,
  left: Value,
  right: Value,
  at: number,
): Value {
  const [a, b] = comparable(source, left, right, at, !/^[<>]=?$/.test(op))
  if (op === '<=>')
    return source.make(`(${a.sql} IS NOT DISTINCT FROM ${b.sql})`, BOOLEAN, [a, b], {
      nullable: false,
      at,
    })
  const duckOp = op === '==' ? '=' : op === '!=' ? '<>' : op
  return source.make(unlessNull(a, b, `(${a.sql} ${duckOp} ${b.sql})`), BOOLEAN, [a, b], {
    nullable: /^[<>]=?$/.test(op) ? wholeBeside(source, left, right) : undefined,
    at,
  })
}

/**
 * Spark compares a whole number with a decimal literal as two bigints, and so never as NULL by a cast; beyond bigint it
 * takes the answer for granted, even for NULL.
 */
function wholeBeside(source: Source, a: Value, b: Value): boolean | undefined {
  const [number, literal] = isIntegral(a.type) ? [a, b] : [b, a]
  if (!isIntegral(number.type) || literal.type.kind !== 'decimal' || literal.literal == null)
    return undefined
  if (Math.abs(Number(literal.literal)) >= 2 ** 63)
    source.unsupported('Comparing a whole number with this literal', literal.at)
  return number.nullable
}

/** `a || b` and concat(): NULL if one is NULL. */
export function concat(source: Source, parts: Value[], at: number): Value {
  if (parts.length === 0) return source.literal('', STRING, at)
  if (parts.some((part) => part.type.kind === 'array')) return concatArrays({ source }, parts, at)
  if (parts.some((part) => part.type.kind === 'binary')) {
    if (parts.some((part) => part.type.kind !== 'binary'))
      source.unsupported('Concatenating binary with other types', at, 'Cast it to string.')
    const sql = `(${parts.map((part) => part.sql).join(' || ')})`
    return source.make(sql, { kind: 'binary' }, parts, { at })
  }
  if (parts.some((part) => isNested(part.type)))
    return source.unsupported('Concatenating maps or structs', at)
  const texts = parts.map((part) => implicit(source, part, STRING))
  const sql = texts.length === 1 ? texts[0]!.sql : `(${texts.map((text) => text.sql).join(' || ')})`
  return source.make(sql, STRING, texts, { at })
}

const DAY_US = 86_400_000_000

/** Dates and timestamps with intervals and whole days. An interval is a literal: months, or microseconds. */
function timeArithmetic(source: Source, op: string, left: Value, right: Value, at: number): Value {
  const wrong = (): never =>
    source.type(`${textOf(left.type)} ${op} ${textOf(right.type)} has no meaning`, at)
  if (op !== '+' && op !== '-') return wrong()
  const swap = op === '+' && !isTime(left.type)
  const time = swap ? right : left
  const amount = swap ? left : right
  if (!isTime(time.type)) {
    if (isInterval(time.type) && isInterval(amount.type) && same(time.type, amount.type)) {
      const sum = Number(left.literal) + (op === '-' ? -1 : 1) * Number(right.literal)
      return { ...left, literal: sum, at }
    }
    return wrong()
  }
  if (isTime(amount.type))
    return source.unsupported(
      'The interval between two times',
      at,
      'Use datediff or timestampdiff.',
    )
  if (isInterval(amount.type))
    return shift(source, time, amount.type, (op === '-' ? -1 : 1) * Number(amount.literal), at)
  if (time.type.kind === 'date' && ['tinyint', 'smallint', 'int'].includes(amount.type.kind))
    return source.make(`(${time.sql} ${op} CAST(${amount.sql} AS INTEGER))`, DATE, [time, amount], {
      raises: true,
      at,
    })
  return wrong()
}

/** A time moved by months or microseconds. A date moved by less than a day becomes a timestamp, as in Spark. */
export function shift(source: Source, time: Value, unit: T, amount: number, at: number): Value {
  if (!Number.isSafeInteger(amount)) return source.unsupported('An interval of this size', at)
  if (unit.kind === 'interval_month') {
    const moved = (naive: string) => `(${naive} + to_months(${amount}))`
    const sql =
      time.type.kind === 'date'
        ? `CAST(${moved(time.sql)} AS DATE)`
        : time.type.kind === 'timestamp'
          ? `lf_instant(${moved(`lf_naive(${time.sql})`)})`
          : moved(time.sql)
    return source.make(sql, time.type, [time], { raises: true, at })
  }
  if (time.type.kind === 'date') {
    if (amount % DAY_US === 0)
      return source.make(`(${time.sql} + ${amount / DAY_US})`, DATE, [time], { raises: true, at })
    return shift(source, cast(source, time, TIMESTAMP), unit, amount, at)
  }
  const make = time.type.kind === 'timestamp' ? 'make_timestamptz' : 'make_timestamp'
  return source.make(
    `${make}(epoch_us(${time.sql}) + CAST('${amount}' AS BIGINT))`,
    time.type,
    [time],
    {
      raises: true,
      at,
    },
  )
}

/** Three-valued AND or OR over all parts, evaluated from left to right as far as Spark would. */
export function logical(source: Source, op: 'and' | 'or', args: Value[], at: number): Value {
  const parts = args.map((arg) => implicit(source, arg, BOOLEAN))
  const word = op.toUpperCase()
  const stop = op === 'and' ? 'false' : 'true'
  let sql = parts[0]!.sql
  for (const part of parts.slice(1)) {
    // DuckDB may evaluate the right side first; where that can end in an error, CASE keeps the order.
    sql = part.raises
      ? `(CASE WHEN ${sql} = ${stop} THEN ${stop} ELSE (${sql} ${word} ${part.sql}) END)`
      : `(${sql} ${word} ${part.sql})`
    if (sql.length > 2_000_000) source.unsupported('A condition of this size', at)
  }
  return source.make(sql, BOOLEAN, parts, { uses: parts.some((part) => part.raises) ? 2 : 1, at })
}
