import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openClient } from '#engine/databricks/client.ts'
import { openFake } from '#engine/databricks/fake/index.ts'
import type { FakeWorkspace } from '#engine/databricks/fake/index.ts'
import { NOTEBOOK_HEADER, sha256 } from '#engine/databricks/specs.ts'
import { FILES, SHOP } from '#engine/databricks/sync.testing.ts'
import type { WorkspaceDoor } from '#engine/databricks/sync-run.ts'
import { openTestApp } from './testing.ts'
import type { TestApp } from './testing.ts'

let app: TestApp
let fake: FakeWorkspace

beforeAll(async () => {
  fake = openFake()
  const workspaces: WorkspaceDoor = {
    warehouse_id: null,
    client: async () =>
      openClient(
        fake.host,
        { kind: 'pat', token: 'dapi-fake' },
        { fetch: fake.fetch, wait: async () => {} },
      ),
    files: async () =>
      Object.entries(FILES).map(([path, text]) => ({
        path,
        sha256: sha256(text),
        notebook: text.startsWith(NOTEBOOK_HEADER),
      })),
    source: async (path) => FILES[path]!,
  }
  app = await openTestApp({ workspaces })
  const answer = await app.call('POST', '/api/apply', {
    files: [{ name: 'shop.yaml', text: SHOP() }],
  })
  expect(answer.status).toBe(200)
})
afterAll(() => app.sql.end())

describe('syncs', () => {
  let plan_id: string
  let sync_id: string

  it('are planned and stored, and nothing is written', async () => {
    const planned = await app.call('POST', '/api/sync/plan', { environment: 'prod' })
    expect(planned.status).toBe(200)
    expect(planned.body.actions.map((each: { id: string }) => each.id)).toContain('job:shop')
    plan_id = planned.body.id
    expect(fake.writes()).toEqual([])
    const { body } = await app.call('GET', '/api/sync/plans?environment=prod')
    expect(body.items).toMatchObject([{ id: plan_id, state: 'planned', environment: 'prod' }])
  })

  it('apply a plan, tell how far it has come, and are logged', async () => {
    const started = await app.call('POST', '/api/sync', { plan_id })
    expect([started.status, started.body.state]).toEqual([202, 'succeeded'])
    sync_id = started.body.id
    expect((await app.call('GET', `/api/sync/${sync_id}`)).body).toMatchObject({
      state: 'succeeded',
      environment: 'prod',
      plan_id,
    })
    const { body } = await app.call('GET', `/api/sync/plans/${plan_id}`)
    expect(body.items.filter((each: { state: string }) => each.state === 'succeeded').length).toBe(
      started.body.actions_done,
    )
    const events = await app.call('GET', `/api/sync/${sync_id}/events`)
    expect(events.body).toContain('"state":"succeeded"')
    // Asked to go on with one that has ended, nothing happens
    const writes = fake.writes().length
    expect((await app.call('POST', '/api/sync', { sync_id })).body.state).toBe('succeeded')
    expect(fake.writes().length).toBe(writes)
  })

  it('refuse a plan whose base has moved', async () => {
    const planned = await app.call('POST', '/api/sync/plan', {})
    await app.call('POST', '/api/sync/plan', {})
    const [schedule] = await app.sql<{ id: string }[]>`select id from config.schedule`
    await app.sql`update config.schedule set quartz_cron = '0 0 4 * * ?' where id = ${schedule!.id}`
    const answer = await app.call('POST', '/api/sync', { plan_id: planned.body.id })
    expect([answer.status, answer.body.code]).toEqual([409, 'sync_base_moved'])
  })

  it('run by themselves what needs nobody, also when called twice at once', async () => {
    const before = fake.writes().length
    const rounds = await Promise.all([
      app.call('POST', '/api/sync', {}),
      app.call('POST', '/api/sync', {}),
    ])
    expect(rounds.map((each) => each.status)).toEqual([202, 202])
    expect(fake.writes().slice(before)).toEqual(['POST /api/2.2/jobs/reset'])
    expect(Object.values(fake.state.jobs)[0]!.settings.schedule).toMatchObject({
      quartz_cron_expression: '0 0 4 * * ?',
    })
  })

  it('show drift and leave it to a person', async () => {
    Object.values(fake.state.jobs)[0]!.settings.description = 'mine now'
    const found = await app.call('GET', '/api/sync/drift?environment=prod')
    expect(found.body.items).toMatchObject([
      { id: 'job:shop', drift: [{ path: 'description', before: 'mine now' }] },
    ])
    const before = fake.writes().length
    await app.call('POST', '/api/sync', {})
    expect(fake.writes().length).toBe(before)
    const refused = await app.call('POST', '/api/sync', {
      plan_id: found.body.plan_id,
      drift: { 'job:shop': 'adopt' },
    })
    expect(refused.body).toMatchObject({ state: 'failed', error_code: 'sync_drift_foreign' })
    await app.call('POST', '/api/sync', {
      plan_id: found.body.plan_id,
      drift: { 'job:shop': 'ignore' },
    })
    const again = await app.call('GET', '/api/sync/drift')
    expect(again.body).toMatchObject({
      items: [],
      ignored: [{ id: 'job:shop', fields: { description: 'mine now' } }],
    })
  })

  it('give the same as a bundle', async () => {
    const { body } = await app.call('GET', '/api/sync/bundle?environment=prod')
    const files = new Map<string, string>(
      body.files.map((each: { path: string; text: string }) => [each.path, each.text]),
    )
    expect([...files.keys()]).toContain('notebooks/source_to_raw.py')
    expect(files.get('databricks.yml')).toContain('${resources.pipelines.shop.id}')
    expect(files.get('databricks.yml')).not.toContain('edit_mode')
  })

  it('say what is wrong: no such plan, no workspace, not enough of a role', async () => {
    const nobody = '01a20131-b157-70f7-9c88-ec9fc8cbf731'
    expect((await app.call('POST', '/api/sync', { plan_id: nobody })).status).toBe(404)
    expect((await app.call('GET', `/api/sync/${nobody}`)).status).toBe(404)
    expect((await app.call('GET', '/api/sync/plans/x')).status).toBe(404)
    expect((await app.call('POST', '/api/sync/plan', { environment: 'nowhere' })).body.code).toBe(
      'environment_unknown',
    )
    const bare = await openTestApp({}, { mode: 'token' })
    expect((await bare.call('POST', '/api/sync/plan', {})).status).toBe(401)
    await bare.sql.end()
  })
})
