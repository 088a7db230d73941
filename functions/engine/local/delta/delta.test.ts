import { readFile, readdir, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ErrorCode } from '#core/errors.ts'
import {
  checkpointIfDue,
  commit,
  committedIn,
  compactionPlan,
  duckdbScan,
  filesAddedBetween,
  history,
  pruneFiles,
  readSnapshot,
  restore,
  vacuum,
  writeCheckpoint,
} from '../delta.ts'
import { openSession } from '../session.ts'
import { append, columnsFrom, openBench, rowsOf, writeRows } from './testing.ts'
import type { Bench } from './testing.ts'

let bench: Bench
beforeAll(async () => void (bench = await openBench()))
afterAll(() => bench.close())

const AB = columnsFrom('a bigint\nb string')
const code = (expected: ErrorCode) => expect.objectContaining({ code: expected })
const log = (dir: string, version: number) =>
  join(dir, '_delta_log', `${String(version).padStart(20, '0')}.json`)

describe('a table', () => {
  it('is absent in a missing folder, an empty one, and a log with only temp files', async () => {
    expect(await readSnapshot(join(bench.root, 'no/such'))).toBeNull()
    const dir = await bench.folder()
    expect(await readSnapshot(dir)).toBeNull()
    await bench.folder(`${dir.slice(bench.root.length + 1)}/_delta_log`)
    await writeFile(join(dir, '_delta_log', '.x.tmp'), '')
    expect(await readSnapshot(dir)).toBeNull()
  })

  it('reads back what was committed, version by version', async () => {
    const dir = await bench.folder()
    await append(bench, dir, AB, `SELECT 1 a, 'x' b`, {
      txn: { appId: 'app/1', version: 7 },
      properties: { 'lakeforge.epoch': '1' },
      user_metadata: { note: 'first, "quoted" ü' },
    })
    const second = await append(bench, dir, AB, `SELECT 2 a, 'y' b`)
    expect(second.version).toBe(1)
    expect(second.columns).toEqual(AB)
    expect(second.properties).toEqual({ 'lakeforge.epoch': '1' })
    expect(second.txn.get('app/1')).toBe(7)
    expect(second.timestamp).toBe(1_700_000_001_000)
    expect(await rowsOf(bench, second)).toEqual([
      { a: '1', b: 'x' },
      { a: '2', b: 'y' },
    ])
    const first = await readSnapshot(dir, { version: 0 })
    expect(await rowsOf(bench, first!)).toEqual([{ a: '1', b: 'x' }])
    await expect(readSnapshot(dir, { version: 2 })).rejects.toEqual(code('delta_version_unknown'))
    await expect(readSnapshot(dir, { version: -1 })).rejects.toEqual(code('delta_version_unknown'))
  })

  it('can be empty, and still has its types', async () => {
    const dir = await bench.folder()
    const columns = columnsFrom('a decimal(38,10)\nb array<struct<x:int,y:timestamp_ntz>>')
    const snapshot = await append(bench, dir, columns, 'SELECT NULL a, NULL b WHERE false')
    expect(snapshot.files).toEqual([])
    const result = await bench.connection.runAndReadAll(
      `SELECT * FROM ${duckdbScan(snapshot, { filename: 'file' })}`,
    )
    expect(result.columnTypes().map(String)).toEqual([
      'DECIMAL(38,10)',
      'STRUCT("x" INTEGER, "y" TIMESTAMP)[]',
      'VARCHAR',
    ])
    expect(result.currentRowCount).toBe(0)
  })

  it('keeps tags of its files, and tells files apart by name', async () => {
    const dir = await bench.folder()
    const adds = await writeRows(bench, dir, AB, `SELECT 1 a, 'x' b`)
    await commit(dir, {
      base: null,
      operation: 'WRITE',
      columns: AB,
      adds: [{ ...adds[0]!, tags: { 'lakeforge.hash': '42' } }],
      timestamp: 1,
    })
    const base = await readSnapshot(dir)
    expect(base!.files[0]!.tags).toEqual({ 'lakeforge.hash': '42' })
    await expect(commit(dir, { base, operation: 'WRITE', adds, timestamp: 2 })).rejects.toEqual(
      code('delta_file_refused'),
    )
    const result = await bench.connection.runAndReadAll(
      `SELECT file FROM ${duckdbScan(base!, { filename: 'file' })}`,
    )
    expect(result.getRows()[0]![0]).toBe(join(dir, base!.files[0]!.path))
  })

  it('works in folders with signs of globs, quotes and hive keys, beside lookalikes', async () => {
    for (const name of ["k=v/x[a]*? 'ä😀/t", 'k=v/xa/t', 'a%20b/t{1,2}']) {
      const dir = await bench.folder(name)
      await append(bench, dir, AB, `SELECT 1 a, 'one' b`)
      const adds = await writeRows(bench, dir, AB, `SELECT 2 a, 'two' b`)
      const base = await readSnapshot(dir)
      await commit(dir, { base, operation: 'WRITE', adds, timestamp: 2 })
      const found = await readSnapshot(dir)
      expect(await rowsOf(bench, found!)).toEqual([
        { a: '1', b: 'one' },
        { a: '2', b: 'two' },
      ])
      await writeCheckpoint(found!, bench.connection, 3)
      await rm(log(dir, 0))
      expect(
        await rowsOf(bench, (await readSnapshot(dir, { connection: bench.connection }))!),
      ).toHaveLength(2)
    }
  })
})

