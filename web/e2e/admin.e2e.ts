// Compute profiles, environments, rule sets and settings: made, changed, refused to go while they are used; a token shown once.
import { expect, test } from '@playwright/test'
import { expectAccessible } from './axe.ts'
import { startOwnServer, type OwnServer } from './server.ts'
import { shot } from './shots.ts'

let server: OwnServer
let faults: string[]

test.beforeAll(async () => {
  server = await startOwnServer({ LAKEFORGE_SECRET_CHAT_URL: 'https://chat.invalid/hidden-value' })
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

async function post(path: string, body: object): Promise<{ id: string }> {
  const response = await fetch(`${server.url}/api/${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`)
  return (await response.json()) as { id: string }
}

test('a compute profile is made by keyboard, inherits, and stays while it is used', async ({
  page,
}) => {
  await page.goto(`${server.url}/compute`)
  await expect(page.getByText('No compute profile yet')).toBeVisible()
  await expectAccessible(page, 'no compute profiles')
  await page.keyboard.press('n')
  await expect(page.getByRole('heading', { level: 1, name: 'New compute profile' })).toBeFocused()

  await test.step('faults stand at their fields, also those that need two of them', async () => {
    await page.getByLabel('Mode').selectOption('classic')
    await page.getByLabel('Workers at least').fill('4')
    await page.getByLabel('Node type', { exact: true }).fill('m5.large')
    await page.keyboard.press('Control+Enter')
    await expect(page.getByLabel('Name')).toBeFocused()
    await expect(page.getByText('This is needed.')).toBeVisible()
    await page.getByLabel('Name').fill('big')
    await page.keyboard.press('Control+Enter')
    await expect(page.getByText('Autoscale needs both bounds.')).toBeVisible()
    await expect(page.getByLabel('Workers at most')).toBeFocused()
    await expectAccessible(page, 'compute profile with faults')
    await shot(page, 'compute-faults')
    await page.getByLabel('Workers at most').fill('8')
    await page.getByLabel('Cost of an hour').fill('2.5')
    await page.keyboard.press('Control+Enter')
    await expect(page.getByRole('heading', { level: 1, name: 'big' })).toBeVisible()
    await expect(page.getByText('Nothing uses it.')).toBeVisible()
  })

  await test.step('a copy says what its parent fills in; its JSON is the same value', async () => {
    await page.getByRole('link', { name: 'Clone' }).click()
    await expect(page.getByLabel('Name')).toHaveValue('big_copy')
    await page.getByLabel('Parent').selectOption({ label: 'big' })
    await page.getByLabel('Node type', { exact: true }).fill('')
    await expect(page.getByText('From the parent: m5.large.').first()).toBeVisible()
    await page.getByRole('button', { name: 'JSON' }).click()
    const json = page.getByLabel('JSON of the compute profile')
    const value = JSON.parse(await json.inputValue())
    expect(value).toMatchObject({ name: 'big_copy', node_type: null, max_workers: 8 })
    await json.fill('{')
    await expect(page.getByRole('alert').getByText('This is no JSON.')).toBeVisible()
    await json.fill(JSON.stringify({ ...value, name: 'small', max_workers: 9 }))
    await page.getByRole('button', { name: 'Form' }).click()
    await expect(page.getByLabel('Workers at most')).toHaveValue('9')
    await page.getByRole('button', { name: 'Save compute profile' }).click()
    await expect(page.getByRole('heading', { level: 1, name: 'small' })).toBeVisible()
  })

  await test.step('deleting one in use is refused, with links', async () => {
    const rows = await (await fetch(`${server.url}/api/compute-profiles`)).json()
    const big = rows.items.find((row: { name: string }) => row.name === 'big')
    await post('groups', { name: 'nightly', compute_profile_id: big.id })
    await page.goto(`${server.url}/compute`)
    await expect(page.getByRole('row', { name: /big/ })).toContainText('2')
    await expectAccessible(page, 'compute profiles')
    await shot(page, 'compute')
    await page.getByRole('link', { name: 'big' }).press('Enter')
    await expect(page.getByText('no batch yet')).toBeVisible()
    await expectAccessible(page, 'compute profile')
    await shot(page, 'compute-one')
    await page.getByRole('button', { name: 'Delete' }).click()
    const dialog = page.getByRole('dialog')
    await expect(dialog.getByText('2 things depend on it')).toBeVisible()
    await expect(dialog.getByRole('link', { name: 'nightly' })).toHaveAttribute('href', /groups/)
    await expect(dialog.getByRole('link', { name: 'small' })).toBeVisible()
    await expect(dialog.getByRole('button', { name: 'Delete compute profile' })).toHaveAttribute(
      'aria-disabled',
      'true',
    )
    await page.keyboard.press('Escape')
  })
  expect(faults, 'errors in the console').toEqual([])
})

test('an environment is changed, and production is marked on every page', async ({ page }) => {
  await page.goto(`${server.url}/environments`)
  await expect(page.getByRole('row', { name: /laptop/ })).toContainText('Default')
  await expectAccessible(page, 'environments')
  await shot(page, 'environments')
  await page.getByRole('link', { name: 'New environment' }).click()
  await page.getByLabel('Name').fill('prod')
  await page.getByLabel('Engine').selectOption('databricks')
  await page.getByLabel('Workspace').fill('example.com')
  await page.getByLabel('Root').fill('/lake')
  await page.getByRole('button', { name: 'Save environment' }).click()
  await expect(page.getByText('Give https:// and the host.')).toBeVisible()
  await expect(page.getByText('Say in which catalog.')).toBeVisible()
  await page.getByLabel('Workspace').fill('https://example.com')
  await page.getByLabel('Catalog').fill('main')
  await expectAccessible(page, 'environment')
  await shot(page, 'environment-new')
  await page.keyboard.press('Control+Enter')
  await expect(page.getByRole('heading', { level: 1, name: 'prod' })).toBeVisible()
  await expect(page.getByText('Nothing uses it.')).toBeVisible()
  expect(faults, 'errors in the console').toEqual([])
})

test('a rule set is put together, and its faults stand at their rules', async ({ page }) => {
  await page.goto(`${server.url}/rule-sets`)
  await expect(page.getByText('No rule set yet')).toBeVisible()
  await page.getByRole('link', { name: 'New rule set' }).first().click()
  await page.getByLabel('Name').first().fill('basics')
  await page.getByRole('button', { name: 'Add a rule' }).click()
  const rule = page.getByRole('group', { name: 'Rules' })
  await rule.getByLabel('Name').fill('has_id')
  await page.getByRole('button', { name: 'Save rule set' }).click()
  await expect(rule.getByText('Not null needs at least one column.')).toBeVisible()
  await rule.getByLabel('Columns').fill('id')
  await page.keyboard.press('Enter')
  await page.getByLabel('Tables', { exact: true }).fill('silver.*')
  await page.keyboard.press('Enter')
  await expectAccessible(page, 'rule set')
  await shot(page, 'rule-set')
  await page.keyboard.press('Control+Enter')
  await expect(page.getByRole('heading', { level: 1, name: 'basics' })).toBeVisible()
  await page.goto(`${server.url}/rule-sets`)
  await expect(page.getByRole('row', { name: /basics/ })).toContainText('silver.*')
  await expectAccessible(page, 'rule sets')
  expect(faults, 'errors in the console').toEqual([])
})

test('a token is shown once, references to secrets never show a value', async ({ page }) => {
  await post('groups', { name: 'told', notify: [{ url: 'secret://chat/url' }] })
  await post('sources', {
    name: 'db',
    kind: 'postgres',
    options: { host: 'h', database: 'd', user: 'u', password: 'secret://pg/nowhere' },
  })
  await page.goto(`${server.url}/settings?tab=tokens`)
  await expect(page.getByText('No token yet')).toBeVisible()
  await page.getByRole('button', { name: 'New token' }).click()
  await page.getByLabel('Name').fill('ci')
  await page.getByLabel('Role').selectOption('operator')
  await expectAccessible(page, 'new token')
  await page.getByRole('button', { name: 'Make token' }).click()
  const shown = page.getByRole('alert').filter({ hasText: 'shown this once' })
  const token = (await shown.locator('code').textContent())!.trim()
  expect(token).toMatch(/^lf_[0-9a-f]{64}$/)
  await expectAccessible(page, 'token made')
  await shot(page, 'settings-token')
  await page.getByRole('button', { name: 'I have kept it' }).click()
  await page.reload()
  await expect(page.getByRole('row', { name: /ci/ })).toContainText('operator')
  expect(await page.content()).not.toContain(token)
  await page.getByRole('button', { name: 'Revoke' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Revoke token' }).click()
  await expect(page.getByRole('row', { name: /ci/ })).toContainText('Revoked')

  await page.getByRole('link', { name: 'Secrets' }).click()
  await expect(page.getByRole('row', { name: /secret:\/\/chat\/url/ })).toContainText('told')
  await expect(
    page.getByRole('row', { name: /chat/ }).getByText('Set', { exact: true }),
  ).toBeVisible()
  await expect(page.getByRole('row', { name: /pg\/nowhere/ }).getByText('Missing')).toBeVisible()
  expect(await page.content()).not.toContain('hidden-value')
  await expectAccessible(page, 'secrets')
  await shot(page, 'settings-secrets')

  await page.getByRole('link', { name: 'Health' }).click()
  await expect(page.getByText('Store version')).toBeVisible()
  await expectAccessible(page, 'health')
  await shot(page, 'settings-health')
  await page.getByRole('link', { name: 'Appearance and keys' }).click()
  await page.getByLabel('Dark', { exact: true }).check()
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'dark')
  await page.getByLabel('As the system').check()
  await page.getByLabel('Narrow side bar').check()
  await expectAccessible(page, 'appearance')
  await shot(page, 'settings-appearance')
  expect(faults, 'errors in the console').toEqual([])
})
