import { describe, expect, it } from 'vitest'
import type { LogEvent } from '#lib/api.ts'
import { hits, LogRows, marked } from '#lib/run/log-rows.ts'

const line = (seq: number, text: string, step: string | null = null): LogEvent => ({
  seq,
  step,
  level: 'info',
  text,
  at: '2026-11-23T10:00:00Z',
})
const LINES = [line(1, 'one'), line(2, 'two\nat x\nat y'), line(3, 'three'), line(4, 'four\nz')]

describe('rows of a log', () => {
  it('fold what a line says beyond its first', () => {
    const rows = new LogRows(LINES, new Set())
    expect(rows.count).toBe(4)
    expect(rows.row(1)).toMatchObject({ text: 'two', folded: 2, part: 0 })
    expect(rows.rowOf(3)).toBe(3)
  })

  it('open in place, and everything below moves down', () => {
    const rows = new LogRows(LINES, new Set([2, 4]))
    expect(rows.count).toBe(7)
    const texts = Array.from({ length: 7 }, (_, n) => rows.row(n).text)
    expect(texts).toEqual(['one', 'two', 'at x', 'at y', 'three', 'four', 'z'])
    expect(rows.row(3)).toMatchObject({ part: 2, folded: 0 })
    expect([0, 1, 2, 3].map((at) => rows.rowOf(at))).toEqual([0, 1, 4, 5])
  })

  it('of a line without more are never open', () => {
    expect(new LogRows(LINES, new Set([1])).count).toBe(4)
  })
})

describe('a search', () => {
  it('finds in text and step, whatever the case', () => {
    expect(hits(LINES, 'T')).toEqual([1, 2])
    expect(hits([line(1, 'a', 'raw:Orders')], 'orders')).toEqual([0])
    expect(hits(LINES, '  ')).toEqual([])
  })

  it('marks each hit', () => {
    expect(marked('Two by two', 'two')).toEqual(['', 'Two', ' by ', 'two', ''])
    expect(marked('none', 'x')).toEqual(['none'])
    expect(marked('İx', 'x')).toEqual(['İx'])
  })
})
