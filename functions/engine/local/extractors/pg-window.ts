// Cursor windows `(from, to]` over a changing table. A transaction that began earlier may commit a smaller cursor value later:
// so `to` is read first, and rows are read only in a snapshot in which everything that was writing then has ended. A
// transaction that had written nothing yet can't be seen: clocks that stand still in a transaction (now()) need a lag.
import { setTimeout as wait } from 'node:timers/promises'
import { fail } from '#core/errors.ts'
import { quotePostgres } from '#core/names.ts'
import type { RawObject } from './extractor.ts'
import { fromSql, pgColumns } from './pg-columns.ts'
import { literalPg, type Pg } from './pg-connect.ts'

export type CursorWindow = {
  column: string
  /** In the source. */
  source_name: string
  /** SQL name of its type, for literals. */
  type: string
  /** Text of the source; null: from the start. */
  from: string | null
  to: string | null
  /** Lower bound with the lag taken off, an SQL expression; null: none. */
  lower: string | null
  null_rows: number
  /** Rows whose cursor is infinity: never in a window. */
  infinite_rows: number
}

export type Upper = { source_name: string; type: string; to: string | null }

const POLL_MS = 100

/** Types whose difference is an interval: only they can have a lag. */
const TIMES = ['timestamp with time zone', 'timestamp without time zone', 'date']

/** The moment at which upper bounds were read: what was running then must end before rows may be read. */
export type Moment = { xmax: string; running: string[]; uppers: Map<string, Upper> }

/** The greatest cursor value of each object, all of one moment, and the transactions that were running then. */
export async function readUppers(sql: Pg, objects: readonly RawObject[]): Promise<Moment> {
  return await sql.begin('isolation level repeatable read read only', async (tx) => {
    const [row] = await tx<{ xmax: string }[]>`
      select pg_snapshot_xmax(pg_current_snapshot())::text as xmax`
    const uppers = new Map<string, Upper>()
    for (const raw of objects) {
      if (raw.cursor === null) continue
      const column = await cursorColumn(tx as unknown as Pg, raw)
      const name = quotePostgres(column.source_name)
      const only = TIMES.includes(column.base) ? ` filter (where isfinite(${name}))` : ''
      const [found] = await tx.unsafe<{ to: string | null }[]>(
        `select (max(${name})${only})::text as to from ${fromSql(raw.object, raw.format)}`,
      )
      uppers.set(raw.name, {
        source_name: column.source_name,
        type: column.base,
        to: found?.to ?? null,
      })
    }
    // A snapshot's xmax follows the last *completed* transaction: one that began earlier than that and still runs may be
    // beyond it. Locks aren't part of the snapshot: who is missing here has ended, and is seen by the reading snapshot.
    const running = await tx<{ xid: string }[]>`
      select distinct transactionid::text as xid from pg_locks
      where locktype = 'transactionid' and mode = 'ExclusiveLock' and granted`
    return { xmax: row!.xmax, running: running.map(({ xid }) => xid), uppers }
  })
}

/** Waits until every transaction that was running at the moment has ended; false when that took longer than `limit_ms`. */
export async function settled(
  sql: Pg,
  { xmax, running }: Moment,
  limit_ms: number,
  signal?: AbortSignal,
): Promise<boolean> {
  const end = performance.now() + limit_ms
  for (;;) {
    signal?.throwIfAborted()
    const [row] = await sql<{ done: boolean }[]>`
      select pg_snapshot_xmin(pg_current_snapshot())::text::numeric >= ${xmax}::text::numeric
        and not exists (
          select 1 from pg_locks
          where locktype = 'transactionid' and mode = 'ExclusiveLock' and granted
            and transactionid::text = any(string_to_array(${running.join(',')}, ','))
        ) as done`
    if (row?.done) return true
    if (performance.now() >= end) return false
    await wait(POLL_MS)
  }
}

/**
 * The window of one object, in the snapshot of `session`.
 * @throws cursor_invalid for a lag on a type that has no time
 */
export async function cursorWindow(
  session: Pg,
  raw: RawObject,
  upper: Upper,
  watermark: string | null,
): Promise<CursorWindow> {
  const cursor = raw.cursor!
  const column = cursor.column
  const { source_name } = upper
  const name = quotePostgres(source_name)
  const from = watermark ?? cursor.start
  const isTime = TIMES.includes(upper.type)
  if ((cursor.lag_s ?? 0) > 0 && !isTime)
    fail('source_cursor_invalid', {
      column,
      reason: `a lag needs a time, and its type is ${upper.type}`,
    })
  const typed = (text: string) => `${literalPg(text)}::${upper.type}`
  const lag = cursor.lag_s ? ` - interval '${Math.floor(cursor.lag_s)} seconds'` : ''
  const infinite = isTime ? `count(*) filter (where not isfinite(${name}))` : '0'
  const [counts] = await session.unsafe<{ nulls: string; infinite: string }[]>(
    `select count(*) filter (where ${name} is null)::text as nulls, (${infinite})::text as infinite
     from ${fromSql(raw.object, raw.format)}
     where ${name} is null${isTime ? ` or not isfinite(${name})` : ''}`,
  )
  return {
    column,
    source_name,
    type: upper.type,
    from,
    to: upper.to,
    lower: from === null ? null : `(${typed(from)}${lag})`,
    null_rows: Number(counts?.nulls ?? 0),
    infinite_rows: Number(counts?.infinite ?? 0),
  }
}

/** Whether a window can hold rows: compared by the source, in its type. */
export async function hasRows(session: Pg, window: CursorWindow): Promise<boolean> {
  if (window.to === null) return false
  if (window.lower === null) return true
  const to = `${literalPg(window.to)}::${window.type}`
  const [row] = await session.unsafe<{ more: boolean }[]>(`select ${to} > ${window.lower} as more`)
  return row?.more ?? false
}

/** The greater of two watermarks by the source's order: a table that lost its newest rows doesn't set it back. */
export async function laterOf(session: Pg, window: CursorWindow): Promise<string | null> {
  const { from, to, type } = window
  if (from === null || to === null) return to ?? from
  const [row] = await session.unsafe<{ later: string }[]>(
    `select greatest(${literalPg(from)}::${type}, ${literalPg(to)}::${type})::text as later`,
  )
  return row!.later
}

/** The condition of a window, for WHERE. */
export function windowSql(window: CursorWindow): string {
  const name = quotePostgres(window.source_name)
  const upper = `${name} <= ${literalPg(window.to!)}::${window.type}`
  return window.lower === null ? upper : `${name} > ${window.lower} and ${upper}`
}

/** A cursor is configured by the pinned name; raw has its own. */
function rawName(raw: RawObject): string {
  const { column } = raw.cursor!
  const pinned = raw.columns.find(({ name }) => name === column)
  return pinned?.source_name ?? column
}

async function cursorColumn(sql: Pg, raw: RawObject) {
  const wanted = rawName(raw)
  const columns = await pgColumns(sql, raw.object, raw.format)
  return (
    columns.find(({ raw_name }) => raw_name === wanted) ??
    fail('column_unknown', {
      column: wanted,
      where: raw.object,
      columns: columns.map(({ source_name }) => source_name).join(', '),
    })
  )
}
