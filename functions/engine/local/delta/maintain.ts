// Keeping a table small: deleting files that nobody can need any more, and finding small files to combine.
import { lstat, readdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { isTemp, removeFile } from '../durable.ts'
import type { Connection } from './checkpoint.ts'
import { listLog, logDir } from './log.ts'
import type { DeltaFile } from './log.ts'
import { readCommit, readSnapshot } from './snapshot.ts'
import type { Snapshot } from './snapshot.ts'

export type VacuumOptions = {
  /** How long a removed file, and a file that no commit names, stays at least. */
  retention_ms: number
  /** ms since 1970. */
  now: number
  dry_run?: boolean
  connection?: Connection | null
}

/**
 * Deletes data files that no version committed or current within the retention needs, files of writes that never
 * were committed, and temp files; the paths (relative) and bytes it deleted, or would. Only Parquet files and our own
 * temp files are ever touched, and never a link's target. No table: nothing happens.
 */
export async function vacuum(
  dir: string,
  options: VacuumOptions,
): Promise<{ paths: string[]; bytes: number }> {
  const path = resolve(dir)
  const snapshot = await readSnapshot(path, { connection: options.connection ?? null })
  const found = { paths: [] as string[], bytes: 0 }
  if (!snapshot) return found
  const cutoff = options.now - options.retention_ms
  const needed = await neededSince(path, snapshot, cutoff)
  for await (const file of filesIn(path, '')) {
    const data = file.name.endsWith('.parquet') && !file.hidden && !needed.has(file.path)
    if (!data && !isTemp(file.name)) continue
    const { size, mtimeMs } = await lstat(join(path, file.path))
    if (mtimeMs >= cutoff) continue
    if (!options.dry_run && !(await removeFile(join(path, file.path)))) continue
    found.paths.push(file.path)
    found.bytes += size
  }
  return found
}

/** Live files, and those that left the table at or after `cutoff`: the versions before were current until then. */
async function neededSince(dir: string, snapshot: Snapshot, cutoff: number): Promise<Set<string>> {
  const needed = new Set(snapshot.state.files.keys())
  for (const tombstone of snapshot.state.tombstones.values())
    if (tombstone.deletion_timestamp >= cutoff) needed.add(tombstone.path)
  // Checkpoints forget tombstones after a week; the commits still know them. And a file may have left, come back
  // (restore) and left again.
  const listing = await listLog(dir)
  for (const version of listing?.commits ?? []) {
    const commit = await readCommit(dir, version)
    for (const file of commit.removes)
      if (Math.max(file.deletion_timestamp, commit.info?.timestamp ?? 0) >= cutoff)
        needed.add(file.path)
  }
  return needed
}

async function* filesIn(
  dir: string,
  below: string,
  hidden = false,
): AsyncGenerator<{ path: string; name: string; hidden: boolean }> {
  const entries = await readdir(join(dir, below), { withFileTypes: true })
  for (const entry of entries) {
    const path = below === '' ? entry.name : `${below}/${entry.name}`
    const inside = hidden || entry.name.startsWith('.') || entry.name.startsWith('_')
    if (entry.isDirectory()) {
      // Folders that begin with _ or . aren't ours to clean, but for our own temp files in the log.
      if (!inside || join(dir, path) === logDir(dir)) yield* filesIn(dir, path, inside)
    } else if (entry.isFile()) yield { path, name: entry.name, hidden: inside }
  }
}

/**
 * Groups of small files to be written as one each, in the table's order; empty when nothing is worth it. The caller writes
 * each group's rows and commits with `data_change: false`.
 */
export function compactionPlan(
  snapshot: Snapshot,
  options: { target_bytes: number; min_files?: number },
): DeltaFile[][] {
  const groups: DeltaFile[][] = []
  let group: DeltaFile[] = []
  let bytes = 0
  for (const file of snapshot.files) {
    if (file.size >= options.target_bytes / 2) continue
    if (group.length > 0 && bytes + file.size > options.target_bytes) {
      groups.push(group)
      group = []
      bytes = 0
    }
    group.push(file)
    bytes += file.size
  }
  groups.push(group)
  return groups.filter((files) => files.length >= Math.max(2, options.min_files ?? 2))
}
