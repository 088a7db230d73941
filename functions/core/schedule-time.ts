// When a schedule starts its group: the cron's fire times, moved or dropped by blackout windows, spread by jitter, and what
// becomes of runs that nobody was there to start. Pure: the clock is an argument; instants inside are milliseconds.
import * as v from 'valibot'
import { clockChanges, describeCron, nextRuns, parseCron } from './cron.ts'
import type { Cron } from './cron.ts'
import { checkTimezone, instantsOf, localText, wallAt } from './timezone.ts'

/** As `Date.getUTCDay()` counts. */
const WEEKDAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] as const

const Action = v.pipe(
  v.optional(v.picklist(['move', 'skip']), 'move'),
  v.title('Action'),
  v.description('move: the run starts when the window ends, once; skip: it does not run.'),
)

const WallTime = v.pipe(
  v.string(),
  v.regex(/^(?:[01]\d|2[0-3]):[0-5]\d$/, 'a wall time is written HH:MM, 00:00 to 23:59'),
)

const Instant = v.pipe(
  v.string(),
  v.isoTimestamp('an instant is written 2026-12-24T18:00:00Z, or with an offset'),
  v.check((text) => !Number.isNaN(Date.parse(text)), 'there is no such instant'),
)

/** A window of each week in the schedule's zone. `days` are those it begins on; with `to` at or before `from` it ends a day later. */
const WeeklyBlackout = v.strictObject({
  days: v.pipe(v.array(v.picklist(WEEKDAYS)), v.minLength(1, 'name at least one day')),
  from: WallTime,
  to: WallTime,
  action: Action,
})

const OnceBlackout = v.pipe(
  v.strictObject({ from: Instant, to: Instant, action: Action }),
  v.check(
    (window) => Date.parse(window.from) < Date.parse(window.to),
    'the window ends after it begins',
  ),
)

/** A time in which nothing may start, `from` inclusive, `to` exclusive: each week by wall time, or once by instants. */
export const Blackout = v.pipe(
  v.union(
    [WeeklyBlackout, OnceBlackout],
    'a window is {days, from, to, action} each week, or {from, to, action} once',
  ),
  v.title('Blackout window'),
)
export type Blackout = v.InferOutput<typeof Blackout>

/** What of a schedule decides about time. `quartz_cron` is null for the kinds that wait for data. */
export type ScheduleTiming = {
  kind: 'cron' | 'file_arrival' | 'table_update'
  quartz_cron: string | null
  timezone: string
  misfire: 'skip' | 'run_once'
  overlap: 'queue' | 'skip'
  blackouts: readonly Blackout[]
  jitter_s: number
}

export type PreviewedRun = { at_utc: string; local: string; moved_from?: string }
export type SchedulePreview = { description: string; next: PreviewedRun[]; warnings: string[] }

const SECOND = 1000
const DAY = 86_400_000

/** A run that starts this late is still on time: ticks come every few seconds, and a restart takes some. */
const GRACE_MS = 60_000

/** Missed runs are counted up to here: a per-second schedule after a month must not hold the tick. */
const MISSED_COUNTED = 1000

/** So many fires in a row that blackouts skip (13 years of a daily one) are taken for all. */
const SKIPS_FOLLOWED = 5000

/** The fires that a preview looks at for its warnings. */
const FIRES_LOOKED_AT = 500

/** Further than a day no jitter reaches, since windows are looked up by the day. */
const JITTER_MAX_S = 86_400

/**
 * The first start strictly after `after`; null if there is none before 2100 or the schedule doesn't go by time. `seed` is
 * the schedule's id: the same schedule has the same jitter for the same run on every machine.
 * @throws cron_invalid, timezone_unknown
 */
export function nextRun(schedule: ScheduleTiming, after: Date, seed: string): Date | null {
  for (const run of runsAfter(prepare(schedule, seed), after.getTime())) return new Date(run.at)
  return null
}

/**
 * What is to start now, of the starts in `(last_fired, now]`: at most one, the latest, with its start time. `run_once`
 * starts it however late it is, `skip` only within a minute. `missed`: the others, counted up to 1000. Within a blackout
 * nothing is due and nothing missed yet. Unless both are empty, this `now` is the next call's `last_fired`.
 * @throws cron_invalid, timezone_unknown
 */
