// The week ahead as a map of hours: how many starts each holds, and whose. Pure; the zone is the reader's unless given.
export type WeekCell = { count: number; names: string[] }
export type WeekRow = { day: string; cells: WeekCell[] }

type Item = { name: string; runs: readonly string[] }

/** A row for each of the seven days from `from` on, each with 24 hours, both by the clock of the zone. */
export function weekMap(items: readonly Item[], from: string, timeZone?: string): WeekRow[] {
  const parts = new Intl.DateTimeFormat('en-GB', {
    timeZone,
    weekday: 'short',
    day: 'numeric',
    month: 'short',
    hour: '2-digit',
    hourCycle: 'h23',
  })
  const read = (at: number) => {
    const found = new Map(parts.formatToParts(at).map((part) => [part.type, part.value]))
    return {
      day: `${found.get('weekday')} ${found.get('day')} ${found.get('month')}`,
      hour: Number(found.get('hour')),
    }
  }
  const begin = Date.parse(from)
  const rows = new Map<string, WeekCell[]>()
  // Half a day apart: a day of 23 or 25 hours is neither left out nor named twice.
  for (let half = 0; half <= 14; half++) {
    const { day } = read(begin + half * 43_200_000)
    if (!rows.has(day))
      rows.set(
        day,
        Array.from({ length: 24 }, () => ({ count: 0, names: [] })),
      )
  }
  for (const { name, runs } of items)
    for (const run of runs) {
      const { day, hour } = read(Date.parse(run))
      const cell = rows.get(day)?.[hour]
      if (!cell) continue
      cell.count++
      if (!cell.names.includes(name)) cell.names.push(name)
    }
  return [...rows].map(([day, cells]) => ({ day, cells }))
}

/** 0 for none, then 1 to 4 by how busy an hour is beside the busiest. */
export function heat(count: number, most: number): 0 | 1 | 2 | 3 | 4 {
  if (count === 0 || most === 0) return 0
  return Math.max(1, Math.ceil((count / most) * 4)) as 1 | 2 | 3 | 4
}
