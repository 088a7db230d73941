// A bronze config: raw rows, typed as pinned, in a table. Several may name one table (fan-in).
import * as v from 'valibot'
import { field, id, line, orElse, orNull } from './fields.ts'
import type { Configured } from './fields.ts'
import { tableEntries } from './table-config.ts'

export const BronzeConfigCreate = v.strictObject({
  ...tableEntries,
  raw_id: field(id, 'Raw'),
  source_tag: orNull(
    field(line, 'Source tag', 'Value of _source in a fan-in; none: the name of the raw config.'),
  ),
  schema_policy: orElse(
    field(
      v.picklist(['evolve', 'freeze', 'rescue', 'approve']),
      'New and changed columns',
      'evolve: taken over. freeze: the step fails. rescue: kept in _rescued_data. approve: a person decides.',
    ),
    'evolve',
  ),
  write: orElse(
    field(
      v.picklist(['append', 'replace']),
      'Write',
      'replace: the table holds the last batch alone.',
    ),
    'append',
  ),
})
export type BronzeConfigCreate = v.InferOutput<typeof BronzeConfigCreate>
export const BronzeConfigPatch = v.partial(BronzeConfigCreate)
export type BronzeConfigPatch = v.InferOutput<typeof BronzeConfigPatch>
export type BronzeConfig = Configured & BronzeConfigCreate & { name: string }
