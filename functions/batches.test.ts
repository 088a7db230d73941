// A group run for real, over files, through the API: what a client sees of its batch, its tables, its logs; then what goes wrong.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openHome } from './home.ts'
import type { OpenHome } from './home.ts'
import type { Answer } from './testing.ts'

let dir: string
let home: OpenHome
let group_id: string

const call = async (
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> => {
  const answer = await home.app.request(`http://localhost${path}`, {
    method,
    headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  const text = await answer.text()
  const json = /application\/(problem\+)?json/.test(answer.headers.get('content-type') ?? '')
  return { status: answer.status, headers: answer.headers, body: json ? JSON.parse(text) : text }
}

async function run(headers: Record<string, string> = {}): Promise<Answer['body']> {
  const started = await call('POST', `/api/groups/${group_id}/run`, {}, headers)
  expect(started.status, JSON.stringify(started.body)).toBe(202)
  return ended(started.body.batch_id)
}

async function ended(id: string): Promise<Answer['body']> {
  for (;;) {
    const { body } = await call('GET', `/api/batches/${id}`)
    if (body.batch.finished_at !== null) return body
    await wait(50)
  }
}

const METADATA = (root: string) => `
groups:
  - { name: shop, retries: 0 }
sources:
  - { name: shop, kind: files, options: { root: '${root}' } }
raw_configs:
  - name: orders
    source: shop
    group: shop
    object: orders-*.csv
    format: csv
    read_mode: files
    columns:
      - { name: id, type: int }
      - { name: email, type: string }
      - { name: amount, type: 'decimal(10,2)' }
bronze_configs:
  - { target: bronze.orders, raw: shop.orders }
silver_configs:
  - target: silver.orders
    group: shop
    from: [bronze.orders]
    load_type: merge
    keys: [id]
    dedupe: true
    column_policies: [{ column: email, pii: true }]
gold_configs:
  - target: gold.turnover
    group: shop
    query: select count(*) as orders, sum(amount) as amount from silver.orders
dq_rules:
  - { name: amount_there, target: silver.orders, check: not_null, columns: [amount], on_fail: quarantine }
  - { name: not_too_much, target: silver.orders, check: range, columns: [amount], options: { max: 1000 }, null_passes: true, on_fail: fail }
`

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'lakeforge shop '))
  await mkdir(join(dir, 'files'))
  home = await openHome({ dir: join(dir, 'home'), env: {} })
  const applied = await call('POST', '/api/apply', {
    files: [{ name: 'shop.yaml', text: METADATA(join(dir, 'files')) }],
  })
  expect(applied.status, JSON.stringify(applied.body)).toBe(200)
  group_id = (await call('GET', '/api/groups')).body.items[0].id
}, 60_000)
afterAll(async () => {
  await home.close()
  await rm(dir, { recursive: true, force: true })
})

