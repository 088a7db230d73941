// What every engine must do, whatever it computes with: plans built by hand over files, and the rows, counts and states that
// must come out. A flag that an engine lacks is skipped by name, so that the report shows it.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { PlanStep, SilverStep } from '#core/plan.ts'
import type { Engine, Report, StepReport } from './engine.ts'
import { columns, fileSteps, goldStep, rule, silverStep } from './testing.ts'

/** An engine on an empty lake, and a folder that it can read files from. */
export type Bench = {
  engine: Engine
  /** Root of the source of files, empty at first; `sub` gives each test its own folder below. */
  folder(sub: string): Promise<string>
  deliver(path: string, text: string): Promise<void>
  /** Rows of Databricks SQL over the newest versions of tables. */
  rows(sql: string, ...tables: string[]): Promise<unknown[][]>
  /** Null where there is no such table. */
  version(table: string): Promise<number | null>
  close(): Promise<void>
}

export type Final = Extract<StepReport, { counts: unknown }>
export type Ended = { state: string; steps: Record<string, Final>; reports: Report[] }

/** Runs a batch to its end. `during` sees each report as it comes, with the run's handle. */
export async function runBatch(
  engine: Engine,
  steps: PlanStep[],
  seq: number,
  during: (report: Report, handle: string) => void = () => undefined,
): Promise<Ended> {
  const handle = await engine.start({
    plan: {
      format: 1,
      group: { id: 'group', name: 'group', max_parallel: 2, on_failure: 'continue' },
      steps,
    },
    input: {
      format: 1,
      batch_id: `batch-${seq}`,
      plan_hash: `plan-${seq}`,
      group: 'group',
      environment: 'test',
      seq: String(seq),
      batch_time: `2026-01-0${seq}T00:00:00.000Z`,
      watermarks: {},
    },
    attempt: 1,
  })
  const ended: Ended = { state: '', steps: {}, reports: [] }
  while (ended.state === '')
    for (const report of await engine.poll(handle, 30_000)) {
      ended.reports.push(report)
      during(report, handle)
      if (report.kind === 'done') ended.state = report.state
      if (report.kind === 'step' && 'counts' in report) ended.steps[report.step] = report
    }
  return ended
}

/** `read = written + quarantined + dropped + filtered + deduplicated + late`, for every table of a batch. */
export function expectBalance(ended: Ended): void {
  for (const [step, { counts, state }] of Object.entries(ended.steps)) {
    if (state !== 'succeeded' || step.startsWith('raw:')) continue
    const { rows_read = 0, rows_written = 0, rows_quarantined = 0, rows_dropped = 0 } = counts
    const { rows_filtered = 0, rows_deduplicated = 0, rows_late = 0 } = counts
    const out =
      rows_written + rows_quarantined + rows_dropped + rows_filtered + rows_deduplicated + rows_late
    expect([step, out]).toEqual([step, rows_read])
  }
}

