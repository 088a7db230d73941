// Rules and what they have said: doors of the rules, a try on real rows, scores, trends, and rows in quarantine.
import type { DqRule as CoreRule, DqRuleCreate } from '#core/dq-rule.ts'
import type { JSONParsed } from 'hono/utils/types'
import { client } from '#lib/api/client.ts'
import { read, resource, search, send } from '#lib/api/resource.ts'

type Answer<Call extends (...args: never[]) => Promise<unknown>> = Awaited<ReturnType<Call>>

export type Rule = JSONParsed<CoreRule>
export type ScoredTable = Answer<typeof qualityApi.tables>['items'][number]
export type Trend = Answer<typeof qualityApi.trend>
export type Grid = Answer<typeof qualityApi.grid>
export type Quarantined = Answer<typeof qualityApi.quarantine>['items'][number]

export type Tried = {
  target: string
  environment: string
  rows: number
  rows_checked: number
  rows_passed: number
  rows_failed: number
  /** Where the check yields null. */
  rows_null: number
  /** More fail than the threshold allows. */
  applies: boolean
  samples: Record<string, string | null>[]
  duration_ms: number
}
export type Rows = {
  columns: { name: string; type: string }[]
  rows: unknown[][]
  truncated: boolean
}

export const rules = resource<Rule, DqRuleCreate>('dq-rules')

/** All @throws ApiError. */
export const qualityApi = {
  /** Of a rule that need not be saved. */
  test: (rule: Record<string, unknown>) => send<Tried>('POST', '/api/dq-rules/test', { rule }),
  tables: async (signal?: AbortSignal) =>
    (await client.quality.tables.$get({ query: {} }, { init: { signal } })).json(),
  trend: async (rule: string, signal?: AbortSignal) =>
    (await client.quality.trend.$get({ query: { rule } }, { init: { signal } })).json(),
  grid: async (table: string | undefined, group: string | undefined, signal?: AbortSignal) =>
    (await client.quality.grid.$get({ query: { table, group } }, { init: { signal } })).json(),
  quarantine: async (signal?: AbortSignal) =>
    (await client.quality.quarantine.$get({ query: {} }, { init: { signal } })).json(),
  samples: (dq_run_id: string, signal?: AbortSignal) =>
    read<{ items: { number: number; row: Record<string, string | null> }[] }>(
      `/api/logs/rules/${encodeURIComponent(dq_run_id)}/samples`,
      signal,
    ),
  quarantined: (
    table: string,
    of: { rule?: string; batch?: string },
    signal?: AbortSignal,
  ): Promise<Rows> =>
    read(
      `/api/tables/${encodeURIComponent(table)}/quarantine${search({ ...of, limit: '200' })}`,
      signal,
    ),
  /** Names of all tables that rules can look at, and the columns of one. */
  targets: (signal?: AbortSignal) =>
    read<{ items: { name: string; zone: string }[] }>('/api/tables?limit=500', signal),
  columns: async (table: string, signal?: AbortSignal) => {
    const profile = await read<{ items: { column: string }[] }>(
      `/api/tables/${encodeURIComponent(table)}/profile`,
      signal,
    )
    return profile.items.map((item) => item.column)
  },
}
