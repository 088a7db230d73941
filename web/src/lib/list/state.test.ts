import { describe, expect, it } from 'vitest'
import { isFiltered, listQueryOf, listSearch, nextSort, readList } from '#lib/list/state.ts'
import { Selection } from '#lib/list/selection.svelte.ts'
import { ranked } from '#lib/palette/match.ts'

const SPEC = { filters: ['kind'], sort: '-updated_at' }

describe('a list’s address', () => {
  it('reads what it wrote, and leaves the parameters of others alone', () => {
    const now = new URLSearchParams('tab=a&other=1')
    const written = listSearch(
      now,
      { q: 'a b&c', sort: 'name', open: 'id', filter: { kind: 'files' } },
      SPEC,
    )
    expect(readList(new URLSearchParams(written), SPEC)).toEqual({
      q: 'a b&c',
      sort: 'name',
      open: 'id',
      filter: { kind: 'files' },
    })
    expect(written).toContain('other=1')
  })

  it('is empty again when everything is cleared, and ignores filters it does not know', () => {
    const now = new URLSearchParams('q=x&kind=files&sort=-name')
    expect(listSearch(now, { q: '', sort: '-updated_at', filter: { kind: undefined } }, SPEC)).toBe(
      '',
    )
    expect(isFiltered(readList(new URLSearchParams('colour=red&open=1'), SPEC))).toBe(false)
  })

  it('asks for the total and the facets once, with the first page', () => {
    const state = readList(new URLSearchParams('q=a'), SPEC)
    expect(listQueryOf(state, null, 100).include).toBe('total,facets')
    expect(listQueryOf(state, 'cursor', 100)).toMatchObject({ after: 'cursor', q: 'a' })
    expect(listQueryOf(state, 'cursor', 100).include).toBeUndefined()
  })

  it('turns the order round at the second click', () => {
    expect(nextSort('created_at', 'name')).toBe('name')
    expect(nextSort('name', 'name')).toBe('-name')
    expect(nextSort('-name', 'name')).toBe('name')
  })
})

describe('choosing rows', () => {
  it('takes a range from the row that was toggled last, in either direction', () => {
    const selection = new Selection()
    const order = ['a', 'b', 'c', 'd']
    selection.toggle('c', order)
    selection.toggle('a', order)
    expect([...selection.ids].sort()).toEqual(['a', 'b', 'c'])
    selection.clear()
    selection.toggle('d')
    selection.toggle('d')
    expect(selection.size).toBe(0)
  })
})

describe('the palette', () => {
  it('puts the beginning of a word before its middle, and wants every word', () => {
    const items = ['Reorder', 'Go to orders', 'orders'].map((label) => ({ label }))
    expect(ranked(items, 'orders').map((item) => item.label)).toEqual(['orders', 'Go to orders'])
    expect(
      ranked(items, 'order')
        .map((item) => item.label)
        .at(-1),
    ).toBe('Reorder')
    expect(ranked(items, 'go orders').map((item) => item.label)).toEqual(['Go to orders'])
  })
})