describe('a batch', () => {
  it('takes the files through all zones, and its sheet closes', async () => {
    await writeFile(
      join(dir, 'files/orders-1.csv'),
      'id,email,amount\n1,a@x.example,2.50\n2,b@x.example,\n3,c@x.example,4.00\n3,c@x.example,4.00\n',
    )
    const { batch, zones, tables, steps, rules } = await run()
    expect(batch).toMatchObject({
      state: 'succeeded',
      seq: '1',
      group_name: 'shop',
      trigger: 'manual',
      can: ['replay'],
    })
    expect(zones.map((each: { zone: string; state: string }) => [each.zone, each.state])).toEqual([
      ['raw', 'succeeded'],
      ['bronze', 'succeeded'],
      ['silver', 'succeeded'],
      ['gold', 'succeeded'],
    ])
    expect(tables).toHaveLength(4)
    const silver = steps.find((each: { key: string }) => each.key === 'silver:silver.orders')
    expect(silver).toMatchObject({
      rows_read: 4,
      rows_written: 2,
      rows_quarantined: 1,
      rows_deduplicated: 1,
      rows_dropped: 0,
    })
    expect(rules.find((each: { name: string }) => each.name === 'amount_there')).toMatchObject({
      rows_checked: 4,
      rows_failed: 1,
      applied: true,
    })
  })

  it('shows rows, quarantine, versions and profile of its tables', async () => {
    const gold = await call('GET', '/api/tables/gold.turnover/preview')
    expect(gold.body.rows).toEqual([['2', '6.50']])
    const quarantine = await call('GET', '/api/tables/silver.orders/quarantine')
    expect(quarantine.body.rows).toHaveLength(1)
    expect(JSON.stringify(quarantine.body.rows)).toContain('amount_there')
    const asked = await call('POST', '/api/sql', {
      sql: 'select id, _errors[0].rule as rule from silver.orders_quarantine',
    })
    expect(asked.body.rows, JSON.stringify(asked.body)).toEqual([
      [expect.anything(), 'amount_there'],
    ])
    expect((await call('GET', '/api/tables/gold.turnover/quarantine')).body.rows).toEqual([])
    const history = await call('GET', '/api/tables/silver.orders/history')
    expect(history.body.items).toMatchObject([{ delta_version_after: 0, rows_written: 2 }])
    const profile = await call('GET', '/api/tables/silver.orders/profile')
    expect(
      profile.body.items.find((each: { column: string }) => each.column === 'id'),
    ).toMatchObject({ rows: 2, nulls: 0 })
    const all = await call('GET', '/api/tables?zone=silver')
    expect(all.body.items).toMatchObject([
      { name: 'silver.orders', group: 'shop', state: 'succeeded' },
    ])
    const versions = await call('GET', '/api/tables/silver.orders/preview?version=7')
    expect(versions.status).toBeGreaterThanOrEqual(400)
  })

  it('is scored by its rules, and leads from a rule to its rows in quarantine', async () => {
    const { items } = (await call('GET', '/api/quality/tables')).body
    expect(items).toMatchObject([
      { name: 'silver.orders', approved: 2, open: 0, failing: 1, score: 1 - 1 / 8 },
    ])
    const [rule] = (await call('GET', '/api/dq-rules?column=AMOUNT&check=not_null')).body.items
    expect((await call('GET', `/api/dq-rules?group=${group_id}`)).body.items).toHaveLength(2)
    expect((await call('GET', '/api/dq-rules?column=nothing')).body.items).toEqual([])
    const trend = (await call('GET', `/api/quality/trend?rule=${rule.id}`)).body
    expect(trend).toMatchObject({
      items: [{ seq: '1', rows_checked: 4, rows_failed: 1, applied: true }],
      failing_since: { seq: '1' },
      first_failed: { seq: '1' },
    })
    const grid = (await call('GET', '/api/quality/grid?table=silver.orders&group=shop')).body
    expect(grid.batches).toHaveLength(1)
    expect(grid.runs.map((each: { name: string }) => each.name)).toEqual([
      'amount_there',
      'not_too_much',
    ])
    const lies = (await call('GET', '/api/quality/quarantine')).body.items
    expect(lies).toMatchObject([
      {
        table: 'silver.orders',
        rows_quarantined: 1,
        rules: [{ rule_id: rule.id, name: 'amount_there', rows_failed: 1 }],
      },
    ])
    const rows = (query: string) =>
      call('GET', `/api/tables/silver.orders/quarantine?${query}`).then(({ body }) => body.rows)
    expect(await rows('rule=amount_there')).toHaveLength(1)
    expect(await rows(`rule=amount_there&batch=${lies[0].last_batch_id}`)).toHaveLength(1)
    expect(await rows("rule=o'clock")).toEqual([])
    expect(await rows(`batch=${group_id}`)).toEqual([])
  })

  it('is part of what the last hours sum up to', async () => {
    const { body } = await call('GET', '/api/overview?hours=1')
    expect(body).toMatchObject({
      states: [{ state: 'succeeded', count: 1 }],
      rows: { rejected: 1 },
      rows_before: { written: 0, rejected: 0 },
      late: [],
    })
    const listed = await call('GET', `/api/batches?from=${body.from}&include=total`)
    expect(listed.body.total).toBe(1)
  })

  it('leaves lineage of tables and columns', async () => {
    const up = await call('GET', '/api/lineage?table=gold.turnover&direction=up')
    expect(
      up.body.edges.map(
        (each: { from_table: string; to_table: string }) => `${each.from_table} > ${each.to_table}`,
      ),
    ).toEqual(
      expect.arrayContaining([
        'silver.orders > gold.turnover',
        'bronze.orders > silver.orders',
        'shop.orders > bronze.orders',
      ]),
    )
    const column = await call('GET', '/api/lineage?table=gold.turnover&column=amount&direction=up')
    expect(column.body.edges).toEqual(
      expect.arrayContaining([
        expect.objectContaining({
          from_table: 'silver.orders',
          from_column: 'amount',
          to_column: 'amount',
        }),
      ]),
    )
  })

  it('is written to every log, as pages, CSV and JSON lines', async () => {
    for (const log of ['batches', 'zones', 'tables', 'steps', 'rules', 'files', 'events']) {
      const { status, body } = await call('GET', `/api/logs/${log}?group=shop&limit=2`)
      expect(status, `${log} ${JSON.stringify(body)}`).toBe(200)
      expect(body.items.length, log).toBeGreaterThan(0)
    }
    expect((await call('GET', '/api/logs/schema-changes')).body.items).toEqual([])
    expect((await call('GET', '/api/logs/syncs')).body.items).toEqual([])
    const lines = (
      await call('GET', '/api/logs/steps', undefined, { accept: 'application/x-ndjson' })
    ).body
      .trim()
      .split('\n')
    expect(lines.map((line: string) => JSON.parse(line).key)).toContain('silver:silver.orders')
    const csv = (await call('GET', '/api/logs/files', undefined, { accept: 'text/csv' }))
      .body as string
    expect(csv.split('\r\n')[0]).toContain('sha256')
    const seen: string[] = []
    let after: string | null = ''
    while (after !== null) {
      const page: Answer = await call(
        'GET',
        `/api/logs/events?limit=3${after && `&after=${after}`}`,
      )
      seen.push(...page.body.items.map((each: { number: string }) => String(each.number)))
      after = page.body.next
    }
    expect(new Set(seen).size).toBe(seen.length)
    const [step] = (await call('GET', '/api/logs/steps?table=silver.orders')).body.items
    const said = await call('GET', `/api/logs/steps/${step.id}/lines`)
    expect(said.body.items.map((each: { text: string }) => each.text).join('\n')).toContain(
      'succeeded',
    )
    const [rule] = (await call('GET', '/api/logs/rules?state=failed')).body.items
    expect((await call('GET', `/api/logs/rules/${rule.id}/samples`)).body.items).toHaveLength(1)
  })

  it('tells what happens as a stream that goes on after the last event seen', async () => {
    const [batch] = (await call('GET', '/api/batches?group=shop&state=succeeded&include=total'))
      .body.items
    const whole = (await call('GET', `/api/batches/${batch.id}/events`)).body as string
    const ids = [...whole.matchAll(/^id: (\d+)$/gm)].map((match) => Number(match[1]))
    expect(ids).toEqual(ids.map((_, index) => index + 1))
    expect(whole).toContain('event: end')
    const rest = (
      await call('GET', `/api/batches/${batch.id}/events`, undefined, { 'last-event-id': '3' })
    ).body as string
    expect([...rest.matchAll(/^id: (\d+)$/gm)].map((match) => Number(match[1]))).toEqual(
      ids.slice(3),
    )
    const plan = await call('GET', `/api/batches/${batch.id}/plan`)
    expect(plan.body).toMatchObject({ hash: batch.plan_hash, input: { seq: '1' } })
  })

  it('is one batch however often the same request comes', async () => {
    const key = { 'idempotency-key': 'again-and-again' }
    const first = await run(key)
    const second = await run(key)
    expect(second.batch.id).toBe(first.batch.id)
    expect(
      first.steps.find((each: { key: string }) => each.key === 'silver:silver.orders'),
    ).toMatchObject({ rows_read: 0, delta_version_after: 0 })
  })

  it('that fails a rule writes nothing, names the cause, and goes on with a retry after the cause is gone', async () => {
    await writeFile(join(dir, 'files/orders-2.csv'), 'id,email,amount\n4,d@x.example,5000.00\n')
    const failed = await run()
    expect(failed.batch).toMatchObject({ state: 'failed', can: ['retry', 'replay'] })
    expect(failed.batch.error.message).toMatch(/not_too_much/)
    const step = (key: string, detail: Answer['body']) =>
      detail.steps.find((each: { key: string }) => each.key === key)
    expect(step('gold:gold.turnover', failed)).toMatchObject({
      state: 'skipped',
      root_cause: 'silver:silver.orders',
    })
    expect((await call('GET', '/api/tables/gold.turnover/preview')).body.rows).toEqual([
      ['2', '6.50'],
    ])
    const preview = await call('POST', `/api/batches/${failed.batch.id}/retry?dry_run=true`)
    expect(preview.body.steps).toEqual(['silver:silver.orders', 'gold:gold.turnover'])
    const retry = `/api/batches/${failed.batch.id}/retry?dry_run=true`
    expect((await call('POST', `${retry}&scope=failed`)).body.items).toEqual([
      { key: 'silver:silver.orders', zone: 'silver', table: 'silver.orders', state: 'failed' },
      { key: 'gold:gold.turnover', zone: 'gold', table: 'gold.turnover', state: 'skipped' },
    ])
    expect((await call('POST', `${retry}&scope=step&from=raw:nothing`)).body.code).toBe(
      'step_unknown',
    )
    const compared = await call('GET', `/api/batches/${failed.batch.id}/compare`)
    expect(compared.body).toMatchObject({ base: { seq: '2', state: 'succeeded' }, settings: [] })
    expect(
      compared.body.steps.find((each: { key: string }) => each.key === 'silver:silver.orders'),
    ).toMatchObject({ now: { state: 'failed' }, base: { state: 'succeeded', rows_read: 0 } })
    const again = await call('POST', `/api/batches/${failed.batch.id}/retry`)
    expect(again.status).toBe(202)
    const still = await ended(failed.batch.id)
    expect(still.batch).toMatchObject({ state: 'failed', attempt: 2 })

    // The rule is relaxed: a new batch takes the failed one's rows
    const [rule] = (await call('GET', '/api/dq-rules?target=silver.orders&check=range')).body.items
    expect(
      (await call('PATCH', `/api/dq-rules/${rule.id}`, { options: { max: 10000 } })).status,
    ).toBe(200)
    const next = await run()
    expect(next.batch.state).toBe('succeeded')
    const changed = await call('GET', `/api/batches/${next.batch.id}/compare`)
    expect(changed.body.settings).toEqual([
      {
        step: 'silver:silver.orders',
        change: 'changed',
        settings: [{ path: 'rules.not_too_much.options.max', before: 1000, after: 10000 }],
      },
    ])
    const [one] = (await call('GET', '/api/batches?state=succeeded&group=shop')).body.items.slice(
      -1,
    )
    expect((await call('GET', `/api/batches/${one.id}/compare`)).body).toMatchObject({ base: null })
    const beside = `/api/batches/${next.batch.id}/compare?with=${failed.batch.id}`
    expect((await call('GET', beside)).body.base.id).toBe(failed.batch.id)
    expect((await call('GET', '/api/tables/gold.turnover/preview')).body.rows).toEqual([
      ['3', '5006.50'],
    ])
    expect((await call('POST', `/api/batches/${next.batch.id}/retry`)).body.code).toBe(
      'nothing_to_retry',
    )
    expect((await call('POST', `/api/batches/${next.batch.id}/cancel`)).body.code).toBe(
      'batch_final',
    )
  })

  it('is repeated beside its tables by a replay, which finds the same and changes nothing', async () => {
    const [first] = (await call('GET', '/api/logs/batches?group=shop&state=succeeded&sort=time'))
      .body.items
    const before = (await call('GET', '/api/tables/silver.orders/history')).body.items
    const asked = await call('POST', `/api/batches/${first.batch_id}/replay`)
    expect(asked.status, JSON.stringify(asked.body)).toBe(202)
    const replay = await ended(asked.body.batch_id)
    expect(replay.batch.error).toBeNull()
    expect(replay.batch).toMatchObject({
      state: 'succeeded',
      trigger: 'replay',
      replay_of: first.batch_id,
    })
    expect((await call('GET', '/api/tables/silver.orders/history')).body.items).toEqual(before)
    expect((await run()).batch.state).toBe('succeeded')
    const again = await call('POST', `/api/batches/${replay.batch.id}/replay`)
    expect(again.body.code).toBe('nothing_to_replay')
  })

  it('is found by its state, its group, its trigger, and by what it is not', async () => {
    const seqs = async (query: string) =>
      (await call('GET', `/api/batches?${query}`)).body.items.map(
        (each: { seq: string }) => each.seq,
      )
    const all = await seqs('group=shop')
    const failed = await seqs('state=failed')
    expect(failed).toHaveLength(1)
    expect(await seqs('not_state=failed')).toEqual(all.filter((seq: string) => seq !== failed[0]))
    const [replay] = await seqs('trigger=replay')
    expect(all).toContain(replay)
    expect(await seqs('state=failed,succeeded&not_trigger=replay')).not.toContain(replay)
    expect(await seqs('not_group=shop')).toEqual([])
    expect(await seqs('state=nonsense')).toEqual([])
    expect(await seqs('warned=true')).toEqual([])
    expect(await seqs('from=2999-01-01T00:00:00Z')).toEqual([])
    const { body } = await call('GET', '/api/batches?state=failed&include=total,facets')
    expect(body.total).toBe(1)
    expect(body.facets.state).toContainEqual({ value: 'failed', label: 'failed', count: 1 })
    expect(body.facets.state.length).toBeGreaterThan(1)
    expect(body.facets.group).toMatchObject([{ label: 'shop', count: 1 }])
  })

  it('is one of many that are counted first and then retried together', async () => {
    const select = (action: string, filter: object) =>
      call('POST', '/api/batches/select', { action, filter })
    const able = (await select('retry', { group: 'shop' })).body
    expect(able).toMatchObject({ able: 1, items: [{ state: 'failed' }] })
    expect(able.matching).toBeGreaterThan(1)
    expect((await select('cancel', {})).body).toMatchObject({ able: 0, items: [] })
    expect((await select('retry', { nonsense: '1' })).status).toBe(422)
    const good = (await call('GET', '/api/batches?state=succeeded')).body.items[0].id
    const done = await call('POST', '/api/batches/bulk', {
      action: 'retry',
      ids: [able.items[0].id, good, able.items[0].id.replace(/.{12}$/, '0'.repeat(12))],
    })
    expect(done.status).toBe(202)
    expect(done.body.done).toEqual([able.items[0].id])
    expect(done.body.refused.map((each: { code: string }) => each.code).sort()).toEqual([
      'not_found',
      'nothing_to_retry',
    ])
    // A later batch took its rows meanwhile: it says so instead of writing them twice
    const again = await ended(able.items[0].id)
    expect(again.batch.state).not.toBe('failed')
    expect(again.steps.find((each: { zone: string }) => each.zone === 'silver').state).toBe(
      'skipped',
    )
  })

  it('has its lines by range, level and search, and as a text', async () => {
    const [batch] = (await call('GET', '/api/batches?group=shop')).body.items.slice(-1)
    const lines = `/api/batches/${batch.id}/lines`
    const first = (await call('GET', `${lines}?limit=2`)).body
    expect(first.items.map((each: { seq: number }) => each.seq)).toEqual([1, 2])
    const rest = (await call('GET', `${lines}?after=${first.next}&limit=10000`)).body
    expect(rest.items[0].seq).toBe(3)
    expect(rest).toMatchObject({ next: null, last: rest.items.at(-1).seq })
    expect((await call('GET', `/api/batches/${batch.id}`)).body.last_event).toBe(rest.last)
    expect((await call('GET', `${lines}?level=error`)).body.items).toEqual([])
    const found = (await call('GET', `${lines}?q=Quarantined&step=silver:silver.orders`)).body.items
    expect(found).toHaveLength(1)
    const text = (await call('GET', `${lines}?format=text`)).body as string
    expect(text.trim().split('\n')).toHaveLength(rest.last)
    expect(text).toMatch(/Z INFO {2}silver:silver\.orders succeeded: /)
  })

  it('is counted in the metrics, and the doctor finds nothing wrong', async () => {
    const metrics = await call('GET', '/api/metrics')
    expect(metrics.body).toMatch(
      /lakeforge_batches\{group="shop",environment="laptop",state="succeeded"\} 6/,
    )
    const { body } = await call('GET', '/api/doctor')
    expect(body.findings.filter((each: { state: string }) => each.state === 'failed')).toEqual([])
    expect((await call('GET', '/api/status')).body).toMatchObject({
      engines: expect.arrayContaining(['local']),
      running: [],
    })
    const spec = await call('GET', '/api/openapi.json')
    expect(spec.body.openapi).toMatch(/^3\.1/)
    expect(Object.keys(spec.body.paths).length).toBeGreaterThan(40)
    expect((await call('GET', '/api/docs')).body).toContain('LakeForge API')
    expect((await call('GET', '/api/docs.js')).body).toContain('/api/openapi.json')
  })
})
