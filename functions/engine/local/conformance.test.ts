import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { analyzeQuery } from '#dialect/index.ts'
import { conformance } from '#engine/conformance.ts'
import { openLake } from './testing.ts'

conformance('local', async () => {
  const lake = await openLake()
  const root = await mkdtemp(join(tmpdir(), 'lakeforge-source-'))
  return {
    engine: lake.engine,
    async folder(sub) {
      await mkdir(join(root, sub))
      return join(root, sub)
    },
    deliver: (path, text) => writeFile(path, text),
    async rows(sql, ...tables) {
      const relations = []
      for (const table of tables)
        relations.push({ name: table, columns: (await lake.snapshot(table))!.columns })
      const { rows } = await lake.engine.query({
        environment: 'test',
        sql: (await analyzeQuery(sql, relations)).duckdb,
        tables: tables.map((table) => ({ table, version: null })),
        limit: 1000,
        timeout_ms: 60_000,
      })
      return rows
    },
    version: async (table) => (await lake.snapshot(table))?.version ?? null,
    async close() {
      await lake.close()
      await rm(root, { recursive: true, force: true })
    },
  }
})
