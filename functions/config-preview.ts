// What a silver or gold config would give, before it is saved: its columns and types as the SQL check derives them, and some rows
// of the newest versions, read apart from the batches and written nowhere.
import * as v from 'valibot'
import { silverQuery } from '#core/build-plan.ts'
import { fail, LakeForgeError } from '#core/errors.ts'
import { field, orElse, sqlText, tableName } from '#core/fields.ts'
import type { GoldConfig } from '#core/gold-config.ts'
import { quoteDuckdb } from '#core/names.ts'
import type { PlanColumn } from '#core/plan.ts'
import { SilverConfigPatch } from '#core/silver-config.ts'
import type { SilverConfig } from '#core/silver-config.ts'
import type { QueryResult } from '#engine/engine.ts'
import type { Ctx } from './request.ts'
import { goldOf, silverOf, tableColumns, tablesNamed } from './sql-check.ts'
import type { ColumnsOf } from './sql-check.ts'
import { environmentName, hiddenColumns } from './tables.ts'

const QUERY_MS = 30_000
/** What a draft doesn't speak of, as a config without it has it. */
const PLAIN = { column_policies: [], cluster_by: [], row_filter: null }

const asked = {
  environment: v.optional(v.pipe(v.string(), v.maxLength(100))),
  /** Rows to answer; none: only the check. */
  limit: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(500)), 50),
}
const { from, joins, select, where, keys, sequence_by, delete_when, column_policies, load_type } =
  SilverConfigPatch.entries

export const SilverPreview = v.strictObject({
  ...asked,
  // A draft needs no name yet
  target: orElse(field(tableName, 'Table'), 'draft.draft'),
  from: v.nonOptional(from),
  joins,
  select,
  where,
  keys,
  sequence_by,
  delete_when,
  column_policies,
  load_type: v.optional(load_type, 'append'),
})
export const GoldPreview = v.strictObject({
  ...asked,
  target: orElse(field(tableName, 'Table'), 'draft.draft'),
  query: field(sqlText, 'Query'),
  column_policies,
})

export type ConfigPreview = {
  /** As they would be pinned. */
  columns: PlanColumn[]
  /** Tables that are read. */
  inputs: string[]
  rows: unknown[][]
  truncated: boolean
  versions: Record<string, number>
  /** The first table that has no data yet, so that there are no rows to show; null: all have. */
  empty: string | null
}

/** Rows that a silver config makes of its newest inputs, before they are merged. @throws what saving it would throw for its SQL */
export async function previewSilver(
  c: Ctx,
  draft: v.InferOutput<typeof SilverPreview>,
): Promise<ConfigPreview> {
  const config = {
    joins: [],
    select: [],
    where: null,
    keys: [],
    sequence_by: null,
    delete_when: null,
    ...PLAIN,
    ...draft,
  } as unknown as SilverConfig
  const { columnsOf, hidden } = masking(c)
  const checked = await silverOf(columnsOf, c.var.deps.dialect, config)
  const known = await columnsOf(checked.derived.inputs)
  const query = silverQuery(config, known.get(config.from[0]!) ?? [])
  // What the load adds to the table itself (scd2) is no part of the rows that come in
  const columns = checked.columns.map(quoted).join(', ')
  return answer(c, draft, checked, hidden, query, known, (duckdb) =>
    config.where === null
      ? `select ${columns} from (${duckdb}\n)`
      : `select ${columns} from (${duckdb}\n) where ${quoteDuckdb('__keep')}`,
  )
}

/** Rows of a gold config's query over its newest inputs. @throws what saving it would throw for its SQL */
export async function previewGold(
  c: Ctx,
  draft: v.InferOutput<typeof GoldPreview>,
): Promise<ConfigPreview> {
  const config = { ...PLAIN, ...draft } as unknown as GoldConfig
  const { columnsOf, hidden } = masking(c)
  const checked = await goldOf(columnsOf, c.var.deps.dialect, config)
  const known = await columnsOf(tablesNamed(config.query))
  return answer(c, draft, checked, hidden, config.query, known, (duckdb) => duckdb)
}

/** Columns of tables as the reader may see them: a mask is text, whatever stands behind it. */
function masking(c: Ctx) {
  const hidden = new Map<string, Set<string>>()
  const columnsOf: ColumnsOf = async (tables) => {
    const columns = await tableColumns(c.var.sql, tables)
    for (const [table, list] of columns) {
      const own = hidden.get(table) ?? (await hiddenColumns(c, table))
      hidden.set(table, own)
      columns.set(
        table,
        list.map((column) => (own.has(column.name) ? { ...column, type: 'string' } : column)),
      )
    }
    return columns
  }
  return { columnsOf, hidden }
}

async function answer(
  c: Ctx,
  draft: { environment?: string | undefined; limit: number },
  checked: Awaited<ReturnType<typeof goldOf>>,
  hidden: Map<string, Set<string>>,
  query: string,
  known: Map<string, PlanColumn[]>,
  wrap: (duckdb: string) => string,
): Promise<ConfigPreview> {
  const { columns, derived } = checked
  const none = { rows: [], truncated: false, versions: {}, empty: null }
  if (draft.limit === 0) return { columns, inputs: derived.inputs, ...none }
  const engine = c.var.deps.engines.local ?? fail('engine_unavailable', { what: 'reading tables' })
  const dialect = await (c.var.deps.dialect ?? fail('sql_check_unavailable'))()
  const relations = [...known].map(([name, list]) => ({ name, columns: list }))
  const { duckdb } = await dialect.analyzeQuery(query, relations)
  let result: QueryResult
  try {
    result = await engine.query({
      environment: await environmentName(c.var.sql, draft.environment),
      sql: wrap(duckdb),
      tables: derived.inputs.map((table) => ({
        table,
        version: null,
        masked: [...(hidden.get(table) ?? [])],
      })),
      limit: draft.limit,
      timeout_ms: QUERY_MS,
    })
  } catch (error) {
    if (!(error instanceof LakeForgeError) || error.code !== 'table_missing') throw error
    return { columns, inputs: derived.inputs, ...none, empty: String(error.detail.table) }
  }
  const { rows, truncated, versions } = result
  return { columns, inputs: derived.inputs, rows, truncated, versions, empty: null }
}

const quoted = (column: PlanColumn) => quoteDuckdb(column.name)
