// For tests of this folder: a table on disk that is written as the engine does it.
import { mkdtemp, mkdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import type { DuckDBConnection } from '@duckdb/node-api'
import { duckdbType } from '#core/types.ts'
import type { Column } from '#core/types.ts'
import { literalDuckdb, quoteDuckdb } from '#core/names.ts'
import { checkpointIfDue, commit, duckdbScan, newFiles, readSnapshot } from '../delta.ts'
import type { CommitInput, NewFile, Snapshot } from '../delta.ts'

export type Bench = {
  root: string
  connection: DuckDBConnection
  /** A fresh table folder below `root`. */
  folder: (name?: string) => Promise<string>
  close: () => Promise<void>
}

export async function openDuckdb(): Promise<DuckDBConnection> {
  const connection = await (await DuckDBInstance.create(':memory:')).connect()
  await connection.run("SET TimeZone = 'UTC'; SET threads = 2")
  return connection
}

export async function openBench(): Promise<Bench> {
  const root = await mkdtemp(join(tmpdir(), 'delta-'))
  const connection = await openDuckdb()
  let made = 0
  return {
    root,
    connection,
    folder: async (name) => {
      const dir = join(root, name ?? `schema/t${++made}`)
      await mkdir(dir, { recursive: true })
      return dir
    },
    close: async () => {
      connection.closeSync()
      await rm(root, { recursive: true, force: true })
    },
  }
}

/** Columns from `name type` lines, nullable. */
export function columnsFrom(text: string): Column[] {
  return text
    .trim()
    .split('\n')
    .map((line) => {
      const [name, ...type] = line.trim().split(' ')
      return { name: name!, type: type.join(' '), nullable: true }
    })
}

/** Writes the rows of a query as one new data file, cast to `columns`; no rows, no file. */
export async function writeRows(
  bench: Pick<Bench, 'connection'>,
  dir: string,
  columns: readonly Column[],
  query: string,
  options: { stats?: boolean } = {},
): Promise<NewFile[]> {
  const casts = columns.map(
    ({ name, type }) => `CAST(${quoteDuckdb(name)} AS ${duckdbType(type)}) AS ${quoteDuckdb(name)}`,
  )
  const path = join(dir, `part-${crypto.randomUUID()}.parquet`)
  const result = await bench.connection.runAndReadAll(
    `COPY (SELECT ${casts.join(', ')} FROM (${query})) TO ${literalDuckdb(path)} (FORMAT parquet, RETURN_STATS)`,
  )
  const files: NewFile[] = newFiles(dir, result.getRowObjectsJson(), columns)
  return options.stats === false ? files.map((file) => ({ ...file, stats: null })) : files
}

/** Appends the rows of a query as one commit; makes the table if there is none. */
export async function append(
  bench: Pick<Bench, 'connection'>,
  dir: string,
  columns: Column[],
  query: string,
  more: Partial<CommitInput> & { stats?: boolean } = {},
): Promise<Snapshot> {
  const { stats, ...input } = more
  const base = await readSnapshot(dir, { connection: bench.connection })
  const adds = await writeRows(bench, dir, columns, query, { stats: stats ?? true })
  const timestamp = 1_700_000_000_000 + (base ? base.version + 1 : 0) * 1000
  await commit(dir, { base, operation: 'WRITE', adds, columns, timestamp, ...input })
  return (await readSnapshot(dir, { connection: bench.connection, from: base }))!
}

/** Rows of a snapshot as JSON values. */
export async function rowsOf(
  bench: Pick<Bench, 'connection'>,
  snapshot: Snapshot,
  select = '*',
): Promise<Record<string, unknown>[]> {
  const result = await bench.connection.runAndReadAll(
    `SELECT ${select} FROM ${duckdbScan(snapshot)}`,
  )
  return result.getRowObjectsJson()
}

export const STEP_COLUMNS: Column[] = columnsFrom('seq bigint\nrow bigint')

/** A step as an engine does it: asks the log whether its batch is there, else writes and commits it; then the checkpoint. */
export async function step(connection: DuckDBConnection, dir: string, seq: number): Promise<void> {
  const timestamp = 1_800_000_000_000 + seq
  let snapshot = await readSnapshot(dir, { connection })
  if ((snapshot?.txn.get('step') ?? -1) < seq) {
    const query = `SELECT ${seq} seq, i AS "row" FROM range(3) t(i)`
    await commit(dir, {
      base: snapshot,
      operation: 'WRITE',
      adds: await writeRows({ connection }, dir, STEP_COLUMNS, query),
      columns: STEP_COLUMNS,
      properties: { 'delta.checkpointInterval': '2' },
      txn: { appId: 'step', version: seq },
      timestamp,
    })
    snapshot = await readSnapshot(dir, { connection, from: snapshot })
  }
  await checkpointIfDue(snapshot!, connection, timestamp)
}
