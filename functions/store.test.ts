// Which store is opened; and Lakebase as it behaves: TLS, a password that is a short-lived token, an endpoint that sleeps.
import { execFileSync, spawn } from 'node:child_process'
import { existsSync, globSync } from 'node:fs'
import { chmod, chown, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import net from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openClient } from '#engine/databricks/client.ts'
import { lakebaseInstance, openLakebasePassword } from '#engine/databricks/lakebase.ts'
import { openNamedStore } from './store.ts'

const HOUR = 3_600_000

describe('the store', () => {
  it('is the embedded one where nothing names another, stray PG variables included', async () => {
    expect(await openNamedStore({})).toBeNull()
    expect(await openNamedStore({ PGHOST: 'db.example', PGUSER: 'me' })).toBeNull()
    expect(await openNamedStore({ DATABRICKS_APP_NAME: 'lakeforge' })).toBeNull()
  })

  it.each([
    [
      'an endpoint without a host',
      { LAKEBASE_ENDPOINT: 'projects/p/branches/b/endpoints/e' },
      'lakebase_host_missing',
    ],
    [
      'a token in the clear',
      { DATABRICKS_APP_NAME: 'a', PGHOST: 'db.example', PGSSLMODE: 'prefer', PGPASSWORD: 'x' },
      'store_tls_required',
    ],
    [
      'a token that nobody can give',
      { DATABRICKS_APP_NAME: 'a', PGHOST: 'db.example' },
      'workspace_host_missing',
    ],
  ])('refuses %s', async (_name, env, code) => {
    await expect(openNamedStore(env)).rejects.toMatchObject({ code })
  })
})

/** A workspace that gives database tokens, and refuses every question but the right ones. */
function tokens(life_ms: number, now: () => number) {
  const asked: { path: string; body: unknown }[] = []
  const client = openClient(
    'https://workspace.example',
    { kind: 'pat', token: 'dapi-1' },
    {
      fetch: async (url, init) => {
        const { pathname } = new URL(url)
        const body = init.body ? (JSON.parse(String(init.body)) as unknown) : null
        asked.push({ path: `${init.method} ${pathname}`, body })
        const end = new Date(now() + life_ms).toISOString()
        const token = `token-${asked.length}`
        const answers: Record<string, unknown> = {
          'POST /api/2.0/postgres/credentials': { token, expire_time: end },
          'POST /api/2.0/database/credentials': { token, expiration_time: end },
          'GET /api/2.0/database/instances': {
            database_instances: [
              { name: 'other', read_write_dns: 'other.example' },
              { name: 'ours', read_write_dns: 'db.example', read_only_dns: 'ro.db.example' },
            ],
          },
        }
        const answer = answers[`${init.method} ${pathname}`]
        return answer
          ? Response.json(answer)
          : Response.json({ error_code: 'ENDPOINT_NOT_FOUND', message: 'No' }, { status: 404 })
      },
      wait: async () => {},
    },
  )
  return { client, asked }
}

describe('the password of Lakebase', () => {
  it('is fetched once for many connections, and anew two minutes before it ends', async () => {
    let now = Date.UTC(2026, 0, 1)
    const { client, asked } = tokens(HOUR, () => now)
    const endpoint = 'projects/p/branches/b/endpoints/e'
    const password = openLakebasePassword(client, { endpoint }, { now: () => now })
    expect(new Set(await Promise.all([password(), password(), password()]))).toEqual(
      new Set(['token-1']),
    )
    expect(asked).toEqual([{ path: 'POST /api/2.0/postgres/credentials', body: { endpoint } }])
    now += HOUR - 121_000
    expect(await password()).toBe('token-1')
    now += 2_000
    expect(await password()).toBe('token-2')
  })

  it('of a provisioned instance is asked for by its name, found by its host', async () => {
    const now = Date.now
    const { client, asked } = tokens(HOUR, now)
    const password = openLakebasePassword(client, () => lakebaseInstance(client, 'db.example'))
    await password()
    expect(asked.at(-1)).toEqual({
      path: 'POST /api/2.0/database/credentials',
      body: { request_id: expect.stringMatching(/^[0-9a-f-]{36}$/), instance_names: ['ours'] },
    })
    await expect(lakebaseInstance(client, 'nobody.example')).rejects.toMatchObject({
      code: 'lakebase_unknown',
    })
  })

  it('is asked for again after a failure', async () => {
    const { client } = tokens(HOUR, Date.now)
    let fails = true
    const password = openLakebasePassword(client, async () => {
      if (fails) throw new Error('the workspace is away')
      return { instance: 'ours' }
    })
    await expect(password()).rejects.toThrow('away')
    fails = false
    expect(await password()).toBe('token-1')
  })
})

const bin = globSync('/usr/lib/postgresql/*/bin/initdb').sort().at(-1)
const has_openssl = existsSync('/usr/bin/openssl')