describe('a commit', () => {
  it('lets one of several writers win, and the others hear of it', async () => {
    const dir = await bench.folder()
    const base = await append(bench, dir, AB, `SELECT 1 a, 'x' b`)
    const outcomes = await Promise.allSettled(
      Array.from({ length: 8 }, async (_, i) =>
        commit(dir, {
          base,
          operation: 'WRITE',
          adds: await writeRows(bench, dir, AB, `SELECT ${i} a, 'w' b`),
          timestamp: 2,
        }),
      ),
    )
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    for (const outcome of outcomes)
      if (outcome.status === 'rejected') expect(outcome.reason).toEqual(code('delta_conflict'))
    const now = await readSnapshot(dir)
    expect(now!.version).toBe(1)
    expect(now!.files).toHaveLength(2)
    expect((await readdir(join(dir, '_delta_log'))).toSorted()).toEqual([
      '00000000000000000000.json',
      '00000000000000000001.json',
    ])
  })

  it('is refused when its batch is in the table already', async () => {
    const dir = await bench.folder()
    const base = await append(bench, dir, AB, `SELECT 1 a, 'x' b`, {
      txn: { appId: 'x', version: 3 },
    })
    for (const version of [2, 3])
      await expect(
        commit(dir, { base, operation: 'WRITE', timestamp: 2, txn: { appId: 'x', version } }),
      ).rejects.toEqual(code('delta_txn_repeated'))
    await commit(dir, { base, operation: 'WRITE', timestamp: 2, txn: { appId: 'x', version: 4 } })
    expect((await committedIn(dir, { appId: 'x', version: 3 }))!.version).toBe(0)
    expect((await committedIn(dir, { appId: 'x', version: 4 }))!.version).toBe(1)
    expect(await committedIn(dir, { appId: 'x', version: 5 })).toBeNull()
  })

  it.each([
    ['absent', (path: string) => rm(path)],
    ['cut short', (path: string) => writeFile(path, 'PAR1')],
  ])('refuses a file that is %s', async (_, spoil) => {
    const dir = await bench.folder()
    const adds = await writeRows(bench, dir, AB, `SELECT 1 a, 'x' b`)
    await spoil(join(dir, adds[0]!.path))
    await expect(
      commit(dir, { base: null, operation: 'WRITE', columns: AB, adds, timestamp: 1 }),
    ).rejects.toEqual(code('delta_file_refused'))
    expect(await readSnapshot(dir)).toBeNull()
  })

  it.each(['../x.parquet', '/etc/passwd', '_delta_log/x.parquet', '.x.parquet', 'a//b', ''])(
    'refuses the file name %j',
    async (path) => {
      const dir = await bench.folder()
      await expect(
        commit(dir, {
          base: null,
          operation: 'WRITE',
          columns: AB,
          adds: [{ path, size: 1 }],
          timestamp: 1,
        }),
      ).rejects.toEqual(code('delta_file_refused'))
    },
  )

  it('replaces files, and refuses to remove what is not there', async () => {
    const dir = await bench.folder()
    const base = await append(bench, dir, AB, `SELECT 1 a, 'x' b`)
    const after = await append(bench, dir, AB, `SELECT 2 a, 'y' b`, {
      removes: base.files,
      operation: 'REPLACE',
    })
    expect(await rowsOf(bench, after)).toEqual([{ a: '2', b: 'y' }])
    await expect(
      commit(dir, { base: after, operation: 'X', removes: base.files, timestamp: 3 }),
    ).rejects.toEqual(code('delta_file_refused'))
  })

  it('honours delta.appendOnly, and sets and deletes properties', async () => {
    const dir = await bench.folder()
    const base = await append(bench, dir, AB, `SELECT 1 a, 'x' b`, {
      properties: { 'delta.appendOnly': 'true', x: '1' },
    })
    await expect(
      commit(dir, { base, operation: 'X', removes: base.files, timestamp: 2 }),
    ).rejects.toEqual(code('delta_unsupported'))
    await commit(dir, { base, operation: 'X', properties: { x: null, y: '2' }, timestamp: 2 })
    expect((await readSnapshot(dir))!.properties).toEqual({ 'delta.appendOnly': 'true', y: '2' })
    for (const key of ['delta.enableChangeDataFeed', 'delta.enableDeletionVectors'])
      await expect(
        commit(dir, {
          base: await readSnapshot(dir),
          operation: 'X',
          properties: { [key]: 'true' },
          timestamp: 3,
        }),
      ).rejects.toEqual(code('delta_unsupported'))
  })
})

