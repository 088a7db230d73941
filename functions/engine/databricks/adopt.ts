// Taking a change that was made in the workspace over into the metadata, where the metadata has a word for it.
import { fail } from '#core/errors.ts'
import type { Sql } from '#sql/db.ts'
import type { Action } from './sync-plan.ts'

/** Job field -> column of the group's schedule. */
const OF_SCHEDULE: Record<
  string,
  { column: string; value: (of: unknown) => string | boolean | null }
> = {
  'schedule.quartz_cron_expression': {
    column: 'quartz_cron',
    value: (of) => (typeof of === 'string' ? of : null),
  },
  'schedule.timezone_id': {
    column: 'timezone',
    value: (of) => (typeof of === 'string' ? of : null),
  },
  'schedule.pause_status': { column: 'paused', value: (of) => of === 'PAUSED' },
}

/**
 * Writes the drift of a job into its group's schedule, as `actor`, in one transaction: all of it or none.
 * @throws sync_drift_foreign naming a field that the metadata has no word for
 */
export async function adoptDrift(sql: Sql, action: Action, actor: string): Promise<void> {
  const patch: Record<string, string | boolean> = {}
  for (const { path, before } of action.drift) {
    const entry = action.kind === 'job' ? OF_SCHEDULE[path] : undefined
    const value = entry?.value(before)
    if (!entry || value === null || value === undefined) return fail('sync_drift_foreign', { path })
    patch[entry.column] = value
  }
  await sql.begin(async (tx) => {
    await tx`select set_config('lakeforge.actor', ${actor}, true)`
    const changed = await tx`
      update config.schedule s set ${tx(patch)}
      from config.source_group g
      where g.schedule_id = s.id and g.name = ${action.key}
      returning s.id
    `
    if (changed.length !== 1)
      fail('sync_drift_foreign', { path: action.drift[0]?.path ?? action.name })
  })
}
