// PostgreSQL: test, discover, preview, and Source → Raw.
import { lookup } from 'node:dns/promises'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LakeForgeError } from '#core/errors.ts'
import { legalColumns } from '#core/names.ts'
import {
  testSteps,
  type DiscoveredObject,
  type LocalExtractor,
  type Preview,
  type RawObject,
  type SourceContext,
} from './extractor.ts'
import { formatObject, fromSql, pgColumns, pinnedColumns } from './pg-columns.ts'
import { connectPg, endPg, pgError, type Pg, type PgOptions } from './pg-connect.ts'
import { copyToParquet } from './pg-copy.ts'
import { openPgBatch } from './pg-extract.ts'
import { profileRows } from './profile-rows.ts'
import { inspectFiles } from './raw-shape.ts'
import { rawScanSql } from './read-raw.ts'

export const postgres: LocalExtractor = {
  test: testPg,
  discover: (context) => withPg(context, (sql) => discoverPg(context, sql)),
  preview: previewPg,
  openBatch: (context) => openPgBatch(context),
}

const REACH_MS = 10_000
/** Rows that a preview copies. */
const PREVIEW_ROWS = 10_000

async function withPg<T>(context: SourceContext, action: (sql: Pg) => Promise<T>): Promise<T> {
  const sql = await connectPg(context)
  try {
    return await action(sql)
  } catch (error) {
    throw pgError(error, context)
  } finally {
    await endPg(sql)
  }
}

async function* testPg(context: SourceContext) {
  const { host, port, schemas } = context.source.options as PgOptions
  let sql: Pg | null = null
  const open = () => sql!
  try {
    yield* testSteps(
      [
        {
          check: 'name_resolves',
          run: async () => {
            if (host.startsWith('/')) return 'A socket on this machine.'
            const { address } = await lookup(host)
            return `${host} is ${address}.`
          },
        },
        {
          check: 'port_reachable',
          run: async () => {
            if (!host.startsWith('/')) await reach(host, port)
            return `Port ${port} answers.`
          },
        },
        {
          check: 'login',
          run: async () => {
            sql = await connectPg(context)
            const [row] = await sql<{ version: string; ssl: boolean }[]>`
              select current_setting('server_version') as version,
                coalesce((select ssl from pg_stat_ssl where pid = pg_backend_pid()), false) as ssl`
            return `PostgreSQL ${row!.version}, ${row!.ssl ? 'with' : 'without'} TLS.`
          },
        },
        {
          check: 'schemas_listed',
          run: async () => {
            const found = await open()<{ nspname: string }[]>`
              select nspname from pg_namespace
              where nspname !~ '^pg_' and nspname <> 'information_schema'
                and has_schema_privilege(oid, 'usage') order by 1`
            const names = found.map(({ nspname }) => nspname)
            const missing = schemas?.find((schema) => !names.includes(schema))
            if (missing !== undefined)
              throw new LakeForgeError('source_object_missing', { object: missing })
            return `Schemas: ${names.join(', ')}.`
          },
        },
        {
          check: 'tables_readable',
          run: async () => {
            const [row] = await open()<{ readable: number; all: number }[]>`
              select count(*) filter (where has_table_privilege(c.oid, 'select'))::int as readable, count(*)::int as all
              from pg_class c join pg_namespace n on n.oid = c.relnamespace
              where c.relkind in ('r', 'p', 'v', 'm', 'f') and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
                and (${schemas ?? null}::text[] is null or n.nspname = any(${schemas ?? null}::text[]))
                and has_schema_privilege(n.oid, 'usage')`
            if (row!.readable === 0)
              throw new LakeForgeError('source_denied', {
                source: context.source.name,
                reason: 'no table may be read',
              })
            return `${row!.readable} of ${row!.all} tables and views may be read.`
          },
        },
      ],
      (error) => {
        const { message, hint } = pgError(error, context)
        return { message, hint }
      },
    )
  } finally {
    await endPg(sql)
  }
}

function reach(host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, timeout: REACH_MS })
    socket.once('connect', () => {
      socket.destroy()
      resolve()
    })
    socket.once('timeout', () => {
      socket.destroy()
      reject(Object.assign(new Error('timeout'), { code: 'ETIMEDOUT' }))
    })
    socket.once('error', reject)
  })
}

