// What the configs of bronze, silver and gold tables have in common.
import * as v from 'valibot'
import {
  columnName,
  columnNames,
  described,
  field,
  line,
  name,
  orElse,
  orNull,
  sqlText,
  tableName,
  text,
  unique,
} from './fields.ts'
import { attempts } from './raw-config.ts'

const ColumnPolicy = v.strictObject({
  column: columnName,
  policy: orNull(
    field(v.picklist(['mask', 'hash', 'exclude']), 'Policy', 'What happens to the values.'),
  ),
  rename: orNull(field(columnName, 'Name', 'The name in this table.')),
  comment: orNull(field(text, 'Comment')),
  pii: orElse(
    field(v.boolean(), 'Personal', 'Masked in previews, samples and logs unless the role permits.'),
    false,
  ),
})
export type ColumnPolicy = v.InferOutput<typeof ColumnPolicy>

const Grant = v.strictObject({
  principal: field(line, 'Who'),
  privileges: field(v.pipe(v.array(line), v.minLength(1, 'At least one.')), 'Privileges'),
})

export const tableEntries = {
  ...described,
  name: v.optional(field(name, 'Name', 'Unique in its schema; as the table unless given.')),
  target: field(tableName, 'Table', 'schema.table'),
  quarantine: orElse(
    field(v.boolean(), 'Quarantine', 'Whether rows may go to <table>_quarantine.'),
    true,
  ),
  column_policies: orElse(
    field(
      v.pipe(
        v.array(ColumnPolicy),
        v.check((list) => unique(list.map(({ column }) => column)), 'A column stands here twice.'),
      ),
      'Column policies',
    ),
    [],
  ),
  cluster_by: orElse(field(columnNames, 'Cluster by'), []),
  properties: orElse(field(v.record(line, v.string()), 'Table properties'), {}),
  row_filter: orNull(
    field(sqlText, 'Row filter', 'Databricks SQL; readers see rows where it is true.'),
  ),
  grants: orElse(field(v.array(Grant), 'Grants'), []),
  ...attempts,
}

export const writer = orNull(
  field(
    v.picklist(['pipeline', 'lakeforge']),
    'Writer',
    'In a workspace; none: the one that keeps the promises of the table.',
  ),
)

/** What the SQL check found at save; written by the server alone. */
export type Derived = {
  dialect_version: string
  /** Tables read, sorted. */
  inputs: string[]
  lineage: { column: string; from: { table: string; column: string }[] }[]
  /** Silver with sequence_by: its type. */
  sequence_type?: string | null
}
