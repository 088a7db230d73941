// Applies the numbered SQL files beside it, once each, whoever starts first. Forward only; a released file never changes.
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fail } from '#core/errors.ts'
import { withoutGuard, type Sql } from './db.ts'

export type Migration = {
  number: number
  name: string
  hash: string
  breaking: boolean
  text: string
}

/** The files `000001_config.sql …` of `dir` in order; `--! breaking` in the first line marks a breaking one. */
export async function readMigrations(
  dir: string = import.meta.dirname,
): Promise<readonly Migration[]> {
  const names = (await readdir(dir)).filter((name) => /^\d{6}_\w+\.sql$/.test(name)).sort()
  return Promise.all(
    names.map(async (name) => {
      // git may have turned line ends on its way to this machine
      const text = (await readFile(join(dir, name), 'utf8')).replaceAll('\r\n', '\n')
      return {
        number: Number(name.slice(0, 6)),
        name: name.slice(0, -4),
        hash: createHash('sha256').update(text).digest('hex'),
        breaking: text.startsWith('--! breaking'),
        text,
      }
    }),
  )
}

/**
 * Brings the store up to date; names of the migrations that this call applied, empty if there was nothing to do. Safe when
 * several processes start at once.
 * @throws migration_changed when a file differs from what was applied under its number
 * @throws schema_newer when a newer LakeForge has made a breaking change to this store
 */
export async function migrate(sql: Sql, migrations?: readonly Migration[]): Promise<string[]> {
  const files = migrations ?? (await readMigrations())
  const client = withoutGuard(sql)
  await bootstrap(client)
  const known = await client<{ number: number; name: string; hash: string; breaking: boolean }[]>`
    select number, name, hash, breaking from config.migration order by number`
  for (const row of known) {
    const file = files.find(({ number }) => number === row.number)
    if (file && file.hash !== row.hash) fail('migration_changed', { name: file.name })
    if (!file && row.breaking) fail('schema_newer', { name: row.name })
  }
  const applied: string[] = []
  for (const file of files) {
    if (known.some(({ number }) => number === file.number)) continue
    const mine = await client.begin(async (tx) => {
      // Its own row first: a second starter waits here for the first one and then finds nothing to do
      const [row] = await tx<{ number: number }[]>`
        insert into config.migration (number, name, hash, breaking)
        values (${file.number}, ${file.name}, ${file.hash}, ${file.breaking})
        on conflict do nothing
        returning number`
      if (row) await tx.unsafe(file.text).simple()
      else {
        const [other] = await tx`select hash from config.migration where number = ${file.number}`
        if (other?.hash !== file.hash) fail('migration_changed', { name: file.name })
      }
      return row !== undefined
    })
    if (mine) applied.push(file.name)
  }
  return applied
}

/** `create … if not exists` isn't safe against itself at the same time: hence the lock, and a look before it. */
async function bootstrap(client: Sql): Promise<void> {
  const [found] = await client`select to_regclass('config.migration') is not null as there`
  if (found?.there) return
  await client.begin(async (tx) => {
    await tx`select pg_advisory_xact_lock(7212684031)`
    await tx
      .unsafe(
        `create schema if not exists config;
        create table if not exists config.migration (
          number integer constraint migration_pk primary key,
          name text not null,
          hash text not null,
          breaking boolean not null,
          applied_at timestamptz(3) not null default now()
        );
        comment on table config.migration is 'Which numbered SQL files have been applied to this store.';`,
      )
      .simple()
  })
}
