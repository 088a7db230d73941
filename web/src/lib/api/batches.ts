// What can be read of batches and done with them, beyond the first screens: previews, comparison, many at once, log lines.
import type { State } from '#core/batch.ts'
import type { Zone } from '#core/plan.ts'
import type { RetryScope } from '#core/retry.ts'
import { at, client, request } from '#lib/api/client.ts'
import { send } from '#lib/api/resource.ts'
import type { Level, LogEvent } from '#lib/api.ts'

type Answer<Call extends (...args: never[]) => Promise<unknown>> = Awaited<ReturnType<Call>>
export type RetryPreview = { key: string; zone: Zone; table: string; state: State }[]
export type Compared = Answer<typeof batchApi.compare>
export type BatchSelection = Answer<typeof batchApi.select>
export type BulkAnswer = Answer<typeof batchApi.bulk>

/** As the API's filter: several with commas. */
export type BatchMatch = Partial<
  Record<
    | 'group'
    | 'not_group'
    | 'environment'
    | 'state'
    | 'not_state'
    | 'trigger'
    | 'not_trigger'
    | 'code'
    | 'from'
    | 'to',
    string
  >
> & { warned?: 'true' | 'false' }

/** What applying a replay does: tables go back, batches run again, readers elsewhere see their rows once more. */
export type ReplayPreview = {
  tables: { table: string; from_version: number; to_version: number | null }[]
  batches: { id: string; seq: string; state: State; steps: string[]; rows_read: number }[]
  rows_read: number
  bytes_read: number
  readers: { group_name: string; table: string; reads: string[] }[]
}

export type Scope = { scope: RetryScope['scope']; from?: string }

/** All @throws ApiError. */
export const batchApi = {
  /** The tables that a retry of this scope runs; the batch stays as it is. */
  retryPreview: async (id: string, scope: Scope): Promise<RetryPreview> => {
    const answer = await client.batches[':id'].retry.$post({
      param: at(id),
      query: { ...scope, dry_run: 'true' },
    })
    return ((await answer.json()) as unknown as { items: RetryPreview }).items
  },
  retry: (id: string, scope: Scope) =>
    client.batches[':id'].retry.$post({ param: at(id), query: scope }),
  /** Answers the id of the batch that repeats this one. */
  replay: async (id: string): Promise<string> =>
    (await send<{ batch_id: string }>('POST', replayUrl(id), {})).batch_id,
  /** What applying a replay would do: the tables taken back, and the batches that run again. Nothing changes. */
  replayPreview: (id: string) =>
    send<ReplayPreview>('POST', `${replayUrl(id)}?dry_run=true`, { apply: true }),
  replayApply: (id: string) => send<unknown>('POST', replayUrl(id), { apply: true }),
  compare: async (id: string, other: string | undefined, signal?: AbortSignal) =>
    (
      await client.batches[':id'].compare.$get(
        { param: at(id), query: { with: other } },
        { init: { signal } },
      )
    ).json(),
  select: async (action: 'retry' | 'cancel', filter: BatchMatch) =>
    (await client.batches.select.$post({ json: { action, filter } })).json(),
  bulk: async (action: 'retry' | 'cancel', ids: string[]) =>
    (await client.batches.bulk.$post({ json: { action, ids } })).json(),
  lines: async (
    id: string,
    after: number,
    limit: number,
    signal?: AbortSignal,
  ): Promise<{ items: LogEvent[]; next: number | null; last: number }> => {
    const query = { after: String(after), limit: String(limit) }
    const answer = client.batches[':id'].lines.$get({ param: at(id), query }, { init: { signal } })
    return (await answer).json() as Promise<{
      items: LogEvent[]
      next: number | null
      last: number
    }>
  },
  /** The whole log as a text file. */
  logText: async (id: string, filter: { level?: Level; step?: string }) => {
    const query = new URLSearchParams({ format: 'text' })
    for (const [name, value] of Object.entries(filter)) if (value) query.set(name, value)
    return (await request(`/api/batches/${encodeURIComponent(id)}/lines?${query}`, {})).blob()
  },
  /** Starts a batch of a group; answers its id. The same key gives the same batch. */
  run: async (group_id: string, key: string) =>
    (
      await (
        await client.groups[':id'].run.$post(
          { param: at(group_id), json: {} },
          { headers: { 'idempotency-key': key } },
        )
      ).json()
    ).batch_id,
}

const replayUrl = (id: string) => `/api/batches/${encodeURIComponent(id)}/replay`

/** Hands a file to the person: browsers save what a link with a name points at. */
export function saveFile(name: string, content: Blob): void {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(content)
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000)
}
