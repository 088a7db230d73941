// Merge: each key has one row, the newest. What is newest is told by the sequence, at the same sequence by the canonical
// text, so that batches may come in any order; without a sequence the incoming row is.
//
// A deletion isn't remembered: an older row of the same key that comes in a later batch brings the key back.
import { fail } from '#core/errors.ts'
import { quoteDuckdb } from '#core/names.ts'
import type { PlanColumn } from '#core/plan.ts'
import { rowHashSql, rowTextSql } from '../content-hash-sql.ts'
import type { DeltaFile, Snapshot } from '../delta.ts'
import { dedupe } from './dedupe.ts'
import { writeRows } from './parquet.ts'
import { candidates, rewrite, scan, withColumns } from './rewrite.ts'
import {
  aligned,
  type Load,
  refuseNullKeys,
  rowsIn,
  scratch,
  tableColumns,
  type Written,
} from './writer.ts'

/**
 * Each incoming row counts once: applied (`rows_written`), older than the table's (`rows_late`), or the lesser of two at
 * one sequence (`rows_deduplicated`). A row that is there already is applied, and nothing is written.
 * @throws key_null, sequence_not_in_columns
 */
export async function merge(load: Load): Promise<Written> {
  const { sql, snapshot } = load
  if (load.has_sequence && load.sequence_column === null)
    return fail('sequence_not_in_columns', { table: load.table })
  await refuseNullKeys(load)
  const unique = load.unique_keys
    ? { relation: load.staged, rows_deduplicated: 0, close: async () => {} }
    : await dedupe(sql, { ...load, relation: load.staged, load_type: 'merge' })
  try {
    const columns = tableColumns(load)
    const staged = aligned(load, columns, unique.relation)
    const part =
      snapshot === null || snapshot.files.length === 0
        ? await first(load, columns, staged)
        : await change(load, columns, staged, snapshot)
    const lost = part.counts.rows_deduplicated ?? 0
    return {
      ...part,
      counts: { ...part.counts, rows_deduplicated: lost + unique.rows_deduplicated },
      columns,
      operation: 'MERGE',
    }
  } finally {
    await unique.close()
  }
}

type Part = Pick<Written, 'adds' | 'removes' | 'counts'>

/** Into an empty table: all but the deletions, streamed. */
async function first(load: Load, columns: PlanColumn[], staged: string): Promise<Part> {
  const { sql, dir, keys, file_bytes } = load
  const { rows } = await sql.row(`select count(*) as rows from ${staged}`)
  const live = load.has_delete ? 'where not coalesce(__delete, false)' : ''
  const adds = await writeRows(sql, `select * from ${staged} ${live}`, dir, columns, {
    bounded: keys,
    file_bytes,
  })
  const counts = { rows_written: Number(rows), rows_inserted: rowsIn(adds) }
  return { adds, removes: [], counts }
}

async function change(
  load: Load,
  columns: PlanColumn[],
  staged: string,
  before: Snapshot,
): Promise<Part> {
  const { sql, dir, keys, file_bytes } = load
  const tables = scratch(sql, ['incoming', 'met', 'old', 'verdict', 'gone', 'coming'])
  const { incoming, met, verdict, gone, coming } = tables.names
  try {
    await tables.make('incoming', `select *, row_number() over () as __lf_n from ${staged}`)
    const snapshot = withColumns(before, columns)
    const files = await candidates(sql, before, incoming, keys)
    const on = keys.map((key) => `t.${quoteDuckdb(key)} = i.${quoteDuckdb(key)}`).join(' and ')
    // Keys and sequence tell which rows meet, and whether one is late: the other columns are read only of touched files.
    await tables.make(
      'met',
      `select i.__lf_n as n, t.__lf_file, ${order(load)} as ordered
        from ${scan(snapshot, files)} as t join ${incoming} as i on ${on}`,
    )
    await judge(load, columns, { snapshot, files, on }, tables)
    await tables.make(
      'gone',
      `select o.__lf_file, o.__lf_row, o.hash from ${tables.names.old} as o
        semi join (from ${verdict} where word in ('updated', 'deleted')) as v on o.n = v.n`,
    )
    await tables.drop('old')
    await tables.make(
      'coming',
      `select v.__lf_file, i.* from ${incoming} as i
        join (from ${verdict} where word = 'updated') as v on v.n = i.__lf_n`,
    )
    const changed = await rewrite({
      sql,
      dir,
      snapshot,
      columns,
      keys,
      files,
      gone,
      coming,
      file_bytes,
    })
    const rest = `${incoming} as i anti join ${met} as m on m.n = i.__lf_n`
    const deletes = load.has_delete ? 'coalesce(i.__delete, false)' : 'false'
    const inserted = await writeRows(
      sql,
      `select i.* from ${rest} where not ${deletes}`,
      dir,
      columns,
      { bounded: keys, file_bytes },
    )
    const counted = await sql.row(
      `select (select count(distinct n) from ${met} where ordered < 0) as late,
        (select count(*) from ${rest} where ${deletes}) as idle,
        count(*) filter (word = 'lost') as lost, count(*) filter (word = 'same') as same,
        count(*) filter (word = 'updated') as updated, count(*) filter (word = 'deleted') as deleting,
        coalesce(sum(matches) filter (word = 'deleted'), 0) as deleted from ${verdict}`,
    )
    const n = (term: string) => Number(counted[term])
    const rows_inserted = rowsIn(inserted)
    return {
      adds: [...changed.adds, ...inserted],
      removes: changed.removes,
      counts: {
        rows_written: rows_inserted + n('updated') + n('same') + n('deleting') + n('idle'),
        rows_late: n('late'),
        rows_deduplicated: n('lost'),
        rows_inserted,
        rows_updated: n('updated'),
        rows_deleted: n('deleted'),
        files_rewritten: changed.removes.length,
      },
    }
  } finally {
    await tables.drop()
  }
}

