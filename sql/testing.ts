// An already migrated database for one test file: in memory by default, on a real server if TEST_DATABASE_URL is set.
import { createHash, randomBytes } from 'node:crypto'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openDb, type DbOptions, type Sql } from './db.ts'
import { migrate, readMigrations, type Migration } from './migrate.ts'
import { dumpEmbedded, openEmbedded } from './pglite.ts'

/** Whether tests run on a real server: what needs several connections is skipped by name without one. */
export const ON_SERVER = Boolean(process.env.TEST_DATABASE_URL)

/**
 * A client on an empty, migrated database of its own; `sql.end()` in `afterAll` drops it. In memory it is loaded from a dump
 * kept in `.cache/` (*measured* 0.6 s instead of 4).
 */
export async function freshDb(options: DbOptions = {}): Promise<Sql> {
  const migrations = await readMigrations()
  if (ON_SERVER) {
    const { url, drop } = await freshServerDb()
    const sql = openDb(url, { max: 4, ...options })
    await migrate(sql, migrations)
    return closing(sql, drop)
  }
  const load = await storeDump(migrations)
  const limit = options.transaction_ms
  return openEmbedded(undefined, { load, ...(limit ? { transaction_ms: limit } : {}) })
}

/** An empty database on the server of TEST_DATABASE_URL, not migrated. */
export async function freshServerDb(): Promise<{ url: string; drop: () => Promise<void> }> {
  const base = process.env.TEST_DATABASE_URL!
  const name = `lakeforge_test_${randomBytes(6).toString('hex')}`
  const admin = async (statement: string) => {
    const sql = openDb(base, { max: 1 })
    await sql.unsafe(statement).finally(() => sql.end())
  }
  await admin(`create database ${name}`)
  const url = new URL(base)
  url.pathname = `/${name}`
  return { url: url.href, drop: () => admin(`drop database if exists ${name} with (force)`) }
}

function closing(sql: Sql, after: () => Promise<void>): Sql {
  return new Proxy(sql, {
    get: (target, key) =>
      key === 'end'
        ? async () => {
            await target.end()
            await after()
          }
        : Reflect.get(target, key),
  })
}

/** A dump of an embedded store with these migrations, all of them if not given: `openEmbedded(dir, { load })` is quick with it. */
export async function storeDump(given?: readonly Migration[]): Promise<Blob> {
  const migrations = given ?? (await readMigrations())
  const hash = createHash('sha256')
  for (const { hash: one } of migrations) hash.update(one)
  const dir = join(import.meta.dirname, '..', '.cache')
  const file = join(dir, `store-${hash.digest('hex').slice(0, 16)}.tar`)
  const found = await readFile(file).catch(() => null)
  if (found) return new Blob([new Uint8Array(found)])
  const dump = await dumpEmbedded(async (sql) => migrations.length > 0 && migrate(sql, migrations))
  await mkdir(dir, { recursive: true })
  const temporary = `${file}.${process.pid}`
  await writeFile(temporary, new Uint8Array(await dump.arrayBuffer()))
  await rename(temporary, file)
  return dump
}
