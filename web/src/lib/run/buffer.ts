// The log lines of a batch in memory: in the order of their numbers, each once, the newest when there are too many.
import type { Level, LogEvent } from '#lib/api.ts'

/** About 30 MB; a batch that says more keeps it in the log tables. */
export const LINES_KEPT = 120_000

export class EventBuffer {
  #lines: LogEvent[] = []
  /** Lines that were let go to stay within `limit`. */
  dropped = 0
  readonly limit: number

  constructor(limit = LINES_KEPT) {
    this.limit = limit
  }

  get lines(): readonly LogEvent[] {
    return this.#lines
  }

  get last_seq(): number | null {
    return this.#lines.at(-1)?.seq ?? null
  }

  /** Adds a line; false if it was there already (a stream that was taken up again may repeat some). */
  add(line: LogEvent): boolean {
    const last = this.#lines.at(-1)
    if (!last || line.seq > last.seq) this.#lines.push(line)
    else {
      const at = this.#position(line.seq)
      if (this.#lines[at]?.seq === line.seq) return false
      this.#lines.splice(at, 0, line)
    }
    // In one go now and then: shifting the array at every line would cost its length each time.
    if (this.#lines.length > this.limit * 1.25) {
      const surplus = this.#lines.length - this.limit
      this.#lines = this.#lines.slice(surplus)
      this.dropped += surplus
    }
    return true
  }

  /** Adds a page of lines that are in order. Those that are there already stay as they are. */
  addAll(page: readonly LogEvent[]): void {
    const first = page[0]
    if (!first) return
    const last = this.#lines.at(-1)
    if (!last || first.seq > last.seq) this.#lines = this.#lines.concat(page)
    else {
      const from = this.#position(first.seq)
      const to = this.#position(page.at(-1)!.seq + 1)
      const known = this.#lines.slice(from, to)
      const fresh = known.length === 0 ? page : merged(known, page)
      this.#lines = [...this.#lines.slice(0, from), ...fresh, ...this.#lines.slice(to)]
    }
    const surplus = this.#lines.length - this.limit
    if (surplus <= 0) return
    this.#lines = this.#lines.slice(surplus)
    this.dropped += surplus
  }

  #position(seq: number): number {
    let low = 0
    let high = this.#lines.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#lines[middle]!.seq < seq) low = middle + 1
      else high = middle
    }
    return low
  }
}

function merged(known: readonly LogEvent[], page: readonly LogEvent[]): LogEvent[] {
  const all = new Map([...page, ...known].map((line) => [line.seq, line]))
  return [...all.values()].sort((a, b) => a.seq - b.seq)
}

export const LEVELS: readonly Level[] = ['debug', 'info', 'warn', 'error']
const RANK: Record<Level, number> = { debug: 0, info: 1, warn: 2, error: 3 }

/** The lines of at least a level, and of one step if one is named. */
export function filterLines(
  lines: readonly LogEvent[],
  least: Level,
  step: string | null,
): LogEvent[] {
  const rank = RANK[least]
  return lines.filter((line) => RANK[line.level] >= rank && (step === null || line.step === step))
}
