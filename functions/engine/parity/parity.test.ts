import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { findPackageJSON } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Engine } from '#engine/engine.ts'
import { openLocalEngine } from '#engine/local/index.ts'
import { openSparkEngine } from '#engine/spark/index.ts'
import { TINY } from '#engine/spark/testing.ts'
import { compareReports, compareTables, type Difference } from './compare.ts'
import { CORPUS } from './corpus.ts'
import { runOn } from './run.ts'
import { type Scenario, stepsOf } from './scenario.ts'
import { openTables } from './tables.ts'

const dataset = (name: string) =>
  join(dirname(findPackageJSON('vega-datasets', import.meta.url)!), 'data', name)
const only = process.env.LAKEFORGE_PARITY

if (process.env.LAKEFORGE_SPARK)
  describe('the same metadata on the local engine and on Spark', () => {
    let top: string
    let engines: Engine[]
    let tables: Awaited<ReturnType<typeof openTables>>
    beforeAll(async () => {
      top = await mkdtemp(join(tmpdir(), 'lakeforge-parity-'))
      tables = await openTables()
      // An environment of each engine for each scenario: a lake of its own.
      const root = (engine: string) => (scenario: string) => join(top, engine, scenario)
      engines = [
        openLocalEngine({ root: root('local'), memory_bytes: 512 * 2 ** 20, threads: 1 }),
        openSparkEngine({
          root: root('spark'),
          memory_mb: 1024,
          env: { LAKEFORGE_SPARK_CONF: TINY, ...process.env },
        }),
      ]
    })
    afterAll(async () => {
      tables.close()
      for (const engine of engines) await engine.close()
      if (!process.env.LAKEFORGE_PARITY_KEEP) await rm(top, { recursive: true, force: true })
    })

    async function differencesOf(scenario: Scenario): Promise<Map<string, Difference[]>> {
      const folder = join(top, 'sources', scenario.name)
      await mkdir(folder, { recursive: true })
      const steps = stepsOf(scenario, folder)
      const found = new Map<string, Difference[]>()
      const add = (key: string, seq: number, more: Difference[]) =>
        found.set(key, [
          ...(found.get(key) ?? []),
          ...more.map((each) => ({ ...each, what: `batch ${seq}: ${each.what}` })),
        ])
      for (const [index, files] of scenario.batches.entries()) {
        const seq = index + 1
        for (const [path, given] of Object.entries(files)) {
          await mkdir(dirname(join(folder, path)), { recursive: true })
          const real = typeof given === 'object' && 'real' in given
          await writeFile(join(folder, path), real ? await readFile(dataset(given.real)) : given)
        }
        const [left, right] = await Promise.all(
          engines.map((engine) => runOn(engine, scenario.name, steps, seq)),
        )
        for (const step of steps) {
          add(step.key, seq, compareReports(left![step.key]!, right![step.key]!))
          if (step.zone === 'raw') continue
          for (const table of [step.target, `${step.target}_quarantine`]) {
            const [a, b] = await Promise.all(
              ['local', 'spark'].map((name) => tables.read(join(top, name, scenario.name), table)),
            )
            add(step.key, seq, compareTables(table, a!, b!))
          }
        }
      }
      return found
    }

    for (const scenario of CORPUS) {
      if (only && !only.split(',').includes(scenario.name)) continue
      describe(scenario.name, () => {
        let found: Map<string, Difference[]>
        beforeAll(async () => {
          found = await differencesOf(scenario)
        }, 900_000)
        for (const feed of scenario.feeds)
          it(`bronze ${feed.name}: ${feed.case}`, () => {
            expect(found.get(`raw:files.b_${feed.name}`)).toEqual([])
            expect(found.get(`bronze:b.${feed.name}`)).toEqual([])
          })
        for (const silver of scenario.silver ?? [])
          it(`silver ${silver.name}: ${silver.case}`, () =>
            expect(found.get(`silver:s.${silver.name}`)).toEqual([]))
        for (const gold of scenario.gold ?? [])
          it(`gold ${gold.name}: ${gold.case}`, () =>
            expect(found.get(`gold:g.${gold.name}`)).toEqual([]))
      })
    }
  })
else
  describe('the same metadata on the local engine and on Spark', () => {
    it.skip('is compared by npm run test:spark, which needs Python and Java', () => undefined)
  })
