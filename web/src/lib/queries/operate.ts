// The reads of the screens that watch and steer: comparison of batches, and what follows in their areas.
import { queryOptions } from '@tanstack/svelte-query'
import { auditApi } from '#lib/api/audit.ts'
import { batchApi } from '#lib/api/batches.ts'
import { qualityApi, rules } from '#lib/api/quality.ts'
import { scheduleApi, schedules } from '#lib/api/schedules.ts'
import { listQuery } from '#lib/list/list.svelte.ts'
import type { ListSpec, ListState } from '#lib/list/state.ts'

export const SCHEDULES: ListSpec = { filters: ['kind', 'paused', 'timezone', 'fired_by'] }
export const scheduleList = (state: ListState) => listQuery('schedules', schedules.list, state)

export const RULES: ListSpec = {
  filters: ['target', 'check', 'status', 'on_fail', 'origin', 'column', 'group'],
}
export const ruleList = (state: ListState) => listQuery('dq-rules', rules.list, state)

export const AUDIT: ListSpec = {
  filters: ['actor', 'table', 'operation', 'origin', 'row_id', 'from', 'to'],
  sort: '-time',
}
export const auditList = (state: ListState) => listQuery('changes', auditApi.list, state)

export const SCHEMA_CHANGES: ListSpec = { filters: ['table', 'kind', 'group'], sort: '-time' }
export const schemaChangeList = (state: ListState) =>
  listQuery('schema-changes', auditApi.schemaChanges, state)

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
  rule: (id: string) =>
    queryOptions({
      queryKey: ['dq-rules', id],
      queryFn: ({ signal }) => rules.get(id, signal),
    }),
  scores: () =>
    queryOptions({
      queryKey: ['quality', 'tables'],
      queryFn: ({ signal }) => qualityApi.tables(signal),
      refetchInterval: 15_000,
    }),
  trend: (rule: string) =>
    queryOptions({
      queryKey: ['quality', 'trend', rule],
      queryFn: ({ signal }) => qualityApi.trend(rule, signal),
    }),
  grid: (table: string | undefined, group: string | undefined) =>
    queryOptions({
      queryKey: ['quality', 'grid', table ?? null, group ?? null],
      queryFn: ({ signal }) => qualityApi.grid(table, group, signal),
      refetchInterval: 15_000,
    }),
  samples: (dq_run_id: string) =>
    queryOptions({
      queryKey: ['quality', 'samples', dq_run_id],
      queryFn: ({ signal }) => qualityApi.samples(dq_run_id, signal),
    }),
  quarantine: () =>
    queryOptions({
      queryKey: ['quarantine'],
      queryFn: ({ signal }) => qualityApi.quarantine(signal),
      refetchInterval: 15_000,
    }),
  quarantined: (table: string, of: { rule?: string; batch?: string }) =>
    queryOptions({
      queryKey: ['quarantine', table, of],
      queryFn: ({ signal }) => qualityApi.quarantined(table, of, signal),
    }),
  targets: () =>
    queryOptions({
      queryKey: ['tables', 'names'],
      queryFn: ({ signal }) => qualityApi.targets(signal),
      staleTime: 60_000,
    }),
  columns: (table: string) =>
    queryOptions({
      queryKey: ['tables', 'columns', table],
      queryFn: ({ signal }) => qualityApi.columns(table, signal),
      enabled: table !== '',
      staleTime: 60_000,
    }),
}
