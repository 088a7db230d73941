// Questions to the tables: one read-only query in Databricks SQL over their current versions, checked and printed by the dialect
// as the SQL of metadata is.
import { Hono } from 'hono'
import { describeRoute } from 'hono-openapi'
import * as v from 'valibot'
import { fail, LakeForgeError } from '#core/errors.ts'
import { sqlText } from '#core/fields.ts'
import { didYouMean } from '#core/nearest.ts'
import { ERRORS_COLUMN, type PlanColumn } from '#core/plan.ts'
import type { QueryResult } from '#engine/engine.ts'
import type { Db } from '#sql/db.ts'
import { need, validate } from './request.ts'
import type { Ctx, Env } from './request.ts'
import { tableColumns, tablesNamed } from './sql-check.ts'
import { environmentName, hiddenColumns } from './tables.ts'

const SqlBody = v.strictObject({
  sql: sqlText,
  environment: v.optional(v.pipe(v.string(), v.maxLength(100))),
  limit: v.optional(
    v.pipe(
      v.number(),
      v.integer('A whole number.'),
      v.minValue(1, 'At least 1.'),
      v.maxValue(100_000, 'At most 100 000.'),
    ),
    1000,
  ),
})
const QUERY_MS = 5 * 60_000

export const sql = new Hono<Env>()
  .post(
    '/',
    describeRoute({
      tags: ['sql'],
      summary: 'Rows of a query over the current versions of tables; CSV with Accept: text/csv',
    }),
    validate('json', SqlBody),
    async (c) => {
      need(c, 'viewer')
      const result = await answer(c, c.req.valid('json'))
      if (!c.req.header('accept')?.includes('text/csv')) return c.json(result)
      c.header('content-type', 'text/csv; charset=utf-8')
      return c.body(csv(result))
    },
  )
  .get(
    '/functions',
    describeRoute({
      tags: ['sql'],
      summary: 'Every function that SQL may call, for completion and help',
    }),
    async (c) => {
      need(c, 'viewer')
      const { FUNCTIONS } = await (c.var.deps.dialect ?? fail('sql_check_unavailable'))()
      return c.json({ items: FUNCTIONS, next: null })
    },
  )

async function answer(c: Ctx, body: v.InferOutput<typeof SqlBody>): Promise<QueryResult> {
  const engine = c.var.deps.engines.local ?? fail('engine_unavailable', { what: 'reading tables' })
  const door = c.var.deps.dialect ?? fail('sql_check_unavailable')
  const environment = await environmentName(c.var.sql, body.environment)
  const columns = await readable(c.var.sql, tablesNamed(body.sql))
  const hidden = new Map<string, Set<string>>()
  for (const table of columns.keys()) {
    hidden.set(table, await hiddenColumns(c, table.replace(QUARANTINE, '')))
  }
  const relations = [...columns].map(([name, list]) => ({
    name,
    // A mask is text, whatever stands behind it
    columns: list.map((column) =>
      hidden.get(name)!.has(column.name) ? { ...column, type: 'string' } : column,
    ),
  }))
  const { analyzeQuery } = await door()
  const found = await analyzeQuery(body.sql, relations).catch(async (error: unknown) => {
    if (!(error instanceof LakeForgeError) || error.code !== 'table_unknown') throw error
    const known = await c.var.sql<{ name: string }[]>`select name from config.target order by name`
    const names = known.map((row) => row.name)
    const near = didYouMean(String(error.detail.table), names).trim()
    const list = names.length === 0 ? 'There are none yet.' : `There are: ${some(names)}.`
    return fail('table_unknown', error.detail, { hint: near || list, cause: error })
  })
  const result = await engine.query({
    environment,
    sql: found.duckdb,
    tables: found.inputs.map((table) => ({
      table,
      version: null,
      masked: [...(hidden.get(table) ?? [])],
    })),
    limit: body.limit,
    timeout_ms: QUERY_MS,
  })
  // Types as the metadata's language has them, not the engine's
  const types = new Map(found.columns.map((column) => [column.name, column.type]))
  return {
    ...result,
    columns: result.columns.map(({ name, type }) => ({ name, type: types.get(name) ?? type })),
  }
}

const QUARANTINE = /_quarantine$/

/** The columns of these tables; of `<table>_quarantine`, the table's own and what its rows failed. */
async function readable(db: Db, names: readonly string[]): Promise<Map<string, PlanColumn[]>> {
  const columns = await tableColumns(db, names)
  const guarded = names.filter((name) => QUARANTINE.test(name) && !columns.has(name))
  const bases = await tableColumns(
    db,
    guarded.map((name) => name.replace(QUARANTINE, '')),
  )
  for (const [base, list] of bases) columns.set(`${base}_quarantine`, [...list, ERRORS_COLUMN])
  return columns
}

function some(names: readonly string[]): string {
  const most = 20
  return names.length <= most
    ? names.join(', ')
    : `${names.slice(0, most).join(', ')} and ${names.length - most} more`
}

/** RFC 4180, lists and structs as JSON, null as nothing, an empty text as "". */
export function csv(
  { columns, rows }: Pick<QueryResult, 'columns' | 'rows'>,
  line_end = '\r\n',
): string {
  const cell = (value: unknown) => {
    if (value === null || value === undefined) return ''
    const text = typeof value === 'object' ? JSON.stringify(value) : String(value)
    return text === '' || /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
  }
  return [columns.map((column) => column.name), ...rows]
    .map((row) => `${row.map(cell).join(',')}${line_end}`)
    .join('')
}
