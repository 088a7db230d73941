// The content hash of a table's rows, as content-hash.md defines it: the reference over JavaScript values, and the
// arithmetic on sums. Engines compute the same sums in bulk; content-hash.vectors.json holds all of them to this file.
import { createHash } from 'node:crypto'
import { fail } from './errors.ts'
import { parseType, type Column, type SparkType } from './types.ts'

/** Columns that say how a row came, not what it says: they differ between two runs over the same input. */
export const HASH_EXCLUDED: ReadonlySet<string> = new Set([
  '_batch_id',
  '_source_file',
  '_ingested_at',
  '_row_id',
])

/**
 * A value as the reference takes it. decimal: text with all its digits; date: days since 1970-01-01; timestamp and
 * timestamp_ntz: microseconds since 1970-01-01 00:00; array: a list; map: a list of [key, value]; struct: an object.
 */
export type HashValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly HashValue[]
  | { readonly [field: string]: HashValue }

/** Sum of row hashes modulo 2^64; `approximate`: a float or double took part, so equal data may differ in the last digit. */
export type ContentSum = { sum: bigint; approximate: boolean }

type HashColumn = Pick<Column, 'name' | 'type'>

/** The columns that count, in the order of the row text: by the UTF-8 bytes of their names. */
export function hashColumns<C extends { name: string }>(columns: readonly C[]): C[] {
  return columns.filter((column) => !HASH_EXCLUDED.has(column.name)).sort(byName)
}

/** Orders by the UTF-8 bytes of the name; JavaScript's own order differs above U+FFFF. */
export function byName(a: { name: string }, b: { name: string }): number {
  return compareBytes(a.name, b.name)
}

/** The canonical text of one row. Missing values are null. */
export function rowText(
  columns: readonly HashColumn[],
  row: { readonly [column: string]: HashValue | undefined },
): string {
  return membersText(
    hashColumns(columns).map(({ name, type }) => ({ name, type: parseType(type) })),
    row,
  )
}

/** The first 64 bits of md5 over the UTF-8 text, read as an unsigned big-endian integer. */
export function rowHash(text: string): bigint {
  return createHash('md5').update(text, 'utf8').digest().readBigUInt64BE(0)
}

/** The content sum of rows, in any order. */
export function contentSum(
  columns: readonly HashColumn[],
  rows: Iterable<{ readonly [column: string]: HashValue | undefined }>,
): ContentSum {
  let sum = 0n
  for (const row of rows) sum += rowHash(rowText(columns, row))
  return { sum: BigInt.asUintN(64, sum), approximate: isApproximate(columns) }
}

/** Whether a float or double is among the columns that count, however deep. */
export function isApproximate(columns: readonly HashColumn[]): boolean {
  return hashColumns(columns).some(({ type }) => holdsFloat(parseType(type)))
}

/** The sum of the rows of both. */
export function addSums(a: ContentSum, b: ContentSum): ContentSum {
  return { sum: BigInt.asUintN(64, a.sum + b.sum), approximate: a.approximate || b.approximate }
}

/** The sum of the rows of `a` without those of `b`: what remains when a file is removed. */
export function subtractSums(a: ContentSum, b: ContentSum): ContentSum {
  return { sum: BigInt.asUintN(64, a.sum - b.sum), approximate: a.approximate || b.approximate }
}

/** 16 lower-case hex digits; with a leading `~` when approximate. */
export function formatContentHash({ sum, approximate }: ContentSum): string {
  return `${approximate ? '~' : ''}${sum.toString(16).padStart(16, '0')}`
}

/**
 * Reads what `formatContentHash` wrote.
 * @throws content_hash_invalid
 */
export function parseContentHash(text: string): ContentSum {
  const found = /^(~?)([0-9a-f]{16})$/.exec(text)
  if (!found) return fail('content_hash_invalid', { text: text.slice(0, 100) })
  return { sum: BigInt(`0x${found[2]}`), approximate: found[1] === '~' }
}

/**
 * A double as C's `%.11e` prints it: 12 significant digits of the exact binary value, ties to even. JavaScript's
 * toExponential takes the larger neighbour on a tie, so ties are found in the exact expansion.
 */
