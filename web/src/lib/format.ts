// How numbers, sizes, times and durations read on every screen. Pure: `now` is an argument, the zone the reader's own.

const DASH = '–'

const compact = new Intl.NumberFormat('en', {
  notation: 'compact',
  minimumFractionDigits: 0,
  maximumSignificantDigits: 3,
})
const exact = new Intl.NumberFormat('en')

/** "999", "12.3 k", "1.2 M"; a dash for null. The exact number is `exactCount`. */
export function count(value: number | string | null | undefined): string {
  const number = toNumber(value)
  if (number === null) return DASH
  if (Math.abs(number) < 1000) return exact.format(number)
  const parts = compact.formatToParts(number)
  const unit = parts.find((part) => part.type === 'compact')?.value ?? ''
  const digits = parts
    .filter((part) => part.type !== 'compact' && part.type !== 'literal')
    .map((part) => part.value)
    .join('')
  return `${digits} ${unit === 'K' ? 'k' : unit}`
}

/** "1,204,557"; a dash for null. */
export function exactCount(value: number | string | null | undefined): string {
  const number = toNumber(value)
  return number === null ? DASH : exact.format(number)
}

/** "0 B", "12 kB", "1.4 GB" (powers of 1000); a dash for null. */
export function bytes(value: number | string | null | undefined): string {
  const number = toNumber(value)
  if (number === null) return DASH
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB']
  let size = number
  let unit = 0
  while (Math.abs(size) >= 999.5 && unit < units.length - 1) {
    size /= 1000
    unit++
  }
  const digits = unit === 0 || Math.abs(size) >= 99.5 ? 0 : 1
  return `${size.toFixed(digits).replace(/\.0$/, '')} ${units[unit]}`
}

/** How much went through: rows, or bytes where rows are not counted (files are copied to raw unread). */
export function volume(rows: number, size: number): string {
  return rows === 0 && size > 0 ? bytes(size) : count(rows)
}

/** "0.4 %", "100 %", "< 0.1 %": a share that is not nothing never reads as nothing. */
export function percent(part: number, whole: number): string {
  if (whole <= 0) return DASH
  const share = (part / whole) * 100
  if (share > 0 && share < 0.1) return '< 0.1 %'
  if (share < 100 && share > 99.9) return '> 99.9 %'
  return `${share < 10 ? share.toFixed(1).replace(/\.0$/, '') : Math.round(share)} %`
}

/** "840 ms", "3.2 s", "5 s", "3 m 12 s", "2 h 5 m", "3 d 4 h"; a dash for null, never negative. */
export function duration(ms: number | string | null | undefined): string {
  const number = toNumber(ms)
  if (number === null) return DASH
  const value = Math.max(0, number)
  if (value < 1000) return `${Math.round(value)} ms`
  if (value < 9950) return `${(value / 1000).toFixed(1).replace(/\.0$/, '')} s`
  const seconds = Math.round(value / 1000)
  if (seconds < 60) return `${seconds} s`
  if (seconds < 3600) return two(Math.floor(seconds / 60), 'm', seconds % 60, 's')
  const minutes = Math.round(seconds / 60)
  if (minutes < 1440) return two(Math.floor(minutes / 60), 'h', minutes % 60, 'm')
  const hours = Math.round(minutes / 60)
  return two(Math.floor(hours / 24), 'd', hours % 24, 'h')
}

/** Milliseconds from start to end, or to now while it runs; null before the start. */
export function elapsed(
  started_at: string | null | undefined,
  finished_at: string | null | undefined,
  now: number,
): number | null {
  if (!started_at) return null
  const end = finished_at ? Date.parse(finished_at) : now
  return Math.max(0, end - Date.parse(started_at))
}

/** "just now", "8 m ago", "in 3 h", "2 d ago": one unit is enough beside the absolute time on hover. */
export function relative(at: string | null | undefined, now: number): string {
  if (!at) return DASH
  const difference = Date.parse(at) - now
  const seconds = Math.round(Math.abs(difference) / 1000)
  if (seconds < 5) return 'just now'
  const text =
    seconds < 60
      ? `${seconds} s`
      : seconds < 3600
        ? `${Math.floor(seconds / 60)} m`
        : seconds < 86_400
          ? `${Math.floor(seconds / 3600)} h`
          : `${Math.floor(seconds / 86_400)} d`
  return difference < 0 ? `${text} ago` : `in ${text}`
}

/** "23 Nov 2026, 10:41:07 CET": the reader's zone unless one is given. */
export function absolute(at: string | null | undefined, timeZone?: string): string {
  if (!at) return DASH
  return new Intl.DateTimeFormat('en-GB', {
    timeZone,
    day: 'numeric',
    month: 'short',
    year: 'numeric',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    timeZoneName: 'short',
  }).format(new Date(at))
}

/** "10:41:07.120": for log lines, in the reader's zone unless one is given. */
export function clock(at: string, timeZone?: string): string {
  return new Intl.DateTimeFormat('en-GB', {
    timeZone,
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    fractionalSecondDigits: 3,
  }).format(new Date(at))
}

/** "1 batch", "3 batches". */
export function plural(n: number, one: string, many = `${one}s`): string {
  return `${exactCount(n)} ${n === 1 ? one : many}`
}

function two(a: number, unit: string, b: number, small: string): string {
  return b === 0 ? `${a} ${unit}` : `${a} ${unit} ${b} ${small}`
}

// Counts are bigint in the database and arrive as text; past 2^53 a screen may round.
function toNumber(value: number | string | null | undefined): number | null {
  if (value === null || value === undefined || value === '') return null
  const number = Number(value)
  return Number.isFinite(number) ? number : null
}
