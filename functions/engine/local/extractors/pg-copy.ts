// COPY out of PostgreSQL into Parquet, in bulk: the server's CSV goes to a file of bounded size, DuckDB turns each into
// Parquet while the next one fills. No row is looked at here.
import type { DuckDBConnection } from '@duckdb/node-api'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { stat, unlink } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { literalDuckdb, quoteDuckdb } from '#core/names.ts'
import { duckdbType } from '#core/types.ts'
import { fsyncFile, renameDurable, tempName } from '../durable.ts'
import { duckdbError } from '../duckdb-error.ts'
import { hashFile } from './file-copy.ts'
import type { PgColumn } from './pg-columns.ts'
import type { Pg } from './pg-connect.ts'

/** Of CSV, before it is turned into Parquet: about twice that is on disk at a time. */
const SEGMENT_BYTES = 128 * 1024 * 1024

export type CopiedFile = { path: string; rows: number; size: number; sha256: string }

/**
 * Runs `select`, whose last column is a constant, by COPY and writes its rows to the paths that `target` gives. Each file is
 * whole and lasting when this returns; without rows it is one empty Parquet file if `keepEmpty`, else none.
 * @throws what PostgreSQL, the connection or DuckDB fails with; temporary files are gone then
 */
export async function copyToParquet(
  session: Pg,
  connection: DuckDBConnection,
  select: string,
  columns: readonly PgColumn[],
  target: { dir: string; next: () => string },
  options: { keepEmpty: boolean; signal?: AbortSignal; onRows?: (rows: number) => void },
): Promise<CopiedFile[]> {
  const { signal } = options
  const copy = `COPY (${select}) TO STDOUT (FORMAT csv, NULL '', DELIMITER ',', QUOTE '"', ENCODING 'UTF8')`
  const stream = await session.unsafe(copy).readable()
  const made: CopiedFile[] = []
  const leftovers = new Set<string>()
  let turning: Promise<void> = Promise.resolve()
  let broken: unknown

  const turn = (csv: string) => {
    const path = target.next()
    turning = turning.then(async () => {
      if (broken !== undefined) return
      try {
        const file = await csvToParquet(connection, csv, columns, path)
        if (file.rows > 0 || (options.keepEmpty && made.length === 0)) {
          made.push(file)
          options.onRows?.(file.rows)
        } else await unlink(path)
      } catch (error) {
        broken = error
      } finally {
        await unlink(csv).catch(() => undefined)
        leftovers.delete(csv)
      }
    })
  }

  try {
    let out = openSegment(leftovers, target.dir)
    for await (const chunk of stream) {
      signal?.throwIfAborted()
      if (broken !== undefined) throw broken
      const bytes = chunk as Buffer
      out.bytes += bytes.length
      if (!out.file.write(bytes)) await Promise.race([once(out.file, 'drain'), out.failed])
      // The server sends whole rows, and each ends its line.
      if (out.bytes >= SEGMENT_BYTES && bytes.at(-1) === 0x0a) {
        await closeSegment(out)
        await turning
        turn(out.path)
        out = openSegment(leftovers, target.dir)
      }
    }
    await closeSegment(out)
    if (out.bytes > 0 || (options.keepEmpty && made.length === 0)) turn(out.path)
    await turning
    if (broken !== undefined) throw broken
    return made
  } catch (error) {
    stream.destroy()
    await turning.catch(() => undefined)
    throw error
  } finally {
    for (const path of leftovers) await unlink(path).catch(() => undefined)
  }
}

type Segment = {
  path: string
  file: ReturnType<typeof createWriteStream>
  failed: Promise<never>
  bytes: number
}

function openSegment(leftovers: Set<string>, dir: string): Segment {
  const path = tempName(join(dir, 'segment.csv'))
  leftovers.add(path)
  const file = createWriteStream(path, { flags: 'wx', highWaterMark: 1024 * 1024 })
  const failed = new Promise<never>((_, reject) =>
    file.once('error', (error) => reject(duckdbError(error))),
  )
  // Looked at only where something waits.
  failed.catch(() => undefined)
  return { path, file, failed, bytes: 0 }
}

async function closeSegment({ file, failed }: Segment): Promise<void> {
  await Promise.race([new Promise<void>((resolve) => file.end(() => resolve())), failed])
}

async function csvToParquet(
  connection: DuckDBConnection,
  csv: string,
  columns: readonly PgColumn[],
  path: string,
): Promise<CopiedFile> {
  const read = columns.map(
    ({ raw_type }, index) =>
      `c${index}: '${raw_type === 'binary' ? 'VARCHAR' : duckdbType(raw_type)}'`,
  )
  const list = columns.map(({ raw_name, raw_type }, index) => {
    const value = raw_type === 'binary' ? `unhex(c${index})` : `c${index}`
    return `${value} AS ${quoteDuckdb(raw_name)}`
  })
  const scan = `read_csv(${literalDuckdb(csv)}, columns = {${[...read, `row_end: 'VARCHAR'`].join(', ')}}, auto_detect = false,
    header = false, delim = ',', quote = '"', escape = '"', nullstr = [''], allow_quoted_nulls = false, new_line = '\\n',
    compression = 'none', hive_partitioning = false, max_line_size = ${LINE_BYTES})`
  const temp = tempName(path)
  try {
    await connection.run(
      `COPY (SELECT ${list.join(', ')} FROM ${scan}) TO ${literalDuckdb(temp)} (FORMAT parquet, COMPRESSION zstd)`,
    )
    await fsyncFile(temp)
    await renameDurable(temp, path)
  } catch (error) {
    await unlink(temp).catch(() => undefined)
    throw duckdbError(error)
  }
  const counted = await connection.runAndReadAll(
    `SELECT num_rows FROM parquet_file_metadata(${literalDuckdb(path)})`,
  )
  const { size } = await stat(path)
  const sha256 = await hashFile({ path: basename(path), absolute: path, size, modified_ns: 0n })
  return { path, rows: Number(counted.getRows()[0]?.[0] ?? 0), size, sha256: sha256! }
}

/** A value of PostgreSQL may have a gigabyte; this much DuckDB reads in the memory that it has. */
const LINE_BYTES = 16 * 1024 * 1024
