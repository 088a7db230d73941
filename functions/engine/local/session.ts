// One DuckDB instance for one batch (or for queries): shut in, locked, with the dialect's macros; a catalog of its own for
// every step, because steps see different versions and slices of the same table.
import { DuckDBInstance, type DuckDBConnection } from '@duckdb/node-api'
import { randomUUID } from 'node:crypto'
import { mkdir, rm } from 'node:fs/promises'
import { literalDuckdb, quoteDuckdb, splitTable } from '#core/names.ts'
import { duckdbError } from './duckdb-error.ts'
import { tempDir } from './layout.ts'

export type SessionSettings = {
  root: string
  memory_bytes: number
  threads: number
  /** Run on every connection: the dialect's macros, which are temporary. */
  prelude: readonly string[]
}

/** A DuckDB value as `getRowObjectsJson` gives it: bigint, decimal and times are text. */
export type Row = Record<string, Json>
export type Json = string | number | boolean | null | Json[] | { [key: string]: Json }

/** A step's own connection, in a catalog of its own. */
export type StepSession = {
  connection: DuckDBConnection
  /** Runs one statement; @throws what `duckdbError` makes of a failure. */
  run(sql: string): Promise<void>
  /** All rows of a query, as JSON values. For results that are small by their nature. */
  rows(sql: string): Promise<Row[]>
  /** The only row of an aggregate. */
  row(sql: string): Promise<Row>
  /** Makes `schema.table` stand for a scan. */
  view(table: string, scan: string): Promise<void>
  /** How far the running statement is, as DuckDB estimates it; null when it can't tell. */
  progress(): { share: number; rows: number; total: number } | null
  /** Stops the running statement; those after it fail as well. */
  interrupt(): void
  interrupted(): boolean
  close(): Promise<void>
}

export type Session = {
  /**
   * A connection whose unqualified names live in a fresh catalog; the prelude has run. `now` is the instant that
   * current_timestamp() tells, ISO with zone; the machine's clock when absent.
   */
  open(now?: string): Promise<StepSession>
  /** Folder of its spill files. */
  temp: string
  close(): Promise<void>
}

/** Opens the instance. It reads and writes only below the root, and no statement can change that. */
export async function openSession(settings: SessionSettings): Promise<Session> {
  const temp = tempDir(settings.root, randomUUID())
  await mkdir(temp, { recursive: true })
  const instance = await DuckDBInstance.create(':memory:', {
    memory_limit: `${Math.floor(settings.memory_bytes / 1024)}KiB`,
    threads: String(settings.threads),
    temp_directory: temp,
  })
  const first = await instance.connect()
  const statements = [
    // Rows of a table have no order; keeping the files' one would hold back whole row groups in memory.
    'set preserve_insertion_order = false',
    "set global TimeZone = 'UTC'",
    "set global Calendar = 'gregorian'",
    ...settings.prelude
      .filter(isSetting)
      .map((text) => text.replace(/^set (global )?/i, 'set global ')),
    'set autoinstall_known_extensions = false',
    'set autoload_known_extensions = false',
    'set allow_community_extensions = false',
    `set allowed_directories = [${literalDuckdb(settings.root)}]`,
    'set enable_external_access = false',
    'set lock_configuration = true',
  ]
  for (const statement of statements) await first.run(statement)

  const macros = settings.prelude.filter((text) => !isSetting(text))
  let made = 0
  return {
    temp,
    async open(now = new Date().toISOString()) {
      const connection = await instance.connect()
      const catalog = `step_${++made}`
      let stopped = false
      let busy = 0
      const guarded = async <T>(action: () => Promise<T>): Promise<T> => {
        if (stopped) throw duckdbError(new Error('INTERRUPT Error: Interrupted!'))
        busy++
        try {
          return await action()
        } catch (error) {
          throw duckdbError(error)
        } finally {
          busy--
        }
      }
      const self: StepSession = {
        connection,
        run: (sql) => guarded(async () => void (await connection.run(sql))),
        rows: (sql) =>
          guarded(async () => (await connection.runAndReadAll(sql)).getRowObjectsJson() as Row[]),
        async row(sql) {
          return (await self.rows(sql))[0] ?? {}
        },
        async view(table, scan) {
          const [schema, name] = splitTable(table)
          await self.run(`create schema if not exists ${quoteDuckdb(schema)}`)
          await self.run(
            `create or replace view ${quoteDuckdb(schema)}.${quoteDuckdb(name)} as ${scan}`,
          )
        },
        progress() {
          if (busy === 0) return null
          const { percentage, rows_processed, total_rows_to_process } = connection.progress
          return percentage < 0 || total_rows_to_process === 0n
            ? null
            : {
                share: Math.min(1, percentage / 100),
                rows: Number(rows_processed),
                total: Number(total_rows_to_process),
              }
        },
        interrupt() {
          stopped = true
          connection.interrupt()
        },
        interrupted: () => stopped,
        async close() {
          // A connection can't leave a catalog that its search path names; another one drops it.
          connection.closeSync()
          await first.run(`detach database if exists ${catalog}`).catch(() => undefined)
        },
      }
      await guarded(async () => {
        await connection.run(`attach ':memory:' as ${catalog}`)
        // Counted for `progress`, and printed nowhere. Pragmas of a connection, which the lock leaves alone.
        await connection.run('pragma enable_progress_bar')
        await connection.run('pragma disable_print_progress_bar')
        await connection.run(`set search_path = '${catalog}.main,memory.main'`)
        await connection.run(`set variable lf_now = ${literalDuckdb(now)}::timestamptz`)
        for (const statement of macros) await connection.run(statement)
      })
      return self
    },
    async close() {
      first.closeSync()
      instance.closeSync()
      await rm(temp, { recursive: true, force: true })
    },
  }
}

/** Settings of a session are made for all, before the configuration is locked. */
function isSetting(statement: string): boolean {
  return /^set /i.test(statement)
}
