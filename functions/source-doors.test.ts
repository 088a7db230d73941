// Looking into a folder of files and registering them through all zones, as the wizard and the CLI do.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openSourceDoor } from '#engine/local/source-door.ts'
import { openTestApp } from './testing.ts'
import type { TestApp } from './testing.ts'

let app: TestApp
let dir: string
let source_id: string
let group_id: string
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'lakeforge source '))
  await writeFile(join(dir, 'orders-1.csv'), 'Order ID,Größe,amount\n1,10,2.50\n2,11,\n')
  await writeFile(join(dir, 'orders-2.csv'), 'Order ID,Größe,amount\n3,12,7.25\n')
  await writeFile(
    join(dir, 'people.json'),
    '[{"name":"Ada","born":"1815-12-10"},{"name":"Björn","born":null}]',
  )
  app = await openTestApp({ sources: openSourceDoor({ home: dir }) })
  source_id = (
    await app.call('POST', '/api/sources', {
      name: 'folder',
      kind: 'files',
      options: { root: dir },
    })
  ).body.id
  group_id = (await app.call('POST', '/api/groups', { name: 'orders' })).body.id
})
afterAll(async () => {
  await app.sql.end()
  await rm(dir, { recursive: true, force: true })
})

it('tests a source in named steps, and says which of them failed and what to do', async () => {
  const good = await app.call('POST', `/api/sources/${source_id}/test`)
  expect(good.body.ok).toBe(true)
  expect(good.body.steps.length).toBeGreaterThan(1)
  const { body } = await app.call('POST', '/api/sources', {
    name: 'gone',
    kind: 'files',
    options: { root: join(dir, 'nothing') },
  })
  const bad = await app.call('POST', `/api/sources/${body.id}/test`)
  expect(bad.body.ok).toBe(false)
  const failed = bad.body.steps.find((step: { state: string }) => step.state === 'failed')
  expect(failed.hint).toMatch(/\S/)
})

it('discovers what is there: files of one kind as one object, legal names, types', async () => {
  const { body } = await app.call('POST', `/api/sources/${source_id}/discover`)
  const orders = body.items.find((each: { object: string }) => each.object.startsWith('orders'))
  expect(orders).toMatchObject({ object: 'orders-*.csv', format: 'csv' })
  expect(
    orders.columns.map((each: { name: string; source_name?: string }) => [
      each.name,
      each.source_name,
    ]),
  ).toEqual([
    ['order_id', 'Order ID'],
    ['grosse', 'Größe'],
    ['amount', 'amount'],
  ])
})

it('previews rows and a profile of an object', async () => {
  const { status, body } = await app.call('POST', `/api/sources/${source_id}/preview`, {
    object: 'orders-*.csv',
    limit: 2,
  })
  expect(status).toBe(200)
  expect(body.rows).toHaveLength(2)
  expect(body.profile.find((each: { column: string }) => each.column === 'amount')).toMatchObject({
    nulls: 1,
  })
  const unknown = await app.call('POST', `/api/sources/${source_id}/preview`, {
    object: '../secret',
  })
  expect(unknown.body.code).toBe('object_unknown')
})

it('registers tables through all zones in one call, or shows what it would register', async () => {
  const wish = {
    group_id,
    tables: [
      { object: 'orders-*.csv', name: 'orders', keys: ['order_id'] },
      { object: 'people.json', name: 'people' },
    ],
  }
  const dry = await app.call('POST', `/api/sources/${source_id}/onboard?dry_run=true`, wish)
  expect(dry).toMatchObject({
    status: 201,
    body: { tables: [{ silver: 'silver.orders', load_type: 'merge' }, { load_type: 'append' }] },
  })
  expect((await app.call('GET', '/api/raw-configs')).body.items).toEqual([])
  expect((await app.call('POST', `/api/sources/${source_id}/onboard`, wish)).status).toBe(201)
  const plan = await app.call('GET', `/api/groups/${group_id}/plan`)
  expect(plan.body.plan.steps.map((step: { key: string }) => step.key)).toEqual([
    'raw:folder.orders',
    'raw:folder.people',
    'bronze:bronze.orders',
    'bronze:bronze.people',
    'silver:silver.orders',
    'silver:silver.people',
  ])
  const twice = await app.call('POST', `/api/sources/${source_id}/onboard`, wish)
  expect(twice).toMatchObject({
    status: 409,
    body: { code: 'already_exists', errors: [{ path: 'tables.0' }] },
  })
})

it('makes the group of new tables in the same call, and takes it back when a table is refused', async () => {
  const tables = [{ object: 'people.json', name: 'people_again' }]
  const wish = { new_group: 'fresh', bronze_schema: 'b2', silver_schema: 's2', tables }
  const both = await app.call('POST', `/api/sources/${source_id}/onboard`, { ...wish, group_id })
  expect(both.body.code).toBe('validation_failed')
  const refused = await app.call('POST', `/api/sources/${source_id}/onboard`, {
    ...wish,
    tables: [...tables, { object: 'people.json', name: 'of_whom', keys: ['nobody'] }],
  })
  expect(refused).toMatchObject({ status: 422, body: { errors: [{ path: 'tables.1.keys.0' }] } })
  expect((await app.call('GET', '/api/groups?q=fresh')).body.items).toEqual([])
  const made = await app.call('POST', `/api/sources/${source_id}/onboard`, wish)
  expect(made.body.tables).toMatchObject([{ bronze: 'b2.people_again', silver: 's2.people_again' }])
  const group = await app.call('GET', `/api/groups/${made.body.group_id}`)
  expect(group.body.name).toBe('fresh')
})

it('says what reads each source and how that went, also before anything ran', async () => {
  const { body } = await app.call('GET', '/api/sources/health')
  const mine = body.items.find((each: { source_id: string }) => each.source_id === source_id)
  expect(mine).toMatchObject({
    tables: 3,
    succeeded: 0,
    failed: 0,
    last_read_at: null,
    error: null,
  })
  expect(mine.groups.map((each: { name: string }) => each.name)).toEqual(['fresh', 'orders'])
  const one = await app.call('GET', `/api/sources/health?id=${source_id}`)
  expect(one.body.items).toEqual([mine])
})

it('answers what it found some minutes ago, and looks again when told to or when the source changed', async () => {
  const discover = (query = '') => app.call('POST', `/api/sources/${source_id}/discover${query}`)
  const first = await discover()
  await writeFile(join(dir, 'late.csv'), 'a\n1\n')
  const names = (answer: { body: { items: { name: string }[] } }) =>
    answer.body.items.map((each) => each.name)
  const again = await discover()
  expect(again.body.discovered_at).toBe(first.body.discovered_at)
  expect(names(again)).not.toContain('late')
  expect(names(await discover('?fresh=true'))).toContain('late')
  await rm(join(dir, 'late.csv'))
  await app.call('PATCH', `/api/sources/${source_id}`, { owner: 'ada' })
  expect(names(await discover())).not.toContain('late')
})
