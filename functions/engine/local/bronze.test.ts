import { createHash } from 'node:crypto'
import { renameSync, writeFileSync } from 'node:fs'
import { mkdir, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { PlanColumn } from '#core/plan.ts'
import { columns, fileSteps, goldStep, rule, silverStep } from '../testing.ts'
import { type Lake, openLake } from './testing.ts'

let lake: Lake
let folder: string
beforeAll(async () => {
  lake = await openLake()
})
afterAll(async () => await lake.close())
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lakeforge-source-'))
})
afterEach(async () => await rm(folder, { recursive: true }))

const deliver = (name: string, text: string) => writeFile(join(folder, name), text)
const orders = columns('id int', 'status string', 'amount decimal(10,2)')

describe('files', () => {
  it('become raw copies and typed rows, each file once', async () => {
    const steps = fileSteps(folder, '*.csv', 'b.orders', orders)
    const [raw, bronze] = steps
    await deliver('one.csv', 'id,status,amount\n1,new,1.50\n2,,3\n')
    const first = await lake.run(steps, 1)
    expect(first.state).toBe('succeeded')
    expect(first.steps[raw.key]!.files).toMatchObject([{ source_path: 'one.csv', size: 33 }])
    expect(first.steps[bronze.key]).toMatchObject({
      counts: { rows_read: 2, rows_written: 2, bytes_read: 33 },
      delta_version_before: null,
      delta_version_after: 0,
      schema_changes: [],
    })
    await deliver('two.csv', 'id,status,amount\n3,paid,0\n')
    const second = await lake.run(steps, 2)
    expect(second.steps[bronze.key]!.counts).toMatchObject({ rows_read: 1, rows_written: 1 })
    const third = await lake.run(steps, 3)
    expect(third.state).toBe('succeeded')
    expect(third.steps[bronze.key]).toMatchObject({ counts: {}, delta_version_after: 1 })
    expect(
      await lake.rows(
        'select id, status, amount, _batch_id, _source_file, _ingested_at::varchar, _rescued_data from b.orders order by id',
        'b.orders',
      ),
    ).toEqual([
      [1, 'new', '1.50', 'batch-1', 'one.csv', '2026-01-01 00:00:01+00', null],
      [2, null, '3.00', 'batch-1', 'one.csv', '2026-01-01 00:00:01+00', null],
      [3, 'paid', '0.00', 'batch-2', 'two.csv', '2026-01-01 00:00:02+00', null],
    ])
  })

  it('of JSON fill decimals under a frozen schema, batch after batch', async () => {
    const pinned = columns('id int', 'price decimal(10,2)')
    const steps = fileSteps(folder, '*.json', 'b.json_frozen', pinned, {
      raw: { format: 'json' },
      bronze: { schema_policy: 'freeze' },
    })
    for (const [batch, price] of [
      [1, '1.5'],
      [2, '3'],
    ] as const) {
      await deliver(`${batch}.json`, `[{"id":${batch},"price":${price}}]`)
      const { steps: done } = await lake.run(steps, batch)
      expect(done[steps[1].key]).toMatchObject({ state: 'succeeded', schema_changes: [] })
    }
    expect(
      await lake.rows('select id, price from b.json_frozen order by id', 'b.json_frozen'),
    ).toEqual([
      [1, '1.50'],
      [2, '3.00'],
    ])
  })

  it('of 2,000 columns go through within the memory of a batch', async () => {
    const wide = await openLake({ memory_bytes: 2 ** 30 })
    try {
      const names = Array.from({ length: 2000 }, (_, i) => `c${i}`)
      const cols = names.map((name) => ({ name, type: 'bigint', nullable: true }))
      await deliver('wide.csv', `${names.join()}\n${names.map((_, i) => i).join()}\n`)
      const steps = fileSteps(folder, '*.csv', 'b.wide', cols)
      const done = await wide.run(steps, 1)
      expect(done.steps[steps[1].key]).toMatchObject({
        state: 'succeeded',
        counts: { rows_read: 1, rows_written: 1 },
      })
      expect(await wide.rows('select c0, c1999 from b.wide', 'b.wide')).toEqual([['0', '1999']])
    } finally {
      await wide.close()
    }
  }, 120_000)

  it('that a failed batch has read go into the next one', async () => {
    const steps = fileSteps(folder, '*.csv', 'b.later', orders, {
      bronze: { rules: [rule('cheap', 'range', ['amount'], 'fail', { max: 10 })] },
    })
    const [, bronze] = steps
    await deliver('a.csv', 'id,status,amount\n1,new,11\n')
    const first = await lake.run(steps, 1)
    expect(first.steps[bronze.key]).toMatchObject({
      state: 'failed',
      error: { code: 'rule_failed' },
    })
    await deliver('b.csv', 'id,status,amount\n2,new,2\n')
    const mended = [steps[0], { ...bronze, rules: [] }]
    const second = await lake.run(mended, 2)
    expect(second.steps[bronze.key]!.counts).toMatchObject({ rows_read: 2, rows_written: 2 })
    const late = await lake.run(mended, 1)
    expect(late.steps[bronze.key]).toMatchObject({ state: 'skipped', root_cause: 'batch-2' })
  })

  it('are begun again, free of charge, when another step of their source is stopped', async () => {
    const source = { id: 'shared', name: 'files', kind: 'files', options: { root: folder } }
    const slow = { source, timeout_s: 4 }
    const [stopped] = fileSteps(folder, 'a.csv', 'b.stopped', orders, { raw: slow })
    const [raw, bronze] = fileSteps(folder, 'b.csv', 'b.displaced', orders, { raw: { source } })
    // Both take minutes to read, until one is out of time.
    for (const name of ['a.csv', 'b.csv']) {
      await deliver(name, 'id,status,amount\n')
      await truncate(join(folder, name), 2 ** 36)
    }
    let swapped = false
    const done = await lake.run([stopped, raw, bronze], 1, {
      during: (report) => {
        // Under way: it goes on with the file that it has opened, the next attempt finds this one
        if ('progress' in report && report.step === raw.key && !swapped) {
          swapped = true
          writeFileSync(join(folder, 'b.new'), 'id,status,amount\n1,new,1\n')
          renameSync(join(folder, 'b.new'), join(folder, 'b.csv'))
        }
      },
    })
    expect(done.steps[stopped.key]!.error).toMatchObject({ code: 'step_timeout' })
    expect(done.reports).toContainEqual(
      expect.objectContaining({
        step: raw.key,
        progress: { done: 25, total: 25, unit: 'bytes' },
      }),
    )
    expect(done.steps[raw.key]).toMatchObject({ state: 'succeeded', attempt: 2 })
    expect(done.steps[bronze.key]!.counts.rows_written).toBe(1)
  })

  it('make an empty table when there is none yet', async () => {
    const steps = fileSteps(folder, '*.csv', 'b.empty', orders)
    const first = await lake.run(steps, 1)
    expect(first.steps[steps[1].key]).toMatchObject({ state: 'succeeded', delta_version_after: 0 })
    expect(await lake.rows('select count(*) from b.empty', 'b.empty')).toEqual([['0']])
  })

  it('fill silver and gold behind them in the same batch', async () => {
    const [raw, bronze] = fileSteps(folder, '*.csv', 'b.chain', orders)
    const silver = silverStep(
      's.chain',
      'select id, status, amount from b.chain',
      orders,
      [{ table: 'b.chain', columns: bronze.columns, external: false }],
      { depends_on: [bronze.key] },
    )
    const gold = goldStep(
      'g.chain',
      'select sum(amount) as total from s.chain',
      columns('total decimal(20,2)'),
      [{ table: 's.chain', columns: orders, external: false }],
      { depends_on: [silver.key] },
    )
    await deliver('a.csv', 'id,status,amount\n1,new,1.25\n2,new,2.25\n')
    const { state, steps } = await lake.run([raw, bronze, silver, gold], 1)
    expect(state).toBe('succeeded')
    expect(steps[silver.key]!.counts).toMatchObject({ rows_read: 2, rows_written: 2 })
    expect(await lake.rows('select total from g.chain', 'g.chain')).toEqual([['3.50']])
  })

  it('in a missing folder fail their own step and what is below, and say so', async () => {
    const steps = fileSteps(join(folder, 'nowhere'), '*.csv', 'b.lost', orders)
    const { state, steps: reports } = await lake.run(steps, 1)
    expect(state).toBe('failed')
    expect(reports[steps[0].key]!.error).toMatchObject({ code: 'source_folder_missing' })
    expect(reports[steps[1].key]).toMatchObject({ state: 'skipped', root_cause: steps[0].key })
  })
})

