// From a snapshot to a DuckDB table expression, and which of its files a range can be in.
import { createHash } from 'node:crypto'
import { resolve } from 'node:path'
import { duckdbType, formatType, parseType } from '#core/types.ts'
import type { Column, SparkType } from '#core/types.ts'
import { fail } from '#core/errors.ts'
import { literalDuckdb, quoteDuckdb } from '#core/names.ts'
import type { DeltaFile } from './log.ts'
import { literalPath } from './paths.ts'
import type { Snapshot } from './snapshot.ts'
import { fileRows, fileStats, microsOf } from './stats.ts'

export type ScanOptions = {
  /** Only these of the snapshot's files; absent reads all. */
  files?: readonly DeltaFile[]
  /** Name of an extra last column with each row's file (absolute path). */
  filename?: string
  /** Names of two extra last columns that say where a row lies: its file's number in `files`, its place there; from 0. */
  place?: { file: string; row: string }
}

/**
 * A DuckDB table expression in parentheses: the snapshot's rows with exactly its columns, in order and type; columns that
 * an older file lacks are NULL. Works with no file at all. The session's time zone must be UTC (old Spark files hold
 * instants without a zone).
 */
export function duckdbScan(snapshot: Snapshot, options: ScanOptions = {}): string {
  const files = options.files ?? snapshot.files
  const { filename: extra, place } = options
  for (const added of [extra, place?.file, place?.row])
    if (snapshot.columns.some((c) => c.name.toLowerCase() === added?.toLowerCase()))
      fail('internal', { reason: 'the file column has the name of a column' })
  if (files.length === 0) {
    const typed = snapshot.columns.map(
      ({ name, type }) => `CAST(NULL AS ${duckdbType(type)}) AS ${quoteDuckdb(name)}`,
    )
    if (extra !== undefined) typed.push(`CAST(NULL AS VARCHAR) AS ${quoteDuckdb(extra)}`)
    for (const name of place ? [place.file, place.row] : [])
      typed.push(`CAST(NULL AS BIGINT) AS ${quoteDuckdb(name)}`)
    return `(SELECT ${typed.join(', ')} WHERE false)`
  }
  const paths = files.map((file) => literalPath(`${resolve(snapshot.dir)}/${file.path}`))
  // Columns of these names would hide the virtual ones that tell the place.
  const hides = (name: string) => place !== undefined && /^file_(index|row_number)$/i.test(name)
  const inner = (name: string) => (hides(name) ? `${place!.row}_${name}` : name)
  const tag = columnsTag(snapshot.columns)
  // Such files need no mapping. With one, DuckDB reads a single file in a single thread while the others spin (measured:
  // twice the time and twice the CPU).
  const plain =
    files.every((file) => file.tags[COLUMNS_TAG] === tag) &&
    !snapshot.columns.some(({ name }) => hides(name))
  const rows = files.reduce((sum, file) => sum + (fileRows(file) ?? Math.ceil(file.size / 20)), 0)
  // `schema` casts and fills file by file, without opening all of them first as union_by_name does.
  const schema = snapshot.columns.map(
    ({ name, type }) =>
      `${literalDuckdb(name)}: {'name': ${literalDuckdb(inner(name))}, 'type': ${literalDuckdb(duckdbType(type))}, 'default_value': NULL}`,
  )
  const settings = [
    ...(plain ? [] : [`schema = MAP {${schema.join(', ')}}`]),
    // Else DuckDB guesses, and may put the whole table on the build side of a join.
    `explicit_cardinality = ${Math.max(1, rows)}`,
    // Without this a folder named a=b above the table would become a column.
    'hive_partitioning = false',
    ...(extra === undefined ? [] : [`filename = ${literalDuckdb(extra)}`]),
  ]
  const list = snapshot.columns.map(({ name }) =>
    hides(name) ? `${quoteDuckdb(inner(name))} AS ${quoteDuckdb(name)}` : quoteDuckdb(name),
  )
  if (extra !== undefined) list.push(quoteDuckdb(extra))
  if (place) {
    list.push(`CAST(file_index AS BIGINT) AS ${quoteDuckdb(place.file)}`)
    list.push(`file_row_number AS ${quoteDuckdb(place.row)}`)
  }
  return `(SELECT ${list.join(', ')} FROM read_parquet([${paths.join(', ')}], ${settings.join(', ')}))`
}

