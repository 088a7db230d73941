// SyncJobs: starts what is due. One function for every caller (a timer, a Worker's cron trigger, the API): safe to call twice
// at once, since each due run is claimed in one transaction and the database's clock is the clock.
import { indexMetadata } from '#core/build-plan.ts'
import type { MetadataIndex } from '#core/build-plan.ts'
import { describeError } from '#core/errors.ts'
import type { Schedule } from '#core/schedule.ts'
import { blackoutAt, dueRuns, nextRun } from '#core/schedule-time.ts'
import type { Sql } from '#sql/db.ts'
import { loadMetadata, planFrom } from './metadata.ts'
import { createBatch } from './run.ts'

/** What one round did: batches made, and due runs that were not started, with the reason. */
export type Claimed = {
  batches: { id: string; group: string; environment: string; due_at: string }[]
  skipped: { group: string; environment: string; due_at: string; reason: string }[]
}

type Candidate = {
  group_id: string
  group_name: string
  environment_id: string
  environment: string
  schedule: Schedule
  next_run_at: Date | null
  last_due_at: Date | null
  known_version: number | null
}

/**
 * Makes a batch for every schedule that is due, once however many processes ask. Misfires, overlaps and blackouts are decided
 * here; nothing is run. `now` is for tests; else the database's clock.
 */
export async function claimDue(
  sql: Sql,
  options: { now?: Date; by?: string } = {},
): Promise<Claimed> {
  const claimed: Claimed = { batches: [], skipped: [] }
  const [clock] = await sql<{ now: Date }[]>`select now() as now`
  const now = options.now ?? clock!.now
  const candidates = await sql<Candidate[]>`
    select
      g.id as group_id,
      g.name as group_name,
      e.id as environment_id,
      e.name as environment,
      to_jsonb(s) as schedule,
      t.next_run_at,
      t.last_due_at,
      t.schedule_version as known_version
    from config.source_group g
    join config.schedule s on s.id = g.schedule_id
    join config.environment e on e.engine in ('local', 'spark') and not e.schedules_paused
    left join logging.schedule_state t
      on t.group_id = g.id and t.environment_id = e.id and t.schedule_id = s.id
    where s.kind = 'cron' and s.fired_by = 'lakeforge' and not s.paused
      and (t.group_id is null or t.schedule_version <> s.version or t.next_run_at <= ${now})
  `
  let index: { metadata: MetadataIndex; version: string } | undefined
  for (const candidate of candidates) {
    const { schedule, group_id, environment_id } = candidate
    if (candidate.known_version !== schedule.version) {
      await firstLook(sql, candidate, now)
      continue
    }
    if (index === undefined) {
      const metadata = await loadMetadata(
        sql,
        candidates.map((each) => each.group_id),
      )
      index = { metadata: indexMetadata(metadata), version: metadata.version }
    }
    const due = candidate.next_run_at!
    const { fire, missed } = dueRuns(
      schedule,
      candidate.last_due_at ?? new Date(due.getTime() - 1000),
      now,
      group_id,
    )
    const following = nextRun(schedule, now, group_id)
    const skip = (reason: string) =>
      claimed.skipped.push({
        group: candidate.group_name,
        environment: candidate.environment,
        due_at: due.toISOString(),
        reason,
      })
    try {
      const planned = await planFrom(index.metadata, index.version, group_id)
      await sql.begin(async (tx) => {
        const [mine] = await tx`
          select from logging.schedule_state
          where group_id = ${group_id} and environment_id = ${environment_id} and next_run_at = ${due}
          for update skip locked
        `
        if (!mine) return
        const [open] = await tx`
          select from logging.batch_run
          where group_id = ${group_id} and environment_id = ${environment_id} and finished_at is null
          limit 1
        `
        let batch_id: string | null = null
        // A blackout has begun since it was due: it is looked at again at the window's end
        const held = fire === null && missed === 0
        if (fire === null && missed > 0) skip(`missed ${missed} runs, and its schedule skips them`)
        else if (fire !== null && open && schedule.overlap === 'skip')
          skip('the group was still running')
        else if (fire !== null) {
          const batch = await createBatch(tx, planned, {
            environment_id,
            trigger: 'schedule',
            requested_by: `schedule:${schedule.name}`,
            due_at: fire,
            schedule_id: schedule.id,
          })
          batch_id = batch.id
          claimed.batches.push({
            id: batch.id,
            group: candidate.group_name,
            environment: candidate.environment,
            due_at: fire.toISOString(),
          })
        }
        await tx`
          update logging.schedule_state set
            next_run_at = ${held ? (blackoutAt(schedule, now) ?? following) : following},
            last_due_at = ${held ? candidate.last_due_at : now},
            last_batch_id = coalesce(${batch_id}, last_batch_id),
            claimed_at = ${now},
            claimed_by = ${options.by ?? 'lakeforge'}
          where group_id = ${group_id} and environment_id = ${environment_id}
        `
      })
    } catch (error) {
      // One group that can't be planned must not keep the others from running; it is due again in the next round
      skip(describeError(error).message)
    }
  }
  return claimed
}

/** A schedule that is new or has changed counts from now: what it would have fired before is not made up for. */
async function firstLook(sql: Sql, candidate: Candidate, now: Date): Promise<void> {
  const { schedule, group_id, environment_id } = candidate
  await sql`
    insert into logging.schedule_state ${sql({
      group_id,
      environment_id,
      schedule_id: schedule.id,
      schedule_version: schedule.version,
      next_run_at: nextRun(schedule, now, group_id),
      last_due_at: now,
    })}
    on conflict (group_id, environment_id) do update set
      schedule_id = excluded.schedule_id,
      schedule_version = excluded.schedule_version,
      next_run_at = excluded.next_run_at,
      last_due_at = excluded.last_due_at
    where schedule_state.schedule_id <> excluded.schedule_id
      or schedule_state.schedule_version <> excluded.schedule_version
  `
}
