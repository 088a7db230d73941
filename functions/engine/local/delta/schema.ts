// Which changes of a schema leave the files that are already there readable.
import { fail } from '#core/errors.ts'
import { formatType, parseType } from '#core/types.ts'
import type { Column, SparkType } from '#core/types.ts'

/**
 * Refuses columns that Delta can't name, and changes that old files don't follow. Without column mapping a column may
 * be added (nullable) or become nullable; dropping, retyping and `not null` need every file replaced in the same commit.
 * @throws delta_schema_refused
 */
export function evolve(
  table: string,
  before: readonly Column[] | null,
  after: readonly Column[],
  replacesAll: boolean,
): void {
  const refuse = (column: string, reason: string): never =>
    fail('delta_schema_refused', { table, column, reason })
  if (after.length === 0) refuse('', 'a table needs a column')
  const names = new Set<string>()
  for (const column of after) {
    checkNames(column.name, parseType(column.type), refuse)
    const key = column.name.toLowerCase()
    if (names.has(key)) refuse(column.name, 'two columns differ by case only')
    names.add(key)
  }
  if (!before || replacesAll) return
  const old = new Map(before.map((column) => [column.name.toLowerCase(), column]))
  for (const column of after) {
    const was = old.get(column.name.toLowerCase())
    old.delete(column.name.toLowerCase())
    if (!was) {
      if (!column.nullable)
        refuse(column.name, "a new column is empty in older files, so it can't be not null")
      continue
    }
    if (was.name !== column.name)
      refuse(column.name, `its name is written "${was.name}" in the table`)
    if (was.nullable && !column.nullable) refuse(column.name, 'older files may hold nulls')
    const [from, to] = [parseType(was.type), parseType(column.type)]
    if (!follows(from, to))
      refuse(column.name, `older files hold ${formatType(from)}, not ${formatType(to)}`)
  }
  for (const column of old.values()) refuse(column.name, 'older files still hold it')
}

/** True when files with `from` can be read as `to`: equal, but for new nullable fields in structs. */
function follows(from: SparkType, to: SparkType): boolean {
  if (from.kind === 'struct' && to.kind === 'struct') {
    const fields = new Map(to.fields.map((field) => [field.name, field]))
    for (const field of from.fields) {
      const next = fields.get(field.name)
      if (!next || !follows(field.type, next.type) || (field.nullable && !next.nullable))
        return false
      fields.delete(field.name)
    }
    return [...fields.values()].every((field) => field.nullable)
  }
  if (from.kind === 'array' && to.kind === 'array') return follows(from.element, to.element)
  if (from.kind === 'map' && to.kind === 'map')
    return follows(from.key, to.key) && follows(from.value, to.value)
  return formatType(from) === formatType(to)
}

/** Spark and Parquet can't hold these in a column's name without column mapping. */
const ILLEGAL = /[ ,;{}()\n\t=]/

function checkNames(
  name: string,
  type: SparkType,
  refuse: (column: string, reason: string) => never,
): void {
  if (name === '' || name.includes('\0') || ILLEGAL.test(name))
    refuse(name, "a name can't be empty nor hold a space or any of ,;{}()=")
  if (type.kind === 'array') checkNames(name, type.element, refuse)
  if (type.kind === 'map') {
    checkNames(name, type.key, refuse)
    checkNames(name, type.value, refuse)
  }
  if (type.kind === 'struct') {
    const seen = new Set<string>()
    if (type.fields.length === 0) refuse(name, 'a struct needs a field')
    for (const field of type.fields) {
      if (seen.has(field.name.toLowerCase())) refuse(name, 'two of its fields differ by case only')
      seen.add(field.name.toLowerCase())
      checkNames(field.name, field.type, refuse)
    }
  }
}
