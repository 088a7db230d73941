// Append: every staged row becomes a row of the table.
import { writeRows } from './parquet.ts'
import { aligned, type Load, rowsIn, tableColumns, type Written } from './writer.ts'

export async function append(load: Load): Promise<Written> {
  const { sql, dir, keys, file_bytes } = load
  const columns = tableColumns(load)
  const rows = aligned(load, columns, load.staged)
  const adds = await writeRows(sql, `select * from ${rows}`, dir, columns, {
    bounded: keys,
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
