// What a batch does when a source is away: it tries again, it stops in time, and people are told, once, and when it is well again.
import { mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { createServer as createTcp } from 'node:net'
import type { AddressInfo, Server as TcpServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest'
import { openHome } from './home.ts'
import type { OpenHome } from './home.ts'
import type { Answer } from './testing.ts'

type Told = { method: string; url: string; type: string; body: Record<string, unknown> }

let dir: string
let home: OpenHome
let hook: Server
let silent: TcpServer
let told: Told[] = []
/** What the hook answers next; 204 when there is nothing. */
let answers: number[] = []
const port = (server: { address(): unknown }) => (server.address() as AddressInfo).port

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'lakeforge notify '))
  await mkdir(join(dir, 'files'))
  hook = createServer((request: IncomingMessage, response: ServerResponse) => {
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', () => {
      const { method = '', url = '', headers } = request
      const text = Buffer.concat(parts).toString()
      // Strict: a body that is cut or has another length is no message
      if (Number(headers['content-length']) !== Buffer.byteLength(text)) return response.destroy()
      told.push({ method, url, type: headers['content-type'] ?? '', body: JSON.parse(text) })
      const status = answers.shift() ?? 204
      response.writeHead(
        status,
        status === 302 ? { location: `http://127.0.0.1:${port(hook)}/elsewhere` } : {},
      )
      return response.end()
    })
  })
  // Takes every connection and never says a word
  silent = createTcp(() => undefined)
  await Promise.all(
    [hook, silent].map(
      (server) => new Promise<void>((done) => server.listen(0, '127.0.0.1', done)),
    ),
  )
  home = await openHome({ dir: join(dir, 'home'), env: {}, schedules: false })
}, 60_000)
afterAll(async () => {
  await home.close()
  hook.close()
  silent.close()
  vi.unstubAllEnvs()
  await rm(dir, { recursive: true, force: true })
})
beforeEach(() => {
  told = []
  answers = []
  vi.stubEnv('LAKEFORGE_ALLOW_PRIVATE_HTTP', '1')
})

async function call(method: string, path: string, body?: unknown): Promise<Answer['body']> {
  const answer = await home.app.request(`http://localhost${path}`, {
    method,
    ...(body !== undefined && {
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    }),
  })
  const value = (await answer.json()) as Answer['body']
  expect(answer.status, JSON.stringify(value)).toBeLessThan(300)
  return value
}

async function apply(set: Record<string, unknown>): Promise<void> {
  await call('POST', '/api/apply', { files: [{ name: 'a.yaml', text: JSON.stringify(set) }] })
}

/** Runs a group to its end; the batch and its lines, after everybody was told. */
async function run(
  name: string,
): Promise<{ batch: Answer['body']; steps: Answer['body'][]; lines: string[] }> {
  const [group] = (await call('GET', `/api/groups?q=${name}`)).items
  const { batch_id } = await call('POST', `/api/groups/${group.id}/run`, {})
  for (;;) {
    const { batch, steps } = await call('GET', `/api/batches/${batch_id}`)
    if (batch.finished_at !== null) {
      const lines = async () =>
        (await call('GET', `/api/logs/events?batch=${batch_id}&limit=500`)).items.map(
          (each: { text: string }) => each.text,
        )
      return { batch, steps, lines: await lines() }
    }
    await wait(50)
  }
}

const filesGroup = (name: string, url: string) => ({
  groups: [{ name, retries: 0, notify: [{ url, on: ['failed', 'recovered'] }] }],
  sources: [{ name, kind: 'files', options: { root: join(dir, 'files') } }],
  raw_configs: [
    {
      name,
      source: name,
      group: name,
      object: `${name}-*.csv`,
      format: 'csv',
      read_mode: 'files',
      columns: [{ name: 'id', type: 'int' }],
    },
  ],
  bronze_configs: [{ target: `bronze.${name}`, raw: `${name}.${name}` }],
  dq_rules: [
    {
      name: 'small',
      target: `bronze.${name}`,
      check: 'range',
      columns: ['id'],
      options: { max: 10 },
      on_fail: 'fail',
    },
  ],
})
const linesOf = async (id: string): Promise<string> =>
  (await call('GET', `/api/logs/events?batch=${id}&limit=500`)).items
    .map((each: { text: string }) => each.text)
    .join('\n')

