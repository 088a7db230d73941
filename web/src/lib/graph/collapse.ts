// Groups closed into boxes: one box in place of a group's tables, with the worst of their states; edges go to the box. Pure.
import { rollup, type Shown } from '#lib/states.ts'
import type { TableNode } from '#lib/api/tables.ts'
import { stateOf } from './filter.ts'
import { GRAPH_ZONES, type Edge, type Model, type Zone } from './model.ts'

export type Item =
  | { kind: 'table'; id: string; zone: Zone; group: string | null; node: TableNode }
  | {
      kind: 'group'
      id: string
      /** Column in which it stands: that of its last zone, so that what is made of it stands to the right. */
      zone: Zone
      group: string
      zones: Zone[]
      tables: TableNode[]
      /** The worst of its tables; null where none has run. */
      state: Shown | null
      failed: number
    }

export type View = { items: Item[]; edges: Edge[] }

const BOX = 'group:'

export function boxId(group: string): string {
  return `${BOX}${group}`
}

/** The group of a box's id; null for a table's id. */
export function boxGroup(id: string): string | null {
  return id.startsWith(BOX) ? id.slice(BOX.length) : null
}

/**
 * What is drawn of the chosen nodes. An edge between a table and one in a closed group ends at the box; edges inside a box
 * disappear with it, and several between the same two become one.
 */
export function collapse(
  model: Model,
  chosen: ReadonlySet<string>,
  closed: ReadonlySet<string>,
): View {
  const boxes = new Map<string, TableNode[]>()
  const items: Item[] = []
  const place = new Map<string, string>()
  for (const id of chosen) {
    const node = model.nodes.get(id)
    if (!node) continue
    if (node.group !== null && closed.has(node.group)) {
      const tables = boxes.get(node.group)
      if (tables) tables.push(node)
      else boxes.set(node.group, [node])
      place.set(id, boxId(node.group))
      continue
    }
    items.push({ kind: 'table', id, zone: node.zone, group: node.group, node })
    place.set(id, id)
  }
  for (const [group, tables] of boxes) {
    const zones = GRAPH_ZONES.filter((zone) => tables.some((node) => node.zone === zone))
    const states = tables.map(stateOf).filter((state) => state !== null)
    items.push({
      kind: 'group',
      id: boxId(group),
      zone: zones.at(-1)!,
      group,
      zones,
      tables,
      state: states.length === 0 ? null : rollup(states),
      failed: states.filter((state) => state === 'failed').length,
    })
  }
  const edges = new Map<string, Edge>()
  for (const edge of model.edges) {
    const from = place.get(edge.from)
    const to = place.get(edge.to)
    if (from === undefined || to === undefined || from === to) continue
    edges.set(`${from}\n${to}`, { from, to })
  }
  return { items, edges: [...edges.values()] }
}

/** Group names of the chosen nodes, sorted. */
export function groupsOf(model: Model, chosen: ReadonlySet<string>): string[] {
  const found = new Set<string>()
  for (const id of chosen) {
    const group = model.nodes.get(id)?.group
    if (group) found.add(group)
  }
  return [...found].sort()
}
