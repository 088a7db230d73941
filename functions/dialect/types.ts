// Spark's rules of types in ANSI mode: which type two values meet in, and what arithmetic gives.
import { duckdbType, formatType, type SparkType } from '#core/types.ts'

/** A type inside an expression: Spark's column types, the type of NULL, and intervals (which no column can have). */
export type T = SparkType | { kind: 'void' } | { kind: 'interval_month' } | { kind: 'interval_day' }

export const VOID: T = { kind: 'void' }
export const BOOLEAN: T = { kind: 'boolean' }
export const INT: T = { kind: 'int' }
export const BIGINT: T = { kind: 'bigint' }
export const DOUBLE: T = { kind: 'double' }
export const STRING: T = { kind: 'string' }
export const DATE: T = { kind: 'date' }
export const TIMESTAMP: T = { kind: 'timestamp' }

const INTEGRAL = ['tinyint', 'smallint', 'int', 'bigint']
const NUMERIC = [...INTEGRAL, 'float', 'double']

export const isIntegral = (type: T): boolean => INTEGRAL.includes(type.kind)
export const isFloat = (type: T): boolean => type.kind === 'float' || type.kind === 'double'
export const isNumeric = (type: T): boolean =>
  NUMERIC.includes(type.kind) || type.kind === 'decimal'
export const isTime = (type: T): boolean =>
  type.kind === 'date' || type.kind === 'timestamp' || type.kind === 'timestamp_ntz'
export const isNested = (type: T): boolean =>
  type.kind === 'array' || type.kind === 'map' || type.kind === 'struct'
/** The type with each field of its structs nullable: what tables hold, whatever an expression would guarantee. */
export function loose<K extends T>(type: K): K {
  const plain = (each: SparkType): SparkType => {
    switch (each.kind) {
      case 'array':
        return { kind: 'array', element: plain(each.element) }
      case 'map':
        return { kind: 'map', key: plain(each.key), value: plain(each.value) }
      case 'struct':
        return {
          kind: 'struct',
          fields: each.fields.map(({ name, type: of }) => ({
            name,
            type: plain(of),
            nullable: true,
          })),
        }
      default:
        return each
    }
  }
  return plain(type as SparkType) as K
}

export const hasMap = (type: T): boolean =>
  type.kind === 'map' ||
  (type.kind === 'array' && hasMap(type.element)) ||
  (type.kind === 'struct' && type.fields.some((field) => hasMap(field.type)))
export const isInterval = (type: T): boolean =>
  type.kind === 'interval_month' || type.kind === 'interval_day'
export const isAtomic = (type: T): boolean =>
  !isNested(type) && !isInterval(type) && type.kind !== 'void'

/** Spark's text, for messages too. */
export function textOf(type: T): string {
  if (type.kind === 'interval_month') return 'interval year to month'
  if (type.kind === 'interval_day') return 'interval day to second'
  return type.kind === 'void' ? 'void' : formatType(type)
}

/** DuckDB's word for a type; only for values that have one (NULL is typed by the place it stands in). */
export function duck(type: T): string {
  if (type.kind === 'void') return '"NULL"'
  return isInterval(type) ? 'INTERVAL' : duckdbType(typed(type) as SparkType)
}

/** NULL inside of an array needs some type in DuckDB; no value ever has it. */
function typed(type: T): T {
  if (type.kind === 'void') return BOOLEAN
  if (type.kind !== 'array') return type
  return { kind: 'array', element: typed(type.element as T) as SparkType }
}

/** Whether NULL has no type yet somewhere in it. */
export const isUntyped = (type: T): boolean =>
  type.kind === 'void' || (type.kind === 'array' && isUntyped(type.element as T))

export const same = (a: T, b: T): boolean => textOf(a).toLowerCase() === textOf(b).toLowerCase()

export type Decimal = Extract<T, { kind: 'decimal' }>

/** The decimal that holds every value of an integer type. */
export function asDecimal(type: T): Decimal {
  if (type.kind === 'decimal') return type
  const precision = { tinyint: 3, smallint: 5, int: 10, bigint: 20 }[type.kind as string] ?? 38
  return { kind: 'decimal', precision, scale: 0 }
}

/** Spark's bounded type: at 38 digits it gives up scale, but keeps at least 6 digits of it. */
export function adjusted(precision: number, scale: number): Decimal {
  if (precision <= 38) return { kind: 'decimal', precision, scale }
  const whole = precision - scale
  return { kind: 'decimal', precision: 38, scale: Math.max(38 - whole, Math.min(scale, 6)) }
}

