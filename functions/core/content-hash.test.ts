import { describe, expect, it } from 'vitest'
import vectors from './content-hash.vectors.json' with { type: 'json' }
import {
  addSums,
  contentSum,
  floatText,
  formatContentHash,
  hashValueFromJson,
  parseContentHash,
  rowHash,
  rowText,
  subtractSums,
  type HashValue,
} from './content-hash.ts'

type Columns = { name: string; type: string }[]
const rowOf = (columns: Columns, value: Record<string, unknown>): Record<string, HashValue> =>
  Object.fromEntries(
    columns.map(({ name, type }) => [name, hashValueFromJson(type, value[name] ?? null)]),
  )

describe.each(vectors)('vector: $name', ({ columns, rows, content_hash }) => {
  it('gives each row its text and hash, and the table its content hash', () => {
    for (const { value, text, hash } of rows) {
      expect(rowText(columns, rowOf(columns, value))).toBe(text)
      expect(rowHash(text).toString(16).padStart(16, '0')).toBe(hash)
    }
    const values = rows.map((row) => rowOf(columns, row.value))
    expect(formatContentHash(contentSum(columns, values))).toBe(content_hash)
    expect(formatContentHash(contentSum([...columns].reverse(), values.reverse()))).toBe(
      content_hash,
    )
  })
})

it('reads the first 64 bits big-endian', () => {
  expect(rowHash('abc').toString(16)).toBe('900150983cd24fb0')
})

it('keeps the hash when a column that is null everywhere is added', () => {
  const rows = [{ a: 1, s: { x: 1 } }]
  const before = contentSum([{ name: 'a', type: 'int' }], rows)
  const after = contentSum(
    [
      { name: 'a', type: 'bigint' },
      { name: 'b', type: 'array<int>' },
    ],
    rows,
  )
  expect(after).toEqual(before)
})

it('adds and subtracts modulo 2^64, so that a removed file leaves no trace', () => {
  const columns = [{ name: 'a', type: 'int' }]
  const one = contentSum(columns, [{ a: 1 }, { a: 1 }])
  const two = contentSum(columns, [{ a: 2 }])
  const both = contentSum(columns, [{ a: 2 }, { a: 1 }, { a: 1 }])
  expect(addSums(one, two)).toEqual(both)
  expect(subtractSums(both, two)).toEqual(one)
  expect(subtractSums(two, both).sum).toBe(2n ** 64n - one.sum)
  expect(contentSum(columns, [{ a: 1 }])).not.toEqual(one)
})

it('rounds floats to 12 digits, ties to even on the exact binary value', () => {
  expect(floatText(123456789012.5)).toBe('1.23456789012e+11')
  expect(floatText(-123456789013.5)).toBe('-1.23456789014e+11')
  expect(floatText(0.1 + 0.2)).toBe(floatText(0.3))
  expect(floatText(-0)).toBe('0.00000000000e+00')
})

it('brings decimals to one text', () => {
  const columns = [{ name: 'd', type: 'decimal(5,2)' }]
  for (const d of ['.5', '0.50', '+0.5', '00.50']) expect(rowText(columns, { d })).toBe(';d=0.50')
  expect(rowText(columns, { d: '-0' })).toBe(';d=0.00')
})

it('reads back what it wrote and refuses anything else', () => {
  for (const text of ['00000000000000ff', '~ffffffffffffffff'])
    expect(formatContentHash(parseContentHash(text))).toBe(text)
  for (const text of ['', 'ff', '00000000000000FF', ' 00000000000000ff'])
    expect(() => parseContentHash(text)).toThrow('not a content hash')
})
