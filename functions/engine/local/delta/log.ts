// The words of the Delta log: its files' names, the actions in them, and what of the protocol we can read and write.
// https://github.com/delta-io/delta/blob/master/PROTOCOL.md
import { readdir } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { fail } from '#core/errors.ts'

export type Protocol = {
  minReaderVersion: number
  minWriterVersion: number
  readerFeatures?: string[] | null
  writerFeatures?: string[] | null
}

/** A column as `schemaString` holds it; `metadata` (comments, other writers' marks) is kept when the schema changes. */
export type SchemaField = {
  name: string
  type: unknown
  nullable: boolean
  metadata: Record<string, unknown>
}

export type Metadata = {
  id: string
  name?: string | null
  description?: string | null
  format: { provider: string; options: Record<string, string> }
  schemaString: string
  partitionColumns: string[]
  createdTime?: number | null
  configuration: Record<string, string>
}

/** A live data file. `path` is relative to the table's folder and decoded; `stats` is the protocol's JSON text or null. */
export type DeltaFile = {
  path: string
  size: number
  modification_time: number
  stats: string | null
  tags: Record<string, string>
}

/** A file that left the table; kept so that no reader loses it before its time. Times in ms. */
export type Tombstone = { path: string; deletion_timestamp: number; size: number | null }

export type Domain = { domain: string; configuration: string; removed: boolean }

/** The whole state of a table at a version, as a checkpoint would hold it. */
export type LogState = {
  protocol: Protocol | null
  metadata: Metadata | null
  files: Map<string, DeltaFile>
  tombstones: Map<string, Tombstone>
  txns: Map<string, { version: number; last_updated: number | null }>
  domains: Map<string, Domain>
  /** Paths of live files with a deletion vector: such a version can't be read. */
  vectors: Set<string>
}

export type CommitInfo = {
  timestamp?: number
  operation?: string
  operationParameters?: Record<string, unknown>
  engineInfo?: string
  userMetadata?: string
}

/** One commit file, its file actions by kind. */
export type Commit = {
  version: number
  info: CommitInfo | null
  protocol: Protocol | null
  metadata: Metadata | null
  adds: (DeltaFile & { data_change: boolean; deletion_vector: boolean })[]
  removes: (Tombstone & { data_change: boolean })[]
  txns: { appId: string; version: number; last_updated: number | null }[]
  domains: Domain[]
}

export function logDir(dir: string): string {
  return join(dir, '_delta_log')
}

export function commitName(version: number): string {
  return `${String(version).padStart(20, '0')}.json`
}

export function checkpointName(version: number): string {
  return `${String(version).padStart(20, '0')}.checkpoint.parquet`
}

/** `schema.table` of a table's folder: what errors call it. */
export function tableOf(dir: string): string {
  const path = resolve(dir)
  return `${basename(dirname(path))}.${basename(path)}`
}

/** What lies in a log folder. Checkpoints are complete ones, newest first; null when there is no such folder. */
export type Listing = {
  commits: Set<number>
  checkpoints: { version: number; names: string[] }[]
  latest: number
  /** True when there are checkpoints of a kind (V2, by UUID) that we can't read. */
  newer: boolean
}

export async function listLog(dir: string): Promise<Listing | null> {
  let names: string[]
  try {
    names = await readdir(logDir(dir))
  } catch (error) {
    if ((error as { code?: string }).code === 'ENOENT') return null
    throw error
  }
  const commits = new Set<number>()
  const single = new Map<number, string[]>()
  const parts = new Map<string, string[]>()
  let latest = -1
  let newer = false
  for (const name of names) {
    if (/^\d{20}\.checkpoint\.[0-9a-f-]{36}\.(?:json|parquet)$/.test(name)) newer = true
    const found = /^(\d{20})\.(?:(json)|checkpoint(?:\.(\d{10})\.(\d{10}))?\.parquet)$/.exec(name)
    if (!found) continue
    const version = Number(found[1])
    latest = Math.max(latest, version)
    if (found[2]) commits.add(version)
    else if (found[4] === undefined) single.set(version, [name])
    else {
      const key = `${version} ${Number(found[4])}`
      parts.set(key, [...(parts.get(key) ?? []), name])
    }
  }
  for (const [key, found] of parts) {
    const [version, count] = key.split(' ').map(Number) as [number, number]
    // A multi-part checkpoint with missing parts must be ignored.
    if (found.length === count && !single.has(version)) single.set(version, found.toSorted())
  }
  const checkpoints = [...single]
    .map(([version, files]) => ({ version, names: files }))
    .toSorted((a, b) => b.version - a.version)
  return latest < 0 ? null : { commits, checkpoints, latest, newer }
}

/**
 * The actions of one commit file's text. Unknown actions and fields are ignored, as the protocol asks.
 * @throws delta_corrupt
 */
