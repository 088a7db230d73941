// One life of LakeForge for the soak: opens the home, makes sure of each delivery and of its batch, and says how the tables are.
// It may be killed at any moment; started again it goes on. Arguments: home, folder of deliveries, first and last delivery.
import { rename, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { openHome } from '#functions/home.ts'
import { delivery, metadata } from './soak-data.ts'

const [home = '', folder = '', first = '1', last = '1'] = process.argv.slice(2)

const opened = await openHome({ dir: home, schedules: false, env: process.env })
const call = async (
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
) => {
  const answer = await opened.app.request(`http://localhost${path}`, {
    method,
    headers: { 'content-type': 'application/json', ...headers },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  const result = await answer.json()
  if (!answer.ok) throw new Error(`${method} ${path}: ${JSON.stringify(result)}`)
  // oxlint-disable-next-line typescript/no-explicit-any -- a script's own view of the answers
  return result as any
}

await call('POST', '/api/apply', { files: [{ name: 'soak.yaml', text: metadata(folder) }] })
const groups = await call('GET', '/api/groups')
const group_id = groups.items[0].id
const batches = []
for (let n = Number(first); n <= Number(last); n++) {
  const path = join(folder, `people-${n}.csv`)
  const there = await stat(path).then(
    () => true,
    () => false,
  )
  if (!there) {
    await writeFile(`${path}.part`, delivery(n))
    await rename(`${path}.part`, path)
  }
  const { batch_id } = await call(
    'POST',
    `/api/groups/${group_id}/run`,
    {},
    { 'idempotency-key': `delivery-${n}` },
  )
  for (;;) {
    const detail = await call('GET', `/api/batches/${batch_id}`)
    if (detail.batch.finished_at !== null) {
      batches.push(detail)
      break
    }
    await wait(20)
  }
}

/** What must be the same however often somebody was killed: states, counts, rules and the hash of every table. */
const facts = batches.map((detail) => ({
  state: detail.batch.state,
  error: detail.batch.error,
  // oxlint-disable-next-line typescript/no-explicit-any -- as above
  steps: detail.steps.map((step: any) => ({
    key: step.key,
    state: step.state,
    content_hash: step.content_hash,
    delta_version_after: step.delta_version_after,
    ...Object.fromEntries(Object.entries(step).filter(([name]) => name.startsWith('rows_'))),
  })),
  // oxlint-disable-next-line typescript/no-explicit-any -- as above
  rules: detail.rules.map((rule: any) => [
    rule.table,
    rule.name,
    rule.rows_checked,
    rule.rows_failed,
  ]),
}))
const quarantine = await call('GET', '/api/tables/silver.people/quarantine?limit=1000')
await opened.close()
process.stdout.write(JSON.stringify({ facts, quarantined: quarantine.rows.length }))