it('tells of a failure, says it again where the other side is away, and tells once of the recovery', async () => {
  await apply(filesGroup('shop', `http://127.0.0.1:${port(hook)}/team`))
  await writeFile(join(dir, 'files/shop-1.csv'), 'id\n1\n')
  expect((await run('shop')).batch.state).toBe('succeeded')
  expect(told).toEqual([])

  answers = [503]
  await writeFile(join(dir, 'files/shop-2.csv'), 'id\n99\n')
  const failed = await run('shop')
  expect(failed.batch.state).toBe('failed')
  await expect.poll(() => told.length, { timeout: 10_000 }).toBe(2)
  expect(told[1]).toMatchObject({
    method: 'POST',
    url: '/team',
    type: 'application/json',
    body: {
      event: 'failed',
      group: 'shop',
      environment: 'laptop',
      batch_id: failed.batch.id,
      state: 'failed',
      error: { code: 'rule_failed', message: expect.stringContaining('small') },
    },
  })
  expect(told[0]).toEqual(told[1])

  const [rule] = (await call('GET', '/api/dq-rules?q=small')).items
  await call('PATCH', `/api/dq-rules/${rule.id}`, { options: { max: 100 } })
  expect((await run('shop')).batch.state).toBe('succeeded')
  await expect.poll(() => told.length, { timeout: 10_000 }).toBe(3)
  expect(told[2]!.body).toMatchObject({ event: 'recovered', state: 'succeeded', error: null })
  expect((await run('shop')).batch.state).toBe('succeeded')
  await wait(300)
  expect(told).toHaveLength(3)
}, 120_000)

it('tells of warnings where somebody wants to hear of them', async () => {
  const set = filesGroup('odd', `http://127.0.0.1:${port(hook)}/odd`)
  await apply({
    ...set,
    groups: [
      {
        ...set.groups[0]!,
        notify: [{ url: `http://127.0.0.1:${port(hook)}/odd`, on: ['warned'] }],
      },
    ],
    dq_rules: set.dq_rules.map((rule) => ({ ...rule, on_fail: 'warn' })),
  })
  await writeFile(join(dir, 'files/odd-1.csv'), 'id\n99\n')
  const { batch } = await run('odd')
  expect(batch).toMatchObject({ state: 'succeeded', warned: true })
  await expect.poll(() => told.length, { timeout: 10_000 }).toBe(1)
  expect(told[0]!.body).toMatchObject({ event: 'warned', state: 'succeeded', error: null })
}, 60_000)

it('follows no redirect, and stays away from private addresses unless they are allowed', async () => {
  await apply(filesGroup('far', `http://127.0.0.1:${port(hook)}/far`))
  await writeFile(join(dir, 'files/far-1.csv'), 'id\n99\n')
  answers = [302, 302, 302]
  const first = await run('far')
  await expect
    .poll(() => linesOf(first.batch.id), { timeout: 15_000 })
    .toContain('Could not notify')
  expect(told.map(({ url }) => url)).toEqual(['/far', '/far', '/far'])

  vi.stubEnv('LAKEFORGE_ALLOW_PRIVATE_HTTP', '')
  told = []
  const second = await run('far')
  await expect
    .poll(() => linesOf(second.batch.id), { timeout: 15_000 })
    .toContain('Could not notify')
  expect(told).toEqual([])
}, 120_000)

it('tries a source that is away again, later each time, and ends a step that is out of time', async () => {
  const source = (name: string, at: number, more: Record<string, unknown>) => ({
    groups: [{ name }],
    sources: [
      {
        name,
        kind: 'postgres',
        options: { host: '127.0.0.1', port: at, database: 'd', user: 'u', sslmode: 'disable' },
      },
    ],
    raw_configs: [
      {
        name: 'orders',
        source: name,
        group: name,
        object: 'public.orders',
        format: 'table',
        read_mode: 'full',
        columns: [{ name: 'id', type: 'int' }],
        ...more,
      },
    ],
  })
  // Nobody listens on port 1
  await apply(source('away', 1, { retries: 2 }))
  await apply(source('mute', port(silent), { retries: 0, timeout_s: 1 }))
  const started = performance.now()
  const away = await run('away')
  expect(away.steps[0]).toMatchObject({ state: 'failed', attempt: 3, error: { retry: true } })
  // One second before the second attempt, two before the third
  expect(performance.now() - started).toBeGreaterThan(3000)
  expect(away.lines.filter((text) => /^Attempt \d failed: /.test(text))).toHaveLength(2)
  const mute = await run('mute')
  expect(mute.steps[0]).toMatchObject({
    state: 'failed',
    attempt: 1,
    error: { code: 'step_timeout' },
  })
}, 120_000)
