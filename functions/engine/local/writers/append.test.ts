import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fileStats } from '../delta.ts'
import { dedupe, type DedupeInput } from './dedupe.ts'
import { batch, columnsFrom, filesIn, hashes, type Lab, linesOf, openLab } from './testing.ts'

let lab: Lab
beforeAll(async () => {
  lab = await openLab()
})
afterAll(() => lab.close())

const columns = columnsFrom('id bigint\nname string')
const append = { load_type: 'append', columns, keys: [] } as const
const replace = { load_type: 'replace', columns, keys: [] } as const

describe('append', () => {
  it('adds every row, equal ones too', async () => {
    const dir = lab.table()
    await batch(lab, dir, append, `select 1 id, 'a' as name`)
    const { counts } = await batch(lab, dir, append, `select 1 id, 'a' as name from range(2)`)
    expect(counts).toEqual({ rows_written: 2, rows_inserted: 2 })
    expect(await linesOf(lab, dir)).toEqual(['1 a', '1 a', '1 a'])
    const { kept, real } = await hashes(lab, dir)
    expect(kept).toBe(real)
  })

  it('leaves no file behind for no rows', async () => {
    const dir = lab.table()
    const { counts, snapshot } = await batch(
      lab,
      dir,
      append,
      `select 1 id, 'a' as name where false`,
    )
    expect(counts).toEqual({ rows_written: 0, rows_inserted: 0 })
    expect(snapshot.files).toEqual([])
    expect(snapshot.columns.map((column) => column.name)).toEqual(['id', 'name'])
    expect(await filesIn(dir)).toEqual([])
  })

  it('gives every column its pinned type, whatever the query computed', async () => {
    const dir = lab.table()
    const typed = columnsFrom(
      'n bigint\nd decimal(10,2)\nt timestamp\nz timestamp_ntz\nf float\ni tinyint\na array<int>',
    )
    await batch(
      lab,
      dir,
      { ...append, columns: typed },
      `select sum(range) n, 1.5 d, timestamptz '2024-01-01 00:00:00+00' t,
        timestamp '2024-01-01 00:00:00.000001' z, 0.1::double f, 7::hugeint i, [1::bigint] a from range(3)`,
    )
    const file = (await filesIn(dir))[0]!
    const types = await lab.sql.rows(
      `select column_name, column_type from (describe from read_parquet('${dir}/${file}'))`,
    )
    expect(types.map((row) => row.column_type)).toEqual([
      'BIGINT',
      'DECIMAL(10,2)',
      'TIMESTAMP WITH TIME ZONE',
      'TIMESTAMP',
      'FLOAT',
      'TINYINT',
      'INTEGER[]',
    ])
  })

  it('takes columns by their names, also hostile ones', async () => {
    const dir = lab.table()
    const hostile = columnsFrom('`select` int\n`a"b` int\n`it\'s` int\n`__file` int\n`größe` int')
    await batch(
      lab,
      dir,
      { ...append, columns: hostile },
      `select 5 "größe", 4 "__file", 3 "it's", 2 "a""b", 1 "select"`,
    )
    expect(await linesOf(lab, dir)).toEqual(['1 2 3 4 5'])
    const { kept, real } = await hashes(lab, dir)
    expect(kept).toBe(real)
  })

  it('begins a new file at the wished size, and gives each its own sum', async () => {
    const dir = lab.table()
    const { snapshot } = await batch(
      lab,
      dir,
      { ...append, file_bytes: 1024 * 1024 },
      `select range id, md5(range::varchar) as name from range(400000)`,
    )
    expect(snapshot.files.length).toBeGreaterThan(2)
    expect(new Set(snapshot.files.map((file) => file.tags['lakeforge.content_hash'])).size).toBe(
      snapshot.files.length,
    )
    const { kept, real } = await hashes(lab, dir)
    expect(kept).toBe(real)
  })

  it('keeps bounds of the keys however many columns stand before them', async () => {
    const dir = lab.table()
    const wide = columnsFrom(
      [...Array.from({ length: 40 }, (_, n) => `c${n} int`), 'id bigint'].join('\n'),
    )
    const { snapshot } = await batch(
      lab,
      dir,
      { ...append, columns: wide, keys: ['id'] },
      `select ${Array.from({ length: 40 }, (_, n) => `${n} as c${n}`).join(', ')}, range id from range(10)`,
    )
    expect(Number(fileStats(snapshot.files[0]!)?.maxValues?.id)).toBe(9)
  })
})

