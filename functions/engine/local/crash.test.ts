// SIGKILL of the engine's child before and after every durable action of a batch: whatever it has done, the next attempt
// ends with the tables, the counts and the versions of a run that nobody disturbed. `npm run soak` tries every point,
// `npm test` some of each kind.
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { PlanStep, SilverStep } from '#core/plan.ts'
import type { BatchResult, Lake } from './testing.ts'
import { columns, fileSteps, goldStep, rule, silverStep } from '../testing.ts'
import { openLake } from './testing.ts'

const feed = columns('id int', 'name string', 'version int')
const rules = [rule('named', 'not_null', ['name'], 'quarantine')]
const TABLES = [
  'b.feed',
  's.appended',
  's.appended_quarantine',
  's.replaced',
  's.replaced_quarantine',
  's.merged',
  's.merged_quarantine',
  's.history',
  's.history_quarantine',
  'g.names',
]

function stepsOver(folder: string): PlanStep[] {
  const [raw, bronze] = fileSteps(folder, '*.csv', 'b.feed', feed)
  const silver = (target: string, more: Partial<SilverStep>) =>
    silverStep(
      target,
      `select id, name, version${more.has_sequence ? ', version as __sequence' : ''} from b.feed`,
      feed,
      [{ table: 'b.feed', columns: bronze.columns, external: false }],
      { depends_on: [bronze.key], rules, retries: 2, ...more },
    )
  const sequenced = {
    keys: ['id'],
    has_sequence: true,
    sequence_type: 'int',
    sequence_column: 'version',
  }
  return [
    { ...raw, retries: 2 },
    { ...bronze, retries: 2 },
    silver('s.appended', { load_type: 'append' }),
    silver('s.replaced', { load_type: 'replace' }),
    silver('s.merged', { load_type: 'merge', dedupe: true, ...sequenced }),
    silver('s.history', { load_type: 'scd2', ...sequenced }),
    goldStep(
      'g.names',
      'select name, count(*) as n from s.merged group by name',
      columns('name string', 'n bigint'),
      [{ table: 's.merged', columns: feed, external: false }],
      { depends_on: ['silver:s.merged'], retries: 2 },
    ),
  ]
}

let folder: string
let STEPS: PlanStep[]
let template: string
let undisturbed: Ending
let points: string[]

type Ending = {
  result: BatchResult
  tables: Record<string, unknown>
  rows: Record<string, unknown>
}

/** A lake as the template has it, on which the second batch runs. */
async function secondBatch(crash_at?: string): Promise<Ending & { list: string }> {
  const lake = await openLake()
  const list = join(lake.root, 'points')
  try {
    await cp(template, lake.root, { recursive: true })
    process.env.LAKEFORGE_CRASH_LIST = list
    if (crash_at !== undefined) process.env.LAKEFORGE_CRASH_AT = crash_at
    const result = await lake.run(STEPS, 2, { max_parallel: 1 })
    delete process.env.LAKEFORGE_CRASH_AT
    delete process.env.LAKEFORGE_CRASH_LIST
    // Whoever runs the batch again is told the same.
    const again = await lake.run(STEPS, 2, { max_parallel: 1 })
    for (const step of STEPS) expect(told(again, step.key)).toEqual(told(result, step.key))
    return {
      result,
      tables: await contents(lake),
      rows: await rowsAlone(lake),
      list: await readFile(list, 'utf8'),
    }
  } finally {
    delete process.env.LAKEFORGE_CRASH_AT
    delete process.env.LAKEFORGE_CRASH_LIST
    await lake.close()
  }
}

/** The same, but nobody tries again: the batch stays failed, and the next one finds no new file. */
async function givenUp(crash_at: string): Promise<Record<string, unknown>> {
  const lake = await openLake()
  try {
    await cp(template, lake.root, { recursive: true })
    process.env.LAKEFORGE_CRASH_LIST = join(lake.root, 'points')
    process.env.LAKEFORGE_CRASH_AT = crash_at
    const once = STEPS.map((step) => ({ ...step, retries: 0 }))
    const failed = await lake.run(once, 2, { max_parallel: 1 })
    expect(failed.state, crash_at).toBe('failed')
    const next = await lake.run(STEPS, 3, { max_parallel: 1 })
    expect(next.state, crash_at).toBe('succeeded')
    return await rowsAlone(lake)
  } finally {
    delete process.env.LAKEFORGE_CRASH_AT
    delete process.env.LAKEFORGE_CRASH_LIST
    await lake.close()
  }
}

