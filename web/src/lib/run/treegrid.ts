// What a key does in a tree of rows, after the ARIA pattern for tree grids. Plain data in and out.

/** Rows that can be walked: depth, and whether they are open (`null`: nothing below). */
export type Walk = { level: number; open: boolean | null }

export type Act = { do: 'move'; to: number } | { do: 'toggle'; open: boolean } | { do: 'choose' }

/** Null for a key that means nothing here. `page` is how many rows are in sight. */
export function treegridKey(
  key: string,
  rows: readonly Walk[],
  active: number,
  page: number,
): Act | null {
  const move = (to: number): Act => ({
    do: 'move',
    to: Math.min(Math.max(to, 0), Math.max(0, rows.length - 1)),
  })
  const row = rows[active]
  switch (key) {
    case 'ArrowDown':
      return move(active + 1)
    case 'ArrowUp':
      return move(active - 1)
    case 'PageDown':
      return move(active + Math.max(1, page - 1))
    case 'PageUp':
      return move(active - Math.max(1, page - 1))
    case 'Home':
      return move(0)
    case 'End':
      return move(rows.length - 1)
    case 'ArrowRight':
      if (row?.open === false) return { do: 'toggle', open: true }
      return row?.open ? move(active + 1) : null
    case 'ArrowLeft':
      if (row?.open) return { do: 'toggle', open: false }
      return move(parentOf(rows, active))
    case 'Enter':
    case ' ':
      return { do: 'choose' }
    default:
      return null
  }
}

function parentOf(rows: readonly Walk[], index: number): number {
  const level = rows[index]?.level ?? 1
  for (let at = index - 1; at >= 0; at--) if (rows[at]!.level < level) return at
  return index
}
