// Tables as their screens see them, over a shop that has really run: the graph, a table's page, lineage of columns, previews of
// configs before they are saved; and the graph of a thousand tables.
import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { snippetsOf } from '#core/table-snippets.ts'
import { openHome } from './home.ts'
import type { OpenHome } from './home.ts'
import type { Answer } from './testing.ts'

let dir: string
let home: OpenHome

const call = async (method: string, path: string, body?: unknown): Promise<Answer> => {
  const answer = await home.app.request(`http://localhost${path}`, {
    method,
    headers: body === undefined ? {} : { 'content-type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  return { status: answer.status, headers: answer.headers, body: await answer.json() }
}
const get = async (path: string) => {
  const answer = await call('GET', path)
  expect(answer.status, JSON.stringify(answer.body)).toBe(200)
  return answer.body
}

const METADATA = (root: string) => `
groups:
  - { name: shop, retries: 0 }
sources:
  - { name: files, kind: files, options: { root: '${root}' } }
raw_configs:
  - name: orders
    source: files
    group: shop
    object: orders.csv
    format: csv
    read_mode: files
    columns:
      - { name: id, type: int }
      - { name: email, type: string }
      - { name: amount, type: 'decimal(10,2)' }
bronze_configs:
  - target: bronze.orders
    raw: files.orders
    owner: sales team
    column_policies: [{ column: email, policy: hash, rename: email_hash, comment: Who ordered }]
silver_configs:
  - target: silver.orders
    group: shop
    from: [bronze.orders]
    load_type: append
    select:
      - { name: id, expression: id }
      - { name: buyer, expression: email_hash }
      - { name: cents, expression: cast(amount * 100 as bigint) }
    where: amount is not null
gold_configs:
  - target: gold.turnover
    group: shop
    query: select count(*) as orders, sum(cents) / 100 as amount, max(id) as id from silver.orders
dq_rules:
  - { name: amount_there, target: bronze.orders, check: not_null, columns: [amount], on_fail: warn }
`

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'lakeforge tables '))
  await mkdir(join(dir, 'files'))
  await writeFile(
    join(dir, 'files/orders.csv'),
    'id,email,amount\n1,a@x,2.50\n2,b@x,\n3,c@x,4.00\n',
  )
  home = await openHome({ dir: join(dir, 'home'), env: {} })
  const applied = await call('POST', '/api/apply', {
    files: [{ name: 'shop.yaml', text: METADATA(join(dir, 'files')) }],
  })
  expect(applied.status, JSON.stringify(applied.body)).toBe(200)
}, 60_000)
afterAll(async () => {
  await home.close()
  await rm(dir, { recursive: true, force: true })
})

describe('before anything ran', () => {
  it('the graph has every node in its zone and every edge, without a state', async () => {
    const { environment, nodes, edges } = await get('/api/lineage/graph')
    expect(environment).toBe('laptop')
    expect(nodes.map((node: { id: string; zone: string }) => [node.zone, node.id])).toEqual([
      ['source', 'source:files'],
      ['raw', 'raw:files.orders'],
      ['bronze', 'bronze.orders'],
      ['silver', 'silver.orders'],
      ['gold', 'gold.turnover'],
    ])
    expect(edges).toEqual([
      { from: 'bronze.orders', to: 'silver.orders' },
      { from: 'raw:files.orders', to: 'bronze.orders' },
      { from: 'silver.orders', to: 'gold.turnover' },
      { from: 'source:files', to: 'raw:files.orders' },
    ])
    expect(nodes[2]).toMatchObject({ group: 'shop', owner: 'sales team', state: null, rules: 1 })
    expect(nodes[2]).toMatchObject({ batch_id: null, rows_written: null, fresh_at: null })
  })

  it('a preview says which table has no rows yet, and derives the columns all the same', async () => {
    const { status, body } = await call('POST', '/api/silver-configs/preview', {
      from: ['bronze.orders'],
    })
    expect(status).toBe(200)
    expect(body).toMatchObject({ empty: 'bronze.orders', rows: [] })
    expect(body.columns.map((column: { name: string }) => column.name)).toEqual([
      'id',
      'email_hash',
      'amount',
    ])
  })

  it('a table that no config writes is not found', async () => {
    const { status, body } = await call('GET', '/api/tables/silver.nothing')
    expect([status, body.code]).toEqual([404, 'not_found'])
  })
})

