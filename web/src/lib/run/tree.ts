// A batch's steps as a tree of zones, tables and steps, and the rows of it that are open. Drawn from steps alone: the
// timeline's names and its bars share these rows, so they can't get out of line.
import type { Zone } from '#core/plan.ts'
import type { Step } from '#lib/api.ts'
import { rollup, shown, type Shown } from '#lib/states.ts'

export const ZONES: readonly Zone[] = ['raw', 'bronze', 'silver', 'gold']

export type Node = {
  /** Stable over updates: `raw`, `raw/orders`, or the step's key. */
  id: string
  kind: 'zone' | 'table' | 'step'
  label: string
  zone: Zone
  state: Shown
  /** Milliseconds; null before the start, `end` null while anything in it runs. */
  start: number | null
  end: number | null
  rows_read: number
  rows_written: number
  rows_rejected: number
  bytes_read: number
  bytes_written: number
  attempt: number
  /** The step itself where the row is one: a table with a single step is one row. */
  step: Step | null
  children: Node[]
}

export type Row = {
  node: Node
  level: number
  open: boolean
  position: number
  siblings: number
}

/**
 * Zones in their order, tables and steps in the order of `steps` (the plan's), so that nothing moves while it runs.
 * Linear in the number of steps.
 */
export function buildTree(steps: readonly Step[]): Node[] {
  const zones = new Map<Zone, Map<string, Step[]>>()
  for (const step of steps) {
    let tables = zones.get(step.zone)
    if (!tables) zones.set(step.zone, (tables = new Map()))
    const of = tables.get(step.table)
    if (of) of.push(step)
    else tables.set(step.table, [step])
  }
  const order = [...zones.keys()].sort((a, b) => ZONES.indexOf(a) - ZONES.indexOf(b))
  return order.map((zone) => {
    const tables = [...zones.get(zone)!].map(([table, of]) => tableNode(zone, table, of))
    return parent(zone, 'zone', ZONE_LABELS[zone], zone, tables)
  })
}

export const ZONE_LABELS: Record<Zone, string> = {
  raw: 'Raw',
  bronze: 'Bronze',
  silver: 'Silver',
  gold: 'Gold',
}

function tableNode(zone: Zone, table: string, steps: Step[]): Node {
  const leaves = steps.map((step) => leaf(step))
  if (leaves.length === 1) return { ...leaves[0]!, kind: 'table', label: table }
  return parent(`${zone}/${table}`, 'table', table, zone, leaves)
}

function leaf(step: Step): Node {
  return {
    id: step.key,
    kind: 'step',
    label: step.key,
    zone: step.zone,
    state: shown(step),
    start: step.started_at ? Date.parse(step.started_at) : null,
    end: step.finished_at ? Date.parse(step.finished_at) : null,
    rows_read: step.rows_read,
    rows_written: step.rows_written,
    rows_rejected: step.rows_quarantined + step.rows_dropped,
    bytes_read: step.bytes_read,
    bytes_written: step.bytes_written,
    attempt: step.attempt,
    step,
    children: [],
  }
}

function parent(id: string, kind: Node['kind'], label: string, zone: Zone, children: Node[]): Node {
  const node: Node = {
    id,
    kind,
    label,
    zone,
    state: rollup([...new Set(children.map((child) => child.state))]),
    start: null,
    end: null,
    rows_read: 0,
    rows_written: 0,
    rows_rejected: 0,
    bytes_read: 0,
    bytes_written: 0,
    attempt: 1,
    step: null,
    children,
  }
  let open = false
  for (const child of children) {
    node.rows_read += child.rows_read
    node.rows_written += child.rows_written
    node.rows_rejected += child.rows_rejected
    node.bytes_read += child.bytes_read
    node.bytes_written += child.bytes_written
    node.attempt = Math.max(node.attempt, child.attempt)
    if (WORKING[child.state]) open = true
    if (child.start === null) continue
    node.start = Math.min(node.start ?? Infinity, child.start)
    if (child.end !== null) node.end = Math.max(node.end ?? -Infinity, child.end)
  }
  if (open) node.end = null
  return node
}

export type Show = {
  /** What a person opened or closed; the others are open, tables of many steps only in a short batch. */
  toggled: ReadonlyMap<string, boolean>
  find: string
  only_problems: boolean
}

const SHORT = 200

/** The rows in sight, top to bottom. While something is searched or only problems are shown, everything that matches is open. */
export function visibleRows(tree: readonly Node[], show: Show): Row[] {
  const find = show.find.trim().toLowerCase()
  const filtered = find !== '' || show.only_problems
  const size = tree.reduce((sum, zone) => sum + zone.children.length, 0)
  const rows: Row[] = []
  const walk = (nodes: readonly Node[], level: number) => {
    const kept = filtered ? nodes.filter((node) => matches(node, find, show.only_problems)) : nodes
    kept.forEach((node, index) => {
      const open =
        node.children.length > 0 &&
        (filtered || (show.toggled.get(node.id) ?? (node.kind === 'zone' || size <= SHORT)))
      rows.push({ node, level, open, position: index + 1, siblings: kept.length })
      if (open) walk(node.children, level + 1)
    })
  }
  walk(tree, 1)
  return rows
}

/** States after which something still comes. */
const WORKING: Record<Shown, boolean> = {
  queued: true,
  waiting: true,
  running: true,
  retrying: true,
  succeeded: false,
  warned: false,
  failed: false,
  skipped: false,
  cancelled: false,
}

const PROBLEM: Record<Shown, boolean> = {
  queued: false,
  running: false,
  succeeded: false,
  retrying: true,
  waiting: true,
  warned: true,
  failed: true,
  skipped: true,
  cancelled: true,
}

export function isProblem(state: Shown): boolean {
  return PROBLEM[state]
}

function matches(node: Node, find: string, only_problems: boolean): boolean {
  if (node.children.length > 0)
    return node.children.some((child) => matches(child, find, only_problems))
  if (only_problems && !isProblem(node.state)) return false
  return (
    find === '' || node.id.toLowerCase().includes(find) || node.label.toLowerCase().includes(find)
  )
}
