// The logs, flat: batches, zones, tables, steps, rules, files, schema changes, events, syncs. One query for all of them; each
// says which columns it has. JSON pages, or the whole of a filter as CSV or JSON lines.
import { Hono } from 'hono'
import { describeRoute } from 'hono-openapi'
import * as v from 'valibot'
import { fail } from '#core/errors.ts'
import { firstIdAt } from '#core/id.ts'
import type { Db } from '#sql/db.ts'
import { numbers } from './batches.ts'
import { PageQuery, decodeCursor, encodeCursor, need, validate, wholeNumber } from './request.ts'
import type { Ctx, Env } from './request.ts'

type Log = {
  /** A query without order or limit; its columns are named by the filters below. `log_key` is unique and sorts by time. */
  from: (sql: Db) => ReturnType<Db>
  /** Query parameter -> column of the query above. Literal names: nothing of a request becomes an identifier. */
  filters: Record<string, string>
  /** Whether `log_key` is a uuid v7, so that from and to are ranges of it; else `at` is the column of the time. */
  key: 'uuid' | 'text'
  at: string
}

const LOGS: Record<string, Log> = {
  batches: {
    from: (sql) => sql`
      select id as log_key, id as batch_id, group_id, group_name as "group", environment, seq, state, warned, trigger, attempt, plan_hash,
        metadata_version, requested_by, error_code as code, error_message, error_hint, created_at, started_at, finished_at
      from logging.batch_run`,
    filters: { group: 'group', state: 'state', code: 'code', environment: 'environment' },
    key: 'uuid',
    at: 'created_at',
  },
  steps: {
    from: (sql) => sql`
      select s.id as log_key, s.*, s.name as "table", s.error_code as code, b.group_name as "group", b.environment, b.seq
      from logging.step_run s join logging.batch_run b on b.id = s.batch_id`,
    filters: {
      group: 'group',
      table: 'table',
      state: 'state',
      code: 'code',
      zone: 'zone',
      batch: 'batch_id',
      environment: 'environment',
    },
    key: 'uuid',
    at: 'created_at',
  },
  tables: {
    from: (sql) => sql`
      select t.batch_id::text || '/' || t.zone || '/' || t.name as log_key, t.*, t.name as "table", b.group_name as "group", b.environment,
        b.seq, b.created_at
      from logging.table_run t join logging.batch_run b on b.id = t.batch_id`,
    filters: {
      group: 'group',
      table: 'table',
      state: 'state',
      zone: 'zone',
      batch: 'batch_id',
      environment: 'environment',
    },
    key: 'text',
    at: 'created_at',
  },
  zones: {
    from: (sql) => sql`
      select z.batch_id::text || '/' || z.zone as log_key, z.*, b.group_name as "group", b.environment, b.seq, b.created_at
      from logging.zone_run z join logging.batch_run b on b.id = z.batch_id`,
    filters: {
      group: 'group',
      state: 'state',
      zone: 'zone',
      batch: 'batch_id',
      environment: 'environment',
    },
    key: 'text',
    at: 'created_at',
  },
  rules: {
    from: (sql) => sql`
      select r.id as log_key, r.*, r.target as "table", b.group_name as "group", b.environment, b.seq,
        case when r.rows_failed = 0 then 'passed' else 'failed' end as state
      from logging.dq_run r join logging.batch_run b on b.id = r.batch_id`,
    filters: {
      group: 'group',
      table: 'table',
      state: 'state',
      rule: 'rule_id',
      batch: 'batch_id',
      environment: 'environment',
    },
    key: 'uuid',
    at: 'created_at',
  },
  files: {
    from: (sql) => sql`
      select f.id as log_key, f.*, b.group_name as "group", b.environment, b.seq
      from logging.file f left join logging.batch_run b on b.id = f.batch_id`,
    filters: {
      group: 'group',
      raw: 'raw_id',
      batch: 'batch_id',
      sha256: 'sha256',
      environment: 'environment',
    },
    key: 'uuid',
    at: 'created_at',
  },
  'schema-changes': {
    from: (sql) => sql`
      select s.id as log_key, s.*, s.target as "table", b.group_name as "group", b.environment, b.seq
      from logging.schema_change s join logging.batch_run b on b.id = s.batch_id`,
    filters: {
      group: 'group',
      table: 'table',
      kind: 'kind',
      batch: 'batch_id',
      environment: 'environment',
    },
    key: 'uuid',
    at: 'created_at',
  },
  events: {
    from: (sql) => sql`
      select e.batch_id::text || '/' || lpad(e.number::text, 12, '0') as log_key, e.*, b.group_name as "group", b.environment
      from logging.event e join logging.batch_run b on b.id = e.batch_id`,
    filters: {
      group: 'group',
      level: 'level',
      step: 'step',
      batch: 'batch_id',
      environment: 'environment',
    },
    key: 'text',
    at: 'at',
  },
  syncs: {
    from: (sql) => sql`select id as log_key, s.*, s.error_code as code from logging.sync_run s`,
    filters: { state: 'state', code: 'code', environment: 'environment' },
    key: 'uuid',
    at: 'created_at',
  },
}