async function discoverPg(context: SourceContext, sql: Pg): Promise<DiscoveredObject[]> {
  const { schemas } = context.source.options as PgOptions
  const tables = await sql<
    {
      schema: string
      name: string
      rows: number
      bytes: string
      keys: string[] | null
      serial: string[] | null
    }[]
  >`
    select n.nspname as schema, c.relname as name,
      -- A partitioned table has no rows of its own.
      case when c.relkind = 'p'
        then (select coalesce(sum(greatest(p.reltuples, 0)), 0) from pg_partition_tree(c.oid) t join pg_class p on p.oid = t.relid where t.isleaf)
        else c.reltuples end::float8 as rows,
      case when c.relkind = 'p'
        then (select coalesce(sum(pg_total_relation_size(t.relid)), 0) from pg_partition_tree(c.oid) t)
        else pg_total_relation_size(c.oid) end::text as bytes,
      (select json_agg(a.attname order by k.n)
        from pg_index i
        cross join unnest(i.indkey::int2[]) with ordinality k(attnum, n)
        join pg_attribute a on a.attrelid = c.oid and a.attnum = k.attnum
        where i.indrelid = c.oid and i.indisprimary) as keys,
      (select json_agg(a.attname order by a.attnum) from pg_attribute a
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
          and (a.attidentity <> '' or pg_get_serial_sequence(quote_ident(n.nspname) || '.' || quote_ident(c.relname), a.attname) is not null)
          and c.relkind in ('r', 'p')) as serial
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'v', 'm', 'f') and not c.relispartition
      and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
      and (${schemas ?? null}::text[] is null or n.nspname = any(${schemas ?? null}::text[]))
      and has_schema_privilege(n.oid, 'usage') and has_table_privilege(c.oid, 'select')
    order by 1, 2`
  const found: DiscoveredObject[] = []
  for (const table of tables) {
    context.signal?.throwIfAborted()
    const object = formatObject(table.schema, table.name)
    const columns = await pgColumns(sql, object, 'table')
    const pinned = pinnedColumns(columns)
    const named = new Map(columns.map((column, i) => [column.source_name, pinned[i]!.name]))
    const names = (list: string[] | null) => (list ?? []).map((name) => named.get(name)!)
    const times = columns
      .filter(({ base }) => base.startsWith('timestamp'))
      .map((c) => c.source_name)
    const changed = times.filter((name) => /upd|modif|chang|last/i.test(name))
    const made = times.filter((name) => !changed.includes(name))
    found.push({
      object,
      name: table.schema === 'public' ? table.name : `${table.schema}_${table.name}`,
      format: 'table',
      options: {},
      columns: pinned,
      // -1: never analysed.
      rows_estimate: table.rows < 0 ? null : Math.round(table.rows),
      bytes: Number(table.bytes),
      keys: names(table.keys),
      cursor_candidates: names([...changed, ...(table.serial ?? []), ...made]),
    })
  }
  const legal = legalColumns(found.map(({ name }) => name))
  return found.map((object, index) => ({ ...object, name: legal[index]! }))
}

async function previewPg(context: SourceContext, raw: RawObject, limit: number): Promise<Preview> {
  const dir = await mkdtemp(join(tmpdir(), 'lakeforge-'))
  try {
    return await withPg(context, async (sql) => {
      await sql.unsafe('begin read only')
      const columns = await pgColumns(sql, raw.object, raw.format)
      const list = columns.map(({ select }) => select)
      const select = `SELECT ${[...list, '1'].join(', ')} FROM ${fromSql(raw.object, raw.format)} LIMIT ${PREVIEW_ROWS}`
      let count = 0
      const target = { dir, next: () => join(dir, `${++count}.parquet`) }
      const { connection, signal } = context
      const copied = await copyToParquet(sql, connection, select, columns, target, {
        keepEmpty: true,
        ...(signal ? { signal } : {}),
      })
      const files = copied.map(({ path }) => ({ absolute: path, source_path: raw.object }))
      const shape = await inspectFiles(connection, files, 'parquet', {}, '')
      const pinned = raw.columns.length > 0 ? raw.columns : pinnedColumns(columns)
      return await profileRows(connection, rawScanSql(shape, pinned), pinned, limit)
    })
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}
