// Source → Raw for files: each file once per path and sha256, copied as it came.
import { setTimeout as wait } from 'node:timers/promises'
import { extname, join } from 'node:path'
import { mkdirDurable, removeFile } from '../durable.ts'
import { rawDir } from '../layout.ts'
import { PROGRESS_MS, type ExtractInput, type RawObject, type SourceContext } from './extractor.ts'
import { compressionOf, type CsvOptions } from './csv-head.ts'
import { copyFile, hashFile } from './file-copy.ts'
import { checkWhole } from './file-whole.ts'
import { listFiles, type SourceFile } from './file-list.ts'
import {
  clearAttempt,
  readManifest,
  readManifests,
  seqDir,
  writeManifest,
  type Manifest,
  type ManifestFile,
} from './manifest.ts'

/** A file whose time is this close to when it was taken may have changed again without a trace in its time. */
const RACY_MS = 2000
const ATTEMPTS = 3
const RETRY_MS = 200

type Known = { size: number; modified_at: string | null; racy: boolean; hashes: Set<string> }

/** @throws path_outside, source_folder_missing, disk_full, file_denied */
export async function extractFiles(
  context: SourceContext,
  raw: RawObject,
  input: ExtractInput,
): Promise<Manifest> {
  const { source } = context
  const event = input.event ?? context.event
  const { root, seq, batch_id } = input
  const done = await readManifest(root, source.name, raw.name, seq)
  if (done) return done
  const dir = seqDir(root, source.name, raw.name, seq)
  await clearAttempt(dir)

  const known = knownFiles(await readManifests(root, source.name, raw.name, { before: seq }))
  const found = await listFiles(String(source.options.root), raw.object)
  if (found.length === 0) event?.('warn', `No file matches "${raw.object}".`)
  const changed: SourceFile[] = []
  for (const file of found)
    if (await isNew(file, known.get(file.path), context.signal)) changed.push(file)

  const files: ManifestFile[] = []
  const total = changed.reduce((sum, file) => sum + file.size, 0)
  let bytes = 0
  for (const file of changed) {
    const path = join(`seq=${seq}`, storedName(files.length + 1, file.path))
    if (files.length === 0) await mkdirDurable(dir)
    const target = join(rawDir(root, source.name, raw.name), path)
    let said = Date.now()
    const copied = await copyQuiet({ ...context, event }, file, target, (here) => {
      if (Date.now() - said < PROGRESS_MS) return
      said = Date.now()
      event?.('debug', `Reading ${file.path}.`, { done: bytes + here, total, unit: 'bytes' })
    })
    bytes += file.size
    event?.('debug', `Read ${file.path}.`, { done: bytes, total, unit: 'bytes' })
    if (copied === null) continue
    if (known.get(file.path)?.hashes.has(copied.sha256)) {
      await removeFile(target)
      continue
    }
    await checkWhole(target, file.path, kindOf(file.path, raw), context.signal)
    files.push({
      path,
      source_path: file.path,
      size: copied.size,
      sha256: copied.sha256,
      rows: null,
      source_modified_at: isoNs(copied.modified_ns),
    })
  }
  const manifest: Manifest = {
    version: 1,
    source: source.name,
    raw_config: raw.name,
    raw_config_id: raw.config_id ?? null,
    seq,
    batch_id,
    created_at: new Date().toISOString(),
    read_mode: 'files',
    format: raw.format,
    files,
    columns: [],
    cursor: null,
    watermark: null,
    rows: null,
  }
  if (files.length > 0) await writeManifest(root, manifest)
  else await clearAttempt(dir)
  return manifest
}

/** How a file must end. */
function kindOf(path: string, raw: RawObject): 'plain' | 'gzip' | 'zstd' | 'parquet' {
  if (raw.format === 'parquet') return 'parquet'
  return compressionOf(path, raw.options.compression as CsvOptions['compression'] | undefined)
}

/** Copies, and tries again a little later when the file changes under the hand; null: it is left for the next batch. */
async function copyQuiet(
  context: SourceContext,
  file: SourceFile,
  target: string,
  onBytes: (bytes: number) => void,
) {
  for (let attempt = 1; ; attempt++) {
    const copied = await copyFile(file, target, context.signal, onBytes)
    if (copied !== null) return copied
    if (attempt === ATTEMPTS) break
    await wait(RETRY_MS)
  }
  context.event?.('warn', `${file.path} changes while it is read: it is left for the next batch.`)
  return null
}

function knownFiles(manifests: readonly Manifest[]): Map<string, Known> {
  const known = new Map<string, Known>()
  for (const { files, created_at } of manifests)
    for (const file of files) {
      const entry = known.get(file.source_path) ?? {
        size: 0,
        modified_at: null,
        racy: false,
        hashes: new Set(),
      }
      entry.size = file.size
      entry.modified_at = file.source_modified_at
      entry.racy =
        Date.parse(created_at) - Date.parse(file.source_modified_at ?? created_at) < RACY_MS
      entry.hashes.add(file.sha256)
      known.set(file.source_path, entry)
    }
  return known
}

/** Size and time only decide whether to look at the bytes. */
async function isNew(
  file: SourceFile,
  known: Known | undefined,
  signal?: AbortSignal,
): Promise<boolean> {
  if (!known) return true
  const untouched = known.size === file.size && known.modified_at === isoNs(file.modified_ns)
  if (untouched && !known.racy) return false
  // Of another size, it is copied and compared in one pass.
  if (known.size !== file.size) return true
  const sha256 = await hashFile(file, signal)
  return sha256 === null || !known.hashes.has(sha256)
}

/**
 * `00001-orders.csv.gz`: in order, and free of anything that a shell, a glob or an URL would read as more than a name.
 * Extensions stay, since readers go by them.
 */
export function storedName(n: number, path: string): string {
  const base = path.slice(path.lastIndexOf('/') + 1)
  const clean = (text: string) => text.replace(/[^A-Za-z0-9._-]+/g, '_')
  const last = clean(extname(base)).slice(0, 16)
  const stem = clean(base.slice(0, base.length - extname(base).length))
  return `${String(n).padStart(5, '0')}-${stem.slice(-80)}${last}`
}

/** An instant in ISO with nanoseconds. */
function isoNs(instant: bigint): string {
  const ns = instant < 0n ? 0n : instant
  const seconds = ns / 1_000_000_000n
  const rest = String(ns % 1_000_000_000n).padStart(9, '0')
  return new Date(Number(seconds) * 1000).toISOString().replace(/\.000Z$/, `.${rest}Z`)
}
