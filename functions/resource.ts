// What every configured thing can: be listed, read, made, changed and deleted, each also as a dry run. A resource's own file
// says what is particular about it.
import { Hono } from 'hono'
import { describeRoute } from 'hono-openapi'
import * as v from 'valibot'
import { fail } from '#core/errors.ts'
import { patched } from '#core/fields.ts'
import { uuidv7 } from '#core/id.ts'
import { actAs } from '#sql/actor.ts'
import type { Sql, Tx } from '#sql/db.ts'
import {
  decodeCursor,
  encodeCursor,
  ifMatch,
  need,
  PageQuery,
  parse,
  validate,
  writer,
} from './request.ts'
import type { Ctx, Env, Role } from './request.ts'

/** The columns that every configured thing has beside its own. */
export type Configured = { id: string; name: string; version: number; updated_at: Date }

type Options<Row, Create extends v.GenericSchema, Patch extends v.GenericSchema> = {
  /** Table of schema config, e.g. `source_group`. */
  table: string
  /** The word for it in errors and documentation, e.g. `group`. */
  kind: string
  create: Create
  patch: Patch
  /** Columns that a list can be filtered by, `?kind=files`; ids and words alone. */
  filters?: readonly string[]
  /** Further filters, as conditions that begin with `and`: of what is no word of the row itself. */
  conditions?: Record<string, (sql: Sql, value: string) => ReturnType<Sql>>
  /** Role that writes; reading needs viewer. */
  role?: Role
  /** The group that a row belongs to, for roles that hold for one group alone. */
  group?: (row: v.InferOutput<Create>) => string | undefined
  /** Looks at the whole row before it is written, and answers what is derived from it (types from SQL). Throws to refuse. */
  derive?: (c: Ctx, row: v.InferOutput<Create>, id: string) => Promise<Record<string, unknown>>
  /** After the row is written, in the same transaction: what follows from it elsewhere. `before` is null for a new row. */
  after?: (c: Ctx, tx: Tx, row: Row, before: Row | null) => Promise<void>
  /** Columns that an answer leaves out. */
  hidden?: readonly string[]
}

const SORTS = ['name', '-name', 'created_at', '-created_at', 'updated_at', '-updated_at'] as const
const DryRun = v.object({ dry_run: v.optional(v.picklist(['true', 'false'])) })

/** Thrown inside a transaction to take it back after its result is known. */
class DryRunDone {
  answer: unknown
  constructor(answer: unknown) {
    this.answer = answer
  }
}

/**
 * Runs a write in one transaction with the actor set for the audit; as a dry run everything happens, constraints included, and
 * is taken back.
 */
export async function write<Answer>(
  c: Ctx,
  dry_run: boolean,
  work: (tx: Tx) => Promise<Answer>,
): Promise<Answer> {
  try {
    return (await c.var.sql.begin(async (tx) => {
      await actAs(tx, writer(c))
      const answer = await work(tx)
      if (dry_run) {
        // Constraints that wait for the commit must speak in a dry run too
        await tx`set constraints all immediate`
        throw new DryRunDone(answer)
      }
      return answer
    })) as Answer
  } catch (error) {
    if (error instanceof DryRunDone) return error.answer as Answer
    throw error
  }
}

export function resource<
  Row extends Configured,
  Create extends v.GenericSchema<unknown, Record<string, unknown>>,
  Patch extends v.GenericSchema<unknown, Record<string, unknown>>,
