// A gold config: a query that answers a question, kept as a table.
import * as v from 'valibot'
import { columns, field, id, orElse, sqlText } from './fields.ts'
import type { Configured } from './fields.ts'
import { tableEntries, writer } from './table-config.ts'
import type { Derived } from './table-config.ts'

export const GoldConfigCreate = v.strictObject({
  ...tableEntries,
  group_id: field(id, 'Group'),
  query: field(sqlText, 'Query', 'One select statement in Databricks SQL.'),
  materialisation: orElse(
    field(
      v.picklist(['replace', 'incremental']),
      'Materialisation',
      'Made anew, or brought up to date.',
    ),
    'replace',
  ),
  columns: orElse(field(columns, 'Columns', 'Derived from the SQL at save, then pinned.'), []),
  writer,
})
export type GoldConfigCreate = v.InferOutput<typeof GoldConfigCreate>
export const GoldConfigPatch = v.partial(GoldConfigCreate)
export type GoldConfigPatch = v.InferOutput<typeof GoldConfigPatch>
export type GoldConfig = Configured & GoldConfigCreate & { name: string; derived: Derived | null }
