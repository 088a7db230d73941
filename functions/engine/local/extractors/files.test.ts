import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { RawObject, TestStep } from './extractor.ts'
import { patternOf } from './files-discover.ts'
import { files } from './files.ts'
import { readManifest, type Manifest } from './manifest.ts'
import { batch, fileObject, openBench, type Bench } from './testing.ts'

let bench: Bench
beforeEach(async () => void (bench = await openBench()))
afterEach(() => bench.close())

async function take(raw: RawObject, seq: number): Promise<Manifest> {
  const source = await files.openBatch(bench.context)
  try {
    return await source.extract(raw, batch(bench.root, seq))
  } finally {
    await source.close()
  }
}
const sources = (manifest: Manifest) => manifest.files.map((file) => file.source_path)
const stored = (manifest: Manifest, index = 0) =>
  readFileSync(join(bench.root, 'raw/src/raw1', manifest.files[index]!.path))
/** Long ago, so that size and time alone decide. */
const settle = (path: string) => utimesSync(path, 1_600_000_000, 1_600_000_000)

describe('taking files', () => {
  it('copies each file as it came, with its sha256, and commits by the manifest', async () => {
    bench.put('a.csv', 'id\n1\n')
    bench.put('deep/er/b.csv', 'id\n2\n')
    bench.put('other.txt', 'no')
    const manifest = await take(fileObject('**/*.csv', 'csv'), 1)
    expect(sources(manifest)).toEqual(['a.csv', 'deep/er/b.csv'])
    expect(stored(manifest, 1).toString()).toBe('id\n2\n')
    expect(manifest.files[1]).toMatchObject({
      path: 'seq=1/00002-b.csv',
      size: 5,
      sha256: createHash('sha256').update('id\n2\n').digest('hex'),
    })
    expect(await readManifest(bench.root, 'src', 'raw1', '1')).toEqual(manifest)
  })

  it('takes each file once, a changed one again, and writes nothing when nothing is new', async () => {
    settle(bench.put('a.csv', 'id\n1\n'))
    settle(bench.put('b.csv', 'id\n1\n'))
    const raw = fileObject('*.csv', 'csv')
    expect(sources(await take(raw, 1))).toEqual(['a.csv', 'b.csv'])
    const second = await take(raw, 2)
    expect(second.files).toEqual([])
    expect(existsSync(join(bench.root, 'raw/src/raw1/seq=2'))).toBe(false)
    bench.put('b.csv', 'id\n1\n2\n')
    const third = await take(raw, 3)
    expect(sources(third)).toEqual(['b.csv'])
    expect(stored(third).toString()).toBe('id\n1\n2\n')
  })

  it('does not take a file again whose time alone changed, nor one that went back to former bytes', async () => {
    const raw = fileObject('*.csv', 'csv')
    settle(bench.put('a.csv', 'one'))
    await take(raw, 1)
    bench.put('a.csv', 'one')
    expect((await take(raw, 2)).files).toEqual([])
    settle(bench.put('a.csv', 'other'))
    expect((await take(raw, 3)).files).toHaveLength(1)
    bench.put('a.csv', 'one')
    expect((await take(raw, 4)).files).toEqual([])
    expect(existsSync(join(bench.root, 'raw/src/raw1/seq=4'))).toBe(false)
  })

  it('notices other bytes of the same size and time in a file that was young when it was taken', async () => {
    const path = bench.put('a.csv', 'one')
    const now = new Date()
    utimesSync(path, now, now)
    await take(fileObject('a.csv', 'csv'), 1)
    bench.put('a.csv', 'two')
    utimesSync(path, now, now)
    const second = await take(fileObject('a.csv', 'csv'), 2)
    expect(stored(second).toString()).toBe('two')
  })

  it('answers a repeated batch by its manifest, and clears what a crash left behind', async () => {
    bench.put('a.csv', 'one')
    const dir = join(bench.root, 'raw/src/raw1/seq=1')
    mkdirSync(dir, { recursive: true })
    writeFileSync(join(dir, '00009-old.csv'), 'left over')
    const first = await take(fileObject('*.csv', 'csv'), 1)
    expect(readdirSync(dir).sort()).toEqual(['00001-a.csv', 'manifest.json'])
    bench.put('b.csv', 'two')
    expect(await take(fileObject('*.csv', 'csv'), 1)).toEqual(first)
  })

  it('takes an empty file, and a name with quotes, brackets and other scripts', async () => {
    bench.put('empty.csv', '')
    bench.put(`we[ir]d 'na*me" ünï 表.csv`, 'id\n1\n')
    const manifest = await take(fileObject('*.csv', 'csv'), 1)
    expect(sources(manifest)).toEqual(['empty.csv', `we[ir]d 'na*me" ünï 表.csv`])
    expect(manifest.files[0]).toMatchObject({ size: 0 })
    expect(manifest.files[1]!.path).toMatch(/^seq=1\/00002-[A-Za-z0-9._-]+\.csv$/)
    const alone = fileObject(`we[ir]d 'na*me" ünï 表.csv`, 'csv')
    expect(sources(await take({ ...alone, name: 'raw2' }, 1))).toHaveLength(1)
  })

  it.each(['../x.csv', 'a/../../x.csv', '/etc/passwd', 'a\0b', '{..,a}/x.csv', '..\\x.csv', ''])(
    'refuses the object %j',
    async (object) => {
      writeFileSync(join(bench.folder, '../x.csv'), 'outside')
      await expect(take(fileObject(object, 'csv'), 1)).rejects.toMatchObject({
        code: 'path_outside',
      })
    },
  )

  it('refuses a link that leaves the folder, and follows one that stays', async () => {
    bench.put('real/a.csv', 'id\n1\n')
    symlinkSync(join(bench.folder, 'real/a.csv'), join(bench.folder, 'link.csv'))
    expect(sources(await take(fileObject('*.csv', 'csv'), 1))).toEqual(['link.csv'])
    symlinkSync('/etc/passwd', join(bench.folder, 'out.csv'))
    await expect(take(fileObject('out.csv', 'csv'), 2)).rejects.toMatchObject({
      code: 'path_outside',
    })
    await expect(take(fileObject('*.csv', 'csv'), 2)).rejects.toMatchObject({
      code: 'path_outside',
    })
  })

  it('leaves a file that keeps growing for the next batch, and says so', async () => {
    const path = bench.put('grows.csv', 'x'.repeat(60_000_000))
    const grower = spawn(process.execPath, [
      '-e',
      `const fs = require('fs'); setInterval(() => fs.appendFileSync(process.argv[1], 'x'.repeat(1000)), 1); console.log('on')`,
      path,
    ])
    try {
      await new Promise((resolve) => grower.stdout.once('data', resolve))
      const manifest = await take(fileObject('*.csv', 'csv'), 1)
      expect(manifest.files).toEqual([])
      expect(bench.events).toContain(
        'warn: grows.csv changes while it is read: it is left for the next batch.',
      )
    } finally {
      grower.kill('SIGKILL')
      await new Promise((resolve) => grower.once('exit', resolve))
    }
    const next = await take(fileObject('*.csv', 'csv'), 2)
    expect(stored(next).equals(readFileSync(path))).toBe(true)
  })

  it.each([
    ['gzip', 'a.csv.gz', gzipSync],
    ['zstd', 'a.csv.zst', zstdCompressSync],
  ])('takes whole %s files and refuses one that ends in the middle', async (_, name, pack) => {
    const packed = pack(
      Buffer.from(`id\n${Array.from({ length: 50_000 }, (_v, i) => i).join('\n')}`),
    )
    bench.put(name, packed)
    expect((await take(fileObject('*', 'csv'), 1)).files).toHaveLength(1)
    bench.put(name, packed.subarray(0, packed.length - 20))
    await expect(take(fileObject('*', 'csv'), 2)).rejects.toMatchObject({ code: 'file_truncated' })
    expect(existsSync(join(bench.root, 'raw/src/raw1/seq=2/manifest.json'))).toBe(false)
  })

  it('refuses a Parquet file without its end', async () => {
    await bench.connection.run(
      `COPY (SELECT range AS i FROM range(1000)) TO '${join(bench.folder, 'a.parquet').replaceAll("'", "''")}'`,
    )
    const whole = readFileSync(join(bench.folder, 'a.parquet'))
    const manifest = await take(fileObject('a.parquet', 'parquet'), 1)
    expect(stored(manifest).equals(whole)).toBe(true)
    bench.put('a.parquet', whole.subarray(0, whole.length - 5))
    await expect(take(fileObject('a.parquet', 'parquet'), 2)).rejects.toMatchObject({
      code: 'file_truncated',
    })
  })

  it('says which folder is missing', async () => {
    bench.context.source.options.root = '/nowhere/at/all'
    await expect(take(fileObject('*.csv', 'csv'), 1)).rejects.toMatchObject({
      code: 'source_folder_missing',
      message: 'There is no folder "/nowhere/at/all".',
    })
  })

  it('stops when it is told to', async () => {
    bench.put('a.csv', 'x'.repeat(5_000_000))
    bench.context.signal = AbortSignal.abort()
    await expect(take(fileObject('*.csv', 'csv'), 1)).rejects.toThrow()
    expect(existsSync(join(bench.root, 'raw/src/raw1/seq=1/manifest.json'))).toBe(false)
  })
})

