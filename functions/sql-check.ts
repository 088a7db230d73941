// What is checked and derived when metadata with SQL in it is saved: types, inputs and lineage of silver and gold tables, rules
// against the columns that they look at; and the same again for every table downstream of a change.
import type * as Dialect from '#dialect/index.ts'
import { indexMetadata, silverQuery } from '#core/build-plan.ts'
import type { BronzeConfig } from '#core/bronze-config.ts'
import { rawFaults } from '#core/extractors.ts'
import { fail, LakeForgeError } from '#core/errors.ts'
import type { FieldError } from '#core/errors.ts'
import type { GoldConfig, GoldConfigCreate } from '#core/gold-config.ts'
import type { PlanColumn } from '#core/plan.ts'
import type { RawConfig, RawConfigCreate } from '#core/raw-config.ts'
import type { SilverConfig, SilverConfigCreate } from '#core/silver-config.ts'
import type { Source } from '#core/source.ts'
import type { Derived } from '#core/table-config.ts'
import type { Db, Tx } from '#sql/db.ts'

/** The dialect, or null where it can't be loaded: SQL is then refused, never stored unchecked. */
export type DialectDoor = (() => Promise<typeof Dialect>) | null

/** Columns that the query carries beside those of the table. */
const MARKS = new Set(['__keep', '__sequence', '__delete'])

export async function openDialect(door: DialectDoor): Promise<typeof Dialect> {
  return door ? door() : fail('sql_check_unavailable')
}

/**
 * The columns of tables that some config writes, LakeForge's own among them; a name that nothing writes is left out.
 * Reads only the rows of these tables.
 */
export async function tableColumns(
  db: Db,
  tables: readonly string[],
): Promise<Map<string, PlanColumn[]>> {
  if (tables.length === 0) return new Map()
  const bronze_configs = await db<BronzeConfig[]>`
    select * from config.bronze_config where target = any (${tables as string[]})
  `
  const raw_configs = await db<RawConfig[]>`
    select * from config.raw_config where id = any (${bronze_configs.map((each) => each.raw_id)}::uuid[])
  `
  const sources = await db<Source[]>`
    select * from config.source where id = any (${raw_configs.map((each) => each.source_id)}::uuid[])
  `
  const silver_configs = await db<SilverConfig[]>`
    select * from config.silver_config where target = any (${tables as string[]})
  `
  const gold_configs = await db<GoldConfig[]>`
    select * from config.gold_config where target = any (${tables as string[]})
  `
  return indexMetadata({
    version: '0',
    sources,
    groups: [],
    raw_configs,
    bronze_configs,
    silver_configs,
    gold_configs,
    dq_rules: [],
    rule_sets: [],
  }).columns
}

/** Where the columns of tables come from: the store, or metadata that is not stored yet. */
export type ColumnsOf = (tables: readonly string[]) => Promise<Map<string, PlanColumn[]>>

async function relations(
  columnsOf: ColumnsOf,
  tables: readonly string[],
): Promise<Dialect.Relation[]> {
  const columns = await columnsOf(tables)
  return [...columns].map(([name, list]) => ({ name, columns: list }))
}

type Checked = { columns: PlanColumn[]; derived: Derived }

/** `silverOf` with the columns that are stored. */
export function checkSilver(
  db: Db,
  door: DialectDoor,
  config: SilverConfigCreate | SilverConfig,
): Promise<Checked> {
  return silverOf((tables) => tableColumns(db, tables), door, config)
}

