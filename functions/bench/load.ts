// Source -> Raw -> Bronze -> Silver of a large CSV against a hand-written DuckDB script with the same input and the same final
// tables. Ratios of one run on one machine. Argument: rows (5 000 000 make about 500 MB).
import { DuckDBInstance } from '@duckdb/node-api'
import { fork } from 'node:child_process'
import { mkdir, mkdtemp, readFile, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { contentHashSql } from '#engine/local/content-hash-sql.ts'
import { openHome } from '#functions/home.ts'

const ROWS = Number(process.argv[2] ?? 5_000_000)
const COLUMNS = [
  ['id', 'bigint'],
  ['customer', 'int'],
  ['product', 'string'],
  ['amount', 'decimal(12,2)'],
  ['quantity', 'int'],
  ['ordered_at', 'timestamp_ntz'],
  ['city', 'string'],
  ['note', 'string'],
  ['score', 'double'],
  ['paid', 'boolean'],
] as const

/** Milliseconds. */
type Times = { bronze: number; silver: number; cpu: number }

async function duckdb(work: (run: (sql: string) => Promise<void>) => Promise<void>): Promise<void> {
  const instance = await DuckDBInstance.create(':memory:', { memory_limit: '800MiB', threads: '2' })
  const connection = await instance.connect()
  await connection.run("set TimeZone = 'UTC'; set preserve_insertion_order = false")
  await work(async (sql) => void (await connection.run(sql)))
  connection.closeSync()
  instance.closeSync()
}

if (process.argv[3] === 'script') {
  // The hand-written script, in a process of its own
  const [, , , , csv = '', out = ''] = process.argv
  const types = COLUMNS.map(
    ([name, type]) =>
      `'${name}': '${type === 'string' ? 'varchar' : type === 'timestamp_ntz' ? 'timestamp' : type}'`,
  )
  await duckdb(async (run) => {
    const started = performance.now()
    await run(`copy (select *, 'b' as _batch_id, '${csv}' as _source_file, now() as _ingested_at,
      row_number() over () - 1 as _row_id, null::varchar as _rescued_data
      from read_csv('${csv}', header = true, auto_detect = false, delim = ',', quote = '"', columns = {${types.join(', ')}}))
      to '${out}/bronze.parquet' (format parquet, compression zstd)`)
    const bronze = performance.now()
    await run(`copy (select id, customer, upper(product) as product, amount, quantity, amount * quantity as total, ordered_at, city, paid
      from '${out}/bronze.parquet' where amount is not null and quantity > 0) to '${out}/silver.parquet' (format parquet, compression zstd)`)
    const { user, system } = process.cpuUsage()
    process.send!({
      bronze: bronze - started,
      silver: performance.now() - bronze,
      cpu: (user + system) / 1e3,
    })
  })
  process.exit(0)
}

const dir = await mkdtemp(join(tmpdir(), 'lakeforge-load-'))
try {
  const csv = join(dir, 'files/orders.csv')
  await mkdir(join(dir, 'files'))
  await duckdb((run) =>
    run(`copy (select range as id, (range * 7919) % 100000 as customer, 'product ' || (range % 500) as product,
      ((range % 100000) / 100.0)::decimal(12,2) as amount, (range % 9 + 1)::int as quantity,
      timestamp '2024-01-01' + to_seconds(range) as ordered_at, 'city of ' || (range % 300) as city,
      'note number ' || range as note, (range % 1000) / 7.0 as score, range % 3 = 0 as paid from range(${ROWS})) to '${csv}' (header)`),
  )
  const size = (await stat(csv)).size
  console.log(`${ROWS} rows, ${(size / 1e6).toFixed(0)} MB of CSV`)

  const script = async () => {
    const out = await mkdtemp(join(dir, 'script-'))
    const child = fork(import.meta.filename, [String(ROWS), 'script', csv, out], {
      execPath: process.execPath,
    })
    const times = await new Promise<Times>((resolve, reject) => {
      child.on('message', (message) => resolve(message as Times))
      child.on('exit', (code) => code !== 0 && reject(new Error(`the script ended with ${code}`)))
    })
    await rm(out, { recursive: true })
    return times
  }
  const first = await script()

  const home = await openHome({ dir: join(dir, 'home'), env: {}, schedules: false })
  const call = async (method: string, path: string, body?: unknown) => {
    const answer = await home.app.request(`http://localhost${path}`, {
      method,
      headers: { 'content-type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    // oxlint-disable-next-line typescript/no-explicit-any -- a script's own view of the answers
    const result = (await answer.json()) as any
    if (!answer.ok) throw new Error(JSON.stringify(result))
    return result
  }
  await call('POST', '/api/apply', {
    files: [
      {
        name: 'load.yaml',
        text: `
groups: [{ name: load, retries: 0 }]
sources: [{ name: files, kind: files, options: { root: '${join(dir, 'files')}' } }]
raw_configs:
  - { name: orders, source: files, group: load, object: orders.csv, format: csv, read_mode: files, columns: [${COLUMNS.map(([name, type]) => `{ name: ${name}, type: '${type}' }`).join(', ')}] }
bronze_configs: [{ target: bronze.orders, raw: files.orders }]
silver_configs:
  - target: silver.orders
    group: load
    from: [bronze.orders]
    where: quantity > 0
    load_type: append
    select:
      - { name: id, expression: id }
      - { name: customer, expression: customer }
      - { name: product, expression: upper(product) }
      - { name: amount, expression: amount }
      - { name: quantity, expression: quantity }
      - { name: total, expression: amount * quantity }
      - { name: ordered_at, expression: ordered_at }
      - { name: city, expression: city }
      - { name: paid, expression: paid }
dq_rules: [{ name: there, target: silver.orders, check: not_null, columns: [amount], on_fail: drop }]
`,
      },
    ],
  })
  const group = (await call('GET', '/api/groups')).items[0]
  let peak = 0
  let over = false
  /** CPU ms of each process so far; those that have ended keep their last. */
  const used = new Map<number, number>()
  const watching = (async () => {
    while (!over) {
      const found = await processes()
      peak = Math.max(
        peak,
        found.reduce((sum, { bytes }) => sum + bytes, 0),
      )
      for (const { pid, cpu } of found) used.set(pid, cpu)
      await wait(100)
    }
  })()
  await wait(200)
  const idle = [...used.values()].reduce((sum, cpu) => sum + cpu, 0)
  const { batch_id } = await call('POST', `/api/groups/${group.id}/run`, {})
  let detail
  do {
    await wait(100)
    detail = await call('GET', `/api/batches/${batch_id}`)
  } while (detail.batch.finished_at === null)
  over = true
  await watching
  if (detail.batch.state !== 'succeeded') throw new Error(JSON.stringify(detail.batch.error))
  const cpu = [...used.values()].reduce((sum, ms) => sum + ms, 0) - idle
  const took = (zone: string) =>
    detail.steps.find((step: { zone: string }) => step.zone === zone).duration_ms as number
  await home.close()
  const second = await script()

  // The content hash alone, over the same tables
  let hashed = 0
  await duckdb(async (run) => {
    const bronze = COLUMNS.map(([name, type]) => ({ name, type, nullable: true }))
    const started = performance.now()
    await run(
      `select ${contentHashSql(bronze)} from read_parquet('${join(dir, 'home/lake/tables/bronze/orders')}/**/*.parquet')`,
    )
    const silver = bronze.filter(({ name }) => !['note', 'score'].includes(name))
    await run(
      `select ${contentHashSql(silver)} from read_parquet('${join(dir, 'home/lake/tables/silver/orders')}/**/*.parquet')`,
    )
    hashed = performance.now() - started
  })
  const hand = (first.bronze + first.silver + second.bronze + second.silver) / 2
  const ours = took('bronze') + took('silver')
  const s = (ms: number) => `${(ms / 1000).toFixed(1)} s`
  console.log(
    `hand-written script      bronze ${s((first.bronze + second.bronze) / 2)}, silver ${s((first.silver + second.silver) / 2)}, together ${s(hand)}`,
  )
  console.log(
    `LakeForge                bronze ${s(took('bronze'))}, silver ${s(took('silver'))}, together ${s(ours)}`,
  )
  console.log(`raw copy and sha256      ${s(took('raw'))}`)
  console.log(`content hash             ${s(hashed)} of LakeForge's time`)
  console.log(
    `without raw and hash     ${((ours - hashed) / hand).toFixed(2)} × the script   aim ≤ 1.3`,
  )
  console.log(
    `all of it                ${((ours + took('raw')) / hand).toFixed(2)} × the script   aim ≤ 2`,
  )
  console.log(
    `CPU of all of it         ${s(cpu)}, the script ${s((first.cpu + second.cpu) / 2)}: ${(cpu / ((first.cpu + second.cpu) / 2)).toFixed(2)} ×`,
  )
  console.log(`peak of all processes    ${(peak / 2 ** 30).toFixed(2)} GiB resident   aim ≤ 1.5`)
} finally {
  await rm(dir, { recursive: true, force: true })
}

/** This process and everything below it: resident bytes, CPU ms. */
async function processes(): Promise<{ pid: number; bytes: number; cpu: number }[]> {
  const parents = new Map<number, number>()
  const found = []
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const pid = Number(name)
    const text = await readFile(`/proc/${name}/status`, 'utf8').catch(() => '')
    const stat = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '')
    // After the name in parentheses: state, parent, …; times in hundredths of a second
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    parents.set(pid, Number(fields[1] ?? 0))
    const bytes = Number(/^VmRSS:\s+(\d+)/m.exec(text)?.[1] ?? 0) * 1024
    found.push({ pid, bytes, cpu: (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) * 10 })
  }
  const mine = (pid: number): boolean =>
    pid === process.pid || (pid > 1 && mine(parents.get(pid) ?? 0))
  return found.filter(({ pid }) => mine(pid))
}
