// An API token: who may do what without a person. The token itself is shown once; the store keeps its hash.
import * as v from 'valibot'
import { described, field, id, orNull } from './fields.ts'
import type { Configured } from './fields.ts'

export const TOKEN_ROLES = ['viewer', 'operator', 'editor', 'approver', 'admin'] as const

export const TokenCreate = v.strictObject({
  ...described,
  role: field(v.picklist(TOKEN_ROLES), 'Role'),
  group_id: orNull(field(id, 'Group', 'The role holds for this group alone; none: everywhere.')),
  expires_at: orNull(
    field(v.pipe(v.string(), v.isoTimestamp('Give an ISO time: 2027-01-31T00:00:00Z.')), 'Expires'),
  ),
})
export type TokenCreate = v.InferOutput<typeof TokenCreate>
export const TokenPatch = v.partial(TokenCreate)
export type TokenPatch = v.InferOutput<typeof TokenPatch>
/** As answered: never with its hash. */
export type Token = Configured &
  Omit<TokenCreate, 'expires_at'> & {
    /** The first characters, to tell tokens apart. */
    hint: string
    expires_at: Date | null
    revoked_at: Date | null
    last_used_at: Date | null
  }
