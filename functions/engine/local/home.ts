// One owner of a home: the process that holds its lock. Two embedded stores on one folder would diverge silently, so nobody
// opens anything in a home without having taken it; others talk to the owner, whose address and token lie beside the lock.
import { randomBytes } from 'node:crypto'
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fail, LakeForgeError } from '#core/errors.ts'
import { uuidv7 } from '#core/id.ts'
import { tempName } from './durable.ts'

/** How to reach the process that owns a home. */
export type Owner = { url: string; token: string; pid: number }

export type Home = {
  /** Absolute path. */
  dir: string
  /** Made once for each home; `home_id` of the environments that it drives. */
  id: string
  /** Where the embedded store lies. */
  store: string
  /** Tells others where this owner listens; its token, which they must show. */
  announce(url: string): Promise<string>
  /** Gives the home up. */
  release(): Promise<void>
}

/**
 * Takes the home, made if it isn't there.
 * @throws home_in_use while another process has it; its `detail.url` is the owner's address, null while that one starts
 */
export async function takeHome(path: string): Promise<Home> {
  const dir = resolve(path)
  await mkdir(dir, { recursive: true, mode: 0o700 })
  const unlock = await lock(join(dir, LOCK))
  if (!unlock) {
    const owner = await readOwner(dir)
    const url = owner?.url ?? null
    return fail('home_in_use', { dir, where: url ? ` at ${url}` : '', url })
  }
  try {
    // left by an owner that was killed
    await rm(join(dir, OWNER), { force: true })
    const id = await homeId(dir)
    return {
      dir,
      id,
      store: join(dir, 'store'),
      announce: async (url) => {
        const token = randomBytes(32).toString('base64url')
        const owner: Owner = { url, token, pid: process.pid }
        await writePrivate(join(dir, OWNER), JSON.stringify(owner))
        return token
      },
      release: async () => {
        await rm(join(dir, OWNER), { force: true })
        unlock()
      },
    }
  } catch (error) {
    unlock()
    throw error
  }
}

/**
 * Takes the home, or finds who has it; waits up to `wait_ms` for an owner that is starting or stopping.
 * @throws home_in_use if that one hasn't said by then where it listens
 */
export async function joinHome(
  path: string,
  wait_ms = 30_000,
): Promise<{ home: Home; owner: null } | { home: null; owner: Owner }> {
  const until = performance.now() + wait_ms
  for (;;) {
    try {
      return { home: await takeHome(path), owner: null }
    } catch (error) {
      if (!(error instanceof LakeForgeError && error.code === 'home_in_use')) throw error
      const owner = await readOwner(path)
      // one that was killed may have left its words behind for the moment until the next has tidied up
      if (owner && isAlive(owner.pid)) return { home: null, owner }
      if (performance.now() > until) throw error
      await sleep(100)
    }
  }
}

/** What the last owner said of itself; null if nothing is there. Only the lock tells whether that one still lives. */
export async function readOwner(path: string): Promise<Owner | null> {
  const text = await readFile(join(resolve(path), OWNER), 'utf8').catch(() => null)
  return text === null ? null : (JSON.parse(text) as Owner)
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

const OWNER = 'owner.json'

/**
 * Never open this file elsewhere in the owner's process, not even to read or copy it: closing any handle of a file drops all of
 * the process's locks on it (fcntl). Backups leave it out.
 */
const LOCK = 'owner.lock'

/**
 * Locks a file until the returned function is called or the process dies, by whatever: the kernel drops the lock (*measured*:
 * after SIGKILL the next one gets it at once). Null if another process holds it. Node has no flock; SQLite brings its own.
 */
async function lock(file: string): Promise<(() => void) | null> {
  const { DatabaseSync } = await quietly(() => import('node:sqlite'))
  const database = new DatabaseSync(file, { timeout: 200 })
  try {
    database.exec('begin exclusive')
    return () => database.close()
  } catch (error) {
    database.close()
    // SQLITE_BUSY
    if ((error as { errcode?: number }).errcode === 5) return null
    throw error
  }
}

async function homeId(dir: string): Promise<string> {
  const file = join(dir, 'home.json')
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null
    throw error
  })
  if (text !== null) return (JSON.parse(text) as { id: string }).id
  const id = uuidv7()
  await writePrivate(file, JSON.stringify({ format: 1, id }))
  return id
}

/** Whole or not at all, and readable by this user alone from its first byte. */
async function writePrivate(path: string, text: string): Promise<void> {
  const temp = tempName(path)
  const file = await open(temp, 'wx', 0o600)
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(temp, path)
}

/** node:sqlite warns once that it is experimental: true, and of no use to who reads the terminal. */
async function quietly<T>(work: () => Promise<T>): Promise<T> {
  const emit = process.emitWarning
  process.emitWarning = ((warning: string | Error, ...rest: never[]) => {
    if (!String(warning).includes('SQLite')) emit.call(process, warning, ...rest)
  }) as typeof process.emitWarning
  try {
    return await work()
  } finally {
    process.emitWarning = emit
  }
}
