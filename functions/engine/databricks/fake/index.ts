// A workspace for trying and testing sync without an account. Honest where real ones are awkward: ids beyond 2^53, defaults and
// another order on read, 400 for a missing job, small pages, empty answers, tokens that expire, faults on demand.
// It proves how we speak, not that Databricks accepts a cluster, a policy, a node type or the code of a notebook.
import { Hono } from 'hono'
import { Refusal, reply } from './answer.ts'
import type { Execute, FakeUser, FakeWorld } from './answer.ts'
import { jobs } from './jobs.ts'
import { pipelines } from './pipelines.ts'
import { runs, startScheduled } from './runs.ts'
import { serving } from './serving.ts'
import { emptyState } from './state.ts'
import type { FakeState } from './state.ts'
import { permissions, statements, unity, warehouses } from './unity.ts'
import { secrets, volumeFiles, workspace } from './workspace.ts'

export type Fault = {
  /** Which request, from 0, counted over all; or those whose `METHOD /path` matches. */
  at: number | RegExp
  /**
   * busy: 429 with Retry-After. unavailable: 503. denied: 403. expired: 401. drop_before: the connection is lost before anything
   * is done; drop_after: after everything is done. A drop is what a killed client sees, too.
   */
  kind: 'busy' | 'unavailable' | 'denied' | 'expired' | 'drop_before' | 'drop_after'
  /** How many times; 1 if not given. */
  times?: number
  retry_after_s?: number
}

export type FakeOptions = {
  state?: FakeState
  now?: () => number
  /** Items of a page at most; 7 if not given. */
  page?: number
  queue_default?: boolean
  execute?: Execute
  /** Personal access tokens -> who they are. `dapi-fake` is the admin if not given. */
  tokens?: Record<string, FakeUser>
  /** Client id -> secret, for OAuth. `fake-app` with `fake-secret` if not given. */
  apps?: Record<string, string>
  token_life_s?: number
}

export type FakeWorkspace = {
  host: string
  world: FakeWorld
  state: FakeState
  app: Hono<{ Variables: { fake: FakeWorld; user: FakeUser } }>
  /** As `fetch`, without a network. A dropped connection throws as a lost one does. */
  fetch(input: string, init?: RequestInit): Promise<Response>
  faults: Fault[]
  /** Every request so far: method, path without query, status (0: dropped). */
  requests: { method: string; path: string; status: number }[]
  /** Requests that change something. */
  writes(): string[]
  /** The job's own schedule fires. */
  fire(job_id: string): string
  /** @throws when a request had fields that the official SDK does not know */
  assertHonest(): void
}

const READS = /^(GET|HEAD)$/

