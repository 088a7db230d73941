// The content hash in bulk: DuckDB SQL for the row text and the sum that core/content-hash.md defines.
//
// Measured on 5 million rows × 10 columns, seconds of CPU with md5: one concat() of all parts 7.2; concat_ws of
// name=value parts 10.2; to_json over a struct 6.6, but taking its nulls out again costs up to 29 more. The hash of one short
// column: md5_number() with its bytes turned round 0.9, md5(x)[1:16] read as hex 1.9, md5_number_upper() 5.9. format() beats
// printf() (0.6 against 0.95). Leaving out the null checks of columns that hold none gains nothing.
import { byName, hashColumns, nameText } from '#core/content-hash.ts'
import { literalDuckdb, quoteDuckdb } from '#core/names.ts'
import { parseType, type Column, type SparkType } from '#core/types.ts'

type HashColumn = Pick<Column, 'name' | 'type'> & { nullable?: boolean }

/**
 * The canonical row text as a DuckDB expression over the columns, to be evaluated where they are in scope. Each value
 * must already have its pinned type. `nullable: false` is taken at its word.
 */
export function rowTextSql(columns: readonly HashColumn[]): string {
  const parts = hashColumns(columns).flatMap(({ name, type, nullable }) =>
    member(name, parseType(type), quoteDuckdb(name), nullable ?? true, 0),
  )
  return `concat('', ${parts.join(', ') || "''"})`
}

const LONG_TEXT = 10_000

/** The first 64 bits of md5 of a text expression, as UBIGINT. */
export function rowHashSql(text: string): string {
  // Eight times the text of hundreds of columns would take the planner longer than it saves.
  if (text.length > LONG_TEXT) return `('0x' || md5(${text})[1:16])::UBIGINT`
  // md5_number() has the digest's first byte lowest: bytes, pairs and halves change places. DuckDB computes each term once.
  const swap = (value: string, mask: string, bits: number) =>
    `(((${value} & ${mask}::UBIGINT) << ${bits}) | ((${value} >> ${bits}) & ${mask}::UBIGINT))`
  const low = `(md5_number(${text}) & 18446744073709551615::UHUGEINT)::UBIGINT`
  const pairs = swap(low, '71777214294589695', 8)
  return swap(swap(pairs, '281470681808895', 16), '4294967295', 32)
}

/** An aggregate over the rows in scope: their content sum as UBIGINT, 0 without rows. */
export function contentHashSql(columns: readonly HashColumn[]): string {
  return `(coalesce(sum(${rowHashSql(rowTextSql(columns))}), 0) % 18446744073709551616)::UBIGINT`
}

/** Arguments of a concat(), which reads null as nothing: `;name=value`, or nothing for a null. */
function member(
  name: string,
  type: SparkType,
  sql: string,
  nullable: boolean,
  depth: number,
): string[] {
  const unlessNull = (text: string) =>
    nullable ? `if(${sql} IS NULL, '', ${literalDuckdb(text)})` : literalDuckdb(text)
  const head = unlessNull(`;${nameText(name)}=`)
  // Strings, the commonest type, without an intermediate text.
  return type.kind === 'string'
    ? [head, `strlen(${sql})`, unlessNull(':'), sql]
    : [head, text(type, sql, depth)]
}

/** The canonical text of one value; null for null. Plain numbers stay numbers: concat() prints them. */
function text(type: SparkType, sql: string, depth: number): string {
  const item = `x${depth}`
  const inner = (of: SparkType, value: string) =>
    `coalesce(${text(of, value, depth + 1)}::VARCHAR, 'null')`
  switch (type.kind) {
    case 'string':
      return `(strlen(${sql}) || ':' || ${sql})`
    case 'decimal':
      // DuckDB leaves the leading zero out exactly where the type has no room for one.
      return type.precision === type.scale
        ? `regexp_replace(${sql}::VARCHAR, '^(-?)[.]', '\\10.')`
        : sql
    case 'float':
    case 'double':
      // + 0.0 turns -0 into 0; a NaN may carry a sign, which format() would print.
      return `CASE WHEN isnan(${sql}) THEN 'nan' ELSE format('{:.11e}', ${sql}::DOUBLE + 0.0::DOUBLE) END`
    case 'binary':
      return `hex(${sql})`
    case 'date':
      return `(${sql} - DATE '1970-01-01')`
    case 'timestamp':
    case 'timestamp_ntz':
      return `epoch_us(${sql})`
    case 'array':
      return `('[' || array_to_string(list_transform(${sql}, lambda ${item}: ${inner(type.element, item)}), ',') || ']')`
    case 'struct': {
      const parts = [...type.fields]
        .sort(byName)
        .flatMap((field) =>
          member(
            field.name,
            field.type,
            `struct_extract(${sql}, ${literalDuckdb(field.name)})`,
            true,
            depth,
          ),
        )
      return `CASE WHEN ${sql} IS NOT NULL THEN concat('{', ${[...parts, "'}'"].join(', ')}) END`
    }
    case 'map': {
      const entry = `${inner(type.key, `${item}.key`)} || '=' || ${inner(type.value, `${item}.value`)}`
      return `('{' || array_to_string(list_sort(list_transform(map_entries(${sql}), lambda ${item}: ${entry})), ';') || '}')`
    }
    default:
      return sql
  }
}
