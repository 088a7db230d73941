import { expect, it } from 'vitest'
import { firstIdAt, uuidv7 } from './id.ts'

it('makes ids of version 7 that hold their time', () => {
  const time = Date.now() + 1_000_000
  const id = uuidv7(time)
  expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  expect(Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16)).toBe(time)
})

it('increases strictly within a millisecond and when the clock goes back', () => {
  const time = Date.now() + 2_000_000
  const ids = Array.from({ length: 10_000 }, (_, index) => uuidv7(time - (index % 3)))
  expect(ids).toEqual([...new Set(ids)].sort())
})

it('bounds the ids of a moment', () => {
  const time = Date.now() + 3_000_000
  const id = uuidv7(time)
  expect(firstIdAt(new Date(time)) <= id).toBe(true)
  expect(firstIdAt(new Date(time + 1)) > id).toBe(true)
})
