// Which metadata store a process opens: DATABASE_URL, the database that a platform names by the official PG* variables, or the
// embedded one of the home. On Lakebase the password is a token of the workspace, and an endpoint that sleeps is waited for.
import { readFile } from 'node:fs/promises'
import net from 'node:net'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { fail } from '#core/errors.ts'
import { openClient } from '#engine/databricks/client.ts'
import { connectionFor } from '#engine/databricks/connection.ts'
import { lakebaseInstance, openLakebasePassword } from '#engine/databricks/lakebase.ts'
import { openDb } from '#sql/db.ts'
import type { Sql } from '#sql/db.ts'

type Variables = Record<string, string | undefined>

/** A database that scaled to zero is up again within seconds. */
const WAKE_MS = 60_000
const WAKE_PAUSE_MS = 500
/** Nobody listens yet, or the server is starting: it asks to come again. */
const ASLEEP = new Set(['ECONNREFUSED', 'ECONNRESET', 'ETIMEDOUT', '57P03', 'CONNECT_TIMEOUT'])

/** The store that the variables name, or null where they name none: then the embedded one is meant. */
export async function openNamedStore(env: Variables): Promise<Sql | null> {
  if (env.DATABASE_URL) return openDb(env.DATABASE_URL)
  if (!env.LAKEBASE_ENDPOINT && !env.DATABRICKS_APP_NAME) return null
  if (!env.PGHOST) return env.LAKEBASE_ENDPOINT ? fail('lakebase_host_missing') : null
  const host = env.PGHOST
  const sql = openDb(platformUrl(env), {
    // A password of its own needs no token
    ...(env.PGPASSWORD ? {} : { password: await lakebasePassword(env, host) }),
    socket: () => patientSocket(host, Number(env.PGPORT ?? 5432)),
  })
  try {
    await awake(sql)
  } catch (error) {
    await sql.end({ timeout: 1 })
    throw error
  }
  return sql
}

/** The address as a URL. @throws store_tls_required when PGSSLMODE would send the token in the clear to another machine. */
function platformUrl(env: Variables): string {
  const url = new URL('postgres://host')
  url.hostname = env.PGHOST!
  url.port = env.PGPORT ?? '5432'
  url.pathname = `/${encodeURIComponent(env.PGDATABASE ?? 'databricks_postgres')}`
  url.username = encodeURIComponent(env.PGUSER ?? env.DATABRICKS_CLIENT_ID ?? '')
  if (env.PGPASSWORD) url.password = encodeURIComponent(env.PGPASSWORD)
  const mode = env.PGSSLMODE ?? 'require'
  const safe = ['require', 'verify-ca', 'verify-full'].includes(mode)
  if (!safe && !/^(localhost|127\.\d+\.\d+\.\d+|::1)$/.test(env.PGHOST!))
    fail('store_tls_required', { mode })
  url.searchParams.set('sslmode', mode)
  return url.href
}

async function lakebasePassword(env: Variables, host: string): Promise<() => Promise<string>> {
  const file = env.DATABRICKS_CONFIG_FILE ?? join(homedir(), '.databrickscfg')
  const profiles = await readFile(file, 'utf8').catch(() => '')
  if (!env.DATABRICKS_HOST) return fail('workspace_host_missing')
  const connection = connectionFor(env.DATABRICKS_HOST, env, profiles)
  const client = openClient(connection.host, connection.credentials)
  const named = env.LAKEBASE_ENDPOINT
  // Autoscaling endpoints are named by a path, provisioned instances by a plain name, or by nothing but their host
  if (named?.includes('/')) return openLakebasePassword(client, { endpoint: named })
  if (named && named !== host) return openLakebasePassword(client, { instance: named })
  return openLakebasePassword(client, () => lakebaseInstance(client, host))
}

/** A connected socket; while nobody listens it tries again, since the first knock wakes a sleeping endpoint. */
async function patientSocket(host: string, port: number): Promise<net.Socket> {
  const until = Date.now() + WAKE_MS
  for (;;) {
    const socket = net.connect({ host, port })
    try {
      await new Promise<void>((resolve, reject) => {
        socket.once('connect', resolve)
        socket.once('error', reject)
      })
      socket.removeAllListeners('error')
      // postgres.js names the server to TLS by what it finds here
      return Object.assign(socket, { host, port })
    } catch (error) {
      socket.destroy()
      if (!asleep(error) || Date.now() > until) throw error
      await wait(WAKE_PAUSE_MS)
    }
  }
}

async function awake(sql: Sql): Promise<void> {
  const until = Date.now() + WAKE_MS
  for (;;) {
    try {
      await sql`select 1`
      return
    } catch (error) {
      if (!asleep(error) || Date.now() > until) throw error
      await wait(WAKE_PAUSE_MS)
    }
  }
}

function asleep(error: unknown): boolean {
  return ASLEEP.has(String((error as { code?: unknown }).code))
}
