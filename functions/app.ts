// The HTTP application: request id, identity, resources, and the one place that turns errors into answers.
// Web APIs only: Node, Workers and Databricks Apps run this same file.
import { Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { createMiddleware } from 'hono/factory'
import { HTTPException } from 'hono/http-exception'
import postgres from 'postgres'
import { LakeForgeError } from '#core/errors.ts'
import type { ErrorCode } from '#core/errors.ts'
import { uuidv7 } from '#core/id.ts'
import { authenticate } from './auth.ts'
import type { AuthSettings } from './auth.ts'
import { backup } from './backup.ts'
import { batchBulk } from './batch-bulk.ts'
import { batchCompare } from './batch-compare.ts'
import { batchLines } from './batch-lines.ts'
import { batchEvents } from './batch-events.ts'
import { batches } from './batches.ts'
import { bronzeConfigs } from './bronze-configs.ts'
import { changes } from './changes.ts'
import { computeProfiles } from './compute-profiles.ts'
import { dqRules } from './dq-rules.ts'
import { environments } from './environments.ts'
import { goldConfigs } from './gold-configs.ts'
import { groups } from './groups.ts'
import { lineage } from './lineage.ts'
import { logs } from './logs.ts'
import { metadata } from './metadata.ts'
import { openApi } from './open-api.ts'
import { overview } from './overview.ts'
import { quality } from './quality.ts'
import { rawConfigs } from './raw-configs.ts'
import type { Ctx, Deps, Env } from './request.ts'
import { replays } from './replays.ts'
import { ruleSets } from './rule-sets.ts'
import { scheduleWeek } from './schedule-week.ts'
import { schedules } from './schedules.ts'
import { silverConfigs } from './silver-configs.ts'
import { secrets } from './secrets.ts'
import { sourceHealth } from './source-health.ts'
import { sources } from './sources.ts'
import { health, status } from './status.ts'
import { sql } from './sql.ts'
import { sync } from './sync.ts'
import { tables } from './tables.ts'
import { tokens } from './tokens.ts'

/** A metadata file of thousands of tables fits; a body that would not is refused before it is read. */
const BODY_BYTES = 32 * 1024 * 1024

/**
 * The whole API below `/api`, and nothing else: entries add the static UI.
 * `deps` may depend on the request, since a Worker opens a database client for each: it gets what the
 * entry gave to `fetch` beside the request. One app serves all requests (*measured*: 30 ms to build its routes).
 */
export function createApp(deps: Deps | ((bindings: unknown) => Deps), auth: AuthSettings) {
  const limit = bodyLimit({
    maxSize: BODY_BYTES,
    onError: (c) => problem(c as Ctx, new LakeForgeError('body_too_large')),
  })
  const app = new Hono<Env>()
    .use(
      createMiddleware<Env>(async function context(c, next) {
        c.set('request_id', uuidv7())
        const resolved = typeof deps === 'function' ? deps(c.env) : deps
        c.set('deps', resolved)
        c.set('sql', resolved.sql)
        await next()
        c.header('x-request-id', c.var.request_id)
        c.header('x-content-type-options', 'nosniff')
        c.header('cache-control', c.res.headers.get('cache-control') ?? 'no-store')
      }),
    )
    .use(async function limitBody(c, next) {
      // A backup is read as it comes, never as a whole
      return c.req.path === '/api/restore' ? next() : limit(c, next)
    })
    .route('/api/health', health)
    .use('/api/*', authenticate(auth))
    .route('/api/sources/health', sourceHealth)
    .route('/api/sources', sources)
    .route('/api/groups', groups)
    .route('/api/schedules', scheduleWeek)
    .route('/api/schedules', schedules)
    .route('/api/compute-profiles', computeProfiles)
    .route('/api/environments', environments)
    .route('/api/raw-configs', rawConfigs)
    .route('/api/bronze-configs', bronzeConfigs)
    .route('/api/silver-configs', silverConfigs)
    .route('/api/gold-configs', goldConfigs)
    .route('/api/dq-rules', dqRules)
    .route('/api/rule-sets', ruleSets)
    .route('/api/secrets', secrets)
    .route('/api/tokens', tokens)
    .route('/api/batches', batches)
    .route('/api/batches', batchBulk)
    .route('/api/batches', batchCompare)
    .route('/api/batches', batchLines)
    .route('/api/batches', batchEvents)
    .route('/api/batches', replays)
    .route('/api/logs', logs)
    .route('/api/changes', changes)
    .route('/api/sync', sync)
    .route('/api/lineage', lineage)
    .route('/api/overview', overview)
    .route('/api/quality', quality)
    .route('/api/tables', tables)
    .route('/api', status)
    .route('/api', metadata)
    .route('/api', backup)
    .route('/api/sql', sql)

  openApi(app)

  app.notFound((c) =>
    problem(c, new LakeForgeError('route_unknown', { method: c.req.method, path: c.req.path })),
  )
  app.onError((error, c) => problem(c, toLakeForgeError(error)))
  return app
}

/** The typed client's view of the API: `hc<App>(url)`. */
export type App = ReturnType<typeof createApp>

/** An RFC 9457 problem document with our `code`, `hint`, `request_id` and, for input, `errors`. */
function problem(c: Ctx, error: LakeForgeError): Response {
  if (error.code === 'internal') console.error(c.var.request_id, error.cause ?? error)
  const body = {
    type: `about:blank#${error.code}`,
    title: title(error.code),
    status: error.status,
    detail: error.message,
    code: error.code,
    hint: error.hint,
    request_id: c.var.request_id,
    ...(error.errors.length > 0 && { errors: error.errors }),
    ...(error.detail.dependants !== undefined && { dependants: error.detail.dependants }),
  }
  c.header('content-type', 'application/problem+json')
  return c.body(JSON.stringify(body), error.status as 500)
}

const WORKERD_LOST = /cannot connect to the specified address|Network connection lost/

function title(code: ErrorCode): string {
  const words = code.replaceAll('_', ' ')
  return words.charAt(0).toUpperCase() + words.slice(1)
}

/**
 * Any thrown value as one of ours. Constraints are named `<table>_<column>_unique|fk|check`, so that the name alone says
 * what was violated; the values stay out of it.
 */
export function toLakeForgeError(error: unknown): LakeForgeError {
  if (error instanceof LakeForgeError) return error
  // Hono's own validator says no more than that the body is malformed
  if (error instanceof SyntaxError || (error instanceof HTTPException && error.status === 400))
    return new LakeForgeError('json_invalid', {}, { cause: error })
  if (error instanceof postgres.PostgresError) {
    const constraint = error.constraint_name ?? ''
    const kind = (error.table_name ?? '').replaceAll('_', ' ')
    if (error.code === '23505')
      return new LakeForgeError('already_exists', { kind, constraint }, { cause: error })
    if (error.code === '23503')
      return new LakeForgeError('reference_unknown', { kind, constraint }, { cause: error })
    if (error.code === '23514' || error.code === '23502')
      return new LakeForgeError(
        'constraint_violated',
        { kind, constraint: constraint || (error.column_name ?? '') },
        { cause: error },
      )
    if (error.code === '22P02' || error.code === '22007')
      return new LakeForgeError('value_malformed', {}, { cause: error })
    if (['40001', '40P01', '55P03'].includes(error.code))
      return new LakeForgeError('store_busy', {}, { cause: error })
    if (error.code.startsWith('28') || error.code === '3D000')
      return new LakeForgeError('store_refused', {}, { cause: error })
    // An entry that does not migrate, such as a Worker, may meet a store that nobody has prepared
    if (error.code === '42P01' || error.code === '3F000')
      return new LakeForgeError('store_not_migrated', {}, { cause: error })
    if (/^(08|53|57)/.test(error.code))
      return new LakeForgeError('store_unavailable', {}, { cause: error })
  }
  if (
    [
      'ECONNREFUSED',
      'ECONNRESET',
      'CONNECTION_CLOSED',
      'CONNECTION_ENDED',
      'CONNECT_TIMEOUT',
    ].includes(String((error as { code?: unknown } | null)?.code)) ||
    // workerd's sockets know no codes, only these words
    (error instanceof Error && WORKERD_LOST.test(error.message))
  )
    return new LakeForgeError('store_unavailable', {}, { cause: error })
  return new LakeForgeError('internal', {}, { cause: error })
}
