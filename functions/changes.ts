// The audit: who changed which metadata, when, and how it was before.
import { Hono } from 'hono'
import { describeRoute } from 'hono-openapi'
import * as v from 'valibot'
import { decodeCursor, encodeCursor, need, PageQuery, validate } from './request.ts'
import type { Env } from './request.ts'

const word = v.optional(v.pipe(v.string(), v.maxLength(300)))
const time = v.optional(
  v.pipe(v.string(), v.isoTimestamp('Give an ISO time: 2027-01-31T00:00:00Z.')),
)
const ListQuery = v.object({
  ...PageQuery,
  actor: word,
  table: word,
  row_id: word,
  operation: v.optional(v.picklist(['insert', 'update', 'delete'])),
  from: time,
  to: time,
})

export const changes = new Hono<Env>().get(
  '/',
  describeRoute({ tags: ['changes'], summary: 'The audit of all metadata, newest first' }),
  validate('query', ListQuery),
  async (c) => {
    need(c, 'viewer')
    const sql = c.var.sql
    const query = c.req.valid('query')
    const limit = query.limit ?? 50
    const cursor = decodeCursor(query.after, 1)
    const rows = await sql<{ id: string }[]>`
      select id::text, actor, table_name, row_id, operation, before, after, metadata_version, request_id, origin, changed_at
      from config.change
      where true
        ${cursor === null ? sql`` : sql`and id < ${cursor[0]!}::bigint`}
        ${query.actor ? sql`and actor = ${query.actor}` : sql``}
        ${query.table ? sql`and table_name = ${query.table}` : sql``}
        ${query.row_id ? sql`and row_id = ${query.row_id}` : sql``}
        ${query.operation ? sql`and operation = ${query.operation}` : sql``}
        ${query.from ? sql`and changed_at >= ${query.from}::timestamptz` : sql``}
        ${query.to ? sql`and changed_at < ${query.to}::timestamptz` : sql``}
      order by change.id desc limit ${limit + 1}
    `
    const items = rows.slice(0, limit)
    const last = rows.length > limit ? items.at(-1) : undefined
    return c.json({ items, next: last ? encodeCursor([last.id]) : null })
  },
)
