import { existsSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { RawObject } from './extractor.ts'
import { files } from './files.ts'
import { readManifests } from './manifest.ts'
import {
  closeShape,
  compareColumns,
  inspectRaw,
  rawError,
  rawScanSql,
  sampleScanSql,
} from './read-raw.ts'
import { batch, fileObject, openBench, pinned, type Bench } from './testing.ts'

let bench: Bench
beforeEach(async () => void (bench = await openBench()))
afterEach(() => bench.close())

/** Takes what the object names to raw, and looks at all of it. */
async function shapeOf(raw: RawObject, seq = 1) {
  const source = await files.openBatch(bench.context)
  await source.extract(raw, batch(bench.root, seq))
  const from = { root: bench.root, source: 'src', raw }
  const manifests = await readManifests(bench.root, 'src', raw.name)
  return await inspectRaw(bench.connection, from, manifests)
}

/** Rows as JSON values in the order of `_row_id`. */
async function rowsOf(
  raw: RawObject,
  seq = 1,
  order = 'ORDER BY _row_id',
): Promise<Record<string, unknown>[]> {
  const shape = await shapeOf(raw, seq)
  const all = shape.groups.flatMap((group) => group.files)
  try {
    const answer = await bench.connection.runAndReadAll(
      `SELECT * FROM (${rawScanSql(shape, raw.columns)}) ${order}`,
    )
    return answer.getRowObjectsJson() as Record<string, unknown>[]
  } catch (error) {
    throw rawError(error, all)
  }
}
const rescued = (rows: Record<string, unknown>[]) =>
  rows.map((row) => (row._rescued_data === null ? null : JSON.parse(String(row._rescued_data))))
const rescue = { bad_rows: 'rescue' }

describe('CSV', () => {
  it('gives every pinned column its type, the file, the position and nothing to rescue', async () => {
    bench.put(
      'a.csv',
      'id,Name,amount,on,at,instant,ok,x\n1,"a ""q"", b",1.50,2024-01-31,2024-01-31 10:00:00.123456,2024-01-31T10:00:00+02:00,true,1e3\n,,,,,,,\n',
    )
    const raw = fileObject('a.csv', 'csv', [
      'id int',
      'Name > name string',
      'amount decimal(10,2)',
      'on date',
      'at timestamp_ntz',
      'instant timestamp',
      'ok boolean',
      'x double',
    ])
    const shape = await shapeOf(raw)
    const types = await bench.connection.runAndReadAll(
      `SELECT column_name, column_type FROM (DESCRIBE ${rawScanSql(shape, raw.columns)})`,
    )
    expect(Object.fromEntries(types.getRows())).toEqual({
      id: 'INTEGER',
      name: 'VARCHAR',
      amount: 'DECIMAL(10,2)',
      on: 'DATE',
      at: 'TIMESTAMP',
      instant: 'TIMESTAMP WITH TIME ZONE',
      ok: 'BOOLEAN',
      x: 'DOUBLE',
      _source_file: 'VARCHAR',
      _row_id: 'BIGINT',
      _rescued_data: 'VARCHAR',
    })
    expect(await rowsOf(raw)).toEqual([
      {
        id: 1,
        name: 'a "q", b',
        amount: '1.50',
        on: '2024-01-31',
        at: '2024-01-31 10:00:00.123456',
        instant: '2024-01-31 08:00:00+00',
        ok: true,
        x: 1000,
        _source_file: 'a.csv',
        _row_id: '1',
        _rescued_data: null,
      },
      {
        ...Object.fromEntries(raw.columns.map(({ name }) => [name, null])),
        _source_file: 'a.csv',
        _row_id: '2',
        _rescued_data: null,
      },
    ])
  })

  it.each([
    ['int', '1.5'],
    ['int', '3000000000'],
    ['int', '0x10'],
    ['bigint', '1e3'],
    ['decimal(5,2)', '1.239'],
    ['decimal(5,2)', '99999'],
    ['date', '2024-01-31 10:00:00'],
    ['date', 'infinity'],
    ['timestamp', '-infinity'],
    ['timestamp_ntz', '2024-13-01'],
    ['boolean', 'maybe'],
    ['double', 'abc'],
    ['array<int>', '[1,"x"]'],
  ])('a %s that is written %s is refused, or rescued as it stands', async (type, text) => {
    bench.put('a.csv', `v;w\n${text};1\n`)
    const strict = fileObject('a.csv', 'csv', [`v ${type}`, 'w int'], { delimiter: ';' })
    await expect(rowsOf({ ...strict, name: 'strict' })).rejects.toMatchObject({
      code: 'raw_value_invalid',
      message: `A value does not fit: column "v" is not a ${type}, record 1 of a.csv.`,
    })
    const kept = fileObject('a.csv', 'csv', [`v ${type}`, 'w int'], { delimiter: ';', ...rescue })
    const rows = await rowsOf(kept)
    expect(rows).toMatchObject([{ w: 1 }])
    expect(rescued(rows)).toEqual([{ v: text }])
    expect(rows).toMatchObject([{ v: null }])
  })

  it.each([
    ['int', ' 7 ', 7],
    ['int', '+7', 7],
    ['int', '7.00', 7],
    ['decimal(5,2)', '1.5', '1.50'],
    ['decimal(5,2)', '-0', '0.00'],
    ['date', '2024-1-5', '2024-01-05'],
    ['array<int>', '[1,2]', [1, 2]],
    ['struct<a:int>', '{"a":1}', { a: 1 }],
  ])('a %s that is written %j is taken', async (type, text, value) => {
    bench.put('a.csv', `v|w\n${text}|1\n`)
    const options = { delimiter: '|', quote: null, escape: null }
    const rows = await rowsOf(fileObject('a.csv', 'csv', [`v ${type}`, 'w int'], options))
    expect(rows).toMatchObject([{ v: value, _rescued_data: null }])
  })

  it('goes by the header of each file: other order, missing and new columns', async () => {
    bench.put('1.csv', 'a,b\n1,x\n')
    bench.put('2.csv', 'b,c,a\ny,9,2\n')
    bench.put('3.csv', 'a\n3\n')
    bench.put('4.csv', '')
    const rows = await rowsOf(fileObject('*.csv', 'csv', ['a int', 'b string']))
    expect(rows).toMatchObject([
      { a: 1, b: 'x', _source_file: '1.csv', _rescued_data: null },
      { a: 2, b: 'y', _source_file: '2.csv', _rescued_data: '{"c":"9"}' },
      { a: 3, b: null, _source_file: '3.csv', _rescued_data: null },
    ])
    expect(new Set(rows.map((row) => row._row_id)).size).toBe(3)
  })

  it('keeps columns of the same name apart by their position', async () => {
    bench.put('a.csv', 'Id,id,id\n1,2,3\n')
    const columns = ['Id > id int', 'id > id_2 int', 'id[2] > id_3 int']
    expect(await rowsOf(fileObject('a.csv', 'csv', columns))).toMatchObject([
      { id: 1, id_2: 2, id_3: 3 },
    ])
  })

  it('refuses ragged rows with their line, or keeps all of them', async () => {
    bench.put('a.csv', 'a,b\n1,x\n2\n3,y,z,"w ""1"""\n4,"two\nlines"\n')
    await expect(rowsOf({ ...fileObject('a.csv', 'csv', ['a int']), name: 's' })).rejects.toThrow(
      '"a.csv" is not well-formed: 1 values where 2 are expected in line 3.',
    )
    const rows = await rowsOf(fileObject('a.csv', 'csv', ['a int', 'b string'], rescue))
    expect(rows.map(({ a, b }) => [a, b])).toEqual([
      [1, 'x'],
      [2, null],
      [3, 'y'],
      [4, 'two\nlines'],
    ])
    expect(rescued(rows)).toEqual([null, null, { _c2: 'z', _c3: 'w "1"' }, null])
  })

  it('tells an empty text from a missing one', async () => {
    bench.put('a.csv', 'a,b\n"",1\n,2\nNULL,3\n"NULL",4\n')
    const options = { null_values: ['', 'NULL'] }
    const rows = await rowsOf(fileObject('a.csv', 'csv', ['a string', 'b int'], options))
    expect(rows.map(({ a }) => a)).toEqual(['', null, null, 'NULL'])
  })

  it('names the file and the line of bytes that its encoding does not have', async () => {
    bench.put('a.csv', Buffer.from('a,b\n1,Zoë\n2,Zo\xeb\n', 'latin1'))
    await expect(rowsOf(fileObject('a.csv', 'csv', ['b string']))).rejects.toMatchObject({
      code: 'encoding_invalid',
      message: '"a.csv" holds bytes that its encoding does not have in line 2.',
    })
  })

  it.each(['plain', 'gzip'])(
    'keeps rows with bytes that are not UTF-8, and rescues those bytes (%s)',
    async (packed) => {
      const long = 'é'.repeat(700_000)
      const bytes = Buffer.concat([
        Buffer.from(`a,b\n1,${long}\n2,Zo`),
        Buffer.from([0xeb, 0x21, 0xe2, 0x82]),
        Buffer.from('\n'),
        Buffer.from('x'),
        Buffer.from([0xff]),
        Buffer.from(',\u{10FFFE}\n4,,'),
        Buffer.from([0xfe]),
      ])
      const name = packed === 'gzip' ? 'a.csv.gz' : 'a.csv'
      bench.put(name, packed === 'gzip' ? gzipSync(bytes) : bytes)
      const rows = await rowsOf(fileObject(name, 'csv', ['a int', 'b string'], rescue))
      expect(rows.map(({ a, b }) => [a, b])).toEqual([
        [1, long],
        [2, 'Zo\uFFFD!\uFFFD\uFFFD'],
        [null, '\uFFFD\uFFFD\uFFFD\uFFFD'],
        [4, null],
      ])
      expect(rescued(rows)).toEqual([
        null,
        { b: 'Zo\\xEB!\\xE2\\x82' },
        { a: 'x\\xFF', b: '\\xF4\\x8F\\xBF\\xBE' },
        { _c2: '\\xFE' },
      ])
    },
  )

  it.each([
    ['latin-1', Buffer.from('näme,b\n1,Zoë\n', 'latin1')],
    ['utf-16', Buffer.from('\ufeffnäme,b\n1,Zoë\n', 'utf16le')],
    ['utf-8', Buffer.from('\ufeffnäme,b\r\n1,Zoë\r\n')],
  ])('reads %s', async (encoding, bytes) => {
    bench.put('a.csv', bytes)
    const raw = fileObject('a.csv', 'csv', ['näme > name int', 'b string'], { encoding })
    expect(await rowsOf(raw)).toMatchObject([{ name: 1, b: 'Zoë', _rescued_data: null }])
  })

  it('reads a file without a header, after some lines, packed, with another delimiter', async () => {
    bench.put('a.tsv.gz', gzipSync('made by hand\n\n1\tx\n2\ty\n'))
    const raw = fileObject('a.tsv.gz', 'tsv', ['_c0 > a int', '_c1 > b string'], {
      header: false,
      skip_rows: 2,
    })
    expect(await rowsOf(raw)).toMatchObject([
      { a: 1, b: 'x' },
      { a: 2, b: 'y' },
    ])
  })

  it('reads 1,000 columns with hostile names', async () => {
    const names = Array.from({ length: 1000 }, (_, i) => `c'"${i} 表`)
    bench.put(
      'a.csv',
      `${names.map((name) => `"${name.replaceAll('"', '""')}"`).join(',')}\n${names.map((_, i) => i).join(',')}\n`,
    )
    const columns = names.map((source_name, i) => ({
      name: `c${i}`,
      source_name,
      type: i % 10 === 0 ? 'int' : 'string',
      nullable: true,
    }))
    const raw = { ...fileObject('a.csv', 'csv'), columns }
    const [row] = await rowsOf(raw, 1, '')
    expect(row).toMatchObject({ c0: 0, c999: '999', _rescued_data: null })
    const found = await files.discover(bench.context)
    expect(found[0]!.columns).toHaveLength(1000)
    expect(new Set(found[0]!.columns.map(({ type }) => type))).toEqual(new Set(['bigint']))
  })

  it('reads nothing from no files', async () => {
    expect(await rowsOf(fileObject('*.csv', 'csv', ['a int', 'b struct<x:date>']))).toEqual([])
  })
})

describe('JSON', () => {
  it.each([
    ['json', '[{"a":1,"s":"x","n":{"k":[1,2]},"d":"2024-01-31"},{"a":null}]'],
    ['ndjson', '{"a":1,"s":"x","n":{"k":[1,2]},"d":"2024-01-31"}\n\n{"a":null}\n'],
  ])('reads %s with nested types', async (format, content) => {
    bench.put(`a.${format}`, content)
    const columns = ['a int', 's string', 'n struct<k:array<bigint>>', 'd date']
    expect(await rowsOf(fileObject(`a.${format}`, format, columns))).toMatchObject([
      {
        a: 1,
        s: 'x',
        n: { k: ['1', '2'] },
        d: '2024-01-31',
        _source_file: `a.${format}`,
        _row_id: '1',
        _rescued_data: null,
      },
      { a: null, s: null, n: null, d: null, _row_id: '2', _rescued_data: null },
    ])
  })

  it('rescues fields that are not pinned, whatever they are called', async () => {
    bench.put('a.ndjson', '{"a":1,"x/y~z":{"q":"1"},"A":2,"o\'k \\"":null}\n{"a":2}\n')
    const rows = await rowsOf(fileObject('a.ndjson', 'ndjson', ['a int']))
    expect(rows.map(({ a }) => a)).toEqual([1, 2])
    expect(rescued(rows)).toEqual([{ 'x/y~z': { q: '1' }, A: 2, 'o\'k "': null }, null])
  })

  it('keeps fields apart that differ only by case', async () => {
    bench.put('a.ndjson', '{"id":1,"ID":2}\n')
    const rows = await rowsOf(fileObject('a.ndjson', 'ndjson', ['id int', 'ID > id_2 int']))
    expect(rows).toMatchObject([{ id: 1, id_2: 2, _rescued_data: null }])
  })

  it.each([
    ['int', '1.5', '1.5'],
    ['int', '"x"', 'x'],
    ['bigint', '{"q":1}', '{"q":1}'],
    ['date', '"31.1.2024"', '31.1.2024'],
    ['array<int>', '[1,"x"]', [1, 'x']],
    ['struct<a:int>', '{"a":"x","b":2}', { a: 'x', b: 2 }],
    ['struct<a:int>', '7', 7],
  ])('a %s that holds %s is refused, or rescued', async (type, json, kept) => {
    bench.put('a.ndjson', `{"v":${json},"w":1}\n{"v":null,"w":2}\n{"w":3}\n`)
    const strict = fileObject('a.ndjson', 'ndjson', [`v ${type}`, 'w int'])
    await expect(rowsOf({ ...strict, name: 'strict' })).rejects.toMatchObject({
      code: 'raw_value_invalid',
    })
    const rows = await rowsOf(fileObject('a.ndjson', 'ndjson', [`v ${type}`, 'w int'], rescue))
    expect(rows.map(({ w }) => w)).toEqual([1, 2, 3])
    expect(rescued(rows)).toEqual([{ v: kept }, null, null])
  })

  it.each(['fail', 'rescue'])('rescues inner fields that are not pinned (%s)', async (bad_rows) => {
    bench.put('a.ndjson', '{"v":{"a":1,"b":2}}\n{"v":{"a":3}}\n')
    const raw = fileObject('a.ndjson', 'ndjson', ['v struct<a:int>'], { bad_rows })
    const rows = await rowsOf(raw)
    expect(rows.map(({ v }) => v)).toEqual([{ a: 1 }, { a: 3 }])
    expect(rescued(rows)).toEqual([{ v: { a: 1, b: 2 } }, null])
  })

  it.each([
    ['json', 'latin-1', Buffer.from('[{"näme":"Zoë"}]', 'latin1')],
    ['ndjson', 'utf-16', Buffer.from('\ufeff{"näme":"Zoë"}\n', 'utf16le')],
    ['ndjson', 'utf-16', Buffer.from('\ufeff{"näme":"Zoë"}\n', 'utf16le').swap16()],
  ])('reads %s in %s', async (format, encoding, bytes) => {
    bench.put(`a.${format}`, bytes)
    const raw = fileObject(`a.${format}`, format, ['näme > name string'], { encoding })
    expect(await rowsOf(raw)).toMatchObject([{ name: 'Zoë', _rescued_data: null }])
  })

  it('says that JSON is not in the encoding that was told', async () => {
    bench.put('a.json', Buffer.from([0x7b, 0x00, 0x00, 0xd8, 0x7d, 0x00]))
    await expect(
      rowsOf(fileObject('a.json', 'json', ['a int'], { encoding: 'utf-16' })),
    ).rejects.toMatchObject({ code: 'encoding_invalid' })
  })

  it('keeps records that are no objects', async () => {
    bench.put('a.ndjson', '{"a":1}\n7\n')
    const rows = await rowsOf(fileObject('a.ndjson', 'ndjson', ['a int'], rescue))
    expect(rows.map(({ a }) => a)).toEqual([1, null])
    expect(rescued(rows)).toEqual([null, { _record: 7 }])
  })

  it.each(['[{"a":1},{"a"', '{"a":1}\n{"a":\n{"a":2}\n'])(
    'names a broken file: %j',
    async (text) => {
      bench.put('a.json', text)
      await expect(rowsOf(fileObject('a.json', 'json', ['a int']))).rejects.toMatchObject({
        code: 'json_malformed',
        message: expect.stringContaining('"a.json" is not JSON'),
      })
    },
  )

  it.each(['', '[]'])('reads no rows from %j', async (text) => {
    bench.put('a.json', text)
    expect(await rowsOf(fileObject('a.json', 'json', ['a int']))).toEqual([])
  })

  it('takes the rows from a path inside of one document of 100 MB, in bounded memory', async () => {
    const row = (i: number) =>
      `{"id":${i},"name":"${'padding [{"] '.replaceAll('"', '\\"').repeat(15)}${i}"}`
    const items = Array.from({ length: 500_000 }, (_, i) => row(i)).join(',')
    bench.put('doc.json', `{"meta":{"items":[{"id":-1}]},"data":{"items":[${items}],"more":1}}`)
    const raw = fileObject('doc.json', 'json', ['id bigint', 'name string'], {
      record_path: 'data.items',
    })
    const shape = await shapeOf(raw)
    const answer = await bench.connection.runAndReadAll(
      `SELECT count(*)::INT, sum(id)::BIGINT, count(DISTINCT name)::INT, max(_source_file), count(_rescued_data)::INT FROM (${rawScanSql(shape, raw.columns)})`,
    )
    expect(answer.getRows()).toEqual([[500_000, 124999750000n, 500_000, 'doc.json', 0]])
    expect(shape.temporary).toHaveLength(1)
    await closeShape(shape)
    expect(existsSync(shape.temporary[0]!)).toBe(false)
  }, 120_000)
})

describe('Parquet', () => {
  const write = (name: string, select: string) =>
    bench.connection.run(
      `COPY (${select}) TO '${join(bench.folder, name).replaceAll("'", "''")}' (FORMAT parquet)`,
    )

  it('reads files of other schemas, casts to the pinned types and rescues the rest', async () => {
    await write('1.parquet', `SELECT range::INT AS id, 'x' || range AS s FROM range(3)`)
    await write('2.parquet', `SELECT 9::BIGINT AS id, uuid() AS u, TIME '10:00:00' AS s`)
    const rows = await rowsOf(fileObject('*.parquet', 'parquet', ['id bigint', 's string']))
    expect(rows).toMatchObject([
      { id: '0', s: 'x0', _source_file: '1.parquet', _row_id: '1' },
      { id: '1', s: 'x1' },
      { id: '2', s: 'x2', _rescued_data: null },
      { id: '9', s: '10:00:00', _source_file: '2.parquet' },
    ])
    expect(Object.keys(rescued(rows)[3])).toEqual(['u'])
  })

  it('loses no digits when a pinned type is narrower', async () => {
    await write('1.parquet', `SELECT unnest([1.0, 1.5, 1e20]) AS v`)
    const rows = await rowsOf(fileObject('1.parquet', 'parquet', ['v bigint'], rescue))
    expect(rescued(rows)).toEqual([null, { v: 1.5 }, { v: 1e20 }])
  })
})

describe('comparing columns', () => {
  const retyped = (source_name: string, type: string, observed: string) => {
    return { kind: 'retyped', source_name, type, observed, common: observed }
  }

  it('tells new, missing and retyped columns', async () => {
    bench.put('1.csv', 'id,amount,new\n1,x,2024-01-31\n')
    bench.put('2.csv', 'id,amount,more\n5000000000,1.5,1\n')
    const raw = fileObject('*.csv', 'csv', ['id int', 'amount double', 'gone string'])
    const shape = await shapeOf(raw)
    const found = await compareColumns(bench.connection, shape, raw.columns, sampleScanSql(shape))
    expect(found).toEqual([
      retyped('id', 'int', 'bigint'),
      retyped('amount', 'double', 'string'),
      { kind: 'added', source_name: 'new', type: 'date' },
      { kind: 'added', source_name: 'more', type: 'bigint' },
      { kind: 'missing', source_name: 'gone', type: 'string' },
    ])
  })

  it('finds nothing where all is as pinned', async () => {
    bench.put('1.ndjson', '{"id":1,"on":"2024-01-31","n":{"a":1}}\n')
    const columns = ['id int', 'on date', 'n struct<a:bigint,b:string>'].map(pinned)
    const raw = { ...fileObject('1.ndjson', 'ndjson'), columns }
    const shape = await shapeOf(raw)
    const found = await compareColumns(bench.connection, shape, columns, sampleScanSql(shape))
    expect(found).toEqual([])
  })
})
