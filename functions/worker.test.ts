// The Worker in its real runtime (workerd), against a real PostgreSQL: what differs from Node is what is tried here.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Sql } from '#sql/db.ts'
import { freshServerDb, ON_SERVER } from '#sql/testing.ts'
import { openDb } from '#sql/db.ts'
import { migrate } from '#sql/migrate.ts'
import { createApp } from './app.ts'
import { buildWorker, runWorker, runWorkerd } from './worker.testing.ts'
import type { BuiltWorker, RunningWorker } from './worker.testing.ts'

let built: BuiltWorker
beforeAll(async () => {
  built = await buildWorker()
}, 120_000)
afterAll(() => built?.remove())

describe('what is uploaded', () => {
  it('stays below 500 KB of gzip, the SQL dialect included', async () => {
    expect(built.gzip_bytes).toBeGreaterThan(50_000)
    expect(built.gzip_bytes).toBeLessThan(500_000)
  })
})

describe('without a database', () => {
  let worker: RunningWorker
  beforeAll(async () => {
    worker = await runWorker(built, {})
  }, 60_000)
  afterAll(() => worker?.stop())

  it('says which secret is not set', async () => {
    const answer = await worker.fetch('/api/health')
    expect(answer.status).toBe(503)
    expect(await answer.json()).toMatchObject({
      code: 'database_url_missing',
      hint: expect.stringContaining('wrangler secret put DATABASE_URL'),
    })
    expect(await worker.scheduled()).toBe('exception')
  })
})

const title = ON_SERVER
  ? 'in workerd, on PostgreSQL'
  : 'in workerd, on PostgreSQL (skipped: it needs a server, and TEST_DATABASE_URL names none)'

