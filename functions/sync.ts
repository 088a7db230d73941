// Syncs with workspaces: plans, their application, drift, and the round that a timer calls.
import { Hono } from 'hono'
import { streamSSE } from 'hono/streaming'
import { describeRoute } from 'hono-openapi'
import * as v from 'valibot'
import { fail } from '#core/errors.ts'
import { bundleOf } from '#engine/databricks/bundle.ts'
import { buildSpecs } from '#engine/databricks/specs.ts'
import { loadEnvironment, loadSyncInput } from '#engine/databricks/sync-input.ts'
import { continueSync, planFor, startSync, syncJobs, syncRun } from '#engine/databricks/sync-run.ts'
import type { WorkspaceDoor } from '#engine/databricks/sync-run.ts'
import { need, validate } from './request.ts'
import type { Ctx, Env } from './request.ts'

const environment = v.optional(v.pipe(v.string(), v.maxLength(100)))
const ids = v.optional(v.pipe(v.array(v.pipe(v.string(), v.maxLength(500))), v.maxLength(100_000)))
const PlanBody = v.strictObject({ environment })
const SyncBody = v.strictObject({
  plan_id: v.optional(v.pipe(v.string(), v.uuid('Give an id: a uuid.'))),
  /** Goes on with a sync that was not finished. */
  sync_id: v.optional(v.pipe(v.string(), v.uuid('Give an id: a uuid.'))),
  only: ids,
  confirm: ids,
  drift: v.optional(v.record(v.string(), v.picklist(['overwrite', 'ignore', 'adopt']))),
  unattended: v.optional(v.boolean()),
})
const Where = v.object({ environment })

/** An answer comes before a proxy cuts the request; the rest is done by the next call. */
const BUDGET_MS = 25_000

