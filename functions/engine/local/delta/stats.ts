// Statistics of a data file, from DuckDB's measure of it to the JSON text of the protocol, and back for pruning.
// Readers skip files by these bounds, so a bound may be wide or missing, never narrow.
import { relative, resolve } from 'node:path'
import { parseType } from '#core/types.ts'
import type { Column, SparkType } from '#core/types.ts'
import type { NewFile } from './commit.ts'
import type { DeltaFile } from './log.ts'

/** A row of `COPY … (FORMAT parquet, RETURN_STATS)` as `getRowObjectsJson()` gives it. */
export type CopyRow = {
  filename: string
  count: string
  file_size_bytes: string
  column_statistics: { key: string; value: { key: string; value: string }[] }[]
}

export type StatsOptions = {
  /** How many leaf columns get bounds, in the order of the schema: `delta.dataSkippingNumIndexedCols`, -1 for all. */
  columns?: number
  /** Top-level columns that always get them: keys, cursors. */
  always?: readonly string[]
}

/** Spark's own default for `delta.dataSkippingNumIndexedCols`. */
const INDEXED_COLUMNS = 32
const PREFIX = 32

/** The files that a COPY wrote into the table's folder, ready to commit; those without rows are left out. */
export function newFiles(
  dir: string,
  rows: readonly unknown[],
  columns: readonly Column[],
  options: StatsOptions = {},
): (NewFile & { rows: number })[] {
  return (rows as CopyRow[])
    .filter((row) => Number(row.count) > 0)
    .map((row) => ({
      path: relative(resolve(dir), resolve(row.filename)).replaceAll('\\', '/'),
      size: Number(row.file_size_bytes),
      rows: Number(row.count),
      stats: statsFromDuckdb(row, columns, options),
    }))
}

/** The protocol's statistics as JSON text, for `columns` as the file was written. */
export function statsFromDuckdb(
  row: CopyRow,
  columns: readonly Column[],
  options: StatsOptions = {},
): string {
  const measured = new Map(
    row.column_statistics.map(({ key, value }) => [
      key,
      new Map(value.map((fact) => [fact.key, fact.value])),
    ]),
  )
  let budget = options.columns ?? INDEXED_COLUMNS
  if (budget < 0) budget = Infinity
  const unfold = (name: string, path: string, type: SparkType, always: boolean): Node | null => {
    const here = path === '' ? quotePath(name) : `${path}.${quotePath(name)}`
    if (type.kind === 'struct') {
      const children = type.fields.flatMap((field) => {
        const node = unfold(field.name, here, field.type, always)
        return node ? [node] : []
      })
      return { name, leaf: null, children }
    }
    if (!always && budget-- <= 0) return null
    const facts = measured.get(here)
    return facts ? { name, leaf: leafOf(facts, type), children: [] } : null
  }
  const nodes = columns.flatMap((column) => {
    const node = unfold(
      column.name,
      '',
      parseType(column.type),
      options.always?.includes(column.name) ?? false,
    )
    return node ? [node] : []
  })
  const min = objectText(nodes, (leaf) => leaf.min)
  const max = objectText(nodes, (leaf) => leaf.max)
  const nulls = objectText(nodes, (leaf) => leaf.nulls)
  return (
    `{"numRecords":${Number(row.count)},"minValues":${min ?? '{}'},` +
    `"maxValues":${max ?? '{}'},"nullCount":${nulls ?? '{}'}}`
  )
}

/** JSON texts, since numbers beyond 2^53 and decimals must keep their digits; null is absent. */
type Leaf = { min: string | null; max: string | null; nulls: string | null }
type Node = { name: string; leaf: Leaf | null; children: Node[] }

function objectText(nodes: readonly Node[], pick: (leaf: Leaf) => string | null): string | null {
  const members = nodes.flatMap((node) => {
    const text = node.leaf ? pick(node.leaf) : objectText(node.children, pick)
    return text === null ? [] : [`${JSON.stringify(node.name)}:${text}`]
  })
  return members.length > 0 ? `{${members.join(',')}}` : null
}

