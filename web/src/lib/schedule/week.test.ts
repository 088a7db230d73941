import { expect, it } from 'vitest'
import { heat, weekMap } from '#lib/schedule/week.ts'

it('puts each start into its hour, by the clock of the zone', () => {
  const items = [
    { name: 'a', runs: ['2026-11-22T05:00:00Z', '2026-11-22T05:30:00Z', '2026-11-23T23:30:00Z'] },
    { name: 'b', runs: ['2026-11-22T05:10:00Z'] },
  ]
  const rows = weekMap(items, '2026-11-22T02:00:00Z', 'Europe/Berlin')
  expect(rows.map((row) => row.day)[0]).toBe('Sun 22 Nov')
  expect(rows[0]!.cells[6]).toEqual({ count: 3, names: ['a', 'b'] })
  expect(rows[2]!.cells[0]).toEqual({ count: 1, names: ['a'] })
  expect(rows.length).toBe(8)
})

it('has each day once when the clocks change', () => {
  const days = weekMap([], '2026-10-22T22:00:00Z', 'Europe/Berlin').map((row) => row.day)
  expect(new Set(days).size).toBe(days.length)
  expect(days).toContain('Sun 25 Oct')
})

it('is as warm as the hour is busy', () => {
  expect([0, 1, 5, 10].map((count) => heat(count, 10))).toEqual([0, 1, 2, 4])
  expect(heat(0, 0)).toBe(0)
})
