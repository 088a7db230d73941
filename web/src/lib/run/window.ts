// Which rows of a long list are in the document: those in sight, some more on both sides, and one to keep.

export type Sight = { top: number; height: number; row_px: number; count: number }

/**
 * Indices to draw, in order. `keep` (the row that has the focus) is drawn wherever it is, or the focus would be lost
 * with it. Nothing for an empty list.
 */
export function rowsInSight(sight: Sight, overscan: number, keep?: number): number[] {
  const first = Math.max(0, Math.floor(sight.top / sight.row_px) - overscan)
  const last = Math.min(
    sight.count - 1,
    Math.ceil((sight.top + sight.height) / sight.row_px) + overscan,
  )
  const rows: number[] = []
  if (keep !== undefined && keep >= 0 && keep < Math.min(first, sight.count)) rows.push(keep)
  for (let index = first; index <= last; index++) rows.push(index)
  if (keep !== undefined && keep > last && keep < sight.count) rows.push(keep)
  return rows
}

/** The scroll position that brings a row into sight, as near to `top` as can be. `header_px` covers the top of the list. */
export function scrollTo(sight: Sight, index: number, header_px: number): number {
  const start = index * sight.row_px
  const room = sight.height - header_px - sight.row_px
  if (start < sight.top) return start
  if (start > sight.top + room) return Math.max(0, start - room)
  return sight.top
}
