// Batches: what ran and what runs, live; and what a person can do with one.
import { Hono } from 'hono'
import { describeRoute } from 'hono-openapi'
import * as v from 'valibot'
import { BATCH_CAN } from '#core/batch.ts'
import type { Batch, Step } from '#core/batch.ts'
import { fail } from '#core/errors.ts'
import { RetryScope } from '#core/retry.ts'
import { COUNTS } from '#engine/engine.ts'
import { cancelBatch, retryBatch, retryPreview } from '#engine/run.ts'
import type { Db } from '#sql/db.ts'
import { batchFacets, BATCH_FILTER, matchingBatches } from './batch-filter.ts'
import { decodeCursor, encodeCursor, need, PageQuery, validate } from './request.ts'
import type { Env } from './request.ts'

const ListQuery = v.object({ ...PageQuery, ...BATCH_FILTER })
const DryRun = v.object({ dry_run: v.optional(v.picklist(['true', 'false'])) })
const tags = ['batches']

export const batches = new Hono<Env>()
  .get(
    '/',
    describeRoute({ tags, summary: 'List batches, newest first' }),
    validate('query', ListQuery),
    async (c) => {
      need(c, 'viewer')
      const sql = c.var.sql
      const query = c.req.valid('query')
      const limit = query.limit ?? 50
      const cursor = decodeCursor(query.after, 1)
      const matches = matchingBatches(sql, query)
      const rows = await sql<BatchRow[]>`
      select b.*, s.*
      from logging.batch_run b
      left join lateral (${sumOfSteps(sql)}) s on true
      where ${cursor === null ? sql`true` : sql`b.id < ${cursor[0]!}::uuid`} ${matches}
      order by b.id desc
      limit ${limit + 1}
    `
      const items = rows.slice(0, limit).map(shownBatch)
      const last = rows.length > limit ? items.at(-1) : undefined
      const include = query.include?.split(',') ?? []
      const [total] = include.includes('total')
        ? await sql<{ count: number }[]>`
          select count(*)::integer as count from logging.batch_run b where true ${matches}
        `
        : []
      const facets = include.includes('facets') ? await batchFacets(sql, query) : undefined
      return c.json({
        items,
        next: last ? encodeCursor([last.id]) : null,
        ...(total && { total: total.count }),
        ...(facets && { facets }),
      })
    },
  )
  .get(
    '/:id',
    describeRoute({ tags, summary: 'A batch with its zones, tables, steps and rules' }),
    validate('query', v.object({ tables: v.optional(v.picklist(['true', 'false'])) })),
    async (c) => {
      need(c, 'viewer')
      const sql = c.var.sql
      const batch = await find(sql, c.req.param('id'))
      const steps = await sql<
        Step[]
      >`select * from logging.step_run where batch_id = ${batch.id} order by id`
      const zones = await sql`
      select * from logging.zone_run where batch_id = ${batch.id}
      order by array_position(array['raw', 'bronze', 'silver', 'gold'], zone)
    `
      // Most tables are one step each: whoever draws them from the steps need not have them twice
      const tables =
        c.req.valid('query').tables === 'false'
          ? []
          : await sql`select * from logging.table_run where batch_id = ${batch.id} order by name`
      const rules = await sql`
      select id, step_id, rule_id, name, target as table, "check", columns, on_fail, rows_checked, rows_failed, threshold, applied
      from logging.dq_run where batch_id = ${batch.id}
      order by rows_failed desc, target, name
    `
      const [said] = await sql<{ last: number }[]>`
        select coalesce(max(number), 0)::integer as last from logging.event where batch_id = ${batch.id}
      `
      // Its neighbours in time: replays count, since a person steps through all that ran
      const [beside] = await sql<{ previous: string | null; next: string | null }[]>`
        select
          (select id from logging.batch_run where group_id = ${batch.group_id} and environment_id = ${batch.environment_id}
            and seq < ${batch.seq} order by seq desc limit 1) as previous,
          (select id from logging.batch_run where group_id = ${batch.group_id} and environment_id = ${batch.environment_id}
            and seq > ${batch.seq} order by seq limit 1) as next
      `
      return c.json({
        batch,
        previous_id: beside!.previous,
        next_id: beside!.next,
        last_event: said!.last,
        zones: zones.map(numbers),
        tables: tables.map(numbers),
        steps: steps.map(shownStep),
        rules: rules.map(numbers) as unknown as RuleRun[],
      })
    },
  )
  .get(
    '/:id/plan',
    describeRoute({ tags, summary: 'The plan and the run input of a batch' }),
    async (c) => {
      need(c, 'viewer')
      const [row] = await c.var.sql<{ plan: unknown; input: unknown; hash: string }[]>`
      select p.plan, p.hash, i.input
      from logging.batch_run b
      join config.plan p on p.hash = b.plan_hash
      left join logging.run_input i on i.batch_id = b.id
      where b.id = ${c.req.param('id')}
    `
      return c.json(row ?? fail('not_found', { kind: 'batch', name: c.req.param('id') }))
    },
  )
  .post('/:id/cancel', describeRoute({ tags, summary: 'Ask a batch to stop' }), async (c) => {
    const batch = await find(c.var.sql, c.req.param('id'))
    need(c, 'operator', batch.group_id)
    await cancelBatch(c.var.sql, batch.id, c.var.actor.name)
    c.var.deps.nudge?.()
    return c.json(await find(c.var.sql, batch.id), 202)
  })
  .post(
    '/:id/retry',
    describeRoute({
      tags,
      summary:
        'Run again what failed, everything that is not done, or from one step on; a dry run lists the tables',
    }),
    validate('query', v.object({ ...DryRun.entries, ...RetryScope.entries })),
    async (c) => {
      const batch = await find(c.var.sql, c.req.param('id'))
      need(c, 'operator', batch.group_id)
      const { dry_run, scope, from } = c.req.valid('query')
      if (dry_run === 'true') {
        const items = await retryPreview(c.var.sql, batch.id, { scope, from })
        return c.json({ batch_id: batch.id, steps: items.map((step) => step.key), items })
      }
      const steps = await retryBatch(c.var.sql, batch.id, c.var.actor.name, { scope, from })
      c.var.deps.nudge?.()
      return c.json({ batch_id: batch.id, steps }, 202)
    },
  )

