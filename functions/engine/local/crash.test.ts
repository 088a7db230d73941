// SIGKILL of the engine's child before and after every durable action of a batch: whatever it has done, the next attempt
// ends with the tables, the counts and the versions of a run that nobody disturbed. `npm run soak` tries every point,
// `npm test` some of each kind.
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { PlanStep } from '#core/plan.ts'
import type { BatchResult, Lake } from './testing.ts'
import { columns, goldStep, literalRows, openLake, rule, silverStep } from './testing.ts'

const feed = columns('id int', 'name string', 'version int')
const input = (table: string, external = true) => ({ table, columns: feed, external })
const rules = [rule('named', 'not_null', ['name'], 'quarantine')]
const silver = (target: string, more: Parameters<typeof silverStep>[4]) =>
  silverStep(
    target,
    `select id, name, version${more?.has_sequence ? ', version as __sequence' : ''} from t.feed`,
    feed,
    [input('t.feed')],
    { rules, retries: 2, sequence_type: more?.has_sequence ? 'int' : null, ...more },
  )
const STEPS: PlanStep[] = [
  silver('s.appended', { load_type: 'append' }),
  silver('s.replaced', { load_type: 'replace' }),
  goldStep(
    'g.names',
    'select name, count(*) as n from s.appended group by name',
    columns('name string', 'n bigint'),
    [input('s.appended', false)],
    {
      depends_on: ['silver:s.appended'],
      retries: 2,
    },
  ),
]
const TABLES = [
  's.appended',
  's.appended_quarantine',
  's.replaced',
  's.replaced_quarantine',
  'g.names',
]

let template: string
let undisturbed: Ending
let points: string[]

type Ending = { result: BatchResult; tables: Record<string, unknown> }

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
    return { result, tables: await contents(lake), list: await readFile(list, 'utf8') }
  } finally {
    delete process.env.LAKEFORGE_CRASH_AT
    delete process.env.LAKEFORGE_CRASH_LIST
    await lake.close()
  }
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
  const lake = await openLake()
  try {
    await lake.append(
      't.feed',
      feed,
      literalRows(feed, "(1, 'a', 1)", "(2, 'b', 1)", '(3, null, 1)'),
    )
    const first = await lake.run(STEPS, 1)
    expect(first.state).toBe('succeeded')
    await lake.append(
      't.feed',
      feed,
      literalRows(feed, "(1, 'z', 2)", '(4, null, 1)', "(5, 'a', 1)"),
    )
    await cp(lake.root, template, { recursive: true })
  } finally {
    await lake.close()
  }
  const { list, ...ending } = await secondBatch()
  undisturbed = ending
  points = list.split('\n').filter((line) => line.endsWith(' before'))
  expect(undisturbed.result.state).toBe('succeeded')
}, 120_000)
afterAll(async () => await rm(template, { recursive: true, force: true }))

it('leaves the batch as if nothing had happened', { timeout: 3_600_000 }, async () => {
  expect(points.length).toBeGreaterThan(20)
  const stride = process.env.LAKEFORGE_SOAK ? 1 : 17
  for (let at = 0; at < points.length * 2; at += stride) {
    const crash_at = `${Math.floor(at / 2) + 1}:${at % 2 === 0 ? 'before' : 'after'}`
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
