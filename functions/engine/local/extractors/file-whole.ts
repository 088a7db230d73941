// Whether a copied file ends where its format says it must. A reader would take the first half of a packed file for the
// whole (DuckDB does, for zstd without a word), and the rest would never come.
import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip, createZstdDecompress } from 'node:zlib'
import { fail } from '#core/errors.ts'

/**
 * Reads a packed file through, or looks at a Parquet file's end. Empty files are whole.
 * @throws file_truncated with `name`
 */
export async function checkWhole(
  path: string,
  name: string,
  kind: 'plain' | 'gzip' | 'zstd' | 'parquet',
  signal?: AbortSignal,
): Promise<void> {
  if (kind === 'plain') return
  const file = await open(path, 'r')
  try {
    const { size } = await file.stat()
    if (size === 0) return
    if (kind === 'parquet') {
      const end = Buffer.alloc(4)
      await file.read(end, 0, 4, Math.max(0, size - 4))
      // PARE: its footer is encrypted.
      if (!['PAR1', 'PARE'].includes(end.toString('latin1')))
        fail('file_truncated', { file: name, kind })
      return
    }
  } finally {
    await file.close()
  }
  const sink = new Writable({ write: (_chunk, _encoding, done) => done() })
  const unpack = kind === 'gzip' ? createGunzip() : createZstdDecompress()
  try {
    await pipeline(createReadStream(path), unpack, sink, { signal })
  } catch (error) {
    signal?.throwIfAborted()
    if (String((error as { code?: unknown }).code).startsWith('Z'))
      return fail('file_truncated', { file: name, kind }, { cause: error })
    throw error
  }
}
