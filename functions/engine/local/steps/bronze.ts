// Bronze: every manifest that no commit has taken yet, in order, as rows with their audit columns, in one commit.
import { resolve } from 'node:path'
import { fail, LakeForgeError } from '#core/errors.ts'
import { rawOptions } from '#core/extractors.ts'
import { literalDuckdb, quoteDuckdb } from '#core/names.ts'
import type { BronzeStep, PlanColumn, RawStep } from '#core/plan.ts'
import { type Column, duckdbType } from '#core/types.ts'
import type { StepContext } from '../batch.ts'
import { rowTextSql } from '../content-hash-sql.ts'
import { duckdbScan, literalPath } from '../delta.ts'
import { stepError } from '../duckdb-error.ts'
import { type Manifest, readManifests } from '../extractors/manifest.ts'
import {
  closeShape,
  inspectRaw,
  rawError,
  rawScanSql,
  type RawShape,
  rowsReadSql,
} from '../extractors/read-raw.ts'
import { finish } from '../finish.ts'
import { openReferences } from '../inputs.ts'
import { emptyOutcome, type Outcome } from '../protocol.ts'
import { EVOLVED, type Evolved, evolve } from '../schema-policy.ts'
import { openTarget, settled, type Target } from '../target.ts'
import { idle } from '../transform.ts'
import type { WrittenFile } from '../writers/parquet.ts'

/** Columns that bronze adds; their values come from the batch and the reader, not from the source. */
const AUDIT = ['_batch_id', '_source_file', '_ingested_at', '_row_id', '_rescued_data', '_source']

/** @throws what the reader, a rule or the commit fails with */
export async function runBronze(context: StepContext, step: BronzeStep): Promise<Outcome> {
  const target = await openTarget(context, step)
  const done = await settled(context, target)
  if (done !== null) return done
  const { root, plan, session } = context
  const raw =
    plan.steps.find((found): found is RawStep => found.zone === 'raw' && found.key === step.raw) ??
    fail('not_found', { kind: 'step', name: step.raw })
  const waiting = await readManifests(root, raw.source.name, raw.name, {
    ...(target.last_seq < 0 ? {} : { after: String(target.last_seq) }),
    before: String(target.seq + 1),
  })
  // What replaces a table is the newest state alone.
  const manifests = step.write === 'replace' ? waiting.slice(-1) : waiting
  if (manifests.length === 0 && target.snapshot !== null) return idle(target, {})

  const options = rawOptions(raw.source.kind, raw.format, raw.options)
  const { connection } = session
  const shape = await inspectRaw(
    connection,
    { root, source: raw.source.name, raw: { name: raw.name, format: raw.format, options } },
    manifests,
  )
  try {
    return await loadShape(context, step, raw, target, manifests, shape)
  } finally {
    await closeShape(shape)
  }
}

async function loadShape(
  context: StepContext,
  step: BronzeStep,
  raw: RawStep,
  target: Target,
  manifests: Manifest[],
  shape: RawShape,
): Promise<Outcome> {
  const schema = await evolve(context, step, raw, target.snapshot, shape)
  if (schema.refused) {
    const changes = schema.changes.map(({ kind, column }) => `${column} ${kind}`).join(', ')
    const error = new LakeForgeError('schema_frozen', { table: step.target, changes })
    return {
      ...emptyOutcome('failed'),
      schema_changes: schema.changes,
      error: stepError(error),
    }
  }
  try {
    return await load(context, step, raw, target, manifests, schema, rawScanSql(shape, schema.read))
  } catch (error) {
    const files = shape.groups.flatMap((group) => group.files)
    throw rawError(
      error instanceof LakeForgeError && error.cause !== undefined ? error.cause : error,
      files,
    )
  }
}

