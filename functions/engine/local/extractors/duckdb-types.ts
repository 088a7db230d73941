// What Spark type a DuckDB type of a file or a query becomes.
import { parseType, type SparkType, formatType } from '#core/types.ts'

/** DuckDB's types without a counterpart: what holds all their values, or text. */
const SIMPLE: Record<string, SparkType['kind']> = {
  BOOLEAN: 'boolean',
  TINYINT: 'tinyint',
  SMALLINT: 'smallint',
  INTEGER: 'int',
  BIGINT: 'bigint',
  UTINYINT: 'smallint',
  USMALLINT: 'int',
  UINTEGER: 'bigint',
  FLOAT: 'float',
  DOUBLE: 'double',
  VARCHAR: 'string',
  BLOB: 'binary',
  DATE: 'date',
  TIMESTAMP: 'timestamp_ntz',
  TIMESTAMP_S: 'timestamp_ntz',
  TIMESTAMP_MS: 'timestamp_ntz',
  TIMESTAMP_NS: 'timestamp_ntz',
  'TIMESTAMP WITH TIME ZONE': 'timestamp',
}

/**
 * The Spark type that takes every value of a DuckDB type, written as DESCRIBE does: `STRUCT(a INTEGER)[]`. UBIGINT becomes
 * decimal(20,0), HUGEINT decimal(38,0); JSON, UUID, TIME, ENUM, INTERVAL, BIT and unions become string.
 */
export function sparkType(duckdb: string): string {
  return formatType(read(duckdb.trim()))
}

function read(text: string): SparkType {
  const list = /^([\s\S]*)\[\d*\]$/.exec(text)
  if (list) return { kind: 'array', element: read(list[1]!.trim()) }
  const nested = /^(STRUCT|MAP)\(([\s\S]*)\)$/.exec(text)
  if (nested?.[1] === 'STRUCT')
    return {
      kind: 'struct',
      fields: parts(nested[2]!).map((part) => {
        const [name, type] = named(part)
        return { name, type: read(type), nullable: true }
      }),
    }
  if (nested?.[1] === 'MAP') {
    const [key = 'VARCHAR', value = 'VARCHAR'] = parts(nested[2]!)
    return { kind: 'map', key: read(key), value: read(value) }
  }
  const decimal = /^DECIMAL\((\d+),(\d+)\)$/.exec(text)
  if (decimal) return { kind: 'decimal', precision: Number(decimal[1]), scale: Number(decimal[2]) }
  if (text === 'UBIGINT') return parseType('decimal(20,0)')
  if (text === 'HUGEINT' || text === 'UHUGEINT') return parseType('decimal(38,0)')
  return { kind: SIMPLE[text] ?? 'string' } as SparkType
}

/** Splits at commas of the outermost level; names in double quotes may hold anything. */
function parts(text: string): string[] {
  const found: string[] = []
  let depth = 0
  let quoted = false
  let start = 0
  for (let at = 0; at < text.length; at++) {
    const char = text[at]
    if (char === '"') quoted = !quoted
    else if (quoted) continue
    else if (char === '(' || char === '[') depth++
    else if (char === ')' || char === ']') depth--
    else if (char === ',' && depth === 0) {
      found.push(text.slice(start, at).trim())
      start = at + 1
    }
  }
  found.push(text.slice(start).trim())
  return found.filter((part) => part !== '')
}

function named(part: string): [name: string, type: string] {
  const quoted = /^"((?:[^"]|"")*)"\s+([\s\S]*)$/.exec(part)
  if (quoted) return [quoted[1]!.replaceAll('""', '"'), quoted[2]!]
  const space = part.indexOf(' ')
  return [part.slice(0, space), part.slice(space + 1).trim()]
}