describe('a schema', () => {
  it('grows: older files are filled with nulls, nested fields too', async () => {
    const dir = await bench.folder()
    await append(bench, dir, columnsFrom('a int\ns struct<x:int>'), `SELECT 1 a, {'x': 1} s`)
    const columns = columnsFrom('new date\ns struct<y:string,x:int>\na int')
    const after = await append(
      bench,
      dir,
      columns,
      `SELECT DATE '2024-01-02' "new", {'y': 'q', 'x': 2} s, 2 a`,
    )
    expect(after.columns).toEqual(columns)
    expect(await rowsOf(bench, after)).toEqual([
      { new: null, s: { y: null, x: 1 }, a: 1 },
      { new: '2024-01-02', s: { y: 'q', x: 2 }, a: 2 },
    ])
    expect((await readSnapshot(dir, { version: 0 }))!.columns.map((c) => c.name)).toEqual([
      'a',
      's',
    ])
  })

  it('asks for the newer protocol only with timestamp_ntz, and upgrades to it', async () => {
    const dir = await bench.folder()
    const before = await append(bench, dir, columnsFrom('a int'), 'SELECT 1 a')
    expect(before.protocol).toEqual({ minReaderVersion: 1, minWriterVersion: 2 })
    const after = await append(
      bench,
      dir,
      columnsFrom('a int\nn array<timestamp_ntz>'),
      `SELECT 2 a, [TIMESTAMP '2024-01-01'] n`,
    )
    expect(after.protocol).toEqual({
      minReaderVersion: 3,
      minWriterVersion: 7,
      readerFeatures: ['timestampNtz'],
      writerFeatures: ['appendOnly', 'invariants', 'timestampNtz'],
    })
  })

  it.each([
    ['b string', 'dropped'],
    ['a int\nb string', 'retyped'],
    ['A bigint\nb string', 'spelled otherwise'],
  ])('refuses %j while old files stay, and takes it when all are replaced', async (text) => {
    const dir = await bench.folder()
    const base = await append(bench, dir, AB, `SELECT 1 a, 'x' b`)
    const columns = columnsFrom(text)
    const input = { operation: 'X', columns, timestamp: 2 }
    await expect(commit(dir, { base, ...input })).rejects.toEqual(code('delta_schema_refused'))
    await commit(dir, { base, ...input, removes: base.files })
    expect((await readSnapshot(dir))!.columns).toEqual(columns)
  })

  it('refuses not null after the fact, and allows the opposite', async () => {
    const dir = await bench.folder()
    const strict = [{ name: 'a', type: 'bigint', nullable: false }]
    const base = await append(bench, dir, strict, 'SELECT 1 a')
    const more = [...strict, { name: 'b', type: 'int', nullable: false }]
    await expect(
      commit(dir, { base, operation: 'X', columns: more, timestamp: 2 }),
    ).rejects.toEqual(code('delta_schema_refused'))
    const loose = columnsFrom('a bigint')
    await commit(dir, { base, operation: 'X', columns: loose, timestamp: 2 })
    await expect(
      commit(dir, {
        base: await readSnapshot(dir),
        operation: 'X',
        columns: strict,
        timestamp: 3,
      }),
    ).rejects.toEqual(code('delta_schema_refused'))
  })

  it.each(['a b', 'a,b', 'a;b', 'a{', 'a(', 'a\n', 'a=b', ''])(
    'refuses the name %j',
    async (name) => {
      const dir = await bench.folder()
      const columns = [{ name, type: 'int', nullable: true }]
      await expect(
        commit(dir, { base: null, operation: 'X', columns, timestamp: 1 }),
      ).rejects.toEqual(code('delta_schema_refused'))
    },
  )

  it('keeps what other writers noted on a column', async () => {
    const dir = await bench.folder()
    const base = await append(bench, dir, AB, `SELECT 1 a, 'x' b`)
    const text = await readFile(log(dir, 0), 'utf8')
    await writeFile(
      log(dir, 0),
      text.replace('\\"metadata\\":{}', '\\"metadata\\":{\\"comment\\":\\"the key\\"}'),
    )
    const changed = await readSnapshot(dir, { from: base })
    expect(changed!.metadata.schemaString).toContain('the key')
    await commit(dir, {
      base: changed,
      operation: 'X',
      columns: [...AB, { name: 'c', type: 'int', nullable: true }],
      timestamp: 2,
    })
    expect((await readSnapshot(dir))!.metadata.schemaString).toContain('the key')
  })
})

