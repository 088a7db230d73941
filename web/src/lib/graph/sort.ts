// The order of the tables' list. Pure.
import type { TableNode } from '#lib/api/tables.ts'
import { stateOf } from './filter.ts'
import { GRAPH_ZONES } from './model.ts'

const STATES = ['failed', 'warned', 'running', 'retrying', 'waiting', 'queued', 'cancelled']

/** What comes first in a column: trouble, the leftmost zone, the greatest number, the oldest; unknown values last. */
const KEYS: Record<string, (node: TableNode) => string | number> = {
  name: (node) => node.name,
  zone: (node) => GRAPH_ZONES.indexOf(node.zone),
  group: (node) => node.group ?? '\uffff',
  state: (node) => {
    const at = STATES.indexOf(stateOf(node) ?? '')
    return at < 0 ? STATES.length + (node.state === null ? 1 : 0) : at
  },
  rows: (node) => -(node.rows_written ?? -1),
  rejected: (node) => -(node.rows_rejected ?? -1),
  fresh: (node) => (node.fresh_at === null ? Infinity : Date.parse(node.fresh_at)),
}

/** By one of the keys, backwards with a minus; nothing known: zones from left to right, names within. */
export function sortNodes(nodes: readonly TableNode[], sort: string): TableNode[] {
  const back = sort.startsWith('-')
  const key = KEYS[back ? sort.slice(1) : sort]
  const name = (a: TableNode, b: TableNode) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0)
  const zone = KEYS.zone!
  if (!key) return [...nodes].sort((a, b) => Number(zone(a)) - Number(zone(b)) || name(a, b))
  return [...nodes].sort((a, b) => {
    const [left, right] = [key(a), key(b)]
    const by = left < right ? -1 : left > right ? 1 : 0
    return (back ? -by : by) || name(a, b)
  })
}
