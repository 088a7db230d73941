// The graph of tables as the screens walk it: neighbours, paths, hops. Pure; made once from the API's answer.
import type { TableGraph, TableNode } from '#lib/api/tables.ts'

export type Zone = TableNode['zone']
export const GRAPH_ZONES: readonly Zone[] = ['source', 'raw', 'bronze', 'silver', 'gold']
export const GRAPH_ZONE_LABELS: Record<Zone, string> = {
  source: 'Source',
  raw: 'Raw',
  bronze: 'Bronze',
  silver: 'Silver',
  gold: 'Gold',
}

export type Edge = { from: string; to: string }

/** Neighbours by id; an id without neighbours has no entry. */
export type Links = { up: Map<string, string[]>; down: Map<string, string[]> }

export type Model = Links & { nodes: Map<string, TableNode>; edges: readonly Edge[] }

export function linksOf(edges: readonly Edge[]): Links {
  const up = new Map<string, string[]>()
  const down = new Map<string, string[]>()
  const add = (map: Map<string, string[]>, key: string, value: string) => {
    const list = map.get(key)
    if (list) list.push(value)
    else map.set(key, [value])
  }
  for (const { from, to } of edges) {
    add(down, from, to)
    add(up, to, from)
  }
  return { up, down }
}

export function modelOf(graph: Pick<TableGraph, 'nodes' | 'edges'>): Model {
  const nodes = new Map(graph.nodes.map((node) => [node.id, node]))
  const edges = graph.edges.filter((edge) => nodes.has(edge.from) && nodes.has(edge.to))
  return { nodes, edges, ...linksOf(edges) }
}

/** Everything within `hops` of the starts in one direction, the starts themselves included. */
export function reach(
  links: ReadonlyMap<string, readonly string[]>,
  starts: Iterable<string>,
  hops = Infinity,
): Set<string> {
  const seen = new Set(starts)
  let level = [...seen]
  for (let hop = 0; level.length > 0 && hop < hops; hop++) {
    const next: string[] = []
    for (const id of level)
      for (const other of links.get(id) ?? [])
        if (!seen.has(other)) {
          seen.add(other)
          next.push(other)
        }
    level = next
  }
  return seen
}

/** The whole way through a node: all that it is made of and all that is made of it, itself included. */
export function pathThrough(links: Links, id: string): Set<string> {
  return new Set([...reach(links.up, [id]), ...reach(links.down, [id])])
}

export type Impact = { zone: Zone; nodes: TableNode[] }

/** What is made of a table, by zone; empty where nothing is. */
export function impactOf(model: Model, id: string): Impact[] {
  const ids = reach(model.down, [id])
  ids.delete(id)
  return GRAPH_ZONES.flatMap((zone) => {
    const nodes = [...ids]
      .map((each) => model.nodes.get(each)!)
      .filter((node) => node.zone === zone)
    return nodes.length === 0
      ? []
      : [{ zone, nodes: nodes.sort((a, b) => (a.name < b.name ? -1 : 1)) }]
  })
}

/** A name as a title: without the schema, source or kind before it. */
export function shortName(node: Pick<TableNode, 'name'>): string {
  return node.name.slice(node.name.lastIndexOf('.') + 1)
}
