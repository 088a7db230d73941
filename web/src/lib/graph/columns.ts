// The way of one column as a picture of its own: a box for each column on it, the SQL on the edges. Pure.
import type { ColumnEdge } from '#lib/api/tables.ts'
import type { Edge, Model, Zone } from './model.ts'

export type ColumnItem = {
  kind: 'column'
  id: string
  zone: Zone
  group: string | null
  table: string
  column: string
  /** The column that was asked for. */
  start: boolean
}
export type LabelledEdge = Edge & { kind: ColumnEdge['kind']; expression: string | null }

export function columnId(table: string, column: string): string {
  return `${table}\n${column}`
}

/** The start stands there alone where nothing is known of its way. A table that the graph does not have is left out. */
export function columnView(
  model: Model,
  start: { table: string; column: string },
  edges: readonly ColumnEdge[],
): { items: ColumnItem[]; edges: LabelledEdge[] } {
  const items = new Map<string, ColumnItem>()
  const add = (table: string, column: string): string | null => {
    const node = model.nodes.get(table)
    if (!node) return null
    const id = columnId(table, column)
    items.set(id, {
      kind: 'column',
      id,
      zone: node.zone,
      group: node.group,
      table,
      column,
      start: table === start.table && column === start.column,
    })
    return id
  }
  add(start.table, start.column)
  const drawn: LabelledEdge[] = []
  for (const edge of edges) {
    const from = add(edge.from.table, edge.from.column)
    const to = add(edge.to.table, edge.to.column)
    if (from && to) drawn.push({ from, to, kind: edge.kind, expression: edge.expression })
  }
  return { items: [...items.values()], edges: drawn }
}

const WORDS: Record<ColumnEdge['kind'], string> = {
  passthrough: 'as it is',
  derived: 'derived',
  masked: 'masked',
  hashed: 'hashed',
}

/** What stands on an edge: the SQL on one line, or what happens to the value. */
export function edgeWords(edge: Pick<LabelledEdge, 'kind' | 'expression'>): string {
  return edge.expression?.replace(/\s+/g, ' ').trim() || WORDS[edge.kind]
}
