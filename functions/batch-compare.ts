// A batch beside another one, most often the last good one: what took longer, which rows came out otherwise, which columns and
// settings had changed in between.
import { Hono } from 'hono'
import { describeRoute } from 'hono-openapi'
import * as v from 'valibot'
import type { Step } from '#core/batch.ts'
import { fail } from '#core/errors.ts'
import { id } from '#core/fields.ts'
import { columnChanges, planChanges } from '#core/plan-changes.ts'
import type { Plan } from '#core/plan.ts'
import type { Db } from '#sql/db.ts'
import { need, validate } from './request.ts'
import type { Env } from './request.ts'

type Row = {
  id: string
  group_id: string
  environment_id: string
  seq: string
  state: string
  plan_hash: string
  metadata_version: string
  started_at: Date | null
  finished_at: Date | null
}

/** A step in one of the two batches. */
export type ComparedStep = {
  state: Step['state']
  duration_ms: number | null
  rows_read: number
  rows_written: number
  rows_rejected: number
}

export const batchCompare = new Hono<Env>().get(
  '/:id/compare',
  describeRoute({
    tags: ['batches'],
    summary: 'A batch beside the last good one before it, or beside the one that `with` names',
  }),
  validate('query', v.object({ with: v.optional(id) })),
  async (c) => {
    need(c, 'viewer')
    const sql = c.var.sql
    const batch = await find(sql, c.req.param('id'))
    const other = c.req.valid('query').with
    const base = other ? await find(sql, other) : await lastGood(sql, batch)
    if (!base)
      return c.json({ batch: shown(batch), base: null, steps: [], settings: [], columns: [] })
    const [now, then] = [await stepsOf(sql, batch.id), await stepsOf(sql, base.id)]
    const keys = [...new Set([...now.keys(), ...then.keys()])]
    const plans =
      batch.plan_hash === base.plan_hash
        ? null
        : await sql<{ hash: string; plan: Plan }[]>`
          select hash, plan from config.plan where hash in (${batch.plan_hash}, ${base.plan_hash})
        `
    const plan = (hash: string) => plans!.find((each) => each.hash === hash)!.plan
    return c.json({
      batch: shown(batch),
      base: shown(base),
      steps: keys.map((key) => ({ key, now: now.get(key) ?? null, base: then.get(key) ?? null })),
      settings: plans ? planChanges(plan(base.plan_hash), plan(batch.plan_hash)) : [],
      columns: plans ? columnChanges(plan(base.plan_hash), plan(batch.plan_hash)) : [],
    })
  },
)

async function find(sql: Db, batch_id: string): Promise<Row> {
  const [row] = await sql<Row[]>`
    select id, group_id, environment_id, seq::text, state, plan_hash, metadata_version::text, started_at, finished_at
    from logging.batch_run where id = ${batch_id}
  `
  return row ?? fail('not_found', { kind: 'batch', name: batch_id })
}

async function lastGood(sql: Db, batch: Row): Promise<Row | undefined> {
  const [row] = await sql<Row[]>`
    select id, group_id, environment_id, seq::text, state, plan_hash, metadata_version::text, started_at, finished_at
    from logging.batch_run
    where group_id = ${batch.group_id}
      and environment_id = ${batch.environment_id}
      and seq < ${batch.seq}
      and state = 'succeeded'
      and replay_of is null
    order by seq desc limit 1
  `
  return row
}

async function stepsOf(sql: Db, batch_id: string): Promise<Map<string, ComparedStep>> {
  const rows = await sql<
    {
      key: string
      state: Step['state']
      duration_ms: string | null
      rows_read: string
      rows_written: string
      rows_rejected: string
    }[]
  >`
    select key, state, duration_ms, rows_read, rows_written, rows_quarantined + rows_dropped as rows_rejected
    from logging.step_run where batch_id = ${batch_id} order by id
  `
  return new Map(
    rows.map((row) => [
      row.key,
      {
        state: row.state,
        duration_ms: row.duration_ms === null ? null : Number(row.duration_ms),
        rows_read: Number(row.rows_read),
        rows_written: Number(row.rows_written),
        rows_rejected: Number(row.rows_rejected),
      },
    ]),
  )
}

function shown(row: Row) {
  const { id: batch_id, seq, state, metadata_version, started_at, finished_at } = row
  return { id: batch_id, seq, state, metadata_version, started_at, finished_at }
}
