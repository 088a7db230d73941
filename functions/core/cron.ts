// Quartz cron, strictly: what Databricks and the Quartz scheduler (2.3.2) answer for an expression, and nothing they would
// refuse or silently misread. A parsed Cron is plain data; the search knows wall time only, timezone.ts knows clocks.
//
// The search is our own: once the fields are lists of numbers it is a walk over days. croner reads numeric weekdays, years,
// ranges over the end (22-2), L-3 and clock changes otherwise than Quartz, and goes second by second over missing times.
// The tests ask it as an independent witness where the two agree.
import { toString as describe } from 'cronstrue'
import { fail } from './errors.ts'
import { checkTimezone, clockChangesBetween, instantsOf, localText, wallAt } from './timezone.ts'

/** Which days of a month fire. Weekdays count as in Quartz: 1 is Sunday, 7 Saturday. */
export type CronDays =
  | { kind: 'days'; days: number[] }
  | { kind: 'weekdays'; weekdays: number[] }
  /** `before` days before the month's last (0 to 30); `workday`: the nearest Monday-Friday, never leaving the month */
  | { kind: 'last'; before: number; workday: boolean }
  | { kind: 'nearest_workday'; day: number }
  | { kind: 'last_weekday'; weekday: number }
  | { kind: 'nth_weekday'; weekday: number; nth: number }

/** A parsed expression: the values at which it fires, each list ascending. `fields`: the six or seven as written, upper case. */
export type Cron = {
  fields: string[]
  seconds: number[]
  minutes: number[]
  hours: number[]
  months: number[]
  years: number[]
  days: CronDays
}

/** A day on which a wall time of the schedule is missing (`skipped`) or comes twice (`late`: fires the second time). */
export type ClockWarning = { at: Date; kind: 'skipped' | 'late'; text: string }

type Field = {
  name: string
  min: number
  max: number
  /** The largest step that Quartz takes in this field. */
  max_step: number
  names: readonly string[]
  allowed: string
}

const MONTHS = 'JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC'.split(' ')
const WEEKDAYS = 'SUN MON TUE WED THU FRI SAT'.split(' ')
const LISTS = 'with lists (1,5), ranges (1-5) and steps (2/5)'

function field(name: string, min: number, max: number, allowed: string, names: string[] = []) {
  return { name, min, max, max_step: max, names, allowed } satisfies Field
}

const SECONDS = field('seconds', 0, 59, `0-59 ${LISTS}, or *`)
const MINUTES = field('minutes', 0, 59, `0-59 ${LISTS}, or *`)
const HOURS = field('hours', 0, 23, `0-23 ${LISTS}, or *`)
const DAY_OF_MONTH = field(
  'day of month',
  1,
  31,
  `1-31 ${LISTS}, or alone one of *, ?, L, L-3, LW, 15W, L-3W`,
)
const MONTH = field('month', 1, 12, `1-12 ${LISTS}, JAN-DEC, or *`, MONTHS)
const DAY_OF_WEEK = field(
  'day of week',
  1,
  7,
  `1-7 (1 is Sunday) ${LISTS}, SUN-SAT, or alone one of *, ?, L, 6L, FRIL, 6#3, FRI#3`,
  WEEKDAYS,
)
/** Quartz counts year steps from 1970 and any step goes. */
const YEAR: Field = {
  ...field('year', 1970, 2099, '1970-2099 with lists, ranges and steps, or *'),
  max_step: 2 ** 31 - 1,
}

const SECOND = 1000
const DAY = 86_400_000

/** Before this instant Quartz's years haven't begun. */
const FIRST = Date.UTC(1970, 0, 1)
/** No zone's wall clock shows a year before 2100 any more. */
const BEYOND = Date.UTC(2100, 0, 2)

/**
 * Parses a Quartz expression: six or seven fields, exactly one of the day fields `?`.
 * @throws cron_invalid naming the field, its value and what is allowed there
 */
export function parseCron(expression: string): Cron {
  // Quartz separates by spaces and tabs only, then trims each field of whatever control characters it holds.
  const fields = expression
    .toUpperCase()
    .split(/[ \t]+/)
    .map((part) => part.replace(/^[\0- ]+|[\0- ]+$/g, ''))
  if (fields[0] === '') fields.shift()
  if (fields.at(-1) === '') fields.pop()
  const [seconds, minutes, hours, dayOfMonth, month, dayOfWeek, year] = fields
  if (fields.length > 7 || dayOfWeek === undefined)
    invalid(
      'number of fields',
      String(fields.length),
      `six or seven (seconds, minutes, hours, day of month, month, day of week, year)${quartzHint(expression)}`,
    )
  if ((dayOfMonth === '?') === (dayOfWeek === '?'))
    invalid(
      'day of month and day of week',
      `${dayOfMonth} ${dayOfWeek}`,
      'exactly one of the two is ?, the other says the days',
    )
  return {
    fields,
    seconds: values(SECONDS, seconds!),
    minutes: values(MINUTES, minutes!),
    hours: values(HOURS, hours!),
    days: dayOfWeek === '?' ? monthDays(dayOfMonth!) : weekDays(dayOfWeek),
    months: values(MONTH, month!),
    years: values(YEAR, year ?? '*'),
  }
}

