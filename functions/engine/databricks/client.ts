// The REST client of a workspace: bearer, retries, pages, typed errors. Web APIs alone: Node and Workers run it.
// What may have been done is never sent twice: a POST without a token of its own that ends in the dark says so instead.
import { LakeForgeError } from '#core/errors.ts'
import { openLogin } from './auth.ts'
import type { Credentials, Fetch, Login } from './auth.ts'
import { isTransient, readError, workspaceError } from './client-error.ts'
import { parseJson, stringifyJson } from './json.ts'

type QueryValue = string | number | boolean | undefined | null
export type Query = Record<string, QueryValue | readonly QueryValue[]>

export type Call = {
  query?: Query
  /** Sent as JSON. */
  body?: unknown
  /** Sent as it is, as an octet stream. */
  bytes?: Uint8Array
  /** Form fields; a body of its own kind. */
  form?: FormData
  /** Whether sending it twice does no more than once. GET, HEAD, PUT and DELETE are; of others only who calls knows. */
  repeatable?: boolean
  timeout_ms?: number
}

export type ClientOptions = {
  fetch?: Fetch
  /** Waits between attempts; a test counts them instead. */
  wait?: (ms: number) => Promise<void>
  /** Epoch milliseconds. */
  now?: () => number
  /** 0 to 1; spreads waits of several clients. */
  random?: () => number
  /** One request; 60 000 if not given. */
  timeout_ms?: number
  /** All attempts of a call together; 300 000 if not given. */
  budget_ms?: number
  user_agent?: string
  /** Told of every request that is sent, attempts included. */
  onRequest?: (method: string, path: string) => void
}

export type Client = {
  host: string
  /** JSON of the answer; `{}` where it has no body. */
  call<Answer>(method: string, path: string, call?: Call): Promise<Answer>
  get<Answer>(path: string, query?: Query): Promise<Answer>
  /** As bytes, for files. */
  bytes(path: string, query?: Query): Promise<Uint8Array>
  /**
   * Every item of a list, over all its pages. A page may be empty and still have a next one. `field` is absent from an answer
   * without items.
   */
  list<Item>(path: string, field: string, query?: Query): AsyncGenerator<Item>
}

const TIMEOUT_MS = 60_000
const BUDGET_MS = 300_000
const REPEATABLE = new Set(['GET', 'HEAD', 'PUT', 'DELETE'])
/** A server that repeats its token must not keep us for ever. */
const MOST_PAGES = 100_000

