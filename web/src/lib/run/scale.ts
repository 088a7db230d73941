// The time axis of a batch: from its first step's start to its end, or to now while it runs.
import type { Step } from '#lib/api.ts'
import { duration } from '#lib/format.ts'

export type Scale = { from: number; to: number; ticks: { at_percent: number; label: string }[] }

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const STEPS_MS = [
  100,
  200,
  500,
  ...[1, 2, 5, 10, 15, 30].map((n) => n * SECOND),
  ...[1, 2, 5, 10, 15, 30].map((n) => n * MINUTE),
  ...[1, 2, 3, 6, 12, 24].map((n) => n * HOUR),
]

/** Null while no step has started. At most `most` ticks, on round numbers counted from the start. */
export function scaleOf(
  steps: readonly Pick<Step, 'started_at' | 'finished_at'>[],
  now: number,
  most = 6,
): Scale | null {
  let from = Infinity
  let to = -Infinity
  for (const step of steps) {
    if (!step.started_at) continue
    from = Math.min(from, Date.parse(step.started_at))
    to = Math.max(to, step.finished_at ? Date.parse(step.finished_at) : now)
  }
  if (from === Infinity) return null
  to = Math.max(to, from + 100)
  const span = to - from
  const every =
    STEPS_MS.find((ms) => span / ms <= most) ?? Math.ceil(span / most / (24 * HOUR)) * 24 * HOUR
  const ticks = []
  for (let at = 0; at <= span; at += every)
    ticks.push({ at_percent: (at / span) * 100, label: at === 0 ? '0' : duration(at) })
  return { from, to, ticks }
}

/** Where a bar lies, in percent of the axis. Null for what has not started. */
export function barOf(
  span: { start: number | null; end: number | null },
  scale: Scale,
): { left: number; width: number } | null {
  if (span.start === null) return null
  const total = scale.to - scale.from
  const left = ((span.start - scale.from) / total) * 100
  const right = (((span.end ?? scale.to) - scale.from) / total) * 100
  return { left: clamp(left), width: clamp(right) - clamp(left) }
}

function clamp(percent: number): number {
  return Math.min(100, Math.max(0, percent))
}