/**
 * The fire times strictly after `after` (its milliseconds are ignored, as in Quartz), in order: at most `count`, fewer when
 * the schedule ends; nothing after the year 2099. Clock changes as in Quartz: a missing wall time is skipped, one that
 * comes twice fires the second time only. `after` itself is read as a wall time.
 * @throws timezone_unknown
 */
export function nextRuns(cron: Cron, timezone: string, after: Date, count: number): Date[] {
  checkTimezone(timezone)
  const runs: Date[] = []
  const start = Math.max(Math.floor(after.getTime() / SECOND) * SECOND, FIRST - SECOND) + SECOND
  if (start >= BEYOND) return runs
  let wall = wallAt(timezone, start)
  while (runs.length < count) {
    const next = nextWall(cron, wall)
    if (next === null) break
    const { instants, gap_ends_wall } = instantsOf(timezone, next)
    const at = instants.at(-1)
    if (at !== undefined) runs.push(new Date(at))
    // Jump over a gap: walking it would take hours for an expression that names only missing times.
    wall = at === undefined && gap_ends_wall !== null ? gap_ends_wall : next + SECOND
  }
  return runs
}

/**
 * The clock changes in `(after, until]` that touch the schedule, in order; `at` is the instant of the change.
 * @throws timezone_unknown
 */
export function clockChanges(
  cron: Cron,
  timezone: string,
  after: Date,
  until: Date,
): ClockWarning[] {
  checkTimezone(timezone)
  const from = Math.max(after.getTime(), FIRST)
  const to = Math.min(until.getTime(), BEYOND)
  return clockChangesBetween(timezone, from, to).flatMap((change): ClockWarning[] => {
    const at = new Date(change.at)
    const start = change.at + Math.min(change.before, change.after)
    const end = change.at + Math.max(change.before, change.after)
    const first = nextWall(cron, start)
    if (first === null || first >= end) return []
    const second = nextWall(cron, first + SECOND)
    const many = second !== null && second < end
    const runs = many ? `the runs from ${clock(first)} on` : `the run at ${clock(first)}`
    const clocks = `In ${timezone} the clocks go from ${clock(change.at + change.before)} to ${clock(change.at + change.after)} on ${day(change.at + change.before)}:`
    if (change.after > change.before) {
      const text = `${clocks} ${runs} ${many ? 'are' : 'is'} skipped, since ${many ? 'those times do' : 'that time does'} not exist.`
      return [{ at, kind: 'skipped', text }]
    }
    const late = localText(timezone, new Date(instantsOf(timezone, first).instants.at(-1)!))
    const text = `${clocks} ${runs} come${many ? '' : 's'} late, at the second pass of the hour (${late}), and only once.`
    return [{ at, kind: 'late', text }]
  })
}

/**
 * The expression in words, e.g. *At 02:30, only on Sunday*.
 * @throws cron_invalid
 */
export function describeCron(expression: string): string {
  const cron = parseCron(expression)
  const [, , , dayOfMonth, , dayOfWeek, year] = cron.fields
  // cronstrue knows no L-3W, and reads a step that does not divide its cycle as if it went on over the end: it gets the
  // values instead, wherever a step could mislead.
  const offset = /^L-0*(\d+)W$/.exec(dayOfMonth!)
  const plain = [
    plainSteps(SECONDS, cron.fields[0]!),
    plainSteps(MINUTES, cron.fields[1]!),
    plainSteps(HOURS, cron.fields[2]!),
    offset ? 'LW' : /^L-0+$/.test(dayOfMonth!) ? 'L' : plainSteps(DAY_OF_MONTH, dayOfMonth!),
    plainSteps(MONTH, cron.fields[4]!),
    plainSteps(DAY_OF_WEEK, dayOfWeek!),
    ...(year === undefined || year === '*' ? [] : [plainSteps(YEAR, year)]),
  ]
  const text = describe(plain.join(' '), {
    dayOfWeekStartIndexZero: false,
    use24HourTimeFormat: true,
  })
  if (!offset || offset[1] === '0') return text
  return text.replace(
    'on the last weekday of the month',
    `on the weekday nearest to ${offset[1]} days before the last day of the month`,
  )
}

