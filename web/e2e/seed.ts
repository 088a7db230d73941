// Metadata for the journey, made through the API: a shop whose orders pass with some rows quarantined, and one whose rule fails.
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

export type Seeded = { shop: string; broken: string }

/** Writes the files below `dir` and declares both groups; answers their ids. */
export async function seed(url: string, dir: string): Promise<Seeded> {
  const post = async (path: string, body: object): Promise<{ id: string }> => {
    const response = await fetch(`${url}/api/${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`)
    return (await response.json()) as { id: string }
  }

  const files = join(dir, 'files')
  await mkdir(files, { recursive: true })
  const orders = Array.from(
    { length: 500 },
    (_, n) => `${n},${n % 50 === 0 ? '' : n * 3},C${n % 7}`,
  )
  await writeFile(join(files, 'orders.csv'), ['id,amount,customer', ...orders, ''].join('\n'))
  await writeFile(join(files, 'customers.csv'), 'id,name\nC0,Ada\nC1,Grace\n')

  const source = await post('sources', { name: 'files', kind: 'files', options: { root: files } })
  const schedule = await post('schedules', {
    name: 'mornings',
    kind: 'cron',
    quartz_cron: '0 0 6 ? * MON-FRI',
    timezone: 'Europe/Berlin',
  })
  const shop = await post('groups', {
    name: 'shop',
    description: 'Orders and customers of the shop',
    schedule_id: schedule.id,
  })
  const broken = await post('groups', { name: 'broken', description: 'A rule that must fail' })

  const bronze = async (group_id: string, name: string, object: string, columns: string[]) => {
    const raw = await post('raw-configs', {
      name,
      source_id: source.id,
      group_id,
      object,
      format: 'csv',
      read_mode: 'files',
      columns: columns.map((column) => {
        const [column_name, type] = column.split(' ')
        return { name: column_name, type }
      }),
    })
    await post('bronze-configs', { target: `bronze.${name}`, raw_id: raw.id })
  }
  const order_columns = ['id int', 'amount int', 'customer string']
  await bronze(shop.id, 'orders', 'orders.csv', order_columns)
  await bronze(shop.id, 'customers', 'customers.csv', ['id string', 'name string'])
  await bronze(broken.id, 'returns', 'orders.csv', order_columns)
  const silver = (group_id: string, name: string) =>
    post('silver-configs', {
      target: `silver.${name}`,
      group_id,
      from: [`bronze.${name}`],
      load_type: 'append',
    })
  await silver(shop.id, 'orders')
  await silver(broken.id, 'returns')
  await post('gold-configs', {
    target: 'gold.returned',
    group_id: broken.id,
    query: 'select customer, count(*) as returns from silver.returns group by customer',
    materialisation: 'replace',
  })
  const rule = { check: 'not_null', columns: ['amount'] }
  await post('dq-rules', {
    ...rule,
    name: 'amount_known',
    target: 'silver.orders',
    on_fail: 'quarantine',
  })
  await post('dq-rules', {
    ...rule,
    name: 'amount_needed',
    target: 'silver.returns',
    on_fail: 'fail',
  })
  return { shop: shop.id, broken: broken.id }
}
