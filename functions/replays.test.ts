// A replay that is applied, for real: tables go back, batches run again, and all is as in a history that nobody disturbed; also when
// the process that does it is killed at its worst moments.
import { spawn } from 'node:child_process'
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createApp } from './app.ts'
import { openHome } from './home.ts'
import type { OpenHome } from './home.ts'
import type { Answer } from './testing.ts'

const CLI = join(import.meta.dirname, 'cli.ts')
let dir: string
let home: OpenHome
/** Of the four batches, in order. */
let batches: string[]
let undisturbed: unknown

const METADATA = (root: string) => `
groups:
  - { name: shop, retries: 0, on_failure: continue }
  - { name: report, retries: 0 }
sources:
  - { name: drop, kind: files, options: { root: '${root}' } }
raw_configs:
  - name: orders
    source: drop
    group: shop
    object: orders-*.csv
    format: csv
    read_mode: files
    columns: [{ name: id, type: int }, { name: name, type: string }, { name: at, type: int }]
bronze_configs:
  - { target: bronze.orders, raw: drop.orders }
silver_configs:
  - { target: silver.all, group: shop, from: [bronze.orders], load_type: append }
  - { target: silver.now, group: shop, from: [bronze.orders], load_type: merge, keys: [id], sequence_by: at, dedupe: true }
  - { target: silver.past, group: shop, from: [bronze.orders], load_type: scd2, keys: [id], sequence_by: at }
gold_configs:
  - { target: gold.names, group: shop, query: 'select name, count(*) as n from silver.now group by name' }
  - { target: gold.other, group: report, query: 'select count(*) as n from silver.past' }
dq_rules:
  - { name: named, target: silver.all, check: not_null, columns: [name], on_fail: quarantine }
  - { name: early, target: silver.past, check: range, columns: [at], options: { max: 90 }, on_fail: fail }
`
const FILES = [
  '1,ann,1\\n2,bob,1\\n3,,1\\n',
  '1,anna,2\\n4,dan,2\\n',
  // The third batch fails the rule of silver.past
  '5,eve,99\\n2,rob,3\\n',
  '6,,4\\n1,ann,4\\n',
].map((rows) => `id,name,at\\n${rows}`.replaceAll('\\n', '\n'))