/** The values of a field of plain values, ranges and steps. */
function values(field: Field, text: string): number[] {
  if (text === '*') return range(field, field.min, field.max, 1)
  const found = text.split(',').flatMap((item) => {
    const [from, to, step] = bounds(field, item) ?? refuse(field, text)
    return range(field, from, to, step)
  })
  return [...new Set(found)].sort((a, b) => a - b)
}

// One item of a list as from, to, step: 5, 1-5, MON-FRI, */5, /5, 2/5, 1-5/2. Null if it is none of them.
function bounds(field: Field, item: string): [from: number, to: number, step: number] | null {
  const named = /^([A-Z]{3})(?:-([A-Z]{3}))?$/.exec(item)
  if (named) {
    const from = field.names.indexOf(named[1]!)
    const to = named[2] ? field.names.indexOf(named[2]) : from
    return from < 0 || to < 0 ? null : [from + 1, to + 1, 1]
  }
  const found = /^(?:\*(?=\/)|(\d+)(?:-(\d+))?)?(?:\/(\d+))?$/.exec(item)
  if (!found || item === '') return null
  const step = found[3] === undefined ? 1 : Number(found[3])
  const from = found[1] === undefined ? field.min : Number(found[1])
  const to = found[2] ? Number(found[2]) : found[1] && !found[3] ? from : field.max
  const inside = (value: number) => value >= field.min && value <= field.max
  if (!inside(from) || !inside(to) || step < 1 || step > field.max_step) return null
  return field === YEAR && to < from ? null : [from, to, step]
}

/** From `from` to `to` by `step`; a range over the end (22-2) goes on at the field's first value, and the step with it. */
function range(field: Field, from: number, to: number, step: number): number[] {
  const size = field.max - field.min + 1
  const end = to < from ? to + size : to
  const found: number[] = []
  for (let value = from; value <= end; value += step)
    found.push(value > field.max ? value - size : value)
  return found
}

function monthDays(text: string): CronDays {
  const last = /^L(?:-(\d+))?(W)?$/.exec(text)
  if (last) {
    const before = Number(last[1] ?? '0')
    if (before > 30) refuse(DAY_OF_MONTH, text)
    return { kind: 'last', before, workday: last[2] !== undefined }
  }
  const nearest = /^(\d+)W$/.exec(text)
  if (nearest) {
    const day = Number(nearest[1])
    if (day < 1 || day > 31) refuse(DAY_OF_MONTH, text)
    return { kind: 'nearest_workday', day }
  }
  return { kind: 'days', days: values(DAY_OF_MONTH, text) }
}

