// A commit: what changes, checked against the table, as one new file of the log or not at all.
import { stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { fail } from '#core/errors.ts'
import { formatType, fromDeltaType, parseType, deltaType } from '#core/types.ts'
import type { Column } from '#core/types.ts'
import { fsyncDir, fsyncFile, linkNew, mkdirDurable } from '../durable.ts'
import { commitName, encodePath, logDir, tableOf } from './log.ts'
import type { DeltaFile, Metadata, SchemaField } from './log.ts'
import { neededProtocol, refuseUnwritable } from './protocol.ts'
import { evolve } from './schema.ts'
import { fieldsOf } from './snapshot.ts'
import type { Snapshot } from './snapshot.ts'
import packageJson from '../../../../package.json' with { type: 'json' }

/** A data file that lies in the table's folder and waits for its commit. `path` is relative, `/` between folders. */
export type NewFile = {
  path: string
  size: number
  stats?: string | null
  tags?: Record<string, string>
}

export type CommitInput = {
  /** The snapshot that this commit was computed from; null makes the table. */
  base: Snapshot | null
  /** What history shows: WRITE, MERGE, OPTIMIZE, … */
  operation: string
  operation_parameters?: Record<string, string>
  adds?: NewFile[]
  /** Live files of `base`, or their paths. */
  removes?: (DeltaFile | string)[]
  /** The whole schema from now on; absent keeps the base's. */
  columns?: Column[]
  /** Merged over the base's; null deletes a key. */
  properties?: Record<string, string | null>
  txn?: { appId: string; version: number }
  user_metadata?: object
  /** False when the commit only rearranges rows (compaction). */
  data_change?: boolean
  /** The writer's clock, ms since 1970. */
  timestamp: number
}

/**
 * Commits the version after `base` and returns its number. All files that it adds are made to last first; the commit
 * is there whole or not at all, and when it throws after the link (disk failure) the log tells.
 * @throws delta_conflict when another writer took that version, delta_txn_repeated, delta_schema_refused, delta_unsupported,
 *   delta_file_refused, disk_full
 */
export async function commit(dir: string, input: CommitInput): Promise<number> {
  return await write(resolve(dir), input, null)
}

/**
 * Commits the state of an earlier version as the next one: its files and columns come back, nothing else changes (properties
 * and transaction ids stay as they are, so a caller that re-runs batches needs a new appId). Returns the new version.
 * @throws delta_files_gone when vacuum took a file of `target`, and what `commit` throws
 */
export async function restore(
  dir: string,
  target: Snapshot,
  input: Omit<CommitInput, 'adds' | 'removes' | 'columns' | 'data_change'> & { base: Snapshot },
): Promise<number> {
  const path = resolve(dir)
  const { base } = input
  const back = target.files.filter((file) => !base.state.files.has(file.path))
  for (const file of back)
    await stat(join(path, file.path)).catch((cause: unknown) =>
      fail(
        'delta_files_gone',
        { table: tableOf(path), after: -1, up_to: target.version },
        { cause },
      ),
    )
  const removes = base.files.filter((file) => !target.state.files.has(file.path))
  return await write(path, { ...input, adds: back, removes, columns: target.columns }, target)
}

/** `restored`: the version whose files are added again; they fit its columns, and their names are known. */
async function write(path: string, input: CommitInput, restored: Snapshot | null): Promise<number> {
  const table = tableOf(path)
  const { base, txn, timestamp } = input
  const adds = input.adds ?? []
  const dataChange = input.data_change ?? true
  const removes = removed(path, base, input.removes ?? [])
  if (txn && (base?.txn.get(txn.appId) ?? -1) >= txn.version)
    fail('delta_txn_repeated', { table, app_id: txn.appId, version: txn.version })
  const metadata = nextMetadata(
    path,
    input,
    restored !== null || removes.length === (base?.files.length ?? 0),
  )
  const protocol = neededProtocol(base?.protocol ?? null, input.columns ?? base?.columns ?? [])
  refuseUnwritable(path, protocol, metadata)
  if (metadata.configuration['delta.appendOnly'] === 'true' && dataChange && removes.length > 0)
    fail('delta_unsupported', { table, feature: 'removing rows while delta.appendOnly is set' })
  await settle(path, base, adds, restored)

  const version = base ? base.version + 1 : 0
  const actions: object[] = [
    {
      commitInfo: {
        timestamp,
        operation: input.operation,
        operationParameters: input.operation_parameters ?? {},
        ...(base ? { readVersion: base.version } : {}),
        isolationLevel: 'Serializable',
        isBlindAppend: false,
        engineInfo: `LakeForge/${packageJson.version}`,
        ...(input.user_metadata ? { userMetadata: JSON.stringify(input.user_metadata) } : {}),
      },
    },
  ]
  if (protocol !== base?.protocol) actions.push({ protocol })
  if (metadata !== base?.metadata) actions.push({ metaData: metadata })
  if (txn) actions.push({ txn: { ...txn, lastUpdated: timestamp } })
  for (const file of removes)
    actions.push({
      remove: {
        path: encodePath(file.path),
        deletionTimestamp: timestamp,
        dataChange,
        extendedFileMetadata: true,
        partitionValues: {},
        size: file.size,
      },
    })
  for (const file of adds)
    actions.push({
      add: {
        path: encodePath(file.path),
        partitionValues: {},
        size: file.size,
        modificationTime: timestamp,
        dataChange,
        ...(file.stats ? { stats: file.stats } : {}),
        ...(file.tags && Object.keys(file.tags).length > 0 ? { tags: file.tags } : {}),
      },
    })
  await mkdirDurable(logDir(path))
  const text = actions.map((action) => `${JSON.stringify(action)}\n`).join('')
  if (!(await linkNew(join(logDir(path), commitName(version)), text)))
    fail('delta_conflict', { table, version })
  return version
}

function removed(dir: string, base: Snapshot | null, removes: (DeltaFile | string)[]): DeltaFile[] {
  const paths = new Set(removes.map((file) => (typeof file === 'string' ? file : file.path)))
  return [...paths].map(
    (path) =>
      base?.state.files.get(path) ??
      fail('delta_file_refused', {
        table: tableOf(dir),
        path,
        reason: 'it is to be removed, but not in the table',
      }),
  )
}

/** The base's own object when nothing changes. */
function nextMetadata(dir: string, input: CommitInput, replacesAll: boolean): Metadata {
  const { base } = input
  if (!base && !input.columns)
    return fail('delta_schema_refused', {
      table: tableOf(dir),
      column: '',
      reason: 'a new table needs columns',
    })
  const old = new Map(
    base ? fieldsOf(dir, base.metadata).map((before) => [before.name, before]) : [],
  )
  if (input.columns) evolve(tableOf(dir), base?.columns ?? null, input.columns, replacesAll)
  const fields = (input.columns ?? base!.columns).map((column) =>
    field(column, old.get(column.name)),
  )
  const schemaString = JSON.stringify({ type: 'struct', fields })
  const configuration = { ...base?.metadata.configuration }
  for (const [key, value] of Object.entries(input.properties ?? {})) {
    if (value === null) delete configuration[key]
    else configuration[key] = value
  }
  if (!base)
    return {
      id: crypto.randomUUID(),
      format: { provider: 'parquet', options: {} },
      schemaString,
      partitionColumns: [],
      configuration,
      createdTime: input.timestamp,
    }
  const same =
    sameColumns(input.columns ?? base.columns, base.columns) &&
    JSON.stringify(Object.entries(configuration).toSorted()) ===
      JSON.stringify(Object.entries(base.metadata.configuration).toSorted())
  return same ? base.metadata : { ...base.metadata, schemaString, configuration }
}

function sameColumns(a: readonly Column[], b: readonly Column[]): boolean {
  const text = (column: Column) =>
    `${JSON.stringify(column.name)} ${formatType(parseType(column.type))} ${column.nullable}`
  return a.length === b.length && a.every((column, i) => text(column) === text(b[i]!))
}

/** Another writer's marks on a column stay while its type does; a comment stays anyway. */
function field(column: Column, before: SchemaField | undefined): SchemaField {
  const type = parseType(column.type)
  const kept = before && formatType(fromDeltaType(before.type)) === formatType(type)
  return {
    name: column.name,
    type: kept ? before.type : deltaType(type),
    nullable: column.nullable,
    metadata: kept
      ? before.metadata
      : before?.metadata.comment === undefined
        ? {}
        : { comment: before.metadata.comment },
  }
}

/** Checks that the new files are what the commit says and makes them last. */
async function settle(
  dir: string,
  base: Snapshot | null,
  adds: readonly NewFile[],
  restored: Snapshot | null,
): Promise<void> {
  const seen = new Set<string>()
  const folders = new Set<string>()
  for (const file of adds) {
    const refuse = (reason: string): never =>
      fail('delta_file_refused', { table: tableOf(dir), path: file.path, reason })
    const parts = file.path.split('/')
    if (parts.some((part) => part === '' || part.startsWith('.') || part.startsWith('_')))
      refuse('its path is hidden or leaves the folder')
    if (
      seen.has(file.path) ||
      base?.state.files.has(file.path) ||
      (!restored && base?.state.tombstones.has(file.path))
    )
      refuse('a file of that name is or was in the table')
    seen.add(file.path)
    const found = await stat(join(dir, file.path)).catch(() => null)
    if (!found?.isFile()) refuse('there is no such file')
    else if (found.size !== file.size) refuse(`it has ${found.size} bytes, not ${file.size}`)
    await fsyncFile(join(dir, file.path))
    // Each folder from the file up to the table's own.
    for (let at = dirname(join(dir, file.path)); at.startsWith(dir); at = dirname(at))
      folders.add(at)
  }
  for (const folder of folders) await fsyncDir(folder)
}
