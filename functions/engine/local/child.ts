// The child process: one DuckDB for one batch. It runs the steps that it is told to, and says how they ended; order, retries
// and run state are the parent's. When the parent goes, it goes at once: another owner may already be at work.
import { rmSync, writeFileSync } from 'node:fs'
import { setPriority } from 'node:os'
import type { QueryResult, RuleTest } from '#engine/engine.ts'
import { openBatch, type Batch } from './batch.ts'
import { duckdbError, stepError } from './duckdb-error.ts'
import { emptyOutcome, type FromChild, type Outcome, type ToChild } from './protocol.ts'
import { openQueries, type Queries } from './query.ts'

/** Of 19: how far the engine stands back. */
const NICE = 5

const running = new Map<string, AbortController>()
let batch: Promise<Batch> | undefined
let queries: Promise<Queries> | undefined
let temp: string | undefined

process.on('disconnect', () => {
  // What a process spilled is worth nothing to another; a process that is killed leaves it to the next owner.
  if (temp !== undefined) rmSync(temp, { recursive: true, force: true })
  process.kill(process.pid, 'SIGKILL')
})

process.on('message', (message: ToChild) => {
  if (message.kind === 'open_batch') {
    batch = openBatch(
      message.settings,
      message.plan,
      message.input,
      message.only,
      message.replay,
      (event) => say({ kind: 'event', event }),
    )
    opened(batch)
  } else if (message.kind === 'run') void run(message.step)
  else if (message.kind === 'stop') running.get(message.step)?.abort()
  else if (message.kind === 'open_queries') {
    queries = openQueries(message.settings)
    opened(queries)
  } else if (message.kind === 'query')
    void answer(message.id, (open, signal) => open.run(message.request, signal))
  else if (message.kind === 'test_rule')
    void answer(message.id, (open, signal) => open.testRule(message.request, signal))
  else running.get(String(message.id))?.abort()
})

// Who waits for an answer of the API goes before a batch; on a machine that has cores to spare it makes no difference.
try {
  setPriority(NICE)
} catch {
  // Not permitted everywhere, and only a preference.
}

// The kernel, short of memory, should take this process and not the one with the metadata.
if (process.platform === 'linux') {
  try {
    writeFileSync('/proc/self/oom_score_adj', '500')
  } catch {
    // Not permitted everywhere, and only a preference.
  }
}

function opened(opening: Promise<{ temp: string }>): void {
  opening.then(
    (open) => {
      temp = open.temp
      say({ kind: 'opened' })
    },
    (error: unknown) => say({ kind: 'broken', error: stepError(error) }, () => process.exit(1)),
  )
}

async function answer(
  id: number,
  work: (open: Queries, signal: AbortSignal) => Promise<QueryResult | RuleTest>,
): Promise<void> {
  const abort = new AbortController()
  running.set(String(id), abort)
  try {
    const open = await queries!
    say({ kind: 'started', id })
    say({ kind: 'answer', id, result: await work(open, abort.signal) })
  } catch (error) {
    const { code, detail, hint } = duckdbError(error)
    say({ kind: 'answer', id, failure: { code, detail, hint } })
  } finally {
    running.delete(String(id))
  }
}

async function run(key: string): Promise<void> {
  const abort = new AbortController()
  running.set(key, abort)
  let outcome: Outcome
  try {
    outcome = await (await batch!).run(key, abort.signal)
  } catch (error) {
    outcome = { ...emptyOutcome('failed'), error: stepError(error) }
  }
  running.delete(key)
  say({ kind: 'outcome', step: key, outcome })
}

function say(message: FromChild, then: () => void = () => undefined): void {
  if (process.connected) process.send!(message, undefined, undefined, then)
}
