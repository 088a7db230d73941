// The command as people call it: processes of its own, in a home whose path has a space.
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

type Ended = { code: number | null; out: string; err: string }

const CLI = join(import.meta.dirname, 'cli.ts')
let dir: string
const started: ChildProcess[] = []
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'lakeforge cli '))
  await mkdir(join(dir, 'data'))
  await writeFile(
    join(dir, 'data/orders-1.csv'),
    'id,customer,amount\n1,ann,10.50\n2,bob,x\n3,,7\n',
  )
  await writeFile(join(dir, 'lake.yaml'), LAKE(dir))
})
afterAll(async () => {
  for (const child of started) if (child.exitCode === null) child.kill('SIGKILL')
  await rm(dir, { recursive: true, force: true })
})

const LAKE = (folder: string) =>
  `
groups:
  - { name: shop }
sources:
  - { name: drop, kind: files, options: { root: '${folder}/data' } }
raw_configs:
  - name: orders
    source: drop
    group: shop
    object: orders-*.csv
    format: csv
    read_mode: files
    columns: [{ name: id, type: bigint }, { name: customer, type: string }, { name: amount, type: string }]
bronze_configs:
  - { target: bronze.orders, raw: drop.orders }
silver_configs:
  - target: silver.orders
    group: shop
    from: [bronze.orders]
    load_type: merge
    keys: [id]
    select:
      - { name: id, expression: id }
      - { name: customer, expression: customer }
      - { name: amount, expression: 'try_cast(amount as decimal(10,2))' }
gold_configs:
  - { target: gold.total, group: shop, query: select sum(amount) as total, count(*) as n from silver.orders }
dq_rules:
  - { name: has_amount, target: silver.orders, check: not_null, columns: [amount], on_fail: quarantine }
`.replace(
    'query: select sum(amount) as total, count(*) as n from silver.orders',
    "query: 'select sum(amount) as total, count(*) as n from silver.orders'",
  )

