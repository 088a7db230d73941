// What a log shows, as rows of one height: a line is one row, and one more for each further line of its text while it is open. The
// search works on lines, and knows where in the list each hit stands.
import type { LogEvent } from '#lib/api.ts'

export type LogRow = {
  line: LogEvent
  /** 0: the line itself; from 1 on the further lines of its text. */
  part: number
  text: string
  /** Further lines that are folded away; 0 where there are none or they are open. */
  folded: number
}

/** Where rows begin, so that thousands of lines cost nothing while none is open. */
export class LogRows {
  readonly lines: readonly LogEvent[]
  #open: { at: number; extra: number }[] = []
  #extra = 0

  /** `open` holds the numbers of the lines whose folded text is shown. */
  constructor(lines: readonly LogEvent[], open: ReadonlySet<number>) {
    this.lines = lines
    if (open.size === 0) return
    lines.forEach((line, at) => {
      if (!open.has(line.seq)) return
      const extra = line.text.split('\n').length - 1
      if (extra > 0) this.#open.push({ at, extra })
      this.#extra += extra
    })
  }

  get count(): number {
    return this.lines.length + this.#extra
  }

  /** The row of a line that stands at this place of the list. */
  rowOf(at: number): number {
    let row = at
    for (const one of this.#open) if (one.at < at) row += one.extra
    return row
  }

  row(index: number): LogRow {
    let at = index
    for (const one of this.#open) {
      if (at <= one.at) break
      if (at <= one.at + one.extra) return this.#row(one.at, at - one.at)
      at -= one.extra
    }
    return this.#row(at, 0)
  }

  #row(at: number, part: number): LogRow {
    const line = this.lines[at]!
    if (!line.text.includes('\n')) return { line, part: 0, text: line.text, folded: 0 }
    const texts = line.text.split('\n')
    const open = this.#open.some((one) => one.at === at)
    return { line, part, text: texts[part] ?? '', folded: open ? 0 : texts.length - 1 }
  }
}

/** Places in the list whose text or step holds the words, whatever their case. Empty for no words. */
export function hits(lines: readonly LogEvent[], find: string): number[] {
  const words = find.trim().toLowerCase()
  if (words === '') return []
  const found: number[] = []
  lines.forEach((line, at) => {
    if (line.text.toLowerCase().includes(words) || line.step?.toLowerCase().includes(words))
      found.push(at)
  })
  return found
}

/** A text in pieces, every second one a hit; the whole as one piece where there is none. */
export function marked(text: string, find: string): string[] {
  const words = find.trim().toLowerCase()
  if (words === '') return [text]
  const lower = text.toLowerCase()
  // Where lower case has another length, places would not fit.
  if (lower.length !== text.length) return [text]
  const pieces: string[] = []
  let at = 0
  for (let next = lower.indexOf(words); next >= 0; next = lower.indexOf(words, at)) {
    pieces.push(text.slice(at, next), text.slice(next, next + words.length))
    at = next + words.length
  }
  pieces.push(text.slice(at))
  return pieces
}
