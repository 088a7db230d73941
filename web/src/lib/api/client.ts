// The one client of the API: typed by the app's own routes, and every failure as one ApiError. The screens' reads and writes lie
// in api.ts and in one file an area beside this one.
import { hc } from 'hono/client'
import type { App } from '#functions/app.ts'

export type Page<Row> = {
  items: Row[]
  /** Hand it back as `after` for the next page; null on the last one. */
  next: string | null
  total?: number
}

export type FieldError = { path: string; message: string; file?: string; line?: number }
export type Dependant = { table_name: string; id: string; name: string }

/** A failed call. `code` is the API's, or `offline` when there was no answer, `http_<status>` when it was no problem document. */
export class ApiError extends Error {
  override name = 'ApiError'
  code: string
  hint: string
  status: number
  request_id: string | null
  /** Faults of single fields, by dotted path; empty where the whole was refused. */
  errors: FieldError[] = []
  /** What keeps a thing from being deleted. */
  dependants: Dependant[] = []
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
  const error = new ApiError(
    text('code') ?? `http_${response.status}`,
    text('detail') ?? text('title') ?? `The server answered ${response.status}.`,
    text('hint') ?? 'Try again; if it happens again, look at the server’s output.',
    response.status,
    text('request_id'),
  )
  if (Array.isArray(body?.errors)) error.errors = body.errors as FieldError[]
  if (Array.isArray(body?.dependants)) error.dependants = body.dependants as Dependant[]
  return error
}

/** Any thrown value as a failed call, for a banner or a toast: what is not the API's is this page's own fault. */
export function asApiError(error: unknown, what: string): ApiError {
  return error instanceof ApiError
    ? error
    : new ApiError('internal', `${what} did not work.`, 'Reload the page and try again.', 0)
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
export const client = hc<App>(location.origin, {
  fetch: (input: RequestInfo | URL, init?: RequestInit) => request(String(input), init ?? {}),
}).api

export const ALL = { limit: '500' }
export const ALL_AND_TOTAL = { ...ALL, include: 'total' }

// The lists of configured things share one generic route, whose rows `hc` can't name.
export async function page<Row>(answer: Promise<Response>): Promise<Page<Row>> {
  return (await answer).json() as Promise<Page<Row>>
}

// `hc` puts parameters into the path as they are: an id from the address bar must not leave its place.
export function at(id: string): { id: string } {
  return { id: encodeURIComponent(id) }
}
