// Every URL of the app, and the navigation drawn from it. Filters are query parameters: a pasted link shows the same view.
import type { BatchFilter, BatchView } from '#lib/run/view.ts'
import { tablePaths } from '#lib/table-paths.ts'

export type { BatchFilter, BatchView } from '#lib/run/view.ts'

export const paths = {
  home: () => '/',
  schedules: () => '/schedules',
  schedule: (id: string) => `/schedules/${encodeURIComponent(id)}`,
  newSchedule: () => '/schedules/new',
  /** Rules; `tab` tables: scores, results: rules beside batches. */
  quality: (view: QualityView = {}) => `/quality${query(view)}`,
  rule: (id: string) => `/quality/rules/${encodeURIComponent(id)}`,
  newRule: (from: { table?: string; column?: string } = {}) => `/quality/rules/new${query(from)}`,
  quarantine: () => '/quarantine',
  quarantined: (table: string, of: { rule?: string; batch?: string } = {}) =>
    `/quarantine/${encodeURIComponent(table)}${query(of)}`,
  audit: (filter: { row_id?: string; table?: string } = {}) => `/audit${query(filter)}`,
  schemaChanges: (filter: { table?: string } = {}) => `/audit/schema${query(filter)}`,
  help: (at: { topic?: string; q?: string } = {}) => `/help${query(at)}`,
  batches: (filter: BatchFilter = {}) => `/batches${query(filter)}`,
  sources: () => '/sources',
  source: (id: string) => `/sources/${encodeURIComponent(id)}`,
  editSource: (id: string) => `/sources/${encodeURIComponent(id)}/edit`,
  /** The wizard; with a source that is there already it begins where tables are chosen. `from`: a source to copy. */
  newSource: (at: { source?: string; step?: string; from?: string; kind?: string } = {}) =>
    `/sources/new${query(at)}`,
  computes: () => '/compute',
  compute: (id: string) => `/compute/${encodeURIComponent(id)}`,
  newCompute: (from?: string) => `/compute/new${query({ from })}`,
  importExport: () => '/import',
  bulk: (kind?: string) => `/bulk${query({ kind })}`,
  environments: () => '/environments',
  environment: (id: string) => `/environments/${encodeURIComponent(id)}`,
  newEnvironment: (from?: string) => `/environments/new${query({ from })}`,
  ruleSets: () => '/rule-sets',
  ruleSet: (id: string) => `/rule-sets/${encodeURIComponent(id)}`,
  newRuleSet: (from?: string) => `/rule-sets/new${query({ from })}`,
  sync: () => '/sync',
  syncPlan: (id: string) => `/sync/${encodeURIComponent(id)}`,
  settings: (tab?: SettingsTab) =>
    `/settings${query({ tab: tab === 'appearance' ? undefined : tab })}`,
  batch: (id: string, view: BatchView = {}) =>
    `/batches/${encodeURIComponent(id)}${query({ ...view, tab: view.tab === 'timeline' ? undefined : view.tab })}`,
}

export type QualityView = {
  tab?: 'tables' | 'results'
  target?: string
  group?: string
  status?: string
}

export const SETTINGS_TABS = ['appearance', 'tokens', 'secrets', 'health'] as const
export type SettingsTab = (typeof SETTINGS_TABS)[number]

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
  | 'sync'
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
    entries: [
      { key: 's', label: 'Sources', href: paths.sources(), icon: 'sources' },
      { key: 'g', label: 'Groups', href: tablePaths.groups(), icon: 'groups' },
      { key: 't', label: 'Tables', href: tablePaths.tables(), icon: 'tables' },
      { key: 'c', label: 'Schedules', href: paths.schedules(), icon: 'schedules' },
      { key: 'q', label: 'Quality', href: paths.quality(), icon: 'quality' },
      { label: 'Rule sets', href: paths.ruleSets(), icon: 'rule-sets' },
      { label: 'Compute', href: paths.computes(), icon: 'compute' },
      { label: 'Bulk edit', href: paths.bulk(), icon: 'bulk' },
      { label: 'Import and export', href: paths.importExport(), icon: 'import' },
    ],
  },
  {
    title: 'Operate',
    entries: [
      { key: 'b', label: 'Batches', href: paths.batches(), icon: 'batches' },
      { label: 'Quarantine', href: paths.quarantine(), icon: 'quarantine' },
      { key: 'y', label: 'Sync', href: paths.sync(), icon: 'sync' },
    ],
  },
  {
    title: 'Admin',
    entries: [
      { label: 'Environments', href: paths.environments(), icon: 'environments' },
      { label: 'Settings', href: paths.settings(), icon: 'settings' },
      { key: 'a', label: 'Audit log', href: paths.audit(), icon: 'audit' },
      { label: 'Help', href: paths.help(), icon: 'help' },
    ],
  },
]

function query(values: Record<string, string | undefined>): string {
  const search = new URLSearchParams()
  for (const [key, value] of Object.entries(values)) if (value) search.set(key, value)
  const text = search.toString()
  return text ? `?${text}` : ''
}
