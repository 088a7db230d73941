// Replays of a batch: repeated beside its tables and compared, or applied, which takes the tables back and runs all since again.
import { Hono } from 'hono'
import { describeRoute } from 'hono-openapi'
import * as v from 'valibot'
import { fail } from '#core/errors.ts'
import { askReplay, previewReplay, replayState } from '#engine/replay.ts'
import { createReplay } from '#engine/run.ts'
import { need, validate } from './request.ts'
import type { Ctx, Env } from './request.ts'

const DryRun = v.object({ dry_run: v.optional(v.picklist(['true', 'false'])) })
const Replay = v.object({
  apply: v.optional(v.boolean(), false),
  dry_run: v.optional(v.boolean(), false),
})
const tags = ['batches']

export const replays = new Hono<Env>()
  .post(
    '/:id/replay',
    describeRoute({
      tags,
      summary:
        'Repeat a batch beside its tables and compare; with apply: take its tables back and run it and all later batches again. A dry run of apply says what would be done',
    }),
    validate('query', DryRun),
    validate('json', Replay),
    async (c) => {
      const batch = await batchOf(c)
      const { apply, ...asked } = c.req.valid('json')
      const dry_run = asked.dry_run || c.req.valid('query').dry_run === 'true'
      // It rewrites tables, as whoever changes what writes them may do
      need(c, apply && !dry_run ? 'editor' : 'operator', batch.group_id)
      const engine = c.var.deps.engines[batch.engine]
      if (apply && engine?.can.query === false)
        fail('engine_lacks', { engine: batch.engine, what: 'take tables back' })
      if (apply && dry_run) {
        if (!engine) return fail('engine_unavailable', { what: 'a replay' })
        return c.json(await previewReplay(c.var.sql, engine, batch.id))
      }
      if (dry_run) {
        const steps = await c.var.sql<{ key: string }[]>`
          select key from logging.step_run
          where batch_id = ${batch.id} and state = 'succeeded' order by id
        `
        return c.json({ batch_id: batch.id, steps: steps.map(({ key }) => key) })
      }
      if (apply) {
        await c.var.sql.begin((tx) => askReplay(tx, batch.id, c.var.actor.name))
        c.var.deps.nudge?.()
        return c.json(await replayState(c.var.sql, batch.id), 202)
      }
      const batch_id = await c.var.sql.begin((tx) => createReplay(tx, batch.id, c.var.actor.name))
      c.var.deps.nudge?.()
      return c.json({ batch_id, replay_of: batch.id }, 202)
    },
  )
  .get(
    '/:id/replay',
    describeRoute({ tags, summary: 'The last applied replay that began with this batch' }),
    async (c) => {
      need(c, 'viewer')
      return c.json(await replayState(c.var.sql, (await batchOf(c)).id))
    },
  )

async function batchOf(c: Ctx) {
  const id = c.req.param('id') ?? ''
  const [batch] = await c.var.sql<
    { id: string; group_id: string; engine: 'local' | 'spark' | 'databricks' }[]
  >`
    select id, group_id, engine from logging.batch_run where id = ${id}
  `
  return batch ?? fail('not_found', { kind: 'batch', name: id })
}
