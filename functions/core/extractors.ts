// What LakeForge can read: one entry a kind of source. Forms, validation and the reference page follow from an entry; the
// code that reads lies in engine/*/extractors under the same key.
import * as v from 'valibot'
import type { Fault } from './fields.ts'
import {
  columnName,
  faultsOf,
  field,
  line,
  name,
  orElse,
  secretReference,
  whole,
} from './fields.ts'

export const READ_MODES = ['full', 'incremental', 'cdc', 'files', 'push'] as const
export type ReadMode = (typeof READ_MODES)[number]

export type Extractor = {
  title: string
  description: string
  /** Options of the source: where it is and how to get in. */
  source_options: v.GenericSchema<unknown, Record<string, unknown>>
  /** What `object` of a raw config means. */
  object: { title: string; description: string }
  /** Format of a raw config -> its title and the schema of its options. */
  formats: Record<
    string,
    { title: string; options: v.GenericSchema<unknown, Record<string, unknown>> }
  >
  read_modes: readonly ReadMode[]
  /** Whether a big object may be read in parts. */
  chunking: boolean
  /** Engines that have it. */
  engines: readonly ('local' | 'spark' | 'databricks')[]
}

const compression = orElse(
  field(
    v.picklist(['auto', 'plain', 'gzip', 'zstd']),
    'Compression',
    'auto looks at the end of the name: .gz, .zst.',
  ),
  'auto',
)
const oneCharacter = v.pipe(v.string(), v.length(1, 'One character.'))
const encoding = orElse(
  field(v.picklist(['utf-8', 'utf-16', 'latin-1']), 'Encoding', 'How characters are written.'),
  'utf-8',
)
const badRows = orElse(
  field(
    v.picklist(['fail', 'rescue']),
    'Rows that do not fit',
    'fail: the step fails and nothing is written. rescue: the row is kept, what did not fit goes to _rescued_data.',
  ),
  'fail',
)

function separated(delimiter: string) {
  return v.strictObject({
    compression,
    delimiter: orElse(
      field(
        v.pipe(
          v.string(),
          v.minLength(1, 'At least one character.'),
          v.maxLength(4, 'At most four characters.'),
        ),
        'Delimiter',
        'What stands between two values.',
      ),
      delimiter,
    ),
    quote: orElse(
      field(v.nullable(oneCharacter), 'Quote', 'What surrounds values; null: nothing does.'),
      '"',
    ),
    escape: orElse(
      field(v.nullable(oneCharacter), 'Escape', 'What stands before a quote inside a value.'),
      '"',
    ),
    header: orElse(field(v.boolean(), 'Header', 'Whether the first line names the columns.'), true),
    encoding,
    null_values: orElse(
      field(v.array(v.string()), 'Null values', 'Texts that mean null, outside of quotes.'),
      [''],
    ),
    skip_rows: orElse(field(whole(0, 1_000_000), 'Lines to skip', 'Before the header.'), 0),
    bad_rows: badRows,
  })
}

const files: Extractor = {
  title: 'Files',
  description: 'Files in a folder, each taken once; a changed file is taken again.',
  source_options: v.strictObject({
    root: field(line, 'Folder', 'Path of the folder below which the files lie.', {
      placeholder: '/data/deliveries',
    }),
    formats: v.optional(
      field(
        v.array(v.picklist(['csv', 'tsv', 'json', 'ndjson', 'parquet'])),
        'Formats',
        'Which formats discovery looks for; absent: all.',
      ),
    ),
  }),
  object: {
    title: 'Path',
    description: 'Path or glob below the folder: orders/*.csv, **/2026-*.json.',
  },
  formats: {
    csv: { title: 'CSV', options: separated(',') },
    tsv: { title: 'TSV', options: separated('\t') },
    json: {
      title: 'JSON',
      options: v.strictObject({
        compression,
        shape: orElse(
          field(
            v.picklist(['auto', 'array', 'lines']),
            'Shape',
            'array: one document holds all rows; lines: one document a line.',
          ),
          'auto',
        ),
        record_path: v.optional(
          field(
            line,
            'Record path',
            'Dotted path of the array of rows inside the document: data.items.',
          ),
        ),
        encoding,
        bad_rows: badRows,
      }),
    },
    ndjson: {
      title: 'JSON lines',
      options: v.strictObject({ compression, encoding, bad_rows: badRows }),
    },
    parquet: { title: 'Parquet', options: v.strictObject({}) },
  },
  read_modes: ['files'],
  chunking: false,
  engines: ['local', 'spark'],
}

