// Types of columns that a source writes as text (CSV, strings in JSON), from a sample; and the casts from text that take a
// value only if nothing of it is lost. DuckDB's own casts read '1.5' as the integer 2, and '007' as 7.
import { formatType, duckdbType, type SparkType } from '#core/types.ts'

const INTEGER = '[+-]?(0|[1-9][0-9]{0,17})'
// With a point or an exponent: longer whole numbers are identifiers, and a double would cut their digits.
const NUMBER =
  '[+-]?(((0|[1-9][0-9]*)[.][0-9]*|[.][0-9]+)([eE][+-]?[0-9]{1,3})?|[1-9][0-9]*[eE][+-]?[0-9]{1,3})'
const DATE = '[0-9]{4}-[0-9]{2}-[0-9]{2}'
const TIME = '[ T][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,9})?)?'
const OFFSET = '( ?(Z|UTC|[+-][0-9]{2}(:?[0-9]{2})?))'

const BOOLEANS = 1
const INTEGERS = 2
const NUMBERS = 4
const DATES = 8
const TIMES = 16
const INSTANTS = 32
const TEXTS = 64
const LONG_INTEGERS = 128

/** An aggregate that gathers what kinds of values a text column holds, as the bits that `textType` reads. */
export function textKindsSql(sql: string): string {
  const full = (pattern: string) => `regexp_full_match(${sql}, '${pattern}')`
  return `bit_or(CASE WHEN ${sql} IS NULL THEN 0
    WHEN ${full(INTEGER)} THEN
      CASE WHEN try_cast(${sql} AS INTEGER) IS NULL THEN ${LONG_INTEGERS} ELSE ${INTEGERS} END
    WHEN strlen(${sql}) <= 40 AND ${full(NUMBER)} THEN ${NUMBERS}
    WHEN ${full(DATE)} AND try_cast(${sql} AS DATE) IS NOT NULL THEN ${DATES}
    WHEN ${full(DATE + TIME)} AND try_cast(${sql} AS TIMESTAMP) IS NOT NULL THEN ${TIMES}
    WHEN ${full(DATE + TIME + OFFSET)} AND try_cast(${sql} AS TIMESTAMPTZ) IS NOT NULL THEN ${INSTANTS}
    WHEN lower(${sql}) IN ('true', 'false') THEN ${BOOLEANS}
    ELSE ${TEXTS} END)::INTEGER`
}

/** The narrowest Spark type that takes all kinds of values found. Nothing found, or a mixture: string. */
export function textType(kinds: number | null): string {
  if (kinds === null || kinds === 0) return 'string'
  if (kinds === BOOLEANS) return 'boolean'
  if (kinds === INTEGERS) return 'int'
  if ((kinds & ~(INTEGERS | LONG_INTEGERS)) === 0) return 'bigint'
  if ((kinds & ~(INTEGERS | LONG_INTEGERS | NUMBERS)) === 0) return 'double'
  if (kinds === DATES) return 'date'
  if ((kinds & ~(DATES | TIMES)) === 0) return 'timestamp_ntz'
  return kinds === INSTANTS ? 'timestamp' : 'string'
}

/** The value of a text as a type, null where it can't be one; and where it could but would lose something, see `lossSql`. */
export function castTextSql(type: SparkType, text: string): string {
  switch (type.kind) {
    case 'string':
      return text
    case 'binary':
      return `encode(${text})`
    case 'array':
    case 'map':
    case 'struct':
      return `TRY(json_transform_strict(${text}, ${jsonShape(type)}))`
    default:
      return `try_cast(${text} AS ${duckdbType(type)})`
  }
}

/**
 * True where a text isn't null and its value is null or not the whole text. Never null. CASE, not AND: DuckDB 1.5 plans
 * thousands of conjunctions in quadratic time (measured: 1,000 columns 7.9 s against 0.4 s). `wide`: for thousands of columns,
 * where the text of each value would take 32 KB more a column.
 */
export function lossSql(type: SparkType, text: string, value: string, wide = false): string {
  const missing = `(${text} IS NOT NULL AND ${value} IS NULL)`
  // The comparison holds for nearly all values; only the others pay for the exact look.
  const unlessEqual = (exact: string) =>
    `CASE WHEN ${wide ? `${text} IS NULL` : `${text} IS NOT DISTINCT FROM ${value}::VARCHAR`} THEN false WHEN ${value} IS NULL THEN true ELSE NOT coalesce(${exact}, false) END`
  switch (type.kind) {
    case 'string':
    case 'binary':
      return 'false'
    case 'tinyint':
    case 'smallint':
    case 'int':
    case 'bigint':
      return unlessEqual(`regexp_full_match(${text}, ' *[+-]?[0-9]+([.]0*)? *')`)
    case 'decimal':
      return type.precision - type.scale > 20
        ? missing
        : unlessEqual(`try_cast(${text} AS DECIMAL(38,18)) = ${value}`)
    case 'date':
      return `NOT coalesce(isfinite(${value}) AND (strlen(${text}) <= 10 OR regexp_full_match(${text}, ' *[+-]?[0-9]{1,7}-[0-9]{1,2}-[0-9]{1,2}([ T]00:00(:00([.]0*)?)?Z?)? *')), ${text} IS NULL)`
    case 'timestamp':
    case 'timestamp_ntz':
      return `NOT coalesce(isfinite(${value}), ${text} IS NULL)`
    default:
      return missing
  }
}

/** A type as json_transform wants it: a JSON text of nested type names, as a DuckDB literal. */
export function jsonShape(type: SparkType): string {
  return `'${JSON.stringify(shape(type)).replaceAll("'", "''")}'`
}

function shape(type: SparkType): unknown {
  switch (type.kind) {
    case 'array':
      return [shape(type.element)]
    case 'struct':
      return Object.fromEntries(type.fields.map((field) => [field.name, shape(field.type)]))
    case 'map':
      return `MAP(VARCHAR, ${duckdbType(type.value)})`
    default:
      return duckdbType(type)
  }
}

/**
 * The narrowest type that takes all values of both; null when only a person can say (a struct and a number).
 * Text takes every scalar.
 */
export function commonType(a: SparkType, b: SparkType): SparkType | null {
  if (formatType(a) === formatType(b)) return a
  const order = ['tinyint', 'smallint', 'int', 'bigint']
  const [x, y] = [order.indexOf(a.kind), order.indexOf(b.kind)]
  if (x >= 0 && y >= 0) return x > y ? a : b
  const kinds = new Set([a.kind, b.kind])
  if (kinds.has('double') && (kinds.has('float') || x >= 0 || y >= 0)) return { kind: 'double' }
  if (kinds.has('float') && (x >= 0 || y >= 0)) return { kind: 'double' }
  if (kinds.has('date') && kinds.has('timestamp_ntz')) return { kind: 'timestamp_ntz' }
  if (a.kind === 'array' && b.kind === 'array') {
    const element = commonType(a.element, b.element)
    return element && { kind: 'array', element }
  }
  if (a.kind === 'struct' && b.kind === 'struct') {
    const fields = [...a.fields]
    for (const field of b.fields) {
      const at = fields.findIndex((other) => other.name === field.name)
      if (at < 0) fields.push(field)
      else {
        const type = commonType(fields[at]!.type, field.type)
        if (!type) return null
        fields[at] = { ...fields[at]!, type }
      }
    }
    return { kind: 'struct', fields }
  }
  const nested = [a, b].some((type) => ['array', 'map', 'struct'].includes(type.kind))
  return nested ? null : { kind: 'string' }
}
