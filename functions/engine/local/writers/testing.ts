// For tests of this folder: a session as the engine opens it, and a real Delta table that a writer fills, batch by batch.
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { quoteDuckdb } from '#core/names.ts'
import type { PlanColumn, SilverStep } from '#core/plan.ts'
import type { Counts } from '#engine/engine.ts'
import { commit, duckdbScan, readSnapshot, type Snapshot } from '../delta.ts'
import { openSession, type Row, type StepSession } from '../session.ts'
import { write } from './index.ts'
import { contentHashSql } from '../content-hash-sql.ts'
import { tableHash } from './parquet.ts'
import type { Load, Written } from './writer.ts'

export type Lab = {
  root: string
  sql: StepSession
  /** A folder for a table that doesn't exist yet. */
  table(): string
  close(): Promise<void>
}

export async function openLab(
  prelude: readonly string[] = [],
  memory_bytes = 1024 ** 3,
): Promise<Lab> {
  const root = await mkdtemp(join(tmpdir(), 'writers-'))
  const session = await openSession({
    root,
    memory_bytes,
    threads: 2,
    prelude,
  })
  const sql = await session.open()
  let made = 0
  return {
    root,
    sql,
    table: () => join(root, 'tables', 's', `t${++made}`),
    async close() {
      await sql.close()
      await session.close()
      await rm(root, { recursive: true, force: true })
    },
  }
}

/** Columns from `name type` lines; a name may stand in backticks. */
export function columnsFrom(text: string): PlanColumn[] {
  return text
    .trim()
    .split('\n')
    .map((line) => {
      const [, quoted, plain, type] = /^\s*(?:`(.+)`|(\S+))\s+(.+?)\s*$/.exec(line)!
      return { name: (quoted ?? plain)!, type: type!, nullable: true }
    })
}

export type Plan = Pick<Load, 'columns' | 'keys'> &
  Partial<Load> & { load_type: SilverStep['load_type'] }

/** Writes the rows of a query as one batch and commits it. */
export async function batch(
  lab: Lab,
  dir: string,
  plan: Plan,
  query: string,
): Promise<{ counts: Counts; snapshot: Snapshot; written: Written }> {
  const { load_type, ...load } = plan
  const before = await readSnapshot(dir)
  const written = await write(load_type, {
    sql: lab.sql,
    table: 's.t',
    dir,
    snapshot: before,
    staged: `(${query})`,
    has_sequence: false,
    has_delete: false,
    sequence_type: null,
    sequence_column: null,
    ...load,
  })
  await commit(dir, {
    base: before,
    operation: written.operation,
    adds: written.adds,
    removes: written.removes,
    columns: written.columns,
    timestamp: 1_700_000_000_000 + (before ? before.version + 1 : 0),
  })
  return { counts: written.counts, snapshot: (await readSnapshot(dir))!, written }
}

/** The rows of a table, in the order of all columns' text. */
export async function rowsOf(lab: Lab, dir: string, select = '*'): Promise<Row[]> {
  const snapshot = (await readSnapshot(dir))!
  return await lab.sql.rows(`select ${select} from ${duckdbScan(snapshot)} order by all`)
}

/** Rows as text, NULL as `-`, in their order: short to compare. */
export async function linesOf(lab: Lab, dir: string): Promise<string[]> {
  const snapshot = (await readSnapshot(dir))!
  const values = snapshot.columns.map(
    ({ name }) => `coalesce(cast(${quoteDuckdb(name)} as varchar), '-')`,
  )
  const rows = await lab.sql.rows(
    `select concat_ws(' ', ${values.join(', ')}) as line from ${duckdbScan(snapshot)} order by 1`,
  )
  return rows.map((row) => String(row.line))
}

/** What the tags of a table's files add up to, and what its rows really do. */
export async function hashes(lab: Lab, dir: string): Promise<{ kept: string; real: string }> {
  const snapshot = (await readSnapshot(dir))!
  const row = await lab.sql.row(
    `select ${contentHashSql(snapshot.columns)} as sum from ${duckdbScan(snapshot)}`,
  )
  return {
    kept: String(tableHash(snapshot.files, [])),
    real: BigInt(String(row.sum)).toString(16).padStart(16, '0'),
  }
}

/** Data files that lie in the folder, whether committed or not. */
export async function filesIn(dir: string): Promise<string[]> {
  const names = await readdir(dir).catch(() => [])
  return names.filter((name) => name.endsWith('.parquet'))
}

/** The same numbers from the same seed (mulberry32). */
export function random(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}

/** The items in another order. */
export function shuffle<T>(items: readonly T[], next: () => number): T[] {
  const mixed = [...items]
  for (let n = mixed.length - 1; n > 0; n--) {
    const other = Math.floor(next() * (n + 1))
    ;[mixed[n], mixed[other]] = [mixed[other]!, mixed[n]!]
  }
  return mixed
}
