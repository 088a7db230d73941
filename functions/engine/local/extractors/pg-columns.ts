// What a table or a query of PostgreSQL gives: its columns, the Spark type that each is pinned to, and the expression that
// takes it to raw without loss.
//
// Raw keeps booleans, integers, floats, texts and bytes as such, everything else as PostgreSQL's own text: a numeric without
// limits, NaN, infinity and dates before Christ have no place in a Parquet type. Bronze casts the texts to the pinned types;
// what doesn't fit (infinity, a 40-digit numeric, an array of two dimensions) goes to `_rescued_data`.
import { fail } from '#core/errors.ts'
import { legalColumns, quotePostgres } from '#core/names.ts'
import type { PlanColumn } from '#core/plan.ts'
import type { Pg } from './pg-connect.ts'

export type PgColumn = {
  source_name: string
  /** In raw and as `source_name` of pinned columns: DuckDB knows no two names that differ by case alone. */
  raw_name: string
  /** format_type's name of the base type (domains resolved), without limits. */
  base: string
  /** What it is pinned to by default. */
  type: string
  /** Type in the raw Parquet file. */
  raw_type: 'boolean' | 'smallint' | 'int' | 'bigint' | 'float' | 'double' | 'binary' | 'string'
  /** SQL of PostgreSQL: the column as COPY shall write it. */
  select: string
  not_null: boolean
}

type Row = {
  name: string
  /** Category of pg_type: A array, E enum, … */
  category: string
  kind: string
  base: string
  element: string | null
  typmod: number
  not_null: boolean
}

/** The driver sends one parsed statement instead of a text that may hold several; its types don't know the option. */
const EXTENDED = { simple: false } as object

/** Types that raw keeps as they are. */
const DIRECT: Record<string, PgColumn['raw_type']> = {
  boolean: 'boolean',
  smallint: 'smallint',
  integer: 'int',
  bigint: 'bigint',
  oid: 'bigint',
  real: 'float',
  'double precision': 'double',
}

/** `schema.table` as a raw config names it, parts in double quotes where they hold a dot or a quote. */
export function parseObject(object: string): [schema: string, table: string] {
  const part = String.raw`("(?:[^"]|"")+"|[^".]+)`
  const found = new RegExp(`^${part}(?:\\.${part})?$`).exec(object.trim())
  if (!found) return fail('source_object_missing', { object: object.slice(0, 200) })
  const plain = (text: string) =>
    text.startsWith('"') ? text.slice(1, -1).replaceAll('""', '"') : text
  return found[2] === undefined ? ['public', plain(found[1]!)] : [plain(found[1]!), plain(found[2])]
}

