// The sources that a batch reads. Steps of one source share one opened source, so that all its objects are read in one
// state of it where it can give one; it is closed when the last of them has ended.
import { fail } from '#core/errors.ts'
import { sourceOptions } from '#core/extractors.ts'
import type { RawStep } from '#core/plan.ts'
import { LOCAL_EXTRACTORS } from './extractors/index.ts'
import type { ExtractInput, SourceBatch } from './extractors/extractor.ts'
import type { Manifest } from './extractors/manifest.ts'
import type { EventText } from './batch.ts'
import { resolveSecret } from './secrets.ts'
import type { Session } from './session.ts'

export type Sources = {
  /** Reads one object to raw. @throws what its extractor does */
  extract(step: RawStep, input: ExtractInput, signal: AbortSignal): Promise<Manifest>
}

type Open = { batch: Promise<SourceBatch>; abort: AbortController; close(): Promise<void> }

/** `steps`: the raw steps that this batch will run. */
export function openSources(
  session: Session,
  home: string | null,
  steps: readonly RawStep[],
  event: (event: EventText) => void,
): Sources {
  const open = new Map<string, Open>()
  /** Steps of a source that have not ended yet. */
  const left = new Map<string, Set<string>>()
  for (const step of steps)
    left.set(step.source.id, (left.get(step.source.id) ?? new Set()).add(step.key))
  const busy = new Map<string, number>()

  const openSource = (step: RawStep): Open => {
    const { source } = step
    const extractor = Object.hasOwn(LOCAL_EXTRACTORS, source.kind)
      ? LOCAL_EXTRACTORS[source.kind]!
      : fail('engine_unsupported', { engine: 'local', what: `sources of kind ${source.kind}` })
    const abort = new AbortController()
    const connection = session.open()
    const batch = connection.then(({ connection }) =>
      extractor.openBatch({
        source: { name: source.name, options: sourceOptions(source.kind, source.options) },
        // Those of the source that have not ended: one moment bounds them all.
        objects: steps.filter(
          (other) => other.source.id === source.id && left.get(source.id)?.has(other.key),
        ),
        connection,
        resolveSecret: (reference) => resolveSecret(home, reference),
        signal: abort.signal,
        event: (level, text, progress) =>
          event({ step: null, level, text, ...(progress ? { progress } : {}) }),
      }),
    )
    return {
      batch,
      abort,
      async close() {
        await batch.then(
          (opened) => opened.close(),
          () => undefined,
        )
        await (await connection).close()
      },
    }
  }

  return {
    async extract(step, input, signal) {
      const { id } = step.source
      let source = open.get(id)
      if (source === undefined || source.abort.signal.aborted) {
        source = openSource(step)
        open.set(id, source)
      }
      busy.set(id, (busy.get(id) ?? 0) + 1)
      // Who stops one step stops the source: its other steps end too, and begin again on a new one.
      const stop = () => source.abort.abort()
      signal.addEventListener('abort', stop)
      if (signal.aborted) stop()
      try {
        const manifest = await (
          await source.batch
        ).extract(step, {
          ...input,
          event: (level, text, progress) =>
            event({ step: step.key, level, text, ...(progress ? { progress } : {}) }),
        })
        left.get(id)?.delete(step.key)
        return manifest
      } catch (error) {
        if (source.abort.signal.aborted && !signal.aborted)
          return fail('step_displaced', { source: step.source.name }, { cause: error })
        left.get(id)?.delete(step.key)
        throw error
      } finally {
        signal.removeEventListener('abort', stop)
        busy.set(id, busy.get(id)! - 1)
        if (busy.get(id) === 0 && (left.get(id)?.size ?? 0) === 0) {
          if (open.get(id) === source) open.delete(id)
          await source.close()
        }
      }
    },
  }
}