function weekDays(text: string): CronDays {
  // L alone is Saturday and nothing about the month: that's Quartz's rule.
  if (text === 'L') return { kind: 'weekdays', weekdays: [7] }
  const special = /^(0*[1-7]|[A-Z]{3})(?:L|#0*([1-5]))$/.exec(text)
  if (!special) return { kind: 'weekdays', weekdays: values(DAY_OF_WEEK, text) }
  const weekday = Number(special[1]) || WEEKDAYS.indexOf(special[1]!) + 1
  if (weekday === 0) refuse(DAY_OF_WEEK, text)
  return special[2] === undefined
    ? { kind: 'last_weekday', weekday }
    : { kind: 'nth_weekday', weekday, nth: Number(special[2]) }
}

/** The first wall time of the schedule at or after `from`; null if there is none before 2100. */
function nextWall(cron: Cron, from: number): number | null {
  const start = new Date(from)
  const [startYear, startMonth] = [start.getUTCFullYear(), start.getUTCMonth() + 1]
  for (const year of cron.years) {
    if (year < startYear) continue
    for (const month of cron.months) {
      if (year === startYear && month < startMonth) continue
      for (const day of daysOf(cron.days, year, month)) {
        const date = Date.UTC(year, month - 1, day)
        if (date + DAY <= from) continue
        const time = nextTime(cron, Math.max(0, Math.ceil((from - date) / SECOND)))
        if (time !== null) return date + time * SECOND
      }
    }
  }
  return null
}

/** The first second of the day that fires, at or after `from`; null if none is left. */
function nextTime(cron: Cron, from: number): number | null {
  for (const hour of cron.hours) {
    if (hour * 3600 + 3599 < from) continue
    for (const minute of cron.minutes) {
      const start = hour * 3600 + minute * 60
      if (start + 59 < from) continue
      for (const second of cron.seconds) if (start + second >= from) return start + second
    }
  }
  return null
}

/** The days of a month that fire, ascending; none where the month is too short for the rule. */
function daysOf(rule: CronDays, year: number, month: number): number[] {
  const length = new Date(Date.UTC(year, month, 0)).getUTCDate()
  const firstWeekday = new Date(Date.UTC(year, month - 1, 1)).getUTCDay() + 1
  const firstOf = (weekday: number) => 1 + ((weekday - firstWeekday + 7) % 7)
  const workday = (day: number): number => {
    const weekday = ((firstWeekday - 1 + day - 1) % 7) + 1
    if (weekday === 7) return day === 1 ? 3 : day - 1
    if (weekday === 1) return day === length ? day - 2 : day + 1
    return day
  }
  const existing = (day: number) => (day >= 1 && day <= length ? [day] : [])
  switch (rule.kind) {
    case 'days':
      return rule.days.filter((day) => day <= length)
    case 'weekdays':
      return rule.weekdays
        .flatMap((weekday) => [0, 7, 14, 21, 28].map((week) => firstOf(weekday) + week))
        .filter((day) => day <= length)
        .sort((a, b) => a - b)
    case 'last': {
      const day = length - rule.before
      // As in Quartz: L-28W in a February of 28 days is "day 0", and if that is a Sunday, the Monday after it.
      if (rule.workday && day === 0 && firstOf(2) === 1) return [1]
      return existing(day).map((day) => (rule.workday ? workday(day) : day))
    }
    case 'nearest_workday':
      return existing(rule.day).map(workday)
    case 'last_weekday': {
      const first = firstOf(rule.weekday)
      return [first + Math.floor((length - first) / 7) * 7]
    }
    case 'nth_weekday':
      return existing(firstOf(rule.weekday) + (rule.nth - 1) * 7)
  }
}

/** The field with each step that cronstrue would word wrongly written out as its values. */
function plainSteps(field: Field, text: string): string {
  const rolls = field === SECONDS || field === MINUTES || field === HOURS
  return text
    .split(',')
    .map((item) => {
      const [from, to, step] = bounds(field, item) ?? []
      if (step === undefined || !item.includes('/')) return item
      if (field === YEAR) return `${from}-${to}/${step}`
      const found = range(field, from!, to!, step)
      const keeps = rolls
        ? (field.max + 1) % step === 0 && found.length > 1
        : field === DAY_OF_MONTH && found.length > 5
      return keeps ? item.replace(/^\//, '*/') : found.join(',')
    })
    .join(',')
}

function refuse(field: Field, text: string): never {
  return invalid(field.name, text, field.allowed)
}

function invalid(name: string, value: string, allowed: string): never {
  return fail('cron_invalid', { field: name, value: value.slice(0, 100), allowed })
}

const NICKNAMES: Record<string, string> = {
  '@hourly': '0 0 * * * ?',
  '@daily': '0 0 0 * * ?',
  '@midnight': '0 0 0 * * ?',
  '@weekly': '0 0 0 ? * SUN',
  '@monthly': '0 0 0 1 * ?',
  '@yearly': '0 0 0 1 1 ?',
  '@annually': '0 0 0 1 1 ?',
}

/** What a Unix expression is in Quartz, as an end to the hint; empty where it can't be said. */
function quartzHint(expression: string): string {
  const parts = expression.trim().split(/\s+/)
  const nickname = NICKNAMES[parts.join(' ').toLowerCase()]
  if (nickname) return `; write ${nickname}`
  if (parts.length !== 5) return ''
  const [minute, hour, dayOfMonth, month, dayOfWeek] = parts as [
    string,
    string,
    string,
    string,
    string,
  ]
  if (dayOfMonth !== '*' && dayOfWeek !== '*')
    return '; Quartz has no "this day or that weekday": make two schedules'
  // Unix counts weekdays from Sunday = 0 (or 7). The number after a slash is a step.
  const shifted = dayOfWeek.replace(/(?<![/\d])\d+/g, (digits) => String((Number(digits) % 7) + 1))
  const [days, weekdays] = dayOfWeek === '*' ? [dayOfMonth, '?'] : ['?', shifted]
  const quartz = `0 ${minute} ${hour} ${days} ${month} ${weekdays}`
  try {
    parseCron(quartz)
    return `; write ${quartz}`
  } catch {
    return ''
  }
}

function clock(wall: number): string {
  const text = new Date(wall).toISOString().slice(11, 19)
  return text.endsWith(':00') ? text.slice(0, 5) : text
}

function day(wall: number): string {
  return new Date(wall).toISOString().slice(0, 10)
}