/** The type of `a op b` for decimals, by Spark's formulas. */
export function decimalResult(op: '+' | '-' | '*' | '/' | '%', a: Decimal, b: Decimal): Decimal {
  const [p1, s1, p2, s2] = [a.precision, a.scale, b.precision, b.scale]
  switch (op) {
    case '+':
    case '-': {
      const scale = Math.max(s1, s2)
      return adjusted(Math.max(p1 - s1, p2 - s2) + scale + 1, scale)
    }
    case '*':
      return adjusted(p1 + p2 + 1, s1 + s2)
    case '/': {
      const scale = Math.max(6, s1 + p2 + 1)
      return adjusted(p1 - s1 + s2 + scale, scale)
    }
    case '%': {
      const scale = Math.max(s1, s2)
      return adjusted(Math.min(p1 - s1, p2 - s2) + scale, scale)
    }
  }
}

/** The decimal that holds both without loss, as far as 38 digits go (Spark keeps the scale and cuts whole digits). */
export function widerDecimal(a: Decimal, b: Decimal): Decimal {
  const scale = Math.max(a.scale, b.scale)
  const whole = Math.max(a.precision - a.scale, b.precision - b.scale)
  if (whole + scale <= 38) return { kind: 'decimal', precision: whole + scale, scale }
  return adjusted(whole + scale, scale)
}

/** The common type without any loss or string; undefined if there is none. */
export function tightest(a: T, b: T): T | undefined {
  if (same(a, b)) return a
  if (a.kind === 'void') return b
  if (b.kind === 'void') return a
  if (isNumeric(a) && isNumeric(b)) {
    if (a.kind === 'decimal' || b.kind === 'decimal') {
      if (isFloat(a) || isFloat(b)) return DOUBLE
      return widerDecimal(asDecimal(a), asDecimal(b))
    }
    if ((a.kind === 'float' && isIntegral(b)) || (b.kind === 'float' && isIntegral(a)))
      return DOUBLE
    return NUMERIC.indexOf(a.kind) > NUMERIC.indexOf(b.kind) ? a : b
  }
  if (isTime(a) && isTime(b)) {
    if (a.kind === 'date') return b
    if (b.kind === 'date') return a
    return TIMESTAMP
  }
  return undefined
}

/** The common type where a function takes no loss at all: decimals only if one of them holds the other. */
export function strictest(a: T, b: T): T | undefined {
  const type = tightest(a, b)
  if (type?.kind === 'array' || type === undefined) {
    if (a.kind !== 'array' || b.kind !== 'array') return type
    const element = strictest(a.element as T, b.element as T)
    return element && { kind: 'array', element: element as SparkType }
  }
  if (same(a, b) || a.kind === 'void' || b.kind === 'void') return type
  if (a.kind === 'decimal' || b.kind === 'decimal')
    return isFloat(type) || !(same(type, a) || same(type, b)) ? undefined : type
  return type
}

/** What a string becomes beside a value of another type: Spark reads the string as that type. */
export function promoteString(a: T, b: T): T | undefined {
  const other = a.kind === 'string' ? b : b.kind === 'string' ? a : undefined
  if (!other || other.kind === 'string') return undefined
  if (isIntegral(other)) return BIGINT
  if (isNumeric(other)) return DOUBLE
  return isAtomic(other) ? other : undefined
}

/** The common type for CASE, coalesce, IN, UNION …; undefined if there is none. */
export function wider(a: T, b: T, strings = true): T | undefined {
  const tight = tightest(a, b)
  if (tight) return tight
  if (a.kind === 'array' && b.kind === 'array') {
    const element = wider(a.element, b.element, strings)
    return element && { kind: 'array', element: element as SparkType }
  }
  if (a.kind === 'map' && b.kind === 'map') {
    const key = wider(a.key, b.key, strings)
    const value = wider(a.value, b.value, strings)
    return key && value && { kind: 'map', key: key as SparkType, value: value as SparkType }
  }
  if (a.kind === 'struct' && b.kind === 'struct' && a.fields.length === b.fields.length) {
    const fields = []
    for (const [index, field] of a.fields.entries()) {
      const other = b.fields[index]!
      const type = wider(field.type, other.type, strings)
      if (!type || field.name.toLowerCase() !== other.name.toLowerCase()) return undefined
      fields.push({
        name: field.name,
        type: type as SparkType,
        nullable: field.nullable || other.nullable,
      })
    }
    return { kind: 'struct', fields }
  }
  return strings ? promoteString(a, b) : undefined
}

/** Where Spark compares whole rows (DISTINCT, GROUP BY, set operations) it turns -0.0 into 0.0; DuckDB keeps either. */
export const unsigned = (sql: string, type: T): string => (isFloat(type) ? `(${sql} + 0)` : sql)