/** Tag of an `add` action: `columnsTag` of what the file holds, as DuckDB wrote it. */
export const COLUMNS_TAG = 'lakeforge.columns'

/** Names and types of columns in 16 hex digits, whatever their order. */
export function columnsTag(columns: readonly Pick<Column, 'name' | 'type'>[]): string {
  const texts = columns.map(({ name, type }) => JSON.stringify([name, formatType(parseType(type))]))
  return createHash('sha256').update(texts.toSorted().join()).digest('hex').slice(0, 16)
}

/**
 * The files that may hold a row with `min <= column <= max`, by their statistics: a file is left out only when they prove
 * that it can't. Bounds are texts as DuckDB prints the column's type (timestamps in UTC), null is open. A nested column's
 * path is dotted by an array.
 * @throws column_unknown
 */
export function pruneFiles(
  snapshot: Snapshot,
  column: string | readonly string[],
  min: string | null,
  max: string | null,
  files: readonly DeltaFile[] = snapshot.files,
): DeltaFile[] {
  const path = typeof column === 'string' ? [column] : column
  const type = typeAt(snapshot, path)
  const low = min === null ? null : ordered(type, min)
  const high = max === null ? null : ordered(type, max)
  return files.filter((file) => {
    const stats = fileStats(file)
    if (!stats) return true
    const nulls = at(stats.nullCount, path)
    if (nulls !== null && nulls === String(stats.numRecords)) return false
    const fileMin = at(stats.minValues, path)
    const fileMax = at(stats.maxValues, path)
    // Spark cuts a greatest timestamp to milliseconds, so it may stand for up to one more.
    const slack = type.kind === 'timestamp' || type.kind === 'timestamp_ntz' ? 1000n : null
    const least = fileMin === null ? null : ordered(type, fileMin)
    const greatest = fileMax === null ? null : ordered(type, fileMax, slack)
    if (low !== null && greatest !== null && compare(greatest, low) < 0) return false
    if (high !== null && least !== null && compare(least, high) > 0) return false
    return true
  })
}

function typeAt(snapshot: Snapshot, path: readonly string[]): SparkType {
  let fields = snapshot.columns.map(({ name, type }) => ({ name, type: parseType(type) }))
  let found: SparkType | undefined
  for (const part of path) {
    found = fields.find((field) => field.name === part)?.type
    if (!found)
      return fail('column_unknown', {
        column: part,
        where: 'the table',
        columns: fields.map((field) => field.name).join(', '),
      })
    fields = found.kind === 'struct' ? found.fields : []
  }
  return found!
}

function at(values: unknown, path: readonly string[]): string | null {
  let value = values
  for (const part of path) value = (value as Record<string, unknown> | null | undefined)?.[part]
  return typeof value === 'string' || typeof value === 'number' ? String(value) : null
}

type Ordered = bigint | number | Buffer

/** A value in a form that compares as Spark orders its type; null when it can't be told (nothing is skipped then). */
function ordered(type: SparkType, text: string, slack: bigint | null = null): Ordered | null {
  switch (type.kind) {
    case 'tinyint':
    case 'smallint':
    case 'int':
    case 'bigint':
      return /^-?\d+$/.test(text) ? BigInt(text) : null
    case 'decimal': {
      const found = /^(-?)(\d*)(?:\.(\d+))?$/.exec(text)
      if (!found || !/\d/.test(text)) return null
      // All digits at one scale; 38 is the greatest.
      const digits = BigInt(found[2]! + (found[3] ?? '').slice(0, 38).padEnd(38, '0'))
      return found[1] ? -digits : digits
    }
    case 'float':
    case 'double': {
      const value = Number(text)
      return text === '' || Number.isNaN(value) ? null : value
    }
    case 'date': {
      const micros = /^\d{4}-\d\d-\d\d$/.test(text) ? microsOf(`${text} 00:00:00`) : null
      return micros
    }
    case 'timestamp':
    case 'timestamp_ntz': {
      const micros = microsOf(text)
      return micros === null ? null : micros + (slack ?? 0n)
    }
    case 'string':
      return Buffer.from(text)
    default:
      return null
  }
}

function compare(a: Ordered, b: Ordered): number {
  if (a instanceof Buffer && b instanceof Buffer) return Buffer.compare(a, b)
  return a < b ? -1 : a > b ? 1 : 0
}
