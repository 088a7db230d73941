// What a folder of files offers: files grouped by their names' pattern and their kind, with columns, types and keys guessed
// from what is in them.
import { dirname } from 'node:path'
import { LakeForgeError } from '#core/errors.ts'
import { legalColumns } from '#core/names.ts'
import type { PlanColumn } from '#core/plan.ts'
import type { DiscoveredObject, SourceContext } from './extractor.ts'
import { listFiles, type SourceFile } from './file-list.ts'
import { guessDelimiter } from './guess-delimiter.ts'
import {
  firstType,
  inspectFiles,
  isText,
  sampledTypes,
  type RawFormat,
  type RawShape,
} from './raw-shape.ts'
import { sampleScanSql } from './read-raw.ts'
import { formatOptions } from './options.ts'

const FORMATS: Record<string, RawFormat> = {
  csv: 'csv',
  tsv: 'tsv',
  tab: 'tsv',
  json: 'json',
  ndjson: 'ndjson',
  jsonl: 'ndjson',
  parquet: 'parquet',
}

/** Files of one group that are opened to see their columns: the newest tell what comes next. */
const LOOK_AT = 20

/** @throws source_folder_missing, path_outside */
export async function discoverFiles(context: SourceContext): Promise<DiscoveredObject[]> {
  const { options } = context.source
  const wanted = options.formats as string[] | undefined
  const groups = new Map<string, { format: RawFormat; pattern: string; files: SourceFile[] }>()
  for (const file of await listFiles(String(options.root), '**/*')) {
    const format = formatOf(file.path)
    if (!format || (wanted && !wanted.includes(format))) continue
    const pattern = patternOf(file.path)
    const group = groups.get(pattern) ?? { format, pattern, files: [] }
    group.files.push(file)
    groups.set(pattern, group)
  }
  const found: DiscoveredObject[] = []
  for (const group of groups.values()) {
    context.signal?.throwIfAborted()
    found.push(await describeGroup(context, group))
  }
  const names = legalColumns(found.map(({ name }) => name))
  return found.map((object, index) => ({ ...object, name: names[index]! }))
}

/** The format that a file's name says; undefined for others. `.gz` and `.zst` may follow. */
export function formatOf(path: string): RawFormat | undefined {
  const extension = /\.([a-z]+)(\.(gz|zst|zstd))?$/i.exec(path)?.[1]?.toLowerCase()
  return extension === undefined ? undefined : FORMATS[extension]
}

/**
 * The glob that a file's name stands for: dates and numbers in the last part become `*`, characters that mean something in a
 * glob become `?`. `flights-2k.json` → `flights-*.json`, `in/orders_2026-01-31.csv` → `in/orders_*.csv`.
 */
export function patternOf(path: string): string {
  const folder = dirname(path) === '.' ? '' : `${dirname(path)}/`
  const base = path.slice(folder.length)
  const dot = /(\.[a-z]+(\.(gz|zst|zstd))?)$/i.exec(base)?.[0] ?? ''
  const stem = base.slice(0, base.length - dot.length)
  const literal = (text: string) => text.replace(/[*?[\]{}()!\\]/g, '?')
  const general = stem
    .split(/([-_. ])/)
    .map((part) =>
      /^\d+[a-z]{0,2}$/i.test(part) || /^[vtz]?\d[\dtz]*$/i.test(part) ? '*' : literal(part),
    )
    .join('')
    .replace(/\*([-_. ]\*)+/g, '*')
  return `${literal(folder)}${general}${dot}`
}

async function describeGroup(
  context: SourceContext,
  group: { format: RawFormat; pattern: string; files: SourceFile[] },
): Promise<DiscoveredObject> {
  const { files, format, pattern } = group
  // A single file is named as it is.
  const object = files.length === 1 && !/[*?]/.test(files[0]!.path) ? files[0]!.path : pattern
  const stem = object.slice(object.lastIndexOf('/') + 1).replace(/\..*$/, '')
  const base: DiscoveredObject = {
    object,
    name: stem.replace(/[*?]+/g, ' ').trim() || 'files',
    format,
    options: {},
    columns: [],
    rows_estimate: null,
    bytes: files.reduce((sum, file) => sum + file.size, 0),
    keys: [],
    cursor_candidates: [],
    files: files.slice(0, 100).map(({ path }) => path),
  }
  try {
    const newest = [...files]
      .sort((a, b) => (a.modified_ns < b.modified_ns ? 1 : -1))
      .filter(({ size }) => size > 0)
      .slice(0, LOOK_AT)
    const options = format === 'csv' && newest[0] ? await guessDelimiter(newest[0].absolute) : {}
    const shape = await inspectFiles(
      context.connection,
      newest.map(({ absolute, path }) => ({ absolute, source_path: path })),
      format,
      formatOptions(format, { ...options, bad_rows: 'rescue' }),
      // Discovery doesn't know of record paths: nothing is split.
      '',
    )
    const columns = await discoveredColumns(context, shape)
    const rows = await estimate(context, shape, newest, base.bytes ?? 0)
    return { ...base, options, columns, rows_estimate: rows }
  } catch (error) {
    if (!(error instanceof LakeForgeError)) throw error
    const { code, message, hint } = error
    return { ...base, problem: { code, message, hint } }
  }
}

/** All columns of a shape with the types that take what a sample of rows holds. */
export async function discoveredColumns(
  context: SourceContext,
  shape: RawShape,
): Promise<PlanColumn[]> {
  const types = new Map<string, string | null>()
  for (const { columns } of shape.groups)
    for (const { source_name, type } of columns)
      if (!types.get(source_name)) types.set(source_name, type)
  const texts = [...types].filter(([, type]) => isText(shape, type))
  const sampled = await sampledTypes(
    context.connection,
    texts.map(([name]) => name),
    sampleScanSql(shape),
  )
  // A repeated header `id[2]` is named after `id`.
  const headers = [...types.keys()].map((name) => {
    const header = name.replace(/\[\d+\]$/, '')
    return types.has(header) ? header : name
  })
  const names = legalColumns(headers)
  return [...types].map(([source_name, type], index) => {
    const seen = sampled.get(source_name)
    return {
      name: names[index]!,
      source_name,
      type: seen && seen !== 'null' ? firstType(seen) : (type ?? 'string'),
      nullable: true,
    }
  })
}

/** Exact for Parquet; for others the share of a sample's bytes. */
async function estimate(
  context: SourceContext,
  shape: RawShape,
  looked: readonly SourceFile[],
  bytes: number,
): Promise<number | null> {
  if (shape.format !== 'parquet' || looked.length === 0) return null
  const list = shape.groups.flatMap((group) => group.files.map((file) => file.absolute))
  const answer = await context.connection.runAndReadAll(
    `SELECT sum(num_rows) FROM parquet_file_metadata($files)`,
    { files: list } as never,
  )
  const rows = Number(answer.getRows()[0]?.[0] ?? 0)
  const seen = looked.reduce((sum, file) => sum + file.size, 0)
  return seen === 0 ? null : Math.round((rows * bytes) / seen)
}
