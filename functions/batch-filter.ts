// Which batches a list, a count, a bulk action speak of: one filter for all of them.
import * as v from 'valibot'
import { STATES, TRIGGERS } from '#core/batch.ts'
import type { Db } from '#sql/db.ts'

const word = v.optional(v.pipe(v.string(), v.maxLength(200)))
const words = v.optional(v.pipe(v.string(), v.maxLength(2000)))
const time = v.optional(
  v.pipe(v.string(), v.isoTimestamp('Give an ISO time: 2027-01-31T00:00:00Z.')),
)

/** `group`, `state` and `trigger` name several with commas; `not_…` leaves those out. */
export const BATCH_FILTER = {
  group: words,
  not_group: words,
  environment: word,
  state: words,
  not_state: words,
  trigger: words,
  not_trigger: words,
  code: word,
  /** `true`: only batches with a warning in some step. */
  warned: v.optional(v.picklist(['true', 'false'])),
  /** Batches that ran at some moment from `from` on, and before `to`. */
  from: time,
  to: time,
}
const Filter = v.object(BATCH_FILTER)
export type BatchFilter = v.InferOutput<typeof Filter>

/** Conditions on `logging.batch_run b`, each beginning with `and`. Unknown states and triggers match nothing. */
export function matchingBatches(sql: Db, filter: BatchFilter) {
  const groups = list(filter.group)
  const not_groups = list(filter.not_group)
  const states = list(filter.state, STATES)
  const not_states = list(filter.not_state, STATES)
  const triggers = list(filter.trigger, TRIGGERS)
  const not_triggers = list(filter.not_trigger, TRIGGERS)
  return sql`
    ${groups ? sql`and (b.group_name = any (${groups}) or b.group_id::text = any (${groups}))` : sql``}
    ${not_groups ? sql`and b.group_name <> all (${not_groups}) and b.group_id::text <> all (${not_groups})` : sql``}
    ${filter.environment ? sql`and b.environment = ${filter.environment}` : sql``}
    ${states ? sql`and b.state = any (${states})` : sql``}
    ${not_states ? sql`and b.state <> all (${not_states})` : sql``}
    ${triggers ? sql`and b.trigger = any (${triggers})` : sql``}
    ${not_triggers ? sql`and b.trigger <> all (${not_triggers})` : sql``}
    ${filter.code ? sql`and b.error_code = ${filter.code}` : sql``}
    ${filter.warned ? sql`and b.warned = ${filter.warned === 'true'}` : sql``}
    ${filter.from ? sql`and coalesce(b.finished_at, now()) >= ${filter.from}::timestamptz` : sql``}
    ${filter.to ? sql`and b.created_at < ${filter.to}::timestamptz` : sql``}
  `
}

export type Facets = Record<
  'group' | 'state' | 'trigger',
  { value: string; label: string; count: number }[]
>

/** How many batches each group, state and trigger has; each counted under the others' filters, so that a choice can be changed. */
export async function batchFacets(sql: Db, filter: BatchFilter): Promise<Facets> {
  const without = (...names: (keyof BatchFilter)[]) =>
    matchingBatches(
      sql,
      Object.fromEntries(
        Object.entries(filter).filter(([name]) => !names.includes(name as keyof BatchFilter)),
      ) as BatchFilter,
    )
  const group = await sql<Facets['group']>`
    select b.group_id::text as value, max(b.group_name) as label, count(*)::integer as count
    from logging.batch_run b where true ${without('group', 'not_group')}
    group by 1 order by 3 desc, 2 limit 100
  `
  const state = await sql<Facets['state']>`
    select b.state as value, b.state as label, count(*)::integer as count
    from logging.batch_run b where true ${without('state', 'not_state')} group by 1 order by 3 desc
  `
  const trigger = await sql<Facets['trigger']>`
    select b.trigger as value, b.trigger as label, count(*)::integer as count
    from logging.batch_run b where true ${without('trigger', 'not_trigger')} group by 1 order by 3 desc
  `
  return { group: [...group], state: [...state], trigger: [...trigger] }
}

/** The named ones, those known; null for none named. */
function list(text: string | undefined, known?: readonly string[]): string[] | null {
  if (text === undefined || text === '') return null
  const named = text.split(',').filter((each) => each !== '')
  return known ? named.filter((each) => known.includes(each)) : named
}
