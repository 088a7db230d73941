// Every read of the app: its key, how it is fetched and how often again. The client is one for the app, so that a page's
// `load` can start a read before its component exists.
import { QueryCache, QueryClient, infiniteQueryOptions, queryOptions } from '@tanstack/svelte-query'
import { ApiError, api } from '#lib/api.ts'
import { connection } from '#lib/connection.svelte.ts'
import type { BatchFilter } from '#lib/paths.ts'
import { matchOf } from '#lib/run/view.ts'

/** News appear within this time without a reload. */
export const POLL_MS = 5000
export const STRIP = 10
const PAGE = 50
const RECENT = 200

export const client = new QueryClient({
  queryCache: new QueryCache({
    onSuccess: () => {
      connection.lost_at = null
    },
    onError: (error) => {
      if (error instanceof ApiError && error.code === 'offline') connection.lost_at ??= Date.now()
    },
  }),
  defaultOptions: {
    queries: {
      staleTime: 2000,
      retry: (failures, error) => failures < 1 && !(error instanceof ApiError && error.status > 0),
      retryDelay: 500,
      // The API is this page's own server, most often on this machine: the browser's idea of being online says nothing about it.
      networkMode: 'always',
    },
  },
})

export const queries = {
  environments: () =>
    queryOptions({
      queryKey: ['environments'],
      queryFn: ({ signal }) => api.environments(signal),
      staleTime: 60_000,
    }),
  groups: () =>
    queryOptions({
      queryKey: ['groups'],
      queryFn: ({ signal }) => api.groups(signal),
      refetchInterval: POLL_MS,
    }),
  schedules: () =>
    queryOptions({
      queryKey: ['schedules'],
      queryFn: ({ signal }) => api.schedules(signal),
      refetchInterval: POLL_MS,
    }),
  /** The newest batches of all groups: strips, what runs and what failed are read from this one answer. */
  recent: () =>
    queryOptions({
      queryKey: ['batches', 'recent'],
      queryFn: ({ signal }) => api.batches({ limit: RECENT }, signal),
      refetchInterval: POLL_MS,
    }),
  /** The strip of one group, for those that `recent` holds too few of. */
  strip: (group: string) =>
    queryOptions({
      queryKey: ['batches', 'strip', group],
      queryFn: ({ signal }) => api.batches({ group, limit: STRIP }, signal),
      staleTime: 60_000,
      refetchInterval: 60_000,
    }),
  batches: (filter: BatchFilter) =>
    infiniteQueryOptions({
      queryKey: ['batches', 'list', filter],
      queryFn: ({ pageParam, signal }) =>
        api.batches(
          {
            ...matchOf(filter, Date.now()),
            limit: PAGE,
            after: pageParam ?? undefined,
            include: pageParam === null ? 'total,facets' : undefined,
          },
          signal,
        ),
      initialPageParam: null as string | null,
      getNextPageParam: (page) => page.next,
      // Each refetch asks for every loaded page again: a long list is looked at, not watched.
      refetchInterval: (query) =>
        (query.state.data?.pages.length ?? 0) > 3 ? 12 * POLL_MS : POLL_MS,
    }),
  batch: (id: string) =>
    queryOptions({ queryKey: ['batch', id], queryFn: ({ signal }) => api.batch(id, signal) }),
}