async function call(opened: OpenHome, method: string, path: string, body?: unknown) {
  const answer = await opened.app.request(`http://localhost${path}`, {
    method,
    headers: body === undefined ? {} : { 'content-type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  const text = await answer.text()
  return { status: answer.status, body: JSON.parse(text) as Answer['body'] }
}

async function until<Value>(read: () => Promise<Value>, good: (value: Value) => boolean) {
  for (;;) {
    const value = await read()
    if (good(value)) return value
    await wait(50)
  }
}

async function run(opened: OpenHome, group: string): Promise<Answer['body']> {
  const [found] = (await call(opened, 'GET', `/api/groups?q=${group}`)).body.items
  const { body } = await call(opened, 'POST', `/api/groups/${found.id}/run`, {})
  return ended(opened, body.batch_id)
}

async function ended(opened: OpenHome, id: string): Promise<Answer['body']> {
  const detail = await until(
    () => call(opened, 'GET', `/api/batches/${id}`),
    ({ body }) => body.batch.finished_at !== null,
  )
  return detail.body
}

async function replayed(opened: OpenHome, id: string): Promise<Answer['body']> {
  const { body } = await until(
    () => call(opened, 'GET', `/api/batches/${id}/replay`),
    (answer) => !['pending', 'running'].includes(answer.body.state),
  )
  return body
}

/** Rows of all tables; of the audit columns only the batch, which must stay the same. */
async function rowsOf(opened: OpenHome) {
  const queries = {
    'bronze.orders': 'select id, name, at, _batch_id from bronze.orders',
    'silver.all': 'select id, name, at from silver.all',
    'silver.now': 'select id, name, at from silver.now',
    'silver.past': 'select id, name, at, __START_AT, __END_AT from silver.past',
    'gold.names': 'select * from gold.names',
  }
  const rows: Record<string, string[]> = {}
  for (const [table, query] of Object.entries(queries)) {
    const { status, body } = await call(opened, 'POST', '/api/sql', { sql: query, limit: 1000 })
    expect(status, JSON.stringify(body)).toBe(200)
    rows[table] = body.rows.map((row: unknown) => JSON.stringify(row)).sort()
  }
  const quarantine = await call(opened, 'GET', '/api/tables/silver.all/quarantine')
  rows.quarantine = quarantine.body.rows.map((row: unknown) => JSON.stringify(row)).sort()
  return rows
}

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'lakeforge replay '))
  await mkdir(join(dir, 'files'))
  home = await openHome({ dir: join(dir, 'home'), env: {} })
  const files = [{ name: 'shop.yaml', text: METADATA(join(dir, 'files')) }]
  const applied = await call(home, 'POST', '/api/apply', { files })
  expect(applied.status, JSON.stringify(applied.body)).toBe(200)
  batches = []
  for (const [at, text] of FILES.entries()) {
    await writeFile(join(dir, `files/orders-${at + 1}.csv`), text)
    const { batch } = await run(home, 'shop')
    expect(batch.state).toBe(at === 2 ? 'failed' : 'succeeded')
    batches.push(batch.id)
    // The rule is loosened before the last batch, which takes what the third had left
    if (at === 2) {
      const [rule] = (await call(home, 'GET', '/api/dq-rules?q=early')).body.items
      const patch = await call(home, 'PATCH', `/api/dq-rules/${rule.id}`, { options: { max: 100 } })
      expect(patch.status, JSON.stringify(patch.body)).toBe(200)
    }
  }
  expect((await run(home, 'report')).batch.state).toBe('succeeded')
  undisturbed = await rowsOf(home)
  await home.close()
  await cp(join(dir, 'home'), join(dir, 'former'), { recursive: true })
  home = await openHome({ dir: join(dir, 'home'), env: {} })
}, 120_000)
afterAll(async () => {
  await home.close()
  await rm(dir, { recursive: true, force: true })
})

