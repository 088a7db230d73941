// CAST, TRY_CAST and the casts that Spark adds by itself, by ANSI rules.
import { literalDuckdb, quoteDuckdb } from '#core/names.ts'

import { raise } from './prelude.ts'
import {
  asDecimal,
  duck,
  isAtomic,
  isFloat,
  isIntegral,
  isNumeric,
  same,
  textOf,
  tightest,
  type Decimal,
  type T,
} from './types.ts'
import type { Source, Value } from './value.ts'

const WIDTH: Record<string, number> = { tinyint: 1, smallint: 2, int: 4, bigint: 8 }

/**
 * The value as another type. `attempt` gives NULL where CAST fails.
 * @throws sql_type where Spark has no such cast; sql_unsupported where ours couldn't be exact
 */
export function cast(source: Source, value: Value, to: T, attempt = false, at = value.at): Value {
  const from = value.type
  if (same(from, to)) return attempt ? { ...value, column: undefined } : value
  if (from.kind === 'void') {
    const typed = source.literal(null, to, at)
    return { ...typed, from: value.from }
  }
  const result = convert(source, value, to, attempt, at)
  return source.make(result.sql, to, [value], {
    nullable: value.nullable || attempt || forcesNull(from, to),
    raises: result.raises === true && !attempt,
    uses: result.uses ?? 1,
    at,
  })
}

type Converted = { sql: string; raises?: boolean; uses?: number }