describe('a checkpoint', () => {
  it('appears every ten commits and stands for all before it', async () => {
    const dir = await bench.folder()
    let snapshot = await append(
      bench,
      dir,
      columnsFrom('a bigint\nt timestamp_ntz'),
      `SELECT 0 a, TIMESTAMP '2024-01-01' t`,
      {
        txn: { appId: 'x', version: 0 },
        properties: { p: "it's" },
      },
    )
    for (let i = 1; i <= 21; i++) {
      snapshot = await append(bench, dir, snapshot.columns, `SELECT ${i} a, NULL t`, {
        txn: { appId: 'x', version: i },
        removes: i === 5 ? snapshot.files.slice(0, 2) : [],
      })
      expect(await checkpointIfDue(snapshot, bench.connection, snapshot.timestamp)).toBe(
        i % 10 === 0,
      )
    }
    const { connection } = bench
    const replayed = await readSnapshot(dir)
    const pointed = await readSnapshot(dir, { connection })
    expect(pointed).toEqual(replayed)
    for (let version = 0; version < 20; version++) await rm(log(dir, version))
    expect(await readSnapshot(dir, { connection })).toEqual(replayed)
    expect(await readSnapshot(dir, { from: snapshot })).toEqual(replayed)
    await expect(readSnapshot(dir)).rejects.toEqual(code('delta_unsupported'))
    await expect(readSnapshot(dir, { connection, version: 15 })).rejects.toEqual(
      code('delta_corrupt'),
    )
    expect(
      JSON.parse(await readFile(join(dir, '_delta_log', '_last_checkpoint'), 'utf8')),
    ).toMatchObject({
      version: 20,
      numOfAddFiles: 19,
    })
  })

  it('is written and read by the shut-in session of a batch', async () => {
    const session = await openSession({
      root: bench.root,
      memory_bytes: 256 << 20,
      threads: 2,
      prelude: [],
    })
    const { connection, close } = await session.open()
    const dir = await bench.folder()
    let snapshot = await append({ connection }, dir, AB, `SELECT i a, 'x' b FROM range(9) t(i)`)
    snapshot = await append({ connection }, dir, AB, `SELECT 9 a, 'y' b`)
    await writeCheckpoint(snapshot, connection, 1)
    for (const version of [0, 1]) await rm(log(dir, version))
    const found = await readSnapshot(dir, { connection })
    expect(await rowsOf({ connection }, found!, 'sum(a)::bigint n')).toEqual([{ n: '45' }])
    await close()
    await session.close()
  })

  it('that is broken only costs time while the log is whole', async () => {
    const dir = await bench.folder()
    const snapshot = await append(bench, dir, AB, `SELECT 1 a, 'x' b`)
    await writeCheckpoint(snapshot, bench.connection, 1)
    await writeFile(log(dir, 0).replace('.json', '.checkpoint.parquet'), 'PAR1 broken')
    const { connection } = bench
    await append(bench, dir, AB, `SELECT 2 a, 'x' b`)
    expect((await readSnapshot(dir, { connection }))!.files).toHaveLength(2)
  })

  it('respects its interval, and forgets files removed longer ago than is kept', async () => {
    const dir = await bench.folder()
    let snapshot = await append(bench, dir, AB, `SELECT 1 a, 'x' b`, {
      properties: {
        'delta.checkpointInterval': '2',
        'delta.deletedFileRetentionDuration': 'interval 2 days',
      },
    })
    snapshot = await append(bench, dir, AB, `SELECT 2 a, 'x' b`, { removes: snapshot.files })
    const { connection } = bench
    expect(await checkpointIfDue(snapshot, connection, snapshot.timestamp)).toBe(false)
    snapshot = await append(bench, dir, AB, `SELECT 3 a, 'x' b`)
    const day = 86_400_000
    expect(await checkpointIfDue(snapshot, connection, snapshot.timestamp + day)).toBe(true)
    for (let version = 0; version < 2; version++) await rm(log(dir, version))
    expect((await readSnapshot(dir, { connection }))!.state.tombstones.size).toBe(1)
    await writeCheckpoint(snapshot, connection, snapshot.timestamp + 3 * day)
    expect((await readSnapshot(dir, { connection }))!.state.tombstones.size).toBe(0)
  })
})

