// A Quartz expression as a few plain choices, where they can say it; the others stay as they are written. Reading and writing fit:
// what `simpleOf` answers, `cronOf` writes as an expression of the same meaning.
export const DAYS = ['MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT', 'SUN'] as const
export type Day = (typeof DAYS)[number]

export type Simple =
  | { every: 'minutes'; minutes: number }
  | { every: 'hour'; minute: number }
  | { every: 'day'; time: string }
  | { every: 'week'; time: string; days: Day[] }
  | { every: 'month'; time: string; day: number | 'L' }

/** Minutes that divide an hour: others would not be evenly spread. */
export const MINUTES = [1, 2, 3, 5, 6, 10, 12, 15, 20, 30] as const

export function cronOf(simple: Simple): string {
  switch (simple.every) {
    case 'minutes':
      return `0 0/${simple.minutes} * * * ?`
    case 'hour':
      return `0 ${simple.minute} * * * ?`
    case 'day':
      return `0 ${clock(simple.time)} * * ?`
    case 'week':
      return `0 ${clock(simple.time)} ? * ${spans(simple.days)}`
    case 'month':
      return `0 ${clock(simple.time)} ${simple.day} * ?`
  }
}

/** Null for what these choices can't say, and for what is no expression at all. */
export function simpleOf(expression: string): Simple | null {
  const fields = expression
    .trim()
    .toUpperCase()
    .split(/[ \t]+/)
  const [second, minute = '', hour = '', day = '', month, weekday = '', year = '*'] = fields
  if (fields.length < 6 || fields.length > 7) return null
  if (second !== '0' && second !== '00') return null
  if (month !== '*' || year !== '*') return null
  const any_day = (day === '*' && weekday === '?') || (day === '?' && weekday === '*')
  const at_minute = whole(minute, 0, 59)
  if (hour === '*') {
    if (!any_day) return null
    if (at_minute !== null) return { every: 'hour', minute: at_minute }
    if (minute === '*') return { every: 'minutes', minutes: 1 }
    const step = /^(?:0|\*)\/(\d{1,2})$/.exec(minute)
    const minutes = Number(step?.[1])
    return MINUTES.some((each) => each === minutes) ? { every: 'minutes', minutes } : null
  }
  const at_hour = whole(hour, 0, 23)
  if (at_hour === null || at_minute === null) return null
  const time = `${String(at_hour).padStart(2, '0')}:${String(at_minute).padStart(2, '0')}`
  if (any_day) return { every: 'day', time }
  if (day === '?') {
    const days = daysOf(weekday)
    return days && { every: 'week', time, days }
  }
  if (weekday !== '?') return null
  const of_month = day === 'L' ? 'L' : whole(day, 1, 31)
  return of_month === null ? null : { every: 'month', time, day: of_month }
}

/** What the simple mode begins with when there is none to read. */
export const PLAIN: Simple = { every: 'day', time: '06:00' }

/** The same time and day where the other rhythm has them too. */
export function turned(from: Simple, every: Simple['every']): Simple {
  const time = 'time' in from ? from.time : '06:00'
  switch (every) {
    case 'minutes':
      return { every, minutes: 15 }
    case 'hour':
      return { every, minute: Number(time.slice(3)) }
    case 'day':
      return { every, time }
    case 'week':
      return { every, time, days: ['MON', 'TUE', 'WED', 'THU', 'FRI'] }
    case 'month':
      return { every, time, day: 1 }
  }
}

/** Quartz counts from Sunday, 1; a range may go on over the end of the week. Null for `6L`, `6#3` and what is no weekday. */
function daysOf(text: string): Day[] | null {
  const order = ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'] as const
  const index = (name: string): number => {
    const at = order.findIndex((each) => each === name)
    return at >= 0 ? at : /^[1-7]$/.test(name) ? Number(name) - 1 : -1
  }
  const found = new Set<Day>()
  for (const part of text.split(',')) {
    const [from = '', to] = part.split('-')
    let at = index(from)
    const end = to === undefined ? at : index(to)
    if (at < 0 || end < 0 || part.split('-').length > 2) return null
    for (;;) {
      found.add(order[at]!)
      if (at === end) break
      at = (at + 1) % 7
    }
  }
  return DAYS.filter((day) => found.has(day))
}

/** Three or more days in a row as a range. None: Monday, since an expression needs one. */
function spans(days: readonly Day[]): string {
  const chosen = DAYS.filter((day) => days.includes(day))
  if (chosen.length === 0) return 'MON'
  const parts: Day[][] = []
  for (const day of chosen) {
    const last = parts.at(-1)
    if (last && DAYS.indexOf(last.at(-1)!) + 1 === DAYS.indexOf(day)) last.push(day)
    else parts.push([day])
  }
  return parts
    .map((part) => (part.length > 2 ? `${part[0]}-${part.at(-1)}` : part.join(',')))
    .join(',')
}

function clock(time: string): string {
  const [hour = '0', minute = '0'] = time.split(':')
  return `${Number(minute)} ${Number(hour)}`
}

function whole(text: string, least: number, most: number): number | null {
  if (!/^\d{1,2}$/.test(text)) return null
  const number = Number(text)
  return number >= least && number <= most ? number : null
}
