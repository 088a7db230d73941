// What reads from a kind of source on the local engine: the seam between the map in index.ts and its callers. Extractors
// write below the lake's root only, and only through durable.ts; what they find is committed by its manifest.
import type { DuckDBConnection } from '@duckdb/node-api'
import type { DiscoveredObject, Preview, RawObject, TestStep } from '#engine/source.ts'
import type { Manifest } from './manifest.ts'

export type { DiscoveredObject, Preview, RawObject, TestStep }

/** What every door of an extractor gets. `options` are the source's, as the catalogue's schema answers them. */
export type SourceContext = {
  source: { name: string; options: Record<string, unknown> }
  /** May read the source's files; for extract it needs no more than the lake's root. */
  connection: DuckDBConnection
  /** The value behind `secret://scope/key`. It must not reach a message, an event or a file. */
  resolveSecret(reference: string): Promise<string>
  signal?: AbortSignal
  /**
   * What a batch will extract from the source, if known: a database then fixes the upper bounds of all its cursors at one
   * moment. An object that isn't named gets its own moment, and may see another state of the source than the others.
   */
  objects?: readonly RawObject[]
  /** A line for the log, and progress where it is known. */
  event?(level: 'debug' | 'info' | 'warn', text: string, progress?: Progress): void
}

export type Progress = { done: number; total: number | null; unit: 'rows' | 'bytes' | 'files' }

export type ExtractInput = {
  /** The lake's folder, absolute. */
  root: string
  /** Decimal text, as in RunInput. */
  seq: string
  batch_id: string
  /** Of the last manifest before this batch; null on the first run. */
  watermark: string | null
  /** A line for this object's own log, and how far it has come. */
  event?: SourceContext['event']
}

/** How often a long piece of work says how far it is. */
export const PROGRESS_MS = 2000

/** Several extracts of one batch from one source, all of the same state of it where the source can give one. */
export type SourceBatch = {
  /**
   * Takes what is new to `raw/<source>/<name>/seq=<seq>/` and commits it by its manifest. Safe to repeat: a manifest that
   * is there is the answer, and leftovers without one are removed. When nothing is new, nothing is written: the answer has
   * no files and isn't on disk.
   */
  extract(raw: RawObject, input: ExtractInput): Promise<Manifest>
  close(): Promise<void>
}

export type LocalExtractor = {
  test(context: SourceContext): AsyncIterable<TestStep>
  discover(context: SourceContext): Promise<DiscoveredObject[]>
  preview(context: SourceContext, raw: RawObject, limit: number): Promise<Preview>
  openBatch(context: SourceContext): Promise<SourceBatch>
}

/** Runs named checks in order; each gives its message, or throws. After the first failure the others are skipped. */
export async function* testSteps(
  checks: readonly { check: string; run: () => Promise<string> }[],
  explain: (error: unknown) => { message: string; hint: string },
): AsyncIterable<TestStep> {
  let broken = false
  for (const { check, run } of checks) {
    if (broken) {
      yield { check, state: 'skipped', duration_ms: 0, message: 'Not tried.', hint: null }
      continue
    }
    const started = performance.now()
    const took = () => Math.round(performance.now() - started)
    try {
      const message = await run()
      yield { check, state: 'ok', duration_ms: took(), message, hint: null }
    } catch (error) {
      broken = true
      yield { check, state: 'failed', duration_ms: took(), ...explain(error) }
    }
  }
}
