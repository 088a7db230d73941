import { describe, expect, it } from 'vitest'
import { boxId, collapse, groupsOf } from './collapse.ts'
import { impactOf, pathThrough } from './model.ts'
import { model, node } from './testing.ts'

const graph = model(
  [
    'source:pg > raw:pg.a > bronze.a > silver.a > gold.x',
    'source:pg > raw:pg.b > bronze.b > silver.b > gold.x > gold.y',
  ],
  [
    node('bronze.a', { group: 'sales', state: 'succeeded' }),
    node('silver.a', { group: 'sales', state: 'failed' }),
    node('raw:pg.a', { group: 'sales' }),
    node('gold.y', { group: 'sales', state: 'succeeded' }),
  ],
)
const all = new Set(graph.nodes.keys())

describe('ways', () => {
  it('through a node hold all that it is made of and all that is made of it', () => {
    expect([...pathThrough(graph, 'silver.a')].sort()).toEqual(
      ['bronze.a', 'gold.x', 'gold.y', 'raw:pg.a', 'silver.a', 'source:pg'].sort(),
    )
  })

  it('the impact lists what is made of a table, by zone', () => {
    const impact = impactOf(graph, 'bronze.b')
    expect(impact.map(({ zone, nodes }) => [zone, nodes.map((each) => each.id)])).toEqual([
      ['silver', ['silver.b']],
      ['gold', ['gold.x', 'gold.y']],
    ])
    expect(impactOf(graph, 'gold.y')).toEqual([])
  })

  it('end in a circle too', () => {
    const circle = model(['gold.a > gold.b > gold.a'])
    expect(pathThrough(circle, 'gold.a').size).toBe(2)
  })
})

describe('closed groups', () => {
  it('become one box with the worst state, and edges to it stay', () => {
    const { items, edges } = collapse(graph, all, new Set(['sales']))
    const box = items.find((item) => item.id === boxId('sales'))
    expect(box).toMatchObject({
      zone: 'gold',
      zones: ['raw', 'bronze', 'silver', 'gold'],
      failed: 1,
    })
    expect(box).toMatchObject({ state: 'failed' })
    expect(edges).toContainEqual({ from: 'source:pg', to: boxId('sales') })
    expect(edges).toContainEqual({ from: boxId('sales'), to: 'gold.x' })
    expect(edges).toContainEqual({ from: 'gold.x', to: boxId('sales') })
    expect(edges.filter((edge) => edge.from === edge.to)).toEqual([])
  })

  it('hold only what the filter chose, and nothing of a group is left when it chose nothing of it', () => {
    const chosen = new Set(['bronze.a', 'bronze.b'])
    const { items } = collapse(graph, chosen, new Set(['sales', 'elsewhere']))
    expect(items.map((item) => item.id).sort()).toEqual(['bronze.b', boxId('sales')])
    expect(groupsOf(graph, chosen)).toEqual(['sales', 'shop'])
  })

  it('that never ran have no state', () => {
    const { items } = collapse(graph, all, new Set(['shop']))
    expect(items.find((item) => item.id === boxId('shop'))).toMatchObject({
      state: null,
      failed: 0,
    })
  })
})