export function parseCommit(dir: string, version: number, text: string): Commit {
  const commit: Commit = {
    version,
    info: null,
    protocol: null,
    metadata: null,
    adds: [],
    removes: [],
    txns: [],
    domains: [],
  }
  for (const line of text.split('\n')) {
    if (line.trim() === '') continue
    let action: Record<string, unknown>
    try {
      action = JSON.parse(line) as Record<string, unknown>
    } catch (error) {
      return corrupt(dir, `${commitName(version)} holds a line that isn't JSON`, error)
    }
    takeAction(dir, commit, action)
  }
  return commit
}

type RawAdd = {
  path: string
  size: number
  modificationTime: number
  dataChange?: boolean
  stats?: string | null
  tags?: Record<string, string> | null
  deletionVector?: unknown
}

type RawRemove = {
  path: string
  deletionTimestamp?: number | null
  dataChange?: boolean
  size?: number | null
}

/** Adds one raw action (a line of a commit, a row of a checkpoint) to `commit`. */
export function takeAction(dir: string, commit: Commit, action: Record<string, unknown>): void {
  if (action.add != null) {
    const add = action.add as RawAdd
    commit.adds.push({
      path: decodePath(dir, add.path),
      size: Number(add.size),
      modification_time: Number(add.modificationTime),
      stats: add.stats ?? null,
      tags: add.tags ?? {},
      data_change: add.dataChange ?? true,
      deletion_vector: add.deletionVector != null,
    })
  } else if (action.remove != null) {
    const remove = action.remove as RawRemove
    commit.removes.push({
      path: decodePath(dir, remove.path),
      deletion_timestamp: Number(remove.deletionTimestamp ?? 0),
      size: remove.size == null ? null : Number(remove.size),
      data_change: remove.dataChange ?? true,
    })
  } else if (action.txn != null) {
    const txn = action.txn as { appId: string; version: number; lastUpdated?: number | null }
    commit.txns.push({
      appId: txn.appId,
      version: Number(txn.version),
      last_updated: txn.lastUpdated == null ? null : Number(txn.lastUpdated),
    })
  } else if (action.metaData != null) commit.metadata = action.metaData as Metadata
  else if (action.protocol != null) commit.protocol = action.protocol as Protocol
  else if (action.domainMetadata != null) commit.domains.push(action.domainMetadata as Domain)
  else if (action.commitInfo != null) commit.info = action.commitInfo as CommitInfo
}

export function emptyState(): LogState {
  return {
    protocol: null,
    metadata: null,
    files: new Map(),
    tombstones: new Map(),
    txns: new Map(),
    domains: new Map(),
    vectors: new Set(),
  }
}

export function copyState(state: LogState): LogState {
  return {
    protocol: state.protocol,
    metadata: state.metadata,
    files: new Map(state.files),
    tombstones: new Map(state.tombstones),
    txns: new Map(state.txns),
    domains: new Map(state.domains),
    vectors: new Set(state.vectors),
  }
}

/** Plays a commit onto the state (action reconciliation). */
export function applyCommit(state: LogState, commit: Commit): void {
  if (commit.protocol) state.protocol = commit.protocol
  if (commit.metadata) state.metadata = commit.metadata
  // Order within a commit means nothing; a path in both lists is a file that got a new deletion vector, so it stays.
  for (const { data_change: _, ...tombstone } of commit.removes) {
    state.files.delete(tombstone.path)
    state.vectors.delete(tombstone.path)
    state.tombstones.set(tombstone.path, tombstone)
  }
  for (const { data_change: _, deletion_vector, ...file } of commit.adds) {
    state.files.set(file.path, file)
    state.tombstones.delete(file.path)
    if (deletion_vector) state.vectors.add(file.path)
    else state.vectors.delete(file.path)
  }
  for (const txn of commit.txns)
    state.txns.set(txn.appId, { version: txn.version, last_updated: txn.last_updated })
  for (const domain of commit.domains) {
    if (domain.removed) state.domains.delete(domain.domain)
    else state.domains.set(domain.domain, domain)
  }
}

/** A relative path as the log writes it: percent-encoded, folder by folder. */
export function encodePath(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/')
}

/**
 * The relative path that a log names. Absolute paths and ones that leave the folder are refused: a log mustn't make us
 * read a foreign file, nor vacuum delete one.
 */
export function decodePath(dir: string, encoded: string): string {
  let path: string
  try {
    path = decodeURIComponent(encoded)
  } catch (error) {
    return corrupt(dir, 'a file name with a broken percent sign', error)
  }
  if (/^(?:\/|[A-Za-z][A-Za-z0-9+.-]*:)/.test(path))
    return fail('delta_unsupported', {
      table: tableOf(dir),
      feature: 'files outside of its folder',
    })
  if (path === '' || path.split('/').some((part) => ['', '.', '..'].includes(part)))
    return corrupt(dir, 'a file name that leaves the folder')
  return path
}

/** @throws delta_corrupt */
export function corrupt(dir: string, reason: string, cause?: unknown): never {
  return fail('delta_corrupt', { table: tableOf(dir), reason }, { cause })
}
