import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { duckdbType } from '#core/types.ts'
import { append as appendRaw } from './append.ts'
import {
  batch,
  columnsFrom,
  filesIn,
  hashes,
  type Lab,
  linesOf,
  openLab,
  type Plan,
  random,
  shuffle,
} from './testing.ts'

let lab: Lab
beforeAll(async () => {
  lab = await openLab()
})
afterAll(() => lab.close())

const columns = columnsFrom('id int\nname string')
const plain = { load_type: 'merge', columns, keys: ['id'] } satisfies Plan

const ordered = columnsFrom('id int\nname string\nseq int')
const sequenced = {
  load_type: 'merge',
  columns: ordered,
  keys: ['id'],
  has_sequence: true,
  sequence_type: 'int',
  sequence_column: 'seq',
} satisfies Plan
const deleting = { ...sequenced, has_delete: true } satisfies Plan

/** VALUES as a query of the plan's columns, with `__sequence` and `__delete` where it has them. */
function rows(plan: Plan, values: string): string {
  const names = plan.columns.map(({ name }) => `"${name}"`)
  const list = plan.columns.map(({ name, type }) => `"${name}"::${duckdbType(type)} as "${name}"`)
  if (plan.has_sequence) list.push('seq::int as __sequence')
  if (plan.has_delete) {
    names.push('__delete')
    list.push('__delete::boolean as __delete')
  }
  return `select ${list.join(', ')} from (values ${values}) as v(${names.join(', ')})`
}

/** Merges batches one after another; the counts of the last one and the table's rows. Checks the sums every time. */
async function merged(plan: Plan, ...batches: string[]) {
  const dir = lab.table()
  let last: Awaited<ReturnType<typeof batch>> | undefined
  for (const values of batches) {
    last = await batch(lab, dir, plan, rows(plan, values))
    const { kept, real } = await hashes(lab, dir)
    expect(kept).toBe(real)
  }
  return { dir, ...last!, lines: await linesOf(lab, dir) }
}

const NOTHING = {
  rows_written: 0,
  rows_late: 0,
  rows_deduplicated: 0,
  rows_inserted: 0,
  rows_updated: 0,
  rows_deleted: 0,
  files_rewritten: 0,
}

describe('merge', () => {
  it('inserts new keys and updates known ones', async () => {
    const { lines, counts } = await merged(plain, `(1, 'a'), (2, 'b')`, `(2, 'B'), (3, 'c')`)
    expect(lines).toEqual(['1 a', '2 B', '3 c'])
    expect(counts).toEqual({
      ...NOTHING,
      rows_written: 2,
      rows_inserted: 1,
      rows_updated: 1,
      files_rewritten: 1,
    })
  })

  it('writes nothing for rows that are there already', async () => {
    const { written, counts, lines } = await merged(
      plain,
      `(1, 'a'), (2, null)`,
      `(2, null), (1, 'a')`,
    )
    expect([written.adds, written.removes]).toEqual([[], []])
    expect(counts).toEqual({ ...NOTHING, rows_written: 2 })
    expect(lines).toEqual(['1 a', '2 -'])
  })

  it('rewrites only files that hold a changed row', async () => {
    const dir = lab.table()
    for (const at of [0, 100, 200])
      await batch(
        lab,
        dir,
        plain,
        `select range::int id, 'a' as name from range(${at}, ${at + 50})`,
      )
    const { counts, snapshot, written } = await batch(
      lab,
      dir,
      plain,
      `select * from (values (10, 'x'), (120, 'a'), (260, 'new')) v(id, name)`,
    )
    expect(counts).toMatchObject({ rows_written: 3, rows_updated: 1, files_rewritten: 1 })
    expect(written.removes).toHaveLength(1)
    expect(snapshot.files).toHaveLength(4)
    const { kept, real } = await hashes(lab, dir)
    expect(kept).toBe(real)
  })

  it('leaves no file behind that it does not add', async () => {
    const { dir, written, snapshot } = await merged(
      deleting,
      `(1, 'a', 1, false)`,
      `(1, 'a', 2, true)`,
    )
    expect(written.adds).toEqual([])
    expect(snapshot.files).toEqual([])
    // The removed file stays for those who read the version before.
    expect(await filesIn(dir)).toHaveLength(1)
  })

  it('makes one row of a key that the batch has more than once', async () => {
    const { lines, counts } = await merged(plain, `(1, 'a')`, `(1, 'b'), (1, 'c'), (1, 'b')`)
    expect(lines).toEqual(['1 c'])
    expect(counts).toMatchObject({ rows_written: 1, rows_updated: 1, rows_deduplicated: 2 })
  })

  it('counts a first batch in full', async () => {
    const { lines, counts } = await merged(
      deleting,
      `(1, 'a', 1, false), (1, 'b', 2, null), (2, 'c', 1, true)`,
    )
    expect(lines).toEqual(['1 b 2'])
    expect(counts).toEqual({ rows_written: 2, rows_inserted: 1, rows_deduplicated: 1 })
  })

  it('works with an empty batch, and on a table that became empty', async () => {
    const { lines, counts } = await merged(
      deleting,
      `(1, 'a', 1, false)`,
      `(1, 'a', 1, true)`,
      `(2, 'b', 1, false)`,
      `(null, null, null, null) limit 0`,
    )
    expect(lines).toEqual(['2 b 1'])
    expect(counts).toEqual(NOTHING)
  })

  it('refuses rows without a key, and says how many', async () => {
    const dir = lab.table()
    await expect(
      batch(lab, dir, plain, rows(plain, `(1, 'a'), (null, 'b'), (null, 'b')`)),
    ).rejects.toMatchObject({ code: 'key_null', detail: { rows: 2, keys: 'id', table: 's.t' } })
    expect(await filesIn(dir)).toEqual([])
  })

  it('matches a key of two columns as a whole', async () => {
    const two = {
      load_type: 'merge',
      columns: columnsFrom('a int\nb string\nv int'),
      keys: ['a', 'b'],
    } as const
    const { lines } = await merged(
      two,
      `(1, 'x', 1), (1, 'y', 2), (2, 'x', 3)`,
      `(1, 'y', 9), (2, 'y', 4)`,
    )
    expect(lines).toEqual(['1 x 1', '1 y 9', '2 x 3', '2 y 4'])
  })
})