export function openFake(options: FakeOptions = {}): FakeWorkspace {
  const state = options.state ?? emptyState()
  let ticks = 0
  const world: FakeWorld = {
    state,
    // Later with every look, so that times tell what came first
    now: options.now ?? (() => 1_760_000_000_000 + ++ticks),
    page: options.page ?? 7,
    unknown: [],
    queue_default: options.queue_default ?? true,
    execute: options.execute ?? (async () => ({ ok: true, output: '' })),
  }
  const admin: FakeUser = { name: 'admin@example.com', id: '4611686018427387905', admin: true }
  const tokens: Record<string, FakeUser & { until?: number }> = {
    ...(options.tokens ?? { 'dapi-fake': admin }),
  }
  const apps = options.apps ?? { 'fake-app': 'fake-secret' }
  const faults: Fault[] = []
  const requests: FakeWorkspace['requests'] = []
  const app = new Hono<{ Variables: { fake: FakeWorld; user: FakeUser } }>()

  app.onError((error) => {
    if (error instanceof Refusal)
      return new Response(JSON.stringify({ error_code: error.code, message: error.message }), {
        status: error.status,
        headers: { 'content-type': 'application/json', ...error.headers },
      })
    throw error
  })
  app.notFound(() => reply({ error_code: 'ENDPOINT_NOT_FOUND', message: 'No API found.' }, 404))

  app.use(async (c, next) => {
    c.set('fake', world)
    const record = { method: c.req.method, path: c.req.path, status: 0 }
    const index = requests.length
    requests.push(record)
    const fault = faults.find((each) =>
      typeof each.at === 'number'
        ? each.at === index
        : each.at.test(`${c.req.method} ${c.req.path}`),
    )
    if (fault) {
      fault.times = (fault.times ?? 1) - 1
      if (fault.times <= 0) faults.splice(faults.indexOf(fault), 1)
      if (fault.kind === 'busy') {
        record.status = 429
        throw new Refusal(429, 'REQUEST_LIMIT_EXCEEDED', 'Too many requests.', {
          'retry-after': String(fault.retry_after_s ?? 1),
        })
      }
      if (fault.kind === 'unavailable')
        throw new Refusal(
          (record.status = 503),
          'TEMPORARILY_UNAVAILABLE',
          'The service is temporarily unavailable.',
        )
      if (fault.kind === 'denied')
        throw new Refusal(
          (record.status = 403),
          'PERMISSION_DENIED',
          'You do not have the permission.',
        )
      if (fault.kind === 'expired')
        throw new Refusal((record.status = 401), 'UNAUTHENTICATED', 'The token is expired.')
      if (fault.kind === 'drop_before') throw new Dropped()
    }
    await next()
    if (fault?.kind === 'drop_after') throw new Dropped()
    record.status = c.res.status
  })

  app.get('/.well-known/databricks-config', (c) =>
    reply({ oidc_endpoint: `${new URL(c.req.url).origin}/oidc`, workspace_id: '9007199254740997' }),
  )
  app.get('/oidc/.well-known/oauth-authorization-server', (c) => {
    const { origin } = new URL(c.req.url)
    return reply({
      authorization_endpoint: `${origin}/oidc/v1/authorize`,
      token_endpoint: `${origin}/oidc/v1/token`,
    })
  })
  app.post('/oidc/v1/token', async (c) => {
    const wrong = (error: string, text: string) =>
      reply({ error, error_description: text }, error === 'invalid_client' ? 401 : 400)
    if (!c.req.header('content-type')?.startsWith('application/x-www-form-urlencoded'))
      return wrong('invalid_request', 'The request must be form encoded.')
    const basic = /^Basic (.+)$/.exec(c.req.header('authorization') ?? '')
    const [id, secret] = basic ? atob(basic[1]!).split(':').map(decodeURIComponent) : []
    if (id === undefined || apps[id] === undefined || apps[id] !== secret)
      return wrong('invalid_client', 'Client authentication failed')
    const form = new URLSearchParams(await c.req.text())
    if (form.get('grant_type') !== 'client_credentials')
      return wrong('unsupported_grant_type', 'Use client_credentials.')
    if (form.get('scope') !== 'all-apis') return wrong('invalid_scope', 'Use all-apis.')
    const life = options.token_life_s ?? 3600
    const token = `fake-${crypto.randomUUID()}`
    tokens[token] = { name: id, id, admin: true, until: world.now() + life * 1000 }
    return reply({ access_token: token, token_type: 'Bearer', expires_in: life, scope: 'all-apis' })
  })

  app.use(async (c, next) => {
    const bearer = /^Bearer (.+)$/.exec(c.req.header('authorization') ?? '')?.[1]
    const user = bearer === undefined ? undefined : tokens[bearer]
    if (!user || (user.until !== undefined && world.now() > user.until))
      throw new Refusal(401, 'UNAUTHENTICATED', 'The token is invalid or expired.')
    if (!user.admin && !READS.test(c.req.method))
      throw new Refusal(403, 'PERMISSION_DENIED', `${user.name} does not have the permission.`)
    c.set('user', user)
    await next()
    return
  })
  app.get('/api/2.0/preview/scim/v2/Me', (c) => {
    const { id, name } = c.get('user')
    c.header('x-databricks-org-id', '9007199254740997')
    return c.json({
      id,
      userName: name,
      displayName: name,
      active: true,
      emails: [{ value: name, primary: true }],
      groups: [{ display: 'admins' }],
    })
  })
  app.route('/api/2.2/jobs', jobs)
  app.route('/api/2.2/jobs', runs)
  app.route('/api/2.0/pipelines', pipelines)
  app.route('/api/2.0/workspace', workspace)
  app.route('/api/2.0/fs', volumeFiles)
  app.route('/api/2.0/secrets', secrets)
  app.route('/api/2.1/unity-catalog', unity)
  app.route('/api/2.0/permissions', permissions)
  app.route('/api/2.0/sql/statements', statements)
  app.route('/api/2.0/sql/warehouses', warehouses)
  app.route('/', serving)

  return {
    host: HOST,
    world,
    state,
    app,
    async fetch(input, init) {
      try {
        return await app.request(input, init)
      } catch (error) {
        if (error instanceof Dropped)
          throw new TypeError('fetch failed', { cause: { code: 'ECONNRESET' } })
        throw error
      }
    },
    faults,
    requests,
    writes: () =>
      requests
        .filter(({ method, path }) => !READS.test(method) && !path.startsWith('/oidc/'))
        .map(({ method, path }) => `${method} ${path}`),
    fire: (job_id) => startScheduled(world, job_id).run_id,
    assertHonest() {
      if (world.unknown.length > 0)
        throw new Error(`Fields that no workspace knows: ${[...new Set(world.unknown)].join(', ')}`)
    },
  }
}

/** The connection breaks; nobody gets an answer. */
export class Dropped extends Error {}

const HOST = 'https://workspace.example'
