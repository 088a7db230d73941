// The same action on many batches. A dry run says which ones a filter means; the action itself takes their ids, so that it does
// what was counted and nothing that came in between.
import { Hono } from 'hono'
import { describeRoute } from 'hono-openapi'
import * as v from 'valibot'
import { BATCH_CAN } from '#core/batch.ts'
import type { State } from '#core/batch.ts'
import { describeError } from '#core/errors.ts'
import { id } from '#core/fields.ts'
import { cancelBatch, retryBatch } from '#engine/run.ts'
import { BATCH_FILTER, matchingBatches } from './batch-filter.ts'
import { need, validate } from './request.ts'
import type { Env } from './request.ts'

const MOST = 1000
const ACTIONS = ['retry', 'cancel'] as const

const Selection = v.strictObject({
  action: v.picklist(ACTIONS),
  filter: v.strictObject(BATCH_FILTER),
})
const Bulk = v.strictObject({
  action: v.picklist(ACTIONS),
  ids: v.pipe(
    v.array(id),
    v.minLength(1, 'Name at least one batch.'),
    v.maxLength(MOST, `At most ${MOST} batches at once.`),
  ),
})
const tags = ['batches']

export const batchBulk = new Hono<Env>()
  .post(
    '/select',
    describeRoute({
      tags,
      summary: 'Which batches of a filter an action can be taken on: to be counted and asked for',
    }),
    validate('json', Selection),
    async (c) => {
      need(c, 'viewer')
      const sql = c.var.sql
      const { action, filter } = c.req.valid('json')
      const able = (Object.keys(BATCH_CAN) as State[]).filter((state) =>
        BATCH_CAN[state].includes(action),
      )
      const matches = matchingBatches(sql, filter)
      // One that has been asked to stop already is not asked again
      const can = sql`b.state = any (${able}) ${action === 'cancel' ? sql`and b.cancel_requested_at is null` : sql``}`
      const [counted] = await sql<{ matching: number; able: number }[]>`
        select count(*)::integer as matching, (count(*) filter (where ${can}))::integer as able
        from logging.batch_run b where true ${matches}
      `
      const items = await sql<{ id: string; group_name: string; seq: string; state: State }[]>`
        select b.id, b.group_name, b.seq::text, b.state from logging.batch_run b
        where ${can} ${matches} order by b.id desc limit ${MOST}
      `
      return c.json({ action, matching: counted!.matching, able: counted!.able, items: [...items] })
    },
  )
  .post(
    '/bulk',
    describeRoute({ tags, summary: 'Retry or cancel many batches; each succeeds or fails alone' }),
    validate('json', Bulk),
    async (c) => {
      need(c, 'viewer')
      const sql = c.var.sql
      const { action, ids } = c.req.valid('json')
      const batches = await sql<{ id: string; group_id: string }[]>`
        select id, group_id from logging.batch_run where id = any (${ids}::uuid[]) order by id
      `
      // All or nothing as far as rights go: half a bulk action surprises
      for (const batch of batches) need(c, 'operator', batch.group_id)
      const refused: { id: string; code: string; message: string }[] = []
      const done: string[] = []
      for (const batch of batches)
        try {
          if (action === 'retry') await retryBatch(sql, batch.id, c.var.actor.name)
          else await cancelBatch(sql, batch.id, c.var.actor.name)
          done.push(batch.id)
        } catch (error) {
          const { code, message } = describeError(error)
          refused.push({ id: batch.id, code, message })
        }
      const found = new Set(batches.map((batch) => batch.id))
      for (const one of ids)
        if (!found.has(one))
          refused.push({ id: one, code: 'not_found', message: 'There is no such batch.' })
      c.var.deps.nudge?.()
      return c.json({ action, done, refused }, 202)
    },
  )
