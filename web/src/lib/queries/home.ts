// The reads that only the home page makes.
import { queryOptions } from '@tanstack/svelte-query'
import { readOverview } from '#lib/api/overview.ts'
import { scheduleApi } from '#lib/api/schedules.ts'
import { POLL_MS } from '#lib/queries.ts'

export const homeQueries = {
  overview: () =>
    queryOptions({
      queryKey: ['overview'],
      queryFn: ({ signal }) => readOverview(signal),
      refetchInterval: POLL_MS,
    }),
  week: () =>
    queryOptions({
      queryKey: ['schedules', 'week'],
      queryFn: ({ signal }) => scheduleApi.week(signal),
      staleTime: 60_000,
    }),
}
