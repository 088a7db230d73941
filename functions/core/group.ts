// A group: tables that run together as one batch. Its table is source_group, since group is a word of SQL.
import * as v from 'valibot'
import { described, field, id, line, orElse, orNull, secretReference, whole } from './fields.ts'
import type { Configured } from './fields.ts'

/** Who is told when a batch fails, and when one succeeds again after that. */
const Notify = v.strictObject({
  url: field(
    v.union(
      [
        v.pipe(line, v.url('Give a URL.'), v.regex(/^https?:\/\//i, 'Give an http or https URL.')),
        secretReference,
      ],
      'Give a URL, or secret://scope/key where the URL itself is secret.',
    ),
    'URL',
    'Gets a POST with JSON. A URL that is itself a secret: secret://scope/key.',
  ),
  on: orElse(
    field(
      v.pipe(
        v.array(v.picklist(['failed', 'recovered', 'warned'])),
        v.minLength(1, 'At least one.'),
      ),
      'When',
    ),
    ['failed', 'recovered'],
  ),
})

const entries = {
  ...described,
  schedule_id: orNull(field(id, 'Schedule', 'When it runs; none: by hand.')),
  compute_profile_id: orNull(field(id, 'Compute', 'On what it runs in a workspace.')),
  max_parallel: orElse(
    field(whole(1, 1000), 'Parallel tables', 'How many steps run at the same time.'),
    4,
  ),
  on_failure: orElse(
    field(
      v.picklist(['stop', 'continue']),
      'On failure',
      'stop: no further step starts. continue: only what depends on the failed step is skipped.',
    ),
    'continue',
  ),
  retries: orElse(
    field(whole(0, 20), 'Retries', 'Of each step, unless its table says otherwise.'),
    2,
  ),
  timeout_s: orNull(
    field(whole(1, 31_536_000), 'Timeout (s)', 'Of an attempt of a step; none: no limit.'),
  ),
  notify: orElse(field(v.array(Notify), 'Notify'), []),
  budget_month: orNull(
    field(
      v.pipe(v.number(), v.finite('A finite number.'), v.minValue(0, 'At least 0.')),
      'Budget of a month',
    ),
  ),
}

export const GroupCreate = v.strictObject(entries)
export type GroupCreate = v.InferOutput<typeof GroupCreate>
export const GroupPatch = v.partial(GroupCreate)
export type GroupPatch = v.InferOutput<typeof GroupPatch>
export type Group = Configured & GroupCreate
