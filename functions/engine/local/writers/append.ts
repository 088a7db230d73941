// Append: every staged row becomes a row of the table.
import { writeRows } from './parquet.ts'
import { type Load, rowsIn, type Written } from './writer.ts'

export async function append(load: Load): Promise<Written> {
  const { sql, dir, staged, columns, keys, file_bytes } = load
  const adds = await writeRows(sql, `select * from ${staged}`, dir, columns, {
    bounded: keys,
    file_bytes,
  })
  const rows = rowsIn(adds)
  return {
    adds,
    removes: [],
    columns: [...columns],
    counts: { rows_written: rows, rows_inserted: rows },
    operation: 'WRITE',
  }
}