/** Types, inputs and lineage of a silver table. @throws the dialect's errors, each with the fields at fault under `errors` */
export async function silverOf(
  columnsOf: ColumnsOf,
  door: DialectDoor,
  config: SilverConfigCreate | SilverConfig,
): Promise<Checked> {
  const tables = [...new Set([...config.from, ...config.joins.map((join) => join.table)])]
  const known = await relations(columnsOf, tables)
  const missing = (table: string) => !known.some((each) => each.name === table)
  const errors = [
    ...config.from.flatMap((table, index) =>
      missing(table) ? [unwritten(table, `from.${index}`)] : [],
    ),
    ...config.joins.flatMap((join, index) =>
      missing(join.table) ? [unwritten(join.table, `joins.${index}.table`)] : [],
    ),
  ]
  if (errors.length > 0)
    fail(
      'table_unknown',
      { table: tables.find(missing), tables: 'those that some config writes' },
      { errors },
    )
  const dialect = await openDialect(door)
  const { DIALECT_VERSION } = dialect
  const first = known.find((each) => each.name === config.from[0])!
  const query = silverQuery(config, first.columns as PlanColumn[])
  const found = await dialect.analyzeQuery(query, known).catch(async (error: unknown) => {
    if (!(error instanceof LakeForgeError)) throw error
    const errors = await silverFaults(dialect, known, config)
    // A fault of the whole (two columns of one name, a join) keeps its own words
    return fail(error.code, error.detail, { cause: error, hint: error.hint, errors })
  })
  const typeOf = (name: string) => found.columns.find((each) => each.name === name)?.type ?? null
  for (const [mark, field] of [
    ['__keep', 'where'],
    ['__delete', 'delete_when'],
  ] as const) {
    const type = typeOf(mark)
    if (type !== null && type !== 'boolean') wrong(field, `A condition is boolean, not ${type}.`)
  }
  const columns = found.columns.filter((each) => !MARKS.has(each.name))
  const names = new Set(columns.map((each) => each.name))
  for (const [index, key] of config.keys.entries())
    if (!names.has(key)) wrong(`keys.${index}`, `There is no column ${key}.`)
  refuseUnknown(config, columns)
  if (config.load_type === 'merge' && config.sequence_by !== null && !names.has(config.sequence_by))
    wrong(
      'sequence_by',
      'For merge it is one of the columns of the table, so that a late row can be told.',
    )
  return {
    columns,
    derived: {
      dialect_version: String(DIALECT_VERSION),
      inputs: found.inputs,
      lineage: found.lineage
        .filter((each) => !MARKS.has(each.column))
        .map(({ column, from }) => ({
          column,
          from: from.map((each) => ({ table: each.table, column: each.column })),
        })),
      sequence_type: typeOf('__sequence'),
    },
  }
}

/** Which pieces of a silver config are at fault, each looked at alone; `line` counts within the piece. */
async function silverFaults(
  dialect: typeof Dialect,
  known: readonly Dialect.Relation[],
  config: SilverConfigCreate | SilverConfig,
): Promise<FieldError[]> {
  const columns = (table: string) => known.find((each) => each.name === table)!.columns
  const joined = new Set(config.joins.map((join) => join.table))
  const scope = [
    ...config.from
      .filter((table, index) => index === 0 || !joined.has(table))
      .map((name) => ({ name, columns: columns(name) })),
    ...config.joins.map((join) => ({
      name: join.alias ?? join.table,
      columns: columns(join.table),
    })),
  ]
  const condition = { boolean: true }
  const pieces: [path: string, sql: string | null, options: Dialect.ExpressionOptions][] = [
    ...config.select.map(
      ({ expression }, index) =>
        [`select.${index}.expression`, expression, { windows: true }] as [string, string, object],
    ),
    ...config.joins.map(
      ({ on }, index) => [`joins.${index}.on`, on, condition] as [string, string, object],
    ),
    ['where', config.where, condition],
    [
      'sequence_by',
      config.select.some(({ name }) => name === config.sequence_by) ? null : config.sequence_by,
      {},
    ],
    ['delete_when', config.delete_when, condition],
  ]
  const errors: FieldError[] = []
  for (const [path, sql, options] of pieces) {
    if (sql === null) continue
    try {
      await dialect.analyzeExpression(sql, scope, options)
    } catch (error) {
      if (!(error instanceof LakeForgeError)) throw error
      errors.push(sqlFault(path, error))
    }
  }
  return errors
}

export function sqlFault(path: string, error: LakeForgeError): FieldError {
  const line = Number(error.detail.line)
  const column = Number(error.detail.line_column ?? error.detail.column)
  return {
    path,
    message: `${error.message} ${error.hint}`.trim(),
    code: error.code,
    ...(line > 0 && { line, ...(column > 0 && { column }) }),
  }
}

/** Columns that a config says something of must be there. @throws validation_failed with each field */
function refuseUnknown(
  config: Pick<SilverConfigCreate, 'column_policies' | 'cluster_by'>,
  columns: readonly PlanColumn[],
): void {
  const errors = [...unknownColumns(config, columns)]
  if (errors.length > 0) fail('validation_failed', {}, { errors })
}

/** What policies and clustering of a table say of columns that it does not have. */
export function* unknownColumns(
  config: Pick<SilverConfigCreate, 'column_policies' | 'cluster_by'>,
  columns: readonly PlanColumn[],
): Generator<FieldError> {
  const names = new Set(columns.map(({ name }) => name.toLowerCase()))
  const message = 'Not one of the columns of the table.'
  for (const [index, { column }] of config.column_policies.entries())
    if (!names.has(column.toLowerCase())) yield { path: `column_policies.${index}.column`, message }
  for (const [index, column] of config.cluster_by.entries())
    if (!names.has(column.toLowerCase())) yield { path: `cluster_by.${index}`, message }
}

function unwritten(table: string, path: string): FieldError {
  return { path, message: `Nothing writes the table ${table}.`, code: 'table_unknown' }
}