/** DuckDB names a nested column by quoted parts: `"a"."b""c"`. */
function quotePath(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

function leafOf(facts: Map<string, string>, type: SparkType): Leaf {
  const nulls = facts.get('null_count')
  const min = facts.get('min')
  const max = facts.get('max')
  const bounds = min === undefined || max === undefined ? null : boundsOf(facts, type, min, max)
  return {
    min: bounds?.[0] ?? null,
    max: bounds?.[1] ?? null,
    nulls: nulls !== undefined && /^\d+$/.test(nulls) ? nulls : null,
  }
}

/** Both bounds as JSON text, or null where none can be promised. */
function boundsOf(
  facts: Map<string, string>,
  type: SparkType,
  min: string,
  max: string,
): [string, string] | null {
  const both = (low: string | null, high: string | null): [string, string] | null =>
    low === null || high === null ? null : [low, high]
  switch (type.kind) {
    case 'tinyint':
    case 'smallint':
    case 'int':
    case 'bigint':
      return both(matching(min, /^-?\d+$/), matching(max, /^-?\d+$/))
    case 'decimal':
      return both(decimalText(min), decimalText(max))
    case 'float':
    case 'double':
      // NaN is greater than all else in Spark, and no JSON.
      return facts.get('has_nan') === 'false'
        ? both(floatText(min, type.kind), floatText(max, type.kind, true))
        : null
    case 'date':
      return both(dateText(min), dateText(max))
    case 'timestamp':
    case 'timestamp_ntz':
      return both(
        millisText(min, type.kind, (micros) => floorDiv(micros, 1000n)),
        millisText(max, type.kind, (micros) => -floorDiv(-micros, 1000n)),
      )
    case 'string':
      return both(lowerPrefix(min), upperPrefix(max))
    default:
      return null
  }
}

function matching(text: string, pattern: RegExp): string | null {
  return pattern.test(text) ? text : null
}

/** DuckDB leaves out the zero before the point where the type has no digit there; JSON doesn't. */
function decimalText(text: string): string | null {
  return matching(text.replace(/^(-?)\./, '$10.'), /^-?\d+(\.\d+)?$/)
}

function floatText(text: string, kind: 'float' | 'double', upper = false): string | null {
  const value = Number(text)
  if (text === '' || !Number.isFinite(value)) return null
  // A reader may compare as double: the float's exact value, not its short text. -0.0 sorts below 0.0 for some.
  const exact = kind === 'float' ? Math.fround(value) : value
  if (exact === 0) return upper || !Object.is(exact, -0) ? '0.0' : '-0.0'
  return JSON.stringify(exact)
}

/** Readers agree on the years 0001 to 9999 only. */
function dateText(text: string): string | null {
  return /^\d{4}-\d\d-\d\d$/.test(text) && text >= '0001' ? JSON.stringify(text) : null
}

function millisText(
  text: string,
  kind: 'timestamp' | 'timestamp_ntz',
  toMillis: (micros: bigint) => bigint,
): string | null {
  const micros = microsOf(text)
  if (micros === null) return null
  const date = new Date(Number(toMillis(micros)))
  if (Number.isNaN(date.getTime()) || date.getUTCFullYear() < 1 || date.getUTCFullYear() > 9999)
    return null
  const iso = date.toISOString()
  return JSON.stringify(kind === 'timestamp' ? iso : iso.slice(0, -1))
}

/** Microseconds since 1970 of `2024-01-01 10:00:00.5+02` or its ISO form; without an offset as UTC. Null: not one. */
export function microsOf(text: string): bigint | null {
  const found =
    /^(\d{4,6})-(\d\d)-(\d\d)[ T](\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?\s*(?:Z|([+-])(\d\d)(?::?(\d\d))?(?::?(\d\d))?)?$/.exec(
      text,
    )
  if (!found) return null
  const [, year, month, day, hour, minute, second, fraction, sign, hours, minutes, seconds] = found
  const date = new Date(0)
  date.setUTCFullYear(Number(year), Number(month) - 1, Number(day))
  date.setUTCHours(Number(hour), Number(minute), Number(second))
  if (Number.isNaN(date.getTime())) return null
  const offset = Number(hours ?? 0) * 3600 + Number(minutes ?? 0) * 60 + Number(seconds ?? 0)
  return (
    BigInt(date.getTime()) * 1000n +
    BigInt((fraction ?? '').padEnd(6, '0')) -
    BigInt(sign === '-' ? -offset : offset) * 1_000_000n
  )
}

function floorDiv(a: bigint, b: bigint): bigint {
  const quotient = a / b
  return a % b < 0n ? quotient - 1n : quotient
}

function lowerPrefix(text: string): string {
  return JSON.stringify(
    Array.from(text.slice(0, 2 * PREFIX))
      .slice(0, PREFIX)
      .join(''),
  )
}

/** Cut texts get the greatest character after the cut, so that they are above all that they stand for. */
function upperPrefix(text: string): string | null {
  const characters = Array.from(text.slice(0, 2 * PREFIX + 2))
  if (characters.length <= PREFIX) return JSON.stringify(text)
  if (characters[PREFIX] === GREATEST) return null
  return JSON.stringify(characters.slice(0, PREFIX).join('') + GREATEST)
}

const GREATEST = '\u{10FFFF}'

/** Statistics as parsed JSON; numbers that a double can't hold are texts with all their digits. */
export type Stats = {
  numRecords?: number | string
  minValues?: Record<string, unknown>
  maxValues?: Record<string, unknown>
  nullCount?: Record<string, unknown>
}

const parsed = new WeakMap<DeltaFile, Stats | null>()

/** A file's statistics, parsed once; null when it has none or they can't be read. */
export function fileStats(file: DeltaFile): Stats | null {
  let stats = parsed.get(file)
  if (stats !== undefined) return stats
  stats = null
  try {
    // A reviver costs five times the parsing: only where a number may be too long for a double.
    if (file.stats)
      stats = (
        /[\d.]{16}/.test(file.stats) ? parseExact(file.stats) : JSON.parse(file.stats)
      ) as Stats
  } catch {
    // Statistics are optional: what can't be read says nothing.
  }
  parsed.set(file, stats)
  return stats
}

/** Rows of a file, or null when its statistics don't say. */
export function fileRows(file: DeltaFile): number | null {
  // Nearly all writers put it first: a history needn't parse the rest.
  const rows =
    /^\{"numRecords":(\d+)[,}]/.exec(file.stats ?? '')?.[1] ?? fileStats(file)?.numRecords
  return rows === undefined ? null : Number(rows)
}

type Reviver = (key: string, value: unknown, context?: { source?: string }) => unknown

function parseExact(text: string): unknown {
  const reviver: Reviver = (_, value, context) =>
    typeof value === 'number' ? (context?.source ?? String(value)) : value
  return JSON.parse(text, reviver as (key: string, value: unknown) => unknown)
}
