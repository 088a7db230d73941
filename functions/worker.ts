// Entry for Cloudflare Workers: a database client per request, closed after the answer; the cron trigger claims what is due.
// Imports no engine that needs a machine of its own, no embedded database and no SQL parser.
import { claimDue } from '#engine/sync-jobs.ts'
import { openDb } from '#sql/db.ts'
import { createApp } from './app.ts'
import type { Deps } from './request.ts'

type Bindings = { DATABASE_URL: string; LAKEFORGE_VERSION?: string }
type Waiter = { waitUntil(promise: Promise<unknown>): void }

/** A Worker has no loopback to trust: every request carries an API token. */
function open(env: Bindings): Deps {
  return {
    sql: openDb(env.DATABASE_URL, { max: 5 }),
    engines: {},
    dialect: () => import('#dialect/index.ts'),
    sources: null,
    version: env.LAKEFORGE_VERSION ?? 'worker',
  }
}

export default {
  async fetch(request: Request, env: Bindings, waiter: Waiter): Promise<Response> {
    const deps = open(env)
    try {
      return await createApp(deps, { mode: 'token' }).fetch(request)
    } finally {
      waiter.waitUntil(deps.sql.end({ timeout: 5 }))
    }
  },

  async scheduled(_event: unknown, env: Bindings, waiter: Waiter): Promise<void> {
    const deps = open(env)
    try {
      await claimDue(deps.sql)
    } finally {
      waiter.waitUntil(deps.sql.end({ timeout: 5 }))
    }
  },
}
