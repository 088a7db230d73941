// The audit: who changed which metadata, when, and how it was before. As pages, or the whole of a filter as CSV or JSON lines.
import { Hono } from 'hono'
import { describeRoute } from 'hono-openapi'
import * as v from 'valibot'
import type { Db } from '#sql/db.ts'
import { csvField } from './logs.ts'
import { decodeCursor, encodeCursor, need, PageQuery, validate } from './request.ts'
import type { Ctx, Env } from './request.ts'

const word = v.optional(v.pipe(v.string(), v.maxLength(300)))
const time = v.optional(
  v.pipe(v.string(), v.isoTimestamp('Give an ISO time: 2027-01-31T00:00:00Z.')),
)
const FILTER = {
  actor: word,
  table: word,
  row_id: word,
  operation: v.optional(v.picklist(['insert', 'update', 'delete'])),
  origin: word,
  /** A part of the object's name. */
  q: word,
  from: time,
  to: time,
}
const ListQuery = v.object({ ...PageQuery, ...FILTER })
const Filter = v.object(FILTER)
type Filter = v.InferOutput<typeof Filter>

export type Change = {
  id: string
  actor: string
  table_name: string
  row_id: string
  /** Of the object: its name, or the table that it writes. */
  name: string
  operation: 'insert' | 'update' | 'delete'
  before: Record<string, unknown> | null
  after: Record<string, unknown> | null
  metadata_version: string
  request_id: string | null
  origin: string | null
  changed_at: Date
}

const EXPORT_PAGE = 1000
const EXPORTED = [
  'changed_at',
  'actor',
  'operation',
  'table_name',
  'name',
  'row_id',
  'origin',
  'metadata_version',
  'request_id',
  'before',
  'after',
] as const

export const changes = new Hono<Env>().get(
  '/',
  describeRoute({
    tags: ['changes'],
    summary:
      'The audit of all metadata, newest first; as CSV or JSON lines by Accept: text/csv, application/x-ndjson',
  }),
  validate('query', ListQuery),
  async (c) => {
    need(c, 'viewer')
    const sql = c.var.sql
    const { after, limit = 50, include = '', ...filter } = c.req.valid('query')
    const accept = c.req.header('accept') ?? ''
    if (accept.includes('text/csv')) return exported(c, filter, 'csv')
    if (accept.includes('ndjson')) return exported(c, filter, 'ndjson')
    const cursor = decodeCursor(after, 1)
    const rows = await page(sql, filter, cursor?.[0] ?? null, limit + 1)
    const items = rows.slice(0, limit)
    const last = rows.length > limit ? items.at(-1) : undefined
    const wanted = include.split(',')
    const [total] = wanted.includes('total')
      ? await sql<{ count: number }[]>`
        select count(*)::integer as count from config.change where true ${matching(sql, filter)}
      `
      : []
    return c.json({
      items,
      next: last ? encodeCursor([last.id]) : null,
      ...(total && { total: total.count }),
      ...(wanted.includes('facets') && { facets: await facets(sql) }),
    })
  },
)

function page(sql: Db, filter: Filter, before: string | null, limit: number) {
  return sql<Change[]>`
    select id::text, actor, table_name, row_id, coalesce(after, before) ->> 'name' as name, operation, before, after,
      metadata_version, request_id, origin, changed_at
    from config.change
    where true ${before === null ? sql`` : sql`and id < ${before}::bigint`} ${matching(sql, filter)}
    order by change.id desc limit ${limit}
  `
}

function matching(sql: Db, filter: Filter) {
  const part = filter.q && `%${filter.q.replace(/[\\%_]/g, '\\$&')}%`
  return sql`
    ${filter.actor ? sql`and actor = ${filter.actor}` : sql``}
    ${filter.table ? sql`and table_name = ${filter.table}` : sql``}
    ${filter.row_id ? sql`and row_id = ${filter.row_id}` : sql``}
    ${filter.operation ? sql`and operation = ${filter.operation}` : sql``}
    ${filter.origin ? sql`and origin = ${filter.origin}` : sql``}
    ${part ? sql`and (coalesce(after, before) ->> 'name' ilike ${part} or coalesce(after, before) ->> 'target' ilike ${part})` : sql``}
    ${filter.from ? sql`and changed_at >= ${filter.from}::timestamptz` : sql``}
    ${filter.to ? sql`and changed_at < ${filter.to}::timestamptz` : sql``}
  `
}

async function facets(sql: Db) {
  const of = (column: string) => sql<{ value: string | null; count: number }[]>`
    select ${sql(column)} as value, count(*)::integer as count
    from config.change group by 1 order by 2 desc limit 100
  `
  return {
    actor: [...(await of('actor'))],
    table: [...(await of('table_name'))],
    operation: [...(await of('operation'))],
    origin: [...(await of('origin'))],
  }
}

/** Page by page, so that memory stays flat however long the history is. */
function exported(c: Ctx, filter: Filter, format: 'csv' | 'ndjson'): Response {
  const encoder = new TextEncoder()
  let before: string | null = null
  let begun = false
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const rows: Change[] = await page(c.var.sql, filter, before, EXPORT_PAGE)
      before = rows.at(-1)?.id ?? before
      let text = ''
      if (format === 'csv' && !begun) text += `${EXPORTED.join(',')}\r\n`
      begun = true
      for (const row of rows)
        text +=
          format === 'csv'
            ? `${EXPORTED.map((name) => csvField(row[name])).join(',')}\r\n`
            : `${JSON.stringify(row)}\n`
      if (text !== '') controller.enqueue(encoder.encode(text))
      if (rows.length < EXPORT_PAGE) controller.close()
    },
  })
  return c.body(body, 200, {
    'content-type': format === 'csv' ? 'text/csv; charset=utf-8' : 'application/x-ndjson',
  })
}
