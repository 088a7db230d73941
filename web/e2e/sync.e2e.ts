// A workspace brought into step by browser, against the fake one: a plan that only looks, its application, nothing left to do,
// a field that somebody changed over there, and a deletion that wants the name typed.
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from '@playwright/test'
import { expectAccessible } from './axe.ts'
import { startOwnServer, type OwnServer } from './server.ts'
import { shot } from './shots.ts'

const METADATA = (host: string, second: string) => `
environments:
  - { name: prod, engine: databricks, host: '${host}', catalog: main, prefix: p_, root: /Volumes/main/p_lakeforge/lake }
compute_profiles:
  - { name: small, mode: classic, node_type: i3.xlarge, hourly_cost: 2 }
groups:
  - { name: shop, compute_profile: small, budget_month: 5 }
${second}
sources:
  - { name: shop, kind: files, options: { root: /Volumes/main/landing/files } }
raw_configs:
  - { name: orders, source: shop, group: shop, object: orders-*.csv, format: csv, read_mode: files, columns: [{ name: id, type: int }, { name: amount, type: 'decimal(10,2)' }] }
bronze_configs:
  - { target: bronze.orders, raw: shop.orders }
silver_configs:
  - { target: silver.orders, group: shop, from: [bronze.orders], load_type: append }
gold_configs:
  - { target: gold.turnover, group: shop, query: select sum(amount) as amount from silver.orders }
`

// The second goes on from where the first has left the workspace
test.describe.configure({ mode: 'serial' })

let server: OwnServer
let workspace: string
let stopWorkspace: () => void
let faults: string[]

test.beforeAll(async () => {
  const fake = spawn('node', ['functions/engine/databricks/fake/serve.ts', '--port', '0'], {
    cwd: join(import.meta.dirname, '../..'),
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  stopWorkspace = () => fake.kill('SIGTERM')
  workspace = await new Promise<string>((resolve, reject) => {
    let text = ''
    fake.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString()
      const found = /http:\/\/127\.0\.0\.1:\d+/.exec(text)
      if (found) resolve(found[0])
    })
    fake.once('exit', () => reject(new Error(`The fake workspace ended: ${text}`)))
  })
  server = await startOwnServer({ DATABRICKS_HOST: workspace, DATABRICKS_TOKEN: 'dapi-fake' })
})
test.afterAll(async () => {
  await server?.close()
  stopWorkspace?.()
})
test.beforeEach(({ page }) => {
  faults = []
  page.on('console', (message) => {
    if (message.type() === 'error') faults.push(message.text())
  })
  page.on('pageerror', (error) => faults.push(error.message))
})

async function call<Answer>(method: string, url: string, body?: object): Promise<Answer> {
  const response = await fetch(url, {
    method,
    headers: { 'content-type': 'application/json' },
    ...(body && { body: JSON.stringify(body) }),
  })
  if (!response.ok) throw new Error(`${url}: ${response.status} ${await response.text()}`)
  return (await response.json()) as Answer
}
const apply = (text: string) =>
  call('POST', `${server.url}/api/apply`, { files: [{ name: 'shop.yaml', text }] })
const over_there = { authorization: 'Bearer dapi-fake', 'content-type': 'application/json' }
/** Ids as text: they are beyond what a JavaScript number holds. */
const jobs = async () => {
  const answer = await fetch(`${workspace}/api/2.2/jobs/list`, { headers: over_there })
  return [...(await answer.text()).matchAll(/"job_id":(\d+)/g)].map(([, id]) => id!)
}

