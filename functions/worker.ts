// Entry for Cloudflare Workers: a database client per request, closed when the answer has been sent; the cron trigger claims what is
// due. Imports no engine that needs a machine of its own and no embedded database.
import { fail } from '#core/errors.ts'
import { claimDue } from '#engine/sync-jobs.ts'
import { openDb } from '#sql/db.ts'
import type { Sql } from '#sql/db.ts'
import manifest from '../package.json' with { type: 'json' }
import { createApp } from './app.ts'
import type { Deps } from './request.ts'

type Bindings = { DATABASE_URL?: string }
type Waiter = { waitUntil(promise: Promise<unknown>): void }

/** A Worker may hold six connections open at once; what one request asks for is mostly one after another. */
const CONNECTIONS = 3

/** A socket belongs to the request that opened it: a client can't be kept for the next one. */
function openStore(bindings: Bindings): Sql {
  return openDb(bindings.DATABASE_URL || fail('database_url_missing'), { max: CONNECTIONS })
}

/** A Worker has no loopback to trust: every request carries an API token. */
const app = createApp((open) => (open as () => Deps)(), { mode: 'token' })

export default {
  async fetch(request: Request, bindings: Bindings, waiter: Waiter): Promise<Response> {
    let sql: Sql | undefined
    const open = (): Deps => {
      sql = openStore(bindings)
      return {
        sql,
        engines: {},
        dialect: () => import('#dialect/index.ts'),
        sources: null,
        version: manifest.version,
      }
    }
    const end = async () => sql?.end({ timeout: 5 })
    try {
      return whenSent(await app.fetch(request, open), end, waiter)
    } catch (error) {
      waiter.waitUntil(end())
      throw error
    }
  },

  async scheduled(_event: unknown, bindings: Bindings, waiter: Waiter): Promise<void> {
    const sql = openStore(bindings)
    try {
      await claimDue(sql, { by: 'worker' })
    } finally {
      waiter.waitUntil(sql.end({ timeout: 5 }))
    }
  },
}

/** The same answer, and `done` once its body has been sent or nobody reads it any more: an event stream reads the store until then. */
function whenSent(answer: Response, done: () => Promise<unknown>, waiter: Waiter): Response {
  if (answer.body === null) {
    waiter.waitUntil(done())
    return answer
  }
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>()
  const sent = answer.body.pipeTo(writable)
  // Ends with an error where the reader has gone: that is no fault of ours, and the source has been told
  waiter.waitUntil(sent.catch(() => undefined).then(done))
  return new Response(readable, answer)
}
