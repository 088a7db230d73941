// A raw config: one object of a source, taken to raw.
import * as v from 'valibot'
import { Chunking, Cursor, plugin, READ_MODES } from './extractors.ts'
import {
  columnNames,
  columns,
  described,
  checked,
  field,
  id,
  orElse,
  orNull,
  text,
  whole,
} from './fields.ts'
import type { Configured, Fault } from './fields.ts'

/** Of a step, in place of the group's. */
export const attempts = {
  retries: orNull(field(whole(0, 20), 'Retries', 'None: as the group says.')),
  timeout_s: orNull(field(whole(1, 31_536_000), 'Timeout (s)', 'None: as the group says.')),
}

const entries = {
  ...described,
  source_id: field(id, 'Source'),
  group_id: field(id, 'Group'),
  object: field(
    v.pipe(
      text,
      v.check((value) => value.trim() !== '', 'Say what to read.'),
      v.check((value) => !value.includes('\0'), 'No NUL characters.'),
    ),
    'Object',
    'Path glob, table, query, endpoint or topic.',
  ),
  format: orNull(field(v.string(), 'Format')),
  options: orElse(field(v.record(v.string(), v.unknown()), 'Options', 'Of the format.'), {}),
  columns: orElse(
    field(columns, 'Columns', 'Pinned: name, source_name, Spark type, nullable.'),
    [],
  ),
  keys: orElse(field(columnNames, 'Keys', 'Columns that identify a row in the source.'), []),
  read_mode: field(v.picklist(READ_MODES), 'Read mode'),
  cursor: orNull(field(Cursor, 'Cursor', 'What an incremental read goes by.')),
  chunking: orNull(field(Chunking, 'Chunking', 'Read a big table in parts.')),
  extractor: orNull(
    field(plugin, 'Extractor', 'A plug-in of yours, instead of the one of the kind.'),
  ),
  retention_days: orNull(
    field(whole(1, 36_500), 'Retention (days)', 'How long raw files are kept; none: for ever.'),
  ),
  ...attempts,
}
const Plain = v.strictObject(entries)

/** `rawFaults` of extractors.ts checks what depends on the kind of the source. */
export const RawConfigCreate = checked(Plain, configFaults)
export type RawConfigCreate = v.InferOutput<typeof RawConfigCreate>
export const RawConfigPatch = v.partial(Plain)
export type RawConfigPatch = v.InferOutput<typeof RawConfigPatch>
export type RawConfig = Configured & RawConfigCreate

function* configFaults(raw: v.InferOutput<typeof Plain>): Generator<Fault> {
  const known = new Set(raw.columns.map((column) => column.name.toLowerCase()))
  const missing = (column: string) => known.size > 0 && !known.has(column.toLowerCase())
  if (raw.read_mode === 'incremental' && raw.cursor === null) {
    yield { path: ['cursor'], message: 'An incremental read needs a cursor column.' }
  }
  if (raw.read_mode !== 'incremental' && raw.cursor !== null) {
    yield { path: ['cursor'], message: 'Only an incremental read has a cursor.' }
  }
  if (raw.cursor !== null) {
    if (missing(raw.cursor.column)) {
      yield { path: ['cursor', 'column'], message: 'Not one of the columns.' }
    }
    if ((raw.cursor.lag_s ?? 0) > 0 && raw.keys.length === 0) {
      yield {
        path: ['cursor', 'lag_s'],
        message: 'A lag reads rows again, which are told apart by keys: give keys.',
      }
    }
  }
  if (raw.chunking !== null && missing(raw.chunking.column)) {
    yield { path: ['chunking', 'column'], message: 'Not one of the columns.' }
  }
  for (const [index, key] of raw.keys.entries()) {
    if (missing(key)) yield { path: ['keys', index], message: 'Not one of the columns.' }
  }
}
