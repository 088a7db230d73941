// Tables as people look at them: what there is, rows, quarantined rows, versions, profiles.
import { Hono } from 'hono'
import { describeRoute } from 'hono-openapi'
import * as v from 'valibot'
import { fail } from '#core/errors.ts'
import { literalDuckdb, quoteTableDuckdb, TABLE_NAME } from '#core/names.ts'
import { MASK } from '#engine/engine.ts'
import type { QueryResult } from '#engine/engine.ts'
import type { Db } from '#sql/db.ts'
import { numbers } from './batches.ts'
import {
  PageQuery,
  ROLES,
  decodeCursor,
  encodeCursor,
  need,
  validate,
  wholeNumber,
} from './request.ts'
import type { Ctx, Env } from './request.ts'
import { readTable } from './table-overview.ts'

const word = v.optional(v.pipe(v.string(), v.maxLength(300)))
const ListQuery = v.object({
  ...PageQuery,
  zone: v.optional(v.picklist(['bronze', 'silver', 'gold'])),
  q: word,
  group: word,
})
const RowsQuery = v.object({
  environment: word,
  version: v.optional(wholeNumber(0, 999_999_999)),
  limit: v.optional(wholeNumber(1, 1000)),
})
type Profile = {
  column: string
  rows: number
  nulls: number
  distinct: number | null
  sampled: number
  min: string | null
  max: string | null
  batch_id: string
  created_at: Date
}
type Version = {
  id: string
  batch_id: string
  seq: string
  state: string
  delta_version_before: number | null
  delta_version_after: number | null
  content_hash: string | null
  rows_read: number
  rows_written: number
  rows_inserted: number
  rows_updated: number
  rows_deleted: number
  rows_quarantined: number
  input_versions: Record<string, number> | null
  finished_at: Date
}
const EnvironmentQuery = v.object({ environment: word, ...PageQuery })
const tags = ['tables']
const QUERY_MS = 30_000

export const tables = new Hono<Env>()
  .get(
    '/',
    describeRoute({ tags, summary: 'Every table that some config writes, with its last step' }),
    validate('query', ListQuery),
    async (c) => {
      need(c, 'viewer')
      const sql = c.var.sql
      const { after, limit = 50, zone, q, group } = c.req.valid('query')
      const cursor = decodeCursor(after, 1)
      const rows = await sql<{ name: string }[]>`
      select t.name, t.zone, g.name as "group", s.state, s.batch_id, s.finished_at, s.rows_read, s.rows_written, s.rows_quarantined,
        s.rows_dropped, s.delta_version_after, s.content_hash
      from config.target t
      left join lateral (
        select group_id from config.silver_config where target = t.name
        union all
        select group_id from config.gold_config where target = t.name
        union all
        select r.group_id from config.bronze_config b join config.raw_config r on r.id = b.raw_id where b.target = t.name
        limit 1
      ) own on true
      left join config.source_group g on g.id = own.group_id
      left join lateral (
          select r.* from logging.step_run r join logging.batch_run b on b.id = r.batch_id
          where r.name = t.name and b.replay_of is null order by r.id desc limit 1
        ) s on true
      where ${cursor === null ? sql`true` : sql`t.name > ${cursor[0]!}`}
        ${zone ? sql`and t.zone = ${zone}` : sql``}
        ${q ? sql`and t.name like ${`%${q.replace(/[\\%_]/g, '\\$&')}%`}` : sql``}
        ${group ? sql`and g.name = ${group}` : sql``}
      order by t.name limit ${limit + 1}
    `
      const items = rows.slice(0, limit)
      const last = rows.length > limit ? items.at(-1) : undefined
      return c.json({ items: items.map(numbers), next: last ? encodeCursor([last.name]) : null })
    },
  )
  .get(
    '/:name',
    describeRoute({
      tags,
      summary: 'One table: its columns, configs, where it lies, and its last 30 runs',
    }),
    validate('query', v.object({ environment: word })),
    async (c) => {
      need(c, 'viewer')
      const environment = await environmentOf(c.var.sql, c.req.valid('query').environment)
      const name = tableName(c)
      const { local } = c.var.deps.engines
      const location =
        environment.engine === 'local' ? local?.location?.(environment.name, name) : undefined
      return c.json(await readTable(c.var.sql, name, environment, location ?? null))
    },
  )
  .get(
    '/:name/count',
    describeRoute({ tags, summary: 'How many rows the newest version of a table has' }),
    validate('query', v.object({ environment: word })),
    async (c) => {
      need(c, 'viewer')
      const name = tableName(c)
      const { rows, versions } = await queryTable(
        c,
        name,
        `select count(*) as n from ${quoteTableDuckdb(name)}`,
        c.req.valid('query'),
      )
      return c.json({ rows: Number(rows[0]![0]), version: versions[name]! })
    },
  )
  .get(
    '/:name/preview',
    describeRoute({ tags, summary: 'Some rows of a table, of any version' }),
    validate('query', RowsQuery),
    async (c) => c.json(await rowsOf(c, tableName(c), c.req.valid('query'))),
  )
  .get(
    '/:name/quarantine',
    describeRoute({
      tags,
      summary: 'Rows in quarantine, with the rules that they failed; of one rule or batch if named',
    }),
    validate('query', v.object({ ...RowsQuery.entries, rule: word, batch: word })),
    async (c) => {
      const name = tableName(c)
      const { rule, batch, ...query } = c.req.valid('query')
      const has = (field: string, value: string | undefined) =>
        value === undefined
          ? []
          : [
              `list_contains(list_transform(_errors, lambda e: e.${field}), ${literalDuckdb(value)})`,
            ]
      const where = [...has('rule', rule), ...has('batch_id', batch)].join(' and ')
      try {
        return c.json(await rowsOf(c, `${name}_quarantine`, query, name, where))
      } catch (error) {
        // A quarantine that no row has ever gone to isn't there yet: that is good news, not an error
        if ((error as { code?: string }).code !== 'table_missing') throw error
        return c.json({ columns: [], rows: [], truncated: false, versions: {} })
      }
    },
  )
  .get(
    '/:name/history',
    describeRoute({ tags, summary: 'Batches that changed the table, newest first' }),
    validate('query', EnvironmentQuery),
    async (c) => {
      need(c, 'viewer')
      const sql = c.var.sql
      const { environment, after, limit = 50 } = c.req.valid('query')
      const cursor = decodeCursor(after, 1)
      const rows = await sql<Version[]>`
      select s.id, s.batch_id, b.seq, s.state, s.delta_version_before, s.delta_version_after, s.content_hash, s.rows_read,
        s.rows_written, s.rows_inserted, s.rows_updated, s.rows_deleted, s.rows_quarantined, s.input_versions, s.finished_at
      from logging.step_run s join logging.batch_run b on b.id = s.batch_id
      where s.name = ${tableName(c)}
        and b.environment = ${await environmentName(sql, environment)}
        and b.replay_of is null
        and s.delta_version_after is distinct from s.delta_version_before
        and s.finished_at is not null
        ${cursor === null ? sql`` : sql`and s.id < ${cursor[0]!}::uuid`}
      order by s.id desc limit ${limit + 1}
    `
      const items = rows.slice(0, limit)
      const last = rows.length > limit ? items.at(-1) : undefined
      return c.json({
        items: items.map((row) => numbers(row) as unknown as Version),
        next: last ? encodeCursor([last.id]) : null,
      })
    },
  )
  .get(
    '/:name/profile',
    describeRoute({
      tags,
      summary: 'What each column looked like in the last batch that wrote it',
    }),
    validate('query', EnvironmentQuery),
    async (c) => {
      need(c, 'viewer')
      const name = tableName(c)
      const sql = c.var.sql
      const hidden = await hiddenColumns(c, name)
      const items = await sql<Profile[]>`
      select "column", rows::float8 as rows, nulls::float8 as nulls, "distinct"::float8 as "distinct", sampled::float8 as sampled,
        min, max, batch_id, created_at
      from logging.column_profile
      where step_id = (
        select p.step_id from logging.column_profile p
        join logging.batch_run b on b.id = p.batch_id
        where p.target = ${name} and b.environment = ${await environmentName(sql, c.req.valid('query').environment)}
        order by p.batch_id desc, p.step_id desc limit 1
      )
      order by "column"
    `
      return c.json({
        items: items.map((item) =>
          hidden.has(item.column)
            ? { ...item, min: item.min && MASK, max: item.max && MASK }
            : item,
        ),
        next: null,
      })
    },
  )

