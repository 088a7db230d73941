// The rows of a Delta table, whichever engine wrote it, as texts that can be compared.
import { DuckDBInstance } from '@duckdb/node-api'
import { quoteDuckdb } from '#core/names.ts'
import { duckdbScan, readSnapshot } from '#engine/local/delta.ts'
import { tableDir } from '#engine/local/layout.ts'
import type { TableContent } from './compare.ts'

/** Of one engine each: a position in its files. */
const OWN = new Set(['_row_id'])

/** Reads whole tables of lakes. The caller closes it. */
export async function openTables() {
  const instance = await DuckDBInstance.create(':memory:', { threads: '1' })
  const connection = await instance.connect()
  await connection.run("set TimeZone = 'UTC'")
  return {
    /** Null where there is no such table. Values are DuckDB's texts. */
    async read(root: string, table: string): Promise<TableContent | null> {
      const snapshot = await readSnapshot(tableDir(root, table), { connection })
      if (snapshot === null) return null
      const columns = snapshot.columns.filter(({ name }) => !OWN.has(name))
      const values = columns.map(({ name }) => `cast(${quoteDuckdb(name)} as varchar)`)
      const answer = await connection.runAndReadAll(
        `select ${values.join(', ')} from ${duckdbScan(snapshot)}`,
      )
      return {
        columns: columns.map(({ name, type }) => ({ name, type })),
        rows: answer.getRowsJson().map((row) => JSON.stringify(row)),
      }
    },
    close() {
      connection.closeSync()
      instance.closeSync()
    },
  }
}
