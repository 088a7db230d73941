// A batch whose reports can't be kept: what runs is dead before anybody says that it failed.
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openTestApp } from '#functions/testing.ts'
import type { TestApp } from '#functions/testing.ts'
import { uuidv7 } from '#core/id.ts'
import type { Engine, Report } from './engine.ts'
import { driveBatch } from './run.ts'

let app: TestApp
beforeAll(async () => {
  app = await openTestApp()
  await app.sql`
    insert into config.environment ${app.sql({ id: uuidv7(), name: 'laptop', engine: 'local', is_default: true })}
  `
})
afterAll(() => app.sql.end())

/** An engine that says what it is told to, and keeps what is asked of it. */
function scripted(reports: Report[]) {
  const asked: string[] = []
  const engine = {
    name: 'local',
    start: async () => {
      asked.push('start')
      return 'handle'
    },
    poll: async () => reports.splice(0),
    cancel: async () => void asked.push('cancel'),
    abandon: async () => {
      const [batch] = await app.sql<{ state: string }[]>`select state from logging.batch_run`
      asked.push(`abandon while ${batch!.state}`)
    },
  } as unknown as Engine
  return { asked, engine }
}

it('a run whose reports fail is let go before its batch fails', async () => {
  const call = async (path: string, body: object) => {
    const answer = await app.call('POST', path, body)
    expect(answer.status, JSON.stringify(answer.body)).toBeLessThan(300)
    return answer.body as { id: string; batch_id: string }
  }
  const group = await call('/api/groups', { name: 'shop' })
  const source = await call('/api/sources', {
    name: 'shop',
    kind: 'files',
    options: { root: '/data' },
  })
  const raw = {
    name: 'orders',
    source_id: source.id,
    group_id: group.id,
    object: '*.csv',
    format: 'csv',
    read_mode: 'files',
  }
  await call('/api/raw-configs', raw)
  app.deps.engines.local = {} as Engine
  const { batch_id } = await call(`/api/groups/${group.id}/run`, {})
  const at = new Date().toISOString()
  const { asked, engine } = scripted([
    { kind: 'step', step: 'raw:shop.orders', state: 'running', attempt: 1, at },
    { kind: 'step', step: 'nobody', state: 'running', attempt: 1, at },
  ])
  expect(await driveBatch(app.sql, engine, batch_id)).toBe('failed')
  expect(asked).toEqual(['start', 'abandon while pending'])
})