function convert(source: Source, value: Value, to: T, attempt: boolean, at: number): Converted {
  const from = value.type
  const x = value.sql
  const impossible = () => source.type(`${textOf(from)} can't be cast to ${textOf(to)}`, at)
  const refused = (hint: string) =>
    source.unsupported(`A cast from ${textOf(from)} to ${textOf(to)}`, at, hint)
  const plain = `CAST(${x} AS ${duck(to)})`
  // DuckDB would turn a comparison with a cast into one without it, and what doesn't fit would pass in silence; not with CASE.
  const guarded = (inner: string, uses = 1): Converted => ({
    sql: `CASE WHEN ${x} IS NULL THEN NULL ELSE ${attempt ? 'TRY_CAST' : 'CAST'}(${inner} AS ${duck(to)}) END`,
    raises: true,
    uses: uses + 1,
  })
  const checked = guarded(x)
  const suffix = attempt ? '_try' : ''

  if (from.kind === 'array' && to.kind === 'array') {
    const item = source.make('lf_e', from.element, [], { nullable: true })
    const inner = cast(source, item, to.element, attempt, at)
    return { sql: `list_transform(${x}, lambda lf_e: ${inner.sql})`, raises: inner.raises }
  }
  if (from.kind === 'struct' && to.kind === 'struct') {
    if (from.fields.length !== to.fields.length) return impossible()
    const fields = to.fields.map((field, index) => {
      const old = from.fields[index]!
      const part = source.make(structField(x, old.name), old.type, [], { nullable: true })
      return { name: field.name, value: cast(source, part, field.type, attempt, at) }
    })
    return {
      sql: `CASE WHEN ${x} IS NULL THEN NULL ELSE ${packStruct(fields)} END`,
      raises: fields.some((field) => field.value.raises),
      uses: fields.length + 1,
    }
  }
  if (!isAtomic(from) || !isAtomic(to)) {
    if (to.kind === 'string')
      return refused(
        'Take its parts one by one; the text of nested values differs between engines.',
      )
    return impossible()
  }

  switch (to.kind) {
    case 'boolean':
      if (from.kind === 'string')
        return { sql: `lf_str_boolean${suffix}(${x})`, raises: true, uses: 5 }
      if (isNumeric(from)) return { sql: `(${x} <> 0)` }
      return impossible()
    case 'tinyint':
    case 'smallint':
    case 'int':
    case 'bigint':
      if (from.kind === 'boolean') return { sql: plain }
      if (isIntegral(from)) return WIDTH[from.kind]! <= WIDTH[to.kind]! ? { sql: plain } : checked
      if (isFloat(from)) return { sql: `lf_float_${to.kind}${suffix}(${x})`, raises: true, uses: 3 }
      if (from.kind === 'decimal') {
        const cut = from.scale === 0 ? x : `trunc(${x})`
        // Spark goes by a double here (not to bigint); where that would give another number we stop.
        if (to.kind !== 'bigint' && from.precision > 18 && from.scale > 0)
          return guarded(`lf_wide_trunc(${x})`, 3)
        return guarded(cut)
      }
      if (from.kind === 'string')
        return { sql: `lf_str_${to.kind}${suffix}(${x})`, raises: true, uses: 5 }
      if (from.kind === 'timestamp') {
        if (to.kind === 'tinyint' || to.kind === 'smallint') return impossible()
        const seconds = `lf_seconds(${x})`
        return to.kind === 'bigint' ? { sql: seconds, uses: 4 } : guarded(seconds, 4)
      }
      return impossible()
    case 'float':
    case 'double':
      if (from.kind === 'boolean' || isIntegral(from)) return { sql: plain }
      if (from.kind === 'float') return { sql: plain }
      if (from.kind === 'double') return { sql: `lf_double_float(${x})`, uses: 3 }
      if (from.kind === 'decimal')
        // Beyond 15 digits DuckDB rounds twice on its way; by the text once.
        return {
          sql:
            from.precision <= 15 && to.kind === 'double'
              ? plain
              : `CAST(CAST(${x} AS VARCHAR) AS ${duck(to)})`,
        }
      if (from.kind === 'string')
        return { sql: `lf_str_${to.kind}${suffix}(${x})`, raises: true, uses: 5 }
      if (from.kind === 'timestamp' && to.kind === 'double')
        return { sql: `(CAST(epoch_us(${x}) AS DOUBLE) / 1000000)` }
      if (from.kind === 'timestamp') return refused('Cast it to double.')
      return impossible()
    case 'decimal':
      if (from.kind === 'boolean')
        return { sql: `CAST(CAST(${x} AS INTEGER) AS ${duck(to)})`, raises: true }
      if (isIntegral(from) || from.kind === 'decimal')
        return holds(from, to) ? { sql: plain } : checked
      if (isFloat(from)) {
        // Spark goes by the shortest text of the double; NaN and the infinities have none and become NULL.
        const wide = `CAST(${x} AS DOUBLE)`
        const read = attempt ? 'TRY_CAST' : 'CAST'
        const parsed = `${read}(lf_plain(CAST(${wide} AS VARCHAR)) AS ${duck(to)})`
        // DuckDB reads decimals of more than 18 digits from text very slowly.
        const short =
          to.precision > 18 && to.scale < 17
            ? `WHEN abs(${wide}) < 1e${17 - to.scale} THEN CAST(CAST(lf_plain(CAST(${wide} AS VARCHAR)) AS DECIMAL(18,${to.scale})) AS ${duck(to)})`
            : ''
        // From 2^53 on Java 17 writes more digits than a double has.
        const whole = to.precision - to.scale
        const large =
          whole > 15
            ? `WHEN abs(${wide}) >= 9007199254740992 AND abs(${wide}) < 1e${whole} THEN ${raise('UNSUPPORTED_VALUE')}`
            : ''
        return {
          sql: `CASE ${short} ${large} WHEN isfinite(${x}) THEN ${parsed} END`,
          raises: true,
          uses: 5,
        }
      }
      if (from.kind === 'string') {
        const bad = attempt ? 'NULL' : raise('CAST_INVALID_INPUT')
        const large = attempt ? 'NULL' : raise('NUMERIC_VALUE_OUT_OF_RANGE')
        const read = (text: string) => `coalesce(TRY_CAST(${text} AS ${duck(to)}), ${large})`
        const short =
          to.precision > 18 && to.scale < 17
            ? `WHEN regexp_full_match(${x}, '-?[0-9]{1,${17 - to.scale}}(\\.[0-9]{1,17})?') THEN CAST(CAST(${x} AS DECIMAL(18,${to.scale})) AS ${duck(to)})`
            : `WHEN regexp_full_match(${x}, '-?[0-9]{1,17}(\\.[0-9]{1,17})?') THEN ${read(x)}`
        return {
          sql: `CASE WHEN ${x} IS NULL THEN NULL ${short} WHEN lf_is_decimal(${x}) THEN ${read(`lf_plain(ltrim(lf_trim(${x}), '+'))`)} WHEN lf_foreign_digits(${x}) THEN ${raise('UNSUPPORTED_VALUE')} ELSE ${bad} END`,
          raises: true,
          uses: 6,
        }
      }
      if (from.kind === 'timestamp') return refused('Cast it to double first.')
      return impossible()
    case 'string':
      if (isFloat(from))
        return refused('Engines write floats differently: cast to decimal(p, s) first.')
      if (from.kind === 'decimal' && from.precision === from.scale) {
        if (from.precision === 38)
          return refused('Cast it to a decimal with a digit before the point.')
        return {
          sql: `CAST(CAST(${x} AS DECIMAL(${from.precision + 1},${from.scale})) AS VARCHAR)`,
        }
      }
      if (from.kind === 'timestamp')
        return { sql: `lf_text_timestamp(lf_naive(${x}))`, raises: true, uses: 3 }
      if (from.kind === 'timestamp_ntz')
        return { sql: `lf_text_timestamp(${x})`, raises: true, uses: 3 }
      if (from.kind === 'date') return { sql: `lf_text_date(${x})`, raises: true, uses: 3 }
      // Bytes that aren't UTF-8 can't be text in DuckDB; Spark would carry them along.
      if (from.kind === 'binary') return { sql: `lf_text_binary(${x})`, raises: true, uses: 2 }
      return { sql: plain }
    case 'binary':
      return from.kind === 'string' ? { sql: `encode(${x})` } : impossible()
    case 'date':
      if (from.kind === 'string')
        return { sql: `lf_str_date${suffix}(${x})`, raises: true, uses: 5 }
      if (from.kind === 'timestamp') return { sql: `CAST(lf_naive(${x}) AS DATE)` }
      if (from.kind === 'timestamp_ntz') return { sql: plain }
      return impossible()
    case 'timestamp':
      if (from.kind === 'string')
        return { sql: `lf_str_timestamp${suffix}(${x})`, raises: true, uses: 5 }
      if (from.kind === 'date') return { sql: `lf_instant(CAST(${x} AS TIMESTAMP))` }
      if (from.kind === 'timestamp_ntz') return { sql: `lf_instant(${x})` }
      if (isIntegral(from)) return { sql: `lf_epoch(${x}::BIGINT)`, raises: true, uses: 3 }
      if (isNumeric(from)) return refused('Use timestamp_micros(…) with a whole number.')
      return impossible()
    case 'timestamp_ntz':
      if (from.kind === 'string')
        return { sql: `lf_str_timestamp_ntz${suffix}(${x})`, raises: true, uses: 5 }
      if (from.kind === 'date') return { sql: plain }
      if (from.kind === 'timestamp') return { sql: `lf_naive(${x})` }
      return impossible()
    default:
      return impossible()
  }
}

