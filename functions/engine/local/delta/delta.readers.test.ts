// What we write, read by others: deltalake (Rust) and Spark; and what they write, read by us. They skip files by our
// statistics, so every predicate is also a test of those.
import { spawn, spawnSync } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { cp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import {
  DuckDBBlobValue,
  DuckDBDateValue,
  DuckDBDecimalValue,
  DuckDBListType,
  DuckDBListValue,
  DuckDBMapType,
  DuckDBMapValue,
  DuckDBStructType,
  DuckDBStructValue,
  DuckDBTimestampTZValue,
  DuckDBTimestampValue,
  DOUBLE,
  FLOAT,
} from '@duckdb/node-api'
import type { DuckDBType, DuckDBValue } from '@duckdb/node-api'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { literalDuckdb, quoteDuckdb, quoteSpark } from '#core/names.ts'
import { duckdbType } from '#core/types.ts'
import type { Column } from '#core/types.ts'
import {
  checkpointIfDue,
  commit,
  duckdbScan,
  pruneFiles,
  readSnapshot,
  writeCheckpoint,
} from '../delta.ts'
import type { Snapshot } from '../delta.ts'
import { append, columnsFrom, openBench, writeRows } from './testing.ts'
import type { Bench } from './testing.ts'

const wanted = process.env.LAKEFORGE_READERS === '1'
const why = wanted ? '' : ' (skipped: needs LAKEFORGE_READERS=1, Python and Java)'

type Json = string | number | boolean | null | Json[] | { [key: string]: Json }
type Rows = Record<string, Json>[]
type Reader = {
  name: 'deltalake' | 'spark'
  ask: (verb: string, request: object) => Promise<Json>
  /** A cast of a text literal, as this reader writes it. */
  literal: (text: string, type: string) => string
  quote: (name: string) => string
  process: ChildProcess
}

let bench: Bench
let readers: Reader[] = []
const spark = () => readers.find(({ name }) => name === 'spark')!

describe.skipIf(!wanted)(`independent readers${why}`, () => {
  beforeAll(async () => {
    bench = await openBench()
    const root = join(import.meta.dirname, '../../../..')
    const setup = spawnSync('bash', [join(root, 'notebooks/setup-env.sh')], { encoding: 'utf8' })
    if (setup.status !== 0) throw new Error(setup.stderr)
    const env = Object.fromEntries(
      [...setup.stdout.matchAll(/^(\w+)=(.*)$/gm)].map(([, key, value]) => [key, value]),
    )
    readers = [openReader('deltalake', env), openReader('spark', env)]
    // Spark needs a minute for its first answer on a busy machine.
    const dir = await bench.folder()
    await append(bench, dir, columnsFrom('a int'), 'SELECT 1 a')
    for (const reader of readers)
      expect(await query(reader, dir, 'SELECT a FROM t')).toEqual([{ a: '1' }])
  }, 900_000)
  afterAll(async () => {
    for (const { process } of readers) process.stdin!.end()
    await bench.close()
  })

  it('see the same rows of every type, whole and by every predicate', async () => {
    for (const stats of [true, false]) {
      const dir = await bench.folder()
      const snapshot = await everyType(dir, stats)
      expect(snapshot.version).toBe(EVERY_FILES - 1)
      await compare(dir, snapshot)
      await comparePredicates(dir, snapshot, stats ? 'all' : 'few')
    }
  }, 600_000)

  it('read a table whose log begins with our checkpoint', async () => {
    const dir = await bench.folder()
    const snapshot = await everyType(dir, true)
    await writeCheckpoint(snapshot, bench.connection, snapshot.timestamp)
    for (let version = 0; version < snapshot.version; version++) await rm(commitPath(dir, version))
    await compare(dir, snapshot)
    await comparePredicates(dir, snapshot, 'few')
  }, 300_000)

  it('do skip files by statistics: wrong ones lose rows', async () => {
    const dir = await bench.folder()
    const columns = columnsFrom('a bigint')
    await append(bench, dir, columns, 'SELECT 5 a')
    const path = commitPath(dir, 0)
    const text = await readFile(path, 'utf8')
    await writeFile(path, text.replaceAll('\\"a\\":5', '\\"a\\":7'))
    for (const reader of readers)
      expect(await query(reader, dir, 'SELECT a FROM t WHERE a = 5'), reader.name).toEqual([])
  }, 60_000)

  it('follow a schema that grew, with nested fields and a newer protocol', async () => {
    const dir = await bench.folder()
    await append(bench, dir, columnsFrom('id int\ns struct<x:int>'), `SELECT 1 id, {'x': 1} s`)
    await append(
      bench,
      dir,
      columnsFrom('id int\ns struct<x:int,y:string>\nd date'),
      `SELECT 2 id, {'x': NULL, 'y': 'ü'} s, DATE '1969-01-01' d`,
    )
    const snapshot = await append(
      bench,
      dir,
      columnsFrom('id int\ns struct<x:int,y:string>\nd date\nn timestamp_ntz'),
      `SELECT 3 id, NULL s, NULL d, TIMESTAMP '1500-06-07 08:09:10.111213' n`,
    )
    await compare(dir, snapshot)
    await compare(dir, (await readSnapshot(dir, { version: 1 }))!, 1)
  }, 60_000)

  it('follow many commits with removes, compaction, checkpoints and transaction ids', async () => {
    const dir = await bench.folder()
    const columns = columnsFrom('id bigint\ntext string')
    let snapshot: Snapshot | null = null
    for (let version = 0; version < 34; version++) {
      const compacts: boolean = version === 15
      snapshot = await append(
        bench,
        dir,
        columns,
        compacts
          ? `SELECT * FROM ${duckdbScan(snapshot!)}`
          : `SELECT ${version} * 10 + i id, 'Zeile ' || i "text" FROM range(3) t(i)`,
        {
          txn: { appId: 'config/1', version },
          removes: compacts
            ? snapshot!.files
            : version % 4 === 3
              ? snapshot!.files.slice(0, 2)
              : [],
          data_change: !compacts,
        },
      )
      await checkpointIfDue(snapshot, bench.connection, snapshot.timestamp)
    }
    await compare(dir, snapshot!)
    for (const version of [0, 9, 10, 14, 15, 16, 33])
      await compare(dir, (await readSnapshot(dir, { version }))!, version)
  }, 120_000)

  it('read tables without rows and with only nulls', async () => {
    const empty = await bench.folder()
    await compare(empty, await append(bench, empty, EVERY, everyQuery('WHERE false')))
    const nulls = await bench.folder()
    const select = EVERY.map(({ name }) => `NULL AS ${quoteDuckdb(name)}`).join(', ')
    const snapshot = await append(bench, nulls, EVERY, `SELECT ${select} FROM range(2)`)
    await compare(nulls, snapshot)
    for (const reader of readers)
      expect(await query(reader, nulls, `SELECT count(*) AS n FROM t WHERE s IS NULL`)).toEqual([
        { n: '2' },
      ])
  }, 60_000)

  it('answer counts and extremes from metadata as from rows', async () => {
    const dir = await bench.folder()
    const snapshot = await everyType(dir, true)
    for (const column of ['id', 'ti', 'bi', 'dt', 'ts', 's', 'd18'])
      for (const reader of readers) {
        const sql = `SELECT min(${column}) AS low, max(${column}) AS high, count(*) AS n, count(${column}) AS filled FROM`
        expect(await query(reader, dir, `${sql} t`), `${reader.name} ${column}`).toEqual(
          await duckdbRows(`${sql} ${duckdbScan(snapshot)}`),
        )
      }
  }, 120_000)

  it('append to our table, and we read and continue theirs', async () => {
    for (const reader of readers) {
      const dir = await bench.folder()
      const columns = EVERY.filter(({ name }) => reader.name === 'spark' || name !== 'ma')
      await append(bench, dir, columns, everyQuery('WHERE id < 12'))
      await reader.ask('append', { dir, sql: 'SELECT * FROM t WHERE id >= 8' })
      await reader.ask('append', { dir, sql: 'SELECT * FROM t WHERE id = 1' })
      const theirs = (await readSnapshot(dir))!
      expect(theirs.version).toBe(2)
      await compare(dir, theirs)
      await comparePredicates(dir, theirs, 'few')
      await append(bench, dir, columns, everyQuery('WHERE id > 28'))
      await compare(dir, (await readSnapshot(dir))!)
    }
  }, 120_000)

  it('change rows of our table, with transaction ids and checkpoints of their own', async () => {
    const dir = await bench.folder()
    const columns = columnsFrom('id bigint\ntext string\nat timestamp')
    const rows = `SELECT i id, 'r' || i "text", TIMESTAMPTZ '2024-01-01 00:00:00.123456+00' + i * INTERVAL 1 DAY AS "at" FROM range(10) t(i)`
    await append(bench, dir, columns, rows, {
      txn: { appId: 'ours', version: 1 },
      properties: { 'delta.checkpointInterval': '3' },
    })
    await spark().ask('run', {
      statements: [
        `DELETE FROM delta.\`${dir}\` WHERE id = 3`,
        `UPDATE delta.\`${dir}\` SET text = 'ü' WHERE id IN (4, 5)`,
      ],
    })
    await spark().ask('append', {
      dir,
      sql: 'SELECT id + 100 AS id, text, at FROM t WHERE id < 3',
      options: { txnAppId: 'theirs', txnVersion: '7' },
    })
    const names = await readdir(join(dir, '_delta_log'))
    expect(names.filter((name) => name.endsWith('.checkpoint.parquet'))).toHaveLength(1)
    for (let version = 0; version < 3; version++) await rm(commitPath(dir, version))
    const found = (await readSnapshot(dir, { connection: bench.connection }))!
    expect([...found.txn].toSorted()).toEqual([
      ['ours', 1],
      ['theirs', 7],
    ])
    await compare(dir, found)
    // Spark cuts the greatest instant to milliseconds.
    const last = '2024-01-10 00:00:00.123456+00'
    expect(pruneFiles(found, 'at', last, last).length).toBeGreaterThan(0)
    await commit(dir, {
      base: found,
      operation: 'WRITE',
      adds: await writeRows(bench, dir, columns, `SELECT 999 id, 'last' "text", NULL "at"`),
      removes: found.files.slice(0, 1),
      timestamp: Date.now(),
    })
    const ours = (await readSnapshot(dir, { connection: bench.connection }))!
    await compare(dir, ours)
    await writeCheckpoint(ours, bench.connection, Date.now())
    await rm(commitPath(dir, 3))
    await compare(dir, ours)
  }, 120_000)

  it('make tables that we read: several checkpoint parts, old timestamps, and what we refuse', async () => {
    const source = await bench.folder()
    // Spark still writes instants as INT96, of which deltalake reads the years 1678 to 2262 only.
    await append(bench, source, EVERY, everyQuery('WHERE id BETWEEN 1 AND 30'))
    const dir = await bench.folder()
    await rm(dir, { recursive: true })
    await spark().ask('append', {
      dir: source,
      sql: 'SELECT * FROM t',
      to: dir,
      mode: 'errorifexists',
    })
    await spark().ask('run', {
      statements: [
        'SET spark.databricks.delta.checkpoint.partSize = 2',
        `ALTER TABLE delta.\`${dir}\` SET TBLPROPERTIES ('delta.checkpointInterval' = '2')`,
      ],
    })
    for (let i = 0; i < 3; i++)
      await spark().ask('append', { dir, sql: `SELECT * FROM t WHERE id = ${i + 1}` })
    const names = await readdir(join(dir, '_delta_log'))
    expect(
      names.filter((name) => /\.checkpoint\.\d+\.\d+\.parquet$/.test(name)).length,
    ).toBeGreaterThan(1)
    const copy = await bench.folder()
    await cp(dir, copy, { recursive: true })
    for (let version = 0; version < 4; version++) await rm(commitPath(copy, version))
    const found = (await readSnapshot(copy, { connection: bench.connection }))!
    expect(found.version).toBe(4)
    await compare(dir, found)

    const refused: [name: string, statements: (dir: string) => string[]][] = [
      [
        'deletion vectors',
        (at) => [
          `CREATE TABLE delta.\`${at}\` USING delta TBLPROPERTIES ('delta.enableDeletionVectors' = 'true') AS SELECT id FROM range(0, 100, 1, 1)`,
          `DELETE FROM delta.\`${at}\` WHERE id = 5`,
        ],
      ],
      [
        'column mapping',
        (at) => [
          `CREATE TABLE delta.\`${at}\` USING delta TBLPROPERTIES ('delta.columnMapping.mode' = 'name') AS SELECT id FROM range(3)`,
        ],
      ],
      [
        'partitions',
        (at) => [
          `CREATE TABLE delta.\`${at}\` USING delta PARTITIONED BY (p) AS SELECT id, id % 2 AS p FROM range(3)`,
        ],
      ],
    ]
    const v2 = join(bench.root, 'v2')
    await spark().ask('run', {
      statements: [
        `CREATE TABLE delta.\`${v2}\` USING delta TBLPROPERTIES ('delta.checkpointPolicy' = 'v2', 'delta.checkpointInterval' = '1') AS SELECT id FROM range(3)`,
        `INSERT INTO delta.\`${v2}\` VALUES (7)`,
      ],
    })
    await compare(v2, (await readSnapshot(v2, { connection: bench.connection }))!)
    await rm(commitPath(v2, 0))
    await expect(readSnapshot(v2, { connection: bench.connection })).rejects.toEqual(
      expect.objectContaining({
        code: 'delta_unsupported',
        detail: expect.objectContaining({ feature: 'v2Checkpoint' }),
      }),
    )
    for (const [name, statements] of refused) {
      const at = join(bench.root, name.replace(' ', '_'))
      await spark().ask('run', { statements: statements(at) })
      await expect(readSnapshot(at), name).rejects.toEqual(
        expect.objectContaining({ code: 'delta_unsupported' }),
      )
    }
  }, 180_000)
})

// ---- the table with every type

const EVERY = columnsFrom(`id int
b boolean
ti tinyint
si smallint
bi bigint
f float
d double
d18 decimal(18,2)
d38 decimal(38,10)
d0 decimal(38,0)
dd decimal(38,38)
s string
bn binary
dt date
ts timestamp
tn timestamp_ntz
st struct<a:int,b:struct<c:string,d:decimal(20,3)>>
ar array<int>
as array<struct<x:timestamp,y:string>>
ma map<string,int>`)
const EVERY_FILES = 8

/** 32 rows, ids 0 to 31, each column rising with the id, with nulls, extremes and NaN in some. */
function everyQuery(where = ''): string {
  const nullable: Record<string, string> = {
    b: 'i % 2 = 0',
    ti: 'i * 8 - 124',
    si: 'i * 2000 - 32768',
    bi: '(i - 16) * 576460752303423487',
    f: `CASE WHEN i = 22 THEN 'NaN'::FLOAT WHEN i = 31 THEN 'inf'::FLOAT ELSE ((i - 16) * 1.1)::FLOAT END`,
    d: `CASE WHEN i = 21 THEN 'NaN'::DOUBLE WHEN i = 0 THEN '-inf'::DOUBLE ELSE (i - 16) * 1e200 / 3 END`,
    d18: '(i - 16) * 123456789012.34::DECIMAL(18,2)',
    d38: `(i - 16) * 123456789012345678901234.0123456789::DECIMAL(38,10)`,
    d0: `(i - 16)::DECIMAL(38,0) * 6249999999999999999999999999999999999::DECIMAL(38,0)`,
    dd: `CAST((CASE WHEN i < 16 THEN '-' ELSE '' END) || '0.' || lpad(abs(i - 16)::VARCHAR, 38, '0') AS DECIMAL(38,38))`,
    s: `CASE i % 4 WHEN 0 THEN chr(65 + i) WHEN 1 THEN chr(65 + i) || repeat('ü', 40) WHEN 2 THEN chr(65 + i) || '😀''"\\' || chr(10) ELSE chr(65 + i) || repeat('z', 300) END`,
    bn: `encode('bytes ' || i)`,
    dt: `CASE WHEN i = 0 THEN DATE '0001-01-01' WHEN i = 31 THEN DATE '9999-12-31' ELSE DATE '1900-01-01' + i * 2000 END`,
    ts: `CASE WHEN i = 0 THEN TIMESTAMPTZ '0001-01-01 00:00:00.000001+00' WHEN i = 31 THEN TIMESTAMPTZ '9999-12-31 23:59:59.999999+00' ELSE TIMESTAMPTZ '1950-01-01 00:00:00+00' + to_microseconds(i * 31104001000001) END`,
    tn: `TIMESTAMP '1969-12-31 23:59:59.999' + to_microseconds((i - 16) * 333)`,
  }
  const rising = Object.entries(nullable).map(
    ([name, sql], at) =>
      `CASE WHEN (i + ${at}) % 7 = 0 OR i // 4 = ${(at % 6) + 1} THEN NULL ELSE ${sql} END AS ${quoteDuckdb(name)}`,
  )
  return `SELECT * FROM (SELECT i AS id, ${rising.join(', ')},
    CASE WHEN i % 5 = 0 THEN NULL ELSE {'a': i, 'b': CASE WHEN i % 3 = 0 THEN NULL ELSE {'c': 'c' || i, 'd': i / 8} END} END AS st,
    CASE i % 4 WHEN 0 THEN NULL WHEN 1 THEN [] WHEN 2 THEN [i, NULL] ELSE [i] END AS ar,
    CASE i % 3 WHEN 0 THEN NULL WHEN 1 THEN [NULL] ELSE [{'x': TIMESTAMPTZ '2024-01-01 00:00:00+00', 'y': 'é' || i}] END AS "as",
    CASE i % 4 WHEN 0 THEN NULL WHEN 1 THEN MAP {} WHEN 2 THEN MAP {'k': i, 'ö': NULL} ELSE MAP {'k': i} END AS ma
    FROM (SELECT i::INTEGER AS i FROM range(32) t(i))) ${where}`
}

/** The table in eight files of four rows, a commit each. */
async function everyType(dir: string, stats: boolean): Promise<Snapshot> {
  let snapshot: Snapshot | null = null
  for (let file = 0; file < EVERY_FILES; file++)
    snapshot = await append(bench, dir, EVERY, everyQuery(`WHERE id // 4 = ${file}`), { stats })
  return snapshot!
}

// ---- comparing

async function compare(dir: string, snapshot: Snapshot, version?: number): Promise<void> {
  const expected = sorted(await duckdbRows(`SELECT * FROM ${duckdbScan(snapshot)}`))
  for (const reader of readers)
    expect(sorted(await query(reader, dir, 'SELECT * FROM t', version)), reader.name).toEqual(
      expected,
    )
}

/**
 * Asks for the rows at, below and above values that the table holds, per column, and compares with DuckDB's own answer over
 * all files. `few`: one value a column.
 */
async function comparePredicates(
  dir: string,
  snapshot: Snapshot,
  how: 'all' | 'few',
): Promise<void> {
  const simple = snapshot.columns.filter(
    ({ name, type }) => !/[<]/.test(type) && !['b', 'bn', 'id'].includes(name),
  )
  const nested: Column[] = snapshot.columns.some(({ name }) => name === 'st')
    ? [
        { name: 'st.a', type: 'int', nullable: true },
        { name: 'st.b.d', type: 'decimal(20,3)', nullable: true },
      ]
    : []
  for (const column of [...simple, ...nested]) {
    const path = (quote: (name: string) => string) => column.name.split('.').map(quote).join('.')
    const here = path(quoteDuckdb)
    const values = await bench.connection.runAndReadAll(
      `SELECT DISTINCT CAST(${here} AS VARCHAR) AS v FROM ${duckdbScan(snapshot)} WHERE ${here} IS NOT NULL
       AND CAST(${here} AS VARCHAR) NOT IN ('nan', 'inf', '-inf') ORDER BY v`,
    )
    const texts = values.getRows().map(([value]) => String(value))
    const some = texts.filter((_, i) => (how === 'all' ? i % 9 === 4 : i === texts.length >> 1))
    const ops = (n: number) =>
      how === 'few' ? ['='] : n % 2 === 0 ? ['=', '<', '>='] : ['=', '<=', '>']
    const conditions = [
      ...some.flatMap((text, n) => ops(n).map((op) => ({ op, text }))),
      { op: 'IS NULL', text: null },
      { op: 'IS NOT NULL', text: null },
    ]
    // One statement with a branch for each condition: every branch skips files for itself.
    const sql = (table: string, quote: Reader['quote'], literal: Reader['literal']) =>
      conditions
        .map(({ op, text }, n) => {
          const right = text === null ? '' : literal(text, column.type)
          return `SELECT ${n} AS n, id FROM ${table} WHERE ${path(quote)} ${op} ${right}`
        })
        .join(' UNION ALL ')
    const expected = await duckdbRows(sql(duckdbScan(snapshot), quoteDuckdb, duckdbLiteral))
    for (const reader of readers) {
      const asked = sql('t', reader.quote, reader.literal)
      expect(sorted(await query(reader, dir, asked)), `${reader.name}: ${asked}`).toEqual(
        sorted(expected),
      )
    }
    for (const [n, { op, text }] of conditions.entries()) {
      if (text === null) continue
      const low = ['=', '>', '>='].includes(op) ? text : null
      const high = ['=', '<', '<='].includes(op) ? text : null
      const files = pruneFiles(snapshot, column.name.split('.'), low, high)
      const where = `${path(quoteDuckdb)} ${op} ${duckdbLiteral(text, column.type)}`
      expect(
        await duckdbRows(
          `SELECT ${n} AS n, id FROM ${duckdbScan(snapshot, { files })} WHERE ${where}`,
        ),
        `pruned: ${where}`,
      ).toEqual(expected.filter((row) => row.n === String(n)))
    }
  }
}

function duckdbLiteral(text: string, type: string): string {
  return `CAST(${literalDuckdb(text)} AS ${duckdbType(type)})`
}

async function query(reader: Reader, dir: string, sql: string, version?: number): Promise<Rows> {
  return (await reader.ask('rows', { dir, sql, version: version ?? null })) as Rows
}

async function duckdbRows(sql: string): Promise<Rows> {
  const result = await bench.connection.runAndReadAll(sql)
  const names = result.columnNames()
  const types = result.columnTypes()
  return result
    .getRows()
    .map((row) =>
      Object.fromEntries(row.map((value, i) => [names[i]!, canonical(value, types[i]!)])),
    )
}

function sorted(rows: Rows): Rows {
  return rows.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
}

/** The same form as `canonical` in readers.py. */
function canonical(value: DuckDBValue, type: DuckDBType): Json {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return value
  if (typeof value === 'number' && (type === FLOAT || type === DOUBLE)) {
    if (Number.isNaN(value)) return 'nan'
    const bits = Buffer.alloc(8)
    bits.writeDoubleBE(value)
    return bits.toString('hex')
  }
  if (typeof value === 'bigint' || typeof value === 'number') return String(value)
  if (value instanceof DuckDBDecimalValue)
    return value
      .toString()
      .replace(/^(-?)\./, '$10.')
      .replace(/(\.\d*?)0+$/, '$1')
      .replace(/\.$/, '')
  if (value instanceof DuckDBBlobValue) return Buffer.from(value.bytes).toString('hex')
  if (value instanceof DuckDBTimestampTZValue || value instanceof DuckDBTimestampValue)
    return String(value.micros)
  if (value instanceof DuckDBDateValue) return String(value.days)
  if (value instanceof DuckDBListValue && type instanceof DuckDBListType)
    return value.items.map((item) => canonical(item, type.valueType))
  if (value instanceof DuckDBStructValue && type instanceof DuckDBStructType)
    return Object.fromEntries(
      type.entryNames.map((name, i) => [
        name,
        canonical(value.entries[name]!, type.entryTypes[i]!),
      ]),
    )
  if (value instanceof DuckDBMapValue && type instanceof DuckDBMapType)
    return value.entries
      .map((entry) => [canonical(entry.key, type.keyType), canonical(entry.value, type.valueType)])
      .toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
  throw new TypeError(`${String(type)}: ${String(value)}`)
}

function commitPath(dir: string, version: number): string {
  return join(dir, '_delta_log', `${String(version).padStart(20, '0')}.json`)
}

// ---- the readers' processes

function openReader(name: Reader['name'], env: Record<string, string | undefined>): Reader {
  const child = spawn(env.SPARK_PYTHON!, [join(import.meta.dirname, 'readers.py'), name], {
    env: { ...process.env, ...env, TZ: 'UTC', READERS_SCRATCH: join(bench.root, 'warehouse') },
    cwd: bench.root,
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  let noise = ''
  child.stderr.on('data', (data: Buffer) => (noise = (noise + data.toString()).slice(-4000)))
  const waiting: ((line: string | null) => void)[] = []
  createInterface({ input: child.stdout }).on('line', (line) => waiting.shift()?.(line))
  child.on('close', () => waiting.splice(0).forEach((done) => done(null)))
  const ask = async (verb: string, request: object): Promise<Json> => {
    const line = await new Promise<string | null>((done) => {
      waiting.push(done)
      child.stdin.write(`${JSON.stringify({ verb, ...request })}\n`)
    })
    if (line === null) throw new Error(`${name} ended: ${noise}`)
    const answer = JSON.parse(line) as { value: Json; error?: string }
    if (answer.error) throw new Error(`${name}: ${answer.error}`)
    return answer.value
  }
  return name === 'spark'
    ? {
        name,
        ask,
        process: child,
        quote: quoteSpark,
        literal: (text, type) =>
          `CAST('${forTimes(text, type).replace(/[\\']/g, '\\$&').replaceAll('\n', '\\n')}' AS ${type})`,
      }
    : {
        name,
        ask,
        process: child,
        quote: quoteDuckdb,
        literal: (text, type) =>
          `arrow_cast(${literalDuckdb(forTimes(text, type))}, '${arrowType(type)}')`,
      }
}

function forTimes(text: string, type: string): string {
  if (type === 'timestamp') return text.replace(' ', 'T').replace(/\+00$/, 'Z')
  return type.startsWith('decimal') ? text.replace(/^(-?)\./, '$10.') : text
}

function arrowType(type: string): string {
  const names: Record<string, string> = {
    tinyint: 'Int8',
    smallint: 'Int16',
    int: 'Int32',
    bigint: 'Int64',
    float: 'Float32',
    double: 'Float64',
    string: 'Utf8',
    date: 'Date32',
    timestamp: 'Timestamp(Microsecond, Some("UTC"))',
    timestamp_ntz: 'Timestamp(Microsecond, None)',
  }
  return names[type] ?? type.replace('decimal', 'Decimal128').replace(',', ', ')
}
