// From an empty workspace to a silver table with the wizard, on a folder of files and on a PostgreSQL, counting every click; then
// the list of sources, its drawer, editing, a conflict, and a deletion that says what is in the way.
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test, type Locator, type Page } from '@playwright/test'
import postgres from 'postgres'
import { expectAccessible } from './axe.ts'
import { startOwnServer, type OwnServer } from './server.ts'
import { shot } from './shots.ts'

const MOST_CLICKS = 12
const MOST_MS = 120_000

let server: OwnServer
let faults: string[]

test.beforeAll(async () => {
  server = await startOwnServer({ LAKEFORGE_SECRET_PG_PASSWORD: password() })
})
test.afterAll(async () => {
  await server?.close()
})
test.beforeEach(({ page }) => {
  faults = []
  page.on('console', (message) => {
    if (message.type() === 'error') faults.push(message.text())
  })
  page.on('pageerror', (error) => faults.push(error.message))
})

class Clicks {
  count = 0
  async on(target: Locator): Promise<void> {
    this.count++
    await target.click()
  }
  /** A list that drops down takes two: one to open it, one to choose. */
  async choose(target: Locator, value: string): Promise<void> {
    this.count += 2
    await target.selectOption(value)
  }
}

async function silverIsThere(page: Page, table: string, rows: string): Promise<void> {
  await expect(page.getByRole('status').getByText('Succeeded')).toBeVisible({ timeout: 120_000 })
  const timeline = page.getByRole('treegrid', { name: 'Timeline' })
  await expect(
    timeline.getByRole('row', { name: new RegExp(table.replace('.', '\\.')) }),
  ).toContainText(rows)
}

