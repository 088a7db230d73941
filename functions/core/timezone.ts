// Wall clocks. What a clock on the wall shows in a time zone, and which instant a wall time is. A wall time is written as
// the milliseconds that it would be in UTC. Pure: the zone data is the runtime's own (Intl).
import { fail } from './errors.ts'

/** A clock change at the instant `at`: the offsets from UTC before and after it. All in milliseconds. */
export type ClockChange = { at: number; before: number; after: number }

const SECOND = 1000
const HOUR = 3600 * SECOND
const DAY = 24 * HOUR

/** No zone has ever been further from UTC. */
const REACH = 16 * HOUR

/** Two changes within five days that undo each other would be missed; in 1970-2099 no zone has two within seven (checked). */
const SCAN_STEP = 5 * DAY

/**
 * The id itself, when it is a zone that Databricks (Java) and the runtime both know. Ids are case-sensitive, since Java
 * silently reads `europe/berlin` as GMT; offsets such as `+02:00` are no zones.
 * @throws timezone_unknown
 */
export function checkTimezone(timezone: string): string {
  formatOf(timezone)
  return timezone
}

/** The zone's offset from UTC at an instant. */
export function offsetAt(timezone: string, at: number): number {
  const year = yearOf(timezone, at)
  let offset = year.first
  for (const change of year.changes) if (change.at <= at) offset = change.after
  return offset
}

/** What the wall clock shows at an instant. */
export function wallAt(timezone: string, at: number): number {
  return at + offsetAt(timezone, at)
}

/** The zone's clock changes in `(from, to]`, in order. */
export function clockChangesBetween(timezone: string, from: number, to: number): ClockChange[] {
  const found: ClockChange[] = []
  const last = new Date(to).getUTCFullYear()
  for (let year = new Date(from).getUTCFullYear(); year <= last; year++)
    for (const change of yearOf(timezone, Date.UTC(year, 0)).changes)
      if (change.at > from && change.at <= to) found.push(change)
  return found
}

/**
 * The instants at which the wall clock shows `wall`, in order: one; two when the clock goes back over it; none when it
 * jumps over it, and then `gap_ends_wall` is the first wall time after the jump.
 */
export function instantsOf(
  timezone: string,
  wall: number,
): { instants: number[]; gap_ends_wall: number | null } {
  const instants: number[] = []
  let gapEnd: number | null = null
  let since = wall - REACH
  let offset = offsetAt(timezone, since)
  for (const change of clockChangesBetween(timezone, since, wall + REACH)) {
    if (wall - offset >= since && wall - offset < change.at) instants.push(wall - offset)
    if (wall >= change.at + change.before && wall < change.at + change.after)
      gapEnd = change.at + change.after
    since = change.at
    offset = change.after
  }
  if (wall - offset >= since) instants.push(wall - offset)
  return { instants, gap_ends_wall: instants.length === 0 ? gapEnd : null }
}

/** An instant for people: `Sun 2026-03-29 03:00:00 +02:00`. */
export function localText(timezone: string, at: Date): string {
  const offset = offsetAt(timezone, at.getTime())
  const wall = new Date(at.getTime() + offset)
  const iso = wall.toISOString()
  const minutes = Math.round(Math.abs(offset) / 60_000)
  const two = (n: number) => String(n).padStart(2, '0')
  const zone = `${offset < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`
  return `${WEEKDAYS[wall.getUTCDay()]} ${iso.slice(0, -14)} ${iso.slice(-13, -5)} ${zone}`
}

const WEEKDAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'] as const

/** A zone's UTC year: the offset at its first instant, and the changes after that up to the next year's first instant. */
type ZoneYear = { first: number; changes: ClockChange[] }

// An Intl call costs 2-3 µs, and a search may need thousands of offsets: so a year is scanned once (0.2 ms) and kept.
const years = new Map<string, ZoneYear>()
const YEARS_KEPT = 5000

function yearOf(timezone: string, at: number): ZoneYear {
  const year = new Date(at).getUTCFullYear()
  const key = `${timezone} ${year}`
  const kept = years.get(key)
  if (kept) return kept
  const scanned = scan(timezone, Date.UTC(year, 0), Date.UTC(year + 1, 0))
  if (years.size >= YEARS_KEPT) years.clear()
  years.set(key, scanned)
  return scanned
}

function scan(timezone: string, from: number, to: number): ZoneYear {
  const first = askOffset(timezone, from)
  const changes: ClockChange[] = []
  let before = first
  for (let start = from; start < to; start += SCAN_STEP) {
    const end = Math.min(start + SCAN_STEP, to)
    const after = askOffset(timezone, end)
    if (after === before) continue
    let low = start
    let high = end
    while (high - low > SECOND) {
      const middle = low + Math.floor((high - low) / 2 / SECOND) * SECOND
      if (askOffset(timezone, middle) === before) low = middle
      else high = middle
    }
    changes.push({ at: high, before, after })
    before = after
  }
  return { first, changes }
}

function askOffset(timezone: string, at: number): number {
  const text = formatOf(timezone).format(at)
  const found = /GMT(?:([+-])(\d\d):(\d\d)(?::(\d\d))?)?$/.exec(text)
  if (!found?.[1]) return 0
  const ms = Number(found[2]) * HOUR + Number(found[3]) * 60_000 + Number(found[4] ?? '0') * SECOND
  return found[1] === '-' ? -ms : ms
}

const formats = new Map<string, Intl.DateTimeFormat>()

function formatOf(timezone: string): Intl.DateTimeFormat {
  const kept = formats.get(timezone)
  if (kept) return kept
  const refuse = () => fail('timezone_unknown', { timezone: timezone.slice(0, 100) })
  // Intl ignores case and answers with the canonical id, so an alias's own spelling can't be compared: what is all lower
  // case, or all upper case with a slash, is none (US/Eastern, PST8PDT, Etc/GMT+5, NZ-CHAT are).
  if (!/^[A-Z][A-Za-z0-9_+/-]*$/.test(timezone)) refuse()
  if (timezone.includes('/') && timezone === timezone.toUpperCase()) refuse()
  let format: Intl.DateTimeFormat
  try {
    format = new Intl.DateTimeFormat('en-US', { timeZone: timezone, timeZoneName: 'longOffset' })
  } catch {
    return refuse()
  }
  const canonical = format.resolvedOptions().timeZone
  if (canonical !== timezone && canonical.toLowerCase() === timezone.toLowerCase()) refuse()
  formats.set(timezone, format)
  return format
}