describe('testing a source', () => {
  const steps = async (): Promise<TestStep[]> => {
    const found: TestStep[] = []
    for await (const step of files.test(bench.context)) found.push(step)
    return found
  }

  it('names each step, and skips what follows a failure', async () => {
    expect((await steps()).map(({ check, state }) => [check, state])).toEqual([
      ['folder_exists', 'ok'],
      ['folder_readable', 'ok'],
      ['files_found', 'failed'],
      ['files_readable', 'skipped'],
    ])
    bench.put('a.csv', 'id\n')
    expect((await steps()).every(({ state }) => state === 'ok')).toBe(true)
    bench.context.source.options.root = join(bench.folder, 'a.csv')
    expect((await steps())[0]).toMatchObject({
      state: 'failed',
      hint: expect.stringContaining('root of the source'),
    })
  })

  it.skipIf(process.getuid?.() === 0)('tells a file that may not be read', async () => {
    chmodSync(bench.put('a.csv', 'id\n'), 0)
    expect((await steps()).at(-1)).toMatchObject({ check: 'files_readable', state: 'failed' })
  })
})

describe('discovering', () => {
  it('groups files by the pattern of their names and guesses types that lose nothing', async () => {
    bench.put('flights-2k.json', '[{"date":"2001/01/14 21:55","delay":-5,"origin":"SJC"}]')
    bench.put('flights-10k.json', '[{"date":"2001/01/14 21:55","delay":7,"extra":true}]')
    bench.put(
      'zip codes.csv',
      'Zip;Order ID;order-id;Amount;On;At;Instant;Flag\n00123;12345678901234567890;1;1.5;2024-01-31;2024-01-31 10:00;2024-01-31T10:00:00Z;TRUE\n',
    )
    const found = await files.discover(bench.context)
    expect(found.map(({ object, name, format }) => ({ object, name, format }))).toEqual([
      { object: 'flights-*.json', name: 'flights', format: 'json' },
      { object: 'zip codes.csv', name: 'zip_codes', format: 'csv' },
    ])
    expect(found[0]!.files).toEqual(['flights-10k.json', 'flights-2k.json'])
    expect(Object.fromEntries(found[0]!.columns.map((c) => [c.name, c.type]))).toEqual({
      date: 'string',
      delay: 'bigint',
      origin: 'string',
      extra: 'boolean',
    })
    expect(found[1]!.options).toEqual({ delimiter: ';' })
    expect(found[1]!.columns.map((c) => [c.name, c.source_name, c.type])).toEqual([
      ['zip', 'Zip', 'string'],
      ['order_id', 'Order ID', 'string'],
      ['order_id_2', 'order-id', 'bigint'],
      ['amount', 'Amount', 'double'],
      ['on', 'On', 'date'],
      ['at', 'At', 'timestamp_ntz'],
      ['instant', 'Instant', 'timestamp'],
      ['flag', 'Flag', 'boolean'],
    ])
  })

  it('tells duplicate headers apart, and those that differ by case', async () => {
    bench.put('d.csv', 'Id,id,id,,\n1,2,3,4,5\n')
    const [object] = await files.discover(bench.context)
    expect(object!.columns.map((c) => [c.name, c.source_name])).toEqual([
      ['id', 'Id'],
      ['id_2', 'id'],
      ['id_3', 'id[2]'],
      ['column_4', ''],
      ['column_5', '[2]'],
    ])
  })

  it('names a broken file with its reason and goes on', async () => {
    bench.put('broken.json', '[{"a":1},{"a":')
    bench.put('good.csv', 'a\n1\n')
    bench.put('empty.csv', '')
    const found = await files.discover(bench.context)
    expect(found.map(({ object, problem }) => [object, problem?.code])).toEqual([
      ['broken.json', 'json_malformed'],
      ['empty.csv', undefined],
      ['good.csv', undefined],
    ])
  })

  it.each([
    ['flights-2k.json', 'flights-*.json'],
    ['in/orders_2026-01-31.csv.gz', 'in/orders_*.csv.gz'],
    ['orders.csv', 'orders.csv'],
    ['20260131T101500Z.ndjson', '*.ndjson'],
    ['a[1].csv', 'a?1?.csv'],
    ['part-00001-v2.parquet', 'part-*.parquet'],
  ])('sees in %s the pattern %s', (path, pattern) => {
    expect(patternOf(path)).toBe(pattern)
  })
})

describe('previewing', () => {
  it('shows typed rows and a profile of each column', async () => {
    bench.put('a.csv', 'Id,City\n1,Rome\n2,Rome\n3,\n')
    const preview = await files.preview(bench.context, fileObject('a.csv', 'csv'), 2)
    expect(preview.columns.map(({ name, type }) => [name, type])).toEqual([
      ['id', 'bigint'],
      ['city', 'string'],
    ])
    expect(preview.rows).toEqual([
      ['1', 'Rome'],
      ['2', 'Rome'],
    ])
    expect(preview.rows_profiled).toBe(3)
    expect(preview.profile[1]).toEqual({
      column: 'city',
      nulls: 1,
      distinct: 1,
      min: 'Rome',
      max: 'Rome',
      top: [{ value: 'Rome', rows: 2 }],
    })
  })
})