/** What came from the source, without what says in which batch it came. */
async function rowsAlone(lake: Lake): Promise<Record<string, unknown>> {
  const found: Record<string, unknown> = {}
  for (const table of TABLES) {
    const list = table === 'g.names' ? 'name, n' : 'id, name, version'
    found[table] = await lake.rows(`select ${list} from ${table} order by all`, table)
  }
  return found
}

async function contents(lake: Lake): Promise<Record<string, unknown>> {
  const found: Record<string, unknown> = {}
  for (const table of TABLES) {
    const snapshot = await lake.snapshot(table)
    found[table] = {
      version: snapshot?.version,
      rows: await lake.rows(`select * from ${table} order by all`, table),
    }
  }
  return found
}

function pointAt(at: number): string {
  return `${Math.floor(at / 2) + 1}:${at % 2 === 0 ? 'before' : 'after'}`
}

/** What a report says of a step, but for when and at which attempt; samples in no order. */
function told(result: BatchResult, step: string) {
  const { at: _, attempt: __, rules, ...rest } = result.steps[step]!
  const sorted = rules.map((one) => ({
    ...one,
    samples: one.samples.map((row) => JSON.stringify(row)).sort(),
  }))
  return { ...rest, rules: sorted }
}

/** The same rows in another order take a few bytes more or less. */
function withoutBytes(report: ReturnType<typeof told>): unknown {
  const { bytes_read: _, bytes_written: __, ...counts } = report.counts
  return { ...report, counts }
}

beforeAll(async () => {
  template = await mkdtemp(join(tmpdir(), 'lakeforge-crash-'))
  folder = await mkdtemp(join(tmpdir(), 'lakeforge-source-'))
  STEPS = stepsOver(folder)
  const lake = await openLake()
  try {
    await writeFile(join(folder, '1.csv'), 'id,name,version\n1,a,1\n2,b,1\n3,,1\n')
    const first = await lake.run(STEPS, 1)
    expect(first.state).toBe('succeeded')
    await writeFile(join(folder, '2.csv'), 'id,name,version\n1,z,2\n4,,1\n5,a,1\n2,old,0\n')
    await cp(lake.root, template, { recursive: true })
  } finally {
    await lake.close()
  }
  const { list, ...ending } = await secondBatch()
  undisturbed = ending
  points = list.split('\n').filter((line) => line.endsWith(' before'))
  expect(undisturbed.result.state).toBe('succeeded')
}, 120_000)
afterAll(async () => {
  for (const dir of [template, folder]) await rm(dir, { recursive: true, force: true })
})

it(
  'that nobody mends leaves the rows to the next batch, each once',
  { timeout: 3_600_000 },
  async () => {
    const stride = process.env.LAKEFORGE_SOAK ? 1 : 41
    for (let at = 5; at < points.length * 2; at += stride) {
      const crash_at = pointAt(at)
      expect(await givenUp(crash_at), crash_at).toEqual(undisturbed.rows)
    }
  },
)

it('leaves the batch as if nothing had happened', { timeout: 3_600_000 }, async () => {
  expect(points.length).toBeGreaterThan(20)
  const stride = process.env.LAKEFORGE_SOAK ? 1 : 29
  for (let at = 0; at < points.length * 2; at += stride) {
    const crash_at = pointAt(at)
    const { result, tables } = await secondBatch(crash_at)
    const point = `${crash_at} (${points[Math.floor(at / 2)]})`
    expect(
      result.reports.some(
        (report) => report.kind === 'event' && /ended in the middle/.test(report.text),
      ),
      point,
    ).toBe(true)
    expect(result.state, point).toBe('succeeded')
    expect(tables, point).toEqual(undisturbed.tables)
    for (const { key } of STEPS)
      expect(withoutBytes(told(result, key)), point).toEqual(
        withoutBytes(told(undisturbed.result, key)),
      )
  }
})
