// The first record of a delimited file, read by ourselves: DuckDB renames duplicate headers silently, takes names by position
// when types are given, and can't say which files of many share a header.
import { open } from 'node:fs/promises'
import { createGunzip, createZstdDecompress, type Gunzip, type ZstdDecompress } from 'node:zlib'
import { fail } from '#core/errors.ts'

export type CsvOptions = {
  compression: 'auto' | 'plain' | 'gzip' | 'zstd'
  delimiter: string
  quote: string | null
  escape: string | null
  header: boolean
  encoding: 'utf-8' | 'utf-16' | 'latin-1'
  null_values: string[]
  skip_rows: number
  bad_rows: 'fail' | 'rescue'
}

/** Decompressed bytes that a header may take: 5,000 columns with names of 1,000 characters. */
const HEAD_BYTES = 5 * 1024 * 1024

/** How a file is packed, by its options or the end of its name. */
export function compressionOf(
  path: string,
  option: 'auto' | 'plain' | 'gzip' | 'zstd' = 'auto',
): 'plain' | 'gzip' | 'zstd' {
  if (option !== 'auto') return option
  if (/\.gz$/i.test(path)) return 'gzip'
  return /\.zstd?$/i.test(path) ? 'zstd' : 'plain'
}

/**
 * The fields of the first record after the skipped lines; null for a file without any. Text that ends within a quoted field
 * counts as far as it goes.
 * @throws file_unreadable for packed bytes that can't be unpacked
 */
export async function firstRecord(path: string, options: CsvOptions): Promise<string[] | null> {
  // Most headers are short: look at little first.
  for (const bytes of [64 * 1024, HEAD_BYTES]) {
    const { data, whole } = await headBytes(path, compressionOf(path, options.compression), bytes)
    const text = decode(data, options.encoding)
    const { fields, closed } = parseRecord(text, options)
    if (closed || whole) return fields
  }
  return fail('csv_malformed', {
    file: path,
    reason: `its first record is longer than ${HEAD_BYTES / 1024 / 1024} MiB`,
  })
}

/** Column names of a file: its header made unique, or `_c0`, `_c1` … without one. Repeated names get `[2]`, `[3]` … */
export function sourceNames(record: readonly string[], header: boolean): string[] {
  if (!header) return record.map((_, index) => `_c${index}`)
  const seen = new Map<string, number>()
  return record.map((name) => {
    const count = (seen.get(name) ?? 0) + 1
    seen.set(name, count)
    return count === 1 ? name : `${name}[${count}]`
  })
}

function decode(data: Buffer, encoding: CsvOptions['encoding']): string {
  if (encoding === 'latin-1') return data.toString('latin1')
  if (encoding === 'utf-16') {
    const big = data[0] === 0xfe && data[1] === 0xff
    return new TextDecoder(big ? 'utf-16be' : 'utf-16le').decode(data)
  }
  return new TextDecoder('utf-8').decode(data)
}

/** `closed`: the record ended at a line's end, so more bytes would not change it. */
function parseRecord(
  text: string,
  options: CsvOptions,
): { fields: string[] | null; closed: boolean } {
  const { delimiter, quote, escape } = options
  let at = 0
  for (let skipped = 0; skipped < options.skip_rows; skipped++) {
    const end = /\r\n|\n|\r/.exec(text.slice(at))
    if (!end) return { fields: null, closed: false }
    at += end.index + end[0].length
  }
  // Empty lines before the first record are no record.
  while (text[at] === '\n' || text[at] === '\r') at++
  if (at >= text.length) return { fields: null, closed: false }
  const fields: string[] = []
  let field = ''
  let quoted = false
  let start = true
  for (; at < text.length; at++) {
    const char = text[at]!
    if (quoted) {
      if (
        escape !== null &&
        char === escape &&
        (text[at + 1] === quote || text[at + 1] === escape)
      ) {
        field += text[++at]
      } else if (char === quote) quoted = false
      else field += char
    } else if (start && quote !== null && char === quote) {
      quoted = true
      start = false
    } else if (text.startsWith(delimiter, at)) {
      fields.push(field)
      field = ''
      start = true
      at += delimiter.length - 1
    } else if (char === '\n' || char === '\r') {
      return { fields: [...fields, field], closed: true }
    } else {
      field += char
      start = false
    }
  }
  return { fields: [...fields, field], closed: false }
}

/** Up to `limit` unpacked bytes from the start; `whole`: there are no more. */
async function headBytes(
  path: string,
  compression: 'plain' | 'gzip' | 'zstd',
  limit: number,
): Promise<{ data: Buffer; whole: boolean }> {
  const file = await open(path, 'r')
  try {
    const buffer = Buffer.alloc(limit)
    const { bytesRead } = await file.read(buffer, 0, limit, 0)
    const data = buffer.subarray(0, bytesRead)
    const whole = bytesRead < limit
    if (compression === 'plain' || bytesRead === 0) return { data, whole }
    return await unpack(path, data, whole, compression, limit)
  } finally {
    await file.close()
  }
}

async function unpack(
  path: string,
  data: Buffer,
  whole: boolean,
  compression: 'gzip' | 'zstd',
  limit: number,
): Promise<{ data: Buffer; whole: boolean }> {
  const stream: Gunzip | ZstdDecompress =
    compression === 'gzip' ? createGunzip() : createZstdDecompress()
  const chunks: Buffer[] = []
  let size = 0
  try {
    stream.end(data)
    for await (const chunk of stream) {
      chunks.push(chunk as Buffer)
      size += (chunk as Buffer).length
      if (size >= limit) break
    }
  } catch (error) {
    // The packed bytes were cut on purpose, unless the file ended there.
    if (whole && size < limit)
      return fail('file_truncated', { file: path, kind: compression }, { cause: error })
    if (size === 0) return fail('file_unreadable', { reason: path }, { cause: error })
  } finally {
    stream.destroy()
  }
  return { data: Buffer.concat(chunks).subarray(0, limit), whole: whole && size <= limit }
}
