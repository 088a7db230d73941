// Against a real server: TEST_POSTGRES_URL names one where databases can be made and dropped.
import { randomUUID } from 'node:crypto'
import { existsSync, readdirSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { setTimeout as wait } from 'node:timers/promises'
import postgresJs from 'postgres'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { RawObject, SourceBatch, TestStep } from './extractor.ts'
import { readManifests, type Manifest } from './manifest.ts'
import { openPgBatch } from './pg-extract.ts'
import { formatObject, parseObject } from './pg-columns.ts'
import { postgres } from './postgres.ts'
import { inspectRaw, rawScanSql } from './read-raw.ts'
import { batch, openBench, pinned, type Bench } from './testing.ts'

const url = process.env.TEST_POSTGRES_URL
const name = `lakeforge_${randomUUID().replaceAll('-', '')}`
const quiet = { onnotice: () => undefined, max: 4 }
let admin: postgresJs.Sql
let db: postgresJs.Sql
let bench: Bench

describe.skipIf(!url)(
  url ? 'PostgreSQL' : 'PostgreSQL (skipped: TEST_POSTGRES_URL is not set)',
  () => {
    beforeAll(async () => {
      admin = postgresJs(url!, quiet)
      await admin.unsafe(`create database ${name} template template0 encoding 'UTF8'`)
      db = postgresJs(url!, { ...quiet, database: name })
    })
    afterAll(async () => {
      await db?.end()
      await admin?.unsafe(`drop database if exists ${name} with (force)`)
      await admin?.end()
    })
    beforeEach(async () => {
      bench = await openBench()
      const { hostname, port, username, password } = new URL(url!)
      bench.context.source.options = {
        host: hostname,
        port: Number(port || 5432),
        database: name,
        user: decodeURIComponent(username),
        password: 'secret://pg/password',
        sslmode: 'disable',
      }
      bench.context.resolveSecret = async () => decodeURIComponent(password)
    })
    afterEach(async () => {
      bench.close()
      await db.unsafe(
        `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and xact_start is not null`,
      )
      await db.unsafe(
        `drop schema if exists "My.Schema" cascade; drop schema public cascade; create schema public`,
      )
    })

    const table = (object: string, over: Partial<RawObject> = {}): RawObject => ({
      name: 'raw1',
      object,
      format: 'table',
      options: {},
      columns: [],
      read_mode: 'full',
      cursor: null,
      chunking: null,
      ...over,
    })
    const incremental = (object: string, column: string, over: Partial<RawObject> = {}) =>
      table(object, {
        read_mode: 'incremental',
        cursor: { column, start: null, lag_s: null },
        ...over,
      })

    async function take(raw: RawObject, seq: number, settle_ms = 2000): Promise<Manifest> {
      bench.context.objects = [raw]
      const before = await readManifests(bench.root, 'src', raw.name, { before: String(seq) })
      const source = await openPgBatch(bench.context, settle_ms)
      try {
        return await source.extract(raw, batch(bench.root, seq, before.at(-1)?.watermark ?? null))
      } finally {
        await source.close()
      }
    }
    async function rows(raw: RawObject, manifests: Manifest[], order = '1') {
      const from = { root: bench.root, source: 'src', raw }
      const shape = await inspectRaw(bench.connection, from, manifests)
      const columns =
        raw.columns.length > 0
          ? raw.columns
          : (await postgres.discover(bench.context)).find((o) => o.object === raw.object)!.columns
      const answer = await bench.connection.runAndReadAll(
        `SELECT * EXCLUDE (_source_file, _row_id) FROM (${rawScanSql(shape, columns)}) ORDER BY ${order}`,
      )
      return answer.getRowObjectsJson() as Record<string, unknown>[]
    }

    it('takes every type faithfully, and rescues what the pinned type has no place for', async () => {
      await db.unsafe(`
        create type mood as enum ('sad', 'happy');
        create type pair as (a int, b text);
        create domain cents as numeric(12,4) check (value > 0);
        create table t (
          id bigint primary key, b boolean, i2 smallint, i4 integer, r real, d double precision,
          n numeric, n2 numeric(10,2), nneg numeric(3,-2), m money, c cents,
          t text, v varchar(5), ch char(4), u uuid, j json, jb jsonb, x xml,
          by bytea, da date, ts timestamp, tz timestamptz, ti time, iv interval,
          ai int[], an numeric[], at text[], atz timestamptz[], e mood, p pair, rg int4range, ip inet, bi bit(3), tv tsvector);
        insert into t values (9223372036854775807, true, -32768, 2147483647, 0.1, 0.1,
          12345678901234567890.123456789012345678, 99999999.99, 12300, -1234.5, 1.2345,
          E'q"uo,te\\n\\ttab\\\\ é 😀', '', 'ab', '0b0d9a5e-7e3b-4c55-9b4e-111111111111', '{"a": 1.50}', '{"b": [null]}', '<a/>',
          '\\x00ff22', '2024-02-29', '2024-01-31 10:00:00.123456', '2024-01-31 10:00:00.123456+02', '24:00:00', '1 day 02:00',
          '{1,null,3}', '{0.1,12345678901234567890.5}', '{"a,b",null,"null"}', '{2024-01-31 10:00:00+02}', 'happy', '(1,x)', '[1,5)', '10.0.0.1', B'101', 'cat sat');
        insert into t (id) values (2);
        insert into t (id, n, n2, d, da, ts, tz, ai) values (3, 'NaN', 'NaN', 'NaN', 'infinity', '-infinity', 'infinity', '{{1,2},{3,4}}');
        insert into t (id, n, d, da, tz) values (4, 1e30, '-Infinity', '0044-03-15 BC', '0001-01-01 00:00+00');`)
      const raw = table('public.t')
      const manifest = await take(raw, 1)
      expect(manifest).toMatchObject({ rows: 4, read_mode: 'full', cursor: null, watermark: null })
      const found = (await postgres.discover(bench.context)).find((o) => o.object === 'public.t')!
      const types = Object.fromEntries(found.columns.map((column) => [column.name, column.type]))
      expect(types).toMatchObject({
        id: 'bigint',
        i2: 'smallint',
        r: 'float',
        n: 'decimal(38,18)',
        n2: 'decimal(10,2)',
        nneg: 'decimal(5,0)',
        m: 'decimal(19,2)',
        c: 'decimal(12,4)',
        j: 'string',
        by: 'binary',
        ts: 'timestamp_ntz',
        tz: 'timestamp',
        ti: 'string',
        ai: 'array<int>',
        an: 'array<decimal(38,18)>',
        atz: 'array<timestamp>',
        e: 'string',
        p: 'string',
      })
      const all = await rows(raw, [manifest], 'id')
      expect(all[0]).toMatchObject({ id: '2', b: null, t: null, ai: null, _rescued_data: null })
      expect(all[3]).toEqual({
        id: '9223372036854775807',
        b: true,
        i2: -32768,
        i4: 2147483647,
        r: expect.closeTo(0.1, 6),
        d: 0.1,
        n: '12345678901234567890.123456789012345678',
        n2: '99999999.99',
        nneg: '12300',
        m: '-1234.50',
        c: '1.2345',
        t: 'q"uo,te\n\ttab\\ é 😀',
        v: '',
        ch: 'ab',
        u: '0b0d9a5e-7e3b-4c55-9b4e-111111111111',
        j: '{"a": 1.50}',
        jb: '{"b": [null]}',
        x: '<a/>',
        by: '\\x00\\xFF\\x22',
        da: '2024-02-29',
        ts: '2024-01-31 10:00:00.123456',
        tz: '2024-01-31 08:00:00.123456+00',
        ti: '24:00:00',
        iv: 'P1DT2H',
        ai: [1, null, 3],
        an: ['0.100000000000000000', '12345678901234567890.500000000000000000'],
        at: ['a,b', null, 'null'],
        atz: ['2024-01-31 08:00:00+00'],
        e: 'happy',
        p: '{"a":1,"b":"x"}',
        rg: '[1,5)',
        ip: '10.0.0.1/32',
        bi: '101',
        tv: "'cat' 'sat'",
        _rescued_data: null,
      })
      expect(all[1]).toMatchObject({ n: null, n2: null, d: 'NaN', da: null, ts: null, ai: null })
      expect(JSON.parse(String(all[1]!._rescued_data))).toEqual({
        n: 'NaN',
        n2: 'NaN',
        da: 'infinity',
        ts: '-infinity',
        tz: 'infinity',
        ai: '[["1","2"],["3","4"]]',
      })
      expect(all[2]).toMatchObject({ d: '-Infinity', tz: '0001-01-01 00:00:00+00' })
      expect(JSON.parse(String(all[2]!._rescued_data))).toEqual({
        n: '1000000000000000000000000000000',
        da: '0044-03-15 BC',
      })
    })

    it('keeps rows that are a single null, an empty table, and hostile names', async () => {
      await db.unsafe(`create table one (v text); insert into one values (null), (''), ('x'), (null);
        create schema "My.Schema"; create table "My.Schema"."Ta'b""le" ("Id" int, id int, "semi;--" text);
        insert into "My.Schema"."Ta'b""le" values (1, 2, '$$');
        create table none (v int)`)
      const one = table('public.one')
      expect((await rows(one, [await take(one, 1)])).map(({ v }) => v)).toEqual([
        '',
        'x',
        null,
        null,
      ])
      const none = table('public.none', { name: 'none', columns: [pinned('v int')] })
      const manifest = await take(none, 1)
      expect(manifest).toMatchObject({ rows: 0, files: [{ rows: 0 }] })
      expect(await rows(none, [manifest])).toEqual([])
      const object = formatObject('My.Schema', `Ta'b"le`)
      expect(parseObject(object)).toEqual(['My.Schema', `Ta'b"le`])
      const odd = table(object, { name: 'odd' })
      expect(await rows(odd, [await take(odd, 1)])).toEqual([
        { id: 1, id_2: 2, semi: '$$', _rescued_data: null },
      ])
    })

    it('reads in windows of the cursor: full precision, nothing twice, nothing when nothing is new', async () => {
      await db.unsafe(`create table t (id int, at timestamptz);
        insert into t values (1, '2024-01-31 10:00:00.123456+00'), (2, '2024-01-31 10:00:00.123457+00'), (3, null), (4, 'infinity')`)
      const raw = incremental('public.t', 'at')
      const first = await take(raw, 1)
      expect(first).toMatchObject({
        rows: 2,
        watermark: '2024-01-31 10:00:00.123457+00',
        cursor: { from: null, to: '2024-01-31 10:00:00.123457+00', null_rows: 1 },
      })
      expect(bench.events).toContain(
        'warn: 1 rows of public.t have an infinite at and are never read.',
      )
      const idle = await take(raw, 2)
      expect(idle).toMatchObject({ files: [], watermark: '2024-01-31 10:00:00.123457+00' })
      expect(existsSync(join(bench.root, 'raw/src/raw1/seq=2'))).toBe(false)
      await db`insert into t values (5, '2024-01-31 10:00:00.123458+00')`
      const third = await take(raw, 3)
      expect(third).toMatchObject({ rows: 1, cursor: { from: '2024-01-31 10:00:00.123457+00' } })
      expect((await rows(raw, [first, third], 'id')).map(({ id }) => id)).toEqual([1, 2, 5])
    })

    it('compares cursors by the source: numbers beyond 2^53, dates, texts', async () => {
      await db.unsafe(`create table t (n numeric, b bigint, s text collate "C");
        insert into t values (9, 9007199254740993, 'a'), (10, 9007199254740994, 'B')`)
      for (const [column, watermark] of [
        ['n', '10'],
        ['b', '9007199254740994'],
        ['s', 'a'],
      ] as const) {
        const raw = incremental('public.t', column, { name: `raw_${column}` })
        expect(await take(raw, 1)).toMatchObject({ rows: 2, watermark })
        expect((await take(raw, 2)).files).toEqual([])
      }
      const start = incremental('public.t', 'n', {
        name: 'from_nine',
        cursor: { column: 'n', start: '9', lag_s: null },
      })
      expect(await take(start, 1)).toMatchObject({ rows: 1 })
    })

    it('does not lose a row of a transaction that began before the window and commits after it', async () => {
      await db.unsafe(`create table t (id int, seq bigserial); insert into t (id) values (1)`)
      const raw = incremental('public.t', 'seq')
      const late = await db.reserve()
      await late`begin`
      await late`insert into t (id) values (2)`
      await db`insert into t (id) values (3)`
      // seq 2 isn't committed, seq 3 is: reading up to 3 now would lose it for ever.
      const reading = take(raw, 1, 20_000)
      await wait(500)
      await late`commit`
      late.release()
      const manifest = await reading
      expect((await rows(raw, [manifest], 'id')).map(({ id }) => id)).toEqual([1, 2, 3])
      expect(manifest.watermark).toBe('3')
    })

    it('waits for a transaction that is younger than the last one that ended, but drew its number first', async () => {
      await db.unsafe(`create table t (id int, seq bigserial)`)
      const [older, younger] = [await db.reserve(), await db.reserve()]
      await older`begin`
      await older`insert into t (id) values (1)`
      await younger`begin`
      await younger`insert into t (id) values (2)`
      await older`insert into t (id) values (3)`
      await older`commit`
      const raw = incremental('public.t', 'seq')
      const reading = take(raw, 1, 20_000)
      await wait(500)
      await younger`commit`
      for (const session of [older, younger]) session.release()
      expect((await rows(raw, [await reading], 'id')).map(({ id }) => id)).toEqual([1, 2, 3])
    })

    it('keeps the former bounds when a transaction does not end in time', async () => {
      await db.unsafe(`create table t (id int, seq bigserial); insert into t (id) values (1)`)
      const raw = incremental('public.t', 'seq')
      const late = await db.reserve()
      await late`begin`
      await late`insert into t (id) values (2)`
      const manifest = await take(raw, 1, 300)
      expect(manifest).toMatchObject({ files: [], watermark: null })
      expect(bench.events.join()).toContain('keep their former bounds')
      await late`rollback`
      late.release()
      expect(await take(raw, 2)).toMatchObject({ rows: 1 })
    })

    it('reads the time of a lag again, and refuses a lag without a time', async () => {
      await db.unsafe(`create table t (id int, at timestamp);
        insert into t values (1, '2024-01-31 10:00:00'), (2, '2024-01-31 10:01:00')`)
      const raw = incremental('public.t', 'at', {
        cursor: { column: 'at', start: null, lag_s: 90 },
      })
      await take(raw, 1)
      await db`insert into t values (3, '2024-01-31 10:00:30')`
      const second = await take(raw, 2)
      expect((await rows(raw, [second], 'id')).map(({ id }) => id)).toEqual([1, 2, 3])
      expect(second.watermark).toBe('2024-01-31 10:01:00')
      const wrong = incremental('public.t', 'id', {
        name: 'wrong',
        cursor: { column: 'id', start: null, lag_s: 90 },
      })
      await expect(take(wrong, 1)).rejects.toMatchObject({ code: 'source_cursor_invalid' })
    })

    it('gives all tables of a batch one state of the source', async () => {
      await db.unsafe(
        `create table a (n int); create table b (n int); insert into a values (1); insert into b values (1)`,
      )
      const [a, b] = [table('public.a', { name: 'a' }), table('public.b', { name: 'b' })]
      const source: SourceBatch = await postgres.openBatch(bench.context)
      try {
        const first = await source.extract(a, batch(bench.root, 1))
        await db.unsafe(`insert into a values (2); insert into b values (2)`)
        const second = await source.extract(b, batch(bench.root, 1))
        expect([first.rows, second.rows]).toEqual([1, 1])
      } finally {
        await source.close()
      }
    })

    it('reads in chunks: every row once, nulls too', async () => {
      await db.unsafe(
        `create table t (id int, k text); insert into t select nullif(i, 77), 'x' from generate_series(1, 1000) i`,
      )
      const raw = table('public.t', { chunking: { column: 'id', rows: 300 } })
      const manifest = await take(raw, 1)
      expect(manifest.rows).toBe(1000)
      expect(manifest.files.length).toBe(4)
      const all = await rows(raw, [manifest], 'id')
      expect(new Set(all.map(({ id }) => id)).size).toBe(1000)
    })

    it('reads a query, and only a query', async () => {
      await db.unsafe(
        `create table t (id int, n numeric(5,2)); insert into t values (1, 1.5), (2, 2.5)`,
      )
      const raw = table('select id * 2 as twice, n from t where id > 1; ', {
        format: 'query',
        columns: [pinned('twice int'), pinned('n decimal(5,2)')],
      })
      expect(await rows(raw, [await take(raw, 1)])).toEqual([
        { twice: 4, n: '2.50', _rescued_data: null },
      ])
      for (const [i, query] of [
        'select 1 as x) q; drop table t; select * from (select 1 as x',
        'delete from t returning id',
        'select nothing from nowhere',
      ].entries())
        await expect(
          take(table(query, { format: 'query', name: `bad${i}` }), 1),
        ).rejects.toMatchObject({ code: expect.stringMatching(/^source_/) })
      expect((await db`select count(*)::int as n from t`)[0]!.n).toBe(2)
    })

    it('leaves no manifest when the server goes away in the middle, and takes all the next time', async () => {
      await db.unsafe(
        `create table t as select i as id, repeat(md5(i::text), 30) as filler from generate_series(1, 200000) i`,
      )
      const raw = table('public.t')
      let killed = false
      const kill = async () => {
        const found = await db<{ done: boolean }[]>`
          select pg_terminate_backend(pid) as done from pg_stat_activity
          where datname = ${name} and application_name = 'lakeforge' and query ilike 'copy%' and state = 'active'`
        killed ||= found.length > 0
      }
      const timer = setInterval(() => void kill().catch(() => undefined), 20)
      try {
        await expect(take(raw, 1)).rejects.toMatchObject({ code: 'source_lost' })
      } finally {
        clearInterval(timer)
      }
      expect(killed).toBe(true)
      expect(existsSync(join(bench.root, 'raw/src/raw1/seq=1'))).toBe(false)
      const manifest = await take(raw, 1)
      expect(manifest.rows).toBe(200_000)
      const left = readdirSync(join(bench.root, 'raw/src/raw1/seq=1'))
      expect(left.sort()).toEqual([
        ...manifest.files.map(({ path }) => path.slice(6)),
        'manifest.json',
      ])
    }, 60_000)

    it('never goes on in another state of the source after its connections were cut', async () => {
      await db.unsafe(
        `create table a (n int); create table b (n int); insert into a values (1); insert into b values (1)`,
      )
      const source = await postgres.openBatch(bench.context)
      try {
        await source.extract(table('public.a', { name: 'a' }), batch(bench.root, 1))
        await db.unsafe(
          `insert into b values (2);
           select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name = 'lakeforge'`,
        )
        await expect(
          source.extract(table('public.b', { name: 'b' }), batch(bench.root, 1)),
        ).rejects.toMatchObject({ code: 'source_lost' })
        expect(existsSync(join(bench.root, 'raw/src/b/seq=1'))).toBe(false)
      } finally {
        await source.close()
      }
    })

    it('answers a repeated batch by its manifest', async () => {
      await db.unsafe(`create table t (id int); insert into t values (1)`)
      const raw = table('public.t')
      const first = await take(raw, 1)
      await db`insert into t values (2)`
      expect(await take(raw, 1)).toEqual(first)
    })

    it('stops when it is told to', async () => {
      await db.unsafe(`create table t as select i as id from generate_series(1, 300000) i`)
      const abort = new AbortController()
      bench.context.signal = abort.signal
      const reading = take(table('public.t'), 1)
      abort.abort()
      await expect(reading).rejects.toThrow()
      expect(existsSync(join(bench.root, 'raw/src/raw1/seq=1/manifest.json'))).toBe(false)
    })

    it('discovers tables, views and partitioned tables with keys, cursors and estimates', async () => {
      await db.unsafe(`
        create table orders ("Order ID" bigint generated always as identity, line int, updated_at timestamptz, created_at timestamptz, primary key ("Order ID", line));
        insert into orders (line, updated_at) select i, now() from generate_series(1, 500) i;
        create view recent as select * from orders;
        create table parted (k int) partition by range (k);
        create table parted_1 partition of parted for values from (0) to (1000);
        insert into parted select i from generate_series(0, 99) i;
        analyze`)
      const found = await postgres.discover(bench.context)
      expect(found.map(({ object }) => object)).toEqual([
        'public.orders',
        'public.parted',
        'public.recent',
      ])
      expect(found[0]).toMatchObject({
        name: 'orders',
        rows_estimate: 500,
        keys: ['order_id', 'line'],
        cursor_candidates: ['updated_at', 'order_id', 'created_at'],
      })
      expect(found[0]!.columns[0]).toEqual({
        name: 'order_id',
        source_name: 'Order ID',
        type: 'bigint',
        nullable: false,
      })
      expect(found[1]!.rows_estimate).toBe(100)
    })

    it('previews typed rows and a profile', async () => {
      await db.unsafe(
        `create table t (id int, n numeric(5,2)); insert into t values (1, 1.5), (2, null)`,
      )
      const preview = await postgres.preview(bench.context, table('public.t'), 1)
      expect(preview.rows).toEqual([[1, '1.50']])
      expect(preview.profile[1]).toMatchObject({ column: 'n', nulls: 1, min: '1.50' })
    })

    it('tests a source in named steps, and never says the password', async () => {
      const steps = async () => {
        const all: TestStep[] = []
        for await (const step of postgres.test(bench.context)) all.push(step)
        return all.map(({ check, state }) => `${check} ${state}`)
      }
      await db.unsafe('create table t (id int)')
      expect(await steps()).toEqual([
        'name_resolves ok',
        'port_reachable ok',
        'login ok',
        'schemas_listed ok',
        'tables_readable ok',
      ])
      const password = 'hunter2-Sehr-Geheim'
      bench.context.resolveSecret = async () => password
      bench.context.source.options.user = 'nobody_like_this'
      const all: TestStep[] = []
      for await (const step of postgres.test(bench.context)) all.push(step)
      expect(all.map(({ state }) => state)).toEqual(['ok', 'ok', 'failed', 'skipped', 'skipped'])
      const error: unknown = await take(table('public.t'), 1).catch((caught: unknown) => caught)
      expect(error).toMatchObject({ code: 'source_login_failed' })
      const said = inspect([all, error, bench.events], { depth: 20, showHidden: true })
      expect(said).not.toContain(password)
      expect(said).not.toContain(Buffer.from(password).toString('base64'))
      bench.context.source.options.host = 'no-such-host.invalid'
      expect((await steps())[0]).toBe('name_resolves failed')
    })

    it('says that a server is not there, and which table is not', async () => {
      await expect(take(table('public.nothing'), 1)).rejects.toMatchObject({
        code: 'source_object_missing',
        message: 'There is no "public.nothing" in the source.',
      })
      const server = createServer()
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      const { port } = server.address() as { port: number }
      await new Promise((resolve) => server.close(resolve))
      bench.context.source.options = { ...bench.context.source.options, host: '127.0.0.1', port }
      await expect(take(table('public.t'), 1)).rejects.toMatchObject({ code: 'source_unreachable' })
    })
  },
)
