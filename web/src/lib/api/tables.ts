// Tables, their graph and their configs, as the API has them.
import type { JSONParsed } from 'hono/utils/types'
import type { BronzeConfig as CoreBronze } from '#core/bronze-config.ts'
import type { GoldConfig as CoreGold } from '#core/gold-config.ts'
import type { RawConfig as CoreRaw } from '#core/raw-config.ts'
import type { SilverConfig as CoreSilver } from '#core/silver-config.ts'
import { at, client } from '#lib/api/client.ts'

type Answer<Call extends (...args: never[]) => Promise<unknown>> = Awaited<ReturnType<Call>>

export type TableGraph = Answer<typeof tablesApi.graph>
export type TableNode = TableGraph['nodes'][number]
export type ColumnEdge = Answer<typeof tablesApi.columnLineage>['edges'][number]
export type Table = Answer<typeof tablesApi.table>
export type TableRun = Table['runs'][number]
export type TableColumn = Table['columns'][number]
export type Rows = Answer<typeof tablesApi.rows>
export type Profile = Answer<typeof tablesApi.profile>['items'][number]
export type TableVersion = Answer<typeof tablesApi.history>['items'][number]
export type RawConfig = JSONParsed<CoreRaw>
export type BronzeConfig = JSONParsed<CoreBronze>
export type SilverConfig = JSONParsed<CoreSilver>
export type GoldConfig = JSONParsed<CoreGold>

export const CONFIG_ZONES = ['raw', 'bronze', 'silver', 'gold'] as const
export type ConfigZone = (typeof CONFIG_ZONES)[number]

const name = (table: string) => ({ name: encodeURIComponent(table) })

/** All @throws ApiError. */
export const tablesApi = {
  /** Every node and edge of an environment, the default one unless named. */
  graph: async (environment: string | undefined, signal?: AbortSignal) =>
    (await client.lineage.graph.$get({ query: { environment } }, { init: { signal } })).json(),
  columnLineage: async (table: string, column: string, signal?: AbortSignal) =>
    (await client.lineage.columns.$get({ query: { table, column } }, { init: { signal } })).json(),
  table: async (table: string, signal?: AbortSignal) =>
    (
      await client.tables[':name'].$get({ param: name(table), query: {} }, { init: { signal } })
    ).json(),
  count: async (table: string, signal?: AbortSignal) =>
    (
      await client.tables[':name'].count.$get(
        { param: name(table), query: {} },
        { init: { signal } },
      )
    ).json(),
  rows: async (table: string, version: string | undefined, limit: number, signal?: AbortSignal) =>
    (
      await client.tables[':name'].preview.$get(
        { param: name(table), query: { version, limit: String(limit) } },
        { init: { signal } },
      )
    ).json(),
  profile: async (table: string, signal?: AbortSignal) =>
    (
      await client.tables[':name'].profile.$get(
        { param: name(table), query: {} },
        { init: { signal } },
      )
    ).json(),
  history: async (table: string, signal?: AbortSignal) =>
    (
      await client.tables[':name'].history.$get(
        { param: name(table), query: { limit: '100' } },
        { init: { signal } },
      )
    ).json(),
  run: async (group_id: string) =>
    (await client.groups[':id'].run.$post({ param: at(group_id), json: {} })).json(),
}