describe('merge by sequence', () => {
  it.each([
    [
      'a later row wins',
      `(1, 'a', 1)`,
      `(1, 'b', 2)`,
      '1 b 2',
      { rows_written: 1, rows_updated: 1 },
    ],
    [
      'an earlier row is late',
      `(1, 'b', 2)`,
      `(1, 'a', 1)`,
      '1 b 2',
      { rows_written: 0, rows_late: 1 },
    ],
    [
      'a tie goes to the greater text',
      `(1, 'a', 1)`,
      `(1, 'b', 1)`,
      '1 b 1',
      { rows_written: 1, rows_updated: 1 },
    ],
    [
      '… whatever came first',
      `(1, 'b', 1)`,
      `(1, 'a', 1)`,
      '1 b 1',
      { rows_written: 0, rows_deduplicated: 1 },
    ],
    [
      'the same again changes nothing',
      `(1, 'a', 1)`,
      `(1, 'a', 1)`,
      '1 a 1',
      { rows_written: 1, rows_updated: 0 },
    ],
    [
      'no sequence is before every sequence',
      `(1, 'a', -9)`,
      `(1, 'b', null)`,
      '1 a -9',
      { rows_late: 1 },
    ],
    ['… whatever came first', `(1, 'b', null)`, `(1, 'a', -9)`, '1 a -9', { rows_updated: 1 }],
    [
      'two without sequence are level',
      `(1, 'b', null)`,
      `(1, 'a', null)`,
      '1 b -',
      { rows_deduplicated: 1 },
    ],
  ])('%s', async (_, first, second, line, counted) => {
    const { lines, counts } = await merged(sequenced, first, second)
    expect(lines).toEqual([line])
    expect(counts).toMatchObject(counted)
  })

  it.each([
    ['a later deletion deletes', `(1, 'x', 2, true)`, [], { rows_written: 1, rows_deleted: 1 }],
    [
      'one at the same sequence too',
      `(1, null, 1, true)`,
      [],
      { rows_written: 1, rows_deleted: 1 },
    ],
    [
      'an earlier one is late',
      `(1, 'x', 0, true)`,
      ['1 a 1'],
      { rows_written: 0, rows_late: 1, rows_deleted: 0 },
    ],
    [
      'one of an unknown key does nothing',
      `(2, 'x', 5, true)`,
      ['1 a 1'],
      { rows_written: 1, rows_deleted: 0 },
    ],
    ['NULL does not delete', `(1, 'x', 2, null)`, ['1 x 2'], { rows_written: 1, rows_updated: 1 }],
  ])('%s', async (_, second, expected, counted) => {
    const { lines, counts } = await merged(deleting, `(1, 'a', 1, false)`, second)
    expect(lines).toEqual(expected)
    expect(counts).toMatchObject(counted)
  })

  it('refuses a sequence that the table would not know', async () => {
    const blind = { ...sequenced, sequence_column: null }
    await expect(batch(lab, lab.table(), blind, rows(blind, `(1, 'a', 1)`))).rejects.toMatchObject({
      code: 'sequence_not_in_columns',
    })
  })

  it('ends the same however the events are split into batches and shuffled', async () => {
    const next = random(7)
    const events = Array.from({ length: 120 }, () => {
      const [id, seq, name] = [
        Math.floor(next() * 12),
        Math.floor(next() * 6),
        Math.floor(next() * 3),
      ]
      return `(${id}, '${'abc'[name]}', ${seq === 0 ? 'null' : seq})`
    })
    const results = new Set<string>()
    for (let round = 0; round < 8; round++) {
      const shuffled = shuffle(events, next)
      const dir = lab.table()
      let balance = 0
      while (shuffled.length > 0) {
        const part = shuffled.splice(0, 1 + Math.floor(next() * 60))
        const { counts } = await batch(lab, dir, sequenced, rows(sequenced, part.join(', ')))
        balance += counts.rows_written! + (counts.rows_late ?? 0) + counts.rows_deduplicated!
      }
      expect(balance).toBe(events.length)
      const { kept, real } = await hashes(lab, dir)
      expect(kept).toBe(real)
      results.add((await linesOf(lab, dir)).join('\n'))
    }
    expect(results.size).toBe(1)
  })
})

