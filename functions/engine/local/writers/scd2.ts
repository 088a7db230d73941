// SCD 2: each event of a key is a version with the time in which it held, `[__START_AT, __END_AT)` in the sequence's own type.
// An event goes to its place whenever it comes: versions follow from the set of events, not from their order of arrival.
//
// A deletion leaves no row, but the end of the version that it closes: where no version begins at an end, a deletion is
// known to have been. One at a version's own start leaves that version with an empty time. A deletion that finds no version
// open when it comes (an unknown key, or one deleted before) is not kept, and doesn't end what comes later at its place.
import { fail } from '#core/errors.ts'
import { quoteDuckdb } from '#core/names.ts'
import type { PlanColumn } from '#core/plan.ts'
import { duckdbType } from '#core/types.ts'
import { rowHashSql, rowTextSql } from '../content-hash-sql.ts'
import { type DeltaFile, fileStats, pruneFiles, type Snapshot } from '../delta.ts'
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

const START = '__START_AT'
const END = '__END_AT'

/**
 * Every incoming row is applied (`rows_written`), but the lesser of two different ones of one key and sequence
 * (`rows_deduplicated`). `rows_closed` are versions of the table that were open and now end.
 * @throws key_null, sequence_null, delta_schema_refused for a table that holds rows without their history
 */
