import { describe, expect, it } from 'vitest'
import { collapse } from './collapse.ts'
import { layout, spread, type Layout } from './layout.ts'
import type { Model } from './model.ts'
import { lake, model } from './testing.ts'
import { walk } from './walk.ts'

const drawn = (graph: Model): Layout => {
  const { items, edges } = collapse(graph, new Set(graph.nodes.keys()), new Set())
  return layout(items, edges)
}
const row = (of: Layout, id: string) => of.at.get(id)!.row
const column = (of: Layout, id: string) => of.columns[of.at.get(id)!.column]!

describe('rows', () => {
  it('are kept by a table across its zones', () => {
    const chains = ['a', 'b', 'c'].map(
      (t) => `source:${t} > raw:${t}.x > bronze.${t} > silver.${t}`,
    )
    const of = drawn(model(chains))
    for (const t of ['a', 'b', 'c'])
      expect(
        new Set([`raw:${t}.x`, `bronze.${t}`, `silver.${t}`].map((id) => row(of, id))).size,
      ).toBe(1)
  })

  it('a source stands in the middle of what is read from it, its tables keep theirs', () => {
    const tables = Array.from({ length: 9 }, (_, n) => n)
    const of = drawn(model(tables.map((n) => `source:s > raw:s.t${n} > bronze.t${n}`)))
    expect(row(of, 'source:s')).toBe(4)
    for (const n of tables) expect(row(of, `raw:s.t${n}`)).toBe(row(of, `bronze.t${n}`))
  })

  it('a table of two stands between them, without lying on another', () => {
    const of = drawn(model(['silver.a > gold.x', 'silver.c > gold.x', 'silver.b > gold.y']))
    const places = [...of.at.values()].map((each) => `${each.column} ${each.row}`)
    expect(new Set(places).size).toBe(places.length)
    const [a, c, x] = ['silver.a', 'silver.c', 'gold.x'].map((id) => row(of, id)) as [
      number,
      number,
      number,
    ]
    expect(x).toBeGreaterThanOrEqual(Math.min(a, c))
    expect(x).toBeLessThanOrEqual(Math.max(a, c))
  })

  it.each([
    [[], []],
    [
      [0, 0, 0],
      [-1, 0, 1],
    ],
    [
      [0, 5, 5, 9],
      [0, 5, 6, 9],
    ],
    [
      [3, 3.2, 8],
      [3, 4, 8],
    ],
    [[2.5], [3]],
  ])('are whole and apart for the wishes %j', (wishes, rows) =>
    expect(spread(wishes)).toEqual(rows),
  )
})

describe('columns', () => {
  it('follow the zones, and a zone whose tables read each other has one a level', () => {
    const of = drawn(model(['bronze.a > gold.x > gold.y > gold.z', 'bronze.a > silver.a > gold.z']))
    expect(of.columns.map(({ zone, level }) => `${zone} ${level}`)).toEqual([
      'bronze 0',
      'silver 0',
      'gold 0',
      'gold 1',
      'gold 2',
    ])
    expect(column(of, 'gold.z')).toMatchObject({ zone: 'gold', level: 2 })
  })

  it('end in a circle too', () => {
    const of = drawn(model(['gold.a > gold.b > gold.a']))
    expect(of.at.size).toBe(2)
    expect(of.columns).toHaveLength(2)
  })
})

it('nothing lies on anything, and the order of the input does not matter', () => {
  const graph = lake(300)
  const of = drawn(graph)
  const places = [...of.at.values()].map((each) => `${each.column} ${each.row}`)
  expect(new Set(places).size).toBe(graph.nodes.size)
  const { items, edges } = collapse(graph, new Set(graph.nodes.keys()), new Set())
  expect(layout(items.reverse(), [...edges].reverse()).at).toEqual(
    new Map([...of.at].sort((a, b) => (a[0] < b[0] ? -1 : 1))),
  )
})

it('an empty graph is no picture', () => {
  expect(layout([], [])).toMatchObject({ columns: [], width: 0, height: 0 })
})

it('takes at most 50 ms for 200 nodes', () => {
  const graph = lake(60)
  const { items, edges } = collapse(graph, new Set(graph.nodes.keys()), new Set())
  expect(items.length).toBeGreaterThan(190)
  const times = Array.from({ length: 5 }, () => {
    const start = performance.now()
    layout(items, edges)
    return performance.now() - start
  })
  const best = Math.min(...times)
  console.log(`layout of ${items.length} nodes: ${best.toFixed(1)} ms`)
  expect(best).toBeLessThan(50)
})

describe('arrows', () => {
  const graph = model(['bronze.a > silver.a > gold.x', 'bronze.b > silver.b > gold.x'])
  const of = drawn(graph)
  it.each([
    ['gold.x', 'left', 'silver.b'],
    ['silver.a', 'right', 'gold.x'],
    ['silver.a', 'down', 'silver.b'],
    ['silver.b', 'up', 'silver.a'],
    ['silver.a', 'up', 'silver.a'],
    ['bronze.a', 'left', 'bronze.a'],
    ['gold.x', 'down', 'gold.x'],
  ] as const)('from %s %s to %s', (from, direction, to) =>
    expect(walk(of.at, graph, from, direction)).toBe(to),
  )
})
