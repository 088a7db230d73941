import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { PlanStep, SilverStep } from '#core/plan.ts'
import { columns, fileSteps, goldStep, rule, silverStep } from '../testing.ts'
import { type Lake, openLake } from './testing.ts'

let lake: Lake
let folder: string
let steps: PlanStep[]
const cols = columns('id int', 'name string', 'at int')
const TABLES = ['b.feed', 's.rows', 's.rows_quarantine', 's.now', 's.history', 'g.count']

beforeAll(async () => {
  lake = await openLake()
  folder = await mkdtemp(join(tmpdir(), 'lakeforge-source-'))
  const [raw, bronze] = fileSteps(folder, '*.csv', 'b.feed', cols)
  const silver = (target: string, more: Partial<SilverStep>) =>
    silverStep(
      target,
      `select id, name, at${more.has_sequence ? ', at as __sequence' : ''} from b.feed`,
      cols,
      [{ table: 'b.feed', columns: bronze.columns, external: false }],
      { depends_on: [bronze.key], ...more },
    )
  const sequenced = {
    keys: ['id'],
    has_sequence: true,
    sequence_type: 'int',
    sequence_column: 'at',
  }
  steps = [
    raw,
    bronze,
    silver('s.rows', { rules: [rule('named', 'not_null', ['name'], 'quarantine')] }),
    silver('s.now', { load_type: 'merge', dedupe: true, ...sequenced }),
    silver('s.history', { load_type: 'scd2', ...sequenced }),
    goldStep(
      'g.count',
      'select count(*) as n from s.now',
      columns('n bigint'),
      [{ table: 's.now', columns: cols, external: false }],
      { depends_on: ['silver:s.now'] },
    ),
  ]
  await writeFile(join(folder, '1.csv'), 'id,name,at\n1,a,1\n2,b,1\n3,,1\n')
  expect((await lake.run(steps, 1)).state).toBe('succeeded')
  await writeFile(join(folder, '2.csv'), 'id,name,at\n1,c,2\n4,d,1\n')
  expect((await lake.run(steps, 2)).state).toBe('succeeded')
  expect((await lake.run(steps, 3)).state).toBe('succeeded')
}, 120_000)
afterAll(async () => {
  await lake.close()
  await rm(folder, { recursive: true, force: true })
})

const versions = async () =>
  await Promise.all(TABLES.map(async (table) => (await lake.snapshot(table))?.version ?? null))

it.each([1, 2])('runs batch %i again to the same rows, and changes nothing', async (seq) => {
  const before = await versions()
  const { state, steps: reports } = await lake.run(steps, seq, { replay: true })
  expect(Object.values(reports).map(({ error }) => error)).toEqual(steps.map(() => null))
  expect(state).toBe('succeeded')
  expect(reports['silver:s.now']!.content_hash).toMatch(/^[0-9a-f]{16}$/)
  expect(await versions()).toEqual(before)
})

it('has nothing to compare where a batch wrote nothing', async () => {
  const { state, steps: reports } = await lake.run(steps, 3, { replay: true })
  expect(state).toBe('succeeded')
  expect(reports['silver:s.now']!.warnings).toEqual([
    'This batch wrote nothing to s.now: there is nothing to compare.',
  ])
})

it('leaves nothing behind', async () => {
  await lake.run(steps, 2, { replay: true })
  await expect
    .poll(async () => await readdir(join(lake.root, '_lakeforge', 'temp')), { timeout: 10_000 })
    .toEqual([])
})

it('takes the tables back to before a batch, and running all since gives the same rows', async () => {
  const rows = async () =>
    await Promise.all(
      TABLES.map(async (table) => {
        const list = table === 's.rows_quarantine' ? 'id, name, "at"' : '*'
        return await lake.rows(`select ${list} from ${table} order by all`, table)
      }),
    )
  const before = await rows()
  const restored = await lake.engine.restore({ environment: 'test', steps, seq: '2' })
  expect(restored.map(({ table, to_version }) => [table, to_version])).toEqual([
    ['b.feed', 0],
    ['s.rows', 0],
    ['s.now', 0],
    ['s.history', 0],
    ['g.count', 0],
  ])
  expect(await lake.rows('select count(*) from b.feed', 'b.feed')).toEqual([['3']])
  expect(await lake.engine.restore({ environment: 'test', steps, seq: '2' })).toEqual([])
  for (const seq of [2, 3]) {
    const { state, steps: reports } = await lake.run(steps, seq)
    expect([state, Object.values(reports).map(({ error }) => error)]).toEqual([
      'succeeded',
      steps.map(() => null),
    ])
  }
  expect(await rows()).toEqual(before)
  // Under the new epoch, everything holds as before: nothing runs twice, and the batch compares.
  const versionsNow = await versions()
  await lake.run(steps, 2)
  expect(await versions()).toEqual(versionsNow)
  for (const seq of [1, 2])
    expect((await lake.run(steps, seq, { replay: true })).state).toBe('succeeded')
})

it('takes a table back to before its first batch', async () => {
  const restored = await lake.engine.restore({ environment: 'test', steps, seq: '1' })
  expect(restored.map(({ table }) => table)).toEqual([
    'b.feed',
    's.rows',
    's.now',
    's.history',
    'g.count',
  ])
  expect(await lake.rows('select count(*) from s.rows_quarantine', 's.rows_quarantine')).toEqual([
    ['0'],
  ])
  for (const seq of [1, 2]) expect((await lake.run(steps, seq)).state).toBe('succeeded')
  expect(await lake.rows('select id, name from s.now order by id', 's.now')).toEqual([
    [1, 'c'],
    [2, 'b'],
    [3, null],
    [4, 'd'],
  ])
  expect(await lake.rows('select id from s.rows_quarantine', 's.rows_quarantine')).toEqual([[3]])
})

it('finds another plan, step by step', async () => {
  const changed = steps.map((step) =>
    step.key === 'silver:s.rows'
      ? {
          ...(step as SilverStep),
          query: 'select id, lower(name) as name, at + 1 as at from b.feed',
        }
      : step,
  )
  const { state, steps: reports } = await lake.run(changed, 2, { replay: true })
  expect(state).toBe('failed')
  const failed = Object.entries(reports).filter(([, report]) => report.state === 'failed')
  expect(failed.map(([key, report]) => [key, report.error!.code])).toEqual([
    ['silver:s.rows', 'replay_differs'],
  ])
})

it('finds a raw file that is no longer what it was', async () => {
  const raw = join(lake.root, 'raw', 'files', 'b_feed', 'seq=1', '00001-1.csv')
  await writeFile(raw, 'id,name,at\n1,a,1\n2,X,1\n3,,1\n')
  const { steps: reports } = await lake.run(steps, 1, { replay: true })
  expect(reports[steps[0]!.key]!.error).toMatchObject({ code: 'raw_changed' })
  expect(reports['bronze:b.feed']!.error).toMatchObject({ code: 'replay_differs' })
})
