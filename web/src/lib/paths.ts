// Every URL of the app, and the navigation drawn from it. Filters are query parameters: a pasted link shows the same view.
import { STATES, type State } from '#core/batch.ts'

export type BatchFilter = {
  group?: string
  state?: State
  trigger?: string
  /** A window that ends now: see since.ts. */
  since?: string
}

/** The filter that an address holds; what it does not understand it leaves out. */
export function readBatchFilter(search: URLSearchParams): BatchFilter {
  return {
    group: search.get('group') || undefined,
    state: STATES.find((state) => state === search.get('state')),
    trigger: search.get('trigger') || undefined,
    since: search.get('since') || undefined,
  }
}

export const BATCH_TABS = ['timeline', 'rules', 'events'] as const
export type BatchTab = (typeof BATCH_TABS)[number]

export type BatchView = {
  tab?: BatchTab
  /** Key of the step whose details are open; on the events tab only its lines are shown. */
  step?: string
  find?: string
  /** '1': only what went wrong. */
  problems?: string
  level?: string
}

/** The view of a batch that an address holds. */
export function readBatchView(search: URLSearchParams): BatchView {
  return {
    tab: BATCH_TABS.find((tab) => tab === search.get('tab')),
    step: search.get('step') || undefined,
    find: search.get('find') || undefined,
    problems: search.get('problems') || undefined,
    level: search.get('level') || undefined,
  }
}

export const paths = {
  home: () => '/',
  batches: (filter: BatchFilter = {}) => `/batches${query(filter)}`,
  batch: (id: string, view: BatchView = {}) =>
    `/batches/${encodeURIComponent(id)}${query({ ...view, tab: view.tab === 'timeline' ? undefined : view.tab })}`,
}

/** Names of the icons in Nav.svelte. */
export type NavIcon =
  | 'home'
  | 'sources'
  | 'groups'
  | 'tables'
  | 'graph'
  | 'schedules'
  | 'quality'
  | 'rule-sets'
  | 'compute'
  | 'batches'
  | 'quarantine'
  | 'sql'
  | 'import'
  | 'bulk'
  | 'environments'
  | 'settings'
  | 'audit'
  | 'help'

export type NavEntry = {
  /** The second key after `g`; none for what is rarely gone to. */
  key?: string
  label: string
  href: string
  icon: NavIcon
}

/** The side bar, the palette and the `g` keys: only what works; a part without entries is not shown. */
export const NAV: { title: string; entries: NavEntry[] }[] = [
  {
    title: 'Overview',
    entries: [{ key: 'h', label: 'Home', href: paths.home(), icon: 'home' }],
  },
  {
    title: 'Build',
    entries: [],
  },
  {
    title: 'Operate',
    entries: [{ key: 'b', label: 'Batches', href: paths.batches(), icon: 'batches' }],
  },
  {
    title: 'Admin',
    entries: [],
  },
]

function query(values: Record<string, string | undefined>): string {
  const search = new URLSearchParams()
  for (const [key, value] of Object.entries(values)) if (value) search.set(key, value)
  const text = search.toString()
  return text ? `?${text}` : ''
}
