import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Engine } from '#engine/engine.ts'
import { openLake } from '#engine/local/testing.ts'
import { openLocalEngine } from '#engine/local/index.ts'
import { openSparkEngine } from '#engine/spark/index.ts'
import { TINY } from '#engine/spark/testing.ts'
import { columns, fileSteps } from '#engine/testing.ts'
import { runOn } from './run.ts'
import { type Scenario, stepsOf } from './scenario.ts'
import { openTables } from './tables.ts'

/** Batches; more than ten, so that the logs get checkpoints. */
const BATCHES = 12

const scenario: Scenario = {
  name: 'across',
  feeds: [{ case: 'rows', name: 'rows', object: '*.csv', fields: ['id int', 'v string', 'n int'] }],
  silver: [
    {
      case: 'append',
      name: 'appended',
      select: 'id, v, n',
      fields: ['id int', 'v string', 'n int'],
    },
    {
      case: 'merge',
      name: 'merged',
      load_type: 'merge',
      keys: ['id'],
      dedupe: true,
      select: 'id, v, n',
      sequence: { expression: 'n', type: 'int', column: 'n' },
      fields: ['id int', 'v string', 'n int'],
    },
  ],
  batches: [],
}

describe.skipIf(!process.env.LAKEFORGE_SPARK)('one lake, written by both engines in turn', () => {
  let top: string
  let engines: Engine[]
  beforeAll(async () => {
    top = await mkdtemp(join(tmpdir(), 'lakeforge-across-'))
    const root = join(top, 'lake')
    engines = [
      openLocalEngine({ root, memory_bytes: 512 * 2 ** 20, threads: 1 }),
      openSparkEngine({
        root,
        memory_mb: 1024,
        env: { LAKEFORGE_SPARK_CONF: TINY, ...process.env },
      }),
    ]
  })
  afterAll(async () => {
    for (const engine of engines) await engine.close()
    await rm(top, { recursive: true, force: true })
  })

  it('each goes on where the other ended, checkpoints included, and a batch is repeated by neither', async () => {
    const steps = stepsOf(scenario, top)
    for (let seq = 1; seq <= BATCHES; seq++) {
      await writeFile(join(top, `${seq}.csv`), `id,v,n\n${seq % 3},batch ${seq},${seq}\n`)
      const reports = await runOn(engines[seq % 2]!, 'across', steps, seq)
      for (const [key, report] of Object.entries(reports))
        expect([seq, key, report.error, report.state]).toEqual([seq, key, null, 'succeeded'])
    }
    // What one engine has committed, the other finds.
    const again = await runOn(engines[1]!, 'across', steps, BATCHES)
    expect(again['silver:s.merged']!.counts.rows_updated).toBe(1)
    const tables = await openTables()
    const appended = await tables.read(join(top, 'lake'), 's.appended')
    expect(appended!.rows).toHaveLength(BATCHES)
    const merged = await tables.read(join(top, 'lake'), 's.merged')
    expect(merged!.rows.toSorted()).toEqual([
      '["0","batch 12","12"]',
      '["1","batch 10","10"]',
      '["2","batch 11","11"]',
    ])
    tables.close()
    const log = await readdir(join(top, 'lake/tables/s/appended/_delta_log'))
    expect(log.some((name) => name.includes('.checkpoint'))).toBe(true)
  }, 900_000)
})

it('the local engine refuses a plug-in for Spark by its name', async () => {
  const lake = await openLake()
  try {
    const [raw] = fileSteps('/nowhere', '*.csv', 'b.t', columns('id int'), {
      raw: { extractor: 'numbers_extractor' },
    })
    const { steps } = await lake.run([raw], 1)
    expect(steps[raw.key]!.error).toMatchObject({
      code: 'engine_unsupported',
      message: expect.stringContaining('numbers_extractor'),
    })
  } finally {
    await lake.close()
  }
})
