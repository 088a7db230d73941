// Schedules by their routes, and what SyncJobs makes of them: each due run once, however many ask.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { claimDue } from '#engine/sync-jobs.ts'
import { uuidv7 } from '#core/id.ts'
import { openTestApp } from './testing.ts'
import type { TestApp } from './testing.ts'

let app: TestApp
let source_id: string
beforeAll(async () => {
  app = await openTestApp()
  const source = { name: 'files', kind: 'files', options: { root: '/data' } }
  source_id = (await app.call('POST', '/api/sources', source)).body.id
  await app.sql`
    insert into config.environment ${app.sql({ id: uuidv7(), name: 'laptop', engine: 'local', is_default: true })}
  `
})
afterAll(() => app.sql.end())

/** A group on a schedule that was looked at first at `at`. */
async function group(name: string, schedule: Record<string, unknown>, at: Date): Promise<string> {
  const { body } = await app.call('POST', '/api/schedules', { name, ...schedule })
  expect(body.id, JSON.stringify(body)).toBeTruthy()
  const made = await app.call('POST', '/api/groups', { name, schedule_id: body.id })
  // Without a table a batch has nothing to do and is over at once
  const raw = {
    name,
    source_id,
    group_id: made.body.id,
    object: '*.csv',
    format: 'csv',
    read_mode: 'files',
  }
  expect((await app.call('POST', '/api/raw-configs', raw)).status).toBe(201)
  await claimDue(app.sql, { now: at })
  return made.body.id
}

const batchesOf = (id: string) =>
  app.sql<{ due_at: Date; state: string }[]>`
    select due_at, state from logging.batch_run where group_id = ${id} order by seq
  `

