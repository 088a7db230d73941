import { expect, it } from 'vitest'
import { emptyOutcome } from '#engine/local/protocol.ts'
import { CORPUS } from './corpus.ts'
import { compareReports, compareTables, type Final, type TableContent } from './compare.ts'

const table = (columns: string, ...rows: string[]): TableContent => ({
  columns: columns.split(', ').map((column) => {
    const [name, type] = column.split(' ') as [string, string]
    return { name, type }
  }),
  rows,
})
const final = (more: Partial<Final>): Final => ({
  kind: 'step',
  step: 'silver:s.t',
  attempt: 1,
  at: '',
  ...emptyOutcome('succeeded'),
  ...more,
})

it('finds rows in another order equal, and one row less or twice different', () => {
  const left = table('id int', '[1]', '[1]', '[2]')
  expect(compareTables('s.t', left, table('id int', '[2]', '[1]', '[1]'))).toEqual([])
  expect(compareTables('s.t', left, table('id int', '[2]', '[2]', '[1]'))).toEqual([
    { step: 's.t', what: 'rows', left: '1 of its own: [1]', right: '1 of its own: [2]' },
  ])
  expect(compareTables('s.t', left, null)).toMatchObject([{ what: 'table', right: 'none' }])
  expect(compareTables('s.t', left, table('id bigint', '[1]', '[1]', '[2]'))).toMatchObject([
    { what: 'schema', left: 'id int', right: 'id bigint' },
  ])
})

it('compares counts and verdicts, but not bytes', () => {
  const left = final({ counts: { rows_read: 2, bytes_written: 10 }, content_hash: 'a' })
  const same = final({
    counts: { rows_read: 2, rows_late: 0, bytes_written: 99 },
    content_hash: 'a',
  })
  expect(compareReports(left, same)).toEqual([])
  expect(compareReports(left, final({ counts: { rows_read: 1 } }))).toMatchObject([
    { what: 'counts', left: '{"rows_read":2}', right: '{"rows_read":1}' },
    { what: 'content_hash' },
  ])
})

it('the corpus has sixty cases, each with a name of its own', () => {
  const cases = CORPUS.flatMap(({ name, feeds, silver = [], gold = [] }) =>
    [...feeds, ...silver, ...gold].map((each) => `${name} ${each.name}`),
  )
  expect(cases.length).toBeGreaterThanOrEqual(60)
  expect(new Set(cases).size).toBe(cases.length)
})