async function load(
  context: StepContext,
  step: BronzeStep,
  raw: RawStep,
  target: Target,
  manifests: Manifest[],
  schema: Evolved,
  scan: string,
): Promise<Outcome> {
  const { session, input } = context
  const policies = new Map(step.column_policies.map(({ column, policy }) => [column, policy]))
  const given: Record<string, string> = {
    _batch_id: literalDuckdb(input.batch_id),
    _ingested_at: literalDuckdb(input.batch_time),
    _source: literalDuckdb(step.source_tag ?? ''),
  }
  const mine: (Column & { source_name?: string })[] = [...step.columns, ...schema.added]
  const list = mine.map(({ name, type, ...column }) => {
    const value = AUDIT.includes(name)
      ? (given[name] ?? quoteDuckdb(name))
      : protect(policies.get(sourceOf(column, name)), quoteDuckdb(sourceOf(column, name)))
    return `cast(${value} as ${duckdbType(type)}) as ${quoteDuckdb(name)}`
  })
  // What other configs of a fan-in bring, and what was pinned once: the table keeps it, empty in these rows.
  const names = new Set(mine.map(({ name }) => name.toLowerCase()))
  const others = (target.snapshot?.columns ?? []).filter(
    ({ name }) => !names.has(name.toLowerCase()),
  )
  for (const { name, type } of others)
    list.push(`cast(null as ${duckdbType(type)}) as ${quoteDuckdb(name)}`)
  const columns: Column[] = [...mine, ...others].map(({ name, type }) => ({
    name,
    type,
    nullable: true,
  }))
  const select = `select ${list.join(', ')} from (${scan})`
  const again =
    raw.cursor?.lag_s != null && target.snapshot !== null && manifests.some((m) => m.cursor)
  // Text is parsed anew by every pass: where there will be several, the rows are kept.
  const parsed = ['csv', 'tsv', 'json', 'ndjson'].includes(raw.format ?? '')
  const keep = again || (step.rules.length > 0 && parsed)
  const bytes_read = manifests.flatMap((m) => m.files).reduce((sum, file) => sum + file.size, 0)
  context.reads_bytes = parsed ? bytes_read : null
  await session.run(`create ${keep ? 'table' : 'view'} __rows as ${select}`)
  // Without rules every row that is read is written, with the number that the reader gave it.
  const rows_read =
    parsed && !keep
      ? async (adds: readonly WrittenFile[]) =>
          adds.length === 0 ? 0 : await readIn(context, target, adds)
      : Number((await session.row('select count(*) as read from __rows')).read)
  const fresh = again ? await withoutKnown(context, target, columns) : { rows: '__rows', known: 0 }
  const inputs: Record<string, number> = {}
  return await finish(context, step, target, {
    rows: fresh.rows,
    columns,
    load_type: step.write,
    keys: [],
    dedupe: false,
    has_delete: false,
    has_sequence: false,
    sequence_type: null,
    sequence_column: null,
    references: await openReferences(context, step, target, inputs),
    inputs,
    manifests: manifests.map((manifest) => manifest.seq),
    schema_changes: schema.changes,
    warnings: nullCursors(manifests),
    properties: schema.evolved === null ? {} : { [`${EVOLVED}${step.config_id}`]: schema.evolved },
    rows_read,
    counts: {
      rows_deduplicated: fresh.known,
      bytes_read,
    },
  })
}

async function readIn(
  { session }: StepContext,
  { dir }: Target,
  files: readonly WrittenFile[],
): Promise<number> {
  const paths = files.map((file) => literalPath(`${resolve(dir)}/${file.path}`))
  const rows = `read_parquet([${paths.join(', ')}], hive_partitioning = false)`
  return Number((await session.row(rowsReadSql(rows))).read)
}

function sourceOf(column: Partial<PlanColumn>, name: string): string {
  return column.source_name ?? name
}

/** A masked value is gone for good, a hashed one can still be compared. NULL stays NULL: that something is missing is no secret. */
function protect(policy: string | undefined, value: string): string {
  if (policy === 'mask') return `case when ${value} is not null then '***' end`
  return policy === 'hash' ? `sha256(${value})` : value
}

/**
 * Rows that a lag made the source give again: equal in every column of the source to a row that is in the table, or that
 * came twice in this batch.
 */
async function withoutKnown(
  { session }: StepContext,
  target: Target,
  columns: readonly Column[],
): Promise<{ rows: string; known: number }> {
  const text = rowTextSql(columns.filter(({ name }) => !AUDIT.includes(name)))
  const there = new Set(target.snapshot!.columns.map((column) => column.name))
  const filled = columns.map(({ name, type }) =>
    there.has(name)
      ? quoteDuckdb(name)
      : `cast(null as ${duckdbType(type)}) as ${quoteDuckdb(name)}`,
  )
  await session.run(
    `create table __marked as select *, md5(${text}) as __text,
      row_number() over (partition by md5(${text}) order by _row_id) > 1 as __twice from __rows`,
  )
  await session.run(
    `create table __known as select distinct md5(${text}) as __text
      from (select ${filled.join(', ')} from ${duckdbScan(target.snapshot!)}) semi join __marked on md5(${text}) = __marked.__text`,
  )
  const known = `(__twice or exists (select 1 from __known k where k.__text = m.__text))`
  const { rows } = await session.row(`select count(*) filter (${known}) as rows from __marked m`)
  return {
    rows: `(select * exclude (__text, __twice) from __marked m where not ${known})`,
    known: Number(rows),
  }
}

function nullCursors(manifests: readonly Manifest[]): string[] {
  const rows = manifests.reduce((sum, { cursor }) => sum + (cursor?.null_rows ?? 0), 0)
  return rows === 0 ? [] : [`${rows} rows of the source have no cursor value and were not read.`]
}