describe('a schedule', () => {
  it('leaves its group late where a due run brought nothing for long', async () => {
    const hourly = { quartz_cron: '0 0 * * * ?', timezone: 'UTC', misfire: 'run_once' }
    const id = await group('late', hourly, new Date())
    const late = async () =>
      (await app.call('GET', '/api/overview')).body.late.map(
        (each: { group_name: string }) => each.group_name,
      )
    // Looked at for the first time: nothing was due yet
    expect(await late()).not.toContain('late')
    const hours = (count: number) => new Date(Date.now() - count * 3_600_000)
    await app.sql`
      update logging.schedule_state set next_run_at = ${hours(2)}, last_due_at = ${hours(3)} where group_id = ${id}
    `
    // Nobody has claimed what was due two hours ago
    expect(await late()).toContain('late')
    // Claimed, it is late until it has succeeded
    await claimDue(app.sql, { now: new Date() })
    const [batch] = await batchesOf(id)
    expect(batch).toMatchObject({ state: 'pending' })
    await app.sql`update logging.batch_run set due_at = ${hours(1)} where group_id = ${id}`
    expect(await late()).toContain('late')
    await app.sql`
      insert into logging.batch_run
        (id, group_id, group_name, environment_id, environment, seq, engine, state, trigger, plan_hash, metadata_version, started_at, finished_at)
      select ${uuidv7()}, group_id, group_name, environment_id, environment, seq + 1, engine, 'succeeded', 'manual', plan_hash,
        metadata_version, now(), now()
      from logging.batch_run where group_id = ${id}
    `
    expect(await late()).not.toContain('late')
  })

  it('shows its week, and which of its groups will overlap', async () => {
    const at = new Date()
    const id = await group('week', { quartz_cron: '0 0 0/6 * * ?', timezone: 'UTC' }, at)
    const paused = await app.call('POST', '/api/schedules', {
      name: 'week_paused',
      quartz_cron: '0 0 6 * * ?',
      paused: true,
    })
    await app.sql`
      insert into config.plan (hash, group_id, plan) values ('week', ${id}, '{}')
    `
    await app.sql`
      insert into logging.batch_run ${app.sql({
        id: uuidv7(),
        group_id: id,
        group_name: 'week',
        environment_id: uuidv7(),
        environment: 'laptop',
        seq: 1,
        engine: 'local',
        state: 'succeeded',
        trigger: 'manual',
        plan_hash: 'week',
        metadata_version: 1,
        started_at: new Date(at.getTime() - 8 * 3_600_000),
        finished_at: at,
      })}
    `
    const { body } = await app.call('GET', '/api/schedules/week')
    const week = body.items.find((each: { name: string }) => each.name === 'week')
    expect(week.runs).toHaveLength(28)
    expect(week.overlaps).toMatchObject([
      { group_id: id, usual_ms: 8 * 3_600_000, every_ms: 6 * 3_600_000 },
    ])
    const still = body.items.find((each: { name: string }) => each.name === 'week_paused')
    expect(still).toMatchObject({ schedule_id: paused.body.id, runs: [], overlaps: [] })
  })

  it('is told in words with its next runs before it is saved', async () => {
    const { status, body } = await app.call('POST', '/api/schedules/preview?count=3', {
      name: 'mornings',
      quartz_cron: '0 0 6 ? * MON-FRI',
      timezone: 'Europe/Berlin',
    })
    expect(status).toBe(200)
    expect(body.description).toContain('06:00')
    expect(body.next).toHaveLength(3)
    const wrong = await app.call('POST', '/api/schedules/preview', {
      name: 'x',
      quartz_cron: '0 6 * * *',
    })
    expect(wrong).toMatchObject({ status: 422, body: { errors: [{ path: 'quartz_cron' }] } })
  })

  it('makes one batch for each due run, however many ask at once', async () => {
    const id = await group('six', { quartz_cron: '0 0 6 * * ?' }, new Date('2026-03-01T05:00:00Z'))
    expect(await batchesOf(id)).toEqual([])
    const now = new Date('2026-03-01T06:00:05Z')
    await Promise.all([1, 2, 3, 4].map(() => claimDue(app.sql, { now })))
    expect(await batchesOf(id)).toMatchObject([
      { due_at: new Date('2026-03-01T06:00:00Z'), state: 'pending' },
    ])
    await claimDue(app.sql, { now: new Date('2026-03-01T06:00:30Z') })
    expect(await batchesOf(id)).toHaveLength(1)
  })

  it('skips a run while the group still runs, or queues it, as it says', async () => {
    const start = new Date('2026-04-01T00:30:00Z')
    const skipping = await group('skipping', { quartz_cron: '0 0 * * * ?', overlap: 'skip' }, start)
    const queueing = await group(
      'queueing',
      { quartz_cron: '0 0 * * * ?', overlap: 'queue' },
      start,
    )
    for (const hour of [1, 2])
      await claimDue(app.sql, { now: new Date(`2026-04-01T0${hour}:00:01Z`) })
    expect(await batchesOf(skipping)).toHaveLength(1)
    expect(await batchesOf(queueing)).toHaveLength(2)
  })

  it('makes up for missed runs once, or not at all, as it says', async () => {
    const start = new Date('2026-05-01T00:00:00Z')
    const once = await group(
      'once',
      { quartz_cron: '0 0 * * * ?', misfire: 'run_once', overlap: 'queue' },
      start,
    )
    const never = await group(
      'never',
      { quartz_cron: '0 0 * * * ?', misfire: 'skip', overlap: 'queue' },
      start,
    )
    const late = new Date('2026-05-01T09:30:00Z')
    const { skipped } = await claimDue(app.sql, { now: late })
    expect(await batchesOf(once)).toMatchObject([{ due_at: new Date('2026-05-01T09:00:00Z') }])
    expect(await batchesOf(never)).toEqual([])
    expect(skipped.find((each) => each.group === 'never')?.reason).toMatch(/missed 9/)
    await claimDue(app.sql, { now: new Date('2026-05-01T10:00:01Z') })
    expect(await batchesOf(never)).toHaveLength(1)
  })

  it('does nothing while it or its environment is paused', async () => {
    const id = await group(
      'paused',
      { quartz_cron: '0 0 * * * ?', paused: true },
      new Date('2026-06-01T00:30:00Z'),
    )
    await claimDue(app.sql, { now: new Date('2026-06-01T01:00:01Z') })
    expect(await batchesOf(id)).toEqual([])
  })
})
