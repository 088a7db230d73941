// Sources, and looking into them. All @throws ApiError.
import type { JSONParsed } from 'hono/utils/types'
import type { Source as CoreSource, SourceCreate } from '#core/source.ts'
import type { SourceHealth as CoreHealth } from '#functions/source-health.ts'
import type { DiscoveredObject, Preview, TestStep } from '#engine/source.ts'
import { at, client } from '#lib/api/client.ts'
import { read, resource, send } from '#lib/api/resource.ts'

export type { DiscoveredObject, Preview, SourceCreate, TestStep }
export type Source = JSONParsed<CoreSource>
export type SourceHealth = JSONParsed<CoreHealth>
export type Tested = { ok: boolean; steps: TestStep[] }
export type Discovery = { items: DiscoveredObject[]; discovered_at: string }

/** One table as the wizard wants it; what is left out follows from what was found. */
export type OnboardTable = {
  object: string
  name?: string
  keys?: string[]
  cursor?: string | null
  read_mode?: 'full' | 'incremental' | 'files'
  load_type?: 'append' | 'replace' | 'merge' | 'scd2'
  schema_policy?: 'evolve' | 'freeze' | 'rescue' | 'approve'
  silver?: string | null
}
export type OnboardBody = {
  group_id?: string
  new_group?: string
  bronze_schema: string
  silver_schema: string
  tables: OnboardTable[]
}
export type Onboarded = {
  group_id: string
  tables: {
    object: string
    bronze: string
    silver: string | null
    load_type: string | null
    columns: number
  }[]
}

const path = (id: string, door: string) => `/api/sources/${encodeURIComponent(id)}/${door}`

export const sources = {
  ...resource<Source, SourceCreate>('sources'),
  health: (signal?: AbortSignal) => read<{ items: SourceHealth[] }>('/api/sources/health', signal),
  healthOf: async (id: string, signal?: AbortSignal): Promise<SourceHealth | null> => {
    const url = `/api/sources/health?id=${encodeURIComponent(id)}`
    return (await read<{ items: SourceHealth[] }>(url, signal)).items[0] ?? null
  },
  test: (id: string) => send<Tested>('POST', path(id, 'test'), {}),
  discover: (id: string, fresh: boolean) =>
    send<Discovery>('POST', `${path(id, 'discover')}${fresh ? '?fresh=true' : ''}`, {}),
  preview: (id: string, object: string, limit: number) =>
    send<Preview>('POST', path(id, 'preview'), { object, limit }),
  onboard: (id: string, body: OnboardBody, dry_run: boolean) =>
    send<Onboarded>('POST', `${path(id, 'onboard')}${dry_run ? '?dry_run=true' : ''}`, body),
  /** What reads the source. */
  tables: (id: string, signal?: AbortSignal) =>
    read<{ items: RawConfig[] }>(
      `/api/raw-configs?source_id=${encodeURIComponent(id)}&limit=500`,
      signal,
    ),
  run: async (group_id: string, key: string) =>
    (
      await client.groups[':id'].run.$post(
        { param: at(group_id), json: {} },
        { headers: { 'idempotency-key': key } },
      )
    ).json(),
}

export type RawConfig = {
  id: string
  name: string
  object: string
  read_mode: string
  group_id: string
  cursor: { column: string } | null
  keys: string[]
  columns: { name: string }[]
}