describe('a replay that is applied', () => {
  it('first says which tables go back, which batches run again, and who else reads them', async () => {
    const { status, body } = await call(home, 'POST', `/api/batches/${batches[1]}/replay`, {
      apply: true,
      dry_run: true,
    })
    expect(status, JSON.stringify(body)).toBe(200)
    expect(body.tables).toMatchObject([
      { table: 'bronze.orders', from_version: 3, to_version: 0, from_rows: 9, to_rows: 3 },
      { table: 'silver.all', from_version: 3, to_version: 0, from_rows: 7, to_rows: 2 },
      { table: 'silver.now', from_version: 3, to_version: 0, from_rows: 6, to_rows: 3 },
      { table: 'silver.past', from_version: 2, to_version: 0 },
      { table: 'gold.names', from_version: 3, to_version: 0 },
    ])
    expect(body.batches.map((each: { id: string }) => each.id)).toEqual(batches.slice(1))
    expect(body.batches[0].steps).not.toContain('raw:drop.orders')
    expect(body.readers).toEqual([
      { group_name: 'report', table: 'gold.other', reads: ['silver.past'] },
    ])
    expect(body.bytes_read).toBeGreaterThan(0)
    expect((await call(home, 'GET', `/api/batches/${batches[1]}/replay`)).status).toBe(404)
    expect(await rowsOf(home)).toEqual(undisturbed)
  })

  it('ends as the history that nobody disturbed, batch by batch, and goes on from there', async () => {
    const asked = await call(home, 'POST', `/api/batches/${batches[1]}/replay`, { apply: true })
    expect(asked).toMatchObject({ status: 202, body: { state: 'pending', batches: [] } })
    const again = await call(home, 'POST', `/api/batches/${batches[0]}/replay`, { apply: true })
    expect(again.status).toBe(409)
    expect(['replay_open', 'batch_running']).toContain(again.body.code)
    const done = await replayed(home, batches[1]!)
    // The third fails its rule again, as its plan says; the fourth takes its rows
    expect(done.batches).toMatchObject([
      { seq: '2', state: 'succeeded' },
      { seq: '3', state: 'failed' },
      { seq: '4', state: 'succeeded' },
    ])
    expect(done).toMatchObject({ state: 'failed', error: null })
    expect(await rowsOf(home)).toEqual(undisturbed)
    const silver = await call(home, 'GET', `/api/batches/${batches[3]}`)
    expect(silver.body.batch).toMatchObject({ attempt: 2, replay_run_id: done.id })
    expect(
      silver.body.steps.find((each: { key: string }) => each.key === 'silver:silver.all'),
    ).toMatchObject({ delta_version_after: 8, rows_read: 2, attempt: 1 })
    expect(silver.body.steps[0]).toMatchObject({ zone: 'raw', attempt: 1, state: 'succeeded' })

    await writeFile(join(dir, 'files/orders-5.csv'), 'id,name,at\n7,gus,5\n')
    expect((await run(home, 'shop')).batch.state).toBe('succeeded')
    const count = await call(home, 'POST', '/api/sql', {
      sql: 'select count(*) as a from silver.all',
    })
    expect(count.body.rows).toEqual([['8']])
  }, 60_000)

  it('is refused while a batch of its tables is open, for a replay, and where raw is gone', async () => {
    const [found] = (await call(home, 'GET', '/api/groups?q=shop')).body.items
    const { body } = await call(home, 'POST', `/api/groups/${found.id}/run`, {})
    const refused = await call(home, 'POST', `/api/batches/${batches[0]}/replay`, { apply: true })
    expect(refused).toMatchObject({ status: 409, body: { code: 'batch_running' } })
    await ended(home, body.batch_id)
    const compare = await call(home, 'POST', `/api/batches/${batches[0]}/replay`, {})
    await ended(home, compare.body.batch_id)
    expect(
      await call(home, 'POST', `/api/batches/${compare.body.batch_id}/replay`, { apply: true }),
    ).toMatchObject({ status: 409, body: { code: 'nothing_to_replay' } })

    const raw = join(dir, 'home/lake/raw/drop/orders/seq=2')
    await rm(raw, { recursive: true })
    const before = await rowsOf(home)
    const gone = { code: 'raw_gone', hint: expect.stringContaining('Refresh') }
    expect(
      await call(home, 'POST', `/api/batches/${batches[1]}/replay`, { apply: true, dry_run: true }),
    ).toMatchObject({ status: 409, body: gone })
    await call(home, 'POST', `/api/batches/${batches[1]}/replay`, { apply: true })
    expect(await replayed(home, batches[1]!)).toMatchObject({
      state: 'failed',
      restored_at: null,
      tables: [],
      batches: [],
      error: gone,
    })
    expect(await rowsOf(home)).toEqual(before)
    // A later one needs only what is there
    await call(home, 'POST', `/api/batches/${batches[3]}/replay`, { apply: true })
    expect(await replayed(home, batches[3]!)).toMatchObject({ state: 'succeeded' })
    expect(await rowsOf(home)).toEqual(before)
  }, 60_000)

  it('wants an editor, where an operator may look and compare', async () => {
    const made = await call(home, 'POST', '/api/tokens', { name: 'op', role: 'operator' })
    const app = createApp(
      { sql: home.sql, engines: {}, version: 'test', dialect: null, sources: null },
      { mode: 'token' },
    )
    const ask = async (body: unknown) => {
      const answer = await app.request(`http://localhost/api/batches/${batches[3]}/replay`, {
        method: 'POST',
        headers: { authorization: `Bearer ${made.body.token}`, 'content-type': 'application/json' },
        body: JSON.stringify(body),
      })
      return [answer.status, ((await answer.json()) as { code?: string }).code]
    }
    expect(await ask({ apply: true })).toEqual([403, 'forbidden'])
    // Where no engine runs, nobody can look into the tables
    expect(await ask({ apply: true, dry_run: true })).toEqual([503, 'engine_unavailable'])
    expect(await ask({ dry_run: true })).toEqual([200, undefined])
    const nowhere = await call(
      home,
      'POST',
      '/api/batches/0198c7aa-0000-7000-8000-000000000000/replay',
    )
    expect(nowhere).toMatchObject({ status: 404, body: { code: 'not_found' } })
  })
})