describe.skipIf(!ON_SERVER)(title, () => {
  let store: { url: string; drop(): Promise<void> }
  let sql: Sql
  let worker: RunningWorker
  let token: string

  beforeAll(async () => {
    store = await freshServerDb()
    sql = openDb(store.url, { max: 1 })
    await migrate(sql)
    // As `lakeforge token create` does on the machine that made the store
    const deps = { sql, engines: {}, version: 'test', dialect: null, sources: null }
    const local = createApp(deps, { mode: 'local' })
    const made = await local.request('http://localhost/api/tokens', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'worker', role: 'admin' }),
    })
    token = ((await made.json()) as { token: string }).token
    worker = await runWorker(built, { DATABASE_URL: store.url })
  }, 120_000)
  afterAll(async () => {
    await worker?.stop()
    await sql?.end()
    await store?.drop()
  })

  // oxlint-disable-next-line typescript/no-explicit-any -- tests look at whatever came back
  type Answer = { status: number; headers: Headers; body: any }
  async function call(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    const answer = await worker.fetch(path, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    const text = await answer.text()
    return {
      status: answer.status,
      headers: answer.headers,
      body: text === '' ? null : JSON.parse(text),
    }
  }
  const make = async (path: string, body: unknown) => {
    const answer = await call('POST', path, body)
    expect(answer.body, path).toMatchObject({ id: expect.any(String) })
    return answer.body
  }

  /** Connections of the Worker to the store; the test's own is not counted. */
  async function connections(): Promise<number> {
    const [row] = await sql<{ count: number }[]>`
      select count(*)::int as count from pg_stat_activity
      where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'
    `
    return row!.count
  }

  /** A group with one raw and one bronze table. */
  async function chain(prefix: string, group_fields: Record<string, unknown> = {}) {
    const group = await make('/api/groups', { name: `${prefix}_group`, ...group_fields })
    const source = await make('/api/sources', {
      name: `${prefix}_source`,
      kind: 'files',
      options: { root: '/data' },
    })
    const raw = await make('/api/raw-configs', {
      name: 'orders',
      source_id: source.id,
      group_id: group.id,
      object: 'orders-*.csv',
      format: 'csv',
      read_mode: 'files',
      columns: [
        { name: 'id', type: 'bigint', source_name: 'ID' },
        { name: 'amount', type: 'decimal(10,2)' },
      ],
      keys: ['id'],
    })
    await make('/api/bronze-configs', { raw_id: raw.id, target: `${prefix}_bronze.orders` })
    return { group, source, raw }
  }

  it('asks every request but health for a token', async () => {
    expect((await worker.fetch('/api/health')).status).toBe(200)
    const refused = await worker.fetch('/api/sources')
    expect(refused.status).toBe(401)
    expect(refused.headers.get('www-authenticate')).toBe('Bearer')
    const wrong = await call('GET', '/api/sources', undefined, {
      authorization: `Bearer lf_${'0'.repeat(64)}`,
    })
    expect(wrong).toMatchObject({ status: 401, body: { code: 'unauthenticated' } })
  })

  it('makes, reads, changes, lists and deletes a source and a group', async () => {
    for (const [path, body] of [
      ['/api/sources', { name: 'mine', kind: 'files', options: { root: '/data' } }],
      ['/api/groups', { name: 'mine', max_parallel: 3 }],
    ] as const) {
      const made = await call('POST', path, body)
      expect(made.status).toBe(201)
      const one = `${path}/${made.body.id}`
      expect(made.headers.get('location')).toBe(one)
      const patched = await call('PATCH', one, { description: 'Ours' }, { 'if-match': '"1"' })
      expect(patched).toMatchObject({ status: 200, body: { description: 'Ours', version: 2 } })
      expect(
        await call('PATCH', one, { description: 'Late' }, { 'if-match': '"1"' }),
      ).toMatchObject({ status: 412, body: { code: 'version_conflict' } })
      const { body: list } = await call('GET', `${path}?include=total`)
      expect(list).toMatchObject({ total: 1, items: [{ name: 'mine' }] })
      expect((await call('DELETE', one)).status).toBe(204)
      expect((await call('GET', one)).body).toMatchObject({ code: 'not_found' })
      const { body: changes } = await call('GET', `/api/changes?row_id=${made.body.id}`)
      expect(changes.items.map((each: { actor: string }) => each.actor)).toEqual([
        'token:worker',
        'token:worker',
        'token:worker',
      ])
    }
  })

  it('checks SQL when it is saved: a right query is stored with its types, a wrong one refused', async () => {
    const { group } = await chain('checked')
    const gold = await make('/api/gold-configs', {
      group_id: group.id,
      target: 'checked_gold.totals',
      query: 'select count(*) as orders, sum(amount) as amount from checked_bronze.orders',
    })
    expect(gold.columns).toMatchObject([
      { name: 'orders', type: 'bigint' },
      { name: 'amount', type: 'decimal(20,2)' },
    ])
    expect(gold.derived).toMatchObject({ inputs: ['checked_bronze.orders'] })
    const wrong = await call('POST', '/api/gold-configs', {
      group_id: group.id,
      target: 'checked_gold.wrong',
      query: 'select sum(amuont) as amount from checked_bronze.orders',
    })
    expect(wrong).toMatchObject({ status: 422, body: { code: 'column_unknown' } })
    const { body: list } = await call('GET', `/api/gold-configs?group_id=${group.id}`)
    expect(list.items.map((each: { target: string }) => each.target)).toEqual([
      'checked_gold.totals',
    ])
  })

  it('plans a group, and asks for a run that an engine elsewhere takes up', async () => {
    const { group } = await chain('asked')
    const { body: planned } = await call('GET', `/api/groups/${group.id}/plan`)
    expect(planned.plan.steps.map((step: { key: string }) => step.key)).toEqual([
      'raw:asked_source.orders',
      'bronze:asked_bronze.orders',
    ])
    await environment()
    const headers = { 'idempotency-key': 'once' }
    const first = await call('POST', `/api/groups/${group.id}/run`, {}, headers)
    expect(first.status).toBe(202)
    const again = await call('POST', `/api/groups/${group.id}/run`, {}, headers)
    expect(again.body.batch_id).toBe(first.body.batch_id)
    const { body: shown } = await call('GET', `/api/batches/${first.body.batch_id}`)
    expect(shown).toMatchObject({ batch: { state: 'pending' }, steps: [{}, {}] })
  })

  it('claims a due schedule as one pending batch, however often and at once it fires', async () => {
    await environment()
    const schedule = await make('/api/schedules', {
      name: 'hourly',
      quartz_cron: '0 0 * * * ?',
      fired_by: 'lakeforge',
    })
    const { group } = await chain('due', { schedule_id: schedule.id })
    // The first look only notes when it is due
    expect(await worker.scheduled()).toBe('ok')
    const of = async () =>
      sql<{ state: string; trigger: string }[]>`
        select state, trigger from logging.batch_run where group_id = ${group.id}
      `
    expect(await of()).toEqual([])
    await sql`
      update logging.schedule_state
      set next_run_at = date_trunc('hour', now()), last_due_at = date_trunc('hour', now()) - interval '1 minute'
      where group_id = ${group.id}
    `
    const outcomes = await Promise.all([worker.scheduled(), worker.scheduled(), worker.scheduled()])
    expect(outcomes).toEqual(['ok', 'ok', 'ok'])
    expect(await worker.scheduled()).toBe('ok')
    expect(await of()).toEqual([{ state: 'pending', trigger: 'schedule' }])
    const [state] = await sql<{ later: boolean; claimed_by: string }[]>`
      select next_run_at > now() as later, claimed_by from logging.schedule_state where group_id = ${group.id}
    `
    expect(state).toEqual({ later: true, claimed_by: 'worker' })
  })

  it('streams what happens in a batch until it ends, then lets its connection go', async () => {
    const { group } = await chain('live')
    await environment()
    const { body: run } = await call('POST', `/api/groups/${group.id}/run`, {})
    const answer = await worker.fetch(`/api/batches/${run.batch_id}/events`, {
      headers: { authorization: `Bearer ${token}` },
    })
    expect(answer.headers.get('content-type')).toContain('text/event-stream')
    const events = readEvents(answer)
    await events.until((each) => each.event === 'batch' && each.data.state === 'pending')
    await sql`select logging.add_events(${run.batch_id}, ${sql.json([
      { step: null, level: 'info', text: 'Half way.' },
    ])})`
    await events.until((each) => each.event === 'log' && each.data.text === 'Half way.')
    for (const { key } of await sql<{ key: string }[]>`
      select key from logging.step_run where batch_id = ${run.batch_id}
    `)
      await sql`select logging.set_step_state(${run.batch_id}, ${key}, 'cancelled')`
    await events.until((each) => each.event === 'end' && each.data.state === 'cancelled')
    await events.ended
    await expect.poll(connections, { timeout: 10_000 }).toBe(0)
  })

  it('lets its connection go when the reader of a stream has gone', async () => {
    const { group } = await chain('gone')
    await environment()
    const { body: run } = await call('POST', `/api/groups/${group.id}/run`, {})
    const alone = await runWorkerd(built, { DATABASE_URL: store.url })
    try {
      const leave = new AbortController()
      const answer = await fetch(`${alone.url}/api/batches/${run.batch_id}/events`, {
        headers: { authorization: `Bearer ${token}` },
        signal: leave.signal,
      })
      await readEvents(answer).until((each) => each.event === 'batch')
      expect(await connections()).toBeGreaterThan(0)
      leave.abort()
      // Only a write tells that nobody reads any more; where nothing happens, the stream writes by itself every 15 s
      await sql`select logging.add_events(${run.batch_id}, ${sql.json([
        { step: null, level: 'info', text: 'Nobody hears this.' },
      ])})`
      await expect.poll(connections, { timeout: 10_000 }).toBe(0)
    } finally {
      await alone.stop()
    }
  })

  it('sends a log of several pages whole', async () => {
    const { group } = await chain('long')
    await environment()
    const { body: run } = await call('POST', `/api/groups/${group.id}/run`, {})
    const lines = Array.from({ length: 2500 }, (_, n) => ({
      step: null,
      level: 'info',
      text: `line ${n}`,
    }))
    await sql`select logging.add_events(${run.batch_id}, ${sql.json(lines)})`
    const answer = await worker.fetch(`/api/logs/events?group=long_group`, {
      headers: { authorization: `Bearer ${token}`, accept: 'application/x-ndjson' },
    })
    const texts = (await answer.text())
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { text: string }).text)
    expect(new Set(texts).size).toBe(2500)
    expect(texts).toHaveLength(2500)
  })

  it('serves the screens, and the start page for each path of the app', async () => {
    expect(await (await worker.fetch('/theme.js')).text()).toBe('/* theme */')
    expect(await (await worker.fetch('/theme.js.gz')).text()).not.toBe('packed')
    for (const path of ['/', '/batches/some-id', '/nothing/here']) {
      const page = await worker.fetch(path, { headers: { 'sec-fetch-mode': 'navigate' } })
      expect(page.status, path).toBe(200)
      expect(page.headers.get('x-frame-options'), path).toBe('DENY')
      expect(await page.text(), path).toContain('<title>LakeForge</title>')
    }
  })

  it('answers for /api and /hooks itself, also when a browser goes there', async () => {
    for (const path of ['/api/nothing', '/hooks/nothing', '/hooks/']) {
      const answer = await worker.fetch(path, {
        headers: { 'sec-fetch-mode': 'navigate', authorization: `Bearer ${token}` },
      })
      expect(answer.status, path).toBe(404)
      expect(await answer.json(), path).toMatchObject({ code: 'route_unknown' })
    }
    const spec = (await call('GET', '/api/openapi.json')).body
    expect(spec).toMatchObject({ openapi: expect.stringMatching(/^3\.1/) })
  })

  it('holds no connection when it has answered', async () => {
    await Promise.all(Array.from({ length: 12 }, () => call('GET', '/api/status')))
    await expect.poll(connections, { timeout: 10_000 }).toBe(0)
  })

  it('says what is wrong with a store that is gone, not there or not prepared', async () => {
    const empty = await freshServerDb()
    const missing = new URL(store.url)
    missing.pathname = '/not_there'
    try {
      for (const [url, path, code] of [
        ['postgres://nobody@127.0.0.1:1/none', '/api/health', 'store_unavailable'],
        [missing.href, '/api/health', 'store_refused'],
        [empty.url, '/api/groups', 'store_not_migrated'],
      ] as const) {
        const wrong = await runWorkerd(built, { DATABASE_URL: url })
        const answer = await fetch(`${wrong.url}${path}`, {
          headers: { authorization: `Bearer ${token}` },
        })
        const problem = await answer.json()
        await wrong.stop()
        expect(problem).toMatchObject({ status: 503, code })
      }
    } finally {
      await empty.drop()
    }
  }, 60_000)

  async function environment(): Promise<void> {
    const { body } = await call('GET', '/api/environments')
    if (body.items.length === 0)
      await make('/api/environments', { name: 'laptop', engine: 'local', is_default: true })
  }
})

// oxlint-disable-next-line typescript/no-explicit-any -- tests look at whatever came back
type ServerEvent = { event: string; data: any }

/** Reads server-sent events. `until` waits for one that fits; `ended` for the end of the stream. */
function readEvents(answer: Response) {
  const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader()
  let text = ''
  const next = async (): Promise<ServerEvent | null> => {
    for (;;) {
      const end = text.indexOf('\n\n')
      if (end >= 0) {
        const fields = new Map(
          text
            .slice(0, end)
            .split('\n')
            .map((line) => line.split(/: ?(.*)/s) as [string, string]),
        )
        text = text.slice(end + 2)
        return { event: fields.get('event') ?? '', data: JSON.parse(fields.get('data') ?? 'null') }
      }
      const { value, done } = await reader.read()
      if (done) return null
      text += value
    }
  }
  return {
    async until(fits: (event: ServerEvent) => boolean): Promise<void> {
      for (let event = await next(); event !== null; event = await next()) if (fits(event)) return
      throw new Error('The stream ended before.')
    },
    get ended() {
      return (async () => {
        while ((await next()) !== null);
      })()
    },
  }
}