export async function scd2(load: Load): Promise<Written> {
  const { sql, snapshot, sequence_type: type } = load
  if (!load.has_sequence || type === null)
    return fail('internal', { reason: 'scd2 without a sequence' })
  await refuseNullKeys(load)
  const { rows } = await sql.row(
    `select count(*) as rows from ${load.staged} where __sequence is null`,
  )
  if (Number(rows) > 0) return fail('sequence_null', { table: load.table, rows: Number(rows) })
  const live = snapshot !== null && snapshot.files.length > 0
  if (live && !snapshot.columns.some((column) => column.name === START))
    return fail('delta_schema_refused', {
      table: load.table,
      column: START,
      reason: 'its rows have no history yet',
    })

  const unique = load.unique_keys
    ? { relation: load.staged, rows_deduplicated: 0, close: async () => {} }
    : await dedupe(sql, { ...load, relation: load.staged, load_type: 'scd2' })
  try {
    const columns = tableColumns({
      ...load,
      columns: [
        ...load.columns,
        { name: START, type, nullable: false },
        { name: END, type, nullable: true },
      ],
    })
    const content = columns.filter(({ name }) => name !== START && name !== END)
    const staged = aligned(load, content, unique.relation)
    const part = live
      ? await change(load, columns, content, staged, snapshot)
      : await first(load, columns, staged)
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

/** Into an empty table: a version ends where the key's next event is. */
async function first(load: Load, columns: PlanColumn[], staged: string): Promise<Part> {
  const { sql, dir, keys, file_bytes } = load
  const { rows } = await sql.row(`select count(*) as rows from ${staged}`)
  const deletes = load.has_delete ? 'coalesce(__delete, false)' : 'false'
  const adds = await writeRows(
    sql,
    `select *, __sequence as ${START} from (
      select *, lead(__sequence) over (
        partition by ${keys.map(quoteDuckdb).join(', ')} order by __sequence, ${deletes}) as ${END}
      from ${staged}) where not ${deletes}`,
    dir,
    columns,
    { bounded: [...keys, START, END], file_bytes },
  )
  const counts = { rows_written: Number(rows), rows_inserted: rowsIn(adds) }
  return { adds, removes: [], counts }
}

const TABLES = ['incoming', 'known', 'times', 'wanted', 'old', 'won', 'gone', 'coming'] as const

async function change(
  load: Load,
  columns: PlanColumn[],
  content: PlanColumn[],
  staged: string,
  before: Snapshot,
): Promise<Part> {
  const { sql, dir, keys, file_bytes } = load
  const tables = scratch(sql, TABLES)
  const { incoming, times, old, won, gone, coming } = tables.names
  const deletes = load.has_delete ? 'coalesce(__delete, false)' : 'false'
  try {
    await tables.make(
      'incoming',
      `select *, row_number() over () as __lf_n, ${deletes} as __lf_deletes from ${staged}`,
    )
    const snapshot = withColumns(before, columns)
    const files = await filesOf(load, before, incoming)
    await makeTimes(load, tables, scan(snapshot, files))
    await judge(load, columns, content, { snapshot, files }, tables)

    const names = content.map(({ name }) => quoteDuckdb(name))
    const mine = names.map(
      (name) => `case when w.n is null then o.${name} else i.${name} end as ${name}`,
    )
    await tables.make(
      'gone',
      `select __lf_file, __lf_row, __lf_hash as hash from ${old} as o
        where __lf_moved or __lf_n in (select n from ${won})`,
    )
    await tables.make(
      'coming',
      `select o.__lf_file, ${mine.join(', ')}, o.${START}, o.__lf_ends as ${END}
        from ${old} as o left join ${won} as w on w.n = o.__lf_n
        left join ${incoming} as i on i.__lf_n = w.n
        where o.__lf_moved or w.n is not null`,
    )
    const bounded = [...keys, START, END]
    const changed = await rewrite({
      sql,
      dir,
      snapshot,
      columns,
      keys: bounded,
      files,
      gone,
      coming,
      file_bytes,
    })
    const inserted = await writeRows(
      sql,
      `select i.*, i.__sequence as ${START}, x.ends as ${END}
        from ${incoming} as i join ${times} as x on x.n = i.__lf_n`,
      dir,
      columns,
      { bounded, file_bytes },
    )
    const counted = await sql.row(
      `select (select count(*) from ${incoming} where __lf_deletes) as deletes,
        (select count(*) from ${won}) as won,
        count(*) filter (__lf_met and __lf_same) as same,
        count(*) filter (__lf_met and not __lf_same and __lf_n not in (select n from ${won})) as lost,
        count(*) filter (__lf_moved and ${END} is null) as closed from ${old}`,
    )
    const n = (term: string) => Number(counted[term])
    const rows_inserted = rowsIn(inserted)
    return {
      adds: [...changed.adds, ...inserted],
      removes: changed.removes,
      counts: {
        rows_written: rows_inserted + n('won') + n('same') + n('deletes'),
        rows_deduplicated: n('lost'),
        rows_inserted,
        rows_updated: n('won'),
        rows_closed: n('closed'),
        files_rewritten: changed.removes.length,
      },
    }
  } finally {
    await tables.drop()
  }
}

/** Files that may hold a version of an incoming key that is open, or ends no earlier than the first incoming event. */
async function filesOf(load: Load, snapshot: Snapshot, incoming: string): Promise<DeltaFile[]> {
  const files = await candidates(load.sql, snapshot, incoming, load.keys)
  const { least } = await load.sql.row(`select min(__sequence)::varchar as least from ${incoming}`)
  if (typeof least !== 'string') return []
  const mayBeOpen = (file: DeltaFile) => Number(fileStats(file)?.nullCount?.[END] ?? 1) !== 0
  const closed = files.filter((file) => !mayBeOpen(file))
  const needed = new Set(pruneFiles(snapshot, END, least, null, closed))
  return files.filter((file) => mayBeOpen(file) || needed.has(file))
}

type Tables = ReturnType<typeof scratch<(typeof TABLES)[number]>>

/**
 * Fills `known` (the table's versions that the batch may change) and `times`: each version of the incoming keys from the
 * first incoming event on, with its end as it must be: one in the table has its place, a new one has its row `n`.
 */
async function makeTimes(load: Load, tables: Tables, rows: string): Promise<void> {
  const { incoming, known } = tables.names
  const keys = load.keys.map(quoteDuckdb)
  const named = keys.map((key, n) => `${key} as k${n}`).join(', ')
  const k = keys.map((_, n) => `k${n}`).join(', ')
  const type = duckdbType(load.sequence_type!)
  await tables.make(
    'known',
    `select ${keys.map((key, n) => `t.${key} as k${n}`).join(', ')}, t.${START} as starts, t.${END} as ends,
        t.__lf_file, t.__lf_row
      from ${rows} as t join (select ${named}, min(__sequence) as least from ${incoming} group by all) as i
        on ${keys.map((key, n) => `t.${key} = i.k${n}`).join(' and ')}
          and (t.${END} is null or t.${END} >= i.least)`,
  )
  const same = (a: string, b: string) => keys.map((_, n) => `${a}.k${n} = ${b}.k${n}`).join(' and ')
  const events = `(select ${named}, __sequence::${type} as moment, __lf_deletes, __lf_n from ${incoming})`
  // In order of time every version ends at the next event of its key, be it a version (kind 0) or a deletion (1).
  await tables.make(
    'times',
    `select * exclude (moment, kind), moment as starts from (
      select *, lead(moment) over (partition by ${k} order by moment, kind) as ends from (
        select ${k}, starts as moment, 0 as kind, null::bigint as n, __lf_file, __lf_row, ends as former from ${known}
        union all by name
        select ${k}, moment, 0 as kind, __lf_n as n from ${events} as e
          anti join ${known} as v on ${same('e', 'v')} and e.moment = v.starts where not __lf_deletes
        union all by name
        select ${k}, ends as moment, 1 as kind from ${known} as v
          anti join ${known} as o on ${same('v', 'o')} and o.starts = v.ends and v.starts <> v.ends
          where ends is not null
        union all by name
        select ${k}, moment, 1 as kind from ${events} where __lf_deletes)) where kind = 0`,
  )
}

/**
 * Fills `old`, the rows of the table whose end moves or that an incoming row meets at the same key and start, and `won`,
 * the incoming rows `n` that take such a row's place.
 */
async function judge(
  load: Load,
  columns: PlanColumn[],
  content: PlanColumn[],
  { snapshot, files }: { snapshot: Snapshot; files: DeltaFile[] },
  tables: Tables,
): Promise<void> {
  const { sql } = load
  const { incoming, times, wanted, old } = tables.names
  const meets = load.keys
    .map((key, n) => `i.${quoteDuckdb(key)} = x.k${n}`)
    .concat('i.__sequence = x.starts', 'not i.__lf_deletes')
    .join(' and ')
  await tables.make(
    'wanted',
    `select x.__lf_file, x.__lf_row, x.ends, x.ends is distinct from x.former as moved, i.__lf_n as n
      from (from ${times} where __lf_file is not null) as x left join ${incoming} as i on ${meets}
      where moved or i.__lf_n is not null`,
  )
  const found = await sql.rows(`select distinct __lf_file from ${wanted} order by 1`)
  const numbers = found.map((row) => Number(row.__lf_file))
  const numbered = numbers.map((number) => files[number]!)
  const mine = content.map(({ name }, n) => `i.${quoteDuckdb(name)} as __lf_i${n}`)
  const equal = content.map(({ name }, n) => `${quoteDuckdb(name)} is not distinct from __lf_i${n}`)
  await tables.make(
    'old',
    `select ${columns.map(({ name }) => quoteDuckdb(name)).join(', ')},
        __lf_at as __lf_file, __lf_row, __lf_ends, __lf_moved, __lf_n, __lf_n is not null as __lf_met,
        coalesce(__lf_same, false) as __lf_same, ${rowHashSql(rowTextSql(columns))} as __lf_hash,
        case when __lf_n is not null and not __lf_same then ${rowTextSql(content)} end as __lf_theirs
      from (select *, ${equal.join(' and ')} as __lf_same
        from (select t.*, w.__lf_file as __lf_at, w.ends as __lf_ends, w.moved as __lf_moved, w.n as __lf_n,
            ${mine.join(', ')}
          from ${scan(snapshot, numbered)} as t
          join ${wanted} as w on t.__lf_row = w.__lf_row
            and t.__lf_file = list_position([${numbers.join(', ')}]::bigint[], w.__lf_file) - 1
          left join ${incoming} as i on i.__lf_n = w.n))`,
  )
  await tables.make(
    'won',
    `select o.__lf_n as n from (select __lf_n, __lf_theirs from ${old} where __lf_theirs is not null) as o
      join (select i.__lf_n, ${rowTextSql(content)} as __lf_text from ${incoming} as i
        semi join (from ${old} where __lf_theirs is not null) as o on o.__lf_n = i.__lf_n) as m
        on m.__lf_n = o.__lf_n
      where m.__lf_text > o.__lf_theirs`,
  )
}
