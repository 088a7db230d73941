import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { PRELUDE } from '#dialect/index.ts'
import { quoteDuckdb } from '#core/names.ts'
import type { PlanRule } from '#core/plan.ts'
import { ERRORS_COLUMN } from '#core/plan.ts'
import { evaluateRules, type RulesInput } from './checks.ts'
import { duckdbType } from '#core/types.ts'
import { batch, columnsFrom, type Lab, openLab, rowsOf } from './writers/testing.ts'

let lab: Lab
beforeAll(async () => {
  lab = await openLab(PRELUDE)
})
afterAll(() => lab.close())

const columns = columnsFrom('id int\nname string\namount decimal(10,2)\nat timestamp')

function rule(check: string, more: Partial<PlanRule> = {}): PlanRule {
  return {
    id: `id of ${more.name ?? check}`,
    name: more.name ?? check,
    check,
    options: {},
    columns: [],
    filter: null,
    on_fail: 'quarantine',
    threshold: 0,
    null_passes: false,
    fingerprint: 'fp',
    ...more,
  }
}

/** Judges rows given as VALUES; ids of good rows, and of bad ones with the rules that they failed. */
async function judge(rules: PlanRule[], values: string, more: Partial<RulesInput> = {}) {
  const used = more.columns ?? columns
  const list = used.map(
    ({ name, type }) => `${quoteDuckdb(name)}::${duckdbType(type)} as ${quoteDuckdb(name)}`,
  )
  const names = used.map(({ name }) => quoteDuckdb(name)).join(', ')
  const verdict = await evaluateRules(lab.sql, {
    relation: `(select ${list.join(', ')} from (values ${values}) as v(${names}))`,
    columns: used,
    rules,
    batch_id: 'b1',
    quarantine: true,
    target: null,
    table: (name) => name,
    pii: [],
    ...more,
  })
  const good = await lab.sql.rows(`select id from ${verdict.good} order by all`)
  const bad =
    verdict.bad === null
      ? []
      : await lab.sql.rows(
          `select id, list_transform(_errors, lambda e: e.rule) as rules from (${verdict.bad}) order by all`,
        )
  await verdict.close()
  return {
    ...verdict,
    good: good.map((row) => row.id),
    bad: Object.fromEntries(bad.map((row) => [String(row.id), row.rules])),
  }
}

