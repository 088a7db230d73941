import { expect, it } from 'vitest'
import type { LogEvent } from '#lib/api.ts'
import { EventBuffer, filterLines } from '#lib/run/buffer.ts'

const line = (seq: number, more: Partial<LogEvent> = {}): LogEvent => ({
  seq,
  step: null,
  level: 'info',
  text: `${seq}`,
  at: '2026-11-23T10:00:00Z',
  ...more,
})
const seqs = (lines: readonly LogEvent[]) => lines.map((one) => one.seq)

it('keeps lines in the order of their numbers, each once', () => {
  const buffer = new EventBuffer()
  const added = [3, 1, 2, 3, 1, 5].map((seq) => buffer.add(line(seq)))
  expect(seqs(buffer.lines)).toEqual([1, 2, 3, 5])
  expect(added).toEqual([true, true, true, false, false, true])
  expect(buffer.last_seq).toBe(5)
})

it('lets the oldest go, and says how many', () => {
  const buffer = new EventBuffer(100)
  for (let seq = 1; seq <= 1000; seq++) buffer.add(line(seq))
  expect(buffer.lines.length).toBeLessThanOrEqual(125)
  expect(buffer.lines.length + buffer.dropped).toBe(1000)
  expect(buffer.last_seq).toBe(1000)
})

it('filters by the least level and by step', () => {
  const lines = [
    line(1, { level: 'debug', step: 'a' }),
    line(2, { level: 'warn', step: 'a' }),
    line(3, { level: 'error', step: 'b' }),
    line(4),
  ]
  expect(seqs(filterLines(lines, 'debug', null))).toEqual([1, 2, 3, 4])
  expect(seqs(filterLines(lines, 'warn', null))).toEqual([2, 3])
  expect(seqs(filterLines(lines, 'info', 'a'))).toEqual([2])
})