export const sync = new Hono<Env>()
  .post(
    '/plan',
    describeRoute({
      tags: ['sync'],
      summary: 'What a sync would do to a workspace, and why; stored, to be applied as it is',
    }),
    validate('json', PlanBody),
    async (c) => {
      need(c, 'operator')
      return c.json(
        await planFor(
          c.var.sql,
          doorOf(c),
          c.req.valid('json').environment ?? null,
          c.var.actor.name,
        ),
      )
    },
  )
  .post(
    '/',
    describeRoute({
      tags: ['sync'],
      summary: 'Apply a plan, go on with a sync (sync_id), or without either one round of SyncJobs',
    }),
    validate('json', SyncBody),
    async (c) => {
      const { plan_id, sync_id, ...request } = c.req.valid('json')
      const options = { actor: c.var.actor.name, budget_ms: BUDGET_MS }
      if (sync_id !== undefined) {
        need(c, 'operator')
        return c.json(await continueSync(c.var.sql, doorOf(c), sync_id, options), 202)
      }
      if (plan_id === undefined) {
        need(c, 'operator')
        const round = await syncJobs(c.var.sql, c.var.deps.workspaces ?? null, {
          ...options,
          trigger: 'manual',
        })
        c.var.deps.nudge?.()
        return c.json(round, 202)
      }
      need(c, 'editor')
      // What takes something away is for who may approve
      if ((request.confirm ?? []).length > 0) need(c, 'approver')
      const chosen = Object.fromEntries(
        Object.entries(request).filter(([, value]) => value !== undefined),
      )
      const run = await startSync(
        c.var.sql,
        doorOf(c),
        { plan_id, ...chosen },
        { ...options, trigger: 'manual' },
      )
      c.header('location', `/api/sync/${run.id}`)
      return c.json(run, 202)
    },
  )
  .get(
    '/plans',
    describeRoute({ tags: ['sync'], summary: 'Stored plans, newest first, without their actions' }),
    validate('query', Where),
    async (c) => {
      need(c, 'viewer')
      const { environment: name } = c.req.valid('query')
      const items = await c.var.sql`
        select p.id, e.name as environment, p.metadata_version::text, p.state, p.requested_by, p.created_at,
          jsonb_array_length(p.actions) as actions
        from config.sync_plan p
        join config.environment e on e.id = p.environment_id
        where ${name === undefined ? c.var.sql`true` : c.var.sql`e.name = ${name}`}
        order by p.id desc
        limit 100
      `
      return c.json({ items, next: null })
    },
  )
  .get(
    '/plans/:id',
    describeRoute({ tags: ['sync'], summary: 'A stored plan with how far each action has come' }),
    async (c) => {
      need(c, 'viewer')
      const id = c.req.param('id')
      if (!/^[0-9a-f-]{36}$/i.test(id)) fail('not_found', { kind: 'sync plan', name: id })
      const [plan] = await c.var.sql`
        select p.id, e.name as environment, p.metadata_version::text, p.state, p.requested_by, p.created_at, p.actions, p.flags, p.cost, p.unchanged
        from config.sync_plan p join config.environment e on e.id = p.environment_id where p.id = ${id}
      `
      if (!plan) fail('not_found', { kind: 'sync plan', name: id })
      const items = await c.var.sql`
        select position, state, error_code, error_message, error_hint, started_at, finished_at
        from config.sync_item where plan_id = ${id} order by position
      `
      return c.json({ ...plan, items })
    },
  )
  .get(
    '/drift',
    describeRoute({
      tags: ['sync'],
      summary: 'What was changed in the workspace since the last sync, field by field',
    }),
    validate('query', Where),
    async (c) => {
      need(c, 'operator')
      const plan = await planFor(
        c.var.sql,
        doorOf(c),
        c.req.valid('query').environment ?? null,
        c.var.actor.name,
      )
      const ignored = await c.var.sql<{ id: string; fields: Record<string, unknown> }[]>`
        select kind || ':' || key as id, ignored as fields from config.resource
        where environment_id = ${plan.environment_id} and state <> 'gone' and ignored <> '{}'::jsonb
        order by 1
      `
      return c.json({
        plan_id: plan.id,
        environment: plan.environment,
        items: plan.actions
          .filter((each) => each.drift.length > 0)
          .map(({ id, name, drift, drift_at }) => ({ id, name, drift, drift_at })),
        ignored,
      })
    },
  )
  .get(
    '/bundle',
    describeRoute({
      tags: ['sync'],
      summary: 'The same as files of a Declarative Automation Bundle',
    }),
    validate('query', Where),
    async (c) => {
      need(c, 'viewer')
      const door = doorOf(c)
      const where = await loadEnvironment(c.var.sql, c.req.valid('query').environment ?? null)
      const files = await door.files()
      const input = await loadSyncInput(c.var.sql, where, files)
      const sources = new Map(
        await Promise.all(files.map(async ({ path }) => [path, await door.source(path)] as const)),
      )
      const plans = new Map([...input.plans].map(([hash, { plan }]) => [hash, plan]))
      const specs = buildSpecs(input)
      return c.json({
        files: bundleOf(specs, where, plans, sources),
        flags: [...input.flags, ...specs.flags],
      })
    },
  )
  .get(
    '/:id',
    describeRoute({ tags: ['sync'], summary: 'A sync: how far it has come, and what failed' }),
    async (c) => {
      need(c, 'viewer')
      return c.json(await runOf(c, c.req.param('id')))
    },
  )
  .get(
    '/:id/events',
    describeRoute({ tags: ['sync'], summary: 'A sync as it goes on: server-sent events' }),
    async (c) => {
      need(c, 'viewer')
      const id = c.req.param('id')
      await runOf(c, id)
      return streamSSE(c, async (stream) => {
        let sent = ''
        while (!stream.aborted) {
          const run = await syncRun(c.var.sql, id)
          const [counts] = await c.var.sql<{ done: number; failed: number }[]>`
          select count(*) filter (where state = 'succeeded')::int as done, count(*) filter (where state = 'failed')::int as failed
          from config.sync_item where plan_id = ${run.plan_id}
        `
          const data = JSON.stringify({ state: run.state, planned: run.actions_planned, ...counts })
          if (data !== sent) await stream.writeSSE({ event: 'sync', data })
          sent = data
          if (run.finished_at !== null) return
          await stream.sleep(500)
        }
      })
    },
  )

function runOf(c: Ctx, id: string) {
  if (!/^[0-9a-f-]{36}$/i.test(id)) fail('not_found', { kind: 'sync', name: id })
  return syncRun(c.var.sql, id)
}

/** @throws sync_no_workspace where this host has no login and no notebooks */
function doorOf(c: Ctx): WorkspaceDoor {
  return c.var.deps.workspaces ?? fail('sync_no_workspace')
}
