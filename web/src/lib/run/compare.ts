// A batch beside its base: which steps differ, and by how much. Pure.
import type { Compared } from '#lib/api/batches.ts'

export type ComparedStep = Compared['steps'][number]

export type Difference = ComparedStep & {
  /** Milliseconds longer than the base (shorter: negative); null where one of them did not run to an end. */
  slower_ms: number | null
  /** Rows written more (fewer: negative); null where one side is missing. */
  rows: number | null
  /** How much a person should look at it: a state that differs counts more than any time. */
  weight: number
}

/** Within a fifth and half a second, a duration says nothing. */
const NOISE_MS = 500
const NOISE_SHARE = 0.2

/** Steps that differ in state, rows or (beyond noise) duration, the gravest first; all of them with `all`. */
export function differencesOf(steps: readonly ComparedStep[], all = false): Difference[] {
  return steps
    .map((step) => {
      const { now, base } = step
      const slower_ms =
        now?.duration_ms != null && base?.duration_ms != null
          ? now.duration_ms - base.duration_ms
          : null
      const rows = now && base ? now.rows_written - base.rows_written : null
      const noise = Math.max(NOISE_MS, (base?.duration_ms ?? 0) * NOISE_SHARE)
      const time = slower_ms !== null && Math.abs(slower_ms) > noise ? Math.abs(slower_ms) : 0
      const state = now?.state !== base?.state
      const rejected = (now?.rows_rejected ?? 0) !== (base?.rows_rejected ?? 0)
      return {
        ...step,
        slower_ms,
        rows,
        weight: (state ? 1e15 : 0) + (rows || rejected ? 1e9 : 0) + time,
      }
    })
    .filter((step) => all || step.weight > 0)
    .sort((a, b) => b.weight - a.weight)
}

/** "+1.2 s", "−20 ms", "same": a signed amount as `of` writes it. */
export function signed(value: number, of: (size: number) => string): string {
  if (value === 0) return 'same'
  return `${value > 0 ? '+' : '−'}${of(Math.abs(value))}`
}
