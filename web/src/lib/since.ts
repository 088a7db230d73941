// The windows of time that end now, by the word that stands in the address.
export const SINCE: Record<string, { label: string; hours: number }> = {
  '1h': { label: 'Last hour', hours: 1 },
  '24h': { label: 'Last 24 hours', hours: 24 },
  '7d': { label: 'Last 7 days', hours: 168 },
  '30d': { label: 'Last 30 days', hours: 720 },
}

/** The instant at which a window of SINCE begins, on the full minute; undefined for none or an unknown one. */
export function since(window: string | undefined, now: number): string | undefined {
  const hours = window === undefined ? undefined : SINCE[window]?.hours
  if (hours === undefined) return undefined
  return new Date(Math.floor((now - hours * 3_600_000) / 60_000) * 60_000).toISOString()
}