describe('a rule', () => {
  it.each<[string, PlanRule, string, number[]]>([
    [
      'not_null',
      rule('not_null', { columns: ['name'] }),
      `(1, '', 0, null), (2, null, 0, null)`,
      [1],
    ],
    [
      'not_null lets no NULL pass, whatever null_passes says',
      rule('not_null', { columns: ['name'], null_passes: true }),
      `(1, 'a', 0, null), (2, null, 0, null)`,
      [1],
    ],
    [
      'not_null on two columns wants both',
      rule('not_null', { columns: ['name', 'amount'] }),
      `(1, 'a', 0, null), (2, null, 0, null), (3, 'a', null, null), (4, null, null, null)`,
      [1],
    ],
    [
      'accepted_values compares as the column does',
      rule('accepted_values', { columns: ['amount'], options: { values: ['1.1', 2] } }),
      `(1, '', 1.10, null), (2, '', 2, null), (3, '', 1.11, null), (4, '', null, null)`,
      [1, 2],
    ],
    [
      'accepted_values keeps the case of text',
      rule('accepted_values', { columns: ['name'], options: { values: ['a', "o'b"] } }),
      `(1, 'a', 0, null), (2, 'A', 0, null), (3, 'o''b', 0, null), (4, 'a ', 0, null)`,
      [1, 3],
    ],
    [
      'accepted_values with a long list, of which NULL is no member',
      rule('accepted_values', {
        columns: ['amount'],
        options: { values: ['1.1', ...Array.from({ length: 50 }, (_, n) => n + 2)] },
        filter: 'id < 5',
      }),
      `(1, '', 1.10, null), (2, '', 51, null), (3, '', 52, null), (4, '', null, null), (5, '', 52, null)`,
      [1, 2, 5],
    ],
    [
      'range includes its bounds',
      rule('range', { columns: ['amount'], options: { min: 1, max: '2.50' } }),
      `(1, '', 1, null), (2, '', 2.5, null), (3, '', 0.99, null), (4, '', 2.51, null), (5, '', null, null)`,
      [1, 2],
    ],
    [
      'range leaves them out where it says so',
      rule('range', {
        columns: ['amount'],
        options: { min: 1, max: 2, min_exclusive: true, max_exclusive: true },
      }),
      `(1, '', 1, null), (2, '', 1.01, null), (3, '', 2, null)`,
      [2],
    ],
    [
      'range with one bound, of instants',
      rule('range', { columns: ['at'], options: { min: '2024-01-01T00:00:00Z' } }),
      `(1, '', 0, '2024-01-01 01:00:00+01'), (2, '', 0, '2024-01-01 00:59:00+01'), (3, '', 0, '2024-01-01 00:00:00+00')`,
      [1, 3],
    ],
    [
      'regex finds its pattern anywhere',
      rule('regex', { columns: ['name'], options: { pattern: '[0-9]{2}' } }),
      `(1, 'a12', 0, null), (2, 'a1', 0, null), (3, null, 0, null)`,
      [1],
    ],
    [
      'regex with quotes and backslashes',
      rule('regex', { columns: ['name'], options: { pattern: "^it's\\d$" } }),
      `(1, 'it''s1', 0, null), (2, 'its1', 0, null)`,
      [1],
    ],
    [
      'expression',
      rule('expression', {
        options: { expression: 'amount > 0 or name = "x"'.replaceAll('"', "'") },
      }),
      `(1, '', 1, null), (2, 'x', 0, null), (3, '', 0, null), (4, null, 0, null)`,
      [1, 2],
    ],
    [
      'a NULL verdict passes where NULL may',
      rule('range', { columns: ['amount'], options: { min: 1 }, null_passes: true }),
      `(1, '', 1, null), (2, '', 0, null), (3, '', null, null)`,
      [1, 3],
    ],
    [
      'a filter: rows where it is not true are not looked at',
      rule('not_null', { columns: ['name'], filter: 'amount > 0' }),
      `(1, null, 0, null), (2, null, null, null), (3, null, 1, null), (4, 'a', 1, null)`,
      [1, 2, 4],
    ],
    [
      'unique: every equal row fails',
      rule('unique', { columns: ['name'] }),
      `(1, 'a', 0, null), (2, 'a', 0, null), (3, 'b', 0, null)`,
      [3],
    ],
    [
      'unique over two columns; NULL can not be told unique',
      rule('unique', { columns: ['name', 'amount'] }),
      `(1, 'a', 0, null), (2, 'a', 0, null), (3, 'a', 1, null), (4, 'a', null, null)`,
      [3],
    ],
    [
      'unique where NULL may pass',
      rule('unique', { columns: ['name'], null_passes: true }),
      `(1, null, 0, null), (2, null, 0, null), (3, 'a', 0, null)`,
      [1, 2, 3],
    ],
    [
      'unique among the rows that its filter looks at',
      rule('unique', { columns: ['name'], filter: 'amount > 0' }),
      `(1, 'a', 0, null), (2, 'a', 1, null), (3, 'b', 1, null), (4, 'b', 2, null)`,
      [1, 2],
    ],
  ])('%s', async (_, one, values, good) => {
    expect((await judge([one], values)).good).toEqual(good)
  })

  it('unique looks at the rows of an append target too, through the same filter', async () => {
    const target = `(select 9 as id, 'a' as name, 1::decimal(10,2) as amount, null::timestamptz as at
      union all select 9, 'b', 0, null)`
    const values = `(1, 'a', 1, null), (2, 'b', 1, null), (3, 'c', 1, null)`
    const plain = rule('unique', { columns: ['name'] })
    expect((await judge([plain], values, { target })).good).toEqual([3])
    const filtered = rule('unique', { columns: ['name'], filter: 'amount > 0' })
    expect((await judge([filtered], values, { target })).good).toEqual([2, 3])
  })

  it('unique takes -0 and 0 for equal, and NaN for equal to NaN', async () => {
    const floats = columnsFrom('id int\nx double')
    const { good } = await judge(
      [rule('unique', { columns: ['x'] })],
      `(1, '0'), (2, '-0.0'), (3, 'nan'), (4, 'nan'), (5, '1')`,
      { columns: floats },
    )
    expect(good).toEqual([5])
  })

  it('range lets no NaN pass, with one bound or two', async () => {
    const floats = columnsFrom('id int\nx double')
    const values = `(1, '1'), (2, 'nan'), (3, 'inf'), (4, null)`
    const least = rule('range', { columns: ['x'], options: { min: 0 } })
    expect((await judge([least], values, { columns: floats })).good).toEqual([1, 3])
    const lenient = rule('range', { columns: ['x'], options: { max: 5 }, null_passes: true })
    expect((await judge([lenient], values, { columns: floats })).good).toEqual([1, 4])
  })

  it('referential asks the other table, and NULL only passes where it may', async () => {
    await lab.sql.run(
      `create or replace temp table people as select 'a' as nick, 1 as n union all select null, 2`,
    )
    const more = { table: () => 'temp.people' }
    const values = `(1, 'a', 0, null), (2, 'b', 0, null), (3, null, 0, null), (4, 'a', 0, null)`
    const strict = rule('referential', {
      columns: ['name'],
      options: { table: 's.people', columns: ['nick'] },
    })
    expect((await judge([strict], values, more)).good).toEqual([1, 4])
    expect((await judge([{ ...strict, null_passes: true }], values, more)).good).toEqual([1, 3, 4])
    const two = {
      ...strict,
      columns: ['name', 'id'],
      options: { table: 's.people', columns: ['nick', 'n'] },
    }
    expect((await judge([two], values, more)).good).toEqual([1])
  })

  it('finds its columns however they are named', async () => {
    const hostile = columnsFrom('id int\n`__k0` int\n`sel"ect` int')
    const { good } = await judge(
      [
        rule('unique', { columns: ['__k0'] }),
        rule('range', { columns: ['sel"ect'], options: { min: 1 } }),
        rule('expression', { options: { expression: '__k0 < 3' } }),
      ],
      `(1, 1, 1), (2, 1, 1), (3, 2, 0), (4, 2, 1), (5, 3, 1), (6, 0, 1)`,
      { columns: hostile },
    )
    expect(good).toEqual([6])
  })
})

