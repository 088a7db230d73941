// Looking into a source: test, discover, preview; and onboarding: from what was found to tables in all zones, in one call.
import { Hono } from 'hono'
import { describeRoute } from 'hono-openapi'
import * as v from 'valibot'
import { BronzeConfigCreate } from '#core/bronze-config.ts'
import { fail } from '#core/errors.ts'
import { columnName, columnNames, name, tableName } from '#core/fields.ts'
import { uuidv7 } from '#core/id.ts'
import { RawConfigCreate } from '#core/raw-config.ts'
import { SilverConfigCreate } from '#core/silver-config.ts'
import type { Source } from '#core/source.ts'
import type { DiscoveredObject, RawObject, SourceDoor, TestStep } from '#engine/source.ts'
import type { Tx } from '#sql/db.ts'
import { need, parse, validate } from './request.ts'
import type { Ctx, Env } from './request.ts'
import { write } from './resource.ts'
import { checkRaw, checkSilver } from './sql-check.ts'

const PreviewBody = v.strictObject({
  object: v.pipe(
    v.string(),
    v.minLength(1, 'Say what to look at.'),
    v.maxLength(10_000, 'At most 10 000 characters.'),
  ),
  limit: v.optional(
    v.pipe(
      v.number(),
      v.integer('A whole number.'),
      v.minValue(1, 'At least 1.'),
      v.maxValue(1000, 'At most 1000.'),
    ),
    50,
  ),
})

const OnboardTable = v.strictObject({
  /** As discover answered it. */
  object: v.pipe(v.string(), v.minLength(1, 'Say which object.')),
  name: v.optional(name),
  keys: v.optional(columnNames),
  cursor: v.optional(v.nullable(columnName)),
  read_mode: v.optional(v.picklist(['full', 'incremental', 'files'])),
  load_type: v.optional(v.picklist(['append', 'replace', 'merge', 'scd2'])),
  sequence_by: v.optional(v.nullable(v.string())),
  schema_policy: v.optional(v.picklist(['evolve', 'freeze', 'rescue'])),
  bronze: v.optional(tableName),
  silver: v.optional(v.nullable(tableName)),
})

const OnboardBody = v.strictObject({
  group_id: v.pipe(v.string(), v.uuid('Give an id: a uuid.')),
  /** Schemas of the tables that are made. */
  bronze_schema: v.optional(name, 'bronze'),
  silver_schema: v.optional(name, 'silver'),
  tables: v.pipe(
    v.array(OnboardTable),
    v.minLength(1, 'At least one table.'),
    v.maxLength(5000, 'At most 5000 tables.'),
  ),
})

const DryRun = v.object({ dry_run: v.optional(v.picklist(['true', 'false'])) })
const tags = ['sources']

export const sourceDoors = new Hono<Env>()
  .post(
    '/:id/test',
    describeRoute({ tags, summary: 'Test a source in named steps' }),
    async (c) => {
      need(c, 'editor')
      const source = await sourceOf(c)
      const steps: TestStep[] = []
      for await (const step of door(c).test(source)) steps.push(step)
      return c.json({ ok: steps.every((step) => step.state === 'ok'), steps })
    },
  )
  .post(
    '/:id/discover',
    describeRoute({
      tags,
      summary: 'What a source has: tables or files, columns with types, sizes',
    }),
    async (c) => {
      need(c, 'editor')
      return c.json({ items: await door(c).discover(await sourceOf(c)), next: null })
    },
  )
  .post(
    '/:id/preview',
    describeRoute({ tags, summary: 'Some rows of an object, and a profile of its columns' }),
    validate('json', PreviewBody),
    async (c) => {
      need(c, 'editor')
      const { object, limit } = c.req.valid('json')
      const source = await sourceOf(c)
      return c.json(
        await door(c).preview(source, asRead(source, await found(c, source, object)), limit),
      )
    },
  )
  .post(
    '/:id/onboard',
    describeRoute({ tags, summary: 'Register tables of a source through all zones' }),
    validate('query', DryRun),
    validate('json', OnboardBody),
    async (c) => {
      const body = c.req.valid('json')
      need(c, 'editor', body.group_id)
      const source = await sourceOf(c)
      const objects = new Map((await door(c).discover(source)).map((each) => [each.object, each]))
      const made = await write(c, c.req.valid('query').dry_run === 'true', async (tx) => {
        const tables = []
        for (const table of body.tables) {
          const object =
            objects.get(table.object) ??
            fail('object_unknown', { object: table.object, source: source.name })
          if (object.problem)
            fail(
              'object_unreadable',
              { object: table.object, reason: object.problem.message },
              { hint: object.problem.hint },
            )
          tables.push(await onboard(c, tx, source, object, table, body))
        }
        return tables
      })
      return c.json({ tables: made }, 201)
    },
  )

