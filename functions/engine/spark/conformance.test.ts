import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'vitest'
import { analyzeQuery } from '#dialect/index.ts'
import { conformance } from '#engine/conformance.ts'
import { readSnapshot } from '#engine/local/delta.ts'
import { tableDir } from '#engine/local/layout.ts'
import { openSparkEngine } from './index.ts'
import { TINY } from './testing.ts'

if (process.env.LAKEFORGE_SPARK)
  conformance('spark', async () => {
    const root = await mkdtemp(join(tmpdir(), 'lakeforge-spark-lake-'))
    const source = await mkdtemp(join(tmpdir(), 'lakeforge-source-'))
    const engine = openSparkEngine({
      root,
      memory_mb: 1024,
      retry_base_ms: 10,
      // Tiny rows: compiling each query would take most of the time.
      env: { LAKEFORGE_SPARK_CONF: TINY, ...process.env },
    })
    const columnsOf = async (table: string) =>
      (await readSnapshot(tableDir(root, table), {}))?.columns ?? []
    return {
      engine,
      async folder(sub) {
        await mkdir(join(source, sub))
        return join(source, sub)
      },
      deliver: (path, text) => writeFile(path, text),
      async rows(sql, ...tables) {
        const relations = []
        for (const table of tables) relations.push({ name: table, columns: await columnsOf(table) })
        const { rows } = await engine.query({
          environment: 'test',
          sql: (await analyzeQuery(sql, relations)).duckdb,
          tables: tables.map((table) => ({ table, version: null })),
          limit: 1000,
          timeout_ms: 60_000,
        })
        return rows
      },
      version: async (table) => (await readSnapshot(tableDir(root, table), {}))?.version ?? null,
      async close() {
        await engine.close()
        await rm(root, { recursive: true, force: true })
        await rm(source, { recursive: true, force: true })
      },
    }
  })
else
  describe('the spark engine', () => {
    it.skip('is tested by npm run test:spark, which needs Python and Java', () => undefined)
  })