describe('columns that change', () => {
  const rescue = { options: { bad_rows: 'rescue' } }

  it('evolve: new ones are taken on, missing ones are empty, what does not fit is rescued', async () => {
    const steps = fileSteps(folder, '*.csv', 'b.evolving', orders, { raw: rescue })
    const [, bronze] = steps
    await deliver('1.csv', 'id,status,amount\n1,new,1\n')
    await lake.run(steps, 1)
    await deliver('2.csv', 'id,amount,Order Day\n2,much,2026-01-05\n')
    const second = await lake.run(steps, 2)
    expect(second.steps[bronze.key]!.schema_changes).toEqual([
      {
        kind: 'retyped',
        column: 'amount',
        from_type: 'decimal(10,2)',
        to_type: 'string',
        outcome: 'rescued',
      },
      { kind: 'added', column: 'order_day', from_type: null, to_type: 'date', outcome: 'evolved' },
      { kind: 'missing', column: 'status', from_type: 'string', to_type: null, outcome: 'evolved' },
    ])
    await deliver('3.csv', 'id,status,amount,Order Day\n3,new,3,2026-01-06\n')
    const third = await lake.run(steps, 3)
    expect(third.steps[bronze.key]!.schema_changes).toEqual([])
    expect(
      await lake.rows(
        'select id, status, amount, order_day, _rescued_data from b.evolving order by id',
        'b.evolving',
      ),
    ).toEqual([
      [1, 'new', '1.00', null, null],
      [2, null, null, '2026-01-05', '{"amount":"much"}'],
      [3, 'new', '3.00', '2026-01-06', null],
    ])
  })

  it('freeze: nothing is committed, nothing is lost', async () => {
    const steps = fileSteps(folder, '*.csv', 'b.frozen', orders, {
      bronze: { schema_policy: 'freeze' },
    })
    const [raw, bronze] = steps
    await deliver('1.csv', 'id,status,amount,extra\n1,new,1,x\n')
    const first = await lake.run(steps, 1)
    expect(first.steps[raw.key]!.state).toBe('succeeded')
    expect(first.steps[bronze.key]).toMatchObject({
      state: 'failed',
      error: { code: 'schema_frozen' },
      schema_changes: [{ kind: 'added', column: 'extra', outcome: 'refused' }],
    })
    expect(await lake.snapshot('b.frozen')).toBe(null)
    const second = await lake.run([raw, { ...bronze, schema_policy: 'evolve' }], 2)
    expect(second.steps[bronze.key]!.counts).toMatchObject({ rows_read: 1, rows_written: 1 })
  })

  it('rescue: a new column goes to _rescued_data', async () => {
    const steps = fileSteps(folder, '*.csv', 'b.rescued', orders, {
      bronze: { schema_policy: 'rescue' },
    })
    await deliver('1.csv', 'id,status,amount,extra\n1,new,1,x\n2,new,2,\n')
    const { steps: reports } = await lake.run(steps, 1)
    expect(reports[steps[1].key]!.schema_changes).toMatchObject([{ outcome: 'rescued' }])
    expect(
      await lake.rows('select id, _rescued_data from b.rescued order by id', 'b.rescued'),
    ).toEqual([
      [1, '{"extra":"x"}'],
      [2, null],
    ])
  })
})

