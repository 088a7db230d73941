import { expect, it } from 'vitest'
import { checkWorkspace } from './check-workspace.ts'
import { openClient } from './client.ts'
import { openFake } from './fake/index.ts'

const open = () => {
  const fake = openFake()
  const client = openClient(
    fake.host,
    { kind: 'pat', token: 'dapi-fake' },
    { fetch: fake.fetch, wait: async () => {} },
  )
  return { fake, client }
}
const options = {
  prefix: 'lakeforge_check_1',
  catalog: 'main',
  node_type: 'i3.xlarge',
  warehouse_id: 'wh0123456789abcd',
}

it('tries each point, and leaves a workspace as it was', async () => {
  const { fake, client } = open()
  fake.state.schemas['main.theirs'] = {
    full_name: 'main.theirs',
    catalog_name: 'main',
    name: 'theirs',
  }
  const before = JSON.stringify([
    fake.state.jobs,
    fake.state.pipelines,
    fake.state.schemas,
    fake.state.objects['/Shared/lakeforge_check_1'] ?? null,
  ])
  const points = await checkWorkspace(client, options)
  expect(points.filter((each) => each.outcome !== 'as expected')).toEqual([])
  expect(points.length).toBeGreaterThan(15)
  expect(
    JSON.stringify([
      fake.state.jobs,
      fake.state.pipelines,
      fake.state.schemas,
      fake.state.objects['/Shared/lakeforge_check_1'] ?? null,
    ]),
  ).toBe(before)
})

it('says which point came out otherwise, and still cleans up', async () => {
  const { fake, client } = open()
  fake.faults.push({ at: /POST .*jobs\/reset/, kind: 'denied' })
  const points = await checkWorkspace(client, { ...options, catalog: null })
  expect(points.filter((each) => each.outcome === 'otherwise').map((each) => each.name)).toEqual([
    'the same again by reset still shows none',
  ])
  expect(points.filter((each) => each.outcome === 'not tried').length).toBe(2)
  expect(Object.keys(fake.state.jobs)).toEqual([])
})
