// Metadata in bulk: files that are previewed before they change anything, a sheet that is pasted into and saved at once.
import { readFile } from 'node:fs/promises'
import { expect, test } from '@playwright/test'
import { expectAccessible } from './axe.ts'
import { startOwnServer, type OwnServer } from './server.ts'
import { shot } from './shots.ts'

let server: OwnServer
let faults: string[]

test.beforeAll(async () => {
  server = await startOwnServer()
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

const groups = async () => {
  const { items } = await (await fetch(`${server.url}/api/groups?limit=500`)).json()
  return new Map<string, { retries: number; owner: string; max_parallel: number; id: string }>(
    items.map((row: { name: string }) => [row.name, row]),
  )
}

test('files are previewed before they change anything, and come out again as they went in', async ({
  page,
}) => {
  await page.goto(`${server.url}/import`)
  await expect(page.getByRole('heading', { level: 1, name: 'Import and export' })).toBeVisible()
  await page.getByLabel('Or paste YAML').fill('groups:\n  - name: shop\n    retries: many\n')
  await page.getByRole('button', { name: 'Preview changes' }).click()
  const refused = page.getByRole('alert')
  await expect(refused).toContainText('pasted:3')
  await page
    .getByLabel('Or paste YAML')
    .fill('groups:\n  - name: shop\n    retries: 3\n  - name: crm\n')
  await page.getByRole('button', { name: 'Preview changes' }).click()
  await expect(page.getByText('+ 2 to create')).toBeVisible()
  expect((await groups()).size, 'a preview changes nothing').toBe(0)
  await page.getByRole('button', { name: 'Apply 2 changes' }).click()
  await expect(page.getByText('Applied 2 changes')).toBeVisible()
  expect((await groups()).get('shop')?.retries).toBe(3)

  await test.step('a CSV file changes only the columns that it has', async () => {
    await page.getByLabel('Metadata files').setInputFiles({
      name: 'groups.csv',
      mimeType: 'text/csv',
      buffer: Buffer.from('name;owner\nshop;ada\nnew_one;lin\n'),
    })
    await page.getByRole('button', { name: 'Preview changes' }).click()
    await expect(page.getByText('+ 1 to create')).toBeVisible()
    await expect(page.getByText('~ 1 to update')).toBeVisible()
    await expectAccessible(page, 'import preview')
    await shot(page, 'import')
    await page.getByRole('button', { name: 'Apply 2 changes' }).click()
    await expect(page.getByText('Applied 2 changes').last()).toBeVisible()
    await expect.poll(async () => (await groups()).get('shop')?.owner).toBe('ada')
    expect((await groups()).get('shop')?.retries).toBe(3)
  })

  await test.step('the export is what an import takes back unchanged', async () => {
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Download YAML' }).click(),
    ])
    expect(download.suggestedFilename()).toBe('lakeforge.yaml')
    const text = await readFile(await download.path(), 'utf8')
    await page.getByLabel('Or paste YAML').fill(text)
    await page.getByRole('button', { name: 'Preview changes' }).click()
    await expect(page.getByRole('button', { name: 'Apply 0 changes' })).toHaveAttribute(
      'aria-disabled',
      'true',
    )
  })
  expect(
    faults.filter((text) => !text.includes('422')),
    'errors in the console',
  ).toEqual([])
})

test('many things are edited in a sheet: pasted, checked at the cell, previewed, saved at once', async ({
  page,
  context,
}) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write'])
  const lines = Array.from(
    { length: 300 },
    (_, n) => `  - name: bulk_${String(n).padStart(3, '0')}`,
  )
  await fetch(`${server.url}/api/apply`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ files: [{ name: 'a.yaml', text: ['groups:', ...lines].join('\n') }] }),
  })
  await page.goto(`${server.url}/bulk?kind=groups`)
  await expect(page.getByLabel('Retries of bulk_000')).toBeVisible()
  expect(await page.locator('tbody tr').count(), 'only rows in sight are drawn').toBeLessThan(100)

  await page.keyboard.press('/')
  await page.keyboard.type('bulk_0')
  await page.getByLabel('Set a column').selectOption({ label: 'Parallel tables' })
  await page.getByLabel('To this, empty for the default').fill('7')
  await page.getByRole('button', { name: 'Set for 100 rows' }).click()
  await expect(page.getByText('100 cells changed in 100 rows')).toBeVisible()

  await page.evaluate(() => navigator.clipboard.writeText('5\tx\n6\t\n'))
  const cell = page.getByLabel('Retries of bulk_001')
  await cell.focus()
  await page.keyboard.press('Control+v')
  await expect(cell).toHaveValue('5')
  await expect(page.getByLabel('Retries of bulk_002')).toHaveValue('6')
  const faulty = page.getByRole('list', { name: 'Faults' })
  await expect(faulty).toContainText('bulk_001')
  await expect(page.getByRole('button', { name: 'Preview changes' })).toHaveAttribute(
    'aria-disabled',
    'true',
  )
  await expectAccessible(page, 'bulk edit with a fault')
  await shot(page, 'bulk')
  await page.getByLabel('Timeout (s) of bulk_001').fill('60')
  await page.keyboard.press('Enter')
  await expect(page.getByLabel('Timeout (s) of bulk_002')).toBeFocused()
  await expect(faulty).toBeHidden()
  await page.getByRole('button', { name: 'Preview changes' }).click()
  await expect(page.getByText('~ 100 to update')).toBeVisible()
  await page.getByRole('button', { name: 'Save 100 rows' }).click()
  await expect(page.getByText('Saved 100 rows')).toBeVisible()
  const saved = await groups()
  expect(saved.get('bulk_001')).toMatchObject({ retries: 5, max_parallel: 7, timeout_s: 60 })
  expect(saved.get('bulk_002')).toMatchObject({ retries: 6, max_parallel: 7 })
  expect(saved.get('bulk_100')).toMatchObject({ retries: 2, max_parallel: 4 })
  expect(faults, 'errors in the console').toEqual([])
})
