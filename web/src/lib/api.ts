// The API as the first screens see it: its shapes, reads and writes. Each further area has a file of its own in api/.
import type { JSONParsed } from 'hono/utils/types'
import type { Environment as CoreEnvironment } from '#core/environment.ts'
import type { Group as CoreGroup } from '#core/group.ts'
import type { Schedule as CoreSchedule } from '#core/schedule.ts'
import type { BatchMatch } from '#lib/api/batches.ts'
import { ALL, ALL_AND_TOTAL, at, client, page } from '#lib/api/client.ts'

export { ApiError, readToken, request, writeToken, type Page } from '#lib/api/client.ts'

type Answer<Call extends (...args: never[]) => Promise<unknown>> = Awaited<ReturnType<Call>>

export type Group = JSONParsed<CoreGroup>
export type Schedule = JSONParsed<CoreSchedule>
export type Environment = JSONParsed<CoreEnvironment>
export type Batch = Answer<typeof api.batches>['items'][number]
export type BatchDetail = Answer<typeof api.batch>
export type Step = BatchDetail['steps'][number]
export type RuleRun = BatchDetail['rules'][number]
export type Problem = { code: string; message: string; hint: string }

export type Progress = { done: number; total: number | null; unit: 'rows' | 'bytes' | 'files' }
export type Level = 'debug' | 'info' | 'warn' | 'error'
export type LogEvent = {
  seq: number
  step: string | null
  level: Level
  text: string
  at: string
  progress?: Progress | null
}

/** Each read and write of the screens. All @throws ApiError. */
export const api = {
  groups: (signal?: AbortSignal) =>
    page<Group>(client.groups.$get({ query: ALL_AND_TOTAL }, { init: { signal } })),
  schedules: (signal?: AbortSignal) =>
    page<Schedule>(client.schedules.$get({ query: ALL }, { init: { signal } })),
  environments: (signal?: AbortSignal) =>
    page<Environment>(client.environments.$get({ query: ALL }, { init: { signal } })),
  batches: async ({ limit, ...filter }: BatchQuery, signal?: AbortSignal) => {
    const query = { ...filter, limit: String(limit) }
    return (await client.batches.$get({ query }, { init: { signal } })).json()
  },
  batch: async (id: string, signal?: AbortSignal) =>
    (
      await client.batches[':id'].$get(
        { param: at(id), query: { tables: 'false' } },
        { init: { signal } },
      )
    ).json(),
  cancel: (id: string) => client.batches[':id'].cancel.$post({ param: at(id) }),
  retry: (id: string) => client.batches[':id'].retry.$post({ param: at(id), query: {} }),
  /** The stream of a batch, from after the event `last_id` on. */
  events: (id: string, last_id: string | null, signal: AbortSignal) =>
    client.batches[':id'].events.$get(
      { param: at(id) },
      { init: { signal }, headers: last_id === null ? {} : { 'last-event-id': last_id } },
    ),
}

export type BatchQuery = BatchMatch & { after?: string; include?: string; limit: number }
