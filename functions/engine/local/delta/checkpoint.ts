// Checkpoints: the state of a table as one Parquet file, so that readers need not replay the whole log. Written and read
// by DuckDB; a checkpoint is a copy, so a crash while writing one costs nothing.
import { open, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { DuckDBConnection, DuckDBValue } from '@duckdb/node-api'
import { DuckDBStructType } from '@duckdb/node-api'
import { literalDuckdb, quoteDuckdb } from '#core/names.ts'
import { fail } from '#core/errors.ts'
import {
  durable,
  fsyncFile,
  removeFile,
  renameDurable,
  tempName,
  writeDurable,
} from '../durable.ts'
import {
  applyCommit,
  checkpointName,
  emptyState,
  encodePath,
  listLog,
  logDir,
  tableOf,
  takeAction,
} from './log.ts'
import type { Commit, LogState } from './log.ts'
import { literalPath } from './paths.ts'
import { refuseUnwritable } from './protocol.ts'
import type { Snapshot } from './snapshot.ts'

/** What this module needs of DuckDB: a connection that may read and write the table's folder. */
export type Connection = Pick<DuckDBConnection, 'run' | 'runAndReadAll'>

const STRINGS = 'MAP(VARCHAR, VARCHAR)'

/** Columns of a classic checkpoint (V1), each a struct; a row fills one of them. */
const COLUMNS: Record<string, Record<string, string>> = {
  txn: { appId: 'VARCHAR', version: 'BIGINT', lastUpdated: 'BIGINT' },
  add: {
    path: 'VARCHAR',
    partitionValues: STRINGS,
    size: 'BIGINT',
    modificationTime: 'BIGINT',
    dataChange: 'BOOLEAN',
    stats: 'VARCHAR',
    tags: STRINGS,
  },
  remove: {
    path: 'VARCHAR',
    deletionTimestamp: 'BIGINT',
    dataChange: 'BOOLEAN',
    extendedFileMetadata: 'BOOLEAN',
    partitionValues: STRINGS,
    size: 'BIGINT',
  },
  metaData: {
    id: 'VARCHAR',
    name: 'VARCHAR',
    description: 'VARCHAR',
    format: `STRUCT("provider" VARCHAR, "options" ${STRINGS})`,
    schemaString: 'VARCHAR',
    partitionColumns: 'VARCHAR[]',
    createdTime: 'BIGINT',
    configuration: STRINGS,
  },
  protocol: {
    minReaderVersion: 'INTEGER',
    minWriterVersion: 'INTEGER',
    readerFeatures: 'VARCHAR[]',
    writerFeatures: 'VARCHAR[]',
  },
  domainMetadata: { domain: 'VARCHAR', configuration: 'VARCHAR', removed: 'BOOLEAN' },
}

/** What we read of a checkpoint: not parsed statistics (of 5 000 columns, perhaps) nor other writers' fields. */
const READ: typeof COLUMNS = {
  ...COLUMNS,
  add: {
    path: 'VARCHAR',
    size: 'BIGINT',
    modificationTime: 'BIGINT',
    stats: 'VARCHAR',
    tags: STRINGS,
    deletionVector: 'STRUCT',
  },
}
const SIMPLE = new Set(['VARCHAR', 'BIGINT', 'INTEGER', 'BOOLEAN'])

/**
 * Writes a checkpoint of `snapshot` if its log has grown by `delta.checkpointInterval` commits (10) since the newest one;
 * true when it did. Call it after a commit; when it fails or dies, the table is as good as before.
 * @throws disk_full
 */
export async function checkpointIfDue(
  snapshot: Snapshot,
  connection: Connection,
  now: number,
): Promise<boolean> {
  const listing = await listLog(snapshot.dir)
  const newest =
    listing?.checkpoints.find(({ version }) => version <= snapshot.version)?.version ?? 0
  const interval = Number(snapshot.properties['delta.checkpointInterval'] ?? 10)
  if (!(interval >= 1) || snapshot.version - newest < interval) return false
  await writeCheckpoint(snapshot, connection, now)
  return true
}

/** Writes the checkpoint of `snapshot`, and `_last_checkpoint`, whether due or not. */
export async function writeCheckpoint(
  snapshot: Snapshot,
  connection: Connection,
  now: number,
): Promise<void> {
  const { dir, version, state } = snapshot
  // Never write a checkpoint of a table with features that we would lose in it.
  refuseUnwritable(dir, snapshot.protocol, snapshot.metadata)
  const path = join(logDir(dir), checkpointName(version))
  const json = tempName(path)
  const parquet = tempName(path)
  let count = 0
  let longest = 1 << 20
  try {
    await durable(`stage ${checkpointName(version)}`, async () => {
      const file = await open(json, 'wx')
      try {
        let lines = ''
        for (const action of actionsOf(state, expiry(snapshot.properties, now))) {
          const line = `${JSON.stringify(action)}\n`
          longest = Math.max(longest, Buffer.byteLength(line))
          lines += line
          count++
          if (lines.length < 1 << 20) continue
          await file.write(lines)
          lines = ''
        }
        await file.write(lines)
      } finally {
        await file.close()
      }
    })
    await durable(`write ${checkpointName(version)}`, async () => {
      await connection.run(copyStatement(json, parquet, state, longest))
    })
    await fsyncFile(parquet)
    await renameDurable(parquet, path)
  } finally {
    await removeFile(json)
    await removeFile(parquet)
  }
  const bytes = (await stat(path)).size
  await writeDurable(
    join(logDir(dir), '_last_checkpoint'),
    JSON.stringify({ version, size: count, sizeInBytes: bytes, numOfAddFiles: state.files.size }),
  )
}

/** `longest`: bytes of the longest line. DuckDB allocates twice as much for each thread, so it isn't just a large number. */
function copyStatement(json: string, parquet: string, state: LogState, longest: number): string {
  const struct = (fields: Record<string, string>) =>
    `STRUCT(${Object.entries(fields)
      .map(([name, type]) => `${quoteDuckdb(name)} ${type}`)
      .join(', ')})`
  // Domains belong to a feature: the column appears only where the table has it.
  const columns = Object.keys(COLUMNS).filter(
    (name) => name !== 'domainMetadata' || state.domains.size > 0,
  )
  const types = columns.map(
    (name) => `${literalDuckdb(name)}: ${literalDuckdb(struct(COLUMNS[name]!))}`,
  )
  return (
    `COPY (SELECT * FROM read_json(${literalPath(json)}, format = 'newline_delimited', compression = 'uncompressed', ` +
    `maximum_object_size = ${longest + 1024}, columns = {${types.join(', ')}})) ` +
    `TO ${literalDuckdb(parquet)} (FORMAT parquet, COMPRESSION zstd)`
  )
}

function* actionsOf(state: LogState, expired: number): Generator<object> {
  yield { protocol: state.protocol }
  yield { metaData: state.metadata }
  for (const [appId, txn] of state.txns)
    yield { txn: { appId, version: txn.version, lastUpdated: txn.last_updated } }
  for (const domain of state.domains.values()) yield { domainMetadata: domain }
  for (const tombstone of state.tombstones.values()) {
    if (tombstone.deletion_timestamp < expired) continue
    yield {
      remove: {
        path: encodePath(tombstone.path),
        deletionTimestamp: tombstone.deletion_timestamp,
        dataChange: false,
        extendedFileMetadata: tombstone.size !== null,
        partitionValues: tombstone.size === null ? null : {},
        size: tombstone.size,
      },
    }
  }
  for (const file of state.files.values())
    yield {
      add: {
        path: encodePath(file.path),
        partitionValues: {},
        size: file.size,
        modificationTime: file.modification_time,
        dataChange: false,
        stats: file.stats,
        tags: file.tags,
      },
    }
}

const UNITS: Record<string, number> = {
  millisecond: 1,
  second: 1_000,
  minute: 60_000,
  hour: 3_600_000,
  day: 86_400_000,
  week: 604_800_000,
}

/** Tombstones older than this (ms since 1970) are left out; a duration that we can't read keeps them all. */
export function expiry(properties: Record<string, string>, now: number): number {
  const text = properties['delta.deletedFileRetentionDuration'] ?? 'interval 1 week'
  const found = /^\s*(?:interval\s+)?(\d+)\s+([a-z]+?)s?\s*$/i.exec(text)
  const unit = UNITS[found?.[2]?.toLowerCase() ?? '']
  return found && unit ? now - Number(found[1]) * unit : 0
}

/**
 * The state in a checkpoint (classic or multi-part, V1).
 * @throws delta_unsupported for V2 checkpoints
 */
export async function readCheckpoint(
  dir: string,
  checkpoint: { version: number; names: string[] },
  connection: Connection,
): Promise<LogState> {
  const files = checkpoint.names.map((name) => literalPath(join(logDir(dir), name)))
  const from = `read_parquet([${files.join(', ')}], hive_partitioning = false, union_by_name = true)`
  const head = await connection.runAndReadAll(`SELECT * FROM ${from} LIMIT 0`)
  const found = new Map(head.columnNames().map((name, i) => [name, head.columnType(i)]))
  if (found.has('sidecar') || found.has('checkpointMetadata')) {
    const v2 = await connection.runAndReadAll(
      `SELECT count(*) FROM ${from} WHERE ${['sidecar', 'checkpointMetadata']
        .filter((name) => found.has(name))
        .map((name) => `${quoteDuckdb(name)} IS NOT NULL`)
        .join(' OR ')}`,
    )
    if (Number(v2.getRows()[0]![0]) > 0)
      fail('delta_unsupported', { table: tableOf(dir), feature: 'v2Checkpoint' })
  }
  const state = emptyState()
  for (const [name, known] of Object.entries(READ)) {
    const type = found.get(name)
    if (!(type instanceof DuckDBStructType)) continue
    const fields = Object.keys(known).filter((field) => type.entryNames.includes(field))
    // Plain values come as they are, which is twice as fast as JSON for a whole row; 10 000 files take 0.2 s.
    const plain = fields.map((field) => SIMPLE.has(known[field]!))
    const picked = fields.map((field, i) => {
      const value = `${name}.${quoteDuckdb(field)}`
      return plain[i] ? value : `to_json(${value})::VARCHAR`
    })
    const rows = await connection.runAndReadAll(
      `SELECT ${picked.join(', ')} FROM ${from} WHERE ${name} IS NOT NULL`,
    )
    const commit: Commit = {
      version: checkpoint.version,
      info: null,
      protocol: null,
      metadata: null,
      adds: [],
      removes: [],
      txns: [],
      domains: [],
    }
    for (const row of rows.getRows()) {
      const action: Record<string, unknown> = {}
      for (const [i, value] of row.entries())
        if (value !== null)
          action[fields[i]!] = plain[i] ? plainValue(value) : JSON.parse(String(value))
      takeAction(dir, commit, { [name]: action })
    }
    applyCommit(state, commit)
  }
  return state
}

/** Longs as numbers, as the JSON of a commit gives them. */
function plainValue(value: DuckDBValue): DuckDBValue {
  return typeof value === 'bigint' ? Number(value) : value
}
