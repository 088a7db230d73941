// Tables and groups: found, looked at as a graph and as a page, made and changed with rows before saving; and a graph of a
// thousand tables, measured.
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test, type Page } from '@playwright/test'
import { expectAccessible } from './axe.ts'
import { seed, type Seeded } from './seed.ts'
import { startOwnServer, type OwnServer } from './server.ts'
import { shot } from './shots.ts'

let server: OwnServer
let groups: Seeded
let faults: string[]

type Answer = { batch_id?: string; batch?: { finished_at: string | null } }
const api = async (method: string, path: string, body?: object) => {
  const response = await fetch(`${server.url}/api/${path}`, {
    method,
    headers: { 'content-type': 'application/json' },
    ...(body && { body: JSON.stringify(body) }),
  })
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`)
  return (await response.json()) as Answer
}

test.beforeAll(async () => {
  server = await startOwnServer()
  groups = await seed(server.url, server.dir)
  await api('POST', 'gold-configs', {
    target: 'gold.turnover',
    group_id: groups.shop,
    query: 'select customer, sum(amount) as turnover from silver.orders group by customer',
  })
  for (const group of [groups.shop, groups.broken]) {
    const { batch_id } = await api('POST', `groups/${group}/run`, {})
    await expect
      .poll(async () => (await api('GET', `batches/${batch_id}`)).batch?.finished_at, {
        timeout: 120_000,
      })
      .toBeTruthy()
  }
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
test.afterEach(() => {
  // A refused draft is an answer, which the browser writes down as an error all the same
  expect(
    faults.filter((text) => !/status of 4\d\d/.test(text)),
    'errors in the console',
  ).toEqual([])
})

const node = (page: Page, id: string) =>
  page.locator(`.svelte-flow__node[data-id="${id.replace('\n', '\\a ')}"]`)
const drawn = (page: Page) =>
  page
    .locator('.svelte-flow__node:not(.svelte-flow__node-zone)')
    .evaluateAll((all) => all.map((each) => each.getAttribute('data-id')).sort())

test('one filter for the list and the graph, walked by keyboard', async ({ page }) => {
  await test.step('the list has every source, raw object and table', async () => {
    await page.goto(`${server.url}/tables`)
    const table = page.getByRole('table', { name: 'Tables' })
    await expect(table.getByRole('link', { name: 'gold.turnover' })).toBeVisible()
    await expect(table.getByRole('row', { name: /silver\.returns/ })).toContainText('Failed')
    await expect(table.getByRole('row', { name: /silver\.orders/ })).toContainText('490')
    await expectAccessible(page, 'tables')
    await shot(page, 'tables')
  })

  await test.step('a filter is in the address, and the graph draws exactly its set', async () => {
    await page.keyboard.press('/')
    await expect(page.getByLabel('Filter')).toBeFocused()
    await page.keyboard.type('group:shop 2+silver.orders+')
    await expect(page).toHaveURL(/q=group/)
    const rows = page.getByRole('table', { name: 'Tables' }).locator('tbody tr[data-id]')
    await expect(rows).toHaveCount(4)
    const ids = await rows.evaluateAll((all) =>
      all.map((row) => row.getAttribute('data-id')).sort(),
    )
    await page.getByRole('link', { name: 'Graph', exact: true }).click()
    await expect(node(page, 'silver.orders')).toBeVisible()
    expect(await drawn(page)).toEqual(ids)
    await page.getByRole('button', { name: 'One hop before' }).click()
    await expect(page.getByLabel('Filter')).toHaveValue('group:shop 3+silver.orders+')
    await page.getByLabel('Filter').fill('zone:platinum')
    await expect(page.getByText('There is no zone “platinum”')).toBeVisible()
    await page.goBack()
    await expect(page.getByLabel('Filter')).toHaveValue(/orders/)
  })

  await test.step('a closed group is one box, and edges to it stay', async () => {
    await page.goto(`${server.url}/tables?view=graph`)
    await expect(node(page, 'gold.turnover')).toBeVisible()
    await expectAccessible(page, 'graph')
    await shot(page, 'graph')
    await page.getByRole('button', { name: 'shop', exact: true }).click()
    await expect(node(page, 'group:shop')).toBeVisible()
    await expect(node(page, 'silver.orders')).toBeHidden()
    await expect(
      page.locator('.svelte-flow__edge[aria-label="group:shop is made from source:files"]'),
    ).toHaveCount(1)
    await node(page, 'group:shop').click()
    await expect(node(page, 'silver.orders')).toBeVisible()
  })

  await test.step('pointing at a table lights its whole path', async () => {
    await node(page, 'silver.orders').hover()
    await expect(node(page, 'bronze.returns').locator('.opacity-25')).toHaveCount(1)
    await expect(node(page, 'gold.turnover').locator('.opacity-25')).toHaveCount(0)
  })

  await test.step('arrows walk from neighbour to neighbour, Enter opens the details', async () => {
    await page.mouse.move(5, 5)
    await page.goto(`${server.url}/tables?view=graph&q=silver.orders`)
    await expect(node(page, 'silver.orders')).toBeVisible()
    const graph = page.getByRole('application', { name: /^Graph of tables: arrows/ })
    await graph.focus()
    await page.keyboard.press('ArrowDown')
    await expect(graph).toHaveAttribute('aria-activedescendant', 'node-silver.orders')
    await page.keyboard.press('f')
    await expect(page.getByLabel('Filter')).toHaveValue('2+silver.orders+2')
    await expect(node(page, 'gold.turnover')).toBeVisible()
    await page.keyboard.press('ArrowRight')
    await expect(graph).toHaveAttribute('aria-activedescendant', 'node-gold.turnover')
    await page.keyboard.press('ArrowLeft')
    await page.keyboard.press('ArrowLeft')
    await expect(graph).toHaveAttribute('aria-activedescendant', 'node-bronze.orders')
    await page.keyboard.press('Enter')
    const panel = page.getByRole('complementary', { name: 'bronze.orders' })
    await expect(panel.getByText('1 silver table, 1 gold table use this.')).toBeVisible()
    await expectAccessible(page, 'graph with details')
    await shot(page, 'graph-details')
  })

  await test.step('a column’s way is two actions away, with the SQL on the edges', async () => {
    const panel = page.getByRole('complementary', { name: 'bronze.orders' })
    await panel.getByRole('button', { name: /^amount/ }).click()
    await expect(page.getByText('sum(amount)')).toBeVisible()
    await expect(node(page, 'gold.turnover\nturnover')).toBeVisible()
    await expectAccessible(page, 'way of a column')
    await shot(page, 'graph-column')
    await page.getByRole('button', { name: 'Back to the tables' }).click()
    await expect(node(page, 'bronze.orders')).toBeVisible()
  })

  await test.step('the menu of a table runs its group', async () => {
    await node(page, 'bronze.orders').click({ button: 'right' })
    const menu = page.getByRole('menu', { name: 'What to do with bronze.orders' })
    await expect(menu.getByRole('menuitem', { name: 'Open table' })).toBeFocused()
    await menu.getByRole('menuitem', { name: 'Run group shop' }).click()
    await expect(page.getByText('Started a batch of shop')).toBeVisible()
  })
})

test('a table’s page says what is known of it', async ({ page }) => {
  await page.goto(`${server.url}/tables/silver.orders`)
  await expect(page.getByRole('heading', { level: 1, name: 'silver.orders' })).toBeVisible()
  await expect(page.getByText('delta_scan(')).toBeVisible()
  await expect(
    page.getByRole('list', { name: 'Last runs, oldest first' }).getByRole('link').first(),
  ).toBeVisible()
  await expectAccessible(page, 'table')
  await shot(page, 'table')
  await page.getByRole('button', { name: 'pandas' }).click()
  await expect(page.getByText('from deltalake import DeltaTable')).toBeVisible()
  const tabs = page.getByRole('navigation', { name: 'About the table' })
  const go = async (name: string | RegExp) => {
    await tabs.getByRole('link', { name }).click()
  }
  await go(/^Columns/)
  await expect(page.getByRole('row', { name: /amount/ })).toContainText('int')
  await expectAccessible(page, 'columns')
  await page.getByRole('link', { name: 'amount' }).click()
  await expect(page.getByRole('row', { name: /silver\.orders\.amount/ }).first()).toBeVisible()
  await expect(page.getByRole('cell', { name: 'sum(amount)', exact: true })).toBeVisible()
  await expectAccessible(page, 'lineage')
  await go(/^Rules/)
  await expect(page.getByRole('row', { name: /amount_known/ })).toContainText('10')
  await expectAccessible(page, 'rules of a table')
  await go('Runs')
  await expect(page.getByRole('link', { name: 'shop #1' })).toBeVisible()
  await expectAccessible(page, 'runs of a table')
  await go('Data')
  await expect(
    page.getByRole('table', { name: 'Rows of silver.orders' }).getByRole('row'),
  ).toHaveCount(51)
  await expectAccessible(page, 'rows')
  await go('Config')
  await expect(page.getByText('inherited from group shop').first()).toBeVisible()
  await expectAccessible(page, 'config')
  await go('History')
  await expect(
    page.getByRole('table', { name: 'Versions' }).getByRole('link', { name: 'shop #1' }),
  ).toBeVisible()
  await expect(page.getByText('Made').first()).toBeVisible()
  await expectAccessible(page, 'history')
  await page.reload()
  await expect(page.getByRole('table', { name: 'Versions' })).toBeVisible()
  await page.goto(`${server.url}/tables/silver.nothing`)
  await expect(page.getByRole('alert')).toContainText('silver.nothing')
})

test('a silver and a gold table are made, with their rows before they are saved', async ({
  page,
}) => {
  await page.goto(`${server.url}/tables`)
  await page.getByText('New table').click()
  await page.getByRole('link', { name: /^Silver table/ }).click()
  await expect(page.getByRole('heading', { level: 1, name: 'New silver table' })).toBeFocused()
  await page.getByLabel('Table').fill('silver.big_orders')
  await page.getByLabel('Group').selectOption({ label: 'shop' })
  await page.getByLabel('From').fill('bronze.orders')
  await page.getByLabel('From').press('Enter')
  await page.getByRole('button', { name: 'Add all of the first table' }).click()
  await page.getByRole('textbox', { name: 'Expression of column 2' }).fill('amont * 2')
  await expect(page.getByText(/amont/).last()).toBeVisible()
  await expect(page.getByRole('region', { name: 'Preview' })).toContainText('amont')
  await expectAccessible(page, 'silver editor with a fault')

  await test.step('columns and functions are completed', async () => {
    const expression = page.getByRole('textbox', { name: 'Expression of column 2' })
    await expression.fill('')
    await expression.pressSequentially('amo')
    const option = page.getByRole('option', { name: /^amount/ })
    await expect(option).toHaveAttribute('aria-selected', 'true')
    await option.click()
    await expect(expression).toHaveText('amount')
    await expression.pressSequentially(' * 2')
  })

  await page.getByRole('textbox', { name: 'Where' }).fill('amount > 1000')
  const preview = page.getByRole('region', { name: 'Preview' })
  await expect(preview.getByText('The SQL is right: 3 columns of bronze.orders')).toBeVisible()
  await preview.getByRole('button', { name: 'Show rows' }).click()
  await expect(
    preview.getByRole('table', { name: 'Rows that it gives' }).getByRole('cell', { name: '2004' }),
  ).toBeVisible()
  await expectAccessible(page, 'silver editor')
  await shot(page, 'silver-editor')
  await page.keyboard.press('Control+Enter')
  await page.getByRole('button', { name: 'Make config' }).click()
  await expect(page.getByRole('heading', { level: 1, name: 'silver.big_orders' })).toBeVisible()

  await page.goto(`${server.url}/tables/new/gold?from=silver.orders&group=${groups.shop}`)
  await page.getByLabel('Table').fill('gold.customers')
  await page
    .getByRole('textbox', { name: 'Query' })
    .fill('select customer, count(*) as orders from silver.orders group by customer')
  await page.getByRole('button', { name: 'Show rows' }).click()
  await expect(page.getByRole('table', { name: 'Rows that it gives' })).toContainText('C3')
  await expectAccessible(page, 'gold editor')
  await page.getByRole('button', { name: 'Make config' }).click()
  await expect(page.getByRole('heading', { level: 1, name: 'gold.customers' })).toBeVisible()

  await test.step('a change is in the history, with its difference; then the table goes', async () => {
    await page.getByRole('link', { name: 'Config', exact: true }).click()
    await page.getByRole('link', { name: 'Edit', exact: true }).click()
    await page.getByLabel('Owner').fill('sales team')
    await page.getByLabel('Retries').fill('5')
    await expect(page.getByText('Overrides the 2 of group shop')).toBeVisible()
    await page.getByRole('button', { name: 'Save config' }).click()
    await expect(page.getByText('instead of the group’s 2')).toBeVisible()
    await page.getByRole('link', { name: 'History', exact: true }).click()
    await expect(page.getByText('+ sales team')).toBeVisible()
    await page.getByRole('link', { name: 'Config', exact: true }).click()
    await page.getByRole('link', { name: 'Edit', exact: true }).click()
    await page.getByRole('button', { name: 'Delete', exact: true }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Delete gold table' }).click()
    await expect(page.getByRole('heading', { level: 1, name: 'Tables' })).toBeVisible()
    await expect(page.getByRole('link', { name: 'gold.turnover' })).toBeVisible()
    await expect(page.getByRole('link', { name: 'gold.customers' })).toBeHidden()
  })

  await test.step('raw and bronze have forms too', async () => {
    await mkdir(join(server.dir, 'files'), { recursive: true })
    await writeFile(join(server.dir, 'files', 'items.csv'), 'id,name\n1,pen\n')
    await page.goto(`${server.url}/tables/new/raw?group=${groups.shop}`)
    await page.getByLabel('Name', { exact: false }).first().fill('items')
    await page.getByLabel('Source').selectOption({ label: 'files' })
    await page.getByLabel('Path').fill('items.csv')
    await page.getByLabel('Format').selectOption({ label: 'CSV' })
    await page.getByLabel('Read mode').selectOption('files')
    await page.getByRole('button', { name: 'Add a column' }).click()
    await page.getByLabel('Name of column 1').fill('id')
    await expectAccessible(page, 'raw editor')
    await page.getByRole('button', { name: 'Make config' }).click()
    await expect(page.getByRole('heading', { level: 1, name: 'New bronze table' })).toBeVisible()
    await page.getByLabel('Table').first().fill('bronze.items')
    await expect(page.getByLabel('Raw object')).toHaveValue(/.+/)
    await expectAccessible(page, 'bronze editor')
    await page.getByRole('button', { name: 'Make config' }).click()
    await expect(page.getByRole('heading', { level: 1, name: 'bronze.items' })).toBeVisible()
  })
})

test('a group is made, changed, cloned, run after its plan was read, and deleted', async ({
  page,
}) => {
  await page.goto(`${server.url}/groups`)
  await expect(page.getByRole('link', { name: 'shop', exact: true })).toBeVisible()
  await expectAccessible(page, 'groups')
  await shot(page, 'groups')
  await page.keyboard.press('n')
  await expect(page.getByRole('heading', { level: 1, name: 'New group' })).toBeVisible()
  await page.getByLabel('Name').fill('evening')
  await page.getByRole('button', { name: 'Add a URL' }).click()
  await page.getByLabel('URL 1', { exact: true }).fill('https://example.com/hook')
  await expectAccessible(page, 'new group')
  await page.getByRole('button', { name: 'Make group' }).click()
  await expect(page.getByRole('heading', { level: 1, name: 'evening' })).toBeVisible()
  await expect(page.getByText('https://example.com/hook')).toBeVisible()

  await page.getByRole('main').getByRole('link', { name: 'Settings' }).click()
  await page.getByLabel('Schedule').selectOption({ label: 'mornings' })
  await page.getByRole('button', { name: 'Save group' }).click()
  await expect(page.getByText('At 06:00, Monday through Friday (Europe/Berlin)')).toBeVisible()
  await page.getByRole('link', { name: 'Clone' }).click()
  await expect(page.getByLabel('Name')).toHaveValue('evening_copy')
  await page.getByRole('button', { name: 'Make group' }).click()
  await expect(page.getByRole('heading', { level: 1, name: 'evening_copy' })).toBeVisible()
  await page.getByRole('button', { name: 'Delete', exact: true }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Delete group' }).click()
  await expect(page.getByRole('heading', { level: 1, name: 'Groups' })).toBeVisible()
  await expect(page.getByRole('link', { name: 'evening', exact: true })).toBeVisible()
  await expect(page.getByRole('link', { name: 'evening_copy' })).toBeHidden()

  await page.getByRole('link', { name: 'broken', exact: true }).click()
  await expectAccessible(page, 'group')
  await shot(page, 'group')
  await page.getByRole('button', { name: 'Delete', exact: true }).click()
  const dialog = page.getByRole('dialog')
  await expect(dialog.getByRole('link', { name: 'silver.returns' })).toBeVisible()
  await expect(dialog.getByRole('button', { name: 'Delete group' })).toHaveAttribute(
    'aria-disabled',
    'true',
  )
  await dialog.getByRole('button', { name: 'Keep it' }).click()
  await page.getByRole('link', { name: 'Plan' }).click()
  await expect(page.getByRole('row', { name: /gold\.returned/ })).toContainText(
    'after silver.returns',
  )
  await expectAccessible(page, 'plan')
  await page.getByRole('link', { name: /^Tables \d/ }).click()
  await expect(page.getByRole('link', { name: 'gold.returned' })).toBeVisible()
  await page.getByRole('button', { name: 'Run now' }).click()
  await expect(page.getByRole('dialog').getByText('4 steps')).toBeVisible()
  await page.getByRole('dialog').getByRole('button', { name: 'Run group' }).click()
  await expect(page.getByRole('heading', { level: 1, name: /^broken #\d/ })).toBeVisible()
})

test('a graph of a thousand tables is quick', async ({ page }) => {
  test.setTimeout(240_000)
  const many = await startOwnServer()
  try {
    const lines = ['sources:', '  - { name: big, kind: files, options: { root: /tmp } }', 'groups:']
    const sections: Record<string, string[]> = { raw: [], bronze: [], silver: [], gold: [] }
    for (let g = 0; g < 20; g++) {
      lines.push(`  - { name: group_${g} }`)
      for (let t = 0; t < 17; t++) {
        const name = `t${g}_${t}`
        sections.raw!.push(
          `  - { name: ${name}, source: big, group: group_${g}, object: ${name}.csv, format: csv, read_mode: files, columns: [{ name: id, type: int }] }`,
        )
        sections.bronze!.push(`  - { target: bronze.${name}, raw: big.${name} }`)
        sections.silver!.push(
          `  - { target: silver.${name}, group: group_${g}, from: [bronze.${name}], load_type: append }`,
        )
        if (t % 4 === 0)
          sections.gold!.push(
            `  - { target: gold.${name}, group: group_${g}, query: select id from silver.${name} }`,
          )
      }
    }
    const text = [
      ...lines,
      ...['raw', 'bronze', 'silver', 'gold'].flatMap((zone) => [
        `${zone}_configs:`,
        ...sections[zone]!,
      ]),
    ].join('\n')
    const applied = await fetch(`${many.url}/api/apply`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ files: [{ name: 'many.yaml', text }] }),
    })
    expect(applied.status, await applied.text()).toBe(200)

    // Once before, so that the figures are of the screen and not of a cold server
    await page.goto(`${many.url}/tables`)
    await expect(page.getByText(/of 1[01]\d\d sources/)).toBeVisible({ timeout: 60_000 })

    const measured = async (what: string, path: string, id: string, budget_ms: number) => {
      const started = Date.now()
      await page.goto(`${many.url}${path}`)
      await expect(node(page, id)).toBeVisible({ timeout: 30_000 })
      const ms = Date.now() - started
      const nodes = await page.locator('.svelte-flow__node').count()
      console.log(`${what}: ${ms} ms to the first boxes, ${nodes} boxes in the document`)
      expect(ms).toBeLessThan(budget_ms)
    }
    await measured(
      'graph of 1000 tables, groups closed',
      '/tables?view=graph',
      'group:group_3',
      6000,
    )
    await shot(page, 'graph-groups')
    await measured(
      'graph of 1000 tables, all open',
      '/tables?view=graph&closed=-',
      'raw:big.t0_0',
      6000,
    )
    await shot(page, 'graph-1000')
    const q = encodeURIComponent('group:group_1,group_2,group_3,group_4')
    await measured('graph of 200 tables', `/tables?view=graph&closed=-&q=${q}`, 'silver.t1_1', 5000)

    const fps = await frames(page)
    console.log(`panning 200 tables: ${fps} frames a second`)
    expect(fps).toBeGreaterThan(20)
  } finally {
    await many.close()
  }
})

/** Frames a second while the picture is dragged about. */
async function frames(page: Page): Promise<number> {
  const box = (await page.locator('.svelte-flow__pane').boundingBox())!
  const counted = page.evaluate(
    () =>
      new Promise<number>((resolve) => {
        const start = performance.now()
        let n = 0
        const tick = () => {
          n++
          if (performance.now() - start < 1500) requestAnimationFrame(tick)
          else resolve(Math.round((n * 1000) / (performance.now() - start)))
        }
        requestAnimationFrame(tick)
      }),
  )
  await page.mouse.move(box.x + 300, box.y + box.height - 30)
  await page.mouse.down()
  for (let i = 0; i < 60; i++)
    await page.mouse.move(box.x + 300 + i * 4, box.y + box.height - 30 - (i % 20) * 3)
  await page.mouse.up()
  return counted
}