/** Whatever looks like schema.table in a query; what it really reads the dialect says. */
export function tablesNamed(query: string): string[] {
  const found = [...query.matchAll(/`?(\w+)`?\s*\.\s*`?(\w+)`?/g)].map((match) =>
    `${match[1]}.${match[2]}`.toLowerCase(),
  )
  return [...new Set(found)]
}

/** `goldOf` with the columns that are stored. */
export function checkGold(
  db: Db,
  door: DialectDoor,
  config: GoldConfigCreate | GoldConfig,
): Promise<Checked> {
  return goldOf((tables) => tableColumns(db, tables), door, config)
}

/** Types, inputs and lineage of a gold table. @throws the dialect's errors, with the line of the query under `errors` */
export async function goldOf(
  columnsOf: ColumnsOf,
  door: DialectDoor,
  config: GoldConfigCreate | GoldConfig,
): Promise<Checked> {
  const known = await relations(columnsOf, tablesNamed(config.query))
  const { analyzeQuery, DIALECT_VERSION } = await openDialect(door)
  const found = await analyzeQuery(config.query, known).catch((error: unknown) => {
    if (!(error instanceof LakeForgeError)) throw error
    return fail(error.code, error.detail, {
      cause: error,
      hint: error.hint,
      errors: [sqlFault('query', error)],
    })
  })
  if (found.inputs.includes(config.target)) wrong('query', 'A table cannot be made from itself.')
  refuseUnknown(config, found.columns)
  return {
    columns: found.columns,
    derived: {
      dialect_version: String(DIALECT_VERSION),
      inputs: found.inputs,
      lineage: found.lineage.map(({ column, from }) => ({
        column,
        from: from.map((each) => ({ table: each.table, column: each.column })),
      })),
    },
  }
}

/** A raw config against the kind of its source. */
export async function checkRaw(db: Db, config: RawConfigCreate): Promise<void> {
  const [source] = await db<{ kind: string }[]>`
    select kind from config.source where id = ${config.source_id}
  `
  if (!source)
    fail('reference_unknown', { kind: 'raw config', constraint: 'raw_config_source_id_fk' })
  const faults = [...rawFaults(source.kind, config)]
  if (faults.length > 0)
    fail(
      'validation_failed',
      {},
      { errors: faults.map(({ path, message }) => ({ path: path.join('.'), message })) },
    )
}

/**
 * After a change of the columns of `tables`: derives every table downstream anew, level by level, in the same transaction.
 * @throws breaks_dependant naming the first table that no longer compiles
 */
export async function rederive(
  tx: Tx,
  door: DialectDoor,
  tables: readonly string[],
): Promise<string[]> {
  const touched: string[] = []
  let level = [...tables]
  for (let depth = 0; level.length > 0 && depth < 100; depth++) {
    const readers = await tx<{ reader_kind: string; reader_id: string }[]>`
      select distinct reader_kind, reader_id from config.input where target = any (${level})
    `
    const ids = (kind: string) =>
      readers.filter((each) => each.reader_kind === kind).map((each) => each.reader_id)
    const next: string[] = []
    const save = async (
      table: 'silver_config' | 'gold_config',
      config: SilverConfig | GoldConfig,
      check: () => Promise<Checked>,
    ) => {
      const found = await check().catch((error: unknown) => {
        if (!(error instanceof LakeForgeError)) throw error
        return fail(
          'breaks_dependant',
          { table: config.target, reason: error.message },
          { cause: error, errors: error.errors },
        )
      })
      if (JSON.stringify(found.columns) === JSON.stringify(config.columns)) return
      await tx`
        update config.${tx(table)} set ${tx(found as unknown as Record<string, unknown>)} where id = ${config.id}
      `
      touched.push(config.target)
      next.push(config.target)
    }
    const silvers = await tx<SilverConfig[]>`
      select * from config.silver_config where id = any (${ids('silver_config')}::uuid[]) order by target
    `
    for (const config of silvers)
      await save('silver_config', config, () => checkSilver(tx, door, config))
    const golds = await tx<GoldConfig[]>`
      select * from config.gold_config where id = any (${ids('gold_config')}::uuid[]) order by target
    `
    for (const config of golds) await save('gold_config', config, () => checkGold(tx, door, config))
    level = next
  }
  return touched
}

/** Tables that a raw config feeds. */
export async function tablesOfRaw(db: Db, raw_id: string): Promise<string[]> {
  const rows = await db<{ target: string }[]>`
    select distinct target from config.bronze_config where raw_id = ${raw_id}
  `
  return rows.map((row) => row.target)
}

export function wrong(path: string, message: string): never {
  return fail('validation_failed', {}, { errors: [{ path, message }] })
}
