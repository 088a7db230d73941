// Raw: the source's new data as it came, committed by its manifest, which carries the watermark.
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { join } from 'node:path'
import { fail } from '#core/errors.ts'
import type { RawStep } from '#core/plan.ts'
import type { StepContext } from '../batch.ts'
import { type Manifest, readManifest, readManifests } from '../extractors/manifest.ts'
import { rawDir } from '../layout.ts'
import { emptyOutcome, type Outcome } from '../protocol.ts'

/** @throws what the extractor refuses */
export async function runRaw(context: StepContext, step: RawStep): Promise<Outcome> {
  const { root, input } = context
  const at = [root, step.source.name, step.name] as const
  const before = (await readManifests(...at, { before: input.seq })).at(-1)
  const watermark = before?.watermark ?? null
  const done = await readManifest(...at, input.seq)
  if (context.replay !== null) return await verify(context, step, done)
  if (done === null) {
    // What this batch would have read has gone into the next one; what is new since belongs to no batch of the past.
    const [later] = await readManifests(...at, { after: input.seq })
    if (later !== undefined) return { ...emptyOutcome('skipped'), root_cause: later.batch_id }
  }
  const planned = input.watermarks[step.key] ?? null
  const warnings: string[] = []
  if (before !== undefined && planned !== null && planned !== watermark)
    warnings.push(
      'The watermark in the metadata differed from the last manifest; the manifest counts.',
    )
  const manifest =
    done ??
    (await context.sources.extract(
      step,
      { root, seq: input.seq, batch_id: input.batch_id, watermark },
      context.signal,
    ))
  return { ...outcomeOf(manifest, watermark), warnings }
}

/** A replay reads raw as it is: its files must be what the manifest says. @throws raw_changed */
async function verify(
  context: StepContext,
  step: RawStep,
  manifest: Manifest | null,
): Promise<Outcome> {
  if (manifest === null) return emptyOutcome('succeeded')
  for (const { path, sha256 } of manifest.files) {
    const hash = createHash('sha256')
    const absolute = join(rawDir(context.root, step.source.name, step.name), path)
    for await (const bytes of createReadStream(absolute, { signal: context.signal }))
      hash.update(bytes as Buffer)
    if (hash.digest('hex') !== sha256) fail('raw_changed', { path })
  }
  return outcomeOf(manifest, manifest.cursor?.from ?? null)
}

function outcomeOf(manifest: Manifest, watermark_from: string | null): Outcome {
  const bytes = manifest.files.reduce((sum, file) => sum + file.size, 0)
  const rows = manifest.rows
  return {
    ...emptyOutcome('succeeded'),
    counts: {
      bytes_read: bytes,
      bytes_written: bytes,
      ...(rows === null ? {} : { rows_read: rows, rows_written: rows }),
    },
    watermark_from,
    watermark_to: manifest.watermark ?? watermark_from,
    files: manifest.files,
  }
}