export function openClient(
  host: string,
  credentials: Credentials | Login,
  options: ClientOptions = {},
): Client {
  const send: Fetch = options.fetch ?? ((input, init) => fetch(input, init))
  const now = options.now ?? Date.now
  const wait = options.wait ?? ((ms) => new Promise<void>((done) => setTimeout(done, ms)))
  const random = options.random ?? Math.random
  const login =
    'kind' in credentials ? openLogin(host, credentials, { fetch: send, now }) : credentials

  async function attempt(method: string, path: string, call: Call): Promise<Response> {
    const until = now() + (options.budget_ms ?? BUDGET_MS)
    const repeatable = call.repeatable ?? REPEATABLE.has(method)
    let renewed = false
    for (let tries = 1; ; tries++) {
      const token = await login.token()
      options.onRequest?.(method, path)
      let answer: Response | undefined
      let lost: unknown
      try {
        answer = await send(urlOf(host, path, call.query), {
          method,
          headers: headersOf(call, token, options.user_agent),
          body: bodyOf(call),
          // A bearer never follows to another address
          redirect: 'manual',
          signal: AbortSignal.timeout(call.timeout_ms ?? options.timeout_ms ?? TIMEOUT_MS),
        })
        if (answer.ok) return answer
      } catch (error) {
        lost = error
      }
      let pause: number | null
      let error: LakeForgeError
      if (answer) {
        const said = readError(answer.status, answer.headers, await textOf(answer))
        if (answer.status === 401 && !renewed && login.refused(token)) {
          renewed = true
          continue
        }
        error = workspaceError(method, path, said)
        // Behind a 5xx of a gateway the request may have arrived; a 429 was turned away at the door
        if (!repeatable && answer.status >= 500) throw inTheDark(method, path, error)
        pause = isTransient(said)
          ? (said.retry_after_ms ?? (answer.status === 429 ? 1000 : null))
          : null
        if (pause === null && !(isTransient(said) || (answer.status >= 502 && repeatable)))
          throw error
      } else {
        error = new LakeForgeError(
          'workspace_unavailable',
          { said: 'it could not be reached', call: `${method} ${path}` },
          { cause: lost },
        )
        if (!repeatable && !neverSent(lost)) throw inTheDark(method, path, error)
        pause = null
      }
      const ms = (pause ?? Math.min(10, tries) * 1000) + random() * 1000
      if (now() + ms > until) throw error
      await wait(ms)
    }
  }

  const client: Client = {
    host,
    async call<Answer>(method: string, path: string, call: Call = {}) {
      const answer = await attempt(method, path, call)
      let text: string
      try {
        text = await answer.text()
      } catch (error) {
        // It was done; only what it answered is lost
        throw inTheDark(method, path, error)
      }
      if (text.trim() === '') return {} as Answer
      try {
        return parseJson(text) as Answer
      } catch (error) {
        throw new LakeForgeError(
          'workspace_answer_unreadable',
          { call: `${method} ${path}`, status: answer.status },
          { cause: error },
        )
      }
    },
    get: (path, query) => client.call('GET', path, query ? { query } : {}),
    async bytes(path, query) {
      const answer = await attempt('GET', path, query ? { query } : {})
      return new Uint8Array(await answer.arrayBuffer())
    },
    async *list<Item>(path: string, field: string, query: Query = {}) {
      let token: string | undefined
      for (let page = 0; page < MOST_PAGES; page++) {
        const answer = await client.get<Record<string, unknown>>(path, {
          ...query,
          ...(token !== undefined && { page_token: token }),
        })
        for (const item of (answer[field] as Item[] | undefined) ?? []) yield item
        const next = answer.next_page_token
        if (typeof next !== 'string' || next === '') return
        token = next
      }
    },
  }
  return client
}

/** The request may or may not have been carried out: whoever called looks before trying again. */
function inTheDark(method: string, path: string, cause: unknown): LakeForgeError {
  return new LakeForgeError('workspace_outcome_unknown', { call: `${method} ${path}` }, { cause })
}

/** Nobody was there: nothing can have been done. */
function neverSent(error: unknown): boolean {
  const code = (error as { cause?: { code?: unknown } } | null)?.cause?.code
  return ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'UND_ERR_CONNECT_TIMEOUT'].includes(
    String(code),
  )
}

async function textOf(answer: Response): Promise<string> {
  try {
    return await answer.text()
  } catch {
    return ''
  }
}

function urlOf(host: string, path: string, query: Query = {}): string {
  const params = new URLSearchParams()
  for (const [key, value] of Object.entries(query))
    for (const each of Array.isArray(value) ? value : [value])
      if (each !== undefined && each !== null) params.append(key, String(each))
  const text = params.toString()
  return `${host}${path}${text === '' ? '' : `?${text}`}`
}

function headersOf(call: Call, token: string, agent = 'lakeforge'): Record<string, string> {
  return {
    authorization: `Bearer ${token}`,
    accept: 'application/json',
    'user-agent': agent,
    ...(call.body !== undefined && { 'content-type': 'application/json' }),
    ...(call.bytes !== undefined && { 'content-type': 'application/octet-stream' }),
  }
}

function bodyOf(call: Call): BodyInit | null {
  if (call.body !== undefined) return stringifyJson(call.body)
  if (call.bytes !== undefined) return call.bytes as Uint8Array<ArrayBuffer>
  return call.form ?? null
}
