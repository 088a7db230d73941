import { describe, expect, it } from 'vitest'
import { draftOf } from './check.svelte.ts'
import { complete, tablesIn, type SqlWords } from './complete.ts'

const words: SqlWords = {
  tables: new Map([
    [
      'silver.orders',
      [
        { name: 'id', type: 'int' },
        { name: 'order date', type: 'date' },
      ],
    ],
    ['c', [{ name: 'name', type: 'string' }]],
  ]),
  known: ['silver.orders', 'silver.people', 'gold.sales'],
  functions: [
    {
      name: 'upper',
      category: 'string',
      signature: 'upper(text)',
      description: 'In capitals',
      returns: 'string',
      kind: 'scalar',
    },
  ],
}
const labels = (before: string) => complete(before, words)?.options.map((each) => each.label)

describe('completion', () => {
  it('offers columns first, then functions, tables and words', () => {
    const found = complete('select up', words)!
    expect(found.from).toBe(7)
    expect(found.options[0]).toEqual({ label: 'id', kind: 'column', detail: 'int' })
    expect(found.options.find((each) => each.label === 'upper')).toMatchObject({ apply: 'upper(' })
    expect(found.options.map((each) => each.kind).at(-1)).toBe('keyword')
  })

  it.each([
    ['select c.', ['name']],
    ['select silver.orders.i', ['id', 'order date']],
    ['select orders.', ['id', 'order date']],
    ['select `silver`.`or', ['orders', 'people']],
    ['from silver.', ['orders', 'people']],
    ['select nothing.', undefined],
    ["select 'it is up", undefined],
    ["select 'it\\'s' || up", expect.arrayContaining(['upper'])],
    ['select 1 -- up', undefined],
    ['select 1 -- note\n, up', expect.arrayContaining(['upper'])],
  ])('after %s: %j', (before, options) => expect(labels(before)).toEqual(options))

  it('quotes names that need it', () => {
    const options = complete('c', words)!.options
    expect(options.find((each) => each.label === 'order date')?.apply).toBe('`order date`')
  })

  it('finds the tables of a query and their other names', () => {
    expect(
      tablesIn(
        'select * from silver.orders o left join `silver`.people as P on o.id = p.id join gold.x where a',
      ),
    ).toEqual([
      { table: 'silver.orders', alias: 'o' },
      { table: 'silver.people', alias: 'p' },
      { table: 'gold.x', alias: null },
    ])
  })
})

describe('a draft', () => {
  it('leaves unfinished rows out, and finds the way back to the fields', () => {
    const draft = draftOf('silver', {
      target: 'not a name',
      from: ['bronze.orders'],
      load_type: 'append',
      select: [
        { name: '', expression: '' },
        { name: 'a', expression: 'b' },
      ],
      joins: [
        { table: '', on: '' },
        { table: 'x.y', on: 'true' },
      ],
      retries: 2,
    })!
    expect(draft.body).toEqual({
      from: ['bronze.orders'],
      load_type: 'append',
      select: [{ name: 'a', expression: 'b' }],
      joins: [{ table: 'x.y', on: 'true' }],
      column_policies: [],
    })
    expect(draft.path('select.0.expression')).toBe('select.1.expression')
    expect(draft.path('joins.0.on')).toBe('joins.1.on')
    expect(draft.path('where')).toBe('where')
  })

  it('is nothing before there is something to check', () => {
    expect(draftOf('silver', { from: [], load_type: 'append' })).toBeNull()
    expect(draftOf('gold', { query: '  ' })).toBeNull()
    expect(draftOf('gold', { query: 'select 1 as a', target: 'gold.a' })?.body.target).toBe(
      'gold.a',
    )
  })
})
