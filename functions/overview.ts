// What the home page sums up: batches of a window of time by state, rows in it and in the one before, and groups that are late.
import { Hono } from 'hono'
import { describeRoute } from 'hono-openapi'
import * as v from 'valibot'
import type { State } from '#core/batch.ts'
import { need, validate, wholeNumber } from './request.ts'
import type { Env } from './request.ts'

/** A group whose last due run has brought nothing so long after, and longer than it usually takes twice, is late. */
const LATE_MS = 10 * 60_000

type Rows = { written: number; rejected: number }

export const overview = new Hono<Env>().get(
  '/',
  describeRoute({
    tags: ['overview'],
    summary: 'Batches and rows of the last hours, and groups that are late',
  }),
  validate('query', v.object({ hours: v.optional(wholeNumber(1, 24 * 31), '24') })),
  async (c) => {
    need(c, 'viewer')
    const sql = c.var.sql
    const { hours } = c.req.valid('query')
    const [clock] = await sql<{ now: Date }[]>`select now() as now`
    const to = clock!.now
    // On the full minute, as the lists that it leads to count
    const from = new Date(Math.floor((to.getTime() - hours * 3_600_000) / 60_000) * 60_000)
    const before = new Date(from.getTime() - hours * 3_600_000)
    const states = await sql<{ state: State; warned: boolean; count: number }[]>`
      select state, warned, count(*)::integer as count from logging.batch_run
      where coalesce(finished_at, now()) >= ${from} group by 1, 2
    `
    const rows = async (begin: Date, end: Date): Promise<Rows> => {
      const [sums] = await sql<Rows[]>`
        select coalesce(sum(s.rows_written), 0)::float8 as written,
          coalesce(sum(s.rows_quarantined + s.rows_dropped), 0)::float8 as rejected
        from logging.step_run s join logging.batch_run b on b.id = s.batch_id
        where b.replay_of is null and b.finished_at >= ${begin} and b.finished_at < ${end}
      `
      return sums!
    }
    const late = await sql<
      { group_id: string; group_name: string; due_at: Date; last_success_at: Date | null }[]
    >`
      select g.id as group_id, g.name as group_name, due.at as due_at, good.at as last_success_at
      from logging.schedule_state t
      join config.source_group g on g.id = t.group_id
      join config.schedule s on s.id = t.schedule_id and not s.paused
      cross join lateral (
        -- A run that nobody has claimed is due too: then nobody ticks
        select greatest(max(b.due_at), case when t.next_run_at <= ${to} then t.next_run_at end) as at
        from logging.batch_run b
        where b.group_id = g.id and b.environment_id = t.environment_id and b.due_at is not null
      ) due
      left join lateral (
        select max(finished_at) as at from logging.batch_run
        where group_id = g.id and environment_id = t.environment_id and state = 'succeeded' and replay_of is null
      ) good on true
      left join lateral (
        select max(extract(epoch from finished_at - started_at) * 1000)::float8 as ms
        from (
          select started_at, finished_at from logging.batch_run
          where group_id = g.id and state = 'succeeded' and replay_of is null order by id desc limit 10
        ) last
      ) usual on true
      where due.at is not null
        and (good.at is null or good.at < due.at)
        and ${to}::timestamptz - due.at
          > make_interval(secs => greatest(${LATE_MS}::float8, 2 * coalesce(usual.ms, 0)) / 1000)
      order by due.at
    `
    return c.json({
      from,
      to,
      states: [...states],
      rows: await rows(from, to),
      rows_before: await rows(before, from),
      late: [...late],
    })
  },
)
