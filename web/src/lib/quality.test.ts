import { describe, expect, it } from 'vitest'
import { RULE_STATUSES } from '#core/dq-rule.ts'
import type { Grid } from '#lib/api/quality.ts'
import {
  errorsOf,
  gridRows,
  LIFECYCLE,
  outcomeOf,
  STATUS_TONES,
  wrongColumns,
} from '#lib/quality.ts'

describe('the status of a rule', () => {
  it('has a colour and a way on, whichever it is', () => {
    for (const status of RULE_STATUSES) {
      expect(STATUS_TONES[status]).toBeTruthy()
      expect(LIFECYCLE[status].length).toBeGreaterThan(0)
      for (const { to } of LIFECYCLE[status]) expect(to).not.toBe(status)
    }
  })
})

describe('rules beside batches', () => {
  const run = (rule_id: string, batch_id: string, rows_failed: number) =>
    ({ rule_id, name: rule_id, table: 't', batch_id, rows_failed }) as Grid['runs'][number]

  it('are rows with a cell for each batch, the worst on top', () => {
    const rows = gridRows({
      batches: [{ id: 'b1' }, { id: 'b2' }] as Grid['batches'],
      runs: [run('good', 'b1', 0), run('good', 'b2', 0), run('bad', 'b2', 3), run('bad', 'x', 9)],
    })
    expect(rows.map((row) => [row.name, row.failed])).toEqual([
      ['bad', 3],
      ['good', 0],
    ])
    expect(rows[0]!.cells.map((cell) => cell?.rows_failed ?? null)).toEqual([null, 3])
  })

  it.each([
    [{ rows_failed: 0, applied: false, on_fail: 'fail' }, 'ok'],
    [{ rows_failed: 1, applied: false, on_fail: 'fail' }, 'skip'],
    [{ rows_failed: 1, applied: true, on_fail: 'warn' }, 'warn'],
    [{ rows_failed: 1, applied: true, on_fail: 'fail' }, 'fail'],
  ])('%j shows as %s', (run, tone) => expect(outcomeOf(run).tone).toBe(tone))
})

describe('a row in quarantine', () => {
  it('says what it failed, as a list or as its text', () => {
    const errors = [{ rule: 'r', message: 'm', columns: ['Amount'], batch_id: 'b' }]
    expect(errorsOf(errors)).toEqual(errors)
    expect(errorsOf(JSON.stringify(errors))).toEqual(errors)
    expect([...wrongColumns(errors)]).toEqual(['amount'])
  })

  it.each([null, 'nonsense', 7, {}, [1, null]])('says nothing for %j', (value) =>
    expect(errorsOf(value)).toEqual([]),
  )
})
