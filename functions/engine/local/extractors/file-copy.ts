// Copies one file of a source into the lake as it is, with its sha256 from the same pass over the bytes.
import { createHash } from 'node:crypto'
import { open, stat, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { fail } from '#core/errors.ts'
import { fsyncFile, renameDurable, tempName } from '../durable.ts'
import type { SourceFile } from './file-list.ts'

/** Bytes in memory for one file. Larger ones gain nothing (measured: 1, 4 and 16 MiB within 3 %). */
const BUFFER_BYTES = 1024 * 1024

export type Copied = { size: number; sha256: string; modified_ns: bigint }

/** sha256 of a file in hex, or null when it changed while it was read. */
export async function hashFile(file: SourceFile, signal?: AbortSignal): Promise<string | null> {
  return (await readWhole(file, async () => undefined, signal))?.sha256 ?? null
}

/**
 * Copies to `target`, which appears whole and lasting. Null when the file changed or went away while it was read: nothing
 * is left behind then. `onBytes` hears how many bytes are copied so far.
 * @throws disk_full, file_denied
 */
export async function copyFile(
  file: SourceFile,
  target: string,
  signal?: AbortSignal,
  onBytes: (bytes: number) => void = () => undefined,
): Promise<Copied | null> {
  const temp = tempName(target)
  try {
    const out = await open(temp, 'wx')
    let copied: Copied | null
    try {
      let size = 0
      const take = async (bytes: Uint8Array) => {
        await writeAll(out, bytes)
        onBytes((size += bytes.length))
      }
      copied = await readWhole(file, take, signal)
    } finally {
      await out.close()
    }
    if (copied === null) {
      await unlink(temp)
      return null
    }
    await fsyncFile(temp)
    await renameDurable(temp, target)
    return copied
  } catch (error) {
    await unlink(temp).catch(() => undefined)
    const code = String((error as { code?: unknown }).code ?? '')
    if (['ENOSPC', 'EDQUOT'].includes(code))
      return fail('disk_full', { path: dirname(target) }, { cause: error })
    if (['EACCES', 'EPERM'].includes(code))
      return fail('file_denied', { reason: file.path }, { cause: error })
    throw error
  }
}

/** Hands all bytes to `take`. Null when size, time or identity of the file differ before and after. */
async function readWhole(
  file: SourceFile,
  take: (bytes: Uint8Array) => Promise<void>,
  signal?: AbortSignal,
): Promise<Copied | null> {
  let input
  try {
    input = await open(file.absolute, 'r')
  } catch (error) {
    if ((error as { code?: string }).code === 'ENOENT') return null
    throw error
  }
  try {
    const before = await input.stat({ bigint: true })
    const hash = createHash('sha256')
    const buffers = [Buffer.allocUnsafe(BUFFER_BYTES), Buffer.allocUnsafe(BUFFER_BYTES)] as const
    const opened = input
    let size = 0
    // The next bytes are read and these are written while these are hashed.
    let reading = opened.read(buffers[0], 0, BUFFER_BYTES, null)
    for (let turn = 0; ; turn = 1 - turn) {
      const { bytesRead, buffer } = await reading
      if (bytesRead === 0) break
      signal?.throwIfAborted()
      const bytes = buffer.subarray(0, bytesRead)
      reading = opened.read(buffers[turn === 0 ? 1 : 0], 0, BUFFER_BYTES, null)
      // Whatever fails first is told; a read that is under way must not fail unheard.
      reading.catch(() => undefined)
      const taking = take(bytes)
      hash.update(bytes)
      await taking
      size += bytesRead
    }
    const after = await input.stat({ bigint: true })
    // Another file under the name by now (a delivery by rename) is one for the next look.
    const named = await stat(file.absolute, { bigint: true }).catch(() => null)
    const same =
      named !== null &&
      before.size === BigInt(size) &&
      [after, named].every(
        (now) =>
          now.size === before.size && now.mtimeNs === before.mtimeNs && now.ino === before.ino,
      )
    return same ? { size, sha256: hash.digest('hex'), modified_ns: before.mtimeNs } : null
  } finally {
    await input.close()
  }
}

async function writeAll(
  out: { write(bytes: Uint8Array): Promise<{ bytesWritten: number }> },
  bytes: Uint8Array,
): Promise<void> {
  for (let at = 0; at < bytes.length;) at += (await out.write(bytes.subarray(at))).bytesWritten
}
