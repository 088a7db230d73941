// What a group costs in a month: its schedule, how long its batches take, what an hour of its compute costs. An estimate, and said so.
import { nextRuns, parseCron } from '#core/cron.ts'
import type { Sql } from '#sql/db.ts'
import type { GroupInput } from './specs.ts'

export type Cost = {
  group: string
  /** Runs in 30 days; null where no clock starts them. */
  runs: number | null
  hours_of_a_run: number
  /** Whether the hours were measured in this environment, or assumed. */
  measured: boolean
  hourly_cost: number | null
  month: number | null
  budget: number | null
  over_budget: boolean
}

/** Of a group that has never run there. */
const ASSUMED_HOURS = 0.25
const MONTH_MS = 30 * 86_400_000
const MOST_RUNS = 50_000

export async function estimate(
  sql: Sql,
  groups: readonly GroupInput[],
  environment_id: string,
): Promise<Cost[]> {
  const measured = await sql<{ group_id: string; hours: number }[]>`
    select group_id, (avg(extract(epoch from finished_at - started_at)) / 3600)::float8 as hours
    from logging.batch_run
    where environment_id = ${environment_id} and state = 'succeeded' and started_at is not null
      and finished_at > now() - interval '90 days'
    group by group_id
  `
  const hours = new Map(measured.map((each) => [each.group_id, each.hours]))
  return groups.map((each) => costOf(each, hours.get(each.group.id) ?? null))
}

/** `hours`: measured; null: none yet. */
export function costOf(
  { group, schedule, compute }: Pick<GroupInput, 'group' | 'schedule' | 'compute'>,
  hours: number | null,
): Cost {
  const runs =
    schedule?.kind === 'cron' && !schedule.paused
      ? runsOfMonth(schedule.quartz_cron!, schedule.timezone)
      : null
  const hours_of_a_run = hours ?? ASSUMED_HOURS
  const month =
    runs === null || compute.hourly_cost === null
      ? null
      : runs * hours_of_a_run * compute.hourly_cost
  return {
    group: group.name,
    runs,
    hours_of_a_run,
    measured: hours !== null,
    hourly_cost: compute.hourly_cost,
    month,
    budget: group.budget_month,
    over_budget: month !== null && group.budget_month !== null && month > group.budget_month,
  }
}

function runsOfMonth(expression: string, timezone: string): number {
  const cron = parseCron(expression)
  const from = Date.UTC(2026, 0, 1)
  const few = nextRuns(cron, timezone, new Date(from - 1000), 200)
  const inside = few.filter((at) => at.getTime() < from + MONTH_MS)
  if (few.length < 200 || inside.length < few.length) return inside.length
  // Many: the first two hundred say how dense they lie
  const span = few.at(-1)!.getTime() - few[0]!.getTime()
  return Math.min(
    MOST_RUNS,
    span === 0 ? few.length : Math.round(((few.length - 1) * MONTH_MS) / span),
  )
}
