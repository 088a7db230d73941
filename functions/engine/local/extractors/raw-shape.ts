// What the raw files of some manifests look like: which columns under which names, in which files. Cheap for CSV (headers
// only) and Parquet (footers); JSON is read once, because a field may come with any row.
import type { DuckDBConnection } from '@duckdb/node-api'
import { randomUUID } from 'node:crypto'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { literalDuckdb, quoteDuckdb } from '#core/names.ts'
import type { PlanColumn } from '#core/plan.ts'
import { formatType, parseType, type SparkType } from '#core/types.ts'
import { rawDir, tempDir } from '../layout.ts'
import { compressionOf, firstRecord, sourceNames, type CsvOptions } from './csv-head.ts'
import { sparkType } from './duckdb-types.ts'
import { splitRecords } from './json-records.ts'
import { rawError } from './raw-error.ts'
import type { Manifest } from './manifest.ts'
import { isCleanUtf8, markInvalid, toUtf8 } from './recode.ts'
import { commonType, textKindsSql, textType } from './text-types.ts'

export type RawFormat = 'csv' | 'tsv' | 'json' | 'ndjson' | 'parquet'

export type JsonOptions = {
  compression: 'auto' | 'plain' | 'gzip' | 'zstd'
  shape: 'auto' | 'array' | 'lines'
  record_path?: string
  encoding?: 'utf-8' | 'utf-16' | 'latin-1'
  bad_rows: 'fail' | 'rescue'
}

export type ShapeFile = { absolute: string; source_path: string }

/** Files that one scan can read: of one header, or of one Parquet schema. `names` by position. */
export type ShapeGroup = {
  files: ShapeFile[]
  compression: 'plain' | 'gzip' | 'zstd'
  columns: { source_name: string; type: string | null }[]
  /** CSV: bytes that aren't UTF-8 are written as BYTE_MARK and two hex digits. */
  marked?: boolean
  /** JSON: there are records that aren't objects, so `columns` doesn't tell all. */
  mixed?: boolean
}

export type RawShape = {
  format: RawFormat
  /** Files that were made to be read in place of raw ones; `closeShape` removes them. */
  temporary: string[]
  options: CsvOptions | JsonOptions | Record<string, never>
  groups: ShapeGroup[]
  /** JSON: the longest record that the reader must hold. */
  object_bytes: number
}

export type RawSource = {
  root: string
  source: string
  raw: { name: string; format: string | null; options: Record<string, unknown> }
}

/** Of the first rows that an inference of text types looks at, and how many values at most, but never fewer rows than that. */
const SAMPLE_ROWS = 20_000
const SAMPLE_VALUES = 5_000_000
const LEAST_SAMPLE_ROWS = 500
/** Columns that are looked at together: thousands of such expressions at once take more memory than a batch has. */
const SAMPLE_COLUMNS = 250

/**
 * Looks at the files of manifests, in their order.
 * @throws file_unreadable, file_truncated, json_malformed, csv_malformed
 */
export async function inspectRaw(
  connection: DuckDBConnection,
  from: RawSource,
  manifests: readonly Manifest[],
): Promise<RawShape> {
  const base = rawDir(from.root, from.source, from.raw.name)
  const files = manifests.flatMap((manifest) =>
    manifest.files.map(({ path, source_path }) => ({ absolute: join(base, path), source_path })),
  )
  // A database's extracts are Parquet, whatever the object's own format is called.
  const extracted = manifests.some(({ columns }) => columns.length > 0)
  const format = extracted ? 'parquet' : ((from.raw.format ?? 'parquet') as RawFormat)
  return await inspectFiles(
    connection,
    files,
    format,
    from.raw.options,
    tempDir(from.root, randomUUID()),
  )
}

/** Removes what inspecting has left for the scan. Nothing may read the shape any more. */
export async function closeShape(shape: RawShape): Promise<void> {
  for (const path of shape.temporary) await rm(path, { recursive: true, force: true })
}

/** The same for files wherever the connection may read. `temp`: a folder for what is read in place of raw files; '': none. */
export async function inspectFiles(
  connection: DuckDBConnection,
  files: readonly ShapeFile[],
  format: RawFormat,
  options: Record<string, unknown>,
  temp: string,
): Promise<RawShape> {
  let made = false
  const folder = async () => {
    if (!made) await mkdir(temp, { recursive: true })
    made = true
    return temp
  }
  try {
    const shape = await shapeOf(connection, files, format, options, temp === '' ? null : folder)
    return { ...shape, temporary: made ? [temp] : [] }
  } catch (error) {
    if (made) await rm(temp, { recursive: true, force: true })
    throw rawError(error, files)
  }
}