describe('severity and thresholds', () => {
  const small = rule('range', {
    name: 'small',
    columns: ['amount'],
    options: { max: 5 },
    on_fail: 'drop',
  })
  const named = rule('not_null', { name: 'named', columns: ['name'], on_fail: 'quarantine' })
  const known = rule('not_null', { name: 'known', columns: ['at'], on_fail: 'warn' })

  it('counts a row once, under the hardest of its actions', async () => {
    const { good, bad, counts, results, failed } = await judge(
      [small, named, known],
      `(1, null, 9, null), (2, 'a', 9, '2024-01-01'), (3, null, 1, '2024-01-01'), (4, 'a', 1, null), (5, 'a', 1, '2024-01-01')`,
    )
    expect(good).toEqual([4, 5])
    expect(bad).toEqual({ 1: ['small', 'named', 'known'], 3: ['named'] })
    expect(counts).toEqual({ rows_quarantined: 2, rows_dropped: 1 })
    expect(results.map((result) => [result.name, result.rows_checked, result.rows_failed])).toEqual(
      [
        ['small', 5, 2],
        ['named', 5, 2],
        ['known', 5, 2],
      ],
    )
    expect(failed).toEqual([])
  })

  it.each([
    [0.25, true],
    [0.5, false],
    [1, false],
  ])('with a threshold of %f, half of the rows failing', async (threshold, applied) => {
    const { good, results } = await judge(
      [{ ...named, threshold }],
      `(1, null, 0, null), (2, 'a', 0, null)`,
    )
    expect(results[0]).toMatchObject({ rows_checked: 2, rows_failed: 1, applied })
    expect(good).toEqual(applied ? [2] : [1, 2])
  })

  it('takes the threshold of the rows looked at, not of all', async () => {
    const { results } = await judge(
      [{ ...named, threshold: 0.5, filter: 'amount > 0' }],
      `(1, null, 1, null), (2, 'a', 0, null), (3, 'a', 0, null)`,
    )
    expect(results[0]).toMatchObject({ rows_checked: 1, rows_failed: 1, applied: true })
  })

  it('says which fail rules failed, and only beyond their threshold', async () => {
    const fatal: PlanRule = { ...named, on_fail: 'fail' }
    const { failed } = await judge(
      [fatal, { ...fatal, id: 'x', name: 'lenient', threshold: 0.9 }],
      `(1, null, 0, null), (2, 'a', 0, null)`,
    )
    expect(failed.map((result) => result.name)).toEqual(['named'])
  })

  it('drops what would go to a quarantine that the table does not keep', async () => {
    const { good, bad, counts } = await judge([named], `(1, null, 0, null), (2, 'a', 0, null)`, {
      quarantine: false,
    })
    expect([good, bad]).toEqual([[2], {}])
    expect(counts).toEqual({ rows_quarantined: 0, rows_dropped: 1 })
  })

  it('judges no rows at all', async () => {
    const { results, good } = await judge([named, small], `(null, null, null, null) limit 0`)
    expect(good).toEqual([])
    expect(results[0]).toMatchObject({ rows_checked: 0, rows_failed: 0, applied: false })
  })
})

