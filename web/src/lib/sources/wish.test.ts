import { describe, expect, it } from 'vitest'
import type { DiscoveredObject } from '#lib/api/sources.ts'
import { bodyOf, doubles, nameFrom, wantedOf, type Settings } from '#lib/sources/wish.ts'

const SETTINGS: Settings = {
  group_id: '',
  new_group: 'shop',
  bronze_schema: 'bronze',
  silver_schema: 'silver',
  silver: true,
  schema_policy: 'evolve',
}
const object = (more: Partial<DiscoveredObject> = {}): DiscoveredObject => ({
  object: 'public.orders',
  name: 'orders',
  format: 'table',
  options: {},
  columns: ['id', 'updated_at'].map((name) => ({ name, type: 'bigint', nullable: true })),
  rows_estimate: 10,
  bytes: 100,
  keys: ['id'],
  cursor_candidates: ['updated_at'],
  ...more,
})

describe('what becomes of a found table', () => {
  it('follows from what was found: a key and a cursor are merged, a bare table is replaced, files are appended', () => {
    expect(wantedOf(object(), {}, SETTINGS, 'postgres')).toMatchObject({
      read_mode: 'incremental',
      load_type: 'merge',
      cursor: 'updated_at',
      bronze: 'bronze.orders',
      silver: 'silver.orders',
      faults: [],
    })
    const bare = object({ keys: [], cursor_candidates: [] })
    expect(wantedOf(bare, {}, SETTINGS, 'postgres')).toMatchObject({
      read_mode: 'full',
      load_type: 'replace',
    })
    expect(wantedOf(bare, {}, SETTINGS, 'files')).toMatchObject({
      read_mode: 'files',
      load_type: 'append',
    })
  })

  it('says what is missing before anything is sent', () => {
    const bare = object({ keys: [], cursor_candidates: [] })
    const faults = (wish: object) => wantedOf(bare, wish, SETTINGS, 'postgres').faults
    expect(faults({ read_mode: 'incremental' })).toEqual([
      'An incremental read needs a cursor column.',
    ])
    expect(faults({ load_type: 'merge' })).toEqual(['Merge needs keys.'])
    expect(faults({ keys: ['no_such'] })).toEqual(['It has no column no_such.'])
    const problem = object({ problem: { code: 'x', message: 'Unreadable.', hint: '' } })
    expect(wantedOf(problem, {}, SETTINGS, 'postgres').faults).toContain('Unreadable.')
  })

  it('asks for no silver table where none is wanted, and then needs no keys', () => {
    const bare = object({ keys: [], cursor_candidates: [] })
    const settings = { ...SETTINGS, silver: false }
    expect(bodyOf(bare, { load_type: 'merge' }, settings, 'postgres').silver).toBeNull()
    expect(wantedOf(bare, { load_type: 'merge' }, settings, 'postgres').faults).toEqual([])
  })

  it('finds names that stand twice, and makes legal ones', () => {
    expect([...doubles(['a', 'b', 'a', 'a'])]).toEqual(['a'])
    expect(nameFrom('/data/Größe & Co/')).toBe('gro_e_co')
    expect(nameFrom('C:\\Sales 2026\\')).toBe('sales_2026')
    expect(nameFrom('///')).toBe('')
  })
})