describe('after a batch', () => {
  let batch_id: string
  beforeAll(async () => {
    const group_id = (await get('/api/groups')).items[0].id
    batch_id = (await call('POST', `/api/groups/${group_id}/run`, {})).body.batch_id
    for (;;) {
      const { batch } = await get(`/api/batches/${batch_id}`)
      if (batch.finished_at !== null) break
      await wait(50)
    }
  }, 60_000)

  it('the graph shows how each table did', async () => {
    const { nodes } = await get('/api/lineage/graph')
    const node = (id: string) => nodes.find((each: { id: string }) => each.id === id)
    expect(node('raw:files.orders')).toMatchObject({ state: 'succeeded', batch_id, warned: false })
    expect(node('bronze.orders')).toMatchObject({ state: 'succeeded', rows_read: 3 })
    expect(node('silver.orders')).toMatchObject({ rows_written: 2, rows_rejected: 0 })
    expect(node('gold.turnover').fresh_at).toEqual(node('gold.turnover').finished_at)
    expect(node('source:files')).toMatchObject({ state: null, how: 'files' })
  })

  it('a page of a table has its columns with what was said of them, its runs and its place', async () => {
    const table = await get('/api/tables/bronze.orders')
    expect(table).toMatchObject({ zone: 'bronze', group: 'shop', owner: 'sales team', rules: 1 })
    expect(table.columns[1]).toMatchObject({
      name: 'email_hash',
      type: 'string',
      policy: 'hash',
      comment: 'Who ordered',
      own: false,
    })
    expect(table.columns.at(-1).own).toBe(true)
    expect(table.runs).toHaveLength(1)
    expect(table.runs[0]).toMatchObject({ batch_id, seq: '1', state: 'succeeded', rows_read: 3 })
    expect(table.location).toBe(join(dir, 'home', 'lake', 'tables', 'bronze', 'orders'))
    expect(await get('/api/tables/silver.orders/count')).toEqual({ rows: 2, version: 0 })
  })

  it('a silver preview shows the rows that pass the condition, in their derived types', async () => {
    const { status, body } = await call('POST', '/api/silver-configs/preview', {
      from: ['bronze.orders'],
      select: [{ name: 'twice', expression: 'amount * 2' }],
      where: 'amount > 3',
      sequence_by: 'id',
      load_type: 'scd2',
      keys: ['twice'],
    })
    expect(status, JSON.stringify(body)).toBe(200)
    expect(body).toMatchObject({
      columns: [{ name: 'twice', type: 'decimal(12,2)', nullable: true }],
      rows: [['8.00']],
      inputs: ['bronze.orders'],
      versions: { 'bronze.orders': 0 },
      empty: null,
    })
  })

  it('a fault is said at its field, with its place in the text', async () => {
    const silver = await call('POST', '/api/silver-configs/preview', {
      from: ['bronze.orders'],
      select: [{ name: 'a', expression: 'id +\n  nothing_there' }],
    })
    expect(silver.status).toBe(422)
    expect(silver.body.errors).toEqual([
      expect.objectContaining({ path: 'select.0.expression', line: 2, column: 3 }),
    ])
    const gold = await call('POST', '/api/gold-configs/preview', { query: 'select frob(1) as a' })
    expect(gold.body.errors).toEqual([
      expect.objectContaining({ path: 'query', line: 1, column: 8 }),
    ])
  })

  it('a gold preview runs the query, at most to its limit; with 0 it only checks', async () => {
    const query = 'select id from silver.orders order by id'
    const { body } = await call('POST', '/api/gold-configs/preview', { query, limit: 1 })
    expect(body).toMatchObject({ rows: [[1]], truncated: true })
    const checked = await call('POST', '/api/gold-configs/preview', { query, limit: 0 })
    expect(checked.body).toMatchObject({ rows: [], columns: [{ name: 'id', type: 'int' }] })
  })

  it('the way of a column is told to both ends, with the SQL that makes it', async () => {
    const { edges } = await get('/api/lineage/columns?table=silver.orders&column=cents')
    expect(edges).toEqual([
      {
        from: { table: 'bronze.orders', column: 'amount' },
        to: { table: 'silver.orders', column: 'cents' },
        expression: 'cast(amount * 100 as bigint)',
        kind: 'derived',
      },
      {
        from: { table: 'raw:files.orders', column: 'amount' },
        to: { table: 'bronze.orders', column: 'amount' },
        expression: null,
        kind: 'passthrough',
      },
      {
        from: { table: 'silver.orders', column: 'cents' },
        to: { table: 'gold.turnover', column: 'amount' },
        expression: 'sum(cents) / 100',
        kind: 'derived',
      },
    ])
    const down = await get(
      '/api/lineage/columns?table=raw:files.orders&column=email&direction=down',
    )
    expect(down.edges.map((edge: { kind: string; to: object }) => [edge.kind, edge.to])).toEqual([
      ['hashed', { table: 'bronze.orders', column: 'email_hash' }],
      ['passthrough', { table: 'silver.orders', column: 'buyer' }],
    ])
  })

  // With LAKEFORGE_PYTHON naming a Python that has deltalake, pandas, pyarrow and polars
  for (const id of ['pandas', 'polars'])
    it.skipIf(!process.env.LAKEFORGE_PYTHON)(
      `the ${id} snippet reads the table as it stands`,
      async () => {
        const table = await get('/api/tables/silver.orders')
        const { code } = snippetsOf(table).find((each) => each.id === id)!
        const text = execFileSync(process.env.LAKEFORGE_PYTHON!, ['-c', code], { encoding: 'utf8' })
        expect(text).toMatch(/250/)
        expect(text).toMatch(/400/)
      },
    )

  it('every function of the dialect is listed for completion', async () => {
    const { items } = await get('/api/sql/functions')
    expect(items.length).toBeGreaterThan(50)
    expect(items[0]).toMatchObject({ name: expect.any(String), signature: expect.any(String) })
  })
})