export function floatText(value: number): string {
  if (Number.isNaN(value)) return 'nan'
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf'
  const magnitude = Math.abs(value)
  let [digits, exponent] = magnitude.toExponential(11).split('e') as [string, string]
  // An exact tie has 13 significant digits, the last a 5; 60 digits tell it from everything else a double can hold.
  const exact = magnitude.toExponential(60).slice(0, 62)
  if (/^\d\.\d{10}[02468]50{48}$/.test(exact)) {
    digits = exact.slice(0, 13)
    exponent = magnitude.toExponential(60).split('e')[1]!
  }
  const sign = value < 0 ? '-' : ''
  return `${sign}${digits}e${exponent[0]}${exponent.slice(1).padStart(2, '0')}`
}

function membersText(
  fields: readonly { name: string; type: SparkType }[],
  value: { readonly [field: string]: HashValue | undefined },
): string {
  let text = ''
  for (const { name, type } of fields) {
    const inner = value[name]
    if (inner != null) text += `;${nameText(name)}=${valueText(type, inner)}`
  }
  return text
}

function valueText(type: SparkType, value: HashValue): string {
  if (value === null) return 'null'
  switch (type.kind) {
    case 'boolean':
    case 'tinyint':
    case 'smallint':
    case 'int':
    case 'bigint':
    case 'date':
    case 'timestamp':
    case 'timestamp_ntz':
      return String(value)
    case 'float':
      return floatText(Math.fround(value as number))
    case 'double':
      return floatText(value as number)
    case 'decimal':
      return decimalText(value as string, type.scale)
    case 'string':
      return counted(value as string)
    case 'binary':
      return Buffer.from(value as Uint8Array)
        .toString('hex')
        .toUpperCase()
    case 'array':
      return `[${(value as HashValue[]).map((item) => valueText(type.element, item)).join(',')}]`
    case 'struct':
      return `{${membersText([...type.fields].sort(byName), value as { [field: string]: HashValue })}}`
    case 'map': {
      const entries = (value as [HashValue, HashValue][]).map(
        ([key, item]) => `${valueText(type.key, key)}=${valueText(type.value, item)}`,
      )
      return `{${entries.sort(compareBytes).join(';')}}`
    }
  }
}

/** `-0`, missing zeros and a missing leading zero brought to one text: `.5` at scale 2 is `0.50`. */
function decimalText(text: string, scale: number): string {
  const [whole = '', fraction = ''] = text.replace(/^[+-]/, '').split('.')
  const digits = `${whole.replace(/^0+(?=\d)/, '') || '0'}${scale ? `.${fraction.padEnd(scale, '0')}` : ''}`
  return text.startsWith('-') && /[1-9]/.test(digits) ? `-${digits}` : digits
}

/** The name of a column or field in a row text: as it is when plain, else counted like a string. */
export function nameText(name: string): string {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) ? name : counted(name)
}

/** A text with its length in UTF-8 bytes before it, so that nothing inside can end it. */
function counted(text: string): string {
  return `${Buffer.byteLength(text, 'utf8')}:${text}`
}

function compareBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a, 'utf8'), Buffer.from(b, 'utf8'))
}

function holdsFloat(type: SparkType): boolean {
  switch (type.kind) {
    case 'float':
    case 'double':
      return true
    case 'array':
      return holdsFloat(type.element)
    case 'map':
      return holdsFloat(type.key) || holdsFloat(type.value)
    case 'struct':
      return type.fields.some((field) => holdsFloat(field.type))
    default:
      return false
  }
}

/** A value as content-hash.vectors.json writes it: integers and microseconds as text, binary as hex, floats also as text. */
export function hashValueFromJson(type: SparkType | string, json: unknown): HashValue {
  if (json === null || json === undefined) return null
  const parsed = typeof type === 'string' ? parseType(type) : type
  switch (parsed.kind) {
    case 'boolean':
    case 'decimal':
    case 'string':
      return json as boolean | string
    case 'float':
    case 'double':
      return json === 'inf'
        ? Infinity
        : json === '-inf'
          ? -Infinity
          : json === 'nan'
            ? NaN
            : Number(json)
    case 'binary':
      return Buffer.from(json as string, 'hex')
    case 'array':
      return (json as unknown[]).map((item) => hashValueFromJson(parsed.element, item))
    case 'map':
      return (json as [unknown, unknown][]).map(([key, value]) => [
        hashValueFromJson(parsed.key, key),
        hashValueFromJson(parsed.value, value),
      ])
    case 'struct':
      return Object.fromEntries(
        parsed.fields.map(({ name, type: inner }) => [
          name,
          hashValueFromJson(inner, (json as Record<string, unknown>)[name]),
        ]),
      )
    default:
      return BigInt(json as string)
  }
}
