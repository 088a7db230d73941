// Syncs with workspaces. All @throws ApiError.
import type { JSONParsed } from 'hono/utils/types'
import { client } from '#lib/api/client.ts'
import type { Page } from '#lib/api/client.ts'
import { read } from '#lib/api/resource.ts'

type Answered = JSONParsed<Awaited<ReturnType<typeof makePlan>>>
export type Action = Answered['actions'][number]
export type Doing = Action['do']
export type Flag = Answered['flags'][number]
export type Cost = Answered['cost'][number]
export type DriftDecision = 'overwrite' | 'ignore' | 'adopt'

/** A stored plan with how far each of its actions has come. */
export type StoredPlan = {
  id: string
  environment: string
  metadata_version: string
  state: string
  requested_by: string
  created_at: string
  unchanged: number
  actions: Action[]
  flags: Flag[]
  cost: Cost[]
  items: Item[]
}
export type Item = {
  position: number
  state: 'pending' | 'running' | 'succeeded' | 'failed' | 'skipped'
  error_code: string | null
  error_message: string | null
  error_hint: string | null
}
export type PlanRow = Pick<
  StoredPlan,
  'id' | 'environment' | 'metadata_version' | 'state' | 'requested_by' | 'created_at'
> & { actions: number }

export type SyncRequest = {
  plan_id: string
  only?: string[]
  confirm?: string[]
  drift?: Record<string, DriftDecision>
}

async function makePlan(environment: string) {
  return (await client.sync.plan.$post({ json: { environment } })).json()
}

export const sync = {
  plan: makePlan,
  plans: (signal?: AbortSignal) => read<Page<PlanRow>>('/api/sync/plans', signal),
  stored: (id: string, signal?: AbortSignal) =>
    read<StoredPlan>(`/api/sync/plans/${encodeURIComponent(id)}`, signal),
  apply: async (json: SyncRequest) => (await client.sync.$post({ json })).json() as Promise<Run>,
  /** A sync that takes long answers in between: this goes on with it. */
  proceed: async (sync_id: string) =>
    (await client.sync.$post({ json: { sync_id } })).json() as Promise<Run>,
}

export type Run = {
  id: string
  state: string
  actions_planned: number
  actions_done: number
  report: {
    done: number
    failed: { id: string; code: string; message: string; hint: string }[]
    left: string[]
  } | null
}
