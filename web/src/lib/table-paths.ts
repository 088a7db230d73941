// The addresses of tables, their configs and groups. What a screen shows is all in the address.
import type { ConfigZone } from '#lib/api/tables.ts'

export type TablesView = {
  view?: 'graph'
  /** The filter, in the language of graph/filter.ts. */
  q?: string
  /** Whose details are open. */
  node?: string
  /** With `node`: the column whose way is shown. */
  column?: string
  /** Closed groups, with commas; `-` for none; absent: as many as are needed to see something. */
  closed?: string
  /** Of the list. */
  sort?: string
}

export function readTablesView(search: URLSearchParams): TablesView {
  return {
    view: search.get('view') === 'graph' ? 'graph' : undefined,
    q: search.get('q') || undefined,
    node: search.get('node') || undefined,
    column: search.get('column') || undefined,
    closed: search.get('closed') || undefined,
    sort: search.get('sort') || undefined,
  }
}

export const TABLE_TABS = [
  'overview',
  'columns',
  'lineage',
  'rules',
  'runs',
  'data',
  'config',
  'history',
] as const
export type TableTab = (typeof TABLE_TABS)[number]
export type TableView = { tab?: TableTab; find?: string; column?: string; version?: string }

export function readTableView(search: URLSearchParams): TableView {
  return {
    tab: TABLE_TABS.find((tab) => tab === search.get('tab')),
    find: search.get('find') || undefined,
    column: search.get('column') || undefined,
    version: search.get('version') || undefined,
  }
}

export const GROUP_TABS = ['overview', 'tables', 'plan', 'settings'] as const
export type GroupTab = (typeof GROUP_TABS)[number]

export const tablePaths = {
  tables: (view: TablesView = {}) => `/tables${query(view)}`,
  table: (name: string, view: TableView = {}) =>
    `/tables/${encodeURIComponent(name)}${query({ ...view, tab: view.tab === 'overview' ? undefined : view.tab })}`,
  newTable: (zone: ConfigZone, from: { group?: string; from?: string } = {}) =>
    `/tables/new/${zone}${query(from)}`,
  config: (zone: ConfigZone, id: string) => `/tables/edit/${zone}/${encodeURIComponent(id)}`,
  groups: () => '/groups',
  newGroup: (copy?: string) => `/groups/new${query({ copy })}`,
  group: (id: string, tab?: GroupTab) =>
    `/groups/${encodeURIComponent(id)}${query({ tab: tab === 'overview' ? undefined : tab })}`,
}

/** The page of a node of the graph. */
export function nodePath(node: { id: string; zone: string; config_id: string }): string {
  if (node.zone === 'source') return `/sources/${encodeURIComponent(node.config_id)}`
  return node.zone === 'raw' ? tablePaths.config('raw', node.config_id) : tablePaths.table(node.id)
}

function query(values: Record<string, string | undefined>): string {
  const search = new URLSearchParams()
  for (const [key, value] of Object.entries(values)) if (value) search.set(key, value)
  const text = search.toString()
  return text ? `?${text}` : ''
}
