import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Column } from '#core/types.ts'
import { statsFromDuckdb } from '../delta.ts'
import { columnsFrom, openBench, writeRows } from './testing.ts'
import type { Bench } from './testing.ts'

let bench: Bench
let dir: string
beforeAll(async () => {
  bench = await openBench()
  dir = await bench.folder()
})
afterAll(() => bench.close())

/** Statistics as text, of what DuckDB wrote. */
async function measure(columns: Column[], query: string): Promise<string> {
  const files = await writeRows(bench, dir, columns, query)
  return files[0]?.stats ?? 'no file'
}

describe('statistics', () => {
  it.each([
    ['boolean', 'true), (false', undefined],
    ['tinyint', '1), (-128', [-128, 1]],
    ['smallint', '1), (NULL', [1, 1]],
    ['int', '-2147483648), (3', [-2147483648, 3]],
    ['float', '1.5), (-2', [-2, 1.5]],
    ['float', '0.1', [0.10000000149011612, 0.10000000149011612]],
    ['float', `1::FLOAT), ('nan'`, undefined],
    ['double', '1e-300), (7e300', [1e-300, 7e300]],
    ['double', `'-inf'::DOUBLE), (1`, undefined],
    ['double', '0', [0, 0]],
    ['decimal(5,2)', '-0.5), (123.45', [-0.5, 123.45]],
    ['string', `'a"b'), ('ü'`, ['a"b', 'ü']],
    ['string', `''`, ['', '']],
    ['string', `'x' || chr(0)`, ['x\0', 'x\0']],
    ['string', `repeat('a', 32)`, ['a'.repeat(32), 'a'.repeat(32)]],
    ['string', `repeat('a', 33)`, ['a'.repeat(32), `${'a'.repeat(32)}\u{10FFFF}`]],
    ['string', `repeat('😀', 40)`, ['😀'.repeat(32), `${'😀'.repeat(32)}\u{10FFFF}`]],
    ['string', `repeat('a', 32) || chr(1114111)`, undefined],
    ['binary', `'x'::blob`, undefined],
    ['date', `'0001-01-01'), ('9999-12-31'`, ['0001-01-01', '9999-12-31']],
    ['date', `DATE '0044-03-15 (BC)'`, undefined],
    ['date', `DATE '10000-01-01'`, undefined],
    ['date', `DATE 'infinity'`, undefined],
    [
      'timestamp',
      `'1969-12-31 23:59:59.999999+00'), ('2024-01-01 00:00:00.000001+00'`,
      ['1969-12-31T23:59:59.999Z', '2024-01-01T00:00:00.001Z'],
    ],
    [
      'timestamp',
      `'2024-01-01 00:00:00+02'`,
      ['2023-12-31T22:00:00.000Z', '2023-12-31T22:00:00.000Z'],
    ],
    ['timestamp', `TIMESTAMPTZ 'infinity'`, undefined],
    ['timestamp', `'9999-12-31 23:59:59.999999+00'`, undefined],
    [
      'timestamp_ntz',
      `'0001-01-01 00:00:00.0005'`,
      ['0001-01-01T00:00:00.000', '0001-01-01T00:00:00.001'],
    ],
    ['array<int>', '[1, 2]', undefined],
  ])('of %s (%s) are bounds that hold', async (type, values, expected) => {
    const columns = [{ name: 'a', type, nullable: true }]
    const stats = JSON.parse(await measure(columns, `SELECT a FROM (VALUES (${values})) t(a)`))
    expect([stats.minValues.a, stats.maxValues.a]).toEqual(expected ?? [undefined, undefined])
  })

  it('keep all digits of large numbers', async () => {
    const columns = columnsFrom('a bigint\nb decimal(38,0)\nc decimal(38,38)')
    const stats = await measure(
      columns,
      `SELECT -9223372036854775808 a, 99999999999999999999999999999999999999 b, '-0.00000000000000000000000000000000000001' c`,
    )
    expect(stats).toContain('"a":-9223372036854775808')
    expect(stats).toContain('"b":99999999999999999999999999999999999999')
    expect(stats).toContain('"c":-0.00000000000000000000000000000000000001')
  })

  it('count nulls, and have no bounds where all is null', async () => {
    const columns = columnsFrom(
      'n string\ns struct<a:int,b:struct<c:date>>\nl array<int>\nm map<string,int>',
    )
    const stats = await measure(
      columns,
      `SELECT NULL n, {'a': 1, 'b': NULL} s, [NULL] l, NULL m UNION ALL SELECT NULL, NULL, NULL, NULL`,
    )
    expect(JSON.parse(stats)).toEqual({
      numRecords: 2,
      minValues: { s: { a: 1 } },
      maxValues: { s: { a: 1 } },
      nullCount: { n: 2, s: { a: 1, b: { c: 2 } } },
    })
  })

  it('find columns with hostile names', async () => {
    const columns = [
      { name: 'x.y', type: 'struct<`q"r`:int>', nullable: true },
      { name: '__proto__', type: 'int', nullable: true },
      { name: 'ü"', type: 'int', nullable: true },
    ]
    const stats = await measure(columns, `SELECT {'q"r': 1} "x.y", 2 "__proto__", 3 "ü"""`)
    expect(stats).toContain('"minValues":{"x.y":{"q\\"r":1},"__proto__":2,"ü\\"":3}')
  })

  it('cover the first 32 leaves and the columns that are asked for', async () => {
    const names = Array.from({ length: 40 }, (_, i) => `c${i}`)
    const columns = names.map((name) => ({ name, type: 'int', nullable: true }))
    const result = await bench.connection.runAndReadAll(
      `COPY (SELECT ${names.map((name, i) => `${i}::INTEGER AS ${name}`).join(', ')}) TO '${dir}/wide.parquet' (FORMAT parquet, RETURN_STATS)`,
    )
    const row = result.getRowObjectsJson()[0] as Parameters<typeof statsFromDuckdb>[0]
    const covered = (options?: Parameters<typeof statsFromDuckdb>[2]) =>
      Object.keys(JSON.parse(statsFromDuckdb(row, columns, options)).minValues)
    expect(covered()).toEqual(names.slice(0, 32))
    expect(covered({ always: ['c39', 'c0'] })).toEqual([...names.slice(0, 33), 'c39'])
    expect(covered({ columns: -1 })).toEqual(names)
    expect(JSON.parse(statsFromDuckdb(row, columns, { columns: 0 }))).toEqual({
      numRecords: 1,
      minValues: {},
      maxValues: {},
      nullCount: {},
    })
  })

  it('leave out files without rows', async () => {
    expect(await measure(columnsFrom('a int'), 'SELECT 1 a WHERE false')).toBe('no file')
  })

  it('hold over several row groups, one of them all null', async () => {
    const stats = await measure(
      columnsFrom('a int\nb int'),
      `SELECT i a, CASE WHEN i < 4 THEN i END b FROM range(300000) t(i)`,
    )
    const found = JSON.parse(stats)
    expect([found.minValues.a, found.maxValues.a]).toEqual([0, 299999])
    // DuckDB gives no bounds then; a bound from the first group alone would still be right here.
    expect([undefined, 0]).toContain(found.minValues.b)
    expect(found.nullCount.b).toBe(299996)
  })
})
