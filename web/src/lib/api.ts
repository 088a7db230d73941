// The API as this client sees it: its shapes, and every failure as one ApiError.
import type { State } from '#core/batch.ts'
import type { Zone } from '#core/plan.ts'

export type Page<Row> = {
  items: Row[]
  /** Hand it back as `after` for the next page; null on the last one. */
  next: string | null
  total?: number
}

export type Problem = { code: string; message: string; hint: string }

export type Group = {
  id: string
  name: string
  description: string | null
  schedule_id: string | null
}

export type Schedule = {
  id: string
  name: string
  kind: string
  quartz_cron: string | null
  timezone: string
  paused: boolean
  /** Absent where nothing is due. */
  next_run_at?: string | null
}

export type Environment = { id: string; name: string; engine: string; is_default?: boolean }

export type Batch = {
  id: string
  group_id: string
  group_name: string
  environment: string
  /** A bigint as text. */
  seq: string
  state: State
  /** A succeeded batch with warnings in some step. */
  warned: boolean
  trigger: string
  attempt: number
  created_at: string
  started_at: string | null
  finished_at: string | null
  rows_read: number
  rows_written: number
  rows_quarantined: number
  rows_dropped: number
  error: Problem | null
  waiting_reason: string | null
  cancel_requested_at: string | null
  steps: number
  steps_finished: number
}

export type Step = {
  id: string
  /** Unique in its batch: `bronze:sales.orders`. */
  key: string
  zone: Zone
  table: string
  state: State
  attempt: number
  depends_on: string[]
  /** For a skipped step: the key of the step that failed first, or the id of the batch that took its input over. */
  root_cause: string | null
  /** What it waits for, or why it did not run. */
  reason: string | null
  started_at: string | null
  finished_at: string | null
  duration_ms: number | null
  rows_read: number
  rows_written: number
  rows_quarantined: number
  rows_dropped: number
  rows_filtered: number
  rows_deduplicated: number
  rows_late: number
  rows_inserted: number
  rows_updated: number
  rows_deleted: number
  rows_closed: number
  files_rewritten: number
  bytes_read: number
  bytes_written: number
  delta_version_before: number | null
  delta_version_after: number | null
  content_hash: string | null
  watermark_from: string | null
  watermark_to: string | null
  error: Problem | null
  warnings: string[]
  /** Of the running attempt. */
  progress: Progress | null
}

export type RuleRun = {
  name: string
  check: string
  table: string
  on_fail: 'warn' | 'drop' | 'quarantine' | 'fail'
  rows_checked: number
  rows_failed: number
  /** More rows failed than the threshold allows, so on_fail applied. */
  applied: boolean
}

export type BatchDetail = { batch: Batch; steps: Step[]; rules: RuleRun[] }

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

type Query = Record<string, string | number | undefined>

/** @throws ApiError */
async function call<T>(method: 'GET' | 'POST', path: string, options: CallOptions): Promise<T> {
  const search = new URLSearchParams()
  for (const [key, value] of Object.entries(options.query ?? {}))
    if (value !== undefined && value !== '') search.set(key, String(value))
  const text = search.toString()
  const response = await request(`/api/${path}${text ? `?${text}` : ''}`, {
    method,
    signal: options.signal,
    headers: { accept: 'application/json' },
  })
  return (await response.json()) as T
}

type CallOptions = { query?: Query; signal?: AbortSignal }

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

export const api = {
  groups: (signal?: AbortSignal) =>
    call<Page<Group>>('GET', 'groups', { query: { include: 'total', limit: 200 }, signal }),
  schedules: (signal?: AbortSignal) =>
    call<Page<Schedule>>('GET', 'schedules', { query: { limit: 200 }, signal }),
  environments: (signal?: AbortSignal) =>
    call<Page<Environment>>('GET', 'environments', { query: { limit: 200 }, signal }),
  batches: (query: Query, signal?: AbortSignal) =>
    call<Page<Batch>>('GET', 'batches', { query, signal }),
  batch: (id: string, signal?: AbortSignal) =>
    call<BatchDetail>('GET', `batches/${encodeURIComponent(id)}`, { signal }),
  cancel: (id: string) => call<unknown>('POST', `batches/${encodeURIComponent(id)}/cancel`, {}),
  retry: (id: string) => call<unknown>('POST', `batches/${encodeURIComponent(id)}/retry`, {}),
  eventsUrl: (id: string) => `/api/batches/${encodeURIComponent(id)}/events`,
}
