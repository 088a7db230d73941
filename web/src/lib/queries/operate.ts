// The reads of the screens that watch and steer: comparison of batches, and what follows in their areas.
import { queryOptions } from '@tanstack/svelte-query'
import { batchApi } from '#lib/api/batches.ts'
import { scheduleApi, schedules } from '#lib/api/schedules.ts'
import { listQuery } from '#lib/list/list.svelte.ts'
import type { ListSpec, ListState } from '#lib/list/state.ts'

export const SCHEDULES: ListSpec = { filters: ['kind', 'paused', 'timezone', 'fired_by'] }
export const scheduleList = (state: ListState) => listQuery('schedules', schedules.list, state)

export const operate = {
  compare: (id: string, other: string | undefined) =>
    queryOptions({
      queryKey: ['batch', id, 'compare', other ?? null],
      queryFn: ({ signal }) => batchApi.compare(id, other, signal),
    }),
  schedule: (id: string) =>
    queryOptions({
      queryKey: ['schedules', id],
      queryFn: ({ signal }) => schedules.get(id, signal),
    }),
  week: () =>
    queryOptions({
      queryKey: ['schedules', 'week'],
      queryFn: ({ signal }) => scheduleApi.week(signal),
      staleTime: 60_000,
    }),
}
