// The only way in which engine code makes files appear: temp file, fsync, rename or link, fsync of the folder.
// After a crash a file is whole or absent; what is left behind is a temp file, known by its name (`isTemp`).
// Every such action is a numbered point, so that the crash test can kill a process before and after each of them.
import { appendFileSync, readFileSync } from 'node:fs'
import { link, mkdir, open, rename, stat, unlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { fail } from '#core/errors.ts'

/** Each point is appended here as `<n> <name> before` or `<n> <name> after`. */
const LIST = process.env.LAKEFORGE_CRASH_LIST
/** `<n>:before` or `<n>:after`: there the process kills itself as the system would. */
const CRASH_AT = process.env.LAKEFORGE_CRASH_AT
let counted = 0

/**
 * Runs one durable action between its two points; the one hook for files and for Postgres commits. Points are numbered
 * from 1: by process, or across all processes that share one LAKEFORGE_CRASH_LIST file. Without those variables it only
 * calls `action`.
 */
export async function durable<T>(name: string, action: () => Promise<T>): Promise<T> {
  if (LIST === undefined && CRASH_AT === undefined) return await action()
  const n = LIST === undefined ? ++counted : pointsIn(LIST) + 1
  point(n, name, 'before')
  const result = await action()
  point(n, name, 'after')
  return result
}

function pointsIn(list: string): number {
  try {
    return readFileSync(list, 'utf8').match(/ before$/gm)?.length ?? 0
  } catch {
    return 0
  }
}

function point(n: number, name: string, side: 'before' | 'after'): void {
  if (LIST !== undefined) appendFileSync(LIST, `${n} ${name.replace(/\s+/g, ' ')} ${side}\n`)
  if (CRASH_AT !== `${n}:${side}`) return
  process.kill(process.pid, 'SIGKILL')
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
}

/**
 * A fresh name beside `path` for what isn't finished yet. Hidden, so that no glob takes it for data, and without the
 * target's extension.
 */
export function tempName(path: string): string {
  return join(dirname(path), `.${basename(path).slice(0, 100)}.${crypto.randomUUID()}.tmp`)
}

/** True for names made by `tempName`: left behind by a crash, free to delete once nobody writes there. */
export function isTemp(path: string): boolean {
  return /^\..*\.[0-9a-f]{8}-[0-9a-f-]{27}\.tmp$/.test(basename(path))
}

/**
 * Makes `path` hold exactly `content`, replacing what was there. The folder must exist.
 * @throws disk_full
 */
export async function writeDurable(path: string, content: Uint8Array | string): Promise<void> {
  const temp = tempName(path)
  await cleanly(temp, async () => {
    await durable(`write ${basename(path)}`, () => writeSynced(temp, content))
    await renameDurable(temp, path)
  })
}

/**
 * Makes `path` appear with `content`, if nothing has that name yet: true when this call made it, false when another was
 * first. Whoever sees the name sees the whole content. The folder must exist.
 * @throws disk_full
 * @throws disk_unsupported where the file system has no hard links
 */
export async function linkNew(path: string, content: Uint8Array | string): Promise<boolean> {
  const temp = tempName(path)
  return await cleanly(temp, async () => {
    await durable(`write ${basename(path)}`, () => writeSynced(temp, content))
    const made = await durable(`link ${basename(path)}`, async () => {
      try {
        await link(temp, path)
        return true
      } catch (error) {
        if (code(error) === 'EEXIST') return false
        if (['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'].includes(code(error)))
          return fail('disk_unsupported', { path: dirname(path) }, { cause: error })
        throw error
      }
    })
    await durable(`unlink temp of ${basename(path)}`, () => unlink(temp))
    await fsyncDir(dirname(path))
    return made
  })
}

/** Renames within one file system and makes the new name last; replaces what was there. */
export async function renameDurable(from: string, to: string): Promise<void> {
  await durable(`rename to ${basename(to)}`, () => rename(from, to))
  await fsyncDir(dirname(to))
  if (dirname(from) !== dirname(to)) await fsyncDir(dirname(from))
}

/** Makes a file's content last, whoever wrote it. The name lasts only after `fsyncDir` of its folder. */
export async function fsyncFile(path: string): Promise<void> {
  await durable(`sync ${basename(path)}`, () => sync(path))
}

/** Makes the names in a folder last. */
export async function fsyncDir(path: string): Promise<void> {
  await durable(`sync folder ${basename(path)}`, () => syncDir(path))
}

/** Makes a folder and those above it, each of them lasting. Nothing happens if it is there. */
export async function mkdirDurable(path: string): Promise<void> {
  if (await exists(path)) return
  await durable(`make folder ${basename(path)}`, async () => {
    const first = await mkdir(path, { recursive: true })
    if (first === undefined) return
    for (let at = path; ; at = dirname(at)) {
      await syncDir(dirname(at))
      if (at === first || at === dirname(at)) break
    }
  })
}

/** Deletes a file; false when there was none. The folder isn't synced: a deletion may come back after a power cut. */
export async function removeFile(path: string): Promise<boolean> {
  return await durable(`remove ${basename(path)}`, async () => {
    try {
      await unlink(path)
      return true
    } catch (error) {
      if (code(error) === 'ENOENT') return false
      throw error
    }
  })
}

async function writeSynced(path: string, content: Uint8Array | string): Promise<void> {
  const file = await open(path, 'wx')
  try {
    await file.writeFile(content)
    await file.sync()
  } finally {
    await file.close()
  }
}

async function sync(path: string): Promise<void> {
  const file = await open(path, 'r')
  try {
    await file.sync()
  } finally {
    await file.close()
  }
}

/** Windows has no fsync of folders; its file systems journal names by themselves. */
async function syncDir(path: string): Promise<void> {
  if (process.platform !== 'win32') await sync(path)
}

async function exists(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory()
  } catch {
    return false
  }
}

/** On failure the temp file goes, and a full disk gets its own name. */
async function cleanly<T>(temp: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action()
  } catch (error) {
    await unlink(temp).catch(() => undefined)
    if (['ENOSPC', 'EDQUOT'].includes(code(error)))
      return fail('disk_full', { path: dirname(temp) }, { cause: error })
    throw error
  }
}

function code(error: unknown): string {
  return String((error as { code?: unknown } | null)?.code ?? '')
}
