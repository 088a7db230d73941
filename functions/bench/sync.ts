// A sync of 10 000 tables in 200 groups with a fake workspace without latency: generation, first sync, one with nothing changed
// (no write at all, aim 5 s), one after one schedule has changed. Wall and CPU seconds of this process, in which the fake runs too.
// Argument: number of tables.
import { uuidv7 } from '#core/id.ts'
import { openClient } from '#engine/databricks/client.ts'
import { openFake } from '#engine/databricks/fake/index.ts'
import { openWorkspace } from '#engine/databricks/live.ts'
import { buildSpecs, NOTEBOOK_HEADER, sha256 } from '#engine/databricks/specs.ts'
import { applySync } from '#engine/databricks/sync-apply.ts'
import { loadEnvironment, loadSyncInput } from '#engine/databricks/sync-input.ts'
import { planSync } from '#engine/databricks/sync-plan.ts'
import { storeDump } from '#sql/testing.ts'
import { openEmbedded } from '#sql/pglite.ts'

const TABLES = Number(process.argv[2] ?? 10_000)
const GROUPS = 200
const AIM_S = 5

const sql = await openEmbedded(undefined, { load: await storeDump(), transaction_ms: 120_000 })
const columns = JSON.stringify(
  Array.from({ length: 10 }, (_, n) => ({ name: `c${n}`, type: 'string', nullable: true })),
)
const schedule_id = uuidv7()
const source_id = uuidv7()
const groups = Array.from({ length: GROUPS }, (_, n) => ({
  id: uuidv7(),
  name: `g${n}`,
  schedule_id,
}))
await sql`insert into config.environment ${sql({ id: uuidv7(), name: 'prod', engine: 'databricks', host: 'https://workspace.example', catalog: 'main', root: '/Volumes/main/lakeforge/lake' })}`
await sql`insert into config.schedule ${sql({ id: schedule_id, name: 'nightly', quartz_cron: '0 15 2 * * ?', misfire: 'skip', fired_by: 'workspace' })}`
await sql`insert into config.source ${sql({ id: source_id, name: 's', kind: 'files', options: { root: '/Volumes/main/landing/files' } })}`
await sql`insert into config.source_group ${sql(groups)}`
for (let from = 0; from < TABLES; from += 2000) {
  const numbers = Array.from({ length: Math.min(2000, TABLES - from) }, (_, n) => from + n)
  const raws = numbers.map((n) => ({
    id: uuidv7(),
    name: `t${n}`,
    source_id,
    group_id: groups[n % GROUPS]!.id,
    object: `t${n}-*.csv`,
    format: 'csv',
    read_mode: 'files',
    columns,
  }))
  await sql`insert into config.raw_config ${sql(raws)}`
  await sql`insert into config.bronze_config ${sql(raws.map((raw, at) => ({ id: uuidv7(), raw_id: raw.id, target: `bronze.t${numbers[at]}` })))}`
  await sql`insert into config.silver_config ${sql(raws.map((raw, at) => ({ id: uuidv7(), group_id: raw.group_id, target: `silver.t${numbers[at]}`, from: [`bronze.t${numbers[at]}`], load_type: 'append', columns })))}`
}
await sql`analyze`

const fake = openFake({ page: 100 })
const environment = await loadEnvironment(sql, 'prod')
const client = openClient(fake.host, { kind: 'pat', token: 'dapi-fake' }, { fetch: fake.fetch })
const files = [
  'source_to_raw.py',
  'raw_to_bronze.py',
  'silver_gold_tasks.py',
  'silver_gold_pipeline.py',
].map((path) => ({ path, sha256: sha256(NOTEBOOK_HEADER), notebook: true }))
const workspace = () =>
  openWorkspace(client, { environment_id: environment.id, warehouse_id: null, catalog: 'main' })
const plan = () => planSync(sql, workspace(), environment, { files, actor: 'bench' })
const apply = (plan_id: string) =>
  applySync(
    sql,
    workspace(),
    environment,
    { plan_id },
    { actor: 'bench', source: async () => NOTEBOOK_HEADER },
  )

type Measured = { wall_s: number; cpu_s: number; writes: number; requests: number }
async function measured<Answer>(
  name: string,
  work: () => Promise<Answer>,
): Promise<Measured & { answer: Answer }> {
  const [from, cpu, writes, requests] = [
    performance.now(),
    process.cpuUsage(),
    fake.writes().length,
    fake.requests.length,
  ]
  const answer = await work()
  const used = process.cpuUsage(cpu)
  const found = {
    wall_s: (performance.now() - from) / 1000,
    cpu_s: (used.user + used.system) / 1e6,
    writes: fake.writes().length - writes,
    requests: fake.requests.length - requests,
  }
  console.log(
    `${name.padEnd(24)} ${found.wall_s.toFixed(2).padStart(7)} s wall ${found.cpu_s.toFixed(2).padStart(7)} s CPU ${String(found.requests).padStart(6)} requests ${String(found.writes).padStart(5)} writes`,
  )
  return { ...found, answer }
}

console.log(`${TABLES} tables in ${GROUPS} groups`)
const { answer: input } = await measured('read and plan', () =>
  loadSyncInput(sql, environment, files),
)
await measured('generate', async () => buildSpecs(input))
const first = await measured('plan of the first sync', plan)
const done = await measured('apply it', () => apply(first.answer.id))
if (done.answer.failed.length > 0) throw new Error(JSON.stringify(done.answer.failed[0]))
const nothing = await measured('nothing changed', async () => {
  const made = await plan()
  return made.actions.length === 0
    ? made
    : Promise.reject(new Error(JSON.stringify(made.actions[0])))
})
const [target] = groups
const own = uuidv7()
await sql`insert into config.schedule ${sql({ id: own, name: 'other', quartz_cron: '0 0 5 * * ?', misfire: 'skip', fired_by: 'workspace' })}`
await sql`update config.source_group set schedule_id = ${own} where id = ${target!.id}`
const one = await measured('one group changed', async () => apply((await plan()).id))
fake.assertHonest()
await sql.end()
console.log(
  `peak memory ${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MiB, the fake workspace included`,
)
const good = nothing.writes === 0 && one.writes === 1
console.log(
  `nothing changed: ${nothing.writes} writes, ${nothing.cpu_s.toFixed(2)} s CPU (aim ${AIM_S} s); one changed: ${one.writes} write${one.writes === 1 ? '' : 's'}`,
)
if (!good) process.exitCode = 1
