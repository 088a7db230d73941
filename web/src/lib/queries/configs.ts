// Reads of configs and groups, and of what the table's page says of them.
import { queryOptions } from '@tanstack/svelte-query'
import {
  bronzeConfigs,
  changesOf,
  goldConfigs,
  groupConfigs,
  planOf,
  rawConfigs,
  ruleResults,
  silverConfigs,
  sqlFunctions,
  tableRules,
} from '#lib/api/configs.ts'
import type { ConfigZone } from '#lib/api/tables.ts'
import { POLL_MS } from '#lib/queries.ts'

export const CONFIG_APIS = {
  raw: rawConfigs,
  bronze: bronzeConfigs,
  silver: silverConfigs,
  gold: goldConfigs,
}
const ALL = { limit: '500' }

export const configQueries = {
  config: (zone: ConfigZone, id: string) =>
    queryOptions({
      queryKey: ['configs', zone, id],
      queryFn: async ({ signal }) =>
        (await CONFIG_APIS[zone].get(id, signal)) as unknown as ConfigRow,
    }),
  raws: () =>
    queryOptions({
      queryKey: ['configs', 'raw', 'all'],
      queryFn: ({ signal }) => rawConfigs.list(ALL, signal),
    }),
  group: (id: string) =>
    queryOptions({
      queryKey: ['groups', 'one', id],
      queryFn: ({ signal }) => groupConfigs.get(id, signal),
      refetchInterval: 2 * POLL_MS,
    }),
  plan: (id: string) =>
    queryOptions({
      queryKey: ['groups', 'plan', id],
      queryFn: ({ signal }) => planOf(id, signal),
      retry: false,
    }),
  rules: (table: string) =>
    queryOptions({
      queryKey: ['dq-rules', 'of', table],
      queryFn: ({ signal }) => tableRules.list({ target: table, limit: '500' }, signal),
    }),
  ruleResults: (table: string, batch: string | undefined) =>
    queryOptions({
      queryKey: ['tables', 'rules', table, batch],
      queryFn: ({ signal }) => ruleResults(table, signal),
    }),
  changes: (table: string, row_id: string) =>
    queryOptions({
      queryKey: ['changes', table, row_id],
      queryFn: ({ signal }) => changesOf(table, row_id, signal),
    }),
  functions: () =>
    queryOptions({ queryKey: ['functions'], queryFn: sqlFunctions, staleTime: Infinity }),
}

/** What all configs of tables have; the rest by the zone's schema. */
export type ConfigRow = Record<string, unknown> & {
  id: string
  name: string
  version: number
  target?: string
  group_id?: string
  retries: number | null
  timeout_s: number | null
}
