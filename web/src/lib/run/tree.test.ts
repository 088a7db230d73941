import { describe, expect, it } from 'vitest'
import { causesOf, reasonOf, stepName } from '#lib/run/cause.ts'
import { barOf, scaleOf } from '#lib/run/scale.ts'
import { step } from '#lib/run/testing.ts'
import { buildTree, visibleRows, type Show } from '#lib/run/tree.ts'

const ALL: Show = { toggled: new Map(), find: '', only_problems: false }
const at = (second: number) => new Date(Date.UTC(2026, 10, 23, 10, 0, second)).toISOString()

describe('the tree of a batch', () => {
  it('is empty without steps', () => {
    expect(buildTree([])).toEqual([])
    expect(visibleRows([], ALL)).toEqual([])
    expect(scaleOf([], 0)).toBeNull()
  })

  it('reads zones from raw to gold, whatever comes first, and tables in the order of the plan', () => {
    const tree = buildTree([
      step({ zone: 'gold', table: 'gold.a' }),
      step({ zone: 'raw', table: 'shop.z' }),
      step({ zone: 'silver', table: 'silver.a' }),
      step({ zone: 'raw', table: 'shop.b' }),
    ])
    expect(tree.map((zone) => zone.zone)).toEqual(['raw', 'silver', 'gold'])
    expect(tree[0]!.children.map((table) => table.label)).toEqual(['shop.z', 'shop.b'])
  })

  it('shows a table of one step as one row, and one of several as a parent of them', () => {
    const tree = buildTree([
      step({ key: 'one', zone: 'raw', table: 't' }),
      step({ key: 'load', zone: 'silver', table: 's' }),
      step({ key: 'check', zone: 'silver', table: 's' }),
    ])
    expect(visibleRows(tree, ALL).map((row) => [row.level, row.node.label])).toEqual([
      [1, 'Raw'],
      [2, 't'],
      [1, 'Silver'],
      [2, 's'],
      [3, 'load'],
      [3, 'check'],
    ])
  })

  it('adds up rows, and spans from the first start to the last end', () => {
    const [zone] = buildTree([
      step({
        key: 'a',
        rows_read: 10,
        rows_quarantined: 2,
        rows_dropped: 1,
        started_at: at(1),
        finished_at: at(9),
      }),
      step({ key: 'b', table: 'u', rows_read: 5, started_at: at(3), finished_at: at(4) }),
    ])
    expect(zone).toMatchObject({
      rows_read: 15,
      rows_rejected: 3,
      start: Date.parse(at(1)),
      end: Date.parse(at(9)),
    })
  })

  it('leaves a zone open while a step of it still runs or waits for its turn', () => {
    const done = step({ key: 'a', started_at: at(1), finished_at: at(2) })
    const running = step({ key: 'b', table: 'u', state: 'running', started_at: at(2) })
    const queued = step({ key: 'c', table: 'v', state: 'pending' })
    expect(buildTree([done, running])[0]).toMatchObject({ state: 'running', end: null })
    expect(buildTree([done, queued])[0]).toMatchObject({ state: 'running', end: null })
    expect(buildTree([queued])[0]).toMatchObject({ state: 'queued', start: null, end: null })
  })

  it('keeps 3,000 steps in order', () => {
    const steps = Array.from({ length: 3000 }, (_, n) =>
      step({
        key: `${n}`,
        zone: (['raw', 'bronze', 'silver', 'gold'] as const)[n % 4],
        table: `t${n >> 2}`,
        state: n === 1999 ? 'failed' : 'succeeded',
        started_at: at(0),
        finished_at: at(1),
      }),
    )
    const rows = visibleRows(buildTree(steps), ALL)
    expect(rows).toHaveLength(3004)
    expect(rows[752]).toMatchObject({ level: 2, position: 1, siblings: 750 })
    expect(
      visibleRows(buildTree(steps), { ...ALL, only_problems: true }).map((row) => row.node.id),
    ).toEqual(['gold', '1999'])
  })
})

