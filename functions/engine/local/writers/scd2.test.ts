import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { duckdbType } from '#core/types.ts'
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

const plan = {
  load_type: 'scd2',
  columns: columnsFrom('id int\nname string'),
  keys: ['id'],
  has_sequence: true,
  has_delete: true,
  sequence_type: 'int',
} satisfies Plan

/** Rows of (id, name, sequence, delete). */
function rows(values: string, type = 'int'): string {
  return `select id::int as id, name::varchar as name, s::${duckdbType(type)} as __sequence, d::boolean as __delete
    from (values ${values}) as v(id, name, s, d)`
}

/** One batch after another; the last one's counts and the table as `id name start end`. Checks the sums each time. */
async function told(...batches: string[]) {
  const dir = lab.table()
  let last: Awaited<ReturnType<typeof batch>> | undefined
  for (const values of batches) {
    last = await batch(lab, dir, plan, rows(values))
    const { kept, real } = await hashes(lab, dir)
    expect(kept).toBe(real)
  }
  return { dir, ...last!, lines: await linesOf(lab, dir) }
}

describe('scd2', () => {
  it('makes every event of a first batch a version', async () => {
    const { lines, counts, snapshot } = await told(
      `(1, 'a', 1, false), (1, 'b', 5, false), (2, 'x', 3, null), (1, 'c', 3, false)`,
    )
    expect(lines).toEqual(['1 a 1 3', '1 b 5 -', '1 c 3 5', '2 x 3 -'])
    expect(counts).toEqual({ rows_written: 4, rows_inserted: 4, rows_deduplicated: 0 })
    expect(snapshot.columns.slice(2)).toEqual([
      { name: '__START_AT', type: 'int', nullable: false },
      { name: '__END_AT', type: 'int', nullable: true },
    ])
  })

  it.each<[string, string[], string[], object]>([
    [
      'a later event closes the open version',
      [`(1, 'a', 1, false)`, `(1, 'b', 5, false)`],
      ['1 a 1 5', '1 b 5 -'],
      { rows_written: 1, rows_inserted: 1, rows_closed: 1, files_rewritten: 1 },
    ],
    [
      'a late event goes to its place',
      [`(1, 'a', 1, false), (1, 'c', 5, false)`, `(1, 'b', 3, false)`],
      ['1 a 1 3', '1 b 3 5', '1 c 5 -'],
      { rows_written: 1, rows_inserted: 1, rows_closed: 0, rows_updated: 0 },
    ],
    [
      'one before the first version too',
      [`(1, 'b', 3, false)`, `(1, 'a', 1, false)`],
      ['1 a 1 3', '1 b 3 -'],
      { rows_written: 1, rows_inserted: 1, rows_closed: 0, files_rewritten: 0 },
    ],
    [
      'the same event again changes nothing',
      [`(1, 'a', 1, false), (1, 'b', 5, false)`, `(1, 'a', 1, false), (1, 'b', 5, false)`],
      ['1 a 1 5', '1 b 5 -'],
      { rows_written: 2, rows_inserted: 0, rows_updated: 0, files_rewritten: 0 },
    ],
    [
      'the same content at another sequence is a version of its own',
      [`(1, 'a', 1, false)`, `(1, 'a', 2, false)`],
      ['1 a 1 2', '1 a 2 -'],
      { rows_inserted: 1 },
    ],
    [
      'of two at one sequence the greater text wins',
      [`(1, 'a', 1, false), (1, 'z', 2, false)`, `(1, 'b', 1, false)`],
      ['1 b 1 2', '1 z 2 -'],
      { rows_written: 1, rows_inserted: 0, rows_updated: 1, rows_deduplicated: 0 },
    ],
    [
      '… whatever came first',
      [`(1, 'b', 1, false), (1, 'z', 2, false)`, `(1, 'a', 1, false)`],
      ['1 b 1 2', '1 z 2 -'],
      { rows_written: 0, rows_updated: 0, rows_deduplicated: 1, files_rewritten: 0 },
    ],
    [
      '… in one batch too, where equal ones count as well',
      [`(9, 'z', 2, false)`, `(1, 'b', 1, false), (1, 'a', 1, false), (1, 'b', 1, null)`],
      ['1 b 1 -', '9 z 2 -'],
      { rows_written: 1, rows_inserted: 1, rows_deduplicated: 2 },
    ],
    [
      'a deletion closes the open version and leaves none',
      [`(1, 'a', 1, false)`, `(1, null, 5, true)`],
      ['1 a 1 5'],
      { rows_written: 1, rows_inserted: 0, rows_closed: 1 },
    ],
    [
      'the same deletion again changes nothing',
      [`(1, 'a', 1, false)`, `(1, null, 5, true)`, `(1, null, 5, true)`],
      ['1 a 1 5'],
      { rows_written: 1, rows_closed: 0, files_rewritten: 0 },
    ],
    [
      'a key may come back',
      [`(1, 'a', 1, false)`, `(1, null, 5, true)`, `(1, 'b', 7, false)`],
      ['1 a 1 5', '1 b 7 -'],
      { rows_inserted: 1, rows_closed: 0 },
    ],
    [
      'a late event before a deletion ends at it',
      [`(1, 'a', 1, false), (1, null, 5, true)`, `(1, 'b', 3, false)`],
      ['1 a 1 3', '1 b 3 5'],
      { rows_inserted: 1 },
    ],
    [
      'a late event after a deletion ends at the next version',
      [`(1, 'a', 1, false), (1, null, 3, true), (1, 'c', 7, false)`, `(1, 'b', 5, false)`],
      ['1 a 1 3', '1 b 5 7', '1 c 7 -'],
      { rows_inserted: 1, rows_closed: 0, files_rewritten: 0 },
    ],
    [
      'a late deletion ends the version that held then',
      [`(1, 'a', 1, false), (1, 'b', 5, false)`, `(1, null, 3, true)`],
      ['1 a 1 3', '1 b 5 -'],
      { rows_written: 1, rows_closed: 0 },
    ],
    [
      'a deletion at a start leaves that version no time',
      [`(1, 'a', 1, false)`, `(1, 'b', 5, false)`, `(1, null, 5, true)`],
      ['1 a 1 5', '1 b 5 5'],
      { rows_closed: 1 },
    ],
    [
      '… also when it came before, and the version after it is open',
      [`(1, 'a', 1, false)`, `(1, null, 5, true)`, `(1, 'b', 5, false), (1, 'c', 6, false)`],
      ['1 a 1 5', '1 b 5 5', '1 c 6 -'],
      { rows_inserted: 2 },
    ],
    [
      'a deletion of an unknown key is applied without effect',
      [`(1, 'a', 1, false)`, `(2, null, 5, true)`],
      ['1 a 1 -'],
      { rows_written: 1, rows_inserted: 0, rows_closed: 0, files_rewritten: 0 },
    ],
    [
      'only deletions make no version',
      [`(1, null, 1, true)`],
      [],
      { rows_written: 1, rows_inserted: 0 },
    ],
    [
      'an empty batch changes nothing',
      [`(1, 'a', 1, false)`, `(null, null, null, null) limit 0`],
      ['1 a 1 -'],
      { rows_written: 0, files_rewritten: 0 },
    ],
  ])('%s', async (_, batches, expected, counted) => {
    const { lines, counts } = await told(...batches)
    expect(lines).toEqual(expected)
    expect(counts).toMatchObject(counted)
  })

  it.each([
    [
      `(1, 'a', null, false), (2, 'b', 1, false)`,
      { code: 'sequence_null', detail: { rows: 1, table: 's.t' } },
    ],
    [`(null, 'a', 1, false)`, { code: 'key_null', detail: { rows: 1, keys: 'id', table: 's.t' } }],
  ])('refuses %s', async (values, error) => {
    const dir = lab.table()
    await expect(batch(lab, dir, plan, rows(values))).rejects.toMatchObject(error)
    expect(await filesIn(dir)).toEqual([])
  })

  it('refuses a table that was filled without its history', async () => {
    const dir = lab.table()
    await batch(
      lab,
      dir,
      { load_type: 'append', columns: plan.columns, keys: [] },
      `select 1 id, 'a' as name`,
    )
    await expect(batch(lab, dir, plan, rows(`(1, 'a', 1, false)`))).rejects.toMatchObject({
      code: 'delta_schema_refused',
    })
  })

  it('rewrites only files with a version that changes, and does not read closed ones', async () => {
    const dir = lab.table()
    await batch(lab, dir, plan, rows(`(1, 'a', 1, false), (2, 'a', 1, false)`))
    await batch(lab, dir, plan, rows(`(1, 'b', 5, false), (2, 'b', 5, false)`))
    // Now there is a file of closed versions and one of open ones.
    const { counts, written } = await batch(lab, dir, plan, rows(`(1, 'c', 9, false)`))
    expect(counts).toMatchObject({ rows_closed: 1, files_rewritten: 1 })
    expect(written.removes).toHaveLength(1)
    expect(await linesOf(lab, dir)).toEqual(['1 a 1 5', '1 b 5 9', '1 c 9 -', '2 a 1 5', '2 b 5 -'])
    // A late event finds its closed version all the same.
    await batch(lab, dir, plan, rows(`(2, 'x', 3, false)`))
    expect(await linesOf(lab, dir)).toContain('2 a 1 3')
    const { kept, real } = await hashes(lab, dir)
    expect(kept).toBe(real)
  })

  it.each([
    ['timestamp', `'2024-01-01 00:00:00.000001+00'`, `'2024-01-01 01:00:00.000002+01'`],
    ['date', `'2024-01-01'`, `'2024-02-29'`],
    ['string', `'v1'`, `'v10'`],
    ['decimal(20,5)', `'1.00001'`, `'1.00002'`],
    ['double', `'-inf'`, `'nan'`],
  ])('keeps times as %s', async (type, from, to) => {
    const dir = lab.table()
    const typed = { ...plan, sequence_type: type }
    await batch(lab, dir, typed, rows(`(1, 'b', ${to}, false)`, type))
    await batch(lab, dir, typed, rows(`(1, 'a', ${from}, false)`, type))
    await batch(lab, dir, typed, rows(`(1, 'b', ${to}, false)`, type))
    const [one, two] = await lab.sql
      .rows(
        `select cast(${from} as ${duckdbType(type)})::varchar as a, cast(${to} as ${duckdbType(type)})::varchar as b`,
      )
      .then(([row]) => [row!.a, row!.b])
    expect(await linesOf(lab, dir)).toEqual([`1 a ${one} ${two}`, `1 b ${two} -`])
  })

  it('fills columns that came later with NULL, and takes any column name', async () => {
    const dir = lab.table()
    await batch(lab, dir, plan, rows(`(1, 'a', 1, false)`))
    const wider = {
      ...plan,
      columns: columnsFrom('id int\nk0 int\nends int\nat int\nkind int\n`n` int'),
    }
    await batch(
      lab,
      dir,
      wider,
      `select 1 id, 2 k0, 3 as ends, 4 as at, 5 kind, 6 n, 7 as __sequence, false as __delete`,
    )
    expect(await linesOf(lab, dir)).toEqual(['1 - - - - - 1 7 a', '1 2 3 4 5 6 7 - -'])
    const { kept, real } = await hashes(lab, dir)
    expect(kept).toBe(real)
  })

  it('ends the same however events are split and shuffled, deletions no sooner than what they close', async () => {
    const next = random(11)
    const below = (n: number) => Math.floor(next() * n)
    for (let round = 0; round < 12; round++) {
      const events: Event[] = Array.from({ length: 60 }, () => ({
        id: below(6),
        name: 'abc'[below(3)]!,
        at: 1 + below(12),
        deletes: false,
      }))
      for (let n = 0; n < 15; n++)
        events.push({ id: below(6), name: '', at: 1 + below(14), deletes: true })
      const expected = versions(events)
      for (let split = 0; split < 3; split++) {
        const parts = splitUp(shuffle(events, next), 1 + below(6))
        const dir = lab.table()
        let counted = 0
        for (const part of parts) {
          if (part.length === 0) continue
          const values = part.map(
            ({ id, name, at, deletes }) => `(${id}, '${name}', ${at}, ${deletes})`,
          )
          const { counts } = await batch(lab, dir, plan, rows(values.join(', ')))
          counted += counts.rows_written! + counts.rows_deduplicated!
        }
        expect(await linesOf(lab, dir)).toEqual(expected)
        expect(counted).toBe(events.length)
        const { kept, real } = await hashes(lab, dir)
        expect(kept).toBe(real)
      }
    }
  }, 120_000)
})

