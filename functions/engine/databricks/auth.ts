// Who we are to a workspace: a personal access token, or a service principal whose short-lived tokens are fetched and renewed.
import { fail, LakeForgeError } from '#core/errors.ts'
import { readError } from './client-error.ts'
import { parseJson } from './json.ts'

export type Credentials =
  { kind: 'pat'; token: string } | { kind: 'm2m'; client_id: string; client_secret: string }

export type Login = {
  /** A token that holds now. */
  token(): Promise<string>
  /** Says that the workspace refused this token; true if another one can be had. */
  refused(token: string): boolean
}

export type Fetch = (input: string, init: RequestInit) => Promise<Response>

/** A token is renewed this long before it ends, so that none ends on its way; a very short one at half its time. */
const RENEW_BEFORE_MS = 60_000
const LOGIN_TIMEOUT_MS = 30_000

/** `host` is an origin without a slash at its end. `now` in epoch milliseconds. */
export function openLogin(
  host: string,
  credentials: Credentials,
  options: { fetch?: Fetch; now?: () => number } = {},
): Login {
  if (credentials.kind === 'pat')
    return { token: async () => credentials.token, refused: () => false }
  const now = options.now ?? Date.now
  const call: Fetch = options.fetch ?? ((input, init) => fetch(input, init))
  let endpoint: string | undefined
  /** `until`: when to fetch the next one. */
  let held: { token: string; until: number } | undefined
  let pending: Promise<string> | undefined

  const renew = async () => {
    endpoint ??= await tokenEndpoint(host, call)
    const { access_token, expires_in } = await fetchToken(endpoint, credentials, call)
    const life = expires_in * 1000
    held = { token: access_token, until: now() + life - Math.min(RENEW_BEFORE_MS, life / 2) }
    return access_token
  }
  return {
    token() {
      if (held && now() < held.until) return Promise.resolve(held.token)
      // One login for however many requests wait
      pending ??= renew().finally(() => (pending = undefined))
      return pending
    },
    refused(token) {
      if (held?.token === token) held = undefined
      return true
    },
  }
}

/** The workspace says where tokens are given; a secret goes to its own host alone. */
async function tokenEndpoint(host: string, call: Fetch): Promise<string> {
  const usual = `${host}/oidc/v1/token`
  const answer = await reach(call, `${host}/oidc/.well-known/oauth-authorization-server`, {})
  if (!answer.ok) return usual
  try {
    const { token_endpoint } = (await answer.json()) as { token_endpoint?: unknown }
    if (typeof token_endpoint !== 'string') return usual
    return new URL(token_endpoint).origin === new URL(host).origin ? token_endpoint : usual
  } catch {
    return usual
  }
}

async function fetchToken(
  endpoint: string,
  { client_id, client_secret }: { client_id: string; client_secret: string },
  call: Fetch,
): Promise<{ access_token: string; expires_in: number }> {
  const bytes = new TextEncoder().encode(
    `${encodeURIComponent(client_id)}:${encodeURIComponent(client_secret)}`,
  )
  const answer = await reach(call, endpoint, {
    method: 'POST',
    headers: {
      authorization: `Basic ${btoa(String.fromCharCode(...bytes))}`,
      'content-type': 'application/x-www-form-urlencoded',
      accept: 'application/json',
    },
    body: 'grant_type=client_credentials&scope=all-apis',
  })
  const text = await answer.text()
  if (!answer.ok) {
    const said = readError(answer.status, answer.headers, text)
    return fail('workspace_login_failed', { said: said.message, status: said.status })
  }
  let body: Record<string, unknown>
  try {
    body = parseJson(text) as Record<string, unknown>
  } catch (error) {
    throw new LakeForgeError(
      'workspace_login_failed',
      { said: 'the answer was no JSON', status: answer.status },
      { cause: error },
    )
  }
  // Some hosts give the seconds as text
  const seconds = Number(body.expires_in)
  if (typeof body.access_token !== 'string' || body.access_token === '')
    fail('workspace_login_failed', { said: 'the answer held no token', status: answer.status })
  return {
    access_token: body.access_token as string,
    expires_in: Number.isFinite(seconds) && seconds > 0 ? seconds : 3600,
  }
}

async function reach(call: Fetch, url: string, init: RequestInit): Promise<Response> {
  try {
    return await call(url, {
      ...init,
      redirect: 'manual',
      signal: AbortSignal.timeout(LOGIN_TIMEOUT_MS),
    })
  } catch (error) {
    throw new LakeForgeError(
      'workspace_unavailable',
      { said: 'it could not be reached', call: 'login' },
      { cause: error },
    )
  }
}