describe('the open rows', () => {
  const tree = buildTree([
    step({ key: 'bronze:a.orders', zone: 'bronze', table: 'a.orders', state: 'failed' }),
    step({ key: 'bronze:a.stores', zone: 'bronze', table: 'a.stores' }),
    step({ key: 'gold:a.sales', zone: 'gold', table: 'a.sales', state: 'skipped' }),
  ])
  const names = (show: Partial<Show>) =>
    visibleRows(tree, { ...ALL, ...show }).map((row) => row.node.label)

  it('hide below what was closed', () => {
    expect(names({ toggled: new Map([['bronze', false]]) })).toEqual(['Bronze', 'Gold', 'a.sales'])
  })

  it('are those that match, with their zones, ignoring case', () => {
    const toggled = new Map([['bronze', false]])
    expect(names({ find: ' ORD ', toggled })).toEqual(['Bronze', 'a.orders'])
    expect(names({ find: 'nothing like this' })).toEqual([])
  })

  it('are those with problems', () => {
    expect(names({ only_problems: true })).toEqual(['Bronze', 'a.orders', 'Gold', 'a.sales'])
  })
})

describe('the cause', () => {
  const orders = step({ key: 'bronze:x', zone: 'bronze', table: 'x', state: 'failed' })
  const later = step({
    key: 'silver:x',
    zone: 'silver',
    table: 'silver.x',
    state: 'skipped',
    root_cause: 'bronze:x',
  })

  it('stands apart from what followed from it', () => {
    const causes = causesOf([later, orders, step({ key: 'fine' })])
    expect(causes).toEqual([{ step: orders, consequences: [later] }])
  })

  it('is told in the skipped step, or the batch that took its input over', () => {
    expect(reasonOf(later, new Map([['bronze:x', orders]]))).toBe('Upstream failed: bronze: x')
    expect(reasonOf({ ...later, root_cause: '0193' }, new Map())).toBe('Taken over by batch 0193')
    expect(reasonOf({ ...later, root_cause: null, reason: 'no input' }, new Map())).toBe('no input')
    expect(reasonOf({ ...orders, state: 'waiting', reason: 'approve it' }, new Map())).toBe(
      'approve it',
    )
    expect(reasonOf(orders, new Map())).toBeNull()
  })

  it('names the zone once', () => {
    expect([stepName(orders), stepName(later)]).toEqual(['bronze: x', 'silver.x'])
  })
})

describe('the time axis', () => {
  it('ends now while something runs, and puts ticks on round times', () => {
    const scale = scaleOf([{ started_at: at(0), finished_at: null }], Date.parse(at(50)), 6)!
    expect(scale.to).toBe(Date.parse(at(50)))
    expect(scale.ticks.map((tick) => tick.label)).toEqual([
      '0',
      '10 s',
      '20 s',
      '30 s',
      '40 s',
      '50 s',
    ])
  })

  it.each([50, 999, 61_000, 3_600_000, 90_000_000, 9_000_000_000])(
    'has few ticks over %s ms',
    (ms) => {
      const scale = scaleOf([{ started_at: at(0), finished_at: null }], Date.parse(at(0)) + ms, 6)!
      expect(scale.ticks.length).toBeGreaterThanOrEqual(1)
      expect(scale.ticks.length).toBeLessThanOrEqual(7)
    },
  )

  it('places bars inside itself, also when clocks disagree', () => {
    const scale = { from: 1000, to: 2000, ticks: [] }
    expect(barOf({ start: 1250, end: 1500 }, scale)).toEqual({ left: 25, width: 25 })
    expect(barOf({ start: 1500, end: null }, scale)).toEqual({ left: 50, width: 50 })
    expect(barOf({ start: 500, end: 9000 }, scale)).toEqual({ left: 0, width: 100 })
    expect(barOf({ start: null, end: null }, scale)).toBeNull()
  })
})
