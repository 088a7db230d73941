// Append: every staged row becomes a row of the table.
import { quoteDuckdb } from '#core/names.ts'
import { writeRows } from './parquet.ts'
import { aligned, type Load, rowsIn, tableColumns, type Written } from './writer.ts'

export async function append(load: Load): Promise<Written> {
  const { sql, dir, keys, file_bytes, cluster_by = [] } = load
  const columns = tableColumns(load)
  const rows = aligned(load, columns, load.staged)
  // A sort that spills where it must. Several threads may write its runs in turn: ranges stay narrow, not strictly ordered.
  const known = new Set(columns.map(({ name }) => name))
  const order = cluster_by.filter((name) => known.has(name)).map(quoteDuckdb)
  const sorted = order.length === 0 ? '' : ` order by ${order.join(', ')}`
  const adds = await writeRows(sql, `select * from ${rows}${sorted}`, dir, columns, {
    bounded: [...keys, ...cluster_by],
    file_bytes,
  })
  const rows_written = rowsIn(adds)
  return {
    adds,
    removes: [],
    columns,
    counts: { rows_written, rows_inserted: rows_written },
    operation: 'WRITE',
  }
}
