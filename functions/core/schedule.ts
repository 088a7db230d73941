// A schedule: when groups run.
import * as v from 'valibot'
import { parseCron } from './cron.ts'
import { LakeForgeError } from './errors.ts'
import { described, checked, field, line, orElse, orNull, whole } from './fields.ts'
import type { Configured, Fault } from './fields.ts'
import { Blackout } from './schedule-time.ts'
import { checkTimezone } from './timezone.ts'

const entries = {
  ...described,
  kind: orElse(
    field(
      v.picklist(['cron', 'file_arrival', 'table_update']),
      'Kind',
      'By the clock, when files arrive, or when tables change.',
    ),
    'cron',
  ),
  quartz_cron: orNull(
    field(line, 'Cron', 'Quartz: seconds minutes hours day month weekday [year].', {
      placeholder: '0 0 6 * * ?',
    }),
  ),
  timezone: orElse(
    field(
      v.pipe(v.string(), v.check(isTimezone, 'Use an id of the IANA list: Europe/Berlin, UTC.')),
      'Time zone',
    ),
    'UTC',
  ),
  watch: orElse(
    field(v.array(line), 'Watched', 'Folders or tables whose change starts a run.'),
    [],
  ),
  paused: orElse(field(v.boolean(), 'Paused'), false),
  misfire: orElse(
    field(
      v.picklist(['skip', 'run_once']),
      'Missed runs',
      'Runs that were due while nothing could start them: skip all, or run once for all.',
    ),
    'run_once',
  ),
  overlap: orElse(
    field(
      v.picklist(['queue', 'skip']),
      'Overlap',
      'A run that is due while the group still runs: queue it, or skip it.',
    ),
    'skip',
  ),
  blackouts: orElse(field(v.array(Blackout), 'Blackouts', 'Times in which no run starts.'), []),
  jitter_s: orElse(
    field(whole(0, 86_400), 'Jitter (s)', 'Each run starts up to so much later, by chance.'),
    0,
  ),
  fired_by: orElse(
    field(
      v.picklist(['lakeforge', 'workspace']),
      'Fired by',
      'workspace: the schedule of the job itself, also while LakeForge is down.',
    ),
    'lakeforge',
  ),
}
const Plain = v.strictObject(entries)

export const ScheduleCreate = checked(Plain, scheduleFaults)
export type ScheduleCreate = v.InferOutput<typeof ScheduleCreate>
export const SchedulePatch = v.partial(Plain)
export type SchedulePatch = v.InferOutput<typeof SchedulePatch>
export type Schedule = Configured & ScheduleCreate

function* scheduleFaults(schedule: v.InferOutput<typeof Plain>): Generator<Fault> {
  if (schedule.kind === 'cron') {
    if (schedule.quartz_cron === null) {
      yield { path: ['quartz_cron'], message: 'A cron schedule needs its expression.' }
    } else {
      const field = wrongCronField(schedule.quartz_cron)
      if (field)
        yield { path: ['quartz_cron'], message: `Not a Quartz expression: see its ${field}.` }
    }
    if (schedule.watch.length > 0) {
      yield { path: ['watch'], message: 'A cron schedule watches nothing.' }
    }
  } else {
    if (schedule.quartz_cron !== null) {
      yield { path: ['quartz_cron'], message: 'Only a cron schedule has an expression.' }
    }
    if (schedule.watch.length === 0) {
      yield { path: ['watch'], message: 'Say what to watch.' }
    }
  }
  // A job's own schedule knows none of these
  if (schedule.fired_by === 'workspace') {
    const message = 'The schedule of a job has no such rule: use fired_by lakeforge.'
    if (schedule.blackouts.length > 0) yield { path: ['blackouts'], message }
    if (schedule.jitter_s > 0) yield { path: ['jitter_s'], message }
    if (schedule.misfire === 'run_once') yield { path: ['misfire'], message }
  }
}

function wrongCronField(expression: string): string | null {
  try {
    parseCron(expression)
    return null
  } catch (error) {
    if (error instanceof LakeForgeError) return String(error.detail.field ?? 'fields')
    throw error
  }
}

function isTimezone(timezone: string): boolean {
  try {
    checkTimezone(timezone)
    return true
  } catch (error) {
    if (error instanceof LakeForgeError) return false
    throw error
  }
}