describe('keys of all kinds', () => {
  it.each([
    [
      'double',
      `('-0.0', 1), ('nan', 2), ('inf', 3), ('1.5', 4)`,
      `('0.0', 5), ('-nan', 6), ('inf', 7), ('1.5', 4)`,
      4,
    ],
    [
      'string',
      `('ä', 1), ('a', 2), ('A', 3), ('', 4), ('日本', 5)`,
      `('A', 9), ('日本', 6), ('', 4), ('a ', 7), ('ä', 8)`,
      6,
    ],
    [
      'string',
      `(repeat('x', 40) || 'a', 1), ('y', 2)`,
      `(repeat('x', 40) || 'a', 3), (repeat('x', 40) || 'b', 4)`,
      3,
    ],
    [
      'decimal(38,10)',
      `('1.10', 1), ('-99999999999999999999.0000000001', 2)`,
      `('1.1', 3), ('-99999999999999999999.0000000001', 4)`,
      2,
    ],
    [
      'timestamp',
      `('2024-01-01 00:00:00.000001+00', 1), ('1969-12-31 23:59:59.999999+00', 2)`,
      `('2024-01-01 01:00:00.000001+01', 3), ('1969-12-31 23:59:59.999999+00', 2)`,
      2,
    ],
    [
      'timestamp_ntz',
      `('0001-01-01 00:00:00', 1), ('9999-12-31 23:59:59.999999', 2)`,
      `('0001-01-01 00:00:00', 3), ('9999-12-31 23:59:59.999999', 4)`,
      2,
    ],
    ['date', `('0001-01-01', 1), ('9999-12-31', 2)`, `('9999-12-31', 3), ('2024-02-29', 4)`, 3],
    ['boolean', `(true, 1), (false, 2)`, `(true, 3), (false, 2)`, 2],
    ['binary', `('\\x00'::blob, 1), ('a'::blob, 2)`, `('\\x00'::blob, 3), ('a'::blob, 2)`, 2],
    [
      'bigint',
      `(-9223372036854775808, 1), (9223372036854775807, 2)`,
      `(9223372036854775807, 3), (9223372036854775806, 4)`,
      3,
    ],
    [
      'struct<a:int,b:string>',
      `({'a': 1, 'b': 'x'}, 1)`,
      `({'a': 1, 'b': 'x'}, 2), ({'a': 1, 'b': 'y'}, 3)`,
      2,
    ],
  ])('%s', async (type, first, second, left) => {
    const typed = columnsFrom(`k ${type}\nv int`)
    const plan = { load_type: 'merge', columns: typed, keys: ['k'] } satisfies Plan
    const cast = (values: string) =>
      `select k::${duckdbType(type)} as k, v from (values ${values}) t(k, v)`
    const dir = lab.table()
    await batch(lab, dir, plan, cast(first))
    await batch(lab, dir, plan, cast(second))
    const lines = await linesOf(lab, dir)
    expect(lines).toHaveLength(left)
    // Once more: each key is found again.
    const { counts, written } = await batch(lab, dir, plan, cast(second))
    expect(written.adds).toEqual([])
    expect(counts.rows_written).toBe(second.split('), (').length)
    const { kept, real } = await hashes(lab, dir)
    expect(kept).toBe(real)
  })
})

