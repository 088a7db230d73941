// A source: a system that is read from.
import * as v from 'valibot'
import { SOURCE_KINDS, sourceFaults } from './extractors.ts'
import { described, checked, field, orElse } from './fields.ts'
import type { Configured } from './fields.ts'

const entries = {
  ...described,
  kind: field(v.picklist(SOURCE_KINDS), 'Kind', 'What kind of system it is.'),
  options: orElse(
    field(
      v.record(v.string(), v.unknown()),
      'Options',
      'Where it is and how to get in; secrets as secret://scope/key.',
    ),
    {},
  ),
}

export const SourceCreate = checked(v.strictObject(entries), sourceFaults)
export type SourceCreate = v.InferOutput<typeof SourceCreate>
export const SourcePatch = v.partial(v.strictObject(entries))
export type SourcePatch = v.InferOutput<typeof SourcePatch>
export type Source = Configured & SourceCreate
