import { execFileSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { asText, changedFields, diffLines } from './diff.ts'
import { settingsOf, settingText } from './origin.ts'
import { snippetsOf } from '#core/table-snippets.ts'

const code = (id: string, location: string | null) =>
  snippetsOf({ name: 'silver.orders', location }).find((each) => each.id === id)?.code ?? ''

describe('snippets', () => {
  it('hold a folder with quotes and spaces as it is', () => {
    const folder = `/tmp/ada's "lake" \\ here/tables`
    expect(code('duckdb', folder)).toContain(`delta_scan('/tmp/ada''s "lake" \\ here/tables')`)
    const python = 'import ast, sys; print(ast.parse(sys.stdin.read()).body[-1].lineno)'
    for (const id of ['pandas', 'polars', 'spark'])
      expect(
        Number(execFileSync('python3', ['-c', python], { input: code(id, folder) }).toString()),
      ).toBeGreaterThan(1)
  })

  it('of a table without a folder go by its name', () => {
    expect(snippetsOf({ name: 'silver.orders', location: null }).map((each) => each.id)).toEqual([
      'spark',
    ])
    expect(code('spark', null)).toContain('spark.read.table("silver.orders")')
  })
})

describe('changes', () => {
  it('are the fields that differ, without what every change writes', () => {
    const before = { id: 1, version: 1, owner: '', where: null, query: 'select 1', tags: [] }
    const after = { id: 1, version: 2, owner: 'ada', where: '', query: 'select 1', tags: null }
    expect(changedFields(before, after)).toEqual([{ field: 'owner', before: '', after: 'ada' }])
    expect(changedFields(null, after).map((each) => each.field)).toEqual(['owner', 'query'])
    expect(changedFields(before, null).map((each) => each.field)).toEqual(['query'])
  })

  it('of a text are its lines that came and went', () => {
    expect(diffLines('select a\nfrom x', 'select a, b\nfrom x\nwhere a')).toEqual([
      { sign: '-', text: 'select a' },
      { sign: '+', text: 'select a, b' },
      { sign: ' ', text: 'from x' },
      { sign: '+', text: 'where a' },
    ])
    expect(diffLines('', 'a')).toEqual([{ sign: '+', text: 'a' }])
    expect(diffLines('same', 'same')).toEqual([{ sign: ' ', text: 'same' }])
  })

  it('show text as it is and values as JSON', () => {
    expect([asText('a\nb'), asText(null), asText([1])]).toEqual(['a\nb', '', '[\n  1\n]'])
  })
})

describe('settings of a config', () => {
  const group = { name: 'shop', retries: 2, timeout_s: null }
  const of = (row: Record<string, unknown>) =>
    Object.fromEntries(
      settingsOf('silver', row, group).map((each) => [
        each.key,
        [each.origin, each.value, each.note],
      ]),
    )

  it('say what is set, what is the default, what comes from the group and from the SQL', () => {
    const found = of({ retries: null, timeout_s: 60, where: 'a > 1', dedupe: false, columns: [] })
    expect(found.retries).toEqual(['inherited', 2, 'from group shop'])
    expect(found.timeout_s).toEqual(['set', 60, 'instead of the group’s no limit'])
    expect(found.where?.[0]).toBe('set')
    expect(found.dedupe?.[0]).toBe('default')
    expect(found.columns?.[0]).toBe('derived')
    expect(found.target).toBeUndefined()
  })

  it.each([
    [['a', 'b'], 'a, b'],
    [[{ name: 'a', type: 'int', nullable: false }], 'a int not null'],
    [[{ name: 'a', expression: 'x + 1' }], 'x + 1 as a'],
    [[{ table: 's.t', alias: 't', kind: 'left', on: 'a = b' }], 'left join s.t as t on a = b'],
    [
      [{ column: 'email', policy: 'mask', pii: true, rename: null }],
      'column: email, policy: mask, pii: true',
    ],
    [null, ''],
    [{ a: 1 }, '{\n  "a": 1\n}'],
  ])('%j reads %j', (value, text) => expect(settingText(value)).toBe(text))
})