export function dueRuns(
  schedule: ScheduleTiming,
  last_fired: Date,
  now: Date,
  seed: string,
): { fire: Date | null; missed: number } {
  const timing = prepare(schedule, seed)
  const until = now.getTime()
  if (holding(timing, until).length > 0) return { fire: null, missed: 0 }
  let latest: number | null = null
  let count = 0
  for (const run of runsAfter(timing, last_fired.getTime())) {
    if (run.at > until) break
    latest = run.at
    if (++count <= MISSED_COUNTED) continue
    latest = latestRun(timing, run.base, until)
    break
  }
  if (latest === null) return { fire: null, missed: 0 }
  if (schedule.misfire === 'skip' && until - latest > GRACE_MS)
    return { fire: null, missed: Math.min(count, MISSED_COUNTED) }
  return { fire: new Date(latest), missed: count - 1 }
}

/**
 * When the blackout ends that holds this moment, windows that follow on included; null outside of any. Those that wait for
 * files or tables ask here; a row of windows without an end answers with the end of its last one looked at.
 * @throws timezone_unknown
 */
export function blackoutAt(
  schedule: Pick<ScheduleTiming, 'timezone' | 'blackouts'>,
  at: Date,
): Date | null {
  const timing = windowsOf(schedule)
  let end = at.getTime()
  for (let moves = 0; moves < movesFollowed(timing); moves++) {
    const spans = holding(timing, end)
    if (spans.length === 0) break
    end = Math.max(...spans.map((span) => span.to))
  }
  return end === at.getTime() ? null : new Date(end)
}

/** What a due run does while `unfinished` batches of its group are still pending or running. */
export function onOverlap(
  schedule: Pick<ScheduleTiming, 'overlap'>,
  unfinished: number,
): 'start' | 'queue' | 'skip' {
  return unfinished === 0 ? 'start' : schedule.overlap
}

/**
 * The schedule in words, its next `count` starts, and what people should know before they save it. `local` is like
 * `Sun 2026-03-29 03:00:00 +02:00`; `moved_from` the (first) fire time in UTC that a blackout window moved here.
 * @throws cron_invalid, timezone_unknown
 */
export function previewSchedule(
  schedule: ScheduleTiming,
  now: Date,
  count = 10,
  seed = '',
): SchedulePreview {
  if (schedule.kind === 'file_arrival')
    return { description: 'When new files arrive', next: [], warnings: [] }
  if (schedule.kind === 'table_update')
    return { description: 'When a table that it reads changes', next: [], warnings: [] }
  const timing = prepare(schedule, seed)
  const runs: Run[] = []
  for (const run of runsAfter(timing, now.getTime())) {
    runs.push(run)
    if (runs.length >= count) break
  }
  const jitter = schedule.jitter_s > 0 ? `, up to ${schedule.jitter_s} s later` : ''
  return {
    description: `${describeCron(schedule.quartz_cron ?? '')} (${schedule.timezone})${jitter}`,
    next: runs.map((run) => ({
      at_utc: utc(run.at),
      local: localText(schedule.timezone, new Date(run.at)),
      ...(run.fire < run.base && { moved_from: utc(run.fire) }),
    })),
    warnings: warnings(timing, now, runs),
  }
}

/** A start: `fire` is the cron's time, `base` the same or the end of the blackout that held it, `at` is base plus jitter. */
type Run = { fire: number; base: number; at: number }

type Span = { from: number; to: number; action: 'move' | 'skip' }

type Windows = {
  timezone: string
  weekly: { weekday: number; from: number; to: number; action: 'move' | 'skip' }[]
  once: Span[]
}

/** A schedule made ready for many questions. `cron` is null where time decides nothing. */
type Timing = Windows & { cron: Cron | null; jitter_s: number; seed: string }

function prepare(schedule: ScheduleTiming, seed: string): Timing {
  return {
    ...windowsOf(schedule),
    cron: schedule.kind === 'cron' ? parseCron(schedule.quartz_cron ?? '') : null,
    jitter_s: Math.min(schedule.jitter_s, JITTER_MAX_S),
    seed,
  }
}

