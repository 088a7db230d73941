// Looking into a source: test, discover, preview; and onboarding: from what was found to tables in all zones, in one call.
import { Hono } from 'hono'
import { describeRoute } from 'hono-openapi'
import * as v from 'valibot'
import { BronzeConfigCreate } from '#core/bronze-config.ts'
import { fail, LakeForgeError } from '#core/errors.ts'
import { columnName, columnNames, name, tableName } from '#core/fields.ts'
import { GroupCreate } from '#core/group.ts'
import { uuidv7 } from '#core/id.ts'
import { RawConfigCreate } from '#core/raw-config.ts'
import { SilverConfigCreate } from '#core/silver-config.ts'
import type { Source } from '#core/source.ts'
import type { DiscoveredObject, RawObject, SourceDoor, TestStep } from '#engine/source.ts'
import { allowing } from '#sql/db.ts'
import type { Tx } from '#sql/db.ts'
import { discovered } from './discovery.ts'
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
  schema_policy: v.optional(v.picklist(['evolve', 'freeze', 'rescue', 'approve'])),
  bronze: v.optional(tableName),
  silver: v.optional(v.nullable(tableName)),
})

const Onboarding = v.strictObject({
  group_id: v.optional(v.pipe(v.string(), v.uuid('Give an id: a uuid.'))),
  /** Made in the same transaction, instead of `group_id`. */
  new_group: v.optional(name),
  /** Schemas of the tables that are made. */
  bronze_schema: v.optional(name, 'bronze'),
  silver_schema: v.optional(name, 'silver'),
  tables: v.pipe(
    v.array(OnboardTable),
    v.minLength(1, 'At least one table.'),
    v.maxLength(5000, 'At most 5000 tables.'),
  ),
})
const OnboardBody = v.pipe(
  Onboarding,
  v.check(
    ({ group_id, new_group }) => (group_id === undefined) !== (new_group === undefined),
    'Give group_id, or new_group.',
  ),
)

const DryRun = v.object({ dry_run: v.optional(v.picklist(['true', 'false'])) })
const DiscoverQuery = v.object({ fresh: v.optional(v.picklist(['true', 'false'])) })
const tags = ['sources']
/** All rows in one transaction: thousands of tables take longer than a transaction usually may. */
const WRITE_MS = 120_000

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
      summary:
        'What a source has: tables or files, columns with types, sizes; as it was found some minutes ago unless fresh',
    }),
    validate('query', DiscoverQuery),
    async (c) => {
      need(c, 'editor')
      const fresh = c.req.valid('query').fresh === 'true'
      const { objects, discovered_at } = await discovered(door(c), await sourceOf(c), fresh)
      return c.json({ items: objects, discovered_at, next: null })
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
      const { objects } = await discovered(door(c), source)
      const by_object = new Map(objects.map((each) => [each.object, each]))
      const dry_run = c.req.valid('query').dry_run === 'true'
      const made = await allowing(WRITE_MS, () =>
        write(c, dry_run, async (tx) => {
          const group_id =
            body.group_id ??
            (await insert(tx, 'source_group', parse(GroupCreate, { name: body.new_group })))
          const tables = []
          for (const [index, table] of body.tables.entries()) {
            try {
              const object =
                by_object.get(table.object) ??
                fail('object_unknown', { object: table.object, source: source.name })
              if (object.problem)
                fail(
                  'object_unreadable',
                  { object: table.object, reason: object.problem.message },
                  { hint: object.problem.hint },
                )
              const wish = { ...body, group_id }
              tables.push(await onboard(c, tx, source, object, table, wish))
            } catch (error) {
              throw ofTable(error, index, table.object)
            }
          }
          return { group_id, tables }
        }),
      )
      return c.json(made, 201)
    },
  )

/** The same refusal, with the table that it is about: the form shows it there. */
function ofTable(error: unknown, index: number, object: string): unknown {
  const path = `tables.${index}`
  if (error instanceof LakeForgeError) {
    const errors =
      error.errors.length > 0
        ? error.errors.map((each) => ({ ...each, path: `${path}.${each.path}` }))
        : [{ path, message: error.message }]
    return new LakeForgeError(error.code, error.detail, { hint: error.hint, cause: error, errors })
  }
  const { code, table_name, constraint_name } = error as Record<string, string | undefined>
  if (code !== '23505') return error
  const kind = (table_name ?? 'table').replaceAll('_', ' ')
  return new LakeForgeError(
    'already_exists',
    { kind, constraint: constraint_name ?? '' },
    { cause: error, errors: [{ path, message: `There is already such a ${kind}: ${object}.` }] },
  )
}

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
  body: v.InferOutput<typeof OnboardBody> & { group_id: string },
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
  const { objects } = await discovered(door(c), source)
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
