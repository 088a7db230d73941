// Source → Raw for PostgreSQL: full or by cursor, all objects of a batch in one snapshot.
import { join } from 'node:path'
import { fail } from '#core/errors.ts'
import { quotePostgres } from '#core/names.ts'
import { mkdirDurable } from '../durable.ts'
import { rawDir } from '../layout.ts'
import type { ExtractInput, RawObject, SourceBatch, SourceContext } from './extractor.ts'
import { storedName } from './files-extract.ts'
import { clearAttempt, readManifest, seqDir, writeManifest, type Manifest } from './manifest.ts'
import { fromSql, pgColumns, type PgColumn } from './pg-columns.ts'
import { connectPg, endPg, literalPg, pgError, type Pg } from './pg-connect.ts'
import { copyToParquet } from './pg-copy.ts'
import {
  cursorWindow,
  hasRows,
  laterOf,
  readUppers,
  settled,
  windowSql,
  type CursorWindow,
  type Upper,
} from './pg-window.ts'

/** How long a batch waits for transactions that were running when the upper bounds were read. */
export const SETTLE_MS = 60_000

/** A state of the source that several sessions can see. */
type Snapshot = {
  id: string
  uppers: Map<string, Upper>
  /** False: transactions were still running, so windows must not move. */
  settled: boolean
  release(): Promise<void>
}

export async function openPgBatch(
  context: SourceContext,
  settle_ms = SETTLE_MS,
): Promise<SourceBatch> {
  const known = context.objects ?? []
  let shared: Promise<Snapshot> | null = null
  const opened: Promise<Snapshot>[] = []
  const snapshotOf = (raw: RawObject): Promise<Snapshot> => {
    const isKnown = known.some(({ name }) => name === raw.name) || raw.cursor === null
    if (isKnown && shared) return shared
    const made = takeSnapshot(context, isKnown ? [...known] : [raw], settle_ms)
    opened.push(made)
    if (isKnown) shared = made
    return made
  }
  return {
    async extract(raw, input) {
      const done = await readManifest(input.root, context.source.name, raw.name, input.seq)
      if (done) return done
      const dir = seqDir(input.root, context.source.name, raw.name, input.seq)
      await clearAttempt(dir)
      try {
        return await extractObject(context, await snapshotOf(raw), raw, input)
      } catch (error) {
        await clearAttempt(dir)
        context.signal?.throwIfAborted()
        throw pgError(error, context, raw.object)
      }
    },
    async close() {
      for (const snapshot of opened)
        await snapshot.then((taken) => taken.release()).catch(() => undefined)
    },
  }
}

async function takeSnapshot(
  context: SourceContext,
  objects: readonly RawObject[],
  settle_ms: number,
): Promise<Snapshot> {
  const sql = await connectPg(context)
  try {
    return await snapshotBy(context, sql, objects, settle_ms)
  } catch (error) {
    await endPg(sql)
    throw error
  }
}

async function snapshotBy(
  context: SourceContext,
  sql: Pg,
  objects: readonly RawObject[],
  settle_ms: number,
): Promise<Snapshot> {
  const incremental = objects.filter(({ cursor }) => cursor !== null)
  let isSettled = true
  let uppers = new Map<string, Upper>()
  if (incremental.length > 0) {
    const read = await readUppers(sql, incremental)
    uppers = read.uppers
    isSettled = await settled(sql, read, settle_ms, context.signal)
    if (!isSettled)
      context.event?.(
        'warn',
        `A transaction of the source has been open for more than ${Math.round(settle_ms / 1000)} s: incremental reads keep their former bounds.`,
      )
    const [row] = await sql<{ standby: boolean }[]>`select pg_is_in_recovery() as standby`
    if (row?.standby && incremental.some(({ cursor }) => !cursor!.lag_s))
      context.event?.('warn', 'The source is a replica: give its cursors a lag.')
  }
  // The snapshot lives as long as this transaction.
  await sql.unsafe('begin isolation level repeatable read read only')
  const [row] = await sql<{ id: string }[]>`select pg_export_snapshot() as id`
  return { id: row!.id, uppers, settled: isSettled, release: () => endPg(sql) }
}

async function extractObject(
  context: SourceContext,
  snapshot: Snapshot,
  raw: RawObject,
  input: ExtractInput,
): Promise<Manifest> {
  const session = await connectPg(context)
  try {
    await session.unsafe('begin isolation level repeatable read read only')
    await session.unsafe(`set transaction snapshot ${literalPg(snapshot.id)}`)
    const seen = await stateOf(session)
    const columns = await pgColumns(session, raw.object, raw.format)
    const window = raw.cursor
      ? await cursorWindow(session, raw, upperOf(snapshot, raw), input.watermark)
      : null
    const manifest = emptyManifest(context, raw, input, columns, window)
    if (window) {
      if (window.infinite_rows > 0)
        context.event?.(
          'warn',
          `${window.infinite_rows} rows of ${raw.object} have an infinite ${window.column} and are never read.`,
        )
      if (!snapshot.settled || !(await hasRows(session, window))) return manifest
    }
    const files = await copyAll(context, session, raw, input, columns, window)
    if (files.length === 0) return manifest
    // The driver connects anew by itself: then the last statements would have read another state.
    if ((await stateOf(session)) !== seen)
      throw Object.assign(new Error('the connection was replaced'), { code: 'CONNECTION_REPLACED' })
    const rows = files.reduce((sum, file) => sum + file.rows, 0)
    const watermark = window ? await laterOf(session, window) : null
    const whole: Manifest = {
      ...manifest,
      files: files.map((file) => ({
        path: file.path.slice(rawDir(input.root, context.source.name, raw.name).length + 1),
        source_path: raw.format === 'query' ? raw.name : raw.object,
        size: file.size,
        sha256: file.sha256,
        rows: file.rows,
        source_modified_at: null,
      })),
      cursor: window && { ...manifest.cursor!, to: window.to },
      watermark,
      rows,
    }
    await writeManifest(input.root, whole)
    return whole
  } finally {
    await endPg(session)
  }
}