/** Declares the suite for one engine. */
export function conformance(name: string, open: () => Promise<Bench>): void {
  describe(`the ${name} engine`, () => {
    let bench: Bench
    let folder: string
    let made = 0
    beforeAll(async () => {
      bench = await open()
    }, 120_000)
    afterAll(async () => await bench.close())
    beforeEach(async () => {
      folder = await bench.folder(`test${++made}`)
    })

    const events = columns('id int', 'name string', 'at int', 'gone boolean')
    /** raw → bronze → one silver table; each test has tables of its own. */
    const chain = (table: string, more: Partial<SilverStep> = {}): PlanStep[] => {
      const [raw, bronze] = fileSteps(folder, '*.csv', `b.${table}`, events)
      const extras = `${more.has_sequence ? ', at as __sequence' : ''}${more.has_delete ? ', gone as __delete' : ''}${more.has_where ? ', id > 0 as __keep' : ''}`
      const silver = silverStep(
        `s.${table}`,
        `select id, name, at${extras} from b.${table}`,
        columns('id int', 'name string', 'at int'),
        [{ table: `b.${table}`, columns: bronze.columns, external: false }],
        {
          depends_on: [bronze.key],
          ...(more.has_sequence ? { sequence_type: 'int', sequence_column: 'at' } : {}),
          ...more,
        },
      )
      return [raw, bronze, silver]
    }
    const deliver = (file: string, ...lines: string[]) =>
      bench.deliver(`${folder}/${file}`, ['id,name,at,gone', ...lines, ''].join('\n'))
    const batch = async (steps: PlanStep[], seq: number) => {
      const ended = await runBatch(bench.engine, steps, seq)
      expectBalance(ended)
      return ended
    }

    describe('append', () => {
      it('adds each delivery once, in order, and nothing when there is nothing new', async () => {
        const steps = chain('appended', { has_where: true })
        await deliver('1.csv', '1,a,1,false', '-1,hidden,1,false')
        const first = await batch(steps, 1)
        expect(first.state).toBe('succeeded')
        expect(first.steps['silver:s.appended']!.counts).toMatchObject({
          rows_read: 2,
          rows_filtered: 1,
          rows_written: 1,
        })
        await deliver('2.csv', '1,a,1,false', '2,b,1,false')
        await batch(steps, 2)
        const versions = [await bench.version('b.appended'), await bench.version('s.appended')]
        const third = await batch(steps, 3)
        expect(third.state).toBe('succeeded')
        expect([await bench.version('b.appended'), await bench.version('s.appended')]).toEqual(
          versions,
        )
        expect(
          await bench.rows('select id, name from s.appended order by id', 's.appended'),
        ).toEqual([
          [1, 'a'],
          [1, 'a'],
          [2, 'b'],
        ])
      })
    })

    describe('replace', () => {
      it('holds what all of its input gives now', async () => {
        const steps = chain('replaced', { load_type: 'replace' })
        await deliver('1.csv', '1,a,1,false')
        await batch(steps, 1)
        await deliver('2.csv', '2,b,1,false')
        const second = await batch(steps, 2)
        expect(second.steps['silver:s.replaced']!.counts).toMatchObject({
          rows_read: 2,
          rows_written: 2,
        })
        expect(await bench.rows('select id from s.replaced order by id', 's.replaced')).toEqual([
          [1],
          [2],
        ])
      })
    })

    describe('merge', () => {
      const merging: Partial<SilverStep> = {
        load_type: 'merge',
        keys: ['id'],
        has_sequence: true,
        dedupe: true,
      }

      it('updates known keys, inserts new ones, and takes a key once from a delivery', async () => {
        const steps = chain('merged', merging)
        await deliver('1.csv', '1,a,1,false', '2,b,1,false', '2,b2,2,false')
        const first = await batch(steps, 1)
        expect(first.steps['silver:s.merged']!.counts).toMatchObject({
          rows_deduplicated: 1,
          rows_inserted: 2,
        })
        await deliver('2.csv', '1,new,5,false', '3,c,1,false')
        const second = await batch(steps, 2)
        expect(second.steps['silver:s.merged']!.counts).toMatchObject({
          rows_inserted: 1,
          rows_updated: 1,
        })
        expect(await bench.rows('select id, name from s.merged order by id', 's.merged')).toEqual([
          [1, 'new'],
          [2, 'b2'],
          [3, 'c'],
        ])
      })

      it('counts a row that comes too late, and leaves the newer one', async () => {
        const steps = chain('late', merging)
        await deliver('1.csv', '1,now,5,false')
        await batch(steps, 1)
        await deliver('2.csv', '1,before,4,false')
        const second = await batch(steps, 2)
        expect(second.steps['silver:s.late']!.counts).toMatchObject({ rows_read: 1, rows_late: 1 })
        expect(await bench.rows('select name from s.late', 's.late')).toEqual([['now']])
      })

      it('deletes what delete_when says', async () => {
        const steps = chain('deleted', { ...merging, has_delete: true })
        await deliver('1.csv', '1,a,1,false', '2,b,1,false')
        await batch(steps, 1)
        await deliver('2.csv', '1,a,2,true')
        const second = await batch(steps, 2)
        expect(second.steps['silver:s.deleted']!.counts).toMatchObject({ rows_deleted: 1 })
        expect(await bench.rows('select id from s.deleted', 's.deleted')).toEqual([[2]])
      })
    })

    describe('scd2', () => {
      it('keeps every version with its time, and puts a late one in its place', async () => {
        const steps = chain('history', { load_type: 'scd2', keys: ['id'], has_sequence: true })
        await deliver('1.csv', '1,a,10,false', '2,x,10,false')
        await batch(steps, 1)
        await deliver('2.csv', '1,c,30,false')
        const second = await batch(steps, 2)
        expect(second.steps['silver:s.history']!.counts).toMatchObject({ rows_closed: 1 })
        await deliver('3.csv', '1,b,20,false')
        await batch(steps, 3)
        expect(
          await bench.rows(
            'select id, name, __START_AT, __END_AT from s.history order by id, __START_AT',
            's.history',
          ),
        ).toEqual([
          [1, 'a', 10, 20],
          [1, 'b', 20, 30],
          [1, 'c', 30, null],
          [2, 'x', 10, null],
        ])
      })
    })

    describe('rules', () => {
      const rules = [
        rule('named', 'not_null', ['name'], 'quarantine'),
        rule('late', 'range', ['at'], 'drop', { max: 100 }),
      ]

      it('send rows to the quarantine or drop them, each row once', async () => {
        const steps = chain('ruled', { rules })
        await deliver('1.csv', '1,a,1,false', '2,,1,false', '3,c,101,false', '4,,101,false')
        const { steps: reports } = await batch(steps, 1)
        expect(reports['silver:s.ruled']!.counts).toMatchObject({
          rows_read: 4,
          rows_written: 1,
          rows_quarantined: 2,
          rows_dropped: 1,
        })
        expect(
          await bench.rows(
            'select id, size(_errors) as n from s.ruled_quarantine order by id',
            's.ruled_quarantine',
          ),
        ).toEqual([
          [2, 1],
          [4, 2],
        ])
      })

      it('that fail commit nothing; the rows go to the next batch, and to the quarantine once', async () => {
        const strict = chain('strict', {
          rules: [rules[0]!, rule('sane', 'range', ['at'], 'fail', { max: 100 })],
        })
        await deliver('1.csv', '1,a,1,false', '2,,1,false', '3,c,101,false')
        const first = await runBatch(bench.engine, strict, 1)
        expect(first.state).toBe('failed')
        expect(first.steps['silver:s.strict']).toMatchObject({
          state: 'failed',
          error: { code: 'rule_failed' },
        })
        expect(await bench.version('s.strict')).toBe(null)
        expect(await bench.version('s.strict_quarantine')).toBe(null)
        await deliver('2.csv', '4,d,1,false')
        const second = await batch(chain('strict', { rules: [rules[0]!] }), 2)
        expect(second.steps['silver:s.strict']!.counts).toMatchObject({
          rows_read: 4,
          rows_written: 3,
          rows_quarantined: 1,
        })
      })
    })

    describe('a batch', () => {
      it('with an empty file or none makes empty tables', async () => {
        const steps = chain('nothing')
        const first = await batch(steps, 1)
        expect(first.state).toBe('succeeded')
        await deliver('1.csv')
        const second = await batch(steps, 2)
        expect(second.state).toBe('succeeded')
        expect(await bench.rows('select id from s.nothing', 's.nothing')).toEqual([])
      })

      it('that runs again reports the same and writes nothing', async () => {
        const steps = chain('again')
        await deliver('1.csv', '1,a,1,false')
        const first = await batch(steps, 1)
        const versions = [await bench.version('b.again'), await bench.version('s.again')]
        const again = await batch(steps, 1)
        for (const { key } of steps) {
          const { counts, content_hash, rules } = first.steps[key]!
          expect(again.steps[key]).toMatchObject({ counts, content_hash, rules })
        }
        expect([await bench.version('b.again'), await bench.version('s.again')]).toEqual(versions)
      })

      it('that was overtaken is skipped, naming the batch that has its rows', async () => {
        const steps = chain('overtaken')
        await deliver('1.csv', '1,a,1,false')
        await batch(steps, 2)
        const late = await batch(steps, 1)
        for (const { key } of steps)
          expect(late.steps[key]).toMatchObject({ state: 'skipped', root_cause: 'batch-2' })
        expect(await bench.rows('select id from s.overtaken', 's.overtaken')).toEqual([[1]])
      })

      it('skips what is below a failed step, naming it, and runs what is not', async () => {
        const [raw, bronze, silver] = chain('half') as [PlanStep, PlanStep, SilverStep]
        const broken = { ...silver, query: 'select nothing_of_that_name as id from b.half' }
        const below = goldStep(
          'g.half',
          'select id from s.half',
          columns('id int'),
          [{ table: 's.half', columns: silver.columns, external: false }],
          { depends_on: [silver.key] },
        )
        const aside = goldStep(
          'g.aside',
          'select id from b.half',
          columns('id int'),
          [{ table: 'b.half', columns: events, external: false }],
          { depends_on: [bronze.key] },
        )
        await deliver('1.csv', '1,a,1,false')
        const { state, steps: reports } = await batch([raw, bronze, broken, below, aside], 1)
        expect(state).toBe('failed')
        expect(reports[broken.key]!.error!.hint).not.toBe('')
        expect(reports[below.key]).toMatchObject({ state: 'skipped', root_cause: broken.key })
        expect(reports[aside.key]).toMatchObject({ state: 'succeeded' })
      })

      it('that is cancelled ends soon, with nothing half-written', async () => {
        const [raw, bronze] = chain('big') as [PlanStep, PlanStep, SilverStep]
        await deliver('1.csv', ...Array.from({ length: 3000 }, (_, i) => `${i},n,${i},false`))
        const slow = goldStep(
          'g.slow',
          'select count(*) as n from b.big as a cross join b.big as b cross join b.big as c where a.id * b.id % 7 = c.id',
          columns('n bigint'),
          [{ table: 'b.big', columns: events, external: false }],
          { depends_on: [bronze.key] },
        )
        const { state, steps: reports } = await runBatch(
          bench.engine,
          [raw, bronze, slow],
          1,
          (report, handle) => {
            if (report.kind === 'step' && report.step === slow.key && report.state === 'running')
              void bench.engine.cancel(handle)
          },
        )
        expect(state).toBe('cancelled')
        expect(reports[bronze.key]!.state).toBe('succeeded')
        expect(reports[slow.key]!.state).toBe('cancelled')
        expect(await bench.version('g.slow')).toBe(null)
        const late = await runBatch(bench.engine, [{ ...slow, timeout_s: 1, depends_on: [] }], 2)
        expect(late.steps[slow.key]).toMatchObject({
          state: 'failed',
          error: { code: 'step_timeout' },
        })
        expect(await bench.version('g.slow')).toBe(null)
      })
    })
  })
}
