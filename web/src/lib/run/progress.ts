// How far a running step is: share or amount, speed, and about how long it still takes.
import type { Progress } from '#lib/api.ts'
import { bytes, count, duration, percent } from '#lib/format.ts'

/** Before that, speed says nothing. */
const SETTLED_MS = 2000

/** "61 % · 12 k rows/s · about 2 m left"; only what is known. `took_ms` since the step's start. */
export function progressText({ done, total, unit }: Progress, took_ms: number): string {
  const amount = unit === 'bytes' ? bytes(done) : `${count(done)} ${unit}`
  const parts = [total ? percent(done, total) : amount]
  const speed = took_ms >= SETTLED_MS && done > 0 ? (done / took_ms) * 1000 : 0
  if (speed > 0) {
    const rounded = speed >= 10 ? Math.round(speed) : Number(speed.toFixed(1))
    parts.push(unit === 'bytes' ? `${bytes(rounded)}/s` : `${count(rounded)} ${unit}/s`)
    if (total && total > done) parts.push(`about ${duration(((total - done) / speed) * 1000)} left`)
  }
  return parts.join(' · ')
}
