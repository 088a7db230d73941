// A home opened: its store, its engine, the app over both, and the owner at work. What `npm start` and the CLI stand on: the one
// that finds the home free becomes its owner, everyone else talks to that one.
import { access, constants, readFile, rm, statfs } from 'node:fs/promises'
import { totalmem } from 'node:os'
import { join, resolve } from 'node:path'
import { fail } from '#core/errors.ts'
import { uuidv7 } from '#core/id.ts'
import { openNodeDoor } from '#engine/databricks/node-door.ts'
import { durable } from '#engine/local/durable.ts'
import { joinHome, takeHome } from '#engine/local/home.ts'
import type { Home } from '#engine/local/home.ts'
import { openLocalEngine } from '#engine/local/index.ts'
import { resolveSecret } from '#engine/local/secrets.ts'
import { openSourceDoor } from '#engine/local/source-door.ts'
import { startOwner } from '#engine/owner.ts'
import { openSparkEngine } from '#engine/spark/index.ts'
import { actingAs } from '#sql/actor.ts'
import type { Sql } from '#sql/db.ts'
import { migrate } from '#sql/migrate.ts'
import { openEmbedded } from '#sql/pglite.ts'
import { createApp } from './app.ts'
import type { App } from './app.ts'
import type { AuthSettings } from './auth.ts'
import type { Deps } from './request.ts'
import { openSpool } from './spool.ts'
import type { Finding } from './status.ts'
import { openNamedStore } from './store.ts'

export type HomeOptions = {
  /** Folder; LAKEFORGE_HOME or `.lakeforge` of the working directory if not given. */
  dir?: string
  /** The environment variables to go by; those of the process if not given. */
  env?: NodeJS.ProcessEnv
  auth?: AuthSettings
  /** Whether schedules start batches; a CLI that does one thing leaves them to the server. Default true. */
  schedules?: boolean
  /** Of `connectHome`: makes an owner heard by others, for as long as it is open. Answers where, and how to end it. */
  listen?: (opened: OpenHome) => Promise<{ url: string; close(): Promise<void> }>
}

export type OpenHome = {
  app: App
  auth: AuthSettings
  sql: Sql
  home: Home
  /** Migrations that this opening has applied to the store. */
  migrated: string[]
  close(): Promise<void>
}

const MEMORY_BYTES = 2 ** 30
const LEAST_FREE_BYTES = 2 ** 30

export function homeDir(env: NodeJS.ProcessEnv = process.env): string {
  return resolve(env.LAKEFORGE_HOME || '.lakeforge')
}

/**
 * Becomes the owner of a home: opens and migrates its store, makes the environment `laptop` where there is none, starts to drive.
 * @throws home_in_use, or what the store says
 */
export async function openHome(options: HomeOptions = {}): Promise<OpenHome> {
  return openTaken(await takeHome(options.dir ?? homeDir(options.env)), options)
}

