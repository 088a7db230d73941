// What tests of extractors share: a folder of source files, a lake beside it, a connection, and a scan of what came.
import { DuckDBInstance, type DuckDBConnection } from '@duckdb/node-api'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { PlanColumn } from '#core/plan.ts'
import type { ExtractInput, RawObject, SourceContext } from './extractor.ts'
import { formatOptions } from './options.ts'

export type Bench = {
  folder: string
  root: string
  connection: DuckDBConnection
  events: string[]
  context: SourceContext
  put(path: string, content: string | Buffer): string
  close(): void
}

export async function openBench(): Promise<Bench> {
  const base = mkdtempSync(join(tmpdir(), "lake's forge é "))
  const folder = join(base, 'source')
  const root = join(base, 'lake')
  mkdirSync(folder)
  mkdirSync(root)
  const instance = await DuckDBInstance.create(':memory:', { threads: '2', memory_limit: '1GB' })
  const connection = await instance.connect()
  for (const setting of [
    'SET preserve_insertion_order = false',
    "SET TimeZone = 'UTC'",
    'SET autoinstall_known_extensions = false',
    'SET autoload_known_extensions = false',
  ])
    await connection.run(setting)
  const events: string[] = []
  return {
    folder,
    root,
    connection,
    events,
    context: {
      source: { name: 'src', options: { root: folder } },
      connection,
      resolveSecret: async () => 'none',
      event: (level, text) => void events.push(`${level}: ${text}`),
    },
    put(path, content) {
      const absolute = join(folder, path)
      mkdirSync(dirname(absolute), { recursive: true })
      writeFileSync(absolute, content)
      return absolute
    },
    close() {
      connection.closeSync()
      instance.closeSync()
      rmSync(base, { recursive: true, force: true })
    },
  }
}

/** A raw object of files; `columns` as `name type` or `source name > name type`. */
export function fileObject(
  object: string,
  format: string,
  columns: readonly string[] = [],
  options: Record<string, unknown> = {},
): RawObject {
  return {
    name: 'raw1',
    object,
    format,
    options: formatOptions(format, options),
    columns: columns.map(pinned),
    read_mode: 'files',
    cursor: null,
    chunking: null,
  }
}

export function pinned(text: string): PlanColumn {
  const [source, rest] = text.includes(' > ') ? text.split(' > ') : [undefined, text]
  const space = rest!.indexOf(' ')
  const name = rest!.slice(0, space)
  return { name, source_name: source ?? name, type: rest!.slice(space + 1), nullable: true }
}

export function batch(root: string, seq: number, watermark: string | null = null): ExtractInput {
  return { root, seq: String(seq), batch_id: `batch-${seq}`, watermark }
}
