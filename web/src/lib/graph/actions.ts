// What can be done with a box of the graph, as data: the panel and the menu draw the same list.
import type { TableNode } from '#lib/api/tables.ts'
import { nodePath } from '#lib/table-paths.ts'

export type NodeAction = {
  id: 'open' | 'around' | 'batch' | 'run' | 'close'
  label: string
  /** A place to go to; null: `run` is called. */
  href: string | null
  disabled_reason?: string
}

export function nodeActions(
  node: TableNode,
  paths: { batch: (id: string) => string },
): NodeAction[] {
  const words = { source: 'Open source', raw: 'Open config' }
  const label = words[node.zone as keyof typeof words] ?? 'Open table'
  const actions: NodeAction[] = [{ id: 'open', label, href: nodePath(node) }]
  actions.push({ id: 'around', label: 'Show its neighbours', href: null })
  if (node.group_id === null) return actions
  actions.push({
    id: 'run',
    label: `Run group ${node.group}`,
    href: null,
    ...((node.state === 'running' || node.state === 'pending') && {
      disabled_reason: 'A batch of the group is on its way.',
    }),
  })
  if (node.batch_id !== null)
    actions.push({ id: 'batch', label: 'Open the last batch', href: paths.batch(node.batch_id) })
  actions.push({ id: 'close', label: `Close group ${node.group}`, href: null })
  return actions
}