test('a workspace is brought into step, and kept so', async ({ page }) => {
  await page.goto(`${server.url}/sync`)
  await expect(page.getByText('No environment is a workspace yet')).toBeVisible()
  await apply(METADATA(workspace, ''))
  await page.reload()

  // A plan looks, and touches nothing
  await page.getByRole('button', { name: 'Make a plan' }).click()
  await expect(page.getByRole('heading', { level: 1, name: 'Plan of prod' })).toBeVisible()
  await expect(page.getByRole('list', { name: 'Counts' })).toContainText('create')
  expect(await jobs()).toEqual([])
  await expectAccessible(page, 'a sync plan')
  await shot(page, 'sync-plan')

  // Applied as shown; then there is nothing to do (Y1, Y2)
  await page.getByRole('button', { name: /^Apply \d+ changes$/ }).click()
  await expect(page.getByRole('status').getByText(/changes are applied/)).toBeVisible({
    timeout: 60_000,
  })
  const made = await jobs()
  expect(made.length).toBeGreaterThan(0)
  await page.getByRole('link', { name: 'Sync' }).first().click()
  await page.getByRole('button', { name: 'Make a plan' }).click()
  const status = page.getByRole('status').getByText('prod is as it should be')
  // Some things wait for a table's first batch: then the plan holds nothing that could be applied
  await expect(status.or(page.getByText('Waits').first())).toBeVisible({ timeout: 60_000 })

  // Somebody changed a field over there: the plan asks what becomes of it
  const job = made[0]!
  const update = await fetch(`${workspace}/api/2.2/jobs/update`, {
    method: 'POST',
    headers: over_there,
    body: `{"job_id":${job},"new_settings":{"max_concurrent_runs":7}}`,
  })
  expect(update.status).toBe(200)
  await page.goto(`${server.url}/sync`)
  await page.getByRole('button', { name: 'Make a plan' }).click()
  await expect(page.getByText('max_concurrent_runs is 7 there, 1 here')).toBeVisible()
  const button = page.getByRole('button', { name: /^Apply \d+ change/ })
  await expect(button).toHaveAttribute('aria-disabled', 'true')
  await page.getByLabel('Overwrite it').check()
  await expect(button).not.toHaveAttribute('aria-disabled', 'true')
  await expectAccessible(page, 'a sync plan with drift')
  await shot(page, 'sync-drift')
  await button.click()
  await expect(page.getByText('Done', { exact: true })).toBeVisible({ timeout: 60_000 })
  const read = await fetch(`${workspace}/api/2.2/jobs/get?job_id=${job}`, { headers: over_there })
  expect(await read.text()).not.toContain('"max_concurrent_runs":7')
  expect(faults).toEqual([])
})

test('nothing is taken away by Enter alone', async ({ page }) => {
  const groups = await call<{ items: { id: string; name: string }[] }>(
    'GET',
    `${server.url}/api/groups`,
  )
  expect(groups.items.map(({ name }) => name)).toContain('shop')
  const gold = await call<{ items: { id: string }[] }>('GET', `${server.url}/api/gold-configs`)
  const silver = await call<{ items: { id: string }[] }>('GET', `${server.url}/api/silver-configs`)
  const bronze = await call<{ items: { id: string }[] }>('GET', `${server.url}/api/bronze-configs`)
  const raw = await call<{ items: { id: string }[] }>('GET', `${server.url}/api/raw-configs`)
  for (const [path, list] of [
    ['gold-configs', gold],
    ['silver-configs', silver],
    ['bronze-configs', bronze],
    ['raw-configs', raw],
    ['groups', groups],
  ] as const)
    for (const { id } of list.items) {
      const gone = await fetch(`${server.url}/api/${path}/${id}`, { method: 'DELETE' })
      expect(gone.status, path).toBe(204)
    }

  await page.goto(`${server.url}/sync`)
  await page.getByRole('button', { name: 'Make a plan' }).click()
  await expect(page.getByRole('list', { name: 'Counts' })).toContainText('delete')
  const button = page.getByRole('button', { name: /^Apply \d+ change/ })
  await button.focus()
  await page.keyboard.press('Enter')
  await expect(button).toHaveAttribute('aria-disabled', 'true')
  expect((await jobs()).length).toBeGreaterThan(0)
  for (const field of await page.getByLabel(/^To .* it, type/).all()) {
    const wanted = await field.evaluate(
      (input) => document.querySelector(`label[for="${input.id}"] b`)!.textContent,
    )
    await field.fill(wanted!)
  }
  await button.click()
  await expect.poll(async () => (await jobs()).length, { timeout: 60_000 }).toBe(0)
  expect(faults).toEqual([])
})