const word = v.optional(v.pipe(v.string(), v.maxLength(500)))
const time = v.optional(
  v.pipe(v.string(), v.isoTimestamp('Give an ISO time: 2027-01-31T00:00:00Z.')),
)
const FILTERS = [...new Set(Object.values(LOGS).flatMap((log) => Object.keys(log.filters)))]
const LogQuery = v.object({
  ...PageQuery,
  ...(Object.fromEntries(FILTERS.map((name) => [name, word])) as Record<string, typeof word>),
  from: time,
  to: time,
  sort: v.optional(v.picklist(['time', '-time'])),
})
const LineQuery = v.object({
  from: v.optional(wholeNumber(0, 999_999_999)),
  limit: v.optional(wholeNumber(0, 10_000)),
  level: v.optional(v.picklist(['debug', 'info', 'warn', 'error'])),
  q: v.optional(v.pipe(v.string(), v.maxLength(200))),
})
const EXPORT_PAGE = 1000
const tags = ['logs']

export const logs = new Hono<Env>()
  .get(
    '/:log',
    describeRoute({
      tags,
      summary:
        'A log, newest first; as CSV or JSON lines by Accept: text/csv, application/x-ndjson',
    }),
    validate('query', LogQuery),
    async (c) => {
      need(c, 'viewer')
      const log =
        LOGS[c.req.param('log')] ?? fail('route_unknown', { method: 'GET', path: c.req.path })
      const query = c.req.valid('query') as Record<string, string | undefined>
      const accept = c.req.header('accept') ?? ''
      if (accept.includes('text/csv')) return stream(c, log, query, 'csv')
      if (accept.includes('ndjson')) return stream(c, log, query, 'ndjson')
      const limit = Number(query.limit ?? 50)
      const cursor = decodeCursor(query.after, 1)
      const rows = await page(c.var.sql, log, query, cursor?.[0] ?? null, limit + 1)
      const items = rows.slice(0, limit)
      const last = rows.length > limit ? items.at(-1) : undefined
      return c.json({
        items: items.map(shown),
        next: last ? encodeCursor([String(last.log_key)]) : null,
      })
    },
  )
  .get(
    '/steps/:id/lines',
    describeRoute({ tags, summary: 'The log lines of a step, by range and search' }),
    validate('query', LineQuery),
    async (c) => {
      need(c, 'viewer')
      const sql = c.var.sql
      const { from = 0, limit = 1000, level, q } = c.req.valid('query')
      const [step] = await sql<{ batch_id: string; key: string }[]>`
        select batch_id, key from logging.step_run where id = ${c.req.param('id')}
      `
      if (!step) fail('not_found', { kind: 'step', name: c.req.param('id') })
      const items = await sql`
        select number::integer as number, level, text, progress, at from logging.event
        where batch_id = ${step.batch_id} and step = ${step.key} and number > ${from}
          ${level ? sql`and level = ${level}` : sql``}
          ${q ? sql`and text ilike ${`%${q.replace(/[\\%_]/g, '\\$&')}%`}` : sql``}
        order by number limit ${limit}
      `
      return c.json({ items, next: items.length === limit ? String(items.at(-1)!.number) : null })
    },
  )
  .get(
    '/rules/:id/samples',
    describeRoute({ tags, summary: 'Failing rows of a rule in one step' }),
    async (c) => {
      need(c, 'viewer')
      const items = await c.var.sql`
      select number, row from logging.dq_sample where dq_run_id = ${c.req.param('id')} order by number
    `
      return c.json({ items, next: null })
    },
  )

