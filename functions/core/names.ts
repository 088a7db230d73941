// Names from metadata on their way into SQL: the one place that quotes identifiers, and what makes a name legal.
import { fail } from './errors.ts'

/** A DuckDB or PostgreSQL identifier in double quotes. */
export function quoteDuckdb(name: string): string {
  return `"${checked(name).replaceAll('"', '""')}"`
}

/** PostgreSQL quotes as DuckDB does; the name says at the call which database is meant. */
export const quotePostgres = quoteDuckdb

/** A Spark or Databricks identifier in backticks. */
export function quoteSpark(name: string): string {
  return `\`${checked(name).replaceAll('`', '``')}\``
}

/** A text literal for DuckDB, where a parameter can't stand (file lists, options). Single quotes doubled; no escapes exist. */
export function literalDuckdb(text: string): string {
  return `'${checked(text).replaceAll("'", "''")}'`
}

/** `schema.table` as two quoted DuckDB identifiers. */
export function quoteTableDuckdb(name: string): string {
  const [schema, table] = splitTable(name)
  return `${quoteDuckdb(schema)}.${quoteDuckdb(table)}`
}

/**
 * Splits `schema.table`.
 * @throws name_invalid unless both halves are `a-z0-9_`
 */
export function splitTable(name: string): [schema: string, table: string] {
  const found = TABLE_NAME.exec(name)
  return found ? [found[1]!, found[2]!] : fail('name_invalid', { name: name.slice(0, 200) })
}

export const NAME = /^[a-z0-9_]{1,100}$/
export const TABLE_NAME = /^([a-z0-9_]{1,100})\.([a-z0-9_]{1,100})$/

/**
 * Legal column names for names found in a source: lower case `a-z0-9_`, never empty, unique ignoring case; same length and
 * order as the input. `Order ID`, `order-id` become `order_id`, `order_id_2`. Accents are folded (`Größe` → `grosse`);
 * names in other scripts become `column_<position>` (from 1).
 */
export function legalColumns(sources: readonly string[]): string[] {
  const taken = new Set<string>()
  return sources.map((source, index) => {
    let base = source
      .replaceAll('ß', 'ss')
      .normalize('NFKD')
      .replace(/\p{M}/gu, '')
      .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, '_')
      .replace(/^_+|_+$/g, '')
      .slice(0, 100)
    if (base === '') base = `column_${index + 1}`
    let name = base
    for (let n = 2; taken.has(name); n++) name = `${base}_${n}`
    taken.add(name)
    return name
  })
}

/** DuckDB cuts a statement at NUL and PostgreSQL refuses it: a name can't hold one. */
function checked(name: string): string {
  return name.includes('\0') ? fail('name_invalid', { name: name.replaceAll('\0', '␀') }) : name
}