async function openTaken(home: Home, options: HomeOptions): Promise<OpenHome> {
  const env = options.env ?? process.env
  const closing: (() => Promise<unknown>)[] = [() => home.release()]
  const close = async () => {
    for (const each of closing.splice(0).reverse()) await each()
  }
  try {
    const sql = (await openNamedStore(env)) ?? (await openEmbedded(home.store))
    closing.push(() => sql.end({ timeout: 5 }))
    const migrated = await migrate(sql)
    await firstEnvironment(sql, home)

    // Where each environment's lake lies; looked up before each round, since the engine asks without waiting
    const roots = new Map<string, string>()
    const readRoots = async () => {
      const read = () => sql<{ name: string; root: string; home_id: string | null }[]>`
        select name, root, home_id from config.environment
        where engine in ('local', 'spark') and (home_id = ${home.id} or home_id is null)
      `
      let rows = await read()
      // One that was made while this owner runs is nobody's yet
      if (rows.some(({ home_id }) => home_id === null)) {
        await takeEnvironments(sql, home)
        rows = await read()
      }
      roots.clear()
      for (const { name, root } of rows)
        roots.set(name, root === '' ? join(home.dir, 'lake') : resolve(home.dir, root))
    }
    await readRoots()
    // What a process that was killed has left
    await rm(join(home.dir, 'spool'), { recursive: true, force: true })
    const secret = (reference: string) => resolveSecret(home.dir, reference)
    const rootOf = (name: string) => {
      const root = roots.get(name) ?? fail('environment_unknown', { name })
      return /[*?[]/.test(root) ? fail('root_refused', { root }) : root
    }
    const engine = openLocalEngine({
      root: rootOf,
      memory_bytes: Number(env.LAKEFORGE_MEMORY_MB ?? 0) * 2 ** 20 || MEMORY_BYTES,
      home: home.dir,
    })
    closing.push(() => engine.close())
    const owner = startOwner(sql, engine, {
      home_id: home.id,
      secret,
      around: durable,
      before: readRoots,
      schedules: options.schedules ?? true,
    })
    closing.push(() => owner.stop())
    // Its Spark starts with the first batch: until then it costs a look at the store
    const spark = openSparkEngine({ root: rootOf, home: home.dir, env })
    closing.push(() => spark.close())
    const sparkOwner = startOwner(sql, spark, { home_id: home.id, secret, schedules: false })
    closing.push(() => sparkOwner.stop())

    const deps: Deps = {
      sql,
      workspaces: openNodeDoor(env),
      engines: { local: engine, spark },
      version: await packageVersion(),
      dialect: () => import('#dialect/index.ts'),
      sources: openSourceDoor({ home: home.dir }),
      hasSecret: async (reference) => void (await secret(reference)),
      doctor: () => examine(home.dir),
      spool: openSpool(join(home.dir, 'spool')),
      nudge: () => {
        owner.nudge()
        sparkOwner.nudge()
      },
    }
    const auth = options.auth ?? { mode: 'local' }
    return { app: createApp(deps, auth), auth, sql, home, migrated, close }
  } catch (error) {
    await close()
    throw error
  }
}

export type Connection = {
  /** Where the owner listens; null if this process is the owner. */
  url: string | null
  /** Migrations that were applied to the store just now; null where another process owns it. */
  migrated: string[] | null
  /** Calls the API: over HTTP with the owner, or in this process. `path` begins with a slash. */
  request(path: string, init?: RequestInit): Promise<Response>
  close(): Promise<void>
}

/** Talks to the home's owner, or becomes it for as long as the connection is open. */
export async function connectHome(options: HomeOptions = {}): Promise<Connection> {
  const { home, owner } = await joinHome(options.dir ?? homeDir(options.env))
  if (owner) {
    return {
      url: owner.url,
      migrated: null,
      request: (path, init = {}) => {
        const headers = new Headers(init.headers)
        headers.set('authorization', `Bearer ${owner.token}`)
        return fetch(new URL(path, owner.url), { ...init, headers })
      },
      close: async () => {},
    }
  }
  // Who else may come in while this process owns the home must be able to read its token
  const auth: AuthSettings = { mode: options.listen ? 'token' : 'local' }
  const opened = await openTaken(home, { schedules: false, ...options, auth })
  try {
    const heard = await options.listen?.(opened)
    if (heard) auth.owner_token = await home.announce(heard.url)
    return {
      url: null,
      migrated: opened.migrated,
      request: async (path, init = {}) => {
        const headers = new Headers(init.headers)
        if (auth.owner_token) headers.set('authorization', `Bearer ${auth.owner_token}`)
        return opened.app.request(`http://localhost${path}`, { ...init, headers })
      },
      close: async () => {
        await heard?.close()
        await opened.close()
      },
    }
  } catch (error) {
    await opened.close()
    throw error
  }
}

/** A new store gets the environment `laptop`; a local environment that no home drives yet is taken by this one. */
async function firstEnvironment(sql: Sql, home: Home): Promise<void> {
  await sql.begin(async (tx) => {
    await tx`select set_config('lakeforge.actor', 'lakeforge', true)`
    await tx`lock table config.environment in share row exclusive mode`
    const [any] = await tx`select from config.environment limit 1`
    if (!any)
      await tx`
        insert into config.environment ${tx({
          id: uuidv7(),
          name: 'laptop',
          description: 'This machine',
          engine: 'local',
          is_default: true,
          home_id: home.id,
        })}
      `
  })
  await takeEnvironments(sql, home)
}

/** Local and Spark environments that no home drives yet become this one's: of several homes, the first. */
async function takeEnvironments(sql: Sql, home: Home): Promise<void> {
  await actingAs(
    sql,
    { name: 'lakeforge' },
    (tx) => tx`
      update config.environment set home_id = ${home.id} where engine in ('local', 'spark') and home_id is null
    `,
  )
}

async function packageVersion(): Promise<string> {
  const text = await readFile(join(import.meta.dirname, '../package.json'), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}

/** What only the machine can say of itself. */
async function examine(dir: string): Promise<Finding[]> {
  const findings: Finding[] = []
  const [major = 0] = process.versions.node.split('.').map(Number)
  findings.push(
    major >= 24
      ? { check: 'node', state: 'ok', message: `Node ${process.versions.node}`, fix: null }
      : {
          check: 'node',
          state: 'failed',
          message: `Node ${process.versions.node} is too old.`,
          fix: 'Start LakeForge by `npm start` or `npx lakeforge`: they bring Node 24.',
        },
  )
  const writable = await access(dir, constants.W_OK).then(
    () => true,
    () => false,
  )
  findings.push(
    writable
      ? { check: 'home', state: 'ok', message: `${dir} is writable.`, fix: null }
      : {
          check: 'home',
          state: 'failed',
          message: `${dir} is not writable.`,
          fix: `chown the folder to the user that runs LakeForge.`,
        },
  )
  const disk = await statfs(dir)
  const free = disk.bavail * disk.bsize
  const gib = (bytes: number) => `${(bytes / 2 ** 30).toFixed(1)} GiB`
  findings.push(
    free >= LEAST_FREE_BYTES
      ? { check: 'disk', state: 'ok', message: `${gib(free)} free.`, fix: null }
      : {
          check: 'disk',
          state: 'warning',
          message: `Only ${gib(free)} free.`,
          fix: 'Free some space, or move LAKEFORGE_HOME to a larger disk.',
        },
  )
  findings.push(
    totalmem() >= 2 * MEMORY_BYTES
      ? { check: 'memory', state: 'ok', message: `${gib(totalmem())} in the machine.`, fix: null }
      : {
          check: 'memory',
          state: 'warning',
          message: `Only ${gib(totalmem())} in the machine.`,
          fix: 'Set LAKEFORGE_MEMORY_MB to half of it.',
        },
  )
  const built = await access(join(import.meta.dirname, '../web/build/index.html')).then(
    () => true,
    () => false,
  )
  findings.push(
    built
      ? { check: 'screens', state: 'ok', message: 'web/build is there.', fix: null }
      : {
          check: 'screens',
          state: 'warning',
          message: 'web/build is not there: only the API is served.',
          fix: 'npm run build',
        },
  )
  return findings
}
