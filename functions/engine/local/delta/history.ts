// What the log tells of the past: who committed what, and which files came since.
import { stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { fail } from '#core/errors.ts'
import { commitName, listLog, logDir, tableOf } from './log.ts'
import type { Commit, DeltaFile } from './log.ts'
import { commits, readCommit } from './snapshot.ts'
import { fileRows } from './stats.ts'

export type HistoryEntry = {
  version: number
  timestamp: number
  operation: string
  engine: string | null
  /** The object given at the commit; another writer's text as it is; null without. */
  user_metadata: unknown
  txn: { appId: string; version: number }[]
  files_added: number
  files_removed: number
  bytes_added: number
  /** Rows in the added files; null when some file's statistics don't say. */
  rows_added: number | null
  data_change: boolean
  schema_changed: boolean
}

/** The commits of a table, newest first; empty when there is no table. Versions whose log was cleaned are absent. */
export async function history(
  dir: string,
  options: { limit?: number } = {},
): Promise<HistoryEntry[]> {
  const path = resolve(dir)
  const listing = await listLog(path)
  const versions = [...(listing?.commits ?? [])].toSorted((a, b) => b - a).slice(0, options.limit)
  const entries: HistoryEntry[] = []
  for (let at = 0; at < versions.length; at += 32)
    entries.push(
      ...(await Promise.all(
        versions
          .slice(at, at + 32)
          .map(async (version) => entryOf(path, await readCommit(path, version))),
      )),
    )
  return entries
}

/** The version in which batch `version` of `appId` was committed; null when it wasn't, or its log was cleaned. */
export async function committedIn(
  dir: string,
  txn: { appId: string; version: number },
): Promise<HistoryEntry | null> {
  const path = resolve(dir)
  const listing = await listLog(path)
  for (const version of [...(listing?.commits ?? [])].toSorted((a, b) => b - a)) {
    const commit = await readCommit(path, version)
    if (commit.txns.some((found) => found.appId === txn.appId && found.version === txn.version))
      return await entryOf(path, commit)
  }
  return null
}

async function entryOf(dir: string, commit: Commit): Promise<HistoryEntry> {
  const rows = commit.adds.map(fileRows)
  const { info } = commit
  return {
    version: commit.version,
    timestamp:
      info?.timestamp ??
      Math.floor((await stat(join(logDir(dir), commitName(commit.version)))).mtimeMs),
    operation: info?.operation ?? 'UNKNOWN',
    engine: info?.engineInfo ?? null,
    user_metadata: userMetadata(info?.userMetadata),
    txn: commit.txns.map(({ appId, version }) => ({ appId, version })),
    files_added: commit.adds.length,
    files_removed: commit.removes.length,
    bytes_added: commit.adds.reduce((sum, file) => sum + file.size, 0),
    rows_added: rows.includes(null) ? null : rows.reduce((sum: number, n) => sum + (n ?? 0), 0),
    data_change: [...commit.adds, ...commit.removes].some((file) => file.data_change),
    schema_changed: commit.metadata !== null,
  }
}

function userMetadata(text: string | undefined): unknown {
  if (text === undefined) return null
  try {
    return JSON.parse(text) as unknown
  } catch {
    return text
  }
}

export type FilesAdded = {
  /**
   * In the order of their commits. Files of compactions aren't among them, the files that those put together are: they may have
   * left the table, but not their rows. Files whose rows a commit took away or rewrote since aren't.
   */
  files: DeltaFile[]
  /** True when a commit in between took rows away (or rewrote them): then the files aren't just new rows. */
  removed: boolean
  schema_changed: boolean
}

/**
 * The files that brought rows after version `after` (-1: from the beginning) up to version `upTo`.
 * @throws delta_corrupt when a commit in between was cleaned away, delta_files_gone when vacuum took one of the files
 */
export async function filesAddedBetween(
  dir: string,
  after: number,
  upTo: number,
): Promise<FilesAdded> {
  const path = resolve(dir)
  const brought = new Map<string, DeltaFile>()
  /** File of a compaction -> what it was made of. */
  const madeOf = new Map<string, string[]>()
  const takeAway = (file: string) => {
    brought.delete(file)
    const parts = madeOf.get(file) ?? []
    madeOf.delete(file)
    parts.forEach(takeAway)
  }
  const found: FilesAdded = { files: [], removed: false, schema_changed: false }
  for await (const commit of commits(path, after + 1, upTo)) {
    for (const file of commit.removes) {
      if (!file.data_change) continue
      found.removed = true
      takeAway(file.path)
    }
    const parts = commit.removes.filter((file) => !file.data_change).map((file) => file.path)
    for (const { data_change, deletion_vector: _, ...file } of commit.adds) {
      if (data_change) brought.set(file.path, file)
      else madeOf.set(file.path, parts)
    }
    if (commit.metadata && commit.version > 0) found.schema_changed = true
  }
  found.files = [...brought.values()]
  for (const file of found.files)
    await stat(join(path, file.path)).catch((cause: unknown) =>
      fail('delta_files_gone', { table: tableOf(path), after, up_to: upTo }, { cause }),
    )
  return found
}
