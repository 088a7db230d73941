// For tests: a lake in a temporary folder, and batches run to their end.
import { DuckDBInstance } from '@duckdb/node-api'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Plan, PlanColumn, PlanStep } from '#core/plan.ts'
import { duckdbType, parseType } from '#core/types.ts'
import type { Engine, Report, StepReport } from '#engine/engine.ts'
import { commit, readSnapshot, type Snapshot } from './delta.ts'
import { openLocalEngine } from './index.ts'
import { tableDir } from './layout.ts'
import { copyRows } from './writers/parquet.ts'

export type FinalReport = Extract<StepReport, { counts: unknown }>

export type BatchResult = {
  state: string
  steps: Record<string, FinalReport>
  reports: Report[]
}

export type Lake = {
  root: string
  engine: Engine
  /** Runs a batch to its end. `during` sees each report as it comes. */
  run(
    steps: PlanStep[],
    seq: number,
    options?: {
      max_parallel?: number
      on_failure?: 'stop' | 'continue'
      only?: string[]
      batch_id?: string
      replay?: boolean
      during?: (report: Report, handle: string) => void
    },
  ): Promise<BatchResult>
  /** Another writer appends rows, given as a DuckDB query, to a table. */
  append(table: string, columns: PlanColumn[], select: string): Promise<number>
  /** Another writer puts all files of a table together, as OPTIMIZE does. */
  compact(table: string): Promise<number>
  /** Rows of DuckDB SQL over current tables, as arrays of JSON values. */
  rows(sql: string, ...tables: string[]): Promise<unknown[][]>
  snapshot(table: string): Promise<Snapshot | null>
  close(): Promise<void>
}

export async function openLake(
  options: Partial<Parameters<typeof openLocalEngine>[0]> = {},
): Promise<Lake> {
  const root =
    typeof options.root === 'string'
      ? options.root
      : await mkdtemp(join(tmpdir(), 'lakeforge-engine-'))
  const engine = openLocalEngine({
    root,
    memory_bytes: 512 * 2 ** 20,
    threads: 2,
    retry_base_ms: 10,
    grace_ms: 5000,
    ...options,
  })
  const instance = await DuckDBInstance.create(':memory:', { threads: '1' })
  const connection = await instance.connect()
  await connection.run("set TimeZone = 'UTC'; set preserve_insertion_order = false")
  const sql = {
    run: async (text: string) => void (await connection.run(text)),
    rows: async (text: string) =>
      (await connection.runAndReadAll(text)).getRowObjectsJson() as never,
    row: async (text: string) =>
      ((await connection.runAndReadAll(text)).getRowObjectsJson() as never[])[0]!,
  }
  const lake: Lake = {
    root,
    engine,
    async run(
      steps,
      seq,
      { max_parallel = 2, on_failure = 'continue', only, batch_id, replay, during } = {},
    ) {
      const plan: Plan = {
        format: 1,
        group: { id: 'g', name: 'g', max_parallel, on_failure },
        steps,
      }
      const handle = await engine.start({
        plan,
        input: {
          format: 1,
          batch_id: batch_id ?? `batch-${seq}`,
          plan_hash: 'hash',
          group: 'g',
          environment: 'test',
          seq: String(seq),
          batch_time: `2026-01-01T00:00:${String(seq % 60).padStart(2, '0')}.000Z`,
          watermarks: {},
        },
        attempt: 1,
        ...(only ? { only } : {}),
        ...(replay ? { replay } : {}),
      })
      const result: BatchResult = { state: '', steps: {}, reports: [] }
      while (result.state === '') {
        for (const report of await engine.poll(handle, 30_000)) {
          result.reports.push(report)
          during?.(report, handle)
          if (report.kind === 'done') result.state = report.state
          if (report.kind === 'step' && 'counts' in report) result.steps[report.step] = report
        }
      }
      return result
    },
    async append(table, cols, select) {
      const dir = tableDir(root, table)
      const adds = await copyRows(sql, select, dir, cols)
      const base = await readSnapshot(dir, { connection })
      return await commit(dir, {
        base,
        operation: 'WRITE',
        adds,
        columns: cols,
        timestamp: Date.now(),
      })
    },
    async compact(table) {
      const { duckdbScan } = await import('./delta.ts')
      const dir = tableDir(root, table)
      const base = await readSnapshot(dir, { connection })
      if (base === null) throw new Error(`no table ${table}`)
      const select = `select * from ${duckdbScan(base)}`
      return await commit(dir, {
        base,
        operation: 'OPTIMIZE',
        adds: await copyRows(sql, select, dir, base.columns),
        removes: base.files,
        data_change: false,
        timestamp: Date.now(),
      })
    },
    async rows(text, ...tables) {
      const { duckdbScan } = await import('./delta.ts')
      let query = text
      for (const table of tables) {
        const snapshot = await readSnapshot(tableDir(root, table), { connection })
        if (snapshot === null) throw new Error(`no table ${table}`)
        query = query.replaceAll(table, `${duckdbScan(snapshot)} as t`)
      }
      return (await connection.runAndReadAll(query)).getRowsJson() as unknown[][]
    },
    snapshot: (table) => readSnapshot(tableDir(root, table), { connection }),
    async close() {
      await engine.close()
      connection.closeSync()
      instance.closeSync()
      await rm(root, { recursive: true, force: true })
    },
  }
  return lake
}

/** A DuckDB query for literal rows: `values('a int', 'b string')` then rows as SQL tuples. */
export function literalRows(cols: PlanColumn[], ...tuples: string[]): string {
  const names = cols.map(
    ({ name, type }, i) => `cast(c${i} as ${duckdbType(parseType(type))}) as "${name}"`,
  )
  return `select ${names.join(', ')} from (values ${tuples.join(', ')}) as v(${cols.map((_, i) => `c${i}`).join(', ')})`
}
