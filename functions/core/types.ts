// Column types as Spark writes them. One parser, and the names that DuckDB and the Delta log give the same types.
import { fail } from './errors.ts'
import { quoteDuckdb } from './names.ts'

/** A parsed Spark type. `nullable` is kept only where Spark allows `not null` inside a type: struct fields. */
export type SparkType =
  | { kind: Primitive }
  | { kind: 'decimal'; precision: number; scale: number }
  | { kind: 'array'; element: SparkType }
  | { kind: 'map'; key: SparkType; value: SparkType }
  | { kind: 'struct'; fields: { name: string; type: SparkType; nullable: boolean }[] }

export const PRIMITIVES = [
  'boolean',
  'tinyint',
  'smallint',
  'int',
  'bigint',
  'float',
  'double',
  'string',
  'binary',
  'date',
  'timestamp',
  'timestamp_ntz',
] as const
export type Primitive = (typeof PRIMITIVES)[number]

/** A column of a table or of a query's result. `type` is Spark's text, e.g. `decimal(10,2)`. */
export type Column = { name: string; type: string; nullable: boolean }

const SYNONYMS: Record<string, Primitive> = {
  byte: 'tinyint',
  short: 'smallint',
  integer: 'int',
  long: 'bigint',
  real: 'float',
  timestamp_ltz: 'timestamp',
}

/** The Delta protocol's primitive names differ from SQL's in four places. */
const DELTA_NAMES: Partial<Record<Primitive, string>> = {
  tinyint: 'byte',
  smallint: 'short',
  int: 'integer',
  bigint: 'long',
}

const DUCKDB_NAMES: Record<Primitive, string> = {
  boolean: 'BOOLEAN',
  tinyint: 'TINYINT',
  smallint: 'SMALLINT',
  int: 'INTEGER',
  bigint: 'BIGINT',
  float: 'FLOAT',
  double: 'DOUBLE',
  string: 'VARCHAR',
  binary: 'BLOB',
  date: 'DATE',
  timestamp: 'TIMESTAMP WITH TIME ZONE',
  timestamp_ntz: 'TIMESTAMP',
}

/**
 * Parses a Spark type such as `array<struct<a:int,b:decimal(10,2) not null>>`. Case-insensitive; field names keep their
 * case and may stand in backticks; `varchar(n)` and `char(n)` read as `string`.
 * @throws type_unknown
 */
