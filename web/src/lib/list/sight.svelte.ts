// Which rows of a long table are in the document, by the scroll position of the nearest ancestor with `data-scroll`.
import { rowsInSight } from '#lib/run/window.ts'

/** Fewer than this are all drawn. */
export const LONG = 150
const OVERSCAN = 12

export class RowsInSight {
  #top = $state(0)
  #height = $state(800)
  #count: () => number
  #row_px: number

  constructor(count: () => number, row_px: number) {
    this.#count = count
    this.#row_px = row_px
  }

  get virtual(): boolean {
    return this.#count() > LONG
  }

  /** First row drawn, and the one after the last. */
  get range(): { from: number; to: number } {
    const count = this.#count()
    if (!this.virtual) return { from: 0, to: count }
    const rows = rowsInSight(
      { top: this.#top, height: this.#height, row_px: this.#row_px, count },
      OVERSCAN,
    )
    return rows.length ? { from: rows[0]!, to: rows.at(-1)! + 1 } : { from: 0, to: 0 }
  }

  /** An attachment for the table's body. */
  watch = (body: HTMLElement): (() => void) => {
    const scroller = body.closest<HTMLElement>('[data-scroll]') ?? document.documentElement
    let frame = 0
    const measure = () => {
      frame = 0
      const of = scroller.getBoundingClientRect()
      this.#top = Math.max(0, of.top - body.getBoundingClientRect().top)
      this.#height = of.height
    }
    const later = () => {
      frame ||= requestAnimationFrame(measure)
    }
    measure()
    scroller.addEventListener('scroll', later, { passive: true })
    const size = new ResizeObserver(later)
    size.observe(scroller)
    size.observe(body)
    return () => {
      cancelAnimationFrame(frame)
      scroller.removeEventListener('scroll', later)
      size.disconnect()
    }
  }
}
