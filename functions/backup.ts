// The whole metadata store as one file, and back: a line of JSON a row, the same for an embedded store and for a server, so that
// a backup of one restores to the other. The tables of the lake are not in it.
import { createHash } from 'node:crypto'
import { Hono } from 'hono'
import { describeRoute } from 'hono-openapi'
import { stream } from 'hono/streaming'
import { fail } from '#core/errors.ts'
import { actAs } from '#sql/actor.ts'
import { allowing } from '#sql/db.ts'
import type { Db, Sql, Tx } from '#sql/db.ts'
import { need, writer } from './request.ts'
import type { Env } from './request.ts'

const FORMAT = 'lakeforge-backup'
const ROWS_AT_ONCE = 500
const BACKUP_MS = 60 * 60_000
const tags = ['backup']

type Head = {
  format: string
  version: 1
  migrations: string[]
  metadata_version: string
  created_at: string
}
/** A table line comes before its rows; each row is a line of its own. The last line counts them and seals all before it. */
type Line = { table: string } | { rows: number; sha256: string }

export const backup = new Hono<Env>()
  .post(
    '/backup',
    describeRoute({ tags, summary: 'All metadata and logs of one moment, as lines of JSON' }),
    async (c) => {
      need(c, 'admin')
      c.header('content-type', 'application/x-ndjson')
      const { sql, deps } = c.var
      // A slow reader must not hold the only connection of an embedded store
      if (deps.spool) return c.body(await deps.spool(lines(sql)))
      return stream(
        c,
        async (out) => {
          for await (const text of lines(sql)) {
            if (out.aborted) return
            await out.write(text)
          }
        },
        // What breaks off has no last line, and is refused by a restore
        async (error) => console.error(c.var.request_id, error),
      )
    },
  )
  .post(
    '/restore',
    describeRoute({ tags, summary: 'Put a backup into an empty store' }),
    async (c) => {
      need(c, 'admin')
      const given = c.req.raw.body ?? fail('backup_invalid', { reason: 'it is empty' })
      const body = c.var.deps.spool
        ? await c.var.deps.spool(given as unknown as AsyncIterable<Uint8Array>)
        : given
      const rows = await allowing(BACKUP_MS, () =>
        c.var.sql.begin(async (tx) => {
          await actAs(tx, writer(c))
          return restore(tx, body)
        }),
      )
      c.var.deps.nudge?.()
      return c.json({ rows })
    },
  )

/** One snapshot of all tables. Read ahead by a page, so that a slow reader holds the transaction and not the memory. */
async function* lines(sql: Sql): AsyncGenerator<string> {
  const queue: string[] = []
  let wake = Promise.withResolvers<void>()
  let room = Promise.withResolvers<void>()
  let stopped = false
  let failed: unknown
  const hash = createHash('sha256')
  const put = async (text: string) => {
    hash.update(text)
    queue.push(text)
    wake.resolve()
    while (queue.length > 1 && !stopped) {
      room = Promise.withResolvers()
      await room.promise
    }
    if (stopped) throw new Error('The reader has gone.')
  }
  let done = false
  const reading = allowing(BACKUP_MS, () =>
    sql.begin('isolation level repeatable read read only', async (tx) => {
      let rows = 0
      await put(`${JSON.stringify(await headOf(tx))}\n`)
      for (const table of await tablesOf(tx)) {
        await put(`${JSON.stringify({ table: table.name } satisfies Line)}\n`)
        const cursor = tx<{ line: string }[]>`
          select row_to_json(t)::text as line from ${tx(table.name)} t
        `.cursor(ROWS_AT_ONCE)
        for await (const page of cursor) {
          rows += page.length
          await put(page.map(({ line }) => `${line}\n`).join(''))
        }
      }
      await put(`${JSON.stringify({ rows, sha256: hash.copy().digest('hex') } satisfies Line)}\n`)
    }),
  ).then(
    () => {
      done = true
      wake.resolve()
    },
    (error: unknown) => {
      failed = error
      done = true
      wake.resolve()
    },
  )
  try {
    for (;;) {
      const text = queue.shift()
      if (text !== undefined) {
        room.resolve()
        yield text
      } else if (done) break
      else {
        await wake.promise
        wake = Promise.withResolvers()
      }
    }
    if (failed !== undefined) throw failed
  } finally {
    stopped = true
    room.resolve()
    await reading
  }
}