it('answers a graph of a thousand tables, each with runs, in one quick call', async () => {
  const { sql } = home
  const group_id = (await get('/api/groups')).items[0].id
  await sql`
    insert into config.raw_config (id, name, source_id, group_id, object, format, read_mode)
    select gen_random_uuid(), 'many_' || n, (select id from config.source limit 1), ${group_id}, 'x.csv', 'csv', 'files'
    from generate_series(1, 500) n
  `
  await sql`
    insert into config.bronze_config (id, raw_id, target)
    select gen_random_uuid(), id, 'bronze.' || name from config.raw_config where name like 'many%'
  `
  await sql`
    insert into config.silver_config (id, group_id, target, "from", load_type)
    select gen_random_uuid(), ${group_id}, 'silver.many_' || n, array['bronze.many_' || n], 'append' from generate_series(1, 500) n
  `
  await sql`
    insert into logging.step_run (id, batch_id, group_id, key, zone, name, config_id)
    select gen_random_uuid(), b.id, b.group_id, t.zone || ':' || t.name, t.zone, t.name, gen_random_uuid()
    from config.target t, logging.batch_run b where t.name like '%many%'
  `
  await get('/api/lineage/graph')
  const start = performance.now()
  const { nodes, edges } = await get('/api/lineage/graph')
  const ms = performance.now() - start
  console.log(`graph of ${nodes.length} nodes and ${edges.length} edges: ${Math.round(ms)} ms`)
  expect(nodes.length).toBe(1505)
  expect(nodes.find((node: { id: string }) => node.id === 'silver.many_7').state).toBe('pending')
  expect(ms).toBeLessThan(3000)
}, 60_000)