/** `folder` makes the place for files to be read in place of raw ones; null: there is none, and files are read as they are. */
async function shapeOf(
  connection: DuckDBConnection,
  files: readonly ShapeFile[],
  format: RawFormat,
  options: Record<string, unknown>,
  folder: (() => Promise<string>) | null,
): Promise<RawShape> {
  if (format === 'parquet') return await parquetShape(connection, files)
  if (format === 'csv' || format === 'tsv')
    return await csvShape(files, format, options as CsvOptions, folder)
  let read = files
  let told = options as JsonOptions
  const { encoding, record_path } = told
  // DuckDB's reader of JSON knows UTF-8 alone.
  if (folder !== null && encoding !== undefined && encoding !== 'utf-8') {
    read = await recoded(files, told, encoding, await folder())
    told = { ...told, compression: 'plain' }
  }
  if (folder !== null && format === 'json' && record_path) {
    read = await splitDocuments(read, told, record_path, await folder())
    told = { ...told, compression: 'plain', shape: 'lines' }
  }
  return await jsonShapeOf(connection, read, format, told)
}

async function recoded(
  files: readonly ShapeFile[],
  options: JsonOptions,
  encoding: 'utf-16' | 'latin-1',
  temp: string,
): Promise<ShapeFile[]> {
  const made: ShapeFile[] = []
  for (const [index, { absolute, source_path }] of files.entries()) {
    const text = join(temp, `${index}.json`)
    const compression = compressionOf(absolute, options.compression)
    await toUtf8(absolute, text, compression, encoding, source_path)
    made.push({ absolute: text, source_path })
  }
  return made
}

async function splitDocuments(
  files: readonly ShapeFile[],
  options: JsonOptions,
  record_path: string,
  temp: string,
): Promise<ShapeFile[]> {
  const split: ShapeFile[] = []
  for (const [index, { absolute, source_path }] of files.entries()) {
    const lines = join(temp, `${index}.ndjson`)
    const compression = compressionOf(absolute, options.compression)
    await splitRecords(absolute, lines, record_path, compression, source_path)
    split.push({ absolute: lines, source_path })
  }
  return split
}

async function csvShape(
  files: readonly ShapeFile[],
  format: 'csv' | 'tsv',
  options: CsvOptions,
  folder: (() => Promise<string>) | null,
): Promise<RawShape> {
  const groups = new Map<string, ShapeGroup>()
  const mends = options.bad_rows === 'rescue' && options.encoding === 'utf-8'
  for (const [index, file] of files.entries()) {
    const record = await firstRecord(file.absolute, options)
    if (record === null) continue
    let compression = compressionOf(file.absolute, options.compression)
    let { absolute } = file
    const marked = folder !== null && mends && !(await isCleanUtf8(absolute, compression))
    if (folder !== null && marked) {
      absolute = join(await folder(), `${index}.csv`)
      await markInvalid(file.absolute, absolute, compression)
      compression = 'plain'
    }
    const read = { ...file, absolute }
    const names = sourceNames(record, options.header)
    const key = JSON.stringify([compression, marked, names])
    const group = groups.get(key)
    if (group) group.files.push(read)
    else
      groups.set(key, {
        files: [read],
        compression,
        marked,
        columns: names.map((source_name) => ({ source_name, type: null })),
      })
  }
  return { format, options, groups: [...groups.values()], object_bytes: 0, temporary: [] }
}

async function parquetShape(
  connection: DuckDBConnection,
  files: readonly ShapeFile[],
): Promise<RawShape> {
  const groups = new Map<string, ShapeGroup>()
  for (const file of files) {
    const columns = await describe(
      connection,
      `read_parquet(${literalDuckdb(file.absolute)}, hive_partitioning = false)`,
    )
    const key = JSON.stringify(columns)
    const group = groups.get(key)
    if (group) group.files.push(file)
    else groups.set(key, { files: [file], compression: 'plain', columns })
  }
  return {
    format: 'parquet',
    options: {},
    groups: [...groups.values()],
    object_bytes: 0,
    temporary: [],
  }
}

