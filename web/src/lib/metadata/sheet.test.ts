import { describe, expect, it } from 'vitest'
import { csvToMetadata } from '#lib/metadata/csv.ts'
import { cellFault, sheetFields, withCells } from '#lib/metadata/fields.ts'
import { cellOf, parseSheet, valueOf } from '#lib/metadata/sheet.ts'

describe('a sheet', () => {
  it('is read from the clipboard and from CSV, with quoted breaks, quotes and other delimiters', () => {
    expect(parseSheet('a\tb\r\n1\t"x\ny"\r\n')).toEqual([
      ['a', 'b'],
      ['1', 'x\ny'],
    ])
    expect(parseSheet('a;b\n"1;2";"say ""hi"""')).toEqual([
      ['a', 'b'],
      ['1;2', 'say "hi"'],
    ])
    expect(parseSheet('\ufeffname,tags\nx,')).toEqual([
      ['name', 'tags'],
      ['x', ''],
    ])
    expect(parseSheet('')).toEqual([])
  })

  it('turns cells into values and back', () => {
    const number = { part: 'number' as const }
    expect(valueOf(' 8 ', number)).toBe(8)
    expect(valueOf('eight', number)).toBe('eight')
    expect(valueOf('', number)).toBeUndefined()
    expect(valueOf('a, b;c', { part: 'list' })).toEqual(['a', 'b', 'c'])
    expect(valueOf('yes', { part: 'switch' })).toBe(true)
    expect(valueOf('{"a":1}', { part: 'json' })).toEqual({ a: 1 })
    expect(cellOf(['a', 'b'])).toBe('a, b')
    expect(cellOf(null)).toBe('')
    expect(cellOf({ a: 1 })).toBe('{"a":1}')
  })

  it('says at the cell what is wrong with it', () => {
    const fields = sheetFields('groups')
    const field = (key: string) => fields.find((each) => each.key === key)!
    expect(cellFault('groups', field('max_parallel'), 'many', null)).toBeTruthy()
    expect(cellFault('groups', field('max_parallel'), '0', null)).toBe('At least 1.')
    expect(cellFault('groups', field('max_parallel'), '', null)).toBeUndefined()
    expect(cellFault('groups', field('name'), '', null)).toBe('This is needed.')
    expect(cellFault('groups', field('schedule'), 'nightly', new Set(['daily']))).toBe(
      'There is no nightly.',
    )
    expect(cellFault('groups', field('on_failure'), 'perhaps', null)).toBeTruthy()
  })

  it('takes a field away when its cell is emptied, and leaves the others as they are', () => {
    const fields = sheetFields('groups')
    const object = { name: 'a', owner: 'ada', notify: [{ url: 'http://x' }] }
    expect(withCells(object, { owner: '', retries: '3' }, fields)).toEqual({
      name: 'a',
      notify: [{ url: 'http://x' }],
      retries: 3,
    })
  })
})

describe('a CSV file', () => {
  const now = { exported_at_version: 7, groups: [{ name: 'a', owner: 'ada', retries: 5 }] }

  it('changes only the fields that it has, and makes what is not there', () => {
    const { file, faults } = csvToMetadata(
      { name: 'in/groups.csv', text: 'name,owner\na,grace\nb,lin\n\n' },
      now,
    )
    expect(faults).toEqual([])
    expect(JSON.parse(file.text)).toEqual({
      exported_at_version: 7,
      groups: [
        { name: 'a', owner: 'grace', retries: 5 },
        { name: 'b', owner: 'lin' },
      ],
    })
  })

  it('says of which field or kind it knows nothing, with the line', () => {
    const unknown = csvToMetadata({ name: 'groups.csv', text: 'name,colour\na,red' }, now)
    expect(unknown.faults).toMatchObject([{ line: 1, message: 'There is no field colour.' }])
    const kindless = csvToMetadata({ name: 'things.csv', text: 'name\na\nb' }, now)
    expect(kindless.faults.map((fault) => fault.line)).toEqual([2, 3])
    const column = csvToMetadata({ name: 'things.csv', text: 'kind,name\ngroup,c' }, now)
    expect(JSON.parse(column.file.text).groups).toEqual([{ name: 'c' }])
  })
})