function begin(args: string[], home: string): { child: ChildProcess; ended: Promise<Ended> } {
  const child = spawn(process.execPath, [CLI, ...args], {
    cwd: dir,
    env: { PATH: process.env.PATH, LAKEFORGE_HOME: join(dir, home), NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  started.push(child)
  let out = ''
  let err = ''
  child.stdout!.on('data', (data: Buffer) => (out += data.toString()))
  child.stderr!.on('data', (data: Buffer) => (err += data.toString()))
  return {
    child,
    ended: new Promise((resolve) => child.on('close', (code) => resolve({ code, out, err }))),
  }
}

const call = (args: string[], home = 'home') => begin(args, home).ended

/** Resolves with what matched, as soon as the process has printed it. */
function printed(
  child: ChildProcess,
  stream: 'stdout' | 'stderr',
  what: RegExp,
): Promise<RegExpExecArray> {
  return new Promise((resolve, reject) => {
    let text = ''
    child[stream]!.on('data', (data: Buffer) => {
      const found = what.exec((text += data.toString()))
      if (found) resolve(found)
    })
    child.on('close', () => reject(new Error(`ended without ${what}: ${text}`)))
  })
}

describe('the command line', () => {
  it('helps, and is wrong with 2 and what may have been meant', async () => {
    const [all, one, none, verb, option, value, missing, format] = await Promise.all([
      call(['help']),
      call(['run', '--help']),
      call([]),
      call(['runn']),
      call(['run', 'shop', '--evn', 'x']),
      call(['apply', 'lake.yaml', '--home']),
      call(['plan']),
      call(['plan', 'shop', '--format', 'xml']),
    ])
    expect(all).toMatchObject({ code: 0, out: expect.stringContaining('apply <file|dir>') })
    expect(none.out).toBe(all.out)
    expect(one).toMatchObject({ code: 0, out: expect.stringContaining('--env <environment>') })
    expect(verb).toMatchObject({ code: 2, err: expect.stringContaining('Did you mean run?') })
    expect(option).toMatchObject({ code: 2, err: expect.stringContaining('Did you mean --env?') })
    expect(value).toMatchObject({ code: 2, err: expect.stringContaining('--home needs a value') })
    expect(missing).toMatchObject({ code: 2, err: expect.stringContaining('plan needs <group>.') })
    expect(format).toMatchObject({ code: 2, err: expect.stringContaining('text, md, json') })
    await expect(stat(join(dir, 'home'))).rejects.toThrow('ENOENT')
  }, 60_000)
})

describe('one home without a server', () => {
  it('takes two commands at once: both are done', async () => {
    const both = await Promise.all([
      call(['apply', 'lake.yaml', '--json']),
      call(['status', '--json']),
    ])
    expect(both.map(({ code, err }) => [code, err])).toEqual([
      [0, ''],
      [0, ''],
    ])
    expect(JSON.parse(both[0].out)).toMatchObject({ summary: { create: 7 } })
  }, 120_000)

  it('says faults of files with file and line, without a stack, and 1', async () => {
    await writeFile(join(dir, 'bad.yaml'), 'sources:\n  - name: Shop\n    kind: fils\n')
    const text = await call(['apply', 'bad.yaml'])
    expect(text).toMatchObject({ code: 1, out: '' })
    expect(text.err.split('\n').slice(0, 3)).toEqual([
      'bad.yaml:2: Use a-z, 0-9 and _, at most 100 characters.',
      expect.stringMatching(/^bad\.yaml:3: /),
      'The metadata files have 2 faults; nothing was changed.',
    ])
    expect(text.err).not.toMatch(/\n\s+at /)
    const json = await call(['apply', 'bad.yaml', '--json'])
    expect(JSON.parse(json.err)).toMatchObject({
      code: 'metadata_invalid',
      errors: [{ file: 'bad.yaml', line: 2 }, { line: 3 }],
    })
    expect(await call(['apply', 'nowhere.yaml'])).toMatchObject({
      code: 1,
      err: expect.stringContaining('There is no file or folder nowhere.yaml.'),
    })
  }, 120_000)

  it('exports what apply takes again, and a schema for editors', async () => {
    await mkdir(join(dir, 'meta/.git'), { recursive: true })
    await writeFile(join(dir, 'meta/.git/no.yaml'), 'not: taken')
    expect(await call(['export', 'meta/all.yaml'])).toMatchObject({ code: 0 })
    expect(await call(['export', '--schema', 'meta/lakeforge.schema.json'])).toMatchObject({
      code: 0,
    })
    expect(await readFile(join(dir, 'meta/lakeforge.schema.json'), 'utf8')).toContain(
      'previous_name',
    )
    expect(await call(['apply', 'meta'])).toMatchObject({ code: 0, out: '8 objects unchanged.\n' })
  }, 120_000)

  it('plans, runs, asks, compares and tells', async () => {
    expect(await call(['plan', 'shop', '--format', 'md'])).toMatchObject({
      code: 0,
      out: expect.stringContaining('| silver | silver.orders | merge by id | bronze.orders | 1 |'),
    })
    const run = await call(['run', 'shop'])
    expect(run).toMatchObject({ code: 0 })
    expect(run.err).toContain('silver:silver.orders succeeded, 2 rows in')
    expect(run.out).toContain('silver.orders has_amount: 1 of 3 rows, quarantine')
    expect(await call(['sql', 'select total, n from gold.total', '--format', 'csv'])).toMatchObject(
      {
        code: 0,
        out: 'total,n\n17.50,2\n',
      },
    )
    expect(await call(['sql', 'select * from silver.order'])).toMatchObject({
      code: 1,
      err: expect.stringContaining('Did you mean silver.orders?'),
    })
    const replay = await call(['replay', 'last', '--json'])
    expect(replay.code).toBe(0)
    expect(JSON.parse(replay.out)).toMatchObject({ equal: true, state: 'succeeded' })
    const logs = JSON.parse((await call(['logs', 'shop', '--json'])).out) as { events: unknown[] }
    expect(logs.events.length).toBeGreaterThan(4)
  }, 240_000)

  it('shows a token once, and backs up to a file that another home takes', async () => {
    const made = await call(['token', 'create', 'ci', '--role', 'viewer'])
    expect(made.out).toMatch(/^lf_[0-9a-f]{64}\n$/)
    expect((await call(['token', 'list', '--json'])).out).not.toContain(made.out.trim())
    expect(await call(['backup', 'kept.gz'])).toMatchObject({ code: 0 })
    expect((await stat(join(dir, 'kept.gz'))).mode & 0o777).toBe(0o600)
    expect(await call(['restore', 'kept.gz'])).toMatchObject({
      code: 1,
      err: expect.stringContaining('The store is not empty'),
    })
    expect(await call(['restore', 'kept.gz'], 'second home')).toMatchObject({ code: 0 })
    const head = /exported_at_version: \d+\n/
    const [first, second] = await Promise.all([call(['export']), call(['export'], 'second home')])
    expect(second.out.replace(head, '')).toBe(first.out.replace(head, ''))
    expect(await call(['doctor', '--json'], 'second home')).toMatchObject({ code: 0 })
  }, 240_000)
})

describe('a running owner', () => {
  it('is talked to; when it is killed in the middle of a run, the run goes on', async () => {
    const server = begin(['start', '--port', '0', '--json'], 'home')
    const [, url] = await printed(server.child, 'stdout', /"url":"([^"]+)"/)
    const status = JSON.parse((await call(['status', '--json'])).out) as { owner: string }
    expect(status.owner).toBe(url)
    expect(await call(['start', '--port', '0'])).toMatchObject({
      code: 1,
      err: expect.stringContaining(url!),
    })
    await writeFile(join(dir, 'data/orders-3.csv'), 'id,customer,amount\n9,eve,1\n')
    const run = begin(['run', 'shop'], 'home')
    await printed(run.child, 'stderr', /running/)
    server.child.kill('SIGKILL')
    const ended = await run.ended
    expect(ended).toMatchObject({ code: 0, out: expect.stringContaining('succeeded') })
    expect((await call(['sql', 'select n from gold.total', '--format', 'csv'])).out).toBe('n\n3\n')
  }, 240_000)

  it('fails a run with its cause, its hint and what was skipped because of it', async () => {
    await writeFile(join(dir, 'data/orders-2.csv'), 'id,customer,amount\nnot a number,"torn\n')
    const run = await call(['run', 'shop'])
    expect(run.code).toBe(1)
    expect(run.out).toMatch(/Failed\n(raw|bronze):\S+: .+ \([a-z_]+\)\n {2}\S.+\n\nSkipped\n/)
    expect(run.out).toMatch(/gold:gold\.total because of (raw|bronze):/)
  }, 120_000)
})
