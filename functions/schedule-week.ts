// The week ahead: every start of every schedule, and groups that will not have ended when they are due again.
import { Hono } from 'hono'
import { describeRoute } from 'hono-openapi'
import { previewSchedule } from '#core/schedule-time.ts'
import type { Schedule } from '#core/schedule.ts'
import { need } from './request.ts'
import type { Env } from './request.ts'

const WEEK_MS = 7 * 86_400_000
/** A schedule of every minute has 10 080 starts a week; more tell nobody anything. */
const MOST_RUNS = 2000

export type ScheduledWeek = {
  schedule_id: string
  name: string
  paused: boolean
  groups: { id: string; name: string; usual_ms: number | null }[]
  /** Instants of its starts, at most 2000; none of a paused one. */
  runs: string[]
  /** Groups that usually take longer than the shortest time between two starts. */
  overlaps: { group_id: string; name: string; usual_ms: number; every_ms: number }[]
}

export const scheduleWeek = new Hono<Env>().get(
  '/week',
  describeRoute({
    tags: ['schedules'],
    summary: 'The starts of the next seven days, and what will overlap',
  }),
  async (c) => {
    need(c, 'viewer')
    const sql = c.var.sql
    const [clock] = await sql<{ now: Date }[]>`select now() as now`
    const schedules = await sql<Schedule[]>`select * from config.schedule order by name limit 500`
    const groups = await sql<
      { id: string; name: string; schedule_id: string; usual_ms: number | null }[]
    >`
      select g.id, g.name, g.schedule_id, usual.ms as usual_ms
      from config.source_group g
      left join lateral (
        select percentile_cont(0.5) within group (
          order by extract(epoch from b.finished_at - b.started_at) * 1000)::float8 as ms
        from (
          select started_at, finished_at from logging.batch_run
          where group_id = g.id and state = 'succeeded' and replay_of is null
          order by id desc limit 10
        ) b
      ) usual on true
      where g.schedule_id is not null
      order by g.name
    `
    const now = clock!.now
    const until = now.getTime() + WEEK_MS
    const items = schedules.map((schedule): ScheduledWeek => {
      const of = groups
        .filter((group) => group.schedule_id === schedule.id)
        .map(({ id, name, usual_ms }) => ({ id, name, usual_ms }))
      const runs = schedule.paused
        ? []
        : previewSchedule(schedule, now, MOST_RUNS, schedule.id)
            .next.map((run) => run.at_utc)
            .filter((at) => Date.parse(at) < until)
      const gaps = runs.slice(1).map((at, n) => Date.parse(at) - Date.parse(runs[n]!))
      const every_ms = Math.min(...gaps)
      return {
        schedule_id: schedule.id,
        name: schedule.name,
        paused: schedule.paused,
        groups: of,
        runs,
        overlaps: of.flatMap(({ id, name, usual_ms }) =>
          usual_ms !== null && usual_ms > every_ms
            ? [{ group_id: id, name, usual_ms, every_ms }]
            : [],
        ),
      }
    })
    return c.json({ from: now, to: new Date(until), items })
  },
)
