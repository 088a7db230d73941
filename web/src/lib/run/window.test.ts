import { expect, it } from 'vitest'
import { rowsInSight, scrollTo } from '#lib/run/window.ts'

const sight = { top: 320, height: 96, row_px: 32, count: 3000 }

it('draws what is in sight and a little more', () => {
  expect(rowsInSight(sight, 1)).toEqual([9, 10, 11, 12, 13, 14])
})

it('draws nothing of an empty list, and not beyond the end of a short one', () => {
  expect(rowsInSight({ ...sight, top: 0, count: 0 }, 5, 0)).toEqual([])
  expect(rowsInSight({ ...sight, top: 0, count: 2 }, 5)).toEqual([0, 1])
  expect(rowsInSight({ ...sight, top: 9000, count: 2 }, 5, 1)).toEqual([1])
})

it('keeps the row with the focus, above or below, once', () => {
  expect(rowsInSight(sight, 0, 2)[0]).toBe(2)
  expect(rowsInSight(sight, 0, 2999).at(-1)).toBe(2999)
  expect(rowsInSight(sight, 0, 11)).toEqual([10, 11, 12, 13])
  expect(rowsInSight(sight, 0, 3000)).not.toContain(3000)
})

it('scrolls only as far as it must, and keeps rows from hiding under the header', () => {
  expect(scrollTo(sight, 10, 32)).toBe(320)
  expect(scrollTo(sight, 4, 32)).toBe(128)
  expect(scrollTo(sight, 20, 32)).toBe(608)
})
