// The local engine, as the rest of LakeForge sees it: batches and queries in child processes with DuckDB in them.
import { rm } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { resolve } from 'node:path'
import { fail } from '#core/errors.ts'
import type { Engine } from '#engine/engine.ts'
import { tableDir, tempDir } from './layout.ts'
import { createMemoryPool } from './memory.ts'
import { createQueryRunner, type QueryRunner } from './query-runner.ts'
import { restoreTables } from './restore.ts'
import { type LocalRun, parseHandle, startRun } from './run.ts'

export type LocalEngineOptions = {
  /** The lake's folder of an environment. Made when a batch first writes. */
  root: string | ((environment: string) => string)
  /** LAKEFORGE_HOME: where `secrets.json` lies. Absent: secrets come from the environment alone. */
  home?: string
  /** For DuckDB in all children together; default 1 GiB. */
  memory_bytes?: number
  /** Threads of each child; default: the machine's cores. */
  threads?: number
  /** First wait before a failed step is tried again; default 1000, doubled each time up to a minute. */
  retry_base_ms?: number
  /** How long a step may take to stop when it is cancelled or out of time, before its process is killed; default 10 000. */
  grace_ms?: number
}

/** Part of the memory that stays with queries, so that a preview works while batches run. */
const QUERY_SHARE = 0.2

/** Opens the engine; nothing starts before the first run or query. The caller owns the lake: no other process may run it. */
export function openLocalEngine(options: LocalEngineOptions): Engine {
  const total = options.memory_bytes ?? 2 ** 30
  const memory = createMemoryPool(Math.floor(total * (1 - QUERY_SHARE)))
  const threads = options.threads ?? availableParallelism()
  const { root } = options
  const rootOf =
    typeof root === 'string' ? () => resolve(root) : (name: string) => resolve(root(name))
  const runs = new Map<string, LocalRun>()
  /** Roots whose spill files of dead processes were cleared. */
  const cleared = new Map<string, Promise<void>>()
  const runners = new Map<string, QueryRunner>()
  const grace_ms = options.grace_ms ?? 10_000
  let closed = false

  const clear = (root: string) => {
    const known = cleared.get(root)
    if (known !== undefined) return known
    const clearing = rm(tempDir(root, ''), { recursive: true, force: true })
    cleared.set(root, clearing)
    return clearing
  }

  const runnerOf = async (environment: string) => {
    if (closed) fail('run_lost')
    const root = rootOf(environment)
    await clear(root)
    let runner = runners.get(root)
    if (runner === undefined) {
      // Lakes share the queries' memory; more than one queried at a time is rare, and their shares are small.
      const memory_bytes = Math.floor(total * QUERY_SHARE)
      runner = createQueryRunner({ root, memory_bytes, threads, grace_ms })
      runners.set(root, runner)
    }
    return runner
  }

  return {
    name: 'local',
    can: {
      load_types: ['append', 'replace', 'merge', 'scd2'],
      extractors: ['files', 'postgres'],
      query: true,
      owned: true,
    },
    async start(run) {
      if (closed) fail('run_lost')
      const root = rootOf(run.input.environment)
      await clear(root)
      const run_id = crypto.randomUUID()
      runs.set(
        run_id,
        startRun(run, {
          root,
          home: options.home ?? null,
          threads,
          memory,
          retry_base_ms: options.retry_base_ms ?? 1000,
          grace_ms,
        }),
      )
      return JSON.stringify({ batch_id: run.input.batch_id, run_id })
    },
    async poll(handle, wait_ms) {
      const { run_id } = parseHandle(handle)
      const run = runs.get(run_id) ?? fail('run_lost')
      const reports = await run.poll(wait_ms)
      if (run.drained()) runs.delete(run_id)
      return reports
    },
    async cancel(handle) {
      runs.get(parseHandle(handle).run_id)?.cancel()
    },
    async abandon(handle) {
      const { run_id } = parseHandle(handle)
      await runs.get(run_id)?.abandon()
      runs.delete(run_id)
    },
    async collect() {
      return []
    },
    query: async (request) => (await runnerOf(request.environment)).run(request),
    testRule: async (request) => (await runnerOf(request.environment)).testRule(request),
    location: (environment, table) => tableDir(rootOf(environment), table),
    restore: ({ environment, steps, seq, dry_run }) =>
      restoreTables(rootOf(environment), steps, seq, dry_run),
    async close() {
      closed = true
      for (const runner of runners.values()) runner.close()
      for (const run of runs.values()) void run.abandon()
      runs.clear()
    },
  }
}
