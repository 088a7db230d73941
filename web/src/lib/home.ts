// What the home page shows, from the newest batches: per group its last ones, what needs a person, how long a run usually takes.
import type { Batch } from '#lib/api.ts'
import { elapsed } from '#lib/format.ts'
import { isFinal } from '#core/batch.ts'

/** Group id -> its batches, newest first, each once. */
export function byGroup(...lists: (readonly Batch[])[]): Map<string, Batch[]> {
  const groups = new Map<string, Map<string, Batch>>()
  for (const batch of lists.flat()) {
    let of = groups.get(batch.group_id)
    if (!of) groups.set(batch.group_id, (of = new Map()))
    if (!of.has(batch.id)) of.set(batch.id, batch)
  }
  return new Map([...groups].map(([id, of]) => [id, [...of.values()].sort((a, b) => newer(a, b))]))
}

export type Attention = {
  /** The newest batch that failed or waits. */
  batch: Batch
  /** How many in a row failed, this one included; 0 for one that waits or warns. */
  failures: number
}

/**
 * One entry per group and environment whose last ended batch failed or warned, or that waits for a person: failures first, warnings
 * last, the oldest trouble on top. A later success settles a failure, a run in progress does not yet.
 */
export function attentionOf(groups: Iterable<readonly Batch[]>): Attention[] {
  const found: Attention[] = []
  for (const batches of groups)
    for (const of of perEnvironment(batches)) {
      const waiting = of.find((batch) => batch.state === 'waiting')
      if (waiting) found.push({ batch: waiting, failures: 0 })
      const ended = of.filter((batch) => isFinal(batch.state))
      if (ended[0]?.state === 'succeeded' && ended[0].warned)
        found.push({ batch: ended[0], failures: 0 })
      if (ended[0]?.state !== 'failed') continue
      const good = ended.findIndex((batch) => batch.state !== 'failed')
      found.push({ batch: ended[0], failures: good < 0 ? ended.length : good })
    }
  return found.sort((a, b) => gravity(b) - gravity(a) || newer(b.batch, a.batch))
}

function gravity({ batch, failures }: Attention): number {
  return failures > 0 ? 2 : batch.state === 'waiting' ? 1 : 0
}

export type Bucket = {
  from: number
  to: number
  /** Batches that ran at some moment of it, as the list with the same window counts them. */
  batches: Batch[]
  /** Starts that are to come. */
  starts: number
}

/**
 * Time from `hours` before to `hours` after now in equal pieces. `complete_from`: batches from before it are not all known, so that
 * earlier pieces have none; null where all are.
 */
export function timelineOf(
  batches: readonly Batch[],
  starts: readonly string[],
  now: number,
  hours: number,
  complete_from: number | null,
): Bucket[] {
  const size = 30 * 60_000
  const middle = Math.floor(now / size) * size
  const first = middle - hours * 3_600_000
  const buckets: Bucket[] = []
  for (let from = first; from < middle + hours * 3_600_000; from += size)
    buckets.push({ from, to: from + size, batches: [], starts: 0 })
  for (const batch of batches) {
    const begin = Date.parse(batch.created_at)
    const end = batch.finished_at ? Date.parse(batch.finished_at) : now
    for (const bucket of buckets)
      if (begin < bucket.to && end >= bucket.from && bucket.from <= now)
        if (complete_from === null || bucket.from >= complete_from) bucket.batches.push(batch)
  }
  for (const start of starts) {
    const at = Date.parse(start)
    const bucket = buckets[Math.floor((at - first) / size)]
    if (bucket && at >= now) bucket.starts++
  }
  return buckets
}

/** What runs or is queued, running first, the longest on top. */
export function activeOf(groups: Iterable<readonly Batch[]>): Batch[] {
  return [...groups]
    .flat()
    .filter((batch) => batch.state === 'running' || batch.state === 'pending')
    .sort((a, b) => Number(b.state === 'running') - Number(a.state === 'running') || newer(b, a))
}

/** Milliseconds that a group's batch takes: the median of those that succeeded; null before the first. */
export function usualDuration(batches: readonly Batch[]): number | null {
  const times = batches
    .filter((batch) => batch.state === 'succeeded' && batch.finished_at)
    .map((batch) => elapsed(batch.started_at, batch.finished_at, 0) ?? 0)
    .sort((a, b) => a - b)
  return times[times.length >> 1] ?? null
}

export function rejected(of: Pick<Batch, 'rows_quarantined' | 'rows_dropped'>): number {
  return of.rows_quarantined + of.rows_dropped
}

function* perEnvironment(batches: readonly Batch[]): Generator<Batch[]> {
  const names = new Set(batches.map((batch) => batch.environment))
  for (const name of names) yield batches.filter((batch) => batch.environment === name)
}

// Sorts the newer first; `seq` decides between two of the same instant.
function newer(a: Batch, b: Batch): number {
  return Date.parse(b.created_at) - Date.parse(a.created_at) || Number(b.seq) - Number(a.seq)
}
