// The graph by arrow keys: to the left what a node is made of, to the right what is made of it, up and down its column. Pure.
import type { Layout } from './layout.ts'
import type { Links } from './model.ts'

export type Direction = 'left' | 'right' | 'up' | 'down'

/** The id that an arrow leads to; the same where there is nothing that way. Without neighbours on a side it takes the nearest column. */
export function walk(at: Layout['at'], links: Links, id: string, direction: Direction): string {
  const here = at.get(id)
  if (!here) return id
  const nearest = (ids: Iterable<string>): string | undefined => {
    let best: string | undefined
    let least = Infinity
    for (const other of ids) {
      const there = at.get(other)
      if (!there || other === id) continue
      const away = Math.abs(there.row - here.row) + Math.abs(there.column - here.column) / 1000
      if (away < least) {
        least = away
        best = other
      }
    }
    return best
  }
  if (direction === 'left' || direction === 'right') {
    const next = nearest((direction === 'left' ? links.up : links.down).get(id) ?? [])
    return next ?? id
  }
  const column = [...at].filter(([, place]) => place.column === here.column)
  const beyond = column.filter(([, place]) =>
    direction === 'up' ? place.row < here.row : place.row > here.row,
  )
  return nearest(beyond.map(([other]) => other)) ?? id
}
