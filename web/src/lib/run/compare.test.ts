import { describe, expect, it } from 'vitest'
import { differencesOf, signed, type ComparedStep } from '#lib/run/compare.ts'

const side = (change: Partial<NonNullable<ComparedStep['now']>> = {}) => ({
  state: 'succeeded' as const,
  duration_ms: 1000,
  rows_read: 10,
  rows_written: 10,
  rows_rejected: 0,
  ...change,
})
const step = (key: string, now: ComparedStep['now'], base: ComparedStep['base']) => ({
  key,
  now,
  base,
})

describe('between two batches', () => {
  it('small changes of time are noise, larger ones are not', () => {
    const steps = [
      step('noise', side({ duration_ms: 1400 }), side()),
      step('slower', side({ duration_ms: 3000 }), side()),
      step('faster', side({ duration_ms: 4000 }), side({ duration_ms: 9000 })),
    ]
    expect(differencesOf(steps).map((one) => [one.key, one.slower_ms])).toEqual([
      ['faster', -5000],
      ['slower', 2000],
    ])
    expect(differencesOf(steps, true)).toHaveLength(3)
  })

  it('a state comes before rows, and rows before time', () => {
    const steps = [
      step('time', side({ duration_ms: 900_000 }), side()),
      step('rows', side({ rows_written: 9 }), side()),
      step('failed', side({ state: 'failed', duration_ms: null }), side()),
      step('rejected', side({ rows_rejected: 1 }), side()),
      step('new', side(), null),
    ]
    const found = differencesOf(steps)
    expect(
      found
        .map((one) => one.key)
        .slice(0, 2)
        .sort(),
    ).toEqual(['failed', 'new'])
    expect(
      found
        .map((one) => one.key)
        .slice(2, 4)
        .sort(),
    ).toEqual(['rejected', 'rows'])
    expect(found.find((one) => one.key === 'new')).toMatchObject({ rows: null, slower_ms: null })
  })

  it('an amount has its sign', () => {
    expect([signed(5, String), signed(-5, String), signed(0, String)]).toEqual(['+5', '−5', 'same'])
  })
})