async function rowsOf(
  c: Ctx,
  name: string,
  query: v.InferOutput<typeof RowsQuery>,
  policiesOf = name,
  where = '',
): Promise<QueryResult> {
  need(c, 'viewer')
  const rows = `select * from ${quoteTableDuckdb(name)}${where && ` where ${where}`}`
  const result = await queryTable(c, name, rows, query)
  return masked(result, await hiddenColumns(c, policiesOf))
}

async function queryTable(
  c: Ctx,
  table: string,
  sql: string,
  query: {
    environment?: string | undefined
    version?: number | undefined
    limit?: number | undefined
  },
): Promise<QueryResult> {
  const engine = c.var.deps.engines.local ?? fail('engine_unavailable', { what: 'reading tables' })
  return engine.query({
    environment: await environmentName(c.var.sql, query.environment),
    sql,
    tables: [{ table, version: query.version ?? null }],
    limit: query.limit ?? 50,
    timeout_ms: QUERY_MS,
  })
}

/** The same result with the values of these columns masked; nulls stay nulls. */
export function masked(result: QueryResult, hidden: ReadonlySet<string>): QueryResult {
  const at = result.columns.map((column) => hidden.has(column.name))
  if (!at.includes(true)) return result
  return {
    ...result,
    rows: result.rows.map((row) =>
      row.map((value, index) => (at[index] && value !== null ? MASK : value)),
    ),
  }
}

/** Columns of a table tagged as personal, unless the role may see them. */
export async function hiddenColumns(c: Ctx, table: string): Promise<Set<string>> {
  if (ROLES.indexOf(c.var.actor.role) >= ROLES.indexOf('admin')) return new Set()
  const rows = await c.var.sql<{ name: string }[]>`
    select coalesce(policy ->> 'rename', policy ->> 'column') as name
    from (
      select column_policies from config.bronze_config where target = ${table}
      union all
      select column_policies from config.silver_config where target = ${table}
      union all
      select column_policies from config.gold_config where target = ${table}
    ) own, jsonb_array_elements(own.column_policies) as policy
    where (policy ->> 'pii')::boolean
  `
  return new Set(rows.map((row) => row.name))
}

/** @throws environment_unknown */
export async function environmentName(sql: Db, name: string | undefined): Promise<string> {
  return (await environmentOf(sql, name)).name
}

/** The environment of that name, the default one without a name. @throws environment_unknown */
export async function environmentOf(
  sql: Db,
  name: string | undefined,
): Promise<{ id: string; name: string; engine: string }> {
  const [row] = await sql<{ id: string; name: string; engine: string }[]>`
    select id, name, engine from config.environment
    where ${name === undefined ? sql`is_default` : sql`name = ${name}`}
  `
  return row ?? fail('environment_unknown', { name: name ?? '(default)' })
}

function tableName(c: Ctx): string {
  const name = c.req.param('name') ?? ''
  return TABLE_NAME.test(name) ? name : fail('name_invalid', { name: name.slice(0, 200) })
}