export type RuleRun = {
  id: string
  step_id: string
  rule_id: string
  name: string
  table: string
  check: string
  columns: string[]
  on_fail: 'warn' | 'drop' | 'quarantine' | 'fail'
  rows_checked: number
  rows_failed: number
  threshold: number
  applied: boolean
}

type Sums = {
  rows_read: string | null
  rows_written: string | null
  rows_quarantined: string | null
  rows_dropped: string | null
  steps: number
  steps_finished: number
}
type BatchRow = Batch & Sums

function sumOfSteps(sql: Db) {
  return sql`
    select
      sum(rows_read)::bigint as rows_read,
      sum(rows_written)::bigint as rows_written,
      sum(rows_quarantined)::bigint as rows_quarantined,
      sum(rows_dropped)::bigint as rows_dropped,
      count(*)::integer as steps,
      (count(*) filter (where finished_at is not null))::integer as steps_finished
    from logging.step_run where batch_id = b.id
  `
}

/** A batch as the API shows it: counts as numbers, the error as one thing, and what can be done with it now. */
export function shownBatch(row: BatchRow) {
  const {
    error_code,
    error_message,
    error_hint,
    handle: _handle,
    idempotency_key: _key,
    reason,
    ...rest
  } = row
  return {
    ...rest,
    rows_read: Number(row.rows_read ?? 0),
    rows_written: Number(row.rows_written ?? 0),
    rows_quarantined: Number(row.rows_quarantined ?? 0),
    rows_dropped: Number(row.rows_dropped ?? 0),
    waiting_reason: reason,
    error:
      error_code === null
        ? null
        : { code: error_code, message: error_message ?? '', hint: error_hint ?? '' },
    can: BATCH_CAN[row.state],
  }
}

/** A step as the API shows it: counts as numbers, the error as one thing. */
export function shownStep(row: Step) {
  const { error_code, error_message, error_hint, error_retry, ...rest } = row
  return {
    ...rest,
    table: row.name,
    ...(Object.fromEntries(COUNTS.map((name) => [name, Number(row[name])])) as Record<
      (typeof COUNTS)[number],
      number
    >),
    duration_ms: row.duration_ms === null ? null : Number(row.duration_ms),
    delta_version_before:
      row.delta_version_before === null ? null : Number(row.delta_version_before),
    delta_version_after: row.delta_version_after === null ? null : Number(row.delta_version_after),
    error:
      error_code === null
        ? null
        : {
            code: error_code,
            message: error_message ?? '',
            hint: error_hint ?? '',
            retry: error_retry ?? false,
          },
  }
}

/** Counts of a row as numbers: they stay far below 2^53. */
export function numbers(row: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(row).map(([key, value]) => [
      key,
      /^(rows_|bytes_|files_rewritten$|duration_ms$|delta_version_|size$)/.test(key) &&
      value !== null
        ? Number(value)
        : value,
    ]),
  )
}

/** The row of a batch with the sums of its steps; undefined if there is none. */
export async function readBatch(sql: Db, id: string): Promise<BatchRow | undefined> {
  const [row] = await sql<BatchRow[]>`
    select b.*, s.* from logging.batch_run b left join lateral (${sumOfSteps(sql)}) s on true where b.id = ${id}
  `
  return row
}

async function find(sql: Db, id: string) {
  const row = await readBatch(sql, id)
  return row ? shownBatch(row) : fail('not_found', { kind: 'batch', name: id })
}
