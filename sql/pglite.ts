// The embedded store: PostgreSQL compiled to WebAssembly, in this process, behind the same client as a server's.
// One process at a time may open a folder (functions/engine/local/home.ts sees to that): two diverge silently.
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { Duplex } from 'node:stream'
import { PGlite } from '@electric-sql/pglite'
import postgres from 'postgres'
import { CLIENT_OPTIONS, guard, type Sql } from './db.ts'

const TIME_ZONE = ['-c', 'TimeZone=UTC']

/**
 * Opens the store in the folder `dir`, made if it isn't there, or in memory if `dir` is undefined; a new one holds `load`, a dump
 * of another. Commits are flushed to disk
 * (PGlite's own default isn't; *measured* 1.8 ms a commit instead of 0.35). Close with `sql.end()`.
 */
export async function openEmbedded(
  dir?: string,
  options: { transaction_ms?: number; load?: Blob } = {},
): Promise<Sql> {
  if (dir === undefined) {
    return client(
      await PGlite.create({
        ...(options.load ? { loadDataDir: options.load } : {}),
        startParams: [...PGlite.defaultStartParams, ...TIME_ZONE],
      }),
      options,
    )
  }
  const made = await createFolder(dir, options.load)
  const pglite = await PGlite.create({
    dataDir: dir,
    startParams: [...PGlite.defaultStartParams.filter((flag) => flag !== '-F'), ...TIME_ZONE],
  })
  return client(pglite, { ...options, closing: made ? syncTree(dir) : undefined })
}

/** The whole embedded store as a tar file, to be given to `openEmbedded` as `load`. */
export async function dumpEmbedded(prepare: (sql: Sql) => Promise<unknown>): Promise<Blob> {
  const pglite = await PGlite.create()
  const sql = client(pglite, {})
  try {
    await prepare(sql)
    return await pglite.dumpDataDir('none')
  } finally {
    await sql.end()
  }
}

function client(
  pglite: PGlite,
  options: { transaction_ms?: number; closing?: Promise<void> | undefined },
): Sql {
  let connections = 0
  const sql = postgres({
    ...CLIENT_OPTIONS,
    user: 'postgres',
    database: 'postgres',
    max: 1,
    // a connection is this process: nothing is gained by renewing it
    max_lifetime: null,
    idle_timeout: 0,
    socket: async () => {
      // one session serves all connections: a torn one may have left a transaction open
      if (connections++ > 0) await pglite.exec('rollback; discard all')
      return wire(pglite)
    },
  } as postgres.Options<Record<string, postgres.PostgresType>>) as unknown as Sql
  return guard(sql, {
    transaction_ms: options.transaction_ms,
    // no timers in there: a statement holds the event loop until it is done
    statement_timeout: false,
    end: async () => {
      await options.closing
      if (!pglite.closed) await pglite.close()
    },
  })
}

/** A stream that hands PostgreSQL's wire protocol to PGlite and gives back its answers. */
function wire(pglite: PGlite): Duplex {
  const stream = new Duplex({
    read() {},
    write(bytes: Uint8Array, _encoding, done) {
      pglite.execProtocolRaw(bytes).then((answer) => {
        if (answer.length > 0) stream.push(answer)
        done()
      }, done)
    },
    final(done) {
      stream.push(null)
      done()
    },
  })
  // postgres.js ends a socket only when it says it is open
  Object.defineProperty(stream, 'readyState', {
    get: () => (stream.destroyed || stream.writableEnded ? 'closed' : 'open'),
  })
  return stream
}

/** Makes the database beside its place and moves it there whole: a crash leaves no half-made folder. */
async function createFolder(dir: string, load?: Blob): Promise<boolean> {
  if (await exists(join(dir, 'PG_VERSION'))) return false
  await mkdir(dirname(dir), { recursive: true })
  for (const name of await readdir(dirname(dir))) {
    // left by a crash
    if (name.startsWith(`${basename(dir)}.new-`)) {
      await rm(join(dirname(dir), name), { recursive: true, force: true })
    }
  }
  const fresh = `${dir}.new-${process.pid}`
  const pglite = await PGlite.create({ dataDir: fresh, ...(load ? { loadDataDir: load } : {}) })
  await pglite.close()
  await rename(fresh, dir)
  return true
}

/** Flushes a new folder's files, which were made without it, behind the first queries' back (*measured* 3 s for 1000 files). */
async function syncTree(dir: string): Promise<void> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true })
  for (const entry of entries) {
    const handle = await open(join(entry.parentPath, entry.name), 'r').catch(() => null)
    // a temporary file may have gone
    await handle?.sync().finally(() => handle.close())
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}