describe.skipIf(!bin || !has_openssl)(
  bin && has_openssl
    ? 'a database with TLS and tokens'
    : 'a database with TLS and tokens (skipped: it needs PostgreSQL and openssl from the system)',
  () => {
    const as_root = process.getuid?.() === 0
    let dir: string
    let port: number
    let host: string
    /** What the workspace gives, and what opens a connection: an older one does no more. */
    let token = ''
    const give = (next: string) => {
      token = next
      psql(`alter role app password '${next}'`)
    }
    const server = createServer((request, response) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        const body = Buffer.concat(chunks).toString()
        const right =
          request.url === '/api/2.0/postgres/credentials' &&
          request.headers.authorization === 'Bearer dapi-2' &&
          body === '{"endpoint":"projects/p/branches/b/endpoints/e"}'
        if (!right) return response.writeHead(403).end('{}')
        const expire_time = new Date(Date.now() + 400).toISOString()
        return response.end(JSON.stringify({ token, expire_time }))
      })
    })
    const run = (program: string, ...args: string[]) =>
      as_root
        ? execFileSync('runuser', ['-u', 'postgres', '--', program, ...args], { stdio: 'pipe' })
        : execFileSync(program, args, { stdio: 'pipe' })
    const tool = (name: string) => join(dirname(bin!), name)
    const psql = (sql: string) =>
      run(tool('psql'), '-h', dir, '-p', String(port), '-U', 'postgres', '-c', sql)
    const start = () =>
      run(tool('pg_ctl'), '-D', join(dir, 'pg'), '-w', '-l', join(dir, 'log'), 'start')
    const stop = () => run(tool('pg_ctl'), '-D', join(dir, 'pg'), '-m', 'immediate', 'stop')
    const env = () => ({
      LAKEBASE_ENDPOINT: 'projects/p/branches/b/endpoints/e',
      DATABRICKS_HOST: host,
      DATABRICKS_TOKEN: 'dapi-2',
      DATABRICKS_CONFIG_FILE: join(dir, 'none'),
      PGHOST: 'localhost',
      PGPORT: String(port),
      PGDATABASE: 'postgres',
      PGUSER: 'app',
    })

    beforeAll(async () => {
      dir = await mkdtemp(join(tmpdir(), 'lakebase-'))
      await chmod(dir, 0o755)
      port = await freePort()
      const data = join(dir, 'pg')
      await mkdir(data, { mode: 0o700 })
      if (as_root) {
        const ids = execFileSync('id', ['-u', 'postgres']).toString().trim()
        await chown(dir, Number(ids), 0)
        await chown(data, Number(ids), 0)
      }
      run(bin!, '-D', data, '-A', 'trust', '-U', 'postgres', '--no-sync')
      const [key, crt] = [join(data, 'server.key'), join(data, 'server.crt')]
      const subject = ['-subj', '/CN=localhost', '-days', '2', '-nodes']
      run('openssl', 'req', '-new', '-x509', ...subject, '-out', crt, '-keyout', key)
      await writeFile(
        join(data, 'postgresql.auto.conf'),
        `port = ${port}\nlisten_addresses = 'localhost'\nunix_socket_directories = '${dir}'\nssl = on\nfsync = off\n`,
      )
      await writeFile(
        join(data, 'pg_hba.conf'),
        'local all postgres trust\nhostssl all app all password\n',
      )
      start()
      psql('create role app login')
      give('token-1')
      await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
      host = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    }, 60_000)

    afterAll(async () => {
      try {
        stop()
      } catch {
        // It wasn't running any more
      }
      server.close()
      await rm(dir, { recursive: true, force: true })
    })

    it('opens each new connection with a token that holds, over TLS', async () => {
      const sql = (await openNamedStore(env()))!
      try {
        const [first] =
          await sql`select current_user, ssl from pg_stat_ssl where pid = pg_backend_pid()`
        expect(first).toEqual({ current_user: 'app', ssl: true })
        await wait(500)
        give('token-2')
        // Two at once: one of them needs a connection of its own, and the first token has ended
        const both = await Promise.all([
          sql`select pg_sleep(1), pg_backend_pid() as pid`,
          sql`select pg_sleep(1), pg_backend_pid() as pid`,
        ])
        expect(new Set(both.map(([row]) => row!.pid)).size).toBe(2)
      } finally {
        await sql.end()
      }
    })

    it('is waited for while it sleeps, at the start and after it went to sleep again', async () => {
      stop()
      // A sleeping endpoint wakes when somebody knocks; here a second later, whoever waits for it
      const waking = spawn('sleep', ['1'])
      waking.on('close', start)
      const sql = (await openNamedStore(env()))!
      try {
        expect(await sql`select 1 as one`).toEqual([{ one: 1 }])
        stop()
        await wait(100)
        spawn('sleep', ['1']).on('close', start)
        expect(await sql`select 2 as two`).toEqual([{ two: 2 }])
      } finally {
        await sql.end()
      }
    })
  },
)

async function freePort(): Promise<number> {
  const probe = net.createServer()
  await new Promise<void>((listening) => probe.listen(0, '127.0.0.1', listening))
  const { port } = probe.address() as AddressInfo
  await new Promise((closed) => probe.close(closed))
  return port
}
