// Rules and sets against the columns of their tables: at save, whichever side is saved, through the API and by files.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openTestApp } from './testing.ts'
import type { TestApp } from './testing.ts'

let app: TestApp
const ids: Record<string, string> = {}

const METADATA = `
groups:
  - { name: shop }
sources:
  - { name: drop, kind: files, options: { root: /tmp } }
raw_configs:
  - name: orders
    source: drop
    group: shop
    object: '*.csv'
    format: csv
    read_mode: files
    columns: [{ name: id, type: int }, { name: name, type: string }, { name: amount, type: 'decimal(10,2)' }]
bronze_configs:
  - { target: bronze.orders, raw: drop.orders }
silver_configs:
  - { target: silver.orders, group: shop, from: [bronze.orders], load_type: merge, keys: [id], tags: [sales] }
  - target: silver.past
    group: shop
    from: [bronze.orders]
    load_type: scd2
    keys: [id]
    sequence_by: id
    select: [{ name: id, expression: id }, { name: amount, expression: amount }]
`
const SET = {
  name: 'basics',
  rules: [
    { name: 'there', check: 'range', columns: ['id'], options: { min: '{{least}}' } },
    { name: 'named', check: 'expression', options: { expression: 'length(name) > 0' } },
  ],
  parameters: { least: 0 },
  zones: ['silver'],
}

beforeAll(async () => {
  app = await openTestApp()
  const answer = await app.call('POST', '/api/apply', {
    files: [{ name: 'a.yaml', text: METADATA }],
  })
  expect(answer.status, JSON.stringify(answer.body)).toBe(200)
  for (const kind of ['silver-configs', 'raw-configs', 'groups'])
    for (const row of (await app.call('GET', `/api/${kind}`)).body.items)
      ids[row.target ?? row.name] = row.id
}, 60_000)
afterAll(() => app.sql.end())

const rule = (more: Record<string, unknown>) =>
  app.call('POST', '/api/dq-rules?dry_run=true', {
    name: 'r',
    target: 'silver.orders',
    check: 'not_null',
    columns: ['id'],
    ...more,
  })
const paths = (body: { errors?: { path: string }[] }) => body.errors?.map(({ path }) => path)

describe('a rule', () => {
  it.each([
    [{ columns: ['id', 'nmae', 'amuont'] }, ['columns.1', 'columns.2']],
    [{ target: 'silver.none' }, ['target']],
    [
      { check: 'range', columns: ['amount'], options: { min: 'few', max: 'many' } },
      ['options.min', 'options.max'],
    ],
    [
      { check: 'accepted_values', columns: ['id'], options: { values: [1, '2', 'x', true] } },
      ['options.values.2', 'options.values.3'],
    ],
    [{ check: 'regex', columns: ['id'], options: { pattern: 'x' } }, ['columns.0']],
    [
      { check: 'referential', options: { table: 'silver.past', columns: ['idd'] } },
      ['options.columns.0'],
    ],
    [
      { check: 'referential', options: { table: 'silver.gone', columns: ['id'] } },
      ['options.table'],
    ],
    [{ filter: 'amount > nothing' }, ['filter']],
    // The load adds it after the rules have looked
    [{ target: 'silver.past', columns: ['__START_AT'] }, ['columns.0']],
  ])('%j is refused at its fields', async (more, fields) => {
    const { status, body } = await rule(more)
    expect(status, JSON.stringify(body)).toBe(422)
    expect(paths(body)).toEqual(fields)
  })

  it.each([
    { columns: ['ID'] },
    { check: 'range', columns: ['amount'], options: { min: '0.5', max: 10 } },
    { check: 'referential', options: { table: 'silver.past', columns: ['id'] } },
    { check: 'referential', options: { table: 'silver.past', columns: ['__START_AT'] } },
  ])('%j is taken', async (more) => {
    const { status, body } = await rule(more)
    expect(status, JSON.stringify(body)).toBe(201)
  })
})