describe('what is kept of failing rows', () => {
  it('is a quarantine row with the whole story', async () => {
    const verdict = await evaluateRules(lab.sql, {
      relation: `(select 1 as id, null::varchar as name, 2::decimal(10,2) as amount, null::timestamptz as at, 7 as __sequence)`,
      columns,
      rules: [rule('not_null', { name: "o'hara", columns: ['name'] })],
      batch_id: 'b1',
      quarantine: true,
      target: null,
      table: (name) => name,
      pii: [],
    })
    const dir = lab.table()
    await batch(
      lab,
      dir,
      { load_type: 'append', columns: [...columns, ERRORS_COLUMN], keys: [] },
      verdict.bad!,
    )
    expect(await rowsOf(lab, dir, 'id, _errors')).toEqual([
      {
        id: 1,
        _errors: [
          {
            rule: "o'hara",
            message: 'name is NULL',
            columns: ['name'],
            action: 'quarantine',
            batch_id: 'b1',
            fingerprint: 'fp',
          },
        ],
      },
    ])
    expect(await lab.sql.rows(`select * from ${verdict.good}`)).toEqual([])
    await verdict.close()
  })

  it('is at most 20 samples, as text, with personal columns masked', async () => {
    const { results } = await judge(
      [rule('range', { columns: ['amount'], options: { max: 0 }, on_fail: 'warn' })],
      Array.from(
        { length: 30 },
        (_, n) => `(${n}, ${n % 2 ? `'secret ${n}'` : 'null'}, 1, null)`,
      ).join(','),
      { pii: ['NAME'] },
    )
    const { samples, rows_failed } = results[0]!
    expect([rows_failed, samples.length]).toEqual([30, 20])
    expect(Object.keys(samples[0]!)).toEqual(['amount', 'id', 'name', 'at'])
    expect(new Set(samples.map((sample) => sample.name))).toEqual(new Set(['***', null]))
    expect(samples[0]!.amount).toBe('1.00')
  })
})

describe('a broken rule', () => {
  it.each([
    ['an unknown check', rule('magic', { columns: ['id'] })],
    ['an unknown column', rule('not_null', { columns: ['nope'] })],
    ['no column', rule('not_null')],
    ['no bounds', rule('range', { columns: ['id'] })],
    ['no values', rule('accepted_values', { columns: ['id'], options: { values: [] } })],
    ['a value of no kind', rule('accepted_values', { columns: ['id'], options: { values: [{}] } })],
    ['a pattern on a number', rule('regex', { columns: ['id'], options: { pattern: 'a' } })],
    ['no table', rule('referential', { columns: ['id'] })],
    [
      'another number of columns',
      rule('referential', { columns: ['id'], options: { table: 's.t', columns: [] } }),
    ],
    ['a check that only objects have', rule('toString', { columns: ['id'] })],
  ])('with %s is refused by name', async (_, broken) => {
    await expect(judge([broken], `(1, 'a', 1, null)`)).rejects.toMatchObject({
      code: 'rule_invalid',
      detail: { rule: broken.name },
    })
  })

  it('is named when it fails on the data, among others that do not', async () => {
    const rules = [
      rule('not_null', { columns: ['id'] }),
      rule('expression', { name: 'culprit', options: { expression: 'cast(name as int) > 0' } }),
    ]
    await expect(judge(rules, `(1, 'x', 1, null)`)).rejects.toMatchObject({
      code: 'rule_broken',
      detail: { rule: 'culprit' },
    })
    const left = await lab.sql.rows(
      `select table_name from duckdb_tables() where temporary and table_name like '__rule%'`,
    )
    expect(left).toEqual([])
  })

  it('is not evaluated where its filter does not look', async () => {
    const guarded = rule('expression', {
      options: { expression: 'cast(name as int) > 0' },
      filter: 'amount > 0',
    })
    expect((await judge([guarded], `(1, 'x', 0, null), (2, '5', 1, null)`)).good).toEqual([1, 2])
  })
})