function windowsOf(schedule: Pick<ScheduleTiming, 'timezone' | 'blackouts'>): Windows {
  const windows: Windows = { timezone: checkTimezone(schedule.timezone), weekly: [], once: [] }
  for (const window of schedule.blackouts) {
    const { action } = window
    if ('days' in window) {
      const from = wallTime(window.from)
      const until = wallTime(window.to)
      const to = until > from ? until : until + DAY
      for (const day of new Set(window.days))
        windows.weekly.push({ weekday: WEEKDAYS.indexOf(day), from, to, action })
    } else windows.once.push({ from: Date.parse(window.from), to: Date.parse(window.to), action })
  }
  return windows
}

/** The starts after `after`, in order, without end: the caller stops. */
function* runsAfter(timing: Timing, after: number): Generator<Run> {
  // The latest base at or before `after` may still be waiting for its jitter.
  let run: Run | null = null
  if (timing.jitter_s > 0) {
    const base = latestBase(timing, after - timing.jitter_s * SECOND, after)
    if (base && withJitter(timing, base).at > after) run = withJitter(timing, base)
  }
  if (!run) run = nextBase(timing, after)
  while (run) {
    const started: Run = withJitter(timing, run)
    yield started
    run = nextBase(timing, started.base)
  }
}

/**
 * The first fire strictly after `after` once windows have had their say; `at` is still its base. Fires that one window holds
 * become one run at its end. Null if there is none, or if no fire up to `until` makes one.
 */
function nextBase(timing: Timing, after: number, until = Infinity): Run | null {
  const { cron, timezone } = timing
  if (!cron) return null
  // A fire before `after` may be moved behind it.
  const held = heldSince(timing, after)
  let cursor = held === null ? after : held - 1
  for (let skips = 0; skips < SKIPS_FOLLOWED; skips++) {
    const fire = nextRuns(cron, timezone, new Date(cursor), 1)[0]?.getTime()
    if (fire === undefined || fire > until) return null
    const base = settle(timing, fire)
    if (base === 'never') return null
    if (base !== 'skipped' && base > after) return { fire, base, at: base }
    // Until the next window begins or ends, fires share this one's fate.
    cursor = base === 'skipped' ? nextEdge(timing, fire) - 1 : fire
  }
  return null
}

/** The latest base in `(since, until]`, found by halving since nextBase only rises; null if there is none. */
function latestBase(timing: Timing, since: number, until: number): Run | null {
  let found = nextBase(timing, since, until)
  if (!found || found.base > until) return null
  let beyond = until
  while (beyond - found.base > 1) {
    const middle = found.base + Math.floor((beyond - found.base) / 2)
    const run = nextBase(timing, middle, until)
    if (run && run.base <= until) found = run
    else beyond = middle
  }
  return found
}

/** The latest start at or before `until`, which is at or after the start of the base `since`. */
function latestRun(timing: Timing, since: number, until: number): number {
  const last = latestBase(timing, since - 1, until)!
  const run = withJitter(timing, last)
  if (run.at <= until) return run.at
  return withJitter(timing, latestBase(timing, since - 1, last.base - 1)!).at
}

/** Adds the jitter: whole seconds from 0 to `jitter_s`, short of the next fire and of the next blackout. */
function withJitter(timing: Timing, run: Run): Run {
  const { cron, timezone, jitter_s, seed } = timing
  if (jitter_s <= 0 || !cron) return run
  const limits = spansAround(timing, run.base).map((span) => span.from)
  const next = nextRuns(cron, timezone, new Date(run.base), 1)[0]
  if (next) limits.push(next.getTime())
  const room = Math.min(...limits.filter((limit) => limit > run.base)) - run.base
  const longest = Math.min(jitter_s, Math.ceil(room / SECOND) - 1)
  const jitter = hash(`${seed} ${utc(run.base)}`) % (longest + 1)
  return { ...run, at: run.base + jitter * SECOND }
}

/** Where a fire ends up: itself outside of windows, else the end of those that hold it and of those that hold that end. */
function settle(timing: Windows, fire: number): number | 'skipped' | 'never' {
  let at = fire
  for (let moves = 0; moves < movesFollowed(timing); moves++) {
    const spans = holding(timing, at)
    if (spans.length === 0) return at
    if (spans.some((span) => span.action === 'skip')) return 'skipped'
    at = Math.max(...spans.map((span) => span.to))
  }
  return 'never'
}

