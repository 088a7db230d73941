// Entry for Node and Databricks Apps: opens the home, serves the API and the screens, ticks. `npm start` runs it.
import { readFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { serve } from '@hono/node-server'
import { serveStatic } from '@hono/node-server/serve-static'
import { Hono } from 'hono'
import { fail, LakeForgeError } from '#core/errors.ts'
import { openHome } from './home.ts'
import type { HomeOptions } from './home.ts'
import type { AuthSettings } from './auth.ts'
import { ensureBuilt } from './web-build.ts'

export type Server = { url: string; home: string; close(): Promise<void> }

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|::1)$/

/**
 * Starts the server: HOST (127.0.0.1), PORT (8787; 0 takes a free one; Databricks Apps say it in DATABRICKS_APP_PORT),
 * LAKEFORGE_AUTH (local, token).
 * @throws bind_refused for a host that is not loopback without authentication; home_in_use
 */
export async function startServer(
  options: HomeOptions & { host?: string; port?: number; build?: string | null } = {},
): Promise<Server> {
  const env = options.env ?? process.env
  const host = options.host ?? env.HOST ?? '127.0.0.1'
  const port = options.port ?? Number(env.PORT || env.DATABRICKS_APP_PORT || 8787)
  const mode = env.LAKEFORGE_AUTH || 'local'
  if (mode !== 'local' && mode !== 'token') fail('auth_unknown', { mode })
  if (mode === 'local' && !LOOPBACK.test(host)) fail('bind_refused', { host })
  const auth: AuthSettings = { mode }
  const opened = await openHome({ ...options, auth })
  try {
    const build = options.build === undefined ? await ensureBuilt() : options.build
    const site = new Hono()
    // The API's own app answers everything below these; the rest are files of the build
    site.all('/api/*', (c) => opened.app.fetch(c.req.raw, c.env))
    site.all('/hooks/*', (c) => opened.app.fetch(c.req.raw, c.env))
    if (build !== null) await addScreens(site, build)
    const { url, close } = await listen(site.fetch, host, port)
    auth.owner_token = await opened.home.announce(url)
    return {
      url,
      home: opened.home.dir,
      async close() {
        await close()
        await opened.close()
      },
    }
  } catch (error) {
    await opened.close()
    throw error
  }
}

/**
 * Serves until it is closed, which breaks off what is under way.
 * @throws port_in_use
 */
export async function listen(
  fetch: (request: Request) => Response | Promise<Response>,
  host: string,
  port: number,
): Promise<{ url: string; close(): Promise<void> }> {
  const server = serve({ fetch, hostname: host, port })
  await new Promise<void>((resolve, reject) => {
    server.once('listening', resolve)
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(
        error.code === 'EADDRINUSE'
          ? new LakeForgeError('port_in_use', { port: String(port) }, { cause: error })
          : error,
      ),
    )
  })
  const address = server.address() as { port: number }
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${address.port}`,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve))
      if ('closeAllConnections' in server) server.closeAllConnections()
      await closed
    },
  }
}

/** The files of the build, and its start page for every path of the app. */
async function addScreens(site: Hono, build: string): Promise<void> {
  const root = relative(process.cwd(), build) || '.'
  const page = await readFile(join(build, 'index.html'), 'utf8')
  site.use(async (c, next) => {
    await next()
    c.header('x-content-type-options', 'nosniff')
    c.header('referrer-policy', 'same-origin')
    c.header('x-frame-options', 'DENY')
  })
  site.use(
    '*',
    serveStatic({
      root,
      precompressed: true,
      onFound: (path, c) =>
        c.header(
          'cache-control',
          path.includes('/immutable/') ? 'public, max-age=31536000, immutable' : 'no-cache',
        ),
    }),
  )
  // A file of a former build is gone, not the start page: a stale tab must notice
  site.get('/_app/*', (c) => c.notFound())
  site.get('*', (c) => c.html(page, 200, { 'cache-control': 'no-cache' }))
}

/** A terminal and npm, or a supervisor and the launcher, both pass on the same signal: within this time two are one. */
const ONE_SIGNAL_MS = 1000

/**
 * Resolves when somebody asks this process to end (Ctrl-C, SIGTERM). Who asks again is not kept waiting: the process ends at once,
 * since all that matters is durable.
 */
export function askedToEnd(): Promise<void> {
  return new Promise((resolve) => {
    let asked_at = 0
    const heard = () => {
      if (asked_at > 0 && performance.now() - asked_at > ONE_SIGNAL_MS) process.exit(130)
      asked_at ||= performance.now()
      resolve()
    }
    process.on('SIGINT', heard)
    process.on('SIGTERM', heard)
  })
}

if (import.meta.main) {
  try {
    const asked = askedToEnd()
    const server = await startServer()
    console.log(`LakeForge ${server.url}  (home ${server.home})`)
    await asked
    await server.close()
    process.exit(0)
  } catch (error) {
    if (!(error instanceof LakeForgeError)) throw error
    console.error(`${error.message} ${error.hint}`)
    process.exit(1)
  }
}
