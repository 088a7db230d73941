import { describe, expect, it } from 'vitest'
import {
  around,
  formatFilter,
  matching,
  moreHops,
  parseFilter,
  valuesOf,
  withKey,
} from './filter.ts'
import { model, node } from './testing.ts'

const graph = model(
  [
    'source:pg > raw:pg.orders > bronze.orders > silver.orders > gold.sales',
    'source:pg > raw:pg.people > bronze.people > silver.people > gold.sales',
    'gold.sales > gold.year',
  ],
  [
    node('silver.orders', { group: 'sales', state: 'failed', owner: 'ada', tags: ['pii', 'core'] }),
    node('silver.people', { group: 'crm team', state: 'succeeded', warned: true }),
    node('bronze.orders', { group: 'sales', state: 'running', attempt: 2 }),
  ],
)
const found = (text: string) => [...matching(graph, parseFilter(text))].sort()

describe('what a filter finds', () => {
  it.each([
    ['zone:silver', ['silver.orders', 'silver.people']],
    ['zone:silver state:failed', ['silver.orders']],
    ['state:warned', ['silver.people']],
    ['state:failed,retrying', ['bronze.orders', 'silver.orders']],
    ['zone:gold state:never', ['gold.sales', 'gold.year']],
    ['group:sales -zone:bronze', ['silver.orders']],
    ['group:"crm team"', ['silver.people']],
    ['tag:core owner:ada', ['silver.orders']],
    ['ORDERS -raw', ['bronze.orders', 'silver.orders']],
    ['raw:pg', ['raw:pg.orders', 'raw:pg.people']],
    ['-zone:source,raw,bronze,silver', ['gold.sales', 'gold.year']],
    ['nothing_like_it', []],
  ])('%s', (text, ids) => expect(found(text)).toEqual(ids))

  it('everything without terms', () => expect(found('  ').length).toBe(graph.nodes.size))
})

describe('neighbours', () => {
  it.each([
    ['silver.orders+', ['gold.sales', 'gold.year', 'silver.orders']],
    ['silver.orders+1', ['gold.sales', 'silver.orders']],
    ['1+silver.orders', ['bronze.orders', 'silver.orders']],
    ['+gold.sales+0 zone:raw', ['raw:pg.orders', 'raw:pg.people']],
    ['1+gold.sales+1', ['gold.sales', 'gold.year', 'silver.orders', 'silver.people']],
    ['raw:pg.people+1', ['bronze.people', 'raw:pg.people']],
    ['gold.year+ 0+source:pg+1', ['gold.year', 'raw:pg.orders', 'raw:pg.people', 'source:pg']],
    ['+not_there+', []],
  ])('%s', (text, ids) => expect(found(text)).toEqual(ids))

  it('of a bare name are those of every table of that name', () => {
    expect(found('orders+0')).toEqual(['bronze.orders', 'raw:pg.orders', 'silver.orders'])
  })
})

describe('what it does not understand', () => {
  it.each([
    ['zoned:silver', 'There is no “zoned:”'],
    ['zone:platinum', 'There is no zone “platinum”'],
    ['state:broken', 'There is no state “broken”'],
    ['group:', 'Say which after “group:”'],
  ])('%s is named, and the rest holds', (text, words) => {
    const { errors, terms } = parseFilter(`${text} zone:gold`)
    expect(errors).toEqual([expect.stringContaining(words)])
    expect(terms).toHaveLength(1)
  })

  it('an open quote and lone signs do no harm', () => {
    expect(parseFilter('group:"crm team').terms).toEqual([
      { kind: 'key', key: 'group', values: ['crm team'], not: false },
    ])
    expect(parseFilter('+ - ++ ""').errors).toEqual([])
    expect(found('+ ++ ""').length).toBe(graph.nodes.size)
  })
})

describe('a filter changed by hand', () => {
  it('reads back what it wrote', () => {
    const text = 'zone:silver,gold -group:"crm team" 2+silver.orders+ name -"old one"'
    expect(formatFilter(parseFilter(text).terms)).toBe(text)
  })

  it('replaces and removes the values of a key, and keeps the rest', () => {
    expect(withKey('zone:raw +orders', 'zone', ['gold'])).toBe('+orders zone:gold')
    expect(withKey('zone:raw +orders', 'zone', [])).toBe('+orders')
    expect(valuesOf(parseFilter('state:failed,warned'), 'state')).toEqual(['failed', 'warned'])
  })

  it('goes to a table, then takes one hop more to a side', () => {
    const text = around('zone:silver,gold sales +old', 'silver.orders')
    expect(text).toBe('zone:silver,gold 2+silver.orders+2')
    expect(moreHops(text, 'up')).toBe('zone:silver,gold 3+silver.orders+2')
    expect(moreHops('orders+', 'down')).toBe('orders+')
    expect(moreHops('orders+', 'up')).toBe('1+orders+')
    expect(moreHops('zone:gold', 'up')).toBe('zone:gold')
  })
})
