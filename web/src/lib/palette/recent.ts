// The places that were gone to from the palette, the last one first; kept in this browser.
export type Recent = { label: string; href: string }

const KEY = 'lakeforge.recent'
const MOST = 5

export function readRecent(): Recent[] {
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(KEY) ?? '[]')
    if (!Array.isArray(stored)) return []
    return stored.filter(
      (each): each is Recent =>
        typeof each?.label === 'string' && /^\/(?!\/)/.test(String(each?.href)),
    )
  } catch {
    return []
  }
}

export function remember(place: Recent): void {
  const rest = readRecent().filter((each) => each.href !== place.href)
  try {
    localStorage.setItem(KEY, JSON.stringify([place, ...rest].slice(0, MOST)))
  } catch {
    // Storage is forbidden: then nothing is recent.
  }
}