/**
 * The cast that Spark adds where a function or operator expects a type: looser than the common type, since numbers may
 * narrow and everything may become text.
 * @throws sql_type
 */
export function implicit(source: Source, value: Value, to: T): Value {
  const from = value.type
  if (same(from, to)) return value
  const allowed =
    from.kind === 'void' ||
    (from.kind === 'string' && isAtomic(to)) ||
    (isNumeric(from) && isNumeric(to)) ||
    (isAtomic(from) && to.kind === 'string') ||
    (tightest(from, to) !== undefined && same(tightest(from, to)!, to)) ||
    (from.kind.startsWith('timestamp') && (to.kind === 'date' || to.kind.startsWith('timestamp')))
  if (!allowed) source.type(`${textOf(to)} is needed here, not ${textOf(from)}`, value.at)
  return cast(source, value, to)
}

/** Whether every value of a number's type fits into the decimal. */
export function holds(from: T, to: Decimal): boolean {
  const needed = from.kind === 'boolean' ? { precision: 1, scale: 0 } : asDecimal(from)
  return to.precision - to.scale >= needed.precision - needed.scale && to.scale >= needed.scale
}

/** Casts whose result Spark declares nullable though the input isn't. */
function forcesNull(from: T, to: T): boolean {
  if (from.kind === 'string') return to.kind !== 'binary'
  if (to.kind === 'string') return false
  if (from.kind === 'timestamp')
    return to.kind === 'tinyint' || to.kind === 'smallint' || to.kind === 'int'
  if (isFloat(from) && to.kind === 'timestamp') return true
  if (to.kind === 'date') return true
  if (from.kind === 'date') return to.kind !== 'timestamp'
  if (to.kind === 'decimal')
    return !(
      (isIntegral(from) || from.kind === 'decimal' || from.kind === 'boolean') &&
      holds(from, to)
    )
  return (isFloat(from) || from.kind === 'decimal') && isIntegral(to)
}

export function structField(sql: string, name: string): string {
  return `struct_extract(${sql}, ${literalDuckdb(name)})`
}

export function packStruct(fields: { name: string; value: Value }[]): string {
  return `struct_pack(${fields.map((field) => `${quoteDuckdb(field.name)} := ${field.value.sql}`).join(', ')})`
}
