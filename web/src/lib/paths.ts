// Every URL of the app, and the navigation drawn from it. Filters are query parameters: a pasted link shows the same view.
import type { State } from '#lib/states.ts'

export type BatchFilter = {
  group?: string
  state?: State
  trigger?: string
  /** A window that ends now: see SINCE. */
  since?: string
}

export type BatchView = { tab?: BatchTab; step?: string; level?: string }
export type BatchTab = 'timeline' | 'rules' | 'events'

export const paths = {
  home: () => '/',
  batches: (filter: BatchFilter = {}) => `/batches${query(filter)}`,
  batch: (id: string, view: BatchView = {}) =>
    `/batches/${encodeURIComponent(id)}${query({ ...view, tab: view.tab === 'timeline' ? undefined : view.tab })}`,
}

export type NavEntry = { key: string; label: string; href: string; icon: 'home' | 'batches' }

/** The side bar: only what works. `key` is the second key after `g`. */
export const NAV: { title: string; entries: NavEntry[] }[] = [
  {
    title: 'Overview',
    entries: [{ key: 'h', label: 'Home', href: paths.home(), icon: 'home' }],
  },
  {
    title: 'Operate',
    entries: [{ key: 'b', label: 'Batches', href: paths.batches(), icon: 'batches' }],
  },
]

function query(values: Record<string, string | undefined>): string {
  const search = new URLSearchParams()
  for (const [key, value] of Object.entries(values)) if (value) search.set(key, value)
  const text = search.toString()
  return text ? `?${text}` : ''
}
