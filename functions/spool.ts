// A stream put aside on disk before it is used. Whoever reads or sends it may be slow: the store's one connection must not wait.
import { createReadStream, createWriteStream } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'

export type Spool = (source: AsyncIterable<string | Uint8Array>) => Promise<ReadableStream>

/** Keeps each stream as a file in `dir`, for its owner's eyes alone, until it has been read or given up. */
export function openSpool(dir: string): Spool {
  return async (source) => {
    await mkdir(dir, { recursive: true, mode: 0o700 })
    const path = join(dir, crypto.randomUUID())
    const forget = () => rm(path, { force: true })
    try {
      await pipeline(Readable.from(source), createWriteStream(path, { mode: 0o600, flags: 'wx' }))
    } catch (error) {
      await forget()
      throw error
    }
    const file = createReadStream(path)
    file.once('close', () => void forget())
    return Readable.toWeb(file) as ReadableStream
  }
}
