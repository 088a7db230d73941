// Reads of tables, their graph and configs.
import { queryOptions } from '@tanstack/svelte-query'
import { tablesApi } from '#lib/api/tables.ts'
import { POLL_MS } from '#lib/queries.ts'

/** A graph of more nodes than this is asked for less often. */
const MANY = 300

export const tableQueries = {
  graph: () =>
    queryOptions({
      queryKey: ['tables', 'graph'],
      queryFn: ({ signal }) => tablesApi.graph(undefined, signal),
      refetchInterval: (query) =>
        (query.state.data?.nodes.length ?? 0) > MANY ? 6 * POLL_MS : POLL_MS,
    }),
  columnLineage: (table: string, column: string) =>
    queryOptions({
      queryKey: ['tables', 'columns', table, column],
      queryFn: ({ signal }) => tablesApi.columnLineage(table, column, signal),
      staleTime: 30_000,
    }),
  table: (name: string) =>
    queryOptions({
      queryKey: ['tables', 'one', name],
      queryFn: ({ signal }) => tablesApi.table(name, signal),
      refetchInterval: POLL_MS,
    }),
  count: (name: string, batch: string | undefined) =>
    queryOptions({
      // Counted anew after each run, not each time somebody looks
      queryKey: ['tables', 'count', name, batch],
      queryFn: ({ signal }) => tablesApi.count(name, signal),
      staleTime: 60_000,
      retry: false,
    }),
  profile: (name: string, batch: string | undefined) =>
    queryOptions({
      queryKey: ['tables', 'profile', name, batch],
      queryFn: ({ signal }) => tablesApi.profile(name, signal),
      staleTime: 60_000,
    }),
  rows: (name: string, version: string | undefined, limit: number) =>
    queryOptions({
      queryKey: ['tables', 'rows', name, version, limit],
      queryFn: ({ signal }) => tablesApi.rows(name, version, limit, signal),
      staleTime: 10_000,
      retry: false,
    }),
  history: (name: string) =>
    queryOptions({
      queryKey: ['tables', 'history', name],
      queryFn: ({ signal }) => tablesApi.history(name, signal),
    }),
}
