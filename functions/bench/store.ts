// The API over an embedded store on disk with 100 000 configs: list, get and patch, one after another, through the app; first alone,
// then while batches run without a break: 60 tables through raw, bronze and silver. Prints p50 and p95 in milliseconds, and what a
// fixed bit of arithmetic took beside each, since the batch's engine has the same cores. Argument: number of configs.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { uuidv7 } from '#core/id.ts'
import { openHome } from '#functions/home.ts'

const CONFIGS = Number(process.argv[2] ?? 100_000)
const CALLS = 300
const TABLES = 60
const AIM_MS = 15

const dir = await mkdtemp(join(tmpdir(), 'lakeforge-bench-'))
const home = await openHome({ dir: join(dir, 'home'), env: {}, schedules: false })
const { sql } = home

async function call(method: string, path: string, body?: unknown) {
  const answer = await home.app.request(`http://localhost${path}`, {
    method,
    ...(body !== undefined && {
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    }),
  })
  const text = await answer.text()
  if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${text}`)
  return JSON.parse(text) as { batch_id: string; batch: { finished_at: string | null } }
}

/** Configs that no batch runs, straight into the store. */
async function fill(): Promise<{ ids: string[]; groups: { id: string }[] }> {
  const source_id = uuidv7()
  await sql`insert into config.source ${sql({ id: source_id, name: 's', kind: 'files', options: { root: '/data' } })}`
  const groups = Array.from({ length: 200 }, (_, n) => ({ id: uuidv7(), name: `g${n}` }))
  await sql`insert into config.source_group ${sql(groups)}`
  const columns = JSON.stringify(
    Array.from({ length: 10 }, (_, n) => ({ name: `c${n}`, type: 'string', nullable: true })),
  )
  const ids: string[] = []
  for (let from = 0; from < CONFIGS; from += 2000) {
    const rows = Array.from({ length: Math.min(2000, CONFIGS - from) }, (_, n) => ({
      id: uuidv7(),
      name: `t${from + n}`,
      source_id,
      group_id: groups[(from + n) % groups.length]!.id,
      object: `t${from + n}.csv`,
      format: 'csv',
      read_mode: 'files',
      columns,
    }))
    ids.push(...rows.map((row) => row.id))
    await sql`insert into config.raw_config ${sql(rows)}`
  }
  await sql`analyze`
  return { ids, groups }
}

/** The group that runs: `TABLES` files of 5 000 rows each, new ones for every batch. */
async function busyGroup(): Promise<string> {
  await mkdir(join(dir, 'files'))
  const names = Array.from({ length: TABLES }, (_, n) => `b${n}`)
  const text = JSON.stringify({
    groups: [{ name: 'busy', max_parallel: 4 }],
    sources: [{ name: 'drop', kind: 'files', options: { root: join(dir, 'files') } }],
    raw_configs: names.map((name) => ({
      name,
      source: 'drop',
      group: 'busy',
      object: `${name}-*.csv`,
      format: 'csv',
      read_mode: 'files',
      columns: [
        { name: 'id', type: 'int' },
        { name: 'name', type: 'string' },
      ],
    })),
    bronze_configs: names.map((name) => ({ target: `bronze.${name}`, raw: `drop.${name}` })),
    silver_configs: names.map((name) => ({
      target: `silver.${name}`,
      group: 'busy',
      from: [`bronze.${name}`],
      load_type: 'merge',
      keys: ['id'],
      dedupe: true,
    })),
  })
  await call('POST', '/api/apply', { files: [{ name: 'busy.yaml', text }] })
  const [group] = await sql<
    { id: string }[]
  >`select id from config.source_group where name = 'busy'`
  return group!.id
}

async function deliver(batch: number): Promise<void> {
  const rows = Array.from({ length: 5000 }, (_, n) => `${n},name ${n} of ${batch}`).join('\n')
  for (let n = 0; n < TABLES; n++)
    await writeFile(join(dir, `files/b${n}-${batch}.csv`), `id,name\n${rows}\n`)
}

/** Batch after batch until the returned function is called, which answers how many ended and their steps. */
function keepBusy(group_id: string): () => Promise<{ batches: number; steps: number }> {
  let stopped = false
  let batches = 0
  const running = (async () => {
    while (!stopped) {
      await deliver(batches)
      const { batch_id } = await call('POST', `/api/groups/${group_id}/run`, {})
      for (;;) {
        await sleep(200)
        const [row] = await sql<{ state: string }[]>`
          select state from logging.batch_run where id = ${batch_id} and finished_at is not null
        `
        if (row && row.state !== 'succeeded') throw new Error(`the batch ${row.state}`)
        if (row) break
      }
      batches++
    }
  })()
  return async () => {
    stopped = true
    await running
    return { batches, steps: batches * TABLES * 3 }
  }
}

/** Milliseconds of a fixed bit of work: how much of a core this process gets. */
function arithmetic(): number {
  const started = performance.now()
  let sum = 0
  for (let n = 0; n < 2_000_000; n++) sum = (sum * 31 + n) % 1_000_003
  return performance.now() - started + sum * 0
}

async function measure(name: string, one: (n: number) => Promise<unknown>): Promise<void> {
  const times: number[] = []
  const work: number[] = []
  for (let n = 0; n < CALLS + 10; n++) {
    // As a person or a screen asks: with a breath in between
    await sleep(10)
    if (n % 10 === 0) work.push(arithmetic())
    const started = performance.now()
    await one(n)
    if (n >= 10) times.push(performance.now() - started)
  }
  const at = (list: number[], share: number) =>
    list.toSorted((a, b) => a - b)[Math.floor(list.length * share)]!
  const p95 = at(times, 0.95)
  const ok = p95 <= AIM_MS ? 'ok' : 'MISSED'
  console.log(
    `  ${name.padEnd(20)} p50 ${at(times, 0.5).toFixed(1).padStart(5)} ms  p95 ${p95.toFixed(1).padStart(5)} ms  (aim ≤ ${AIM_MS} ms: ${ok}; arithmetic ${at(work, 0.5).toFixed(1)} ms)`,
  )
}

try {
  const busy = await busyGroup()
  const { ids, groups } = await fill()
  const some = (n: number) => ids[(n * 7919) % ids.length]!
  const all = async () => {
    await measure('list 50 by name', (n) =>
      call('GET', `/api/raw-configs?limit=50&sort=${n % 2 ? 'name' : '-created_at'}`),
    )
    await measure('list 50 of a group', (n) =>
      call('GET', `/api/raw-configs?limit=50&group_id=${groups[n % 200]!.id}`),
    )
    await measure('get', (n) => call('GET', `/api/raw-configs/${some(n)}`))
    await measure('patch', (n) =>
      call('PATCH', `/api/raw-configs/${some(n)}`, { description: `changed ${n}` }),
    )
  }
  console.log(
    `${CONFIGS} raw configs in 200 groups, embedded store on disk, ${availableParallelism()} cores`,
  )
  console.log('alone:')
  await all()
  console.log('while batches run:')
  const stop = keepBusy(busy)
  await sleep(3000)
  await all()
  const { batches, steps } = await stop()
  console.log(`  meanwhile ${batches} batches with ${steps} steps succeeded`)
} finally {
  await home.close()
  await rm(dir, { recursive: true, force: true })
}
