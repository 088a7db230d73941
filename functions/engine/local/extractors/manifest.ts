// The manifest of one raw object and batch: the commit point of Source → Raw. It says which files there are, where they came
// from, and up to where the source has been read.
import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import * as v from 'valibot'
import { fail } from '#core/errors.ts'
import { PlanColumn } from '#core/plan.ts'
import { writeDurable } from '../durable.ts'
import { rawDir } from '../layout.ts'

const text = v.string()
const whole = v.pipe(v.number(), v.safeInteger(), v.minValue(0))

export const ManifestFile = v.object({
  /** Relative to the raw object's folder: `seq=3/00001-orders.csv`. */
  path: text,
  /** As the source names it: a path below its root, or schema.table. */
  source_path: text,
  size: whole,
  /** Hex, over the bytes at `path`. */
  sha256: text,
  rows: v.nullable(whole),
  /** ISO, UTC, up to nanoseconds. */
  source_modified_at: v.nullable(text),
})
export type ManifestFile = v.InferOutput<typeof ManifestFile>

export const Manifest = v.object({
  version: v.literal(1),
  /** Name of the source. */
  source: text,
  raw_config: text,
  raw_config_id: v.nullable(text),
  seq: text,
  batch_id: text,
  created_at: text,
  read_mode: v.picklist(['full', 'incremental', 'cdc', 'files', 'push']),
  format: v.nullable(text),
  files: v.array(ManifestFile),
  /** Columns of extracted files; for files taken as they came, empty. */
  columns: v.array(PlanColumn),
  /** The window `(from, to]`; null `from`: from the start. `null_rows`: rows that have no cursor value, which aren't read. */
  cursor: v.nullable(
    v.object({
      column: text,
      from: v.nullable(text),
      to: v.nullable(text),
      null_rows: v.nullable(whole),
    }),
  ),
  /** Where the next batch goes on, in the source's own text; null: it has none. */
  watermark: v.nullable(text),
  /** Sum over the files; null where it isn't known before they are read. */
  rows: v.nullable(whole),
})
export type Manifest = v.InferOutput<typeof Manifest>

/** Folder of one batch's files. */
export function seqDir(root: string, source: string, raw_config: string, seq: string): string {
  return join(rawDir(root, source, raw_config), `seq=${seq}`)
}

/**
 * The manifest at `seq`, or null when that batch hasn't committed its raw files.
 * @throws manifest_corrupt
 */
export async function readManifest(
  root: string,
  source: string,
  raw_config: string,
  seq: string,
): Promise<Manifest | null> {
  const path = join(seqDir(root, source, raw_config, seq), 'manifest.json')
  let content: string
  try {
    content = await readFile(path, 'utf8')
  } catch (error) {
    if ((error as { code?: string }).code === 'ENOENT') return null
    throw error
  }
  let json: unknown
  try {
    json = JSON.parse(content)
  } catch (cause) {
    return fail('manifest_corrupt', { path }, { cause })
  }
  const parsed = v.safeParse(Manifest, json)
  return parsed.success ? parsed.output : fail('manifest_corrupt', { path })
}

/** All manifests of a raw object, in order of seq; `after` and `before` are exclusive bounds. */
export async function readManifests(
  root: string,
  source: string,
  raw_config: string,
  bounds: { after?: string; before?: string } = {},
): Promise<Manifest[]> {
  let names: string[]
  try {
    names = await readdir(rawDir(root, source, raw_config))
  } catch (error) {
    if ((error as { code?: string }).code === 'ENOENT') return []
    throw error
  }
  const found: Manifest[] = []
  const seqs = names
    .map((name) => /^seq=(\d{1,19})$/.exec(name)?.[1])
    .filter((seq) => seq !== undefined)
    .map(BigInt)
    .filter((seq) => bounds.after === undefined || seq > BigInt(bounds.after))
    .filter((seq) => bounds.before === undefined || seq < BigInt(bounds.before))
    .sort((a, b) => (a < b ? -1 : 1))
  for (const seq of seqs) {
    const manifest = await readManifest(root, source, raw_config, String(seq))
    if (manifest) found.push(manifest)
  }
  return found
}

/** Commits a batch's raw files. They must last already. */
export async function writeManifest(root: string, manifest: Manifest): Promise<void> {
  const dir = seqDir(root, manifest.source, manifest.raw_config, manifest.seq)
  const checked = v.parse(Manifest, manifest)
  await writeDurable(join(dir, 'manifest.json'), `${JSON.stringify(checked, null, 2)}\n`)
}

/** Removes what a crashed attempt left in a batch's folder. Only for a folder without a manifest. */
export async function clearAttempt(dir: string): Promise<void> {
  await rm(dir, { recursive: true, force: true })
}
