// What a batch's rows look like, column by column: bounds and nulls from the files' statistics, distinct values from a sample.
import { resolve } from 'node:path'
import { quoteDuckdb } from '#core/names.ts'
import { type Column, parseType } from '#core/types.ts'
import type { ColumnProfile } from '#engine/engine.ts'
import { type DeltaFile, fileStats, literalPath } from './delta.ts'
import type { WrittenFile } from './writers/parquet.ts'
import type { StepSession } from './session.ts'

/** Rows that are looked at for distinct values. */
const SAMPLE_ROWS = 100_000
/** A profile of thousands of columns would cost more than their load. */
const MOST_COLUMNS = 500

/** One profile per column of the files just written; audit columns are left out. Empty for no files. */
export async function profileFiles(
  session: StepSession,
  dir: string,
  files: readonly WrittenFile[],
  columns: readonly Column[],
): Promise<ColumnProfile[]> {
  const rows = files.reduce((sum, file) => sum + file.rows, 0)
  const looked = columns.filter(({ name }) => !AUDIT.has(name)).slice(0, MOST_COLUMNS)
  if (rows === 0 || looked.length === 0) return []
  const stats = files.map((file) => fileStats(file as unknown as DeltaFile))
  const counted = looked.filter(
    ({ type }) => !['array', 'map', 'struct'].includes(parseType(type).kind),
  )
  const paths = files.map((file) => literalPath(`${resolve(dir)}/${file.path}`))
  const distinct =
    counted.length === 0
      ? {}
      : await session.row(
          `select count(*) as n, ${counted
            .map(({ name }, i) => `approx_count_distinct(${quoteDuckdb(name)}) as d${i}`)
            .join(', ')}
      from (from read_parquet([${paths.join(', ')}], hive_partitioning = false) limit ${SAMPLE_ROWS})`,
        )
  return looked.map((column) => {
    const { name, type } = column
    const at = counted.indexOf(column)
    const numeric = /^(tinyint|smallint|int|bigint|float|double|decimal)/.test(type)
    const bound = (side: 'minValues' | 'maxValues', pick: (a: string, b: string) => string) => {
      const values = stats.map((found) => found?.[side]?.[name])
      const texts = values.filter((value) => typeof value === 'string')
      return texts.length === 0 ? null : texts.reduce(pick)
    }
    const below = (a: string, b: string) => (numeric ? Number(a) <= Number(b) : a <= b)
    return {
      column: name,
      rows,
      nulls: stats.reduce((sum, found) => sum + Number(found?.nullCount?.[name] ?? 0), 0),
      distinct: at < 0 ? null : Number(distinct[`d${at}`]),
      sampled: at < 0 ? 0 : Number(distinct.n),
      min: bound('minValues', (a, b) => (below(a, b) ? a : b)),
      max: bound('maxValues', (a, b) => (below(a, b) ? b : a)),
    }
  })
}

const AUDIT = new Set(['_batch_id', '_source_file', '_ingested_at', '_row_id'])