test('a folder of CSV files becomes silver tables in at most twelve clicks', async ({ page }) => {
  const files = join(server.dir, 'Shop files')
  await mkdir(files)
  await writeFile(join(files, 'orders.csv'), 'id,amount,customer\n1,10,a\n2,20,b\n3,30,a\n')
  await writeFile(join(files, 'customers.csv'), 'id,name\na,Ada\nb,Grace\n')
  const clicks = new Clicks()
  await page.goto(`${server.url}/`)
  await expect(page.getByText('Nothing is declared yet')).toBeVisible()
  const started = Date.now()

  await clicks.on(page.getByRole('link', { name: 'Add a source' }))
  await expect(page.getByRole('heading', { level: 1, name: 'New source' })).toBeFocused()
  await expectAccessible(page, 'wizard: type')
  await shot(page, 'wizard-1-type')
  await clicks.on(page.getByRole('link', { name: /^Files/ }))

  await clicks.on(page.getByLabel('Folder'))
  await page.keyboard.type(files)
  await expect(page.getByLabel('Name')).toHaveValue('shop_files')
  await page.reload()
  await expect(page.getByLabel('Folder'), 'a reload loses nothing').toHaveValue(files)
  await expectAccessible(page, 'wizard: connection')
  await shot(page, 'wizard-2-connection')
  await clicks.on(page.getByRole('button', { name: 'Save and test' }))

  await expect(page.getByText('Files are found')).toBeVisible({ timeout: 30_000 })
  await expectAccessible(page, 'wizard: test')
  await shot(page, 'wizard-3-test')
  await clicks.on(page.getByRole('link', { name: 'Choose tables' }))

  await clicks.on(page.getByRole('button', { name: 'Choose all 2' }))
  await expect(page.getByText('2 of 2 tables chosen')).toBeVisible()
  await page.reload()
  await expect(page.getByText('2 of 2 tables chosen'), 'a reload loses nothing').toBeVisible()
  await expectAccessible(page, 'wizard: tables')
  await shot(page, 'wizard-4-tables')
  await clicks.on(page.getByRole('link', { name: 'Next' }))

  await expect(page.getByLabel('Name of the new group')).toHaveValue('shop_files')
  await expectAccessible(page, 'wizard: zones')
  await shot(page, 'wizard-5-zones')
  await clicks.on(page.getByRole('link', { name: 'Next' }))

  await expect(page.getByText('silver.orders')).toBeVisible()
  await expectAccessible(page, 'wizard: review')
  await shot(page, 'wizard-6-review')
  await clicks.on(page.getByRole('button', { name: 'Register and run first batch' }))
  await expect(page).toHaveURL(/\/batches\//)
  await silverIsThere(page, 'silver.orders', '3')
  const took = Date.now() - started
  console.log(
    `files: ${clicks.count} clicks, ${(took / 1000).toFixed(1)} s with the checks of every step`,
  )
  expect(clicks.count).toBeLessThanOrEqual(MOST_CLICKS)
  expect(faults, 'errors in the console').toEqual([])
})

test('a PostgreSQL becomes silver tables in at most twelve clicks and two minutes', async ({
  page,
}) => {
  test.skip(!process.env.TEST_POSTGRES_URL, 'TEST_POSTGRES_URL is not set')
  const at = new URL(process.env.TEST_POSTGRES_URL!)
  const database = `lakeforge_journey_${Date.now()}`
  const admin = postgres(at.href, { max: 1, onnotice: () => undefined })
  await admin.unsafe(`create database ${database}`)
  const sql = postgres(at.href, { max: 1, database, onnotice: () => undefined })
  const empty = await startOwnServer({ LAKEFORGE_SECRET_PG_PASSWORD: password() })
  try {
    await sql.unsafe(`
      create table orders (id int primary key, amount numeric(10, 2), updated_at timestamptz not null default now());
      insert into orders select n, n * 1.5 from generate_series(1, 1000) n;
      create table customers (id int primary key, name text);
      insert into customers select n, 'c' || n from generate_series(1, 50) n`)
    const clicks = new Clicks()
    await page.goto(`${empty.url}/`)
    const started = Date.now()
    await clicks.on(page.getByRole('link', { name: 'Add a source' }))
    await clicks.on(page.getByRole('link', { name: /^PostgreSQL/ }))
    await clicks.on(page.getByLabel('Host'))
    await page.keyboard.type(at.hostname)
    const fields: [string, string][] = [
      ['Port', at.port || '5432'],
      ['Database', database],
      ['User', decodeURIComponent(at.username)],
      ['Password', 'secret://pg/password'],
    ]
    for (const [label, text] of fields) {
      await page.keyboard.press('Tab')
      await expect(page.getByLabel(label)).toBeFocused()
      await page.keyboard.type(text)
    }
    await clicks.choose(page.getByLabel('TLS'), 'disable')
    await clicks.on(page.getByRole('button', { name: 'Save and test' }))
    await expect(page.getByText('Tables can be read')).toBeVisible({ timeout: 30_000 })
    await clicks.on(page.getByRole('link', { name: 'Choose tables' }))
    await clicks.on(page.getByRole('button', { name: 'Choose all 2' }))
    await expect(page.getByLabel('Cursor of public.orders')).toHaveValue('updated_at')
    await shot(page, 'wizard-pg-tables')
    await clicks.on(page.getByRole('link', { name: 'Next' }))
    await clicks.on(page.getByRole('link', { name: 'Next' }))
    await expect(page.getByText('silver.orders')).toBeVisible()
    await clicks.on(page.getByRole('button', { name: 'Register and run first batch' }))
    await silverIsThere(page, 'silver.orders', '1 k')
    const took = Date.now() - started
    console.log(`PostgreSQL: ${clicks.count} clicks, ${(took / 1000).toFixed(1)} s`)
    expect(clicks.count).toBeLessThanOrEqual(MOST_CLICKS)
    expect(took).toBeLessThan(MOST_MS)
    expect(faults, 'errors in the console').toEqual([])
  } finally {
    await empty.close()
    await sql.end()
    await admin.unsafe(`drop database if exists ${database} with (force)`)
    await admin.end()
  }
})

test('a test that fails names its step, says what to do, and shows no secret', async ({ page }) => {
  await page.goto(`${server.url}/sources/new?step=connection&kind=postgres`)
  await page.getByLabel('Host').fill('127.0.0.1')
  await page.getByLabel('Port').fill('1')
  await page.getByLabel('Database').fill('nowhere')
  await page.getByLabel('User').fill('nobody')
  await page.getByLabel('Password').fill('hunter2')
  await page.getByRole('button', { name: 'Save and test' }).click()
  await expect(page.getByText('Give a reference, secret://scope/key')).toBeVisible()
  await expect(page.getByLabel('Password')).toBeFocused()
  await page.getByLabel('Password').fill('secret://pg/password')
  await page.keyboard.press('Control+Enter')
  const refused = page.getByRole('alert').getByText('Port is reachable failed')
  await expect(refused).toBeVisible({ timeout: 30_000 })
  await expectAccessible(page, 'wizard: failed test')
  await shot(page, 'wizard-failed-test')
  await expect(page.getByRole('button', { name: 'Choose tables' })).toHaveAttribute(
    'aria-disabled',
    'true',
  )
  expect(await page.content()).not.toContain(password())
})

test('sources are found, looked at, changed, and deleted by keyboard alone', async ({ page }) => {
  await page.goto(`${server.url}/`)
  await expect(page.getByRole('heading', { level: 1, name: 'Home' })).toBeVisible()
  // The first press may come before the page listens
  await expect(async () => {
    await page.keyboard.press('g')
    await page.keyboard.press('s')
    await expect(page.getByRole('heading', { level: 1, name: 'Sources' })).toBeFocused({
      timeout: 1000,
    })
  }).toPass()
  await expect(page.getByRole('link', { name: 'shop_files' })).toBeVisible()
  await expect(page.getByRole('row', { name: /shop_files/ })).toContainText('2 tables')
  await expectAccessible(page, 'sources')
  await shot(page, 'sources')

  await test.step('a search and a filter stand in the address', async () => {
    await page.keyboard.press('/')
    await page.keyboard.type('shop')
    await expect(page).toHaveURL(/q=shop/)
    await expect(page.getByRole('link', { name: 'nowhere' })).toBeHidden()
    await page.reload()
    await expect(page.getByRole('searchbox', { name: 'Search' })).toHaveValue('shop')
    await page.goto(`${server.url}/sources?q=no-such-thing`)
    await expect(page.getByText('No source matches the filter')).toBeVisible()
    await page.getByRole('button', { name: 'Clear filters' }).first().click()
    await expect(page.getByRole('link', { name: 'shop_files' })).toBeVisible()
  })

  await test.step('Space looks at a row, Enter opens it', async () => {
    await page.keyboard.press('Escape')
    await page.getByRole('link', { name: 'shop_files' }).focus()
    await page.keyboard.press('Space')
    const drawer = page.getByRole('complementary', { name: 'shop_files' })
    await expect(drawer).toBeVisible()
    await expectAccessible(page, 'source drawer')
    await shot(page, 'source-drawer')
    await page.keyboard.press('Escape')
    await expect(drawer).toBeHidden()
    await page.keyboard.press('Enter')
    await expect(page.getByRole('heading', { level: 1, name: 'shop_files' })).toBeFocused()
    await expect(page.getByRole('table', { name: 'Tables of the source' })).toContainText('orders')
    await expectAccessible(page, 'source')
    await shot(page, 'source')
  })

  await test.step('somebody else’s change is not overwritten unseen', async () => {
    await page.getByRole('link', { name: 'Edit', exact: true }).press('Enter')
    await page.getByLabel('Description').fill('mine')
    const id = /sources\/([^/]+)\/edit/.exec(page.url())![1]!
    await fetch(`${server.url}/api/sources/${id}`, {
      method: 'PATCH',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ owner: 'theirs' }),
    })
    await page.keyboard.press('Control+Enter')
    await expect(page.getByText('Somebody else changed this')).toBeVisible()
    await expectAccessible(page, 'conflict')
    await shot(page, 'source-conflict')
    await page.getByRole('button', { name: 'Save mine over theirs' }).press('Enter')
    await expect(page.getByRole('heading', { level: 1, name: 'shop_files' })).toBeVisible()
    await expect(page.getByText('mine', { exact: true })).toBeVisible()
    await expect(page.getByText('theirs', { exact: true })).toBeVisible()
  })

  await test.step('leaving unsaved work behind asks', async () => {
    await page.getByRole('link', { name: 'Edit', exact: true }).press('Enter')
    await page.getByLabel('Description').fill('not saved')
    await page.getByRole('link', { name: 'Cancel' }).press('Enter')
    const ask = page.getByRole('dialog', { name: 'Leave without saving?' })
    await expect(ask).toBeVisible()
    await ask.getByRole('button', { name: 'Leave' }).press('Enter')
    await expect(page.getByText('mine', { exact: true })).toBeVisible()
  })

  await test.step('a deletion says first what depends on it', async () => {
    await page.getByRole('button', { name: 'Delete' }).press('Enter')
    const dialog = page.getByRole('dialog', { name: /Delete the source shop_files/ })
    await expect(dialog.getByText('things depend on it')).toBeVisible()
    await expect(dialog.getByText('orders', { exact: true })).toBeVisible()
    await expect(dialog.getByRole('button', { name: 'Delete source' })).toHaveAttribute(
      'aria-disabled',
      'true',
    )
    await expectAccessible(page, 'delete with dependants')
    await shot(page, 'source-delete')
    await page.keyboard.press('Escape')
    await page.goto(`${server.url}/sources?q=nowhere`)
    await page.getByRole('link', { name: 'nowhere' }).press('Enter')
    await page.getByRole('button', { name: 'Delete' }).press('Enter')
    await page.getByRole('button', { name: 'Delete source' }).press('Enter')
    await expect(page.getByText('Deleted the source nowhere')).toBeVisible()
    await expect(page.getByRole('heading', { level: 1, name: 'Sources' })).toBeVisible()
  })

  await test.step('the palette finds a source by name and goes there', async () => {
    await page.keyboard.press('Control+k')
    const palette = page.getByRole('dialog', { name: 'Search and commands' })
    await page.keyboard.type('shop_f')
    await expect(palette.getByRole('option', { name: /shop_files/ }).first()).toBeVisible()
    await expectAccessible(page, 'palette')
    await shot(page, 'palette')
    await page.keyboard.press('Enter')
    await expect(page.getByRole('heading', { level: 1, name: 'shop_files' })).toBeVisible()
  })
  // The browser says of each refused request that it was refused: the conflict's was meant to be.
  expect(
    faults.filter((text) => !text.includes('412')),
    'errors in the console',
  ).toEqual([])
})

function password(): string {
  const url = process.env.TEST_POSTGRES_URL
  return url ? decodeURIComponent(new URL(url).password) || 'unused-secret' : 'unused-secret'
}