describe('a replay whose process is killed', () => {
  const replay = (copy: string, env: Record<string, string>, killAt: string | null = null) =>
    new Promise<{ code: number | null; signal: string | null; out: string; err: string }>(
      (resolve) => {
        const child = spawn(process.execPath, [CLI, 'replay', batches[1]!, '--apply', '--yes'], {
          cwd: dir,
          env: { PATH: process.env.PATH, LAKEFORGE_HOME: copy, NO_COLOR: '1', ...env },
          stdio: ['ignore', 'pipe', 'pipe'],
        })
        let out = ''
        let err = ''
        child.stdout.on('data', (data: Buffer) => (out += data.toString()))
        child.stderr.on('data', (data: Buffer) => {
          err += data.toString()
          if (killAt !== null && err.includes(killAt)) child.kill('SIGKILL')
        })
        child.on('close', (code, signal) => resolve({ code, signal, out, err }))
      },
    )

  it('goes on at the next start, wherever it was', async () => {
    const points = join(dir, 'points')
    const whole = join(dir, 'whole')
    await cp(join(dir, 'former'), whole, { recursive: true })
    const { code, out, err } = await replay(whole, { LAKEFORGE_CRASH_LIST: points })
    expect([code, err]).toEqual([1, expect.stringContaining('silver:silver.all succeeded')])
    expect(out).toContain('Replay failed')
    const list = (await readFile(points, 'utf8')).split('\n')
    const number = (pattern: RegExp, nth = 0) =>
      list.filter((line) => pattern.test(line) && line.endsWith('after'))[nth]!.split(' ')[0]!
    const kills = [
      // In the middle of the tables
      `${number(/ link /, 3)}:after`,
      `${number(/postgres restored/)}:before`,
      // Whose batches run, it is killed from outside
      'while Batch 3 runs',
    ]
    for (const kill of kills) {
      const copy = join(dir, `killed ${kill.replace(':', ' ')}`)
      await cp(join(dir, 'former'), copy, { recursive: true })
      const killed = await replay(
        copy,
        {
          LAKEFORGE_CRASH_LIST: `${points}-${kill.replace(':', '-')}`,
          LAKEFORGE_CRASH_AT: kill,
        },
        kill.startsWith('while') ? 'Batch 3' : null,
      )
      expect(killed.signal, `${kill} ${killed.err}`).toBe('SIGKILL')
      const opened = await openHome({ dir: copy, env: {}, schedules: false })
      try {
        const done = await replayed(opened, batches[1]!)
        expect(done.batches, kill).toMatchObject([
          { state: 'succeeded' },
          { state: 'failed' },
          { state: 'succeeded' },
        ])
        expect(done.tables, kill).toHaveLength(5)
        expect(await rowsOf(opened), kill).toEqual(undisturbed)
      } finally {
        await opened.close()
      }
    }
  }, 240_000)

  it('asks before it does anything, and does nothing where nobody answers', async () => {
    const ended = await new Promise<{ code: number | null; err: string }>((resolve) => {
      const child = spawn(process.execPath, [CLI, 'replay', batches[1]!, '--apply'], {
        cwd: dir,
        env: { PATH: process.env.PATH, LAKEFORGE_HOME: join(dir, 'whole'), NO_COLOR: '1' },
        stdio: ['ignore', 'ignore', 'pipe'],
      })
      let err = ''
      child.stderr.on('data', (data: Buffer) => (err += data.toString()))
      child.on('close', (code) => resolve({ code, err }))
    })
    expect(ended.code).toBe(1)
    expect(ended.err).toMatch(/bronze\.orders +\d+ +9 +\d+ +3/)
    expect(ended.err).toContain('Other groups read these tables')
    expect(ended.err).toContain('There is nobody to ask.')
    expect(ended.err).toContain('Nothing was changed.')
  }, 60_000)
})