describe('reading', () => {
  it('goes on from a kept snapshot, and starts anew when the table was made anew', async () => {
    const dir = await bench.folder()
    const first = await append(bench, dir, AB, `SELECT 1 a, 'x' b`)
    await append(bench, dir, AB, `SELECT 2 a, 'y' b`)
    expect((await readSnapshot(dir, { from: first }))!.files).toHaveLength(2)
    expect(await readSnapshot(dir, { from: first, version: 0 })).toBe(first)
    await rm(join(dir, '_delta_log'), { recursive: true })
    await append(bench, dir, AB, `SELECT 3 a, 'z' b`)
    const anew = await readSnapshot(dir, { from: first })
    expect(anew!.id).not.toBe(first.id)
    expect(await rowsOf(bench, anew!)).toEqual([{ a: '3', b: 'z' }])
  })

  it('refuses a gap in the log, and lines that are no JSON', async () => {
    const dir = await bench.folder()
    await append(bench, dir, AB, `SELECT 1 a, 'x' b`)
    await append(bench, dir, AB, `SELECT 2 a, 'x' b`)
    await append(bench, dir, AB, `SELECT 3 a, 'x' b`)
    const text = await readFile(log(dir, 1), 'utf8')
    await rm(log(dir, 1))
    await expect(readSnapshot(dir)).rejects.toEqual(code('delta_corrupt'))
    await writeFile(log(dir, 1), text.slice(0, -10))
    await expect(readSnapshot(dir)).rejects.toEqual(code('delta_corrupt'))
  })

  const actions: [string, object | object[], ErrorCode][] = [
    [
      'a deletion vector',
      { add: { path: 'x', size: 1, modificationTime: 1, deletionVector: {} } },
      'delta_unsupported',
    ],
    [
      'an unknown reader feature',
      {
        protocol: {
          minReaderVersion: 3,
          minWriterVersion: 7,
          readerFeatures: ['typeWidening'],
          writerFeatures: [],
        },
      },
      'delta_unsupported',
    ],
    [
      'a newer protocol',
      { protocol: { minReaderVersion: 4, minWriterVersion: 8 } },
      'delta_unsupported',
    ],
    [
      'a path out of the folder',
      { add: { path: '..%2F..%2Fetc/passwd', size: 1, modificationTime: 1 } },
      'delta_corrupt',
    ],
    [
      'an absolute path',
      { add: { path: 'file:///etc/passwd', size: 1, modificationTime: 1 } },
      'delta_unsupported',
    ],
    [
      'a broken percent sign',
      { add: { path: '100%', size: 1, modificationTime: 1 } },
      'delta_corrupt',
    ],
  ]
  it.each(actions)('refuses %s', async (_, action, expected) => {
    const dir = await bench.folder()
    await append(bench, dir, AB, `SELECT 1 a, 'x' b`)
    await writeFile(log(dir, 1), JSON.stringify(action))
    await expect(readSnapshot(dir)).rejects.toEqual(code(expected))
  })

  it('refuses partitions and column mapping, but reads what only says that it could', async () => {
    const dir = await bench.folder()
    const base = await append(bench, dir, AB, `SELECT 1 a, 'x' b`)
    const metaData = (more: object) => ({ metaData: { ...base.metadata, ...more } })
    for (const more of [
      { partitionColumns: ['a'] },
      { configuration: { 'delta.columnMapping.mode': 'name' } },
      { format: { provider: 'csv', options: {} } },
    ]) {
      await writeFile(log(dir, 1), JSON.stringify(metaData(more)))
      await expect(readSnapshot(dir)).rejects.toEqual(code('delta_unsupported'))
    }
    const features = ['deletionVectors', 'columnMapping', 'v2Checkpoint', 'timestampNtz']
    const protocol = {
      minReaderVersion: 3,
      minWriterVersion: 7,
      readerFeatures: features,
      writerFeatures: features,
    }
    await writeFile(log(dir, 1), JSON.stringify({ protocol }))
    expect(await rowsOf(bench, (await readSnapshot(dir))!)).toHaveLength(1)
  })

  it.each([
    [{ 'delta.constraints.positive': 'a > 0' }, {}],
    [{ 'delta.enableRowTracking': 'true' }, {}],
    [{}, { 'delta.invariants': '{}' }],
    [{}, { 'delta.generationExpression': '1' }],
    [{}, { 'delta.identity.start': 1 }],
  ])(
    'reads but does not write tables with promises that it can not keep: %j %j',
    async (configuration, metadata) => {
      const dir = await bench.folder()
      const base = await append(bench, dir, AB, `SELECT 1 a, 'x' b`)
      const schema = JSON.parse(base.metadata.schemaString) as { fields: { metadata: object }[] }
      schema.fields[1]!.metadata = metadata
      const metaData = { ...base.metadata, configuration, schemaString: JSON.stringify(schema) }
      await writeFile(log(dir, 1), JSON.stringify({ metaData }))
      const found = await readSnapshot(dir)
      expect(found!.files).toHaveLength(1)
      await expect(commit(dir, { base: found, operation: 'X', timestamp: 2 })).rejects.toEqual(
        code('delta_unsupported'),
      )
    },
  )
})