async function jsonShapeOf(
  connection: DuckDBConnection,
  files: readonly ShapeFile[],
  format: 'json' | 'ndjson',
  options: JsonOptions,
): Promise<RawShape> {
  const groups: ShapeGroup[] = []
  let object_bytes = 16 * 1024 * 1024
  for (const compression of ['plain', 'gzip', 'zstd'] as const) {
    const packed = files.filter(
      (file) => compressionOf(file.absolute, options.compression) === compression,
    )
    if (packed.length === 0) continue
    const group: ShapeGroup = { files: packed, compression, columns: [] }
    const shape: RawShape = { format, options, groups: [group], object_bytes, temporary: [] }
    for (;;) {
      try {
        Object.assign(group, await jsonColumns(connection, shape))
        break
      } catch (error) {
        const needed = Number(/\(>(\d+) bytes\)/.exec(String(error))?.[1] ?? 0)
        // Twice that is allocated for every thread; beyond it no memory setting of ours would do.
        if (needed === 0 || shape.object_bytes >= MAX_OBJECT_BYTES) throw error
        shape.object_bytes = Math.min(MAX_OBJECT_BYTES, Math.max(needed, shape.object_bytes * 2))
      }
    }
    object_bytes = Math.max(object_bytes, shape.object_bytes)
    groups.push(group)
  }
  return { format, options, groups, object_bytes, temporary: [] }
}

const MAX_OBJECT_BYTES = 64 * 1024 * 1024

/** All fields of all records, with types that hold all their values. */
async function jsonColumns(connection: DuckDBConnection, shape: RawShape) {
  const options = `${jsonReadOptions(shape)}, sample_size = -1, maximum_sample_files = 1000000,
    convert_strings_to_integers = false, map_inference_threshold = -1, maximum_depth = -1`
  const files = shape.groups[0]!.files.map((file) => literalDuckdb(file.absolute)).join(', ')
  const scan = `read_json([${files}], ${options})`
  const found = await describe(connection, scan)
  // What DuckDB answers when not every record is an object, and for a field of that name.
  if (found.length === 1 && found[0]!.source_name === 'json') {
    const answer = await connection.runAndReadAll(
      `SELECT count(*), count(*) FILTER (json_type(json) = 'OBJECT') FROM read_json([${files}], ${jsonReadOptions(shape)}, columns = {json: 'JSON'}, records = false)`,
    )
    const [records, objects] = answer.getRows()[0]!.map(Number)
    if (records !== objects || records === 0) return { columns: [], mixed: records !== 0 }
  }
  return {
    columns: found.map(({ source_name, type }) => ({ source_name, type: textLeaves(type) })),
    mixed: false,
  }
}

/**
 * Strings that look like dates or UUIDs are strings; which of them are dates is decided from their texts. DuckDB gives whole
 * numbers of both signs a type wider than bigint: at the top they are looked at as texts too.
 */
function textLeaves(type: string): string {
  if (/^decimal\((20|38),0\)$/.test(type)) return 'string'
  const plain = (inner: SparkType): SparkType => {
    switch (inner.kind) {
      case 'array':
        return { kind: 'array', element: plain(inner.element) }
      case 'map':
        return { ...inner, value: plain(inner.value) }
      case 'struct':
        return {
          kind: 'struct',
          fields: inner.fields.map((field) => ({ ...field, type: plain(field.type) })),
        }
      case 'decimal':
        return { kind: 'bigint' }
      case 'date':
      case 'timestamp':
      case 'timestamp_ntz':
        return { kind: 'string' }
      default:
        return inner
    }
  }
  return formatType(plain(parseType(type)))
}

/** Options of read_json that all scans of a group share. */
export function jsonReadOptions(shape: RawShape): string {
  const { compression } = shape.groups[0]!
  const lines =
    shape.format === 'ndjson' || (shape.options as JsonOptions).shape === 'lines'
      ? 'newline_delimited'
      : (shape.options as JsonOptions).shape === 'array'
        ? 'array'
        : 'auto'
  return `format = '${lines}', compression = '${compression === 'plain' ? 'uncompressed' : compression}', maximum_object_size = ${shape.object_bytes}, hive_partitioning = false`
}

async function describe(connection: DuckDBConnection, scan: string) {
  const answer = await connection.runAndReadAll(
    `SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM ${scan})`,
  )
  return answer.getRows().map((row) => ({
    source_name: String(row[0]),
    type: sparkType(String(row[1])),
  }))
}

export type ColumnDifference =
  | { kind: 'added'; source_name: string; type: string }
  /** In none of the files. */
  | { kind: 'missing'; source_name: string; type: string }
  /** The files hold another type; `common` takes both, null: none does. */
  | { kind: 'retyped'; source_name: string; type: string; observed: string; common: string | null }

