// What every configured thing can, tried on those that differ most, through the routes on a real store.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openTestApp } from './testing.ts'
import type { TestApp } from './testing.ts'

let app: TestApp
beforeAll(async () => {
  app = await openTestApp()
})
afterAll(() => app.sql.end())

const files = (name: string) => ({ name, kind: 'files', options: { root: '/data' } })
const make = async (path: string, body: unknown) => {
  const answer = await app.call('POST', path, body)
  expect(answer.body, path).toMatchObject({ id: expect.any(String) })
  return answer.body
}

/** A group with one table in raw and bronze; silver and gold are the test's. */
async function chain(prefix: string) {
  const group = await make('/api/groups', { name: `${prefix}_group` })
  const source = await make('/api/sources', files(`${prefix}_source`))
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
      { name: 'placed_at', type: 'timestamp' },
    ],
    keys: ['id'],
  })
  const bronze = await make('/api/bronze-configs', {
    raw_id: raw.id,
    target: `${prefix}_bronze.orders`,
  })
  return { group, source, raw, bronze }
}

describe('a resource', () => {
  it('is made, read, changed and deleted, with its version as ETag', async () => {
    const made = await app.call('POST', '/api/sources', files('orders'))
    expect(made.status).toBe(201)
    expect(made.headers.get('etag')).toBe('"1"')
    const path = `/api/sources/${made.body.id}`
    expect(made.headers.get('location')).toBe(path)
    const patched = await app.call(
      'PATCH',
      path,
      { description: 'All orders' },
      { 'if-match': '"1"' },
    )
    expect(patched).toMatchObject({
      status: 200,
      body: { description: 'All orders', version: 2, kind: 'files' },
    })
    expect((await app.call('GET', path)).body.version).toBe(2)
    expect((await app.call('DELETE', path, undefined, { 'if-match': '"2"' })).status).toBe(204)
    expect((await app.call('GET', path)).body).toMatchObject({ code: 'not_found', status: 404 })
  })

  it('refuses a stale version, and says so as 412', async () => {
    const source = await make('/api/sources', files('stale'))
    await app.call('PATCH', `/api/sources/${source.id}`, { owner: 'team a' })
    const late = await app.call(
      'PATCH',
      `/api/sources/${source.id}`,
      { owner: 'team b' },
      { 'if-match': '"1"' },
    )
    expect(late).toMatchObject({ status: 412, body: { code: 'version_conflict' } })
    expect((await app.call('GET', `/api/sources/${source.id}`)).body.owner).toBe('team a')
  })

  it('refuses a second one of the same name', async () => {
    await make('/api/groups', { name: 'twice' })
    expect(await app.call('POST', '/api/groups', { name: 'twice' })).toMatchObject({
      status: 409,
      body: { code: 'already_exists' },
    })
  })

  it('names the path of each wrong field and never repeats a value', async () => {
    const answer = await app.call('POST', '/api/sources', {
      name: 'Bad Name',
      kind: 'postgres',
      options: { host: 'h', database: 'd', user: 'u', password: 'hunter2-plain' },
      surprise: 'zzz-unknown',
    })
    expect(answer.status).toBe(422)
    const text = JSON.stringify(answer.body)
    expect(text).not.toContain('hunter2')
    expect(text).not.toContain('Bad Name')
    expect(text).not.toContain('zzz-unknown')
    expect(answer.body.errors.map((each: { path: string }) => each.path)).toEqual(
      expect.arrayContaining(['name', 'surprise']),
    )
    expect(answer.body.errors).toContainEqual({
      path: 'surprise',
      message: 'There is no such field here.',
    })
    expect(answer.headers.get('content-type')).toContain('application/problem+json')
    expect(answer.body.request_id).toMatch(/^[0-9a-f-]{36}$/)
  })

  it('does everything in a dry run but keep it', async () => {
    const dry = await app.call('POST', '/api/groups?dry_run=true', { name: 'dry' })
    expect(dry).toMatchObject({ status: 201, body: { name: 'dry', version: 1 } })
    expect((await app.call('GET', `/api/groups/${dry.body.id}`)).status).toBe(404)
    const taken = await app.call('POST', '/api/groups?dry_run=true', { name: 'twice' })
    expect(taken.body.code).toBe('already_exists')
    const [audit] =
      await app.sql`select count(*)::int as count from config.change where row_id = ${dry.body.id}`
    expect(audit!.count).toBe(0)
  })

  it('lists by page without a gap or a repetition, filtered, sorted, with total and facets', async () => {
    for (let n = 0; n < 7; n++)
      await make('/api/schedules', { name: `page_${n}`, quartz_cron: '0 0 6 * * ?' })
    const seen: string[] = []
    let after: string | null = ''
    while (after !== null) {
      const page = await app.call(
        'GET',
        `/api/schedules?limit=3&sort=-created_at&q=page_${after ? `&after=${after}` : ''}`,
      )
      expect(page.status).toBe(200)
      seen.push(...page.body.items.map((each: { name: string }) => each.name))
      after = page.body.next
    }
    expect(seen).toEqual(['page_6', 'page_5', 'page_4', 'page_3', 'page_2', 'page_1', 'page_0'])
    const counted = await app.call('GET', '/api/schedules?include=total,facets&kind=cron&limit=1')
    expect(counted.body).toMatchObject({
      total: 7,
      facets: { kind: [{ value: 'cron', count: 7 }] },
    })
    expect((await app.call('GET', '/api/schedules?after=nonsense')).body.code).toBe(
      'cursor_invalid',
    )
  })

  it('is not deleted while others depend on it, and lists them', async () => {
    const { source, group, raw } = await chain('held')
    const answer = await app.call('DELETE', `/api/sources/${source.id}`)
    expect(answer).toMatchObject({ status: 409, body: { code: 'in_use' } })
    expect(answer.body.dependants).toEqual([
      { table_name: 'raw_config', id: raw.id, name: 'orders' },
    ])
    const all = await app.call('GET', `/api/groups/${group.id}/dependants`)
    expect(all.body.items).toHaveLength(1)
  })

  it('leaves an audit of who changed what, with the state before', async () => {
    const profile = await make('/api/compute-profiles', { name: 'small', workers: 1 })
    await app.call('PATCH', `/api/compute-profiles/${profile.id}`, { workers: 2 })
    const { body } = await app.call('GET', `/api/changes?row_id=${profile.id}`)
    expect(body.items).toMatchObject([
      { actor: 'local', operation: 'update', before: { workers: 1 }, after: { workers: 2 } },
      { actor: 'local', operation: 'insert', before: null },
    ])
    const found = await app.call(
      'GET',
      `/api/changes?q=SMA&table=compute_profile&include=total,facets`,
    )
    expect(found.body).toMatchObject({ total: 2, items: [{ name: 'small' }, { name: 'small' }] })
    expect(found.body.facets.actor).toContainEqual(expect.objectContaining({ value: 'local' }))
    expect((await app.call('GET', '/api/changes?q=sm_ll')).body.items).toEqual([])
    const file = (accept: string) =>
      app.call('GET', `/api/changes?row_id=${profile.id}`, undefined, { accept })
    const csv = (await file('text/csv')).body.trim().split('\r\n')
    expect(csv).toHaveLength(3)
    expect(csv[0]).toMatch(/^changed_at,actor,operation,/)
    const lines = (await file('application/x-ndjson')).body.trim().split('\n')
    expect(lines.map((line: string) => JSON.parse(line).operation)).toEqual(['update', 'insert'])
  })

  it('answers problem documents for broken JSON, unknown routes and malformed ids', async () => {
    expect(await app.call('POST', '/api/groups', '{"name":')).toMatchObject({
      body: { code: 'json_invalid' },
    })
    expect(await app.call('GET', '/api/nothing')).toMatchObject({
      status: 404,
      body: { code: 'route_unknown' },
    })
    expect(await app.call('GET', '/api/groups/not-a-uuid')).toMatchObject({
      body: { code: 'value_malformed' },
    })
  })
})

