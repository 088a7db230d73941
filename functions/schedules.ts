// When groups run, and what that means in times.
import { describeRoute } from 'hono-openapi'
import * as v from 'valibot'
import { previewSchedule } from '#core/schedule-time.ts'
import { ScheduleCreate, SchedulePatch } from '#core/schedule.ts'
import type { Schedule } from '#core/schedule.ts'
import { need, validate, wholeNumber } from './request.ts'
import { resource } from './resource.ts'

const PreviewQuery = v.object({
  count: v.optional(wholeNumber(1, 100)),
})

export const schedules = resource<Schedule, typeof ScheduleCreate, typeof SchedulePatch>({
  table: 'schedule',
  kind: 'schedule',
  create: ScheduleCreate,
  patch: SchedulePatch,
  filters: ['kind', 'paused', 'timezone', 'fired_by'],
}).post(
  '/preview',
  describeRoute({ tags: ['schedules'], summary: 'A schedule in words, and its next runs' }),
  validate('query', PreviewQuery),
  validate('json', ScheduleCreate),
  async (c) => {
    need(c, 'viewer')
    const [clock] = await c.var.sql<{ now: Date }[]>`select now() as now`
    return c.json(
      previewSchedule(c.req.valid('json'), clock!.now, c.req.valid('query').count ?? 10),
    )
  },
)
