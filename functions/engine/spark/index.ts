// The engine on open-source Spark: batches by the notebooks' library in a Python process, ordered and tried again by the same
// schedule as on the local engine. The lake has the same layout, so tables pass from one engine to the other.
import { resolve } from 'node:path'
import { fail } from '#core/errors.ts'
import type { Engine } from '#engine/engine.ts'
import { openLocalEngine } from '#engine/local/index.ts'
import { createMemoryPool } from '#engine/local/memory.ts'
import { type LocalRun, parseHandle, startRun } from '#engine/local/run.ts'
import { sparkCommand } from './command.ts'
import { createSparkProcess } from './process.ts'

export type SparkEngineOptions = {
  /** The lake's folder of an environment, which the program and all Spark workers see alike. */
  root: string | ((environment: string) => string)
  /** LAKEFORGE_HOME: where `secrets.json` lies. Absent: secrets come from the environment alone. */
  home?: string
  /** Where Spark is: LAKEFORGE_SPARK_*, SPARK_REMOTE, SPARK_MASTER. Default: those of the process. */
  env?: NodeJS.ProcessEnv
  /** Of Spark's driver; default 2 GiB. */
  memory_mb?: number
  /** First wait before a failed step is tried again; default 1000, doubled each time up to a minute. */
  retry_base_ms?: number
  /** How long a step may take to stop when it is cancelled or out of time, before its process is killed; default 15 000. */
  grace_ms?: number
  /** How long a process without a batch stays, ready for the next one; default 10 minutes. */
  idle_ms?: number
}

/** Opens the engine; Spark starts with the first batch. The caller owns the lake: no other process may run it. */
export function openSparkEngine(options: SparkEngineOptions): Engine {
  const { root } = options
  const rootOf =
    typeof root === 'string' ? () => resolve(root) : (name: string) => resolve(root(name))
  const env = options.env ?? process.env
  const spark = createSparkProcess(
    () => sparkCommand(env, options.memory_mb ?? 2048),
    options.idle_ms ?? 600_000,
  )
  // Spark keeps its own memory: a batch waits for none.
  const memory = createMemoryPool(Number.MAX_SAFE_INTEGER)
  // Tables are plain Delta: queries and restores need no Spark.
  const tables = openLocalEngine({
    root,
    ...(options.home === undefined ? {} : { home: options.home }),
  })
  const runs = new Map<string, LocalRun>()
  let closed = false

  return {
    name: 'spark',
    can: {
      load_types: ['append', 'replace', 'merge', 'scd2'],
      extractors: ['files', 'postgres'],
      query: true,
      owned: true,
    },
    async start(run) {
      if (closed) fail('run_lost')
      const run_id = crypto.randomUUID()
      runs.set(
        run_id,
        startRun(run, {
          root: rootOf(run.input.environment),
          home: options.home ?? null,
          threads: 1,
          memory,
          retry_base_ms: options.retry_base_ms ?? 1000,
          grace_ms: options.grace_ms ?? 15_000,
          start: spark.open,
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
    // What a notebook ran by itself is in the lake's own state; nothing outside of it starts runs here.
    async collect() {
      return []
    },
    query: tables.query,
    testRule: tables.testRule,
    restore: tables.restore,
    async close() {
      closed = true
      for (const run of runs.values()) void run.abandon()
      runs.clear()
      spark.close()
      await tables.close()
    },
  }
}