describe('names and schemas', () => {
  it('takes columns that are named like its own, like keywords, or with quotes', async () => {
    const hostile = columnsFrom(
      [
        'n',
        'rowid',
        'text',
        'hash',
        'same',
        'word',
        'file_row_number',
        'file_index',
        'filename',
        'select',
        'a"b',
        't',
        'i',
        '__file',
      ]
        .map((name) => `\`${name}\` int`)
        .join('\n'),
    )
    const plan = { load_type: 'merge', columns: hostile, keys: ['rowid', 'a"b'] } satisfies Plan
    const query = (v: number, key: number) =>
      `select ${hostile.map(({ name }) => `${name === 'rowid' ? key : name === 'a"b' ? 1 : v} as "${name.replaceAll('"', '""')}"`).join(', ')}`
    const dir = lab.table()
    await batch(lab, dir, plan, `${query(1, 1)} union all ${query(1, 2)}`)
    const { counts } = await batch(lab, dir, plan, query(7, 2))
    expect(counts).toMatchObject({ rows_updated: 1, rows_inserted: 0 })
    expect(await linesOf(lab, dir)).toEqual([
      '1 1 1 1 1 1 1 1 1 1 1 1 1 1',
      '7 2 7 7 7 7 7 7 7 7 1 7 7 7',
    ])
    const { kept, real } = await hashes(lab, dir)
    expect(kept).toBe(real)
  })

  it('fills columns that came later or are gone with NULL, and keeps what is there', async () => {
    const dir = lab.table()
    await batch(lab, dir, plain, `select * from (values (1, 'a'), (2, 'b')) v(id, name)`)
    const wider = { ...plain, columns: columnsFrom('id int\nextra double') } satisfies Plan
    await batch(lab, dir, wider, `select * from (values (2, 0.5::double), (3, 1.5)) v(id, extra)`)
    expect(await linesOf(lab, dir)).toEqual(['1 - a', '2 0.5 -', '3 1.5 -'])
    const { kept, real } = await hashes(lab, dir)
    expect(kept).toBe(real)
  })

  it('mends a table that holds a key twice', async () => {
    const dir = lab.table()
    await batch(
      lab,
      dir,
      { ...plain, load_type: 'append' },
      `select 1 id, unnest(['a', 'b']) as name`,
    )
    await batch(
      lab,
      dir,
      { ...plain, load_type: 'append' },
      `select 1 id, 'c' as name union all select 2, 'd'`,
    )
    const { counts } = await batch(lab, dir, plain, `select 1 id, 'a' as name`)
    expect(await linesOf(lab, dir)).toEqual(['1 a', '2 d'])
    expect(counts).toMatchObject({ rows_written: 1, rows_updated: 1, files_rewritten: 2 })
    const { kept, real } = await hashes(lab, dir)
    expect(kept).toBe(real)
  })

  it("sums up another writer's files, which carry no sums", async () => {
    const dir = lab.table()
    const { snapshot } = await batch(
      lab,
      dir,
      plain,
      `select range::int id, 'a' as name from range(10)`,
    )
    const untagged = { ...snapshot, files: snapshot.files.map((file) => ({ ...file, tags: {} })) }
    const { merge } = await import('./merge.ts')
    const written = await merge({
      ...plain,
      sql: lab.sql,
      table: 's.t',
      dir,
      snapshot: untagged,
      staged: `(select 1 as id, 'b' as name)`,
      has_sequence: false,
      has_delete: false,
      sequence_type: null,
      sequence_column: null,
    })
    const again = await appendRaw({
      ...plain,
      sql: lab.sql,
      table: 's.t',
      dir,
      snapshot: null,
      staged: `(select range::int id, if(range = 1, 'b', 'a') as name from range(10))`,
      has_sequence: false,
      has_delete: false,
      sequence_type: null,
      sequence_column: null,
    })
    expect(written.adds.map((file) => file.tags)).toEqual(again.adds.map((file) => file.tags))
  })
})
