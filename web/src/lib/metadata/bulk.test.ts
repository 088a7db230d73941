import { describe, expect, it } from 'vitest'
import { ApiError } from '#lib/api/client.ts'
import { Bulk } from '#lib/metadata/bulk.svelte.ts'

const bulk = () =>
  new Bulk('groups', {
    exported_at_version: 9,
    schedules: [{ name: 'daily' }],
    groups: ['a', 'b', 'c'].map((name) => ({ name, retries: 1, tags: ['x'] })),
  })
const sent = (of: Bulk) => JSON.parse(of.file().text)

describe('a bulk edit', () => {
  it('sends the changed things whole, with what they were not asked about, and the version they were read at', () => {
    const of = bulk()
    of.put([{ row: of.rows[1]!, field: 'retries', text: '5' }])
    expect(of.counts).toMatchObject({ cells: 1, rows: 1, faults: [] })
    expect(sent(of)).toEqual({
      exported_at_version: 9,
      groups: [{ name: 'b', retries: 5, tags: ['x'] }],
    })
  })

  it('takes a sheet in from a cell on, leaves what sticks out, and takes it back in one step', () => {
    const of = bulk()
    const fields = of.fields.filter((field) => ['retries', 'schedule'].includes(field.key))
    const at = { row: 1, field: fields.findIndex((field) => field.key === 'schedule') }
    const order = fields.map((field) => field.key)
    const pasted = of.paste(
      [
        ['daily', '7'],
        ['nightly', '8'],
        ['daily', '9'],
      ],
      of.rows,
      fields,
      at,
    )
    expect(pasted).toBe(order[at.field + 1] ? 4 : 2)
    expect(of.counts.faults).toEqual(['c, Schedule: There is no nightly.'])
    of.undo()
    expect(of.counts).toMatchObject({ cells: 0, rows: 0, faults: [] })
    expect(of.can_undo).toBe(false)
  })

  it('counts no change where the text is what is stored', () => {
    const of = bulk()
    of.put([{ row: of.rows[0]!, field: 'retries', text: '2' }])
    of.put([{ row: of.rows[0]!, field: 'retries', text: '1' }])
    expect(of.counts.cells).toBe(0)
  })

  it('puts the API’s faults to their cells until something is typed again', () => {
    const of = bulk()
    const [, , c] = of.rows
    of.put([{ row: c!, field: 'owner', text: 'ada' }])
    const error = new ApiError('metadata_invalid', 'Wrong', 'Mend', 422)
    error.errors = [
      { path: 'groups.0.owner', message: 'Nobody is called so.' },
      { path: 'groups.0', message: 'Odd.' },
    ]
    expect(of.refuse(error)).toEqual(['c: Odd.'])
    const owner = of.fields.find((field) => field.key === 'owner')!
    expect(of.fault(c!, owner)).toBe('Nobody is called so.')
    of.put([{ row: c!, field: 'owner', text: 'grace' }])
    expect(of.fault(c!, owner)).toBeUndefined()
  })
})