describe('a rule set', () => {
  it('is held against every table that it is attached to, its parameters filled in', async () => {
    const all = await app.call('POST', '/api/rule-sets', { ...SET, attach_tables: ['silver.*'] })
    expect(all.status, JSON.stringify(all.body)).toBe(422)
    expect(all.body.errors).toMatchObject([
      { path: 'rules.1.options.expression', message: expect.stringContaining('silver.past') },
    ])
    const wrong = await app.call('POST', '/api/rule-sets', {
      ...SET,
      parameters: { least: 'none' },
      attach_tags: ['sales'],
    })
    expect(paths(wrong.body)).toEqual(['rules.0.options.min'])
    const draft = await app.call('POST', '/api/rule-sets?dry_run=true', {
      ...SET,
      status: 'draft',
      attach_tables: ['silver.*'],
    })
    expect(draft.status).toBe(201)
    const made = await app.call('POST', '/api/rule-sets', { ...SET, attach_tags: ['sales'] })
    expect(made.status, JSON.stringify(made.body)).toBe(201)
  })

  it('keeps a table from losing what its rules look at, and from a tag that does not fit', async () => {
    const silver = (name: string, body: unknown) =>
      app.call('PATCH', `/api/silver-configs/${ids[name]}`, body)
    const select = [{ name: 'id', expression: 'id' }]
    expect(await silver('silver.orders', { select })).toMatchObject({
      status: 409,
      body: { code: 'breaks_dependant', detail: expect.stringContaining('rule set basics') },
    })
    expect(await silver('silver.past', { tags: ['sales'] })).toMatchObject({
      status: 409,
      body: { code: 'breaks_dependant' },
    })
    expect(await silver('silver.past', { tags: ['other'] })).toMatchObject({ status: 200 })
    const columns = [
      { name: 'id', type: 'int' },
      { name: 'amount', type: 'string' },
    ]
    expect(await app.call('PATCH', `/api/raw-configs/${ids.orders}`, { columns })).toMatchObject({
      status: 409,
      body: { code: 'breaks_dependant' },
    })
  })

  it('is held the same way by apply, at the line that breaks it', async () => {
    const apply = (text: string) =>
      app.call('POST', '/api/apply?dry_run=true', {
        files: [{ name: 'a.yaml', text }],
        dry_run: true,
      })
    const tagged = await apply(
      METADATA.replace('load_type: scd2', 'load_type: scd2\n    tags: [sales]'),
    )
    expect(tagged.body.errors, JSON.stringify(tagged.body)).toMatchObject([
      { file: 'a.yaml', code: 'breaks_dependant', message: expect.stringContaining('silver.past') },
    ])
    const set = `
rule_sets:
  - name: other
    attach_tables: [silver.past]
    rules: [{ name: x, check: not_null, columns: [name] }]
`
    const refused = await apply(METADATA + set)
    expect(refused.body.errors).toMatchObject([
      { file: 'a.yaml', line: 29, message: 'silver.past has no column name.' },
    ])
  })
})

describe('a table', () => {
  it('says of which columns it does not have, field by field', async () => {
    const draft = {
      target: 'silver.more',
      group_id: ids.shop,
      from: ['bronze.orders'],
      load_type: 'append',
      column_policies: [
        { column: 'id', pii: true },
        { column: 'mail', pii: true },
      ],
      cluster_by: ['amount', 'day'],
    }
    const silver = await app.call('POST', '/api/silver-configs', draft)
    expect(paths(silver.body)).toEqual(['column_policies.1.column', 'cluster_by.1'])
    const keys = await app.call('POST', '/api/silver-configs', {
      ...draft,
      column_policies: [],
      cluster_by: [],
      load_type: 'merge',
      keys: ['id', 'idd'],
    })
    expect(paths(keys.body)).toEqual(['keys.1'])
    const gold = await app.call('POST', '/api/gold-configs', {
      target: 'gold.n',
      group_id: ids.shop,
      query: 'select count(*) as n from silver.orders',
      cluster_by: ['m'],
    })
    expect(paths(gold.body)).toEqual(['cluster_by.0'])
  })
})
