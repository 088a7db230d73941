// Schedules: their doors, the preview of one that is being written, and the week ahead.
import type { ScheduleCreate } from '#core/schedule.ts'
import type { Schedule } from '#lib/api.ts'
import { read, resource, send } from '#lib/api/resource.ts'

export type { Schedule } from '#lib/api.ts'
export type WeekItem = {
  schedule_id: string
  name: string
  paused: boolean
  /** `usual_ms`: how long its batches take; null before the first good one. */
  groups: { id: string; name: string; usual_ms: number | null }[]
  runs: string[]
  overlaps: { group_id: string; name: string; usual_ms: number; every_ms: number }[]
}
export type Preview = {
  description: string
  next: { at_utc: string; local: string; moved_from?: string }[]
  warnings: string[]
}

export const schedules = resource<Schedule, ScheduleCreate>('schedules')

/** All @throws ApiError. */
export const scheduleApi = {
  week: (signal?: AbortSignal) =>
    read<{ from: string; to: string; items: WeekItem[] }>('/api/schedules/week', signal),
  /** Of a schedule that needs no name yet. */
  preview: (values: Record<string, unknown>) =>
    send<Preview>('POST', '/api/schedules/preview?count=10', { ...values, name: 'preview' }),
}