/**
 * Raw, bronze and silver of one object. What is read whole each time replaces its tables; what comes piece by piece is appended
 * in bronze, and merged in silver where keys are known.
 */
async function onboard(
  c: Ctx,
  tx: Tx,
  source: Source,
  object: DiscoveredObject,
  table: v.InferOutput<typeof OnboardTable>,
  body: v.InferOutput<typeof OnboardBody>,
): Promise<{
  object: string
  raw_id: string
  bronze: string
  silver: string | null
  load_type: string | null
  columns: number
}> {
  const own = table.name ?? object.name
  const keys = table.keys ?? object.keys
  const cursor =
    table.cursor === undefined
      ? keys.length > 0
        ? (object.cursor_candidates[0] ?? null)
        : null
      : table.cursor
  const read_mode =
    table.read_mode ??
    (source.kind === 'files' ? 'files' : cursor === null ? 'full' : 'incremental')
  const whole = read_mode === 'full'
  const load_type = table.load_type ?? (whole ? 'replace' : keys.length > 0 ? 'merge' : 'append')
  const raw = parse(RawConfigCreate, {
    name: own,
    source_id: source.id,
    group_id: body.group_id,
    object: object.object,
    format: object.format,
    options: object.options,
    columns: object.columns,
    keys,
    read_mode,
    cursor: read_mode === 'incremental' && cursor !== null ? { column: cursor } : null,
  })
  await checkRaw(tx, raw)
  const raw_id = await insert(tx, 'raw_config', raw)
  const bronze = parse(BronzeConfigCreate, {
    raw_id,
    target: table.bronze ?? `${body.bronze_schema}.${own}`,
    write: whole ? 'replace' : 'append',
    schema_policy: table.schema_policy ?? 'evolve',
  })
  await insert(tx, 'bronze_config', bronze)
  const target = table.silver === undefined ? `${body.silver_schema}.${own}` : table.silver
  const answer = {
    object: object.object,
    raw_id,
    bronze: bronze.target,
    columns: object.columns.length,
  }
  if (target === null) return { ...answer, silver: null, load_type: null }
  const sequence_by =
    table.sequence_by === undefined
      ? load_type === 'merge' || load_type === 'scd2'
        ? cursor
        : null
      : table.sequence_by
  const silver = parse(SilverConfigCreate, {
    group_id: body.group_id,
    target,
    from: [bronze.target],
    load_type,
    keys: load_type === 'merge' || load_type === 'scd2' ? keys : [],
    sequence_by,
    dedupe: load_type === 'merge',
  })
  const derived = await checkSilver(tx, c.var.deps.dialect, silver)
  await insert(tx, 'silver_config', { ...silver, ...derived })
  return { ...answer, silver: target, load_type }
}

async function insert(tx: Tx, table: string, row: Record<string, unknown>): Promise<string> {
  const id = uuidv7()
  await tx`insert into config.${tx(table)} ${tx({ ...row, id })}`
  return id
}

async function sourceOf(c: Ctx): Promise<Source> {
  const id = c.req.param('id') ?? ''
  const [source] = await c.var.sql<Source[]>`select * from config.source where id = ${id}`
  return source ?? fail('not_found', { kind: 'source', name: id })
}

async function found(c: Ctx, source: Source, object: string): Promise<DiscoveredObject> {
  const objects = await door(c).discover(source)
  return (
    objects.find((each) => each.object === object) ??
    fail('object_unknown', { object, source: source.name })
  )
}

/** A found object as it would be read whole. */
function asRead(source: Source, object: DiscoveredObject): RawObject {
  const { name: own, object: path, format, options, columns } = object
  const read_mode = source.kind === 'files' ? 'files' : 'full'
  return {
    name: own,
    object: path,
    format,
    options,
    columns,
    read_mode,
    cursor: null,
    chunking: null,
  }
}

function door(c: Ctx): SourceDoor {
  return c.var.deps.sources ?? fail('engine_unavailable', { what: 'looking into sources' })
}
