import { afterAll, describe, expect, it } from 'vitest'
import { openDb, type Sql } from './db.ts'
import { migrate, readMigrations, type Migration } from './migrate.ts'
import { openEmbedded } from './pglite.ts'
import { freshServerDb, ON_SERVER, storeDump } from './testing.ts'

const open: (() => Promise<unknown>)[] = []
afterAll(async () => {
  for (const close of open.reverse()) await close()
})

/** Clients on one empty store: as many as asked for on a server, the embedded one has a single client. */
async function emptyStore(clients = 1): Promise<Sql[]> {
  if (!ON_SERVER) {
    const sql = await openEmbedded(undefined, { load: await storeDump([]) })
    open.push(() => sql.end())
    return Array.from({ length: clients }, () => sql)
  }
  const { url, drop } = await freshServerDb()
  open.push(drop)
  return Array.from({ length: clients }, () => {
    const sql = openDb(url, { max: 2 })
    open.push(() => sql.end())
    return sql
  })
}

function file(number: number, text: string, hash = `hash of ${text}`): Migration {
  const name = `00000${number}_file`
  return { number, name, hash, breaking: text.startsWith('--! breaking'), text }
}
const ONE = file(1, 'create table public.one (a integer); insert into public.one values (1);')
const TWO = file(2, 'insert into public.one values (2);')

describe('migrate', () => {
  it('brings an empty store up to date once, and then has nothing to do', async () => {
    const [sql] = await emptyStore()
    const names = (await readMigrations()).map(({ name }) => name)
    expect(await migrate(sql!)).toEqual(names)
    expect(await migrate(sql!)).toEqual([])
  })

  it('applies each file once however many start at the same time', async () => {
    const clients = await emptyStore(4)
    const applied = await Promise.all(clients.map((sql) => migrate(sql, [ONE, TWO])))
    expect(applied.flat().sort()).toEqual([ONE.name, TWO.name])
    expect(await clients[0]!`select a from public.one order by a`).toEqual([{ a: 1 }, { a: 2 }])
  })

  it('applies a file whole or not at all', async () => {
    const [sql] = await emptyStore()
    const broken = file(2, 'insert into public.one values (2); select nothing_there;')
    await expect(migrate(sql!, [ONE, broken])).rejects.toThrow('nothing_there')
    expect(await sql!`select a from public.one`).toEqual([{ a: 1 }])
    expect(await migrate(sql!, [ONE, TWO])).toEqual([TWO.name])
  })

  it('refuses a file that has changed since it was applied', async () => {
    const [sql] = await emptyStore()
    await migrate(sql!, [ONE])
    await expect(migrate(sql!, [{ ...ONE, hash: 'other' }, TWO])).rejects.toMatchObject({
      code: 'migration_changed',
    })
    expect(await sql!`select a from public.one`).toEqual([{ a: 1 }])
  })

  it('refuses a store that a newer version has changed in a breaking way, and works with another', async () => {
    const [sql] = await emptyStore()
    await migrate(sql!, [ONE, TWO])
    expect(await migrate(sql!, [ONE])).toEqual([])
    await migrate(sql!, [ONE, TWO, file(3, '--! breaking\ndrop table public.one;')])
    await expect(migrate(sql!, [ONE, TWO])).rejects.toMatchObject({ code: 'schema_newer' })
  })
})
