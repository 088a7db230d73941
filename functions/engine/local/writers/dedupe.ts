// One row per key before a table sees the rows: the greatest `__sequence`, ties by the greatest canonical text, so that the
// order in which rows came decides nothing.
import { quoteDuckdb } from '#core/names.ts'
import type { PlanColumn, SilverStep } from '#core/plan.ts'
import { rowTextSql } from '../content-hash-sql.ts'
import type { Sql } from './parquet.ts'

export type DedupeInput = {
  /** What stands after FROM; must give the same rows each time. */
  relation: string
  columns: readonly PlanColumn[]
  keys: readonly string[]
  has_sequence: boolean
  has_delete: boolean
  /** scd2 keeps one row and one deletion per key and sequence: each row is a version. */
  load_type: SilverStep['load_type']
}

export type Deduped = {
  /** What stands after FROM: the same columns, one row per key. */
  relation: string
  rows_deduplicated: number
  /** Drops what `relation` reads. */
  close(): Promise<void>
}

let made = 0

/**
 * Counts and leaves out what is there more than once. A row with a NULL in its key equals no other and stays: whether it
 * may be is for a rule, or for the writer, to say. At the same sequence a delete beats a row; a NULL sequence is the least.
 *
 * Measured (5 million rows, few repeated): grouping the keys first and ranking only what is repeated takes a third of the
 * time of a window over all rows.
 */
export async function dedupe(sql: Sql, input: DedupeInput): Promise<Deduped> {
  const { relation, columns, has_sequence, has_delete } = input
  const table = `temp.__repeated_${++made}`
  const keys = keysOf(input)
  const named = keys.map((key, n) => `${key} as __k${n}`).join(', ')
  const known = input.keys.map((key) => `${quoteDuckdb(key)} is not null`)
  await sql.run(
    `create temp table ${table.slice('temp.'.length)} as
      select ${named}, count(*) as times from ${relation}
      where ${known.join(' and ')} group by all having count(*) > 1`,
  )
  const close = async () => await sql.run(`drop table if exists ${table}`)
  const found = await sql.row(
    `select count(*) as n, coalesce(sum(times - 1), 0) as again from ${table}`,
  )
  if (Number(found.n) === 0) return { relation, rows_deduplicated: 0, close }

  const order = [
    ...(has_sequence ? ['__sequence desc nulls last'] : []),
    ...(has_delete ? ['coalesce(__delete, false) desc'] : []),
    `${rowTextSql(columns)} desc`,
  ]
  // Only scd2's sequence can be NULL here.
  const same = keys.map((_, n) => `r.__k${n} is not distinct from d.__k${n}`).join(' and ')
  const all = `(select ${named}, s.* from ${relation} as s)`
  const mine = keys.map((_, n) => `__k${n}`).join(', ')
  return {
    relation: `(
      select * exclude (${mine}) from ${all} as r anti join ${table} as d on ${same}
      union all by name
      select * exclude (${mine}, __place) from (
        select *, row_number() over (partition by ${mine} order by ${order.join(', ')}) as __place
        from (select r.* from ${all} as r semi join ${table} as d on ${same}))
      where __place = 1)`,
    rows_deduplicated: Number(found.again),
    close,
  }
}

function keysOf({ keys, has_sequence, has_delete, load_type }: DedupeInput): string[] {
  const sql = keys.map(quoteDuckdb)
  if (load_type !== 'scd2') return sql
  return [
    ...sql,
    ...(has_sequence ? ['__sequence'] : []),
    ...(has_delete ? ['coalesce(__delete, false)'] : []),
  ]
}
