// Reads of sources.
import { queryOptions } from '@tanstack/svelte-query'
import { sources } from '#lib/api/sources.ts'
import { listQuery } from '#lib/list/list.svelte.ts'
import type { ListSpec, ListState } from '#lib/list/state.ts'
import { POLL_MS } from '#lib/queries.ts'

export const SOURCES: ListSpec = { filters: ['kind', 'owner'] }

export const sourceList = (state: ListState) => listQuery('sources', sources.list, state)

export const sourceQueries = {
  one: (id: string) =>
    queryOptions({
      queryKey: ['sources', 'one', id],
      queryFn: ({ signal }) => sources.get(id, signal),
    }),
  health: () =>
    queryOptions({
      queryKey: ['sources', 'health'],
      queryFn: ({ signal }) => sources.health(signal),
      refetchInterval: 3 * POLL_MS,
    }),
  healthOf: (id: string) =>
    queryOptions({
      queryKey: ['sources', 'health', id],
      queryFn: ({ signal }) => sources.healthOf(id, signal),
      refetchInterval: 3 * POLL_MS,
    }),
  tables: (id: string) =>
    queryOptions({
      queryKey: ['sources', 'tables', id],
      queryFn: ({ signal }) => sources.tables(id, signal),
    }),
  /** What it has, as found some minutes ago. Looking again is `sources.discover(id, true)`, put in here. */
  discovery: (id: string) =>
    queryOptions({
      queryKey: ['source-discovery', id],
      queryFn: () => sources.discover(id, false),
      staleTime: 5 * 60_000,
      retry: false,
    }),
  preview: (id: string, object: string) =>
    queryOptions({
      queryKey: ['source-preview', id, object],
      queryFn: () => sources.preview(id, object, 50),
      staleTime: 5 * 60_000,
      retry: false,
    }),
}
