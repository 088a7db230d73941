// A preview's rows and profile, from any select. The sample goes to a temporary table once, so that a source is read once.
import type { DuckDBConnection } from '@duckdb/node-api'
import { quoteDuckdb } from '#core/names.ts'
import type { PlanColumn } from '#core/plan.ts'
import type { Preview } from './extractor.ts'

/** Rows that a profile looks at. */
const PROFILE_ROWS = 10_000
const TOP = 5

export async function profileRows(
  connection: DuckDBConnection,
  select: string,
  columns: readonly PlanColumn[],
  limit: number,
): Promise<Preview> {
  const table = quoteDuckdb(`preview_${crypto.randomUUID()}`)
  const names = columns.map(({ name }) => quoteDuckdb(name)).join(', ')
  await connection.run(
    `CREATE TEMP TABLE ${table} AS SELECT ${names || '_row_id'} FROM (${select}) LIMIT ${PROFILE_ROWS}`,
  )
  try {
    const rows = await connection.runAndReadAll(`SELECT * FROM ${table} LIMIT ${Math.floor(limit)}`)
    const count = await connection.runAndReadAll(`SELECT count(*) FROM ${table}`)
    const profile: Preview['profile'] = []
    for (const { name, type } of columns) {
      const column = quoteDuckdb(name)
      // Nested values and binary have no useful order.
      const ordered = !/^(array|map|struct|binary)/.test(type)
      const text = `${column}::VARCHAR`
      const answer = await connection.runAndReadAll(`
        SELECT count(*) - count(${column}), count(DISTINCT ${column}),
          ${ordered ? `min(${column})::VARCHAR, max(${column})::VARCHAR` : 'NULL, NULL'},
          (SELECT list({'value': value, 'rows': n}) FROM
            (SELECT ${text} AS value, count(*) AS n FROM ${table} WHERE ${column} IS NOT NULL
             GROUP BY 1 ORDER BY n DESC, value LIMIT ${TOP}))
        FROM ${table}`)
      const [nulls, distinct, min, max, top] = answer.getRowsJson()[0]! as [
        string,
        string,
        string | null,
        string | null,
        { value: string; rows: string }[] | null,
      ]
      profile.push({
        column: name,
        nulls: Number(nulls),
        distinct: Number(distinct),
        min,
        max,
        top: (top ?? []).map((entry) => ({ value: entry.value, rows: Number(entry.rows) })),
      })
    }
    return {
      columns: [...columns],
      rows: columns.length === 0 ? [] : rows.getRowsJson(),
      profile,
      rows_profiled: Number(count.getRows()[0]![0]),
    }
  } finally {
    await connection.run(`DROP TABLE IF EXISTS ${table}`)
  }
}