const postgres: Extractor = {
  title: 'PostgreSQL',
  description: 'Tables and queries of a PostgreSQL database, in bulk and in one snapshot.',
  source_options: v.strictObject({
    host: field(line, 'Host', '', { placeholder: 'db.example.com' }),
    port: orElse(field(whole(1, 65_535), 'Port'), 5432),
    database: field(line, 'Database'),
    user: field(line, 'User'),
    password: v.optional(
      field(secretReference, 'Password', 'Where the password lies: secret://scope/key.', {
        secret: true,
      }),
    ),
    sslmode: orElse(
      field(
        v.picklist(['disable', 'require', 'verify-ca', 'verify-full']),
        'TLS',
        'require encrypts; verify-full also checks whom it talks to.',
      ),
      'require',
    ),
    schemas: v.optional(
      field(
        v.array(line),
        'Schemas',
        'Which schemas discovery looks at; absent: all but those of the system.',
      ),
    ),
  }),
  object: {
    title: 'Table or query',
    description: 'schema.table as PostgreSQL names it, or a select statement.',
  },
  formats: {
    table: { title: 'Table', options: v.strictObject({}) },
    query: { title: 'Query', options: v.strictObject({}) },
  },
  read_modes: ['full', 'incremental'],
  chunking: true,
  engines: ['local', 'spark'],
}

/** By kind of source. A map written by hand: one can read it. */
export const EXTRACTORS = { files, postgres } satisfies Record<string, Extractor>

export type SourceKind = keyof typeof EXTRACTORS
export const SOURCE_KINDS = Object.keys(EXTRACTORS) as [SourceKind, ...SourceKind[]]

/** The entry of a kind; undefined for one that is not there. */
export function extractorOf(kind: string): Extractor | undefined {
  return Object.hasOwn(EXTRACTORS, kind) ? EXTRACTORS[kind as SourceKind] : undefined
}

/** What is wrong with a source's options. */
export function* sourceFaults(source: {
  kind: string
  options: Record<string, unknown>
}): Generator<Fault> {
  const extractor = extractorOf(source.kind)
  if (!extractor) {
    yield { path: ['kind'], message: `One of: ${SOURCE_KINDS.join(', ')}.` }
    return
  }
  yield* faultsOf(extractor.source_options, source.options, ['options'])
}

/** What is wrong with a raw config, given the kind of its source: read mode, format, options, chunking. */
export function* rawFaults(
  kind: string,
  raw: {
    read_mode: string
    format: string | null
    options: Record<string, unknown>
    chunking: unknown
  },
): Generator<Fault> {
  const extractor = extractorOf(kind)
  if (!extractor) {
    yield { path: ['source_id'], message: 'Nothing reads sources of this kind.' }
    return
  }
  if (!(extractor.read_modes as readonly string[]).includes(raw.read_mode)) {
    yield {
      path: ['read_mode'],
      message: `${extractor.title} can be read: ${extractor.read_modes.join(', ')}.`,
    }
  }
  if (raw.chunking !== null && !extractor.chunking) {
    yield { path: ['chunking'], message: `${extractor.title} are read whole.` }
  }
  const format = raw.format === null ? undefined : extractor.formats[raw.format]
  if (!format || !Object.hasOwn(extractor.formats, raw.format!)) {
    yield { path: ['format'], message: `One of: ${Object.keys(extractor.formats).join(', ')}.` }
    return
  }
  yield* faultsOf(format.options, raw.options, ['options'])
}

/** A source's options with defaults filled in, as extractors want them. */
export function sourceOptions(kind: string, options: unknown): Record<string, unknown> {
  return v.parse(extractorOf(kind)!.source_options, options)
}

/** A raw config's options with the defaults of its format filled in. */
export function rawOptions(
  kind: string,
  format: string | null,
  options: unknown,
): Record<string, unknown> {
  return v.parse(extractorOf(kind)!.formats[format ?? '']!.options, options)
}

export const Cursor = v.strictObject({
  column: field(columnName, 'Column', 'Grows with every new or changed row.'),
  start: v.optional(
    v.nullable(
      field(line, 'Start', 'Rows after this value are read first; in the text of the source.'),
    ),
    null,
  ),
  lag_s: v.optional(
    v.nullable(
      field(
        whole(0, 31_536_000),
        'Lag (s)',
        'How far back each run looks again for rows that came late.',
      ),
    ),
    null,
  ),
})

export const Chunking = v.strictObject({
  column: field(columnName, 'Column', 'Indexed, and evenly spread.'),
  rows: orElse(field(whole(1000, 1_000_000_000), 'Rows', 'In one part.'), 1_000_000),
})

/** A plug-in's name. */
export const plugin = name
