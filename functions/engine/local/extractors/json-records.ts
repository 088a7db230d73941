// Takes the rows out of big JSON documents: the elements of the array at a path, one a line, without holding the document.
// DuckDB needs several times a document's size in memory, for each thread; this needs one row.
import { open } from 'node:fs/promises'
import { fail } from '#core/errors.ts'
import { unpacked } from './recode.ts'

/** One row may take this much. */
const ROW_BYTES = 64 * 1024 * 1024

/**
 * Writes each element of the array at `path` (`data.items`) of each document in `from` as a line of `to`. A path that isn't
 * there gives no lines; a value there that is no array is one line.
 * @throws json_malformed, record_too_long with `name`
 */
export async function splitRecords(
  from: string,
  to: string,
  path: string,
  compression: 'plain' | 'gzip' | 'zstd',
  name: string,
): Promise<void> {
  const out = await open(to, 'w')
  try {
    const splitter = recordSplitter(path.split('.'), name)
    for await (const chunk of unpacked(from, compression)) {
      const lines = splitter.take(chunk as Buffer)
      if (lines.length > 0) await out.appendFile(lines)
    }
    splitter.end()
  } finally {
    await out.close()
  }
}

/**
 * An open object or array. `matched`: how many parts of the path lead here, -1 when it lies elsewhere. `records`: it is the
 * array whose elements are the rows.
 */
type Frame = { object: boolean; key: string; named: boolean; matched: number; records: boolean }

/** Follows the nesting only; whether a value is well-formed in itself, the reader of the lines finds out. */
function recordSplitter(path: readonly string[], name: string) {
  const stack: Frame[] = []
  let inString = false
  let escaped = false
  let keyBytes: number[] | null = null
  let scalar = false
  /** Nesting at which the record that is being copied began; -1: none is. */
  let copying = -1
  let pieces: Buffer[] = []
  let bytes = 0

  /** How far along the path the value is that begins now. */
  const matchedHere = (): number => {
    const top = stack.at(-1)
    if (!top) return 0
    if (top.matched < 0) return -1
    if (!top.object) return stack.length === 1 && !top.records ? 0 : -1
    return top.key === path[top.matched] ? top.matched + 1 : -1
  }
  const isRecord = (matched: number, array: boolean) =>
    copying < 0 && (stack.at(-1)?.records === true || (matched === path.length && !array))

  function take(chunk: Buffer): Buffer {
    const done: Buffer[] = []
    let from = copying >= 0 ? 0 : -1
    const begin = (at: number) => {
      copying = stack.length
      from = at
    }
    const keep = (to: number) => {
      const piece = Buffer.from(chunk.subarray(from, to))
      bytes += piece.length
      if (bytes > ROW_BYTES)
        fail('record_too_long', { file: name, reason: 'a record that is too long' })
      pieces.push(piece)
    }
    const finish = (to: number) => {
      keep(to)
      done.push(...pieces, Buffer.from('\n'))
      pieces = []
      bytes = 0
      copying = -1
      from = -1
    }
    const endScalar = (at: number) => {
      if (scalar && copying === stack.length) finish(at)
      scalar = false
    }
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at]!
      if (inString) {
        if (escaped) escaped = false
        else if (byte === 0x5c) escaped = true
        else if (byte === 0x22) {
          inString = false
          if (keyBytes) {
            stack.at(-1)!.key = keyText(keyBytes)
            keyBytes = null
          }
          continue
        }
        keyBytes?.push(byte)
        continue
      }
      switch (byte) {
        case 0x0a:
        case 0x20:
        case 0x09:
        case 0x0d:
          endScalar(at)
          // Within a record a line's end is space like any other.
          chunk[at] = 0x20
          break
        case 0x22: {
          inString = true
          const top = stack.at(-1)
          if (top?.object && !top.named) {
            if (copying < 0) keyBytes = []
          } else {
            if (isRecord(matchedHere(), false)) begin(at)
            scalar = true
          }
          break
        }
        case 0x3a: {
          const top = stack.at(-1)
          if (top) top.named = true
          break
        }
        case 0x2c: {
          endScalar(at)
          const top = stack.at(-1)
          if (top) top.named = false
          break
        }
        case 0x7b:
        case 0x5b: {
          const matched = copying >= 0 ? -1 : matchedHere()
          const array = byte === 0x5b
          const records = copying < 0 && array && matched === path.length
          if (isRecord(matched, array)) begin(at)
          stack.push({ object: !array, key: '', named: false, matched, records })
          break
        }
        case 0x7d:
        case 0x5d:
          endScalar(at)
          if (stack.pop() === undefined)
            fail('json_malformed', { file: name, reason: 'it closes more than it opens' })
          if (copying === stack.length) finish(at + 1)
          break
        default:
          if (!scalar) {
            if (isRecord(matchedHere(), false)) begin(at)
            scalar = true
          }
      }
    }
    if (from >= 0) keep(chunk.length)
    return Buffer.concat(done)
  }

  return {
    /** The lines that are complete with this chunk. Changes the chunk. */
    take,
    /** @throws json_malformed when a document is still open */
    end(): void {
      if (inString || stack.length > 0)
        fail('json_malformed', { file: name, reason: 'it ends in the middle' })
    },
  }
}

function keyText(bytes: readonly number[]): string {
  const text = Buffer.from(bytes).toString('utf8')
  try {
    return text.includes('\\') ? String(JSON.parse(`"${text}"`)) : text
  } catch {
    return text
  }
}