describe('replace', () => {
  it('removes all that was there, in one commit', async () => {
    const dir = lab.table()
    await batch(lab, dir, replace, `select 1 id, 'a' as name`)
    const { counts, snapshot } = await batch(lab, dir, replace, `select 2 id, 'b' as name`)
    expect(counts).toEqual({ rows_written: 1, rows_inserted: 1 })
    expect(snapshot.version).toBe(1)
    expect(await linesOf(lab, dir)).toEqual(['2 b'])
  })

  it('with no rows empties the table', async () => {
    const dir = lab.table()
    await batch(lab, dir, replace, `select 1 id, 'a' as name`)
    await batch(lab, dir, replace, `select 1 id, 'a' as name where false`)
    expect(await linesOf(lab, dir)).toEqual([])
  })
})

describe('dedupe', () => {
  const input = {
    columns,
    keys: ['id'],
    has_sequence: true,
    has_delete: false,
    load_type: 'merge',
  } satisfies Partial<DedupeInput>

  async function deduped(values: string, more: Partial<DedupeInput> = {}) {
    const names = more.has_delete ? 'id, name, __sequence, __delete' : 'id, name, __sequence'
    const result = await dedupe(lab.sql, {
      ...input,
      relation: `(select * from (values ${values}) as v(${names}))`,
      ...more,
    })
    const rows = await lab.sql.rows(
      `select concat_ws(' ', id, name, __sequence) as line from ${result.relation} order by 1`,
    )
    await result.close()
    return [result.rows_deduplicated, ...rows.map((row) => row.line)]
  }

  it.each([
    ['nothing twice', `(1, 'a', 1), (2, 'a', 1)`, [0, '1 a 1', '2 a 1']],
    ['the greatest sequence', `(1, 'z', 1), (1, 'a', 2), (2, 'b', 0)`, [1, '1 a 2', '2 b 0']],
    ['a sequence before none', `(1, 'z', null), (1, 'a', -5)`, [1, '1 a -5']],
    ['the greatest text of a tie', `(1, 'a', 1), (1, 'c', 1), (1, 'b', 1)`, [2, '1 c 1']],
    ['one of equal rows', `(1, 'a', 1), (1, 'a', 1)`, [1, '1 a 1']],
    ['every row without a key', `(null::int, 'a', 1), (null, 'a', 1)`, [0, 'a 1', 'a 1']],
  ])('keeps %s', async (_, values, expected) => {
    expect(await deduped(values)).toEqual(expected)
  })

  it('lets a delete win at its sequence', async () => {
    expect(
      await deduped(`(1, 'z', 1, null), (1, 'a', 1, true), (1, 'y', 1, false)`, {
        has_delete: true,
      }),
    ).toEqual([2, '1 a 1'])
  })

  it('keeps each sequence of a key for scd2', async () => {
    expect(await deduped(`(1, 'a', 1), (1, 'b', 1), (1, 'b', 2)`, { load_type: 'scd2' })).toEqual([
      1,
      '1 b 1',
      '1 b 2',
    ])
  })

  it('treats -0 and 0 as one key, and NaN as one', async () => {
    const floats = columnsFrom('id double\nname string')
    expect(
      await deduped(`(0.0::double, 'a', 1), ('-0.0', 'b', 1), ('nan', 'c', 1), ('-nan', 'd', 1)`, {
        columns: floats,
      }),
    ).toMatchObject([2, expect.stringContaining('b'), expect.stringContaining('d')])
  })

  it('is not misled by columns that have the names of its own', async () => {
    const result = await dedupe(lab.sql, {
      ...input,
      columns: columnsFrom('k0 int\nplace int\nr int'),
      keys: ['k0'],
      has_sequence: false,
      relation: `(select * from (values (1, 2, 3), (1, 3, 2)) v(k0, place, r))`,
    })
    expect(await lab.sql.rows(`select * from ${result.relation}`)).toEqual([
      { k0: 1, place: 3, r: 2 },
    ])
  })
})
