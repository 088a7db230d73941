// The API over the embedded store with 100 000 configs: list, get and patch, one after another, through the app.
// Prints p50 and p95 in milliseconds. Argument: number of configs.
import { uuidv7 } from '#core/id.ts'
import { openTestApp } from '#functions/testing.ts'

const CONFIGS = Number(process.argv[2] ?? 100_000)
const CALLS = 200
const app = await openTestApp()
const { sql } = app

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

async function measure(
  name: string,
  call: (n: number) => Promise<{ status: number }>,
): Promise<void> {
  const times: number[] = []
  for (let n = 0; n < CALLS + 10; n++) {
    const started = performance.now()
    const { status } = await call(n)
    if (status >= 300) throw new Error(`${name}: ${status}`)
    if (n >= 10) times.push(performance.now() - started)
  }
  times.sort((a, b) => a - b)
  const at = (share: number) => times[Math.floor(times.length * share)]!.toFixed(1)
  console.log(`${name.padEnd(24)} p50 ${at(0.5)} ms, p95 ${at(0.95)} ms   aim: p95 ≤ 15 ms`)
}

const some = (n: number) => ids[(n * 7919) % ids.length]!
console.log(`${CONFIGS} raw configs in 200 groups, embedded store`)
await measure('list 50 by name', (n) =>
  app.call('GET', `/api/raw-configs?limit=50&sort=${n % 2 ? 'name' : '-created_at'}`),
)
await measure('list 50 of a group', (n) =>
  app.call('GET', `/api/raw-configs?limit=50&group_id=${groups[n % 200]!.id}`),
)
await measure('get', (n) => app.call('GET', `/api/raw-configs/${some(n)}`))
await measure('patch', (n) =>
  app.call('PATCH', `/api/raw-configs/${some(n)}`, { description: `changed ${n}` }),
)
await sql.end()