async function page(
  sql: Db,
  log: Log,
  query: Record<string, string | undefined>,
  after: string | null,
  limit: number,
): Promise<Record<string, unknown>[]> {
  const newestFirst = query.sort !== 'time'
  const given = Object.entries(log.filters).filter(([name]) => query[name] !== undefined)
  // Each column in its own type, so that the indexes of the tables below can serve the filter and the order
  const equals = (column: string, value: string) =>
    column.endsWith('_id') && column !== 'rule_id'
      ? sql`and ${sql(column)} = any (${value.split(',')}::uuid[])`
      : sql`and ${sql(column)} = any (${value.split(',')})`
  return sql`
    select * from (${log.from(sql)}) log
    where true
      ${given.length > 0 ? given.map(([name, column]) => equals(column, query[name]!)) : sql``}
      ${query.from ? sql`and ${sql(log.at)} >= ${query.from}::timestamptz` : sql``}
      ${query.to ? sql`and ${sql(log.at)} < ${query.to}::timestamptz` : sql``}
      ${query.from && log.key === 'uuid' ? sql`and log_key >= ${firstIdAt(new Date(query.from))}::uuid` : sql``}
      ${
        after === null
          ? sql``
          : log.key === 'uuid'
            ? sql`and log_key ${newestFirst ? sql`<` : sql`>`} ${after}::uuid`
            : sql`and log_key ${newestFirst ? sql`<` : sql`>`} ${after}`
      }
    order by log_key ${newestFirst ? sql`desc` : sql``}
    limit ${limit}
  `
}

function shown(row: Record<string, unknown>): Record<string, unknown> {
  const { log_key: _, ...rest } = numbers(row)
  return rest
}

/** The whole of a filter, page by page, so that memory stays flat however much there is. */
function stream(
  c: Ctx,
  log: Log,
  query: Record<string, string | undefined>,
  format: 'csv' | 'ndjson',
): Response {
  const encoder = new TextEncoder()
  let after: string | null = null
  let header: string[] | null = null
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const rows = await page(c.var.sql, log, query, after, EXPORT_PAGE)
      if (rows.length > 0) after = String(rows.at(-1)!.log_key)
      const items = rows.map(shown)
      let text = ''
      if (format === 'ndjson') text = items.map((item) => `${JSON.stringify(item)}\n`).join('')
      else {
        if (header === null && items[0]) {
          header = Object.keys(items[0])
          text += `${header.map(csvField).join(',')}\r\n`
        }
        for (const item of items)
          text += `${header!.map((name) => csvField(item[name])).join(',')}\r\n`
      }
      if (text !== '') controller.enqueue(encoder.encode(text))
      if (rows.length < EXPORT_PAGE) controller.close()
    },
  })
  return c.body(body, 200, {
    'content-type': format === 'csv' ? 'text/csv; charset=utf-8' : 'application/x-ndjson',
  })
}

/** RFC 4180; a text that a spreadsheet would take for a formula gets an apostrophe before it. */
export function csvField(value: unknown): string {
  if (value === null || value === undefined) return ''
  const plain =
    value instanceof Date
      ? value.toISOString()
      : typeof value === 'object'
        ? JSON.stringify(value)
        : String(value)
  const text = typeof value === 'string' && /^[=+\-@\t\r]/.test(plain) ? `'${plain}` : plain
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
