// Tables that run together: their plan, and their batches' start.
import { describeRoute } from 'hono-openapi'
import * as v from 'valibot'
import { GroupCreate, GroupPatch } from '#core/group.ts'
import type { Group } from '#core/group.ts'
import { fail } from '#core/errors.ts'
import { planGroup } from '#engine/metadata.ts'
import { createBatch } from '#engine/run.ts'
import { actAs } from '#sql/actor.ts'
import { need, validate, writer } from './request.ts'
import { resource } from './resource.ts'

const RunBody = v.strictObject({ environment: v.optional(v.pipe(v.string(), v.maxLength(100))) })

export const groups = resource<Group, typeof GroupCreate, typeof GroupPatch>({
  table: 'source_group',
  kind: 'group',
  create: GroupCreate,
  patch: GroupPatch,
  filters: ['schedule_id', 'compute_profile_id', 'on_failure'],
})
  .get(
    '/:id/plan',
    describeRoute({
      tags: ['groups'],
      summary: 'What a batch of the group would do: the value that the run reads',
    }),
    async (c) => {
      need(c, 'viewer')
      return c.json(await planGroup(c.var.sql, c.req.param('id')))
    },
  )
  .post(
    '/:id/run',
    describeRoute({
      tags: ['groups'],
      summary: 'Start a batch; the same Idempotency-Key gives the same batch',
    }),
    validate('json', RunBody),
    async (c) => {
      const group_id = c.req.param('id')
      need(c, 'operator', group_id)
      const { environment } = c.req.valid('json')
      const key = c.req.header('idempotency-key')
      if (key !== undefined && (key.length === 0 || key.length > 255))
        fail('idempotency_key_invalid')
      const sql = c.var.sql
      const [where] = await sql<{ id: string }[]>`
        select id from config.environment
        where ${environment === undefined ? sql`is_default` : sql`name = ${environment}`}
      `
      if (!where) fail('environment_unknown', { name: environment ?? '(default)' })
      const planned = await planGroup(sql, group_id)
      const batch = await sql.begin(async (tx) => {
        await actAs(tx, writer(c))
        return createBatch(tx, planned, {
          environment_id: where.id,
          trigger: 'manual',
          requested_by: c.var.actor.name,
          ...(key !== undefined && { idempotency_key: key }),
        })
      })
      c.var.deps.nudge?.()
      c.header('location', `/api/batches/${batch.id}`)
      return c.json({ batch_id: batch.id, created: batch.created }, 202)
    },
  )