type Event = { id: number; name: string; at: number; deletes: boolean }

/** What the table must hold, straight from the definition. */
function versions(events: readonly Event[]): string[] {
  const lines: string[] = []
  for (const id of new Set(events.map((event) => event.id))) {
    const own = events.filter((event) => event.id === id)
    const starts = [...new Set(own.filter((event) => !event.deletes).map((event) => event.at))]
    for (const start of starts) {
      const names = own
        .filter((event) => !event.deletes && event.at === start)
        .map((event) => event.name)
      const ends = own
        .filter((event) => (event.deletes ? event.at >= start : event.at > start))
        .map((event) => event.at)
      const end = ends.length === 0 ? '-' : Math.min(...ends)
      lines.push(`${id} ${names.toSorted().at(-1)} ${start} ${end}`)
    }
  }
  return lines.toSorted()
}

/**
 * Batches in which a deletion comes no sooner than every row of its key up to it: others are the one thing that isn't
 * kept (a deletion that finds no version open).
 */
function splitUp(events: readonly Event[], count: number): Event[][] {
  const place = new Map<Event, number>()
  for (const event of events) if (!event.deletes) place.set(event, place.size % count)
  for (const event of events) {
    if (!event.deletes) continue
    const before = [...place].filter(
      ([other]) => !other.deletes && other.id === event.id && other.at <= event.at,
    )
    place.set(event, Math.max(0, ...before.map(([, n]) => n)))
  }
  return Array.from({ length: count }, (_, n) => events.filter((event) => place.get(event) === n))
}