describe('several configs that feed one table', () => {
  it('take their manifests apart from each other, and each brings its own columns', async () => {
    const north = columns('id int', 'status string')
    const south = columns('id int', 'amount int')
    const tagged = (name: string, cols: PlanColumn[]) => {
      const [raw, bronze] = fileSteps(folder, `${name}*.csv`, 'b.both', cols, {
        raw: { key: `raw:files.${name}`, name, config_id: `config-raw-${name}` },
      })
      return [
        raw,
        {
          ...bronze,
          key: `bronze:b.both/${name}`,
          config_id: `config-${name}`,
          raw: raw.key,
          depends_on: [raw.key],
          source_tag: name,
          columns: [...bronze.columns, ...columns('_source string')],
        },
      ]
    }
    const steps = [...tagged('north', north), ...tagged('south', south)]
    await deliver('north1.csv', 'id,status\n1,new\n')
    await deliver('south1.csv', 'id,amount\n2,5\n')
    expect((await lake.run(steps, 1)).state).toBe('succeeded')
    await deliver('south2.csv', 'id,amount,status\n3,6,paid\n')
    const second = await lake.run(steps, 2)
    expect(second.steps['bronze:b.both/north']!.counts).toEqual({})
    expect(second.steps['bronze:b.both/south']!.counts).toMatchObject({ rows_written: 1 })
    expect(
      await lake.rows('select id, status, amount, _source from b.both order by id', 'b.both'),
    ).toEqual([
      [1, 'new', null, 'north'],
      [2, null, 5, 'south'],
      [3, 'paid', 6, 'south'],
    ])
  })
})

describe('protected columns', () => {
  it('are hashed, masked and left out, and never reach the rescued data', async () => {
    const people = columns('id int', 'email string', 'salary int', 'secret int')
    const [raw, bronze] = fileSteps(folder, '*.csv', 'b.people', people, {
      raw: { options: { bad_rows: 'rescue' } },
    })
    const shown = bronze.columns
      .filter((column) => column.name !== 'secret')
      .map((column) =>
        ['email', 'salary'].includes(column.name) ? { ...column, type: 'string' } : column,
      )
    await deliver('p.csv', 'id,email,salary,secret\n1,a@b.c,none of it,oops\n2,,5,6\n')
    const { state } = await lake.run(
      [
        raw,
        {
          ...bronze,
          columns: shown,
          column_policies: [
            { column: 'email', policy: 'hash' },
            { column: 'salary', policy: 'mask' },
            { column: 'secret', policy: 'exclude' },
          ],
        },
      ],
      1,
    )
    expect(state).toBe('succeeded')
    expect(
      await lake.rows(
        'select id, email, salary, _rescued_data from b.people order by id',
        'b.people',
      ),
    ).toEqual([
      [1, createHash('sha256').update('a@b.c').digest('hex'), '***', null],
      [2, null, '***', null],
    ])
  })
})

it('makes folders of a source its own affair: what lies elsewhere is not read', async () => {
  await mkdir(join(folder, 'in'))
  await deliver('outside.csv', 'id,status,amount\n1,x,1\n')
  const steps = fileSteps(join(folder, 'in'), '../*.csv', 'b.outside', orders)
  const { steps: reports } = await lake.run(steps, 1)
  expect(reports[steps[0].key]!.error).toMatchObject({ code: 'path_outside' })
})