describe('tables with SQL in them', () => {
  it('get their types, inputs and lineage at save', async () => {
    const { group } = await chain('typed')
    const silver = await make('/api/silver-configs', {
      group_id: group.id,
      target: 'typed_silver.orders',
      from: ['typed_bronze.orders'],
      select: [
        { name: 'id', expression: 'id' },
        { name: 'double_amount', expression: 'amount * 2 -- twice' },
        { name: 'placed_at', expression: 'placed_at' },
      ],
      where: 'amount > 0',
      load_type: 'merge',
      keys: ['id'],
      sequence_by: 'placed_at',
    })
    expect(
      silver.columns.map((each: { name: string; type: string }) => [each.name, each.type]),
    ).toEqual([
      ['id', 'bigint'],
      ['double_amount', 'decimal(12,2)'],
      ['placed_at', 'timestamp'],
    ])
    expect(silver.derived).toMatchObject({
      inputs: ['typed_bronze.orders'],
      sequence_type: 'timestamp',
    })
    const gold = await make('/api/gold-configs', {
      group_id: group.id,
      target: 'typed_gold.totals',
      query: 'select count(*) as orders, sum(double_amount) as amount from typed_silver.orders',
    })
    expect(gold.columns).toMatchObject([
      { name: 'orders', type: 'bigint' },
      { name: 'amount', type: 'decimal(22,2)' },
    ])
    const plan = await app.call('GET', `/api/groups/${group.id}/plan`)
    expect(plan.body.plan.steps.map((step: { key: string }) => step.key)).toEqual([
      'raw:typed_source.orders',
      'bronze:typed_bronze.orders',
      'silver:typed_silver.orders',
      'gold:typed_gold.totals',
    ])
    expect((await app.call('GET', `/api/groups/${group.id}/plan`)).body.hash).toBe(plan.body.hash)
  })

  it('are refused with a word about the column that is not there', async () => {
    const { group } = await chain('wrong')
    const answer = await app.call('POST', '/api/gold-configs', {
      group_id: group.id,
      target: 'wrong_gold.totals',
      query: 'select sum(amuont) as amount from wrong_bronze.orders',
    })
    expect(answer).toMatchObject({ status: 422, body: { code: 'column_unknown' } })
    expect(answer.body.detail).toContain('amuont')
    expect(answer.body.hint).toContain('amount')
  })

  it('follow a change of the columns upstream, and keep it from breaking them', async () => {
    const { group, raw } = await chain('follow')
    const silver = await make('/api/silver-configs', {
      group_id: group.id,
      target: 'follow_silver.orders',
      from: ['follow_bronze.orders'],
      load_type: 'append',
    })
    const gold = await make('/api/gold-configs', {
      group_id: group.id,
      target: 'follow_gold.totals',
      query: 'select max(amount) as amount from follow_silver.orders',
    })
    const columns = (amount: string) => [
      { name: 'id', type: 'bigint' },
      { name: amount, type: 'decimal(12,4)' },
      { name: 'placed_at', type: 'timestamp' },
    ]
    expect(
      (await app.call('PATCH', `/api/raw-configs/${raw.id}`, { columns: columns('amount') }))
        .status,
    ).toBe(200)
    expect((await app.call('GET', `/api/silver-configs/${silver.id}`)).body.columns[1].type).toBe(
      'decimal(12,4)',
    )
    expect((await app.call('GET', `/api/gold-configs/${gold.id}`)).body.columns[0].type).toBe(
      'decimal(12,4)',
    )
    const broken = await app.call('PATCH', `/api/raw-configs/${raw.id}`, {
      columns: columns('price'),
    })
    expect(broken).toMatchObject({ status: 409, body: { code: 'breaks_dependant' } })
    expect((await app.call('GET', `/api/raw-configs/${raw.id}`)).body.columns[1].name).toBe(
      'amount',
    )
  })

  it('are not stored where SQL cannot be checked', async () => {
    const { group } = await chain('blind')
    const blind = await openTestApp({ sql: app.sql, dialect: null })
    const answer = await blind.call('POST', '/api/gold-configs', {
      group_id: group.id,
      target: 'blind_gold.totals',
      query: 'select 1 as one',
    })
    expect(answer).toMatchObject({ status: 503, body: { code: 'sql_check_unavailable' } })
    const [row] =
      await app.sql`select count(*)::int as count from config.gold_config where target = 'blind_gold.totals'`
    expect(row!.count).toBe(0)
  })

  it('have rules that are checked against their columns', async () => {
    const { group } = await chain('ruled')
    await make('/api/silver-configs', {
      group_id: group.id,
      target: 'ruled_silver.orders',
      from: ['ruled_bronze.orders'],
      load_type: 'append',
    })
    const rule = { target: 'ruled_silver.orders', on_fail: 'quarantine' }
    await make('/api/dq-rules', { ...rule, name: 'id_there', check: 'not_null', columns: ['id'] })
    await make('/api/dq-rules', {
      ...rule,
      name: 'positive',
      check: 'expression',
      options: { expression: 'amount >= 0' },
    })
    expect(
      (
        await app.call('POST', '/api/dq-rules', {
          ...rule,
          name: 'no',
          check: 'not_null',
          columns: ['nope'],
        })
      ).body,
    ).toMatchObject({ code: 'validation_failed', errors: [{ path: 'columns.0' }] })
    expect(
      (
        await app.call('POST', '/api/dq-rules', {
          ...rule,
          name: 'no',
          check: 'expression',
          options: { expression: 'read_csv(1)' },
        })
      ).status,
    ).toBe(422)
    const sets = await make('/api/rule-sets', {
      name: 'every_order',
      rules: [{ name: 'id', check: 'not_null', columns: ['id'] }],
      attach_tables: ['ruled_silver.*'],
    })
    expect(sets.rules).toHaveLength(1)
    const { body } = await app.call('GET', `/api/groups/${group.id}/plan`)
    const step = body.plan.steps.find(
      (each: { key: string }) => each.key === 'silver:ruled_silver.orders',
    )
    expect(step.rules.map((each: { name: string }) => each.name)).toEqual([
      'every_order.id',
      'id_there',
      'positive',
    ])
  })
})
