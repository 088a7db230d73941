// The API as this client sees it: its shapes, and every failure as one ApiError.
import { hc } from 'hono/client'
import type { JSONParsed } from 'hono/utils/types'
import type { State } from '#core/batch.ts'
import type { Environment as CoreEnvironment } from '#core/environment.ts'
import type { Group as CoreGroup } from '#core/group.ts'
import type { Schedule as CoreSchedule } from '#core/schedule.ts'
import type { App } from '#functions/app.ts'

type Answer<Call extends (...args: never[]) => Promise<unknown>> = Awaited<ReturnType<Call>>

export type Page<Row> = {
  items: Row[]
  /** Hand it back as `after` for the next page; null on the last one. */
  next: string | null
  total?: number
}

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

/** A failed call. `code` is the API's, or `offline` when there was no answer, `http_<status>` when it was no problem document. */
export class ApiError extends Error {
  override name = 'ApiError'
  code: string
  hint: string
  status: number
  request_id: string | null
  at = new Date().toISOString()

  constructor(code: string, message: string, hint: string, status: number, request_id?: string) {
    super(message)
    this.code = code
    this.hint = hint
    this.status = status
    this.request_id = request_id ?? null
  }
}

/** fetch, but anything other than a good answer is an ApiError. An abort stays an abort. */
export async function request(url: string, init: RequestInit): Promise<Response> {
  const headers = new Headers(init.headers)
  const token = readToken()
  if (token) headers.set('authorization', `Bearer ${token}`)
  let response: Response
  try {
    response = await fetch(url, { ...init, headers })
  } catch (error) {
    if (init.signal?.aborted) throw error
    throw new ApiError(
      'offline',
      'LakeForge does not answer.',
      'Check that `npm start` is running; this page tries again by itself.',
      0,
    )
  }
  if (response.ok) return response
  throw await problem(response)
}

async function problem(response: Response): Promise<ApiError> {
  const body = (await response.json().catch(() => null)) as Record<string, unknown> | null
  const text = (key: string) => (typeof body?.[key] === 'string' ? body[key] : undefined)
  return new ApiError(
    text('code') ?? `http_${response.status}`,
    text('detail') ?? text('title') ?? `The server answered ${response.status}.`,
    text('hint') ?? 'Try again; if it happens again, look at the server’s output.',
    response.status,
    text('request_id'),
  )
}

const TOKEN = 'lakeforge.token'

/** The API token that a person typed, for this tab only; null in the local mode, which needs none. */
export function readToken(): string | null {
  return sessionStorage.getItem(TOKEN)
}

export function writeToken(token: string): void {
  if (token) sessionStorage.setItem(TOKEN, token)
  else sessionStorage.removeItem(TOKEN)
}

// `hc` knows the API's routes, parameters and answers from the type of the app; nothing of the back end is bundled.
const client = hc<App>(location.origin, {
  fetch: (input: RequestInfo | URL, init?: RequestInit) => request(String(input), init ?? {}),
}).api

const ALL = { limit: '500' }
const ALL_AND_TOTAL = { ...ALL, include: 'total' }

// The lists of configured things share one generic route, whose rows `hc` can't name.
async function page<Row>(answer: Promise<Response>): Promise<Page<Row>> {
  return (await answer).json() as Promise<Page<Row>>
}

// `hc` puts parameters into the path as they are: an id from the address bar must not leave its place.
function at(id: string): { id: string } {
  return { id: encodeURIComponent(id) }
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
    (await client.batches[':id'].$get({ param: at(id) }, { init: { signal } })).json(),
  cancel: (id: string) => client.batches[':id'].cancel.$post({ param: at(id) }),
  retry: (id: string) => client.batches[':id'].retry.$post({ param: at(id), query: {} }),
  /** The stream of a batch, from after the event `last_id` on. */
  events: (id: string, last_id: string | null, signal: AbortSignal) =>
    client.batches[':id'].events.$get(
      { param: at(id) },
      { init: { signal }, headers: last_id === null ? {} : { 'last-event-id': last_id } },
    ),
}

export type BatchQuery = {
  group?: string
  state?: State
  trigger?: string
  from?: string
  after?: string
  limit: number
}