/** How an incoming row stands to the one in the table: -1 before it, 0 level, 1 after. A NULL sequence is the least. */
function order({ has_sequence, sequence_column }: Load): string {
  if (!has_sequence) return '0'
  const theirs = `t.${quoteDuckdb(sequence_column!)}`
  return `(case when i.__sequence is not distinct from ${theirs} then 0
    when i.__sequence is null or i.__sequence < ${theirs} then -1 else 1 end)`
}

/**
 * Fills `old` (each row of the table that an incoming one meets: its place and hash) and `verdict` (what becomes of the
 * incoming row `n`: updated, deleted, same, lost). Late rows are in neither.
 */
async function judge(
  load: Load,
  columns: PlanColumn[],
  { snapshot, files, on }: { snapshot: Snapshot; files: DeltaFile[]; on: string },
  tables: ReturnType<typeof scratch<'incoming' | 'met' | 'old' | 'verdict' | 'gone' | 'coming'>>,
): Promise<void> {
  const { sql } = load
  const { incoming, met, old } = tables.names
  const late = `(select n from ${met} where ordered < 0)`
  const touched = await sql.rows(
    `select distinct __lf_file from ${met} as m anti join ${late} as l on m.n = l.n order by 1`,
  )
  const numbers = touched.map((row) => Number(row.__lf_file))
  const names = columns.map(({ name }) => quoteDuckdb(name))
  const mine = names.map((name, n) => `i.${name} as __lf_i${n}`)
  const equal = names.map((name, n) => `${name} is not distinct from __lf_i${n}`).join(' and ')
  const deletes = load.has_delete ? 'coalesce(i.__delete, false)' : 'false'
  // Text is compared only at equal sequences; without one the incoming row wins.
  const compared = load.has_sequence
    ? '__lf_ordered = 0 and not __lf_same and not __lf_deletes'
    : 'false'
  const numbered = numbers.map((number) => files[number]!)
  await tables.make(
    'old',
    `select __lf_n as n, [${numbers.join(', ')}][__lf_file + 1]::bigint as __lf_file, __lf_row,
        __lf_deletes as deletes, __lf_same as same, ${rowHashSql('__lf_text')} as hash,
        case when ${compared} then __lf_text end as theirs
      from (select *, ${equal} as __lf_same, ${rowTextSql(columns)} as __lf_text
        from (select t.*, i.__lf_n, ${order(load)} as __lf_ordered, ${deletes} as __lf_deletes, ${mine.join(', ')}
          from ${scan(snapshot, numbered)} as t
          join (select i.* from ${incoming} as i anti join ${late} as l on l.n = i.__lf_n) as i on ${on}))`,
  )
  await tables.make(
    'verdict',
    `select n, count(*) as matches, min(__lf_file) as __lf_file,
        case when bool_or(deletes) then 'deleted'
          when bool_or(coalesce(theirs > text, false)) then 'lost'
          when count(*) = 1 and bool_or(same or coalesce(theirs = text, false)) then 'same'
          else 'updated' end as word
      from (select o.n, o.__lf_file, o.deletes, o.same, o.theirs, m.text from ${old} as o
        left join (select i.__lf_n as n, ${rowTextSql(columns)} as text from ${incoming} as i
          semi join (from ${old} where theirs is not null) as c on c.n = i.__lf_n) as m on m.n = o.n)
      group by n`,
  )
}