describe('history', () => {
  it('tells each commit, newest first', async () => {
    const dir = await bench.folder()
    expect(await history(dir)).toEqual([])
    await append(bench, dir, AB, `SELECT 1 a, 'x' b`, { user_metadata: { seq: 1 } })
    const base = await append(bench, dir, AB, `SELECT i a, 'x' b FROM range(5) t(i)`, {
      txn: { appId: 'x', version: 1 },
    })
    await append(bench, dir, AB, `SELECT 1 a, 'x' b`, {
      removes: base.files,
      operation: 'MERGE',
      stats: false,
    })
    const told = await history(dir)
    expect(told).toMatchObject([
      { version: 2, operation: 'MERGE', files_added: 1, files_removed: 2, rows_added: null },
      { version: 1, txn: [{ appId: 'x', version: 1 }], rows_added: 5, user_metadata: null },
      { version: 0, user_metadata: { seq: 1 }, rows_added: 1, schema_changed: true },
    ])
    expect(told[0]!.engine).toMatch(/^LakeForge\//)
    expect(await history(dir, { limit: 1 })).toHaveLength(1)
  })

  it('knows the files that came between two versions, without compactions', async () => {
    const dir = await bench.folder()
    await append(bench, dir, AB, `SELECT 1 a, 'x' b`)
    const two = await append(bench, dir, AB, `SELECT 2 a, 'x' b`)
    await append(bench, dir, AB, `SELECT a, b FROM ${duckdbScan(two)}`, {
      removes: two.files,
      data_change: false,
      operation: 'OPTIMIZE',
    })
    const last = await append(bench, dir, AB, `SELECT 3 a, 'x' b`)
    expect(await filesAddedBetween(dir, 0, 3)).toEqual({
      files: [two.files[1], last.files[1]],
      removed: false,
      schema_changed: false,
    })
    expect((await filesAddedBetween(dir, 3, 3)).files).toEqual([])
    expect((await filesAddedBetween(dir, -1, 3)).files).toHaveLength(3)
    await append(bench, dir, AB, `SELECT 4 a, 'x' b`, { removes: last.files })
    expect((await filesAddedBetween(dir, 3, 4)).removed).toBe(true)
    await rm(join(dir, two.files[1]!.path))
    await expect(filesAddedBetween(dir, 0, 3)).rejects.toEqual(code('delta_files_gone'))
  })
})

describe('restore', () => {
  it('brings rows and columns of an earlier version back, and keeps transaction ids', async () => {
    const dir = await bench.folder()
    await append(bench, dir, AB, `SELECT 1 a, 'x' b`)
    const target = await append(bench, dir, AB, `SELECT 2 a, 'y' b`)
    const wider = columnsFrom('a bigint\nb string\nc int')
    const base = await append(bench, dir, wider, `SELECT 3 a, 'z' b, 4 c`, {
      removes: target.files.slice(0, 1),
      txn: { appId: 'x/1', version: 5 },
    })
    const input = { base, operation: 'RESTORE', timestamp: 9, properties: { epoch: '2' } }
    expect(await restore(dir, target, input)).toBe(3)
    const found = await readSnapshot(dir)
    expect((await rowsOf(bench, found!)).map(({ a }) => a).toSorted()).toEqual(['1', '2'])
    expect(found).toMatchObject({ columns: AB, properties: { epoch: '2' } })
    expect(found!.txn.get('x/1')).toBe(5)
    expect(found!.state.tombstones.size).toBe(1)
    await restore(dir, base, { ...input, base: found! })
    expect((await readSnapshot(dir))!.columns).toEqual(wider)
    await rm(join(dir, target.files[0]!.path))
    await expect(
      restore(dir, target, { ...input, base: (await readSnapshot(dir))! }),
    ).rejects.toEqual(code('delta_files_gone'))
  })
})

describe('vacuum', () => {
  const old = async (dir: string, ...paths: string[]) => {
    for (const path of paths) await utimes(join(dir, path), 1, 1)
  }
  const temp = '.x.parquet.0198c1a2-0000-7000-8000-000000000000.tmp'

  it('deletes what no kept version needs, and nothing else', async () => {
    const dir = await bench.folder()
    const v0 = await append(bench, dir, AB, `SELECT 1 a, 'x' b`, { timestamp: 1000 })
    const v1 = await append(bench, dir, AB, `SELECT 2 a, 'x' b`, {
      timestamp: 2000,
      removes: v0.files,
    })
    const v2 = await append(bench, dir, AB, `SELECT 3 a, 'x' b`, {
      timestamp: 3000,
      removes: v1.files,
    })
    const orphans = await writeRows(bench, dir, AB, `SELECT 9 a, 'x' b`)
    const fresh = await writeRows(bench, dir, AB, `SELECT 10 a, 'x' b`)
    await writeFile(join(dir, temp), '')
    await writeFile(join(dir, '_delta_log', temp), '')
    await writeFile(join(dir, 'README.md'), 'mine')
    const files = [v0, v1, v2].map((snapshot) => snapshot.files[0]!.path)
    await old(dir, ...files, orphans[0]!.path, temp, `_delta_log/${temp}`, 'README.md')
    await symlink(bench.root, join(dir, 'elsewhere'))
    // v0 was current until 2000, v1 until 3000: keeping from 2500 on needs v1.
    const options = { now: 2_000_000, retention_ms: 2_000_000 - 2500 }
    const expected = [files[0], orphans[0]!.path, temp, `_delta_log/${temp}`].toSorted()
    const dry = await vacuum(dir, { ...options, dry_run: true })
    expect(dry.paths.toSorted()).toEqual(expected)
    expect((await readdir(dir)).length).toBe(9)
    expect((await vacuum(dir, options)).paths.toSorted()).toEqual(expected)
    expect((await vacuum(dir, options)).paths).toEqual([])
    expect(await rowsOf(bench, v2)).toEqual([{ a: '3', b: 'x' }])
    expect(await rowsOf(bench, v1)).toEqual([{ a: '2', b: 'x' }])
    await expect(rowsOf(bench, v0)).rejects.toThrow()
    expect(await readdir(dir)).toContain(fresh[0]!.path)
    expect(await readdir(dir)).toContain('README.md')
  })

  it('keeps what the log remembers though the checkpoint forgot it', async () => {
    const dir = await bench.folder()
    const v0 = await append(bench, dir, AB, `SELECT 1 a, 'x' b`, { timestamp: 1000 })
    const v1 = await append(bench, dir, AB, `SELECT 2 a, 'x' b`, {
      timestamp: 2000,
      removes: v0.files,
    })
    await old(dir, v0.files[0]!.path)
    const { connection } = bench
    const month = 30 * 86_400_000
    await writeCheckpoint(v1, connection, 2000 + month)
    const now = 2000 + month
    expect(await vacuum(dir, { now, retention_ms: month, connection })).toEqual({
      paths: [],
      bytes: 0,
    })
    expect((await vacuum(dir, { now, retention_ms: month - 1, connection })).paths).toHaveLength(1)
  })

  it('does nothing where there is no table', async () => {
    const dir = await bench.folder()
    await writeFile(join(dir, 'x.parquet'), '')
    expect((await vacuum(dir, { now: Date.now() * 2, retention_ms: 0 })).paths).toEqual([])
  })
})

describe('compaction', () => {
  it('groups small files up to the target, and leaves large ones and single ones alone', async () => {
    const dir = await bench.folder()
    let snapshot = await append(
      bench,
      dir,
      AB,
      `SELECT i a, md5(i::VARCHAR) b FROM range(1000) t(i)`,
    )
    for (let i = 0; i < 7; i++) snapshot = await append(bench, dir, AB, `SELECT ${i} a, 'x' b`)
    const small = snapshot.files[1]!.size
    const plan = compactionPlan(snapshot, { target_bytes: small * 3 + 2 })
    expect(plan.map((group) => group.length)).toEqual([3, 3])
    expect(plan.flat()).not.toContain(snapshot.files[0])
    expect(compactionPlan(snapshot, { target_bytes: small * 3 + 2, min_files: 4 })).toEqual([])
    expect(compactionPlan(snapshot, { target_bytes: 1 << 30 })[0]).toHaveLength(8)
  })
})

describe('pruning', () => {
  it.each([
    ['bigint', `9007199254740993`, '9007199254740993', '9007199254740992'],
    ['int', `-5`, '-5', '-4'],
    [
      'decimal(38,18)',
      `12345678901234567890.123456789012345678`,
      '12345678901234567890.123456789012345678',
      '12345678901234567890.123456789012345679',
    ],
    ['decimal(38,38)', `-0.5`, '-0.5', '-.49'],
    ['double', `1.5`, '1.5', '1.4999999999999998'],
    ['date', `'1969-12-31'`, '1969-12-31', '1970-01-01'],
    ['string', `'é'`, 'é', 'z'],
    [
      'timestamp',
      `'1969-12-31 23:59:59.9995+00'`,
      '1969-12-31 23:59:59.9995+00',
      '1970-01-01 00:00:00.002+00',
    ],
    [
      'timestamp_ntz',
      `'0001-01-01 00:00:00.000001'`,
      '0001-01-01 00:00:00.000001',
      '0001-01-01 00:00:00.003',
    ],
  ])(
    'of %s keeps the file with the value and drops it for another',
    async (type, sql, same, other) => {
      const dir = await bench.folder()
      const columns = [{ name: 'a', type, nullable: true }]
      const snapshot = await append(bench, dir, columns, `SELECT ${sql} a`)
      const files = [...snapshot.files]
      expect(pruneFiles(snapshot, 'a', same, same)).toEqual(files)
      expect(pruneFiles(snapshot, 'a', null, null)).toEqual(files)
      expect(pruneFiles(snapshot, 'a', other, other)).toEqual([])
    },
  )

  it('never drops a file without statistics, and drops one with only nulls', async () => {
    const dir = await bench.folder()
    await append(bench, dir, AB, `SELECT NULL a, 'x' b`)
    const snapshot = await append(bench, dir, AB, `SELECT 1 a, 'x' b`, { stats: false })
    expect(pruneFiles(snapshot, 'a', '5', '9')).toEqual([snapshot.files[1]])
    expect(() => pruneFiles(snapshot, 'c', '5', '9')).toThrow('There is no column "c"')
  })

  it('looks into structs', async () => {
    const dir = await bench.folder()
    const columns = columnsFrom('s struct<x:struct<y:int>>')
    const snapshot = await append(bench, dir, columns, `SELECT {'x': {'y': 5}} s`)
    expect(pruneFiles(snapshot, ['s', 'x', 'y'], '5', null)).toHaveLength(1)
    expect(pruneFiles(snapshot, ['s', 'x', 'y'], '6', null)).toHaveLength(0)
  })
})
