// Graphs for tests.
import type { TableNode } from '#lib/api/tables.ts'
import { modelOf, type Model, type Zone } from './model.ts'

export function node(id: string, change: Partial<TableNode> = {}): TableNode {
  const zone = (change.zone ?? id.split(/[:.]/)[0]) as Zone
  return {
    id,
    zone,
    name: id.replace(/^(raw|source):/, ''),
    group: zone === 'source' ? null : 'shop',
    group_id: null,
    config_id: id,
    owner: '',
    tags: [],
    description: '',
    how: 'append',
    rules: 0,
    state: null,
    warned: false,
    attempt: 0,
    batch_id: null,
    rows_read: null,
    rows_written: null,
    rows_rejected: null,
    bytes_written: null,
    duration_ms: null,
    finished_at: null,
    error: null,
    fresh_at: null,
    ...change,
  }
}

/** `edges`: `a > b > c`, one chain a text. Nodes that no chain names are given as nodes. */
export function model(chains: string[], nodes: TableNode[] = []): Model {
  const found = new Map(nodes.map((each) => [each.id, each]))
  const edges = chains.flatMap((chain) => {
    const ids = chain.split(' > ')
    for (const id of ids) if (!found.has(id)) found.set(id, node(id))
    return ids.slice(1).map((to, i) => ({ from: ids[i]!, to }))
  })
  return modelOf({ nodes: [...found.values()], edges })
}

/** A lake of chains from sources to gold: `tables` of them in bronze and in silver, every tenth joined with the one before. */
export function lake(tables: number): Model {
  const chains: string[] = []
  for (let n = 0; n < tables; n++) {
    chains.push(`source:s${n % 7} > raw:s.t${n} > bronze.t${n} > silver.t${n}`)
    if (n % 10 === 1)
      chains.push(`silver.t${n - 1} > gold.g${n} > gold.sum`, `silver.t${n} > gold.g${n}`)
  }
  return model(chains)
}