/** The opposite of `parseObject`. */
export function formatObject(schema: string, table: string): string {
  const shown = (name: string) => (/["'.\s]|^$/.test(name) ? quotePostgres(name) : name)
  return `${shown(schema)}.${shown(table)}`
}

/** What stands after FROM. @throws name_invalid for names with NUL */
export function fromSql(object: string, format: string | null): string {
  if (format === 'query') return `(${object.trim().replace(/;\s*$/, '')}\n) AS q`
  const [schema, table] = parseObject(object)
  return `${quotePostgres(schema)}.${quotePostgres(table)}`
}

/**
 * The columns of a table or query, in its order.
 * @throws source_object_missing
 */
export async function pgColumns(
  sql: Pg,
  object: string,
  format: string | null,
): Promise<PgColumn[]> {
  if (format === 'query') {
    // Parsed as one statement, so nothing can follow it.
    const described = await sql
      .unsafe(`SELECT * FROM ${fromSql(object, format)}`, [], EXTENDED)
      .describe()
    const oids = described.columns.map(({ type }) => type)
    const rows = await sql<(Row & { oid: string })[]>`
      select distinct t.oid::text as oid, b.typcategory::text as category, b.typtype::text as kind,
        format_type(b.oid, null) as base, format_type(nullif(b.typelem, 0), null) as element, t.typtypmod as typmod
      from pg_type t join pg_type b on b.oid = case when t.typtype = 'd' then t.typbasetype else t.oid end
      where t.oid in ${sql(oids.length > 0 ? oids : [0])}`
    const types = new Map(rows.map((row) => [row.oid, row]))
    return named(
      described.columns.map(({ name, type }) => {
        const row = types.get(String(type))
        return pgColumn({
          name,
          category: row?.category ?? 'X',
          kind: row?.kind ?? 'b',
          base: row?.base ?? 'text',
          element: row?.element ?? null,
          typmod: row?.typmod ?? -1,
          not_null: false,
        })
      }),
    )
  }
  const [schema, table] = parseObject(object)
  const rows = await sql<Row[]>`
    with recursive base as (
      select a.attnum, a.attname, a.attnotnull, a.atttypid as typid, a.atttypmod as typmod
      from pg_attribute a
      join pg_class c on c.oid = a.attrelid
      join pg_namespace n on n.oid = c.relnamespace
      where n.nspname = ${schema} and c.relname = ${table} and a.attnum > 0 and not a.attisdropped
        and c.relkind in ('r', 'p', 'v', 'm', 'f')
      union all
      select b.attnum, b.attname, b.attnotnull, t.typbasetype, t.typtypmod
      from base b join pg_type t on t.oid = b.typid where t.typtype = 'd'
    )
    select b.attname as name, b.attnotnull as not_null, b.typmod, t.typcategory::text as category, t.typtype::text as kind,
      format_type(t.oid, null) as base, format_type(nullif(t.typelem, 0), null) as element
    from base b join pg_type t on t.oid = b.typid
    where t.typtype <> 'd' order by b.attnum`
  if (rows.length === 0)
    return fail('source_object_missing', { object: formatObject(schema, table) })
  return named(rows.map(pgColumn))
}

function named(columns: PgColumn[]): PgColumn[] {
  const seen = new Map<string, number>()
  return columns.map((column) => {
    const lower = column.source_name.toLowerCase()
    const count = (seen.get(lower) ?? 0) + 1
    seen.set(lower, count)
    return count === 1 ? column : { ...column, raw_name: `${column.source_name}[${count}]` }
  })
}

/** Columns as a raw config pins them. */
export function pinnedColumns(columns: readonly PgColumn[]): PlanColumn[] {
  const names = legalColumns(columns.map(({ source_name }) => source_name))
  return columns.map(({ raw_name, type, raw_type, not_null }, index) => ({
    name: names[index]!,
    source_name: raw_name,
    type,
    // A value that has no place in the pinned type becomes null and is rescued.
    nullable: !(not_null && type === raw_type),
  }))
}

function pgColumn(row: Row): PgColumn {
  const name = quotePostgres(row.name)
  const make = (type: string, raw_type: PgColumn['raw_type'], select: string): PgColumn => ({
    source_name: row.name,
    raw_name: row.name,
    base: row.base,
    type,
    raw_type,
    select,
    not_null: row.not_null,
  })
  const direct = DIRECT[row.base]
  if (direct) return make(direct, direct, row.base === 'oid' ? `${name}::bigint` : name)
  if (row.base === 'bytea') return make('binary', 'binary', `encode(${name}, 'hex')`)
  if (row.kind === 'c') return make('string', 'string', `to_json(${name})::text`)
  // Elements as texts, so that JSON can't cut the digits of a numeric.
  if (row.category === 'A' && row.element !== null && !row.base.endsWith('vector'))
    return make(
      `array<${scalarType(row.element, row.typmod)}>`,
      'string',
      `to_json(${name}::text[])::text`,
    )
  return make(scalarType(row.base, row.typmod), 'string', `${moneyless(row.base, name)}::text`)
}

/** money's text carries a currency sign. */
function moneyless(base: string, name: string): string {
  return base === 'money' ? `${name}::numeric` : name
}

function scalarType(base: string, typmod: number): string {
  switch (base) {
    case 'numeric':
      return numericType(typmod)
    case 'money':
      return 'decimal(19,2)'
    case 'date':
      return 'date'
    case 'timestamp with time zone':
      return 'timestamp'
    case 'timestamp without time zone':
      return 'timestamp_ntz'
    case 'bytea':
      return 'string'
    default:
      return DIRECT[base] ?? 'string'
  }
}

/**
 * numeric(p,s) as decimal(p,s); without limits, with more than 38 digits or a scale that decimal lacks: decimal(38,18), and
 * values beyond are rescued.
 */
function numericType(typmod: number): string {
  if (typmod < 4) return 'decimal(38,18)'
  const precision = ((typmod - 4) >> 16) & 0xffff
  // Eleven bits, signed since PostgreSQL 15.
  const scale = (((typmod - 4) & 0x7ff) ^ 1024) - 1024
  if (scale < 0 && precision - scale <= 38) return `decimal(${precision - scale},0)`
  if (scale < 0 || precision > 38 || scale > precision) return 'decimal(38,18)'
  return `decimal(${precision},${scale})`
}
