// A silver config: bronze rows, cleaned, typed and keyed, in a table.
import * as v from 'valibot'
import {
  columnNames,
  columns,
  checked,
  field,
  id,
  columnName,
  orElse,
  orNull,
  sqlText,
  tableName,
  unique,
} from './fields.ts'
import type { Configured, Fault } from './fields.ts'
import { tableEntries, writer } from './table-config.ts'
import type { Derived } from './table-config.ts'
import { LOAD_TYPE_NAMES, LOAD_TYPES } from './writers.ts'

const SelectItem = v.strictObject({
  name: field(columnName, 'Name'),
  expression: field(sqlText, 'Expression', 'Databricks SQL'),
})

const Join = v.strictObject({
  table: field(tableName, 'Table', 'schema.table; read whole.'),
  alias: v.optional(v.nullable(field(columnName, 'Alias')), null),
  kind: orElse(field(v.picklist(['inner', 'left']), 'Kind'), 'left'),
  on: field(sqlText, 'On', 'Databricks SQL'),
})

const entries = {
  ...tableEntries,
  group_id: field(id, 'Group'),
  from: field(
    v.pipe(
      v.array(tableName),
      v.minLength(1, 'At least one table.'),
      v.check((list) => unique(list), 'A table stands here twice.'),
    ),
    'From',
    'Tables read; the first one drives the load, each other one needs a join.',
  ),
  joins: orElse(field(v.array(Join), 'Joins'), []),
  select: orElse(
    field(
      v.pipe(
        v.array(SelectItem),
        v.check(
          (list) => unique(list.map(({ name }) => name)),
          'Two columns have the same name (case does not count).',
        ),
      ),
      'Select',
      'Columns in order; none: all of the first table.',
    ),
    [],
  ),
  where: orNull(
    field(sqlText, 'Where', 'Databricks SQL; rows for which it is not true are filtered.'),
  ),
  load_type: field(v.picklist(LOAD_TYPE_NAMES), 'Load type'),
  keys: orElse(field(columnNames, 'Keys', 'Columns of this table that identify a row.'), []),
  sequence_by: orNull(
    field(sqlText, 'Sequence by', 'Databricks SQL; the greater one is the newer row.'),
  ),
  delete_when: orNull(field(sqlText, 'Delete when', 'Databricks SQL; such rows delete their key.')),
  dedupe: orElse(
    field(v.boolean(), 'Dedupe', 'Of the rows of a batch with equal keys only the newest counts.'),
    false,
  ),
  columns: orElse(field(columns, 'Columns', 'Derived from the SQL at save, then pinned.'), []),
  writer,
}
const Plain = v.strictObject(entries)

export const SilverConfigCreate = checked(Plain, silverFaults)
export type SilverConfigCreate = v.InferOutput<typeof SilverConfigCreate>
export const SilverConfigPatch = v.partial(Plain)
export type SilverConfigPatch = v.InferOutput<typeof SilverConfigPatch>
export type SilverConfig = Configured &
  SilverConfigCreate & { name: string; derived: Derived | null }

function* silverFaults(silver: v.InferOutput<typeof Plain>): Generator<Fault> {
  const load = LOAD_TYPES[silver.load_type]
  if (load.engines.length === 0) {
    yield { path: ['load_type'], message: 'No engine has this load type yet.' }
  }
  if (load.requires.includes('keys') && silver.keys.length === 0) {
    yield { path: ['keys'], message: `${load.title} needs keys.` }
  }
  if (load.requires.includes('sequence_by') && silver.sequence_by === null) {
    yield { path: ['sequence_by'], message: `${load.title} needs to know which row is newer.` }
  }
  if (!load.deletes && silver.delete_when !== null) {
    yield { path: ['delete_when'], message: `${load.title} deletes no rows.` }
  }
  if (silver.dedupe && silver.keys.length === 0) {
    yield { path: ['keys'], message: 'Dedupe needs keys.' }
  }
  const joined = new Set(silver.joins.map(({ table }) => table))
  for (const [index, table] of silver.from.entries()) {
    if (index > 0 && !joined.has(table)) {
      yield { path: ['from', index], message: 'Each table but the first needs a join.' }
    }
  }
  if (silver.from.includes(silver.target) || joined.has(silver.target)) {
    yield { path: ['target'], message: 'A table cannot be made from itself.' }
  }
  if (silver.select.length > 0) {
    const made = new Set(silver.select.map(({ name }) => name.toLowerCase()))
    for (const [index, key] of silver.keys.entries()) {
      if (!made.has(key.toLowerCase())) {
        yield { path: ['keys', index], message: 'Not one of the selected columns.' }
      }
    }
    for (const [index, { column }] of silver.column_policies.entries()) {
      if (!made.has(column.toLowerCase())) {
        yield {
          path: ['column_policies', index, 'column'],
          message: 'Not one of the selected columns.',
        }
      }
    }
  }
}
