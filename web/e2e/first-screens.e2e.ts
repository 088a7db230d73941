// From an empty home to a failed batch's error line, against the real server and its engine.
import { join } from 'node:path'
import { expect, test } from '@playwright/test'
import { expectAccessible } from './axe.ts'
import { seed } from './seed.ts'

test('a person sees what is declared, what runs, and why it failed', async ({ page, baseURL }) => {
  const url = baseURL!
  const faults: string[] = []
  page.on('console', (message) => {
    if (message.type() === 'error') faults.push(message.text())
  })
  page.on('pageerror', (error) => faults.push(error.message))
  const run = async (group: string) => {
    const response = await fetch(`${url}/api/groups/${group}/run`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{}',
    })
    expect(response.status).toBe(202)
  }

  await test.step('an empty home says what to type', async () => {
    await page.goto('/')
    await expect(page.getByText('Nothing is declared yet')).toBeVisible()
    await expect(page.getByText('npm run demo')).toBeVisible()
    await expectAccessible(page, 'empty home')
  })

  const groups = await seed(url, process.env.LAKEFORGE_E2E_DIR ?? join(import.meta.dirname, '..'))

  await test.step('new groups appear without a reload, with their schedule in words', async () => {
    await expect(page.getByRole('link', { name: 'shop' })).toBeVisible()
    await expect(page.getByText('At 06:00, Monday through Friday (Europe/Berlin)')).toBeVisible()
    await expect(page.getByText('npx lakeforge run shop')).toBeVisible()
  })

  await test.step('a batch is followed to its end', async () => {
    await run(groups.shop)
    await page
      .getByRole('link', { name: /^shop #1$|^#1 / })
      .first()
      .click()
    await expect(page.getByRole('heading', { level: 1, name: 'shop #1' })).toBeFocused()
    await expect(page.getByRole('status').getByText('Succeeded')).toBeVisible({ timeout: 120_000 })
    const timeline = page.getByRole('treegrid', { name: 'Timeline' })
    await expect(timeline.getByRole('row', { name: /^Raw/ })).toHaveAttribute('aria-level', '1')
    const orders = timeline.getByRole('row', { name: /silver\.orders/ })
    await expect(orders).toContainText('490')
    await expect(orders).toContainText('10')
    await expect(orders.getByLabel(/silver\.orders: succeeded/)).toBeVisible()
    await expectAccessible(page, 'batch')
  })

  await test.step('its rules and events are one click away and have addresses', async () => {
    await page.getByRole('link', { name: /^Rules/ }).click()
    await expect(page.getByRole('row', { name: /amount_known/ })).toContainText('Quarantined')
    await expectAccessible(page, 'rules')
    await page.getByRole('link', { name: 'Logs' }).click()
    await expect(page.getByRole('log')).toContainText('silver:silver.orders')
    await page.reload()
    await expect(page.getByRole('log')).toContainText('silver:silver.orders')
    await expectAccessible(page, 'logs')
  })

  await test.step('a failure asks for attention on its own, and leads to its cause', async () => {
    await page.keyboard.press('g')
    await page.keyboard.press('h')
    await expect(page.getByRole('heading', { level: 1, name: 'Home' })).toBeFocused()
    await run(groups.broken)
    const attention = page.getByRole('region', { name: /^Needs attention/ })
    await expect(attention.getByText('amount_needed')).toBeVisible({ timeout: 120_000 })
    await expectAccessible(page, 'home')
    await attention.getByRole('link', { name: /broken #1/ }).click()
    const cause = page.getByRole('region', { name: 'Cause of the failure' })
    await expect(cause.getByRole('heading', { name: 'silver.returns failed' })).toBeVisible()
    await expect(cause.getByText('1 step did not run because of it')).toBeVisible()
    await expect(
      page.getByRole('gridcell', { name: /gold\.returned: skipped, Upstream failed/ }),
    ).toBeVisible()
    await expectAccessible(page, 'failed batch')
  })

  await test.step('the timeline is walked by keyboard, to the details of a step', async () => {
    await page.keyboard.press('e')
    await page.keyboard.press('Enter')
    await expect(page).toHaveURL(/step=silver/)
    const details = page.getByRole('region', { name: 'silver.returns' })
    await expect(details).toBeVisible()
    await expectAccessible(page, 'step')
    await page.keyboard.press('Escape')
    await expect(details).toBeHidden()
    await expect(page.getByRole('treegrid')).toBeFocused()
  })

  await test.step('a retry runs again what failed, live', async () => {
    await page.getByRole('button', { name: 'Retry failed' }).click()
    const asked = page.getByRole('dialog', { name: 'Retry what failed?' })
    await expect(asked.getByRole('listitem')).toHaveCount(2)
    await asked.getByRole('button', { name: 'Retry 2 tables' }).click()
    await expect(page.getByRole('status').getByText('Failed · attempt 2')).toBeVisible({
      timeout: 120_000,
    })
  })

  await test.step('the list is filtered in the address, and back brings the view back', async () => {
    await page.keyboard.press('g')
    await page.keyboard.press('b')
    await expect(page.getByRole('heading', { level: 1, name: 'Batches' })).toBeFocused()
    await expect(page.getByRole('link', { name: 'shop #1' })).toBeVisible()
    await page.getByLabel('State').selectOption('failed')
    await expect(page).toHaveURL(/state=failed/)
    await expect(page.getByRole('link', { name: 'shop #1' })).toBeHidden()
    await expect(page.getByRole('link', { name: 'broken #1' })).toBeVisible()
    await expectAccessible(page, 'batches')
    await page.goBack()
    await expect(page.getByRole('link', { name: 'shop #1' })).toBeVisible()
    await page.goto('/batches?state=waiting')
    await expect(page.getByText('No batch matches the filter')).toBeVisible()
  })

  await test.step('the keys are listed, and can be switched off', async () => {
    const help = page.getByRole('dialog', { name: 'Keys' })
    // The first press may come before the page listens
    await expect(async () => {
      await page.keyboard.press('?')
      await expect(help.getByText('Go to batches')).toBeVisible({ timeout: 1000 })
    }).toPass()
    await expectAccessible(page, 'keys')
    await help.getByLabel('Single-letter keys').uncheck()
    await page.keyboard.press('Escape')
    await page.keyboard.press('?')
    await expect(help).toBeHidden()
  })

  expect(faults, 'errors in the console').toEqual([])
})
