// Text files as the readers need them: in UTF-8, unpacked, and where rows are to be rescued, with every byte that isn't UTF-8
// written in a way that is and loses nothing.
import { isUtf8 } from 'node:buffer'
import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { createGunzip, createZstdDecompress } from 'node:zlib'
import { fail } from '#core/errors.ts'

const CHUNK_BYTES = 1024 * 1024

/**
 * Stands before the two hex digits of a byte that isn't UTF-8. A code point that no text may hold (U+10FFFE); a file that has
 * it all the same gets its bytes written like that, so that nothing is taken for something else.
 */
export const BYTE_MARK = '\u{10FFFE}'
const MARK = Buffer.from(BYTE_MARK)

/** The bytes of a file, unpacked. */
export function unpacked(path: string, compression: 'plain' | 'gzip' | 'zstd'): Readable {
  const stream = createReadStream(path, { highWaterMark: CHUNK_BYTES })
  if (compression === 'plain') return stream
  const unpack = compression === 'gzip' ? createGunzip() : createZstdDecompress()
  stream.on('error', (error) => unpack.destroy(error))
  return stream.pipe(unpack)
}

/** Writes a text in another encoding as UTF-8. @throws encoding_invalid with `name` */
export async function toUtf8(
  from: string,
  to: string,
  compression: 'plain' | 'gzip' | 'zstd',
  encoding: 'utf-16' | 'latin-1',
  name: string,
): Promise<void> {
  const out = await open(to, 'w')
  try {
    let decoder: TextDecoder | null = null
    let first: Buffer = Buffer.alloc(0)
    for await (const bytes of unpacked(from, compression)) {
      if (encoding === 'latin-1') {
        // Not the decoder of that name, which reads windows-1252.
        await out.appendFile((bytes as Buffer).toString('latin1'))
        continue
      }
      const chunk = first.length > 0 ? Buffer.concat([first, bytes as Buffer]) : (bytes as Buffer)
      if (decoder === null && chunk.length < 2) {
        first = chunk
        continue
      }
      const big = chunk[0] === 0xfe && chunk[1] === 0xff
      decoder ??= new TextDecoder(big ? 'utf-16be' : 'utf-16le', { fatal: true })
      first = Buffer.alloc(0)
      await out.appendFile(decoded(decoder, chunk, name))
    }
    if (first.length > 0) decoder ??= new TextDecoder('utf-16le', { fatal: true })
    if (decoder !== null) await out.appendFile(decoded(decoder, first, name, true))
  } finally {
    await out.close()
  }
}

function decoded(decoder: TextDecoder, bytes: Buffer, name: string, last = false): string {
  try {
    return decoder.decode(bytes, { stream: !last })
  } catch (error) {
    const reason = 'bytes that its encoding does not have'
    return fail('encoding_invalid', { file: name, reason }, { cause: error })
  }
}

/** Whether a file is UTF-8 from end to end, and holds no BYTE_MARK. */
export async function isCleanUtf8(
  path: string,
  compression: 'plain' | 'gzip' | 'zstd',
): Promise<boolean> {
  let rest: Buffer = Buffer.alloc(0)
  for await (const bytes of unpacked(path, compression)) {
    const chunk = rest.length > 0 ? Buffer.concat([rest, bytes as Buffer]) : (bytes as Buffer)
    const end = wholeCharacters(chunk)
    if (!isUtf8(chunk.subarray(0, end)) || chunk.includes(MARK)) return false
    rest = Buffer.from(chunk.subarray(end))
  }
  return isUtf8(rest) && !rest.includes(MARK)
}

/** Copies a file, unpacked, with BYTE_MARK and two hex digits for every byte that isn't UTF-8. */
export async function markInvalid(
  from: string,
  to: string,
  compression: 'plain' | 'gzip' | 'zstd',
): Promise<void> {
  const out = await open(to, 'w')
  try {
    let rest: Buffer = Buffer.alloc(0)
    for await (const bytes of unpacked(from, compression)) {
      const chunk = Buffer.concat([rest, bytes as Buffer])
      const end = wholeCharacters(chunk)
      await out.appendFile(marked(chunk.subarray(0, end)))
      rest = Buffer.from(chunk.subarray(end))
    }
    await out.appendFile(marked(rest))
  } finally {
    await out.close()
  }
}

/** Where the last character that may be incomplete begins: at most three bytes from the end. */
function wholeCharacters(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back]!
    if (byte < 0x80) break
    if (byte >= 0xc0) {
      const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2
      return length > back ? bytes.length - back : bytes.length
    }
  }
  return bytes.length
}

function marked(bytes: Buffer): Buffer {
  if (isUtf8(bytes) && !bytes.includes(MARK)) return bytes
  const parts: Buffer[] = []
  let from = 0
  let at = 0
  while (at < bytes.length) {
    const length = bytes[at]! < 0x80 ? 1 : characterAt(bytes, at)
    if (length > 0) {
      at += length
      continue
    }
    parts.push(
      bytes.subarray(from, at),
      Buffer.from(BYTE_MARK + bytes[at]!.toString(16).toUpperCase().padStart(2, '0')),
    )
    from = ++at
  }
  return Buffer.concat([...parts, bytes.subarray(from)])
}

/** Bytes of the character that begins here; 0: none does, or it is the mark. */
function characterAt(bytes: Buffer, at: number): number {
  const byte = bytes[at]!
  const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2
  const character = bytes.subarray(at, at + length)
  return byte >= 0xc2 && character.length === length && isUtf8(character) && !character.equals(MARK)
    ? length
    : 0
}