async function migrationsOf(db: Db): Promise<string[]> {
  const rows = await db<{ name: string }[]>`select name from config.migration order by number`
  return rows.map(({ name }) => name)
}

async function headOf(db: Db): Promise<Head> {
  const [now] = await db<{ version: string; at: Date }[]>`
    select value::text as version, now() as at from config.metadata_version
  `
  return {
    format: FORMAT,
    version: 1,
    migrations: await migrationsOf(db),
    metadata_version: now!.version,
    created_at: now!.at.toISOString(),
  }
}

/** Tables in an order in which each stands after those that its foreign keys name. */
async function tablesOf(db: Db): Promise<{ name: string; self: boolean }[]> {
  const tables = await db<{ name: string; needs: string[] }[]>`
    select
      n.nspname || '.' || t.relname as name,
      array(
        select distinct rn.nspname || '.' || r.relname
        from pg_constraint f
        join pg_class r on r.oid = f.confrelid
        join pg_namespace rn on rn.oid = r.relnamespace
        where f.conrelid = t.oid and f.contype = 'f'
      ) as needs
    from pg_class t join pg_namespace n on n.oid = t.relnamespace
    where n.nspname in ('config', 'logging') and t.relkind in ('r', 'p') and not t.relispartition
      and (n.nspname, t.relname) <> ('config', 'migration')
    order by 1
  `
  const placed = new Set<string>()
  const order: { name: string; self: boolean }[] = []
  while (order.length < tables.length) {
    const next = tables.filter(
      ({ name, needs }) =>
        !placed.has(name) && needs.every((other) => other === name || placed.has(other)),
    )
    if (next.length === 0) throw new Error('Tables refer to each other in a circle.')
    for (const { name, needs } of next) {
      placed.add(name)
      order.push({ name, self: needs.includes(name) })
    }
  }
  return order
}

/**
 * Fills an empty store; the number of rows.
 * @throws restore_not_empty, backup_invalid, backup_version
 */
async function restore(tx: Tx, body: ReadableStream<Uint8Array>): Promise<number> {
  await tx`lock table config.metadata_version in access exclusive mode`
  await refuseUnlessEmpty(tx)
  const tables = new Map((await tablesOf(tx)).map((table) => [table.name, table]))
  // Of the store that is filled: its local environments go on being driven from here
  const [home] = await tx<{ home_id: string | null }[]>`
    select home_id from config.environment where engine in ('local', 'spark') and home_id is not null limit 1
  `
  for (const name of tables.keys()) await tx`alter table ${tx(name)} disable trigger user`
  await tx`truncate ${tx([...tables.keys()])}`

  let table: { name: string; self: boolean } | null = null
  let head = false
  let counted: number | null = null
  let rows = 0
  let page: string[] = []
  const write = async () => {
    if (page.length === 0) return
    rows += page.length
    const text = `[${page.join(',')}]`
    page = []
    await tx`
      insert into ${tx(table!.name)} overriding system value
      select * from json_populate_recordset(null::${tx(table!.name)}, ${text}::json)
    `.catch((error: unknown) => {
      // Values and keys that do not fit: the file was changed or torn
      if (!/^2[23]/.test(String((error as { code?: unknown }).code))) throw error
      return fail(
        'backup_invalid',
        { reason: `rows of ${table!.name} do not fit` },
        { cause: error },
      )
    })
  }
  const hash = createHash('sha256')
  for await (const line of linesOf(body)) {
    if (line === '') continue
    if (counted !== null) fail('backup_invalid', { reason: 'it goes on behind its end' })
    if (!head) {
      await checkHead(tx, line)
      hash.update(`${line}\n`)
      head = true
      continue
    }
    const mark = markOf(line)
    if (mark === null || 'table' in mark) hash.update(`${line}\n`)
    if (mark === null) {
      if (table === null) fail('backup_invalid', { reason: 'a row stands before the first table' })
      page.push(line)
      // Rows that name each other go in one statement: references are checked at its end
      if (page.length >= ROWS_AT_ONCE && !table.self) await write()
    } else {
      await write()
      if ('rows' in mark) {
        counted = mark.rows
        if (mark.sha256 !== hash.digest('hex'))
          fail('backup_invalid', { reason: 'it has been changed since it was written' })
      } else
        table =
          tables.get(mark.table) ??
          fail('backup_invalid', { reason: `this LakeForge knows no table ${mark.table}` })
    }
  }
  if (counted !== rows) fail('backup_invalid', { reason: 'its end is missing' })
  await tx`set constraints all immediate`
  for (const name of tables.keys()) await tx`alter table ${tx(name)} enable trigger user`
  await moveSequences(tx)
  await settle(tx, home?.home_id ?? null)
  return rows
}