/** The start of the unbroken row of moving windows that holds `at`; null when none does. */
function heldSince(timing: Windows, at: number): number | null {
  let since: number | null = null
  for (let moves = 0; moves < movesFollowed(timing); moves++) {
    const end: number = since ?? at
    const spans = spansAround(timing, end).filter(
      (span) =>
        span.action === 'move' &&
        (since === null ? holds(span, end) : span.from < end && end <= span.to),
    )
    if (spans.length === 0) return since
    since = Math.min(...spans.map((span) => span.from))
  }
  return since
}

/** Three weeks of windows one after another: whoever is still held then never gets out. */
function movesFollowed(timing: Windows): number {
  return timing.once.length + 3 * timing.weekly.length + 2
}

function nextEdge(timing: Windows, at: number): number {
  const edges = spansAround(timing, at).flatMap((span) => [span.from, span.to])
  return Math.min(...edges.filter((edge) => edge > at))
}

/** The windows as instants: all single ones, and the weekly ones that begin within two days of `at`. */
function spansAround(timing: Windows, at: number): Span[] {
  const spans = [...timing.once]
  if (timing.weekly.length === 0) return spans
  const today = Math.floor(wallAt(timing.timezone, at) / DAY) * DAY
  for (let date = today - 2 * DAY; date <= today + 2 * DAY; date += DAY) {
    const weekday = new Date(date).getUTCDay()
    for (const window of timing.weekly) {
      if (window.weekday !== weekday) continue
      const from = edge(timing.timezone, date + window.from, 'first')
      const to = edge(timing.timezone, date + window.to, 'last')
      if (from < to) spans.push({ from, to, action: window.action })
    }
  }
  return spans
}

/** A window's wall time as an instant. One that comes twice widens the window; a missing one is the moment of the jump. */
function edge(timezone: string, wall: number, which: 'first' | 'last'): number {
  const { instants, gap_ends_wall } = instantsOf(timezone, wall)
  const found = instants.at(which === 'first' ? 0 : -1)
  return found ?? instantsOf(timezone, gap_ends_wall!).instants[0]!
}

function holding(timing: Windows, at: number): Span[] {
  return spansAround(timing, at).filter((span) => holds(span, at))
}

function holds(span: Span, at: number): boolean {
  return span.from <= at && at < span.to
}

function warnings(timing: Timing, now: Date, runs: Run[]): string[] {
  const { cron, timezone } = timing
  const found: string[] = []
  const fires = nextRuns(cron!, timezone, now, FIRES_LOOKED_AT)
  const last = runs.at(-1)
  if (fires.length === 0) found.push('The expression names no time from now on: nothing starts.')
  else if (!last) found.push('Every run falls in a blackout window: nothing starts.')
  else {
    const skipped = fires.filter(
      (fire) => fire.getTime() <= last.base && settle(timing, fire.getTime()) === 'skipped',
    )
    if (skipped.length > 0)
      found.push(
        `Blackout windows skip ${skipped.length === 1 ? 'the run' : `${skipped.length} runs, the first`} at ${localText(timezone, skipped[0]!)}.`,
      )
  }
  const gaps = fires.slice(1).map((fire, index) => fire.getTime() - fires[index]!.getTime())
  const shortest = Math.min(...gaps)
  if (shortest < 10 * SECOND)
    found.push('Databricks leaves at least 10 seconds between two scheduled runs of a job.')
  if (timing.jitter_s * SECOND >= shortest)
    found.push(
      `The jitter of ${timing.jitter_s} s is cut where the next run comes sooner (${shortest / SECOND} s).`,
    )
  const until = new Date(now.getTime() + 400 * DAY)
  for (const change of clockChanges(cron!, timezone, now, until).slice(0, 3))
    found.push(change.text)
  return found
}

/** An even 32-bit spread of any text (FNV-1a with Murmur's last mix): not a secret, and the same on every runtime. */
function hash(text: string): number {
  let state = 0x811c9dc5
  for (let i = 0; i < text.length; i++) state = Math.imul(state ^ text.charCodeAt(i), 0x01000193)
  state = Math.imul(state ^ (state >>> 16), 0x85ebca6b)
  state = Math.imul(state ^ (state >>> 13), 0xc2b2ae35)
  return (state ^ (state >>> 16)) >>> 0
}

function wallTime(text: string): number {
  return (Number(text.slice(0, 2)) * 60 + Number(text.slice(3))) * 60 * SECOND
}

function utc(at: number): string {
  return new Date(at).toISOString()
}