/**
 * What the files have that the pinned columns don't, and the other way round. Types of text columns (CSV, strings in JSON) are
 * looked at in a sample of rows, types of the others are those of the files.
 */
export async function compareColumns(
  connection: DuckDBConnection,
  shape: RawShape,
  pinned: readonly PlanColumn[],
  sampleSql: (columns: readonly string[], rows: number) => string,
): Promise<ColumnDifference[]> {
  if (shape.groups.length === 0) return []
  const observed = new Map<string, string | null>()
  for (const { columns } of shape.groups)
    for (const { source_name, type } of columns) {
      const before = observed.get(source_name)
      observed.set(source_name, before && type ? joined(before, type) : type)
    }
  // Numbers of JSON too are told apart by their texts.
  const texts = [...observed].filter(([, type]) => isText(shape, type))
  const known = new Map(pinned.map((column) => [column.source_name ?? column.name, column]))
  // A pinned string takes every text: nothing to find out.
  const asked = texts.map(([name]) => name).filter((name) => known.get(name)?.type !== 'string')
  const kinds = await sampledTypes(connection, asked, sampleSql)
  const differences: ColumnDifference[] = []
  for (const [source_name, type] of observed) {
    const column = known.get(source_name)
    const seen = kinds.get(source_name) ?? type ?? 'string'
    if (!column) differences.push({ kind: 'added', source_name, type: firstType(seen) })
    else if (seen !== 'null' && !fits(seen, column.type, isText(shape, type))) {
      const common = commonType(parseType(column.type), parseType(seen))
      differences.push({
        kind: 'retyped',
        source_name,
        type: column.type,
        observed: seen,
        common: common && formatType(common),
      })
    }
  }
  for (const [source_name, { type }] of known)
    if (!observed.has(source_name)) differences.push({ kind: 'missing', source_name, type })
  return differences
}

/** Types of text columns by a sample; `null` where it held no value. */
export async function sampledTypes(
  connection: DuckDBConnection,
  names: readonly string[],
  sampleSql: (columns: readonly string[], rows: number) => string,
): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  const rows = Math.max(
    LEAST_SAMPLE_ROWS,
    Math.min(SAMPLE_ROWS, Math.floor(SAMPLE_VALUES / Math.max(1, names.length))),
  )
  for (let from = 0; from < names.length; from += SAMPLE_COLUMNS) {
    const some = names.slice(from, from + SAMPLE_COLUMNS)
    const list = some.map((_, index) => textKindsSql(quoteDuckdb(`c${index}`)))
    const answer = await connection.runAndReadAll(
      `SELECT ${list.join(', ')} FROM (${sampleSql(some, rows)})`,
    )
    const row = answer.getRows()[0] ?? []
    some.forEach((name, index) => {
      const kinds = row[index] as number | null
      found.set(name, kinds ? textType(kinds) : 'null')
    })
  }
  return found
}

function joined(a: string, b: string): string {
  const common = commonType(parseType(a), parseType(b))
  return common ? formatType(common) : 'string'
}

/** Whether what a column holds is decided by its texts. Text of a Parquet file is text by declaration. */
export function isText(shape: RawShape, type: string | null): boolean {
  if (shape.format === 'parquet') return false
  return type === null || ['string', 'bigint', 'double'].includes(type)
}

/** What a new column is pinned to: room for what will come, so never int. */
export function firstType(seen: string): string {
  return seen === 'int' ? 'bigint' : seen === 'null' ? 'string' : seen
}

/** Whether values seen as one type go into a pinned type without loss, as far as types tell. */
function fits(seen: string, pinned: string, isText: boolean): boolean {
  const [from, to] = [parseType(seen), parseType(pinned)]
  if (formatType(from) === formatType(to)) return true
  // The cast decides value by value: '12' looks like an int, and is a decimal, a tinyint or a double as well.
  const targets: Record<string, string[]> = {
    int: ['tinyint', 'smallint', 'bigint', 'decimal', 'float', 'double'],
    bigint: ['decimal', 'float', 'double'],
    double: ['decimal', 'float'],
    date: ['timestamp', 'timestamp_ntz'],
    timestamp_ntz: ['timestamp'],
    timestamp: ['timestamp_ntz'],
  }
  if (isText && targets[from.kind]?.includes(to.kind)) return true
  const common = commonType(from, to)
  return common !== null && formatType(common) === formatType(to)
}