/** A line that is no row: no table of ours has such columns alone. */
function markOf(line: string): Line | null {
  if (!/^\{"(table":"(config|logging)\.[a-z_]+"|rows":\d+,"sha256":"[0-9a-f]{64}")\}$/.test(line))
    return null
  return JSON.parse(line) as Line
}

async function checkHead(tx: Tx, line: string): Promise<void> {
  let head: Partial<Head>
  try {
    head = JSON.parse(line) as Partial<Head>
  } catch {
    return fail('backup_invalid', { reason: 'it is no backup of LakeForge' })
  }
  if (head.format !== FORMAT) fail('backup_invalid', { reason: 'it is no backup of LakeForge' })
  const mine = await migrationsOf(tx)
  const newer = (head.migrations ?? []).filter((name) => !mine.includes(name))
  if (head.version !== 1 || newer.length > 0)
    fail('backup_version', { what: newer[0] ?? `format ${head.version}` })
}

/** A new store holds one environment, which nobody has touched, and the traces of making it. */
async function refuseUnlessEmpty(tx: Tx): Promise<void> {
  const [found] = await tx<{ what: string }[]>`
    select what from (
      select 'sources' as what from config.source
      union all select 'groups' from config.source_group
      union all select 'schedules' from config.schedule
      union all select 'compute profiles' from config.compute_profile
      union all select 'tables' from config.target
      union all select 'rule sets' from config.rule_set
      union all select 'tokens' from config.token
      union all select 'batches' from logging.batch_run
      union all select 'environments' from config.environment where created_by <> 'lakeforge' or updated_by <> 'lakeforge'
    ) found limit 1
  `
  if (found) fail('restore_not_empty', { what: found.what })
}

async function moveSequences(tx: Tx): Promise<void> {
  const columns = await tx<{ name: string; column: string }[]>`
    select n.nspname || '.' || t.relname as name, a.attname as "column"
    from pg_attribute a
    join pg_class t on t.oid = a.attrelid
    join pg_namespace n on n.oid = t.relnamespace
    where n.nspname in ('config', 'logging') and t.relkind in ('r', 'p') and a.attidentity <> ''
  `
  for (const { name, column } of columns)
    await tx`
      select setval(pg_get_serial_sequence(${name}, ${column}), greatest(1, coalesce(max(${tx(column)}), 0) + 1), false)
      from ${tx(name)}
    `
}

/** What was under way elsewhere is not taken up here: open batches are cancelled, and schedules count from now. */
async function settle(tx: Tx, home_id: string | null): Promise<void> {
  if (home_id !== null)
    await tx`update config.environment set home_id = ${home_id} where engine in ('local', 'spark')`
  await tx`delete from logging.schedule_state`
  const open = await tx<{ batch_id: string; key: string }[]>`
    select batch_id, key from logging.step_run where finished_at is null
  `
  for (const { batch_id, key } of open)
    await tx`
      select logging.set_step_state(${batch_id}, ${key}, 'cancelled', null, 'was under way when the backup was made')
    `
}

async function* linesOf(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  let rest = ''
  for await (const bytes of body as unknown as AsyncIterable<Uint8Array>) {
    const parts = (rest + decoder.decode(bytes, { stream: true })).split('\n')
    rest = parts.pop()!
    yield* parts
  }
  yield rest + decoder.decode()
}
