// Changing rows of a Delta table: the files that hold them are copied without them, with what takes their place; other files
// aren't touched. The content sum of a new file follows from the old one's and from the rows that changed.
import { quoteDuckdb } from '#core/names.ts'
import type { PlanColumn } from '#core/plan.ts'
import { contentHashSql } from '../content-hash-sql.ts'
import { type DeltaFile, duckdbScan, pruneFiles, type Snapshot } from '../delta.ts'
import { copyRows, FILE_BYTES, fileSum, hashFiles, type Sql } from './parquet.ts'
import { tagged, type WrittenFile } from './parquet.ts'

/** Where a row lies: its file's number in a list, its place there. No column of a table has names like these. */
export const PLACE = { file: '__lf_file', row: '__lf_row' }

/** The snapshot as the step's columns see it: a column that the table lacks so far is NULL. */
export function withColumns(snapshot: Snapshot, columns: readonly PlanColumn[]): Snapshot {
  return {
    ...snapshot,
    columns: columns.map(({ name, type, nullable }) => ({ name, type, nullable })),
  }
}

/** What stands after FROM: the rows of `files`, with their PLACE. */
export function scan(snapshot: Snapshot, files: readonly DeltaFile[]): string {
  return duckdbScan(snapshot, { files, place: PLACE })
}

/** The files that may hold one of the keys of `incoming` (what stands after FROM), by the bounds of both. */
export async function candidates(
  sql: Sql,
  snapshot: Snapshot,
  incoming: string,
  keys: readonly string[],
): Promise<DeltaFile[]> {
  const known = new Set(snapshot.columns.map((column) => column.name))
  const bounds = keys.flatMap((key, n) => [
    `min(${quoteDuckdb(key)})::varchar as min${n}`,
    `max(${quoteDuckdb(key)})::varchar as max${n}`,
  ])
  const row = await sql.row(`select ${bounds.join(', ')} from ${incoming}`)
  let files: DeltaFile[] = [...snapshot.files]
  for (const [n, key] of keys.entries()) {
    const [min, max] = [row[`min${n}`], row[`max${n}`]]
    if (known.has(key) && typeof min === 'string' && typeof max === 'string')
      files = pruneFiles(snapshot, key, min, max, files)
  }
  return files
}

export type Rewrite = {
  sql: Sql
  dir: string
  /** With the columns that the new files get. */
  snapshot: Snapshot
  columns: readonly PlanColumn[]
  keys: readonly string[]
  /** What `__lf_file` counts. */
  files: readonly DeltaFile[]
  /** A table of the rows that leave: `__lf_file`, `__lf_row`, and `hash`, the row's own (UBIGINT). Each place once. */
  gone: string
  /** A table of the rows that come into a touched file's successor: `__lf_file` and the columns. Null: none do. */
  coming: string | null
  file_bytes: number | undefined
}

/** Copies every file that `gone` names, without those rows and with the coming ones. Small ones are copied together. */
export async function rewrite(
  input: Rewrite,
): Promise<{ adds: WrittenFile[]; removes: DeltaFile[] }> {
  const { sql, dir, snapshot, columns, gone, coming } = input
  const lost = await sums(sql, `select __lf_file, sum(hash) as sum from ${gone} group by all`)
  const won =
    coming === null
      ? new Map<number, bigint>()
      : await sums(
          sql,
          `select __lf_file, ${contentHashSql(columns)} as sum from ${coming} group by __lf_file`,
        )
  const touched = [...lost.keys()].toSorted((a, b) => a - b)
  const names = columns.map(({ name }) => quoteDuckdb(name)).join(', ')
  const adds: WrittenFile[] = []
  for (const group of groups(touched, input)) {
    const files = group.map((n) => input.files[n]!)
    const these = `__lf_file in (${group.join(', ')})`
    const kept = `select ${names} from ${scan(snapshot, files)} as t anti join (
        select list_position([${group.join(', ')}], __lf_file) - 1 as f, __lf_row as r
        from ${gone} where ${these}) as g on t.__lf_row = g.r and t.__lf_file = g.f`
    const fresh =
      coming === null ? '' : `union all by name select ${names} from ${coming} where ${these}`
    const made = await copyRows(sql, `${kept} ${fresh}`, dir, columns, {
      single: true,
      bounded: input.keys,
    })
    let sum: bigint | null = 0n
    for (const n of group) {
      const old = fileSum(input.files[n]!)
      sum =
        sum === null || old === null ? null : sum + old - (lost.get(n) ?? 0n) + (won.get(n) ?? 0n)
    }
    // A file of another writer has no sum: then the new one is read to find it.
    adds.push(
      ...(sum === null
        ? await hashFiles(sql, dir, made, columns)
        : made.map((file) => tagged(file, sum))),
    )
  }
  return { adds, removes: touched.map((n) => input.files[n]!) }
}

/** Neighbours in the table's order, together no larger than one file should be. */
function groups(
  touched: readonly number[],
  { files, file_bytes = FILE_BYTES }: Rewrite,
): number[][] {
  const found: number[][] = []
  let bytes = Infinity
  for (const n of touched) {
    bytes += files[n]!.size
    if (bytes > file_bytes) {
      found.push([])
      bytes = files[n]!.size
    }
    found.at(-1)!.push(n)
  }
  return found
}

async function sums(sql: Sql, query: string): Promise<Map<number, bigint>> {
  const rows = await sql.rows(query)
  return new Map(rows.map((row) => [Number(row.__lf_file), BigInt(String(row.sum))]))
}