export function parseType(text: string): SparkType {
  let at = 0
  const bad = (): never => fail('type_unknown', { type: text.slice(0, 200) })
  const space = () => {
    while (/\s/.test(text[at] ?? '')) at++
  }
  const take = (token: string): boolean => {
    space()
    if (!text.startsWith(token, at)) return false
    at += token.length
    return true
  }
  const need = (token: string) => void (take(token) || bad())
  const word = (): string => {
    space()
    const found = /^[A-Za-z_][A-Za-z0-9_]*/.exec(text.slice(at))?.[0] ?? bad()
    at += found.length
    return found
  }
  const number = (): number => {
    space()
    const found = /^\d{1,9}/.exec(text.slice(at))?.[0] ?? bad()
    at += found.length
    return Number(found)
  }
  const fieldName = (): string => {
    space()
    if (text[at] !== '`') {
      const found = /^[^\s:<>,`]+/.exec(text.slice(at))?.[0] ?? bad()
      at += found.length
      return found
    }
    const found = /^`((?:[^`]|``)+)`/.exec(text.slice(at)) ?? bad()
    at += found[0].length
    return found[1]!.replaceAll('``', '`')
  }
  const type = (depth: number): SparkType => {
    if (depth > 50) bad()
    const name = word().toLowerCase()
    if (name === 'decimal' || name === 'dec' || name === 'numeric') {
      let precision = 10
      let scale = 0
      if (take('(')) {
        precision = number()
        if (take(',')) scale = number()
        need(')')
      }
      if (precision < 1 || precision > 38 || scale > precision) bad()
      return { kind: 'decimal', precision, scale }
    }
    if (name === 'varchar' || name === 'char') {
      need('(')
      number()
      need(')')
      return { kind: 'string' }
    }
    if (name === 'array') {
      need('<')
      const element = type(depth + 1)
      need('>')
      return { kind: 'array', element }
    }
    if (name === 'map') {
      need('<')
      const key = type(depth + 1)
      need(',')
      const value = type(depth + 1)
      need('>')
      return { kind: 'map', key, value }
    }
    if (name === 'struct') {
      need('<')
      const fields: { name: string; type: SparkType; nullable: boolean }[] = []
      if (!take('>')) {
        do {
          const field = fieldName()
          take(':')
          const inner = type(depth + 1)
          space()
          const not = /^not\s+null/i.exec(text.slice(at))
          if (not) at += not[0].length
          fields.push({ name: field, type: inner, nullable: !not })
        } while (take(','))
        need('>')
      }
      return { kind: 'struct', fields }
    }
    const kind = SYNONYMS[name] ?? name
    return (PRIMITIVES as readonly string[]).includes(kind) ? { kind: kind as Primitive } : bad()
  }
  const parsed = type(0)
  space()
  return at === text.length ? parsed : bad()
}

/** Spark's text of a type: lower case, no spaces, field names in backticks only where they need them. */
export function formatType(type: SparkType): string {
  switch (type.kind) {
    case 'decimal':
      return `decimal(${type.precision},${type.scale})`
    case 'array':
      return `array<${formatType(type.element)}>`
    case 'map':
      return `map<${formatType(type.key)},${formatType(type.value)}>`
    case 'struct':
      return `struct<${type.fields
        .map((field) => {
          const plain = /^[A-Za-z_][A-Za-z0-9_]*$/.test(field.name)
          const name = plain ? field.name : `\`${field.name.replaceAll('`', '``')}\``
          return `${name}:${formatType(field.type)}${field.nullable ? '' : ' not null'}`
        })
        .join(',')}>`
    default:
      return type.kind
  }
}

/** The same type in DuckDB's words, e.g. `STRUCT("a" INTEGER)[]`. TIMESTAMP is an instant: TIMESTAMP WITH TIME ZONE. */
export function duckdbType(type: SparkType | string): string {
  const parsed = typeof type === 'string' ? parseType(type) : type
  switch (parsed.kind) {
    case 'decimal':
      return `DECIMAL(${parsed.precision},${parsed.scale})`
    case 'array':
      return `${duckdbType(parsed.element)}[]`
    case 'map':
      return `MAP(${duckdbType(parsed.key)}, ${duckdbType(parsed.value)})`
    case 'struct':
      return `STRUCT(${parsed.fields.map((field) => `${quoteDuckdb(field.name)} ${duckdbType(field.type)}`).join(', ')})`
    default:
      return DUCKDB_NAMES[parsed.kind]
  }
}

/**
 * The type as the Delta log's `schemaString` holds it: a name, or an object for nested types.
 * https://github.com/delta-io/delta/blob/master/PROTOCOL.md#schema-serialization-format
 */
export function deltaType(type: SparkType): unknown {
  switch (type.kind) {
    case 'decimal':
      return formatType(type)
    case 'array':
      return { type: 'array', elementType: deltaType(type.element), containsNull: true }
    case 'map':
      return {
        type: 'map',
        keyType: deltaType(type.key),
        valueType: deltaType(type.value),
        valueContainsNull: true,
      }
    case 'struct':
      return {
        type: 'struct',
        fields: type.fields.map((field) => ({
          name: field.name,
          type: deltaType(field.type),
          nullable: field.nullable,
          metadata: {},
        })),
      }
    default:
      return DELTA_NAMES[type.kind] ?? type.kind
  }
}

/**
 * Reads a type from a Delta log's `schemaString`.
 * @throws type_unknown for types that we don't have (variant, intervals, …)
 */
export function fromDeltaType(json: unknown): SparkType {
  if (typeof json === 'string') return parseType(json)
  const node = json as Record<string, unknown>
  switch (node?.type) {
    case 'array':
      return { kind: 'array', element: fromDeltaType(node.elementType) }
    case 'map':
      return { kind: 'map', key: fromDeltaType(node.keyType), value: fromDeltaType(node.valueType) }
    case 'struct':
      return {
        kind: 'struct',
        fields: (node.fields as { name: string; type: unknown; nullable: boolean }[]).map(
          (field) => ({
            name: field.name,
            type: fromDeltaType(field.type),
            nullable: field.nullable,
          }),
        ),
      }
    default:
      return fail('type_unknown', { type: JSON.stringify(json).slice(0, 200) })
  }
}