>(options: Options<Row, Create, Patch>) {
  const { table, kind, filters = [], conditions = {}, role = 'editor', hidden = [] } = options
  const ListQuery = v.object({
    ...PageQuery,
    sort: v.optional(v.picklist(SORTS)),
    q: v.optional(v.pipe(v.string(), v.maxLength(200))),
    tag: v.optional(v.pipe(v.string(), v.maxLength(200))),
    ...Object.fromEntries(
      [...filters, ...Object.keys(conditions)].map((name) => [
        name,
        v.optional(v.pipe(v.string(), v.maxLength(300))),
      ]),
    ),
  })
  const tags = [`${kind}s`]
  const left = new Set(['sort_key', ...hidden])
  const shown = (row: Row): Row =>
    Object.fromEntries(Object.entries(row).filter(([name]) => !left.has(name))) as Row

  const find = async (db: Sql | Tx, id: string): Promise<Row> => {
    const [row] = await db<Row[]>`select * from config.${db(table)} where id = ${id}`
    return row ?? fail('not_found', { kind, name: id })
  }

  return new Hono<Env>()
    .get(
      '/',
      describeRoute({ tags, summary: `List ${kind}s` }),
      validate('query', ListQuery),
      async (c) => {
        need(c, 'viewer')
        const sql = c.var.sql
        const query = c.req.valid('query') as v.InferOutput<typeof ListQuery> &
          Record<string, string | undefined>
        const limit = (query.limit as number | undefined) ?? 50
        const order = query.sort ?? 'name'
        const descending = order.startsWith('-')
        const column = order.replace('-', '')
        const cursor = decodeCursor(query.after, 2)
        const named = Object.entries(conditions).filter(([name]) => query[name] !== undefined)
        const matches = sql`
        ${query.q ? sql`and (name ilike ${`%${escapeLike(query.q)}%`} or description ilike ${`%${escapeLike(query.q)}%`})` : sql``}
        ${query.tag ? sql`and ${query.tag} = any (tags)` : sql``}
        ${filters.map((name) => (query[name] === undefined ? sql`` : matching(sql, name, query[name])))}
        ${named.length > 0 ? named.map(([name, of]) => of(sql, query[name]!)) : sql``}
      `
        const include = (query.include ?? '').split(',')
        const used = include.includes('used')
          ? sql`, (select count(*)::integer from config.dependants(${table}, ${sql(table)}.id)) as used_by`
          : sql``
        const rows = await sql<(Row & { sort_key: string })[]>`
        select *, ${sql(column)}::text as sort_key ${used}
        from config.${sql(table)}
        where true ${matches}
        ${
          cursor === null
            ? sql``
            : column === 'name'
              ? sql`and (name, id) ${descending ? sql`<` : sql`>`} (${cursor[0]!}, ${cursor[1]!}::uuid)`
              : sql`and (${sql(column)}, id) ${descending ? sql`<` : sql`>`} (${cursor[0]!}::timestamptz, ${cursor[1]!}::uuid)`
        }
        order by ${sql(column)} ${descending ? sql`desc` : sql``}, id ${descending ? sql`desc` : sql``}
        limit ${limit + 1}
      `
        const page = rows.slice(0, limit)
        const last = rows.length > limit ? page.at(-1) : undefined
        const items = page.map(shown)
        const [total] = include.includes('total')
          ? await sql<
              { count: number }[]
            >`select count(*)::integer as count from config.${sql(table)} where true ${matches}`
          : []
        const facets = include.includes('facets')
          ? Object.fromEntries(
              await Promise.all(
                filters.map(async (name) => [
                  name,
                  await sql<{ value: string | null; count: number }[]>`
                  select ${sql(name)}::text as value, count(*)::integer as count
                  from config.${sql(table)} group by 1 order by 2 desc, 1 limit 100
                `,
                ]),
              ),
            )
          : undefined
        return c.json({
          items,
          next: last ? encodeCursor([last.sort_key, last.id]) : null,
          ...(total && { total: total.count }),
          ...(facets && {
            facets: facets as Record<string, { value: string | null; count: number }[]>,
          }),
        })
      },
    )
    .post(
      '/',
      describeRoute({ tags, summary: `Create a ${kind}` }),
      validate('query', DryRun),
      validate('json', options.create),
      async (c) => {
        const input = c.req.valid('json') as v.InferOutput<Create>
        need(c, role, options.group?.(input))
        const id = uuidv7()
        const derived = options.derive ? await options.derive(c, input, id) : {}
        const row = await write(c, c.req.valid('query').dry_run === 'true', async (tx) => {
          const [made] = await tx<Row[]>`
            insert into config.${tx(table)} ${tx({ ...input, ...derived, id } as Record<string, unknown>)} returning *
          `
          await options.after?.(c, tx, made!, null)
          return made!
        })
        c.header('etag', `"${row.version}"`)
        c.header('location', `${c.req.path}/${row.id}`)
        return c.json(shown(row), 201)
      },
    )
    .get('/:id', describeRoute({ tags, summary: `Get a ${kind}` }), async (c) => {
      need(c, 'viewer')
      const row = await find(c.var.sql, c.req.param('id'))
      c.header('etag', `"${row.version}"`)
      return c.json(shown(row))
    })
    .patch(
      '/:id',
      describeRoute({
        tags,
        summary: `Change a ${kind}; send If-Match with the version that you read`,
      }),
      validate('query', DryRun),
      validate('json', options.patch),
      async (c) => {
        const id = c.req.param('id')
        const patch = c.req.valid('json') as Record<string, unknown>
        const expected = ifMatch(c)
        const before = await find(c.var.sql, id)
        need(c, role, options.group?.(before as unknown as v.InferOutput<Create>))
        // Rules that span fields look at the row as it will be
        const whole = parse(options.create, patched(options.create as never, before, patch))
        need(c, role, options.group?.(whole))
        const derived = options.derive ? await options.derive(c, whole, id) : {}
        const change: Record<string, unknown> = { ...patch, ...derived }
        const row = await write(c, c.req.valid('query').dry_run === 'true', async (tx) => {
          if (Object.keys(change).length === 0) return before
          // What was checked is what was read: another writer in between is a conflict even without If-Match
          const [changed] = await tx<Row[]>`
            update config.${tx(table)} set ${tx(change)}
            where id = ${id} and version = ${expected ?? before.version}
            returning *
          `
          if (changed) {
            await options.after?.(c, tx, changed, before)
            return changed
          }
          await find(tx, id)
          return fail('version_conflict', { kind })
        })
        c.header('etag', `"${row.version}"`)
        return c.json(shown(row))
      },
    )
    .delete(
      '/:id',
      describeRoute({
        tags,
        summary: `Delete a ${kind}; refused with the list of what depends on it`,
      }),
      validate('query', DryRun),
      async (c) => {
        const id = c.req.param('id')
        const expected = ifMatch(c)
        const before = await find(c.var.sql, id)
        need(c, role, options.group?.(before as unknown as v.InferOutput<Create>))
        await write(c, c.req.valid('query').dry_run === 'true', async (tx) => {
          const dependants = await tx<{ table_name: string; id: string; name: string }[]>`
            select * from config.dependants(${table}, ${id})
          `
          if (dependants.length > 0)
            fail('in_use', {
              kind,
              name: before.name,
              count: dependants.length,
              first: dependants
                .slice(0, 5)
                .map((each) => `${each.table_name.replaceAll('_', ' ')} ${each.name}`)
                .join(', '),
              dependants,
            })
          const gone = await tx`
            delete from config.${tx(table)}
            where id = ${id} ${expected === null ? tx`` : tx`and version = ${expected}`}
            returning id
          `
          if (gone.length === 0) fail('version_conflict', { kind })
        })
        return c.body(null, 204)
      },
    )
    .get(
      '/:id/dependants',
      describeRoute({ tags, summary: `What depends on a ${kind}` }),
      async (c) => {
        need(c, 'viewer')
        const { id } = await find(c.var.sql, c.req.param('id'))
        const items = await c.var.sql<{ table_name: string; id: string; name: string }[]>`
        select * from config.dependants(${table}, ${id})
      `
        return c.json({ items, next: null })
      },
    )
}

/** A column's equality in its own type, so that an index can serve it. */
function matching(sql: Sql, name: string, value: string) {
  if (name.endsWith('_id')) return sql`and ${sql(name)} = ${value}::uuid`
  return name === 'paused'
    ? sql`and ${sql(name)} = ${value === 'true'}`
    : sql`and ${sql(name)} = ${value}`
}

function escapeLike(text: string): string {
  return text.replace(/[\\%_]/g, '\\$&')
}
