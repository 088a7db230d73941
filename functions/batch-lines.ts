// The log lines of a batch by range: what a page loads to look at a long log, and the whole of it as text.
import { Hono } from 'hono'
import { describeRoute } from 'hono-openapi'
import * as v from 'valibot'
import { fail } from '#core/errors.ts'
import type { Db } from '#sql/db.ts'
import { need, validate, wholeNumber } from './request.ts'
import type { Ctx, Env } from './request.ts'

const LEVELS = ['debug', 'info', 'warn', 'error'] as const
const MOST = 10_000

const Query = v.object({
  /** Lines after this number. */
  after: v.optional(wholeNumber(0, 999_999_999), '0'),
  limit: v.optional(wholeNumber(0, MOST), '1000'),
  /** The least level. */
  level: v.optional(v.picklist(LEVELS)),
  step: v.optional(v.pipe(v.string(), v.maxLength(500))),
  q: v.optional(v.pipe(v.string(), v.maxLength(200))),
  format: v.optional(v.picklist(['json', 'text']), 'json'),
})
type Query = v.InferOutput<typeof Query>

type Line = {
  seq: number
  step: string | null
  level: (typeof LEVELS)[number]
  text: string
  at: Date
}

export const batchLines = new Hono<Env>().get(
  '/:id/lines',
  describeRoute({
    tags: ['batches'],
    summary: 'Log lines of a batch in their order, by range, step, level and search; as text too',
  }),
  validate('query', Query),
  async (c) => {
    need(c, 'viewer')
    const query = c.req.valid('query')
    const [batch] = await c.var.sql<{ id: string; last: number }[]>`
      select id, (select coalesce(max(number), 0)::integer from logging.event where batch_id = b.id) as last
      from logging.batch_run b where id = ${c.req.param('id')}
    `
    if (!batch) fail('not_found', { kind: 'batch', name: c.req.param('id') })
    if (query.format === 'text') return text(c, batch.id, query)
    const items = await page(c.var.sql, batch.id, query, query.after, query.limit)
    const full = items.length === query.limit
    return c.json({ items, next: full ? items.at(-1)!.seq : null, last: batch.last })
  },
)

async function page(sql: Db, batch_id: string, query: Query, after: number, limit: number) {
  const { level, step, q } = query
  const rows = await sql<Line[]>`
    select number::integer as seq, step, level, text, at from logging.event
    where batch_id = ${batch_id} and number > ${after}
      ${level ? sql`and level = any (${LEVELS.slice(LEVELS.indexOf(level))})` : sql``}
      ${step ? sql`and step = ${step}` : sql``}
      ${q ? sql`and text ilike ${`%${q.replace(/[\\%_]/g, '\\$&')}%`}` : sql``}
    order by number limit ${limit}
  `
  return [...rows]
}

/** All lines, page by page, so that memory stays flat however many there are. */
function text(c: Ctx, batch_id: string, query: Query): Response {
  const encoder = new TextEncoder()
  let after = query.after
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const lines = await page(c.var.sql, batch_id, query, after, MOST)
      after = lines.at(-1)?.seq ?? after
      const written = lines.map(
        (line) =>
          `${line.at.toISOString()} ${line.level.toUpperCase().padEnd(5)} ${line.step ?? '-'} ${line.text}\n`,
      )
      if (written.length > 0) controller.enqueue(encoder.encode(written.join('')))
      if (lines.length < MOST) controller.close()
    },
  })
  return c.body(body, 200, { 'content-type': 'text/plain; charset=utf-8' })
}
