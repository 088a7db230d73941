// The page of tables as values: what the filter finds, what is drawn of it, where it stands. The address holds the state.
import type { TableGraph, ColumnEdge } from '#lib/api/tables.ts'
import type { TablesView } from '#lib/table-paths.ts'
import { boxGroup, collapse, groupsOf } from './collapse.ts'
import { columnView } from './columns.ts'
import { matching, parseFilter } from './filter.ts'
import { layout } from './layout.ts'
import { linksOf, modelOf, pathThrough } from './model.ts'

/** Up to so many nodes all are drawn at once; beyond, groups are closed until somebody opens them. */
export const OPEN_NODES = 80

export class GraphPage {
  #graph: () => TableGraph | undefined
  #view: () => TablesView
  #column: () => readonly ColumnEdge[] | undefined

  constructor(
    graph: () => TableGraph | undefined,
    view: () => TablesView,
    column: () => readonly ColumnEdge[] | undefined,
  ) {
    this.#graph = graph
    this.#view = view
    this.#column = column
  }

  model = $derived.by(() => modelOf(this.#graph() ?? { nodes: [], edges: [] }))
  filter = $derived.by(() => parseFilter(this.#view().q ?? ''))
  chosen = $derived.by(() => matching(this.model, this.filter))
  groups = $derived.by(() => groupsOf(this.model, this.chosen))
  /** Groups that are drawn as one box. */
  closed = $derived.by((): ReadonlySet<string> => {
    const said = this.#view().closed
    if (said === '-') return new Set()
    if (said !== undefined) return new Set(said.split(','))
    return this.chosen.size > OPEN_NODES && this.groups.length > 1
      ? new Set(this.groups)
      : new Set()
  })
  /** The way of a column takes the place of the tables while one is chosen. */
  drawn = $derived.by(() => {
    const { node, column } = this.#view()
    const edges = this.#column()
    if (node && column && edges) return columnView(this.model, { table: node, column }, edges)
    return collapse(this.model, this.chosen, this.closed)
  })
  links = $derived.by(() => linksOf(this.drawn.edges))
  layout = $derived.by(() =>
    // The SQL of a column's way stands on the edges
    layout(this.drawn.items, this.drawn.edges, this.#view().column ? 140 : undefined),
  )
  counts = $derived.by(() => {
    const counts: Record<string, number> = {}
    const zones = this.#view().column
      ? this.drawn.items.map((item) => item.zone)
      : [...this.chosen].map((id) => this.model.nodes.get(id)!.zone)
    for (const zone of zones) counts[zone] = (counts[zone] ?? 0) + 1
    return counts
  })

  /** The whole way through a box, also through closed groups. */
  pathThrough(id: string): ReadonlySet<string> {
    return pathThrough(this.links, id)
  }

  /** The value of `closed` with a group opened or closed. */
  toggled(group: string): string {
    const closed = new Set(this.closed)
    if (!closed.delete(group)) closed.add(group)
    return [...closed].join(',') || '-'
  }

  groupOf(id: string): string | null {
    return boxGroup(id) ?? this.model.nodes.get(id)?.group ?? null
  }
}