async function stateOf(session: Pg): Promise<string> {
  const [row] = await session<{ state: string }[]>`
    select concat(pg_backend_pid(), ' ', pg_current_snapshot()) as state`
  return row!.state
}

function upperOf(snapshot: Snapshot, raw: RawObject): Upper {
  return snapshot.uppers.get(raw.name) ?? fail('internal')
}

function emptyManifest(
  context: SourceContext,
  raw: RawObject,
  input: ExtractInput,
  columns: readonly PgColumn[],
  window: CursorWindow | null,
): Manifest {
  return {
    version: 1,
    source: context.source.name,
    raw_config: raw.name,
    raw_config_id: raw.config_id ?? null,
    seq: input.seq,
    batch_id: input.batch_id,
    created_at: new Date().toISOString(),
    read_mode: raw.read_mode,
    format: raw.format,
    files: [],
    columns: columns.map(({ raw_name, raw_type }) => ({
      name: raw_name,
      source_name: raw_name,
      type: raw_type,
      nullable: true,
    })),
    cursor: window && {
      column: window.column,
      from: window.from,
      to: window.from,
      null_rows: window.null_rows,
    },
    watermark: input.watermark,
    rows: 0,
  }
}

/** All rows of the object or its window, chunk by chunk. */
async function copyAll(
  context: SourceContext,
  session: Pg,
  raw: RawObject,
  input: ExtractInput,
  columns: readonly PgColumn[],
  window: CursorWindow | null,
) {
  const dir = seqDir(input.root, context.source.name, raw.name, input.seq)
  await mkdirDurable(dir)
  let count = 0
  const target = {
    dir,
    next: () => join(dir, storedName(++count, `${raw.name}.parquet`)),
  }
  const from = fromSql(raw.object, raw.format)
  const list = columns.map(({ select }) => select)
  const inWindow = window ? windowSql(window) : null
  let rows = 0
  const files = []
  for (const chunk of await chunks(session, raw, columns, from, inWindow)) {
    const where = [inWindow, chunk].filter((part) => part !== null).map((part) => `(${part})`)
    const select = `SELECT ${[...list, '1'].join(', ')} FROM ${from}${where.length > 0 ? ` WHERE ${where.join(' AND ')}` : ''}`
    files.push(
      ...(await copyToParquet(session, context.connection, select, columns, target, {
        keepEmpty: false,
        ...(context.signal ? { signal: context.signal } : {}),
        onRows: (more) => {
          rows += more
          const event = input.event ?? context.event
          event?.('debug', `Read ${raw.object}.`, { done: rows, total: null, unit: 'rows' })
        },
      })),
    )
  }
  // A full read of an empty table is a fact: what is downstream must become empty too.
  if (files.length === 0 && window === null)
    files.push(
      ...(await copyToParquet(
        session,
        context.connection,
        `SELECT ${[...list, '1'].join(', ')} FROM ${from} WHERE false`,
        columns,
        target,
        { keepEmpty: true },
      )),
    )
  if (files.length === 0) await clearAttempt(dir)
  return files
}

/** Conditions that part the rows; null: all at once. Every row meets exactly one, those without a value the last. */
async function chunks(
  session: Pg,
  raw: RawObject,
  columns: readonly PgColumn[],
  from: string,
  where: string | null,
): Promise<(string | null)[]> {
  const chunking = raw.chunking as { column?: string; rows?: number } | null
  if (!chunking?.column) return [null]
  const pinned = raw.columns.find(({ name }) => name === chunking.column)
  const wanted = pinned?.source_name ?? chunking.column
  const column =
    columns.find(({ raw_name }) => raw_name === wanted) ??
    fail('column_unknown', {
      column: wanted,
      where: raw.object,
      columns: columns.map(({ raw_name }) => raw_name).join(', '),
    })
  const name = quotePostgres(column.source_name)
  // Bounds are values that exist, found by the source: no arithmetic on types that have none.
  const bounds = await session.unsafe<{ bound: string }[]>(
    `SELECT DISTINCT bound FROM (
       SELECT ${name}::text AS bound, row_number() OVER (ORDER BY ${name}) AS n
       FROM ${from} WHERE ${name} IS NOT NULL${where ? ` AND (${where})` : ''}) AS numbered
     WHERE n % ${Math.floor(chunking.rows ?? 1_000_000)} = 0`,
  )
  const typed = bounds.map(({ bound }) => `${literalPg(bound)}::${column.base}`)
  if (typed.length === 0) return [null]
  // Ordered by the source too: texts of numbers and times don't order as their values.
  const ordered = await session.unsafe<{ bound: string }[]>(
    `SELECT v::text AS bound FROM unnest(ARRAY[${typed.join(', ')}]) AS v ORDER BY v`,
  )
  const values = ordered.map(({ bound }) => `${literalPg(bound)}::${column.base}`)
  return [
    `${name} <= ${values[0]}`,
    ...values.slice(1).map((value, index) => `${name} > ${values[index]} AND ${name} <= ${value}`),
    `${name} > ${values.at(-1)} OR ${name} IS NULL`,
  ]
}
