// Whole class names of the graph's parts, so that the style sheet's compiler finds them; and what a box says to who cannot see it.
import { count } from '#lib/format.ts'
import { LABELS } from '#lib/states.ts'
import type { ColumnItem } from './columns.ts'
import type { Item } from './collapse.ts'
import { stateOf } from './filter.ts'
import { GRAPH_ZONE_LABELS, type Zone } from './model.ts'

export const ZONE_EDGE: Record<Zone, string> = {
  source: 'border-l-z-source',
  raw: 'border-l-z-raw',
  bronze: 'border-l-z-bronze',
  silver: 'border-l-z-silver',
  gold: 'border-l-z-gold',
}

/** "silver.orders, silver table, failed, 120 rows, 3 rejected". */
export function boxLabel(item: Item | ColumnItem): string {
  if (item.kind === 'column') return `column ${item.column} of ${item.table}`
  if (item.kind === 'group') {
    const state = item.state ? LABELS[item.state].toLowerCase() : 'never run'
    const failed = item.failed > 0 ? `, ${item.failed} failed` : ''
    return `group ${item.group}, closed, ${item.tables.length} tables, ${state}${failed}`
  }
  const { node } = item
  const zone = GRAPH_ZONE_LABELS[node.zone].toLowerCase()
  if (node.zone === 'source') return `${node.name}, source`
  const state = stateOf(node)
  return [
    node.name,
    node.zone === 'raw' ? 'raw object' : `${zone} table`,
    state ? LABELS[state].toLowerCase() : 'never run',
    ...(node.rows_written === null ? [] : [`${count(node.rows_written)} rows written`]),
    ...(node.rows_rejected ? [`${count(node.rows_rejected)} rejected`] : []),
  ].join(', ')
}
