import { AsyncResource } from 'node:async_hooks'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { FINAL_STATES, STATES, STEP_TRANSITIONS } from '#core/batch.ts'
import type { State } from '#core/batch.ts'
import { firstIdAt, uuidv7 } from '#core/id.ts'
import type { Db } from './db.ts'
import { freshDb, ON_SERVER } from './testing.ts'

const sql = await freshDb()
afterAll(() => sql.end())

const GROUP = uuidv7()
const ENVIRONMENT = uuidv7()
beforeAll(async () => {
  await sql`insert into config.plan ${sql({ hash: 'plan', group_id: GROUP, plan: {} })}`
})

async function batch(steps: string[], more = {}): Promise<string> {
  const id = uuidv7()
  await sql.begin(async (tx) => {
    const [seq] = await tx`select logging.next_seq(${GROUP}, ${ENVIRONMENT}) as seq`
    const row = {
      id,
      group_id: GROUP,
      group_name: 'shop',
      environment_id: ENVIRONMENT,
      environment: 'laptop',
      seq: seq!.seq,
      engine: 'local',
      trigger: 'manual',
      plan_hash: 'plan',
      metadata_version: 1,
      ...more,
    }
    await tx`insert into logging.batch_run ${tx(row)}`
    for (const key of steps) {
      const [zone, name] = key.split(':')
      const step = {
        id: uuidv7(),
        batch_id: id,
        group_id: GROUP,
        key,
        zone,
        name,
        config_id: uuidv7(),
      }
      await tx`insert into logging.step_run ${tx(step)}`
    }
  })
  return id
}
async function set(id: string, key: string, state: State, db: Db = sql): Promise<State> {
  const [row] = await db`select logging.set_step_state(${id}, ${key}, ${state}) as state`
  return row!.state
}
async function read(id: string) {
  const [row] = await sql`select * from logging.batch_run where id = ${id}`
  return row!
}
async function step(id: string, key: string) {
  const [row] = await sql`select * from logging.step_run where batch_id = ${id} and key = ${key}`
  return row!
}
/** Takes a new step to a state on an allowed way. */
async function take(id: string, key: string, state: State) {
  if (state === 'succeeded') await set(id, key, 'running')
  await set(id, key, state)
}

describe("a batch's state follows from its steps", () => {
  it.each<[State[], State]>([
    [[], 'succeeded'],
    [['pending'], 'pending'],
    [['pending', 'pending'], 'pending'],
    [['running', 'pending'], 'running'],
    [['succeeded', 'pending'], 'running'],
    [['waiting', 'pending'], 'waiting'],
    [['running', 'waiting'], 'running'],
    [['failed', 'running'], 'running'],
    [['failed', 'pending'], 'running'],
    [['succeeded', 'succeeded'], 'succeeded'],
    [['succeeded', 'skipped'], 'succeeded'],
    [['skipped', 'skipped'], 'skipped'],
    [['succeeded', 'failed', 'skipped'], 'failed'],
    [['failed', 'cancelled'], 'failed'],
    [['succeeded', 'cancelled'], 'cancelled'],
    [['succeeded', 'waiting'], 'waiting'],
  ])('%j: %s', async (states, expected) => {
    const keys = states.map((_, index) => `raw:s.t${index}`)
    const id = await batch(keys)
    for (const [index, state] of states.entries()) {
      if (state !== 'pending') await take(id, keys[index]!, state)
    }
    if (states.length === 0) await sql`select logging.refresh_batch(${id})`
    const row = await read(id)
    expect(row.state).toBe(expected)
    expect(row.finished_at !== null).toBe((FINAL_STATES as readonly string[]).includes(expected))
  })

  it('with the error of the step that failed first', async () => {
    const id = await batch(['raw:s.a', 'raw:s.b'])
    for (const key of ['raw:s.b', 'raw:s.a']) {
      await set(id, key, 'running')
      await sql.begin(async (tx) => {
        await tx`
          update logging.step_run set error_code = 'file_missing', error_message = ${key}, error_hint = 'Look.'
          where batch_id = ${id} and key = ${key}`
        await set(id, key, 'failed', tx)
      })
    }
    expect(await read(id)).toMatchObject({
      state: 'failed',
      error_code: 'file_missing',
      error_message: 'raw:s.b',
    })
  })

  it('in the same transaction: nothing of it is left when that is rolled back', async () => {
    const id = await batch(['raw:s.a'])
    await sql
      .begin(async (tx) => {
        expect(await set(id, 'raw:s.a', 'running', tx)).toBe('running')
        throw new Error('no')
      })
      .catch(() => {})
    expect(await read(id)).toMatchObject({ state: 'pending', started_at: null })
    expect(await step(id, 'raw:s.a')).toMatchObject({ state: 'pending', attempt: 0 })
  })

  it('and is warned if a step has warnings', async () => {
    const id = await batch(['raw:s.a'])
    await set(id, 'raw:s.a', 'running')
    await sql`update logging.step_run set warnings = ${['odd']} where batch_id = ${id}`
    await set(id, 'raw:s.a', 'succeeded')
    expect(await read(id)).toMatchObject({ state: 'succeeded', warned: true })
  })

  it('takes a finished batch up again as its next attempt', async () => {
    const id = await batch(['raw:s.a', 'raw:s.b'])
    await take(id, 'raw:s.a', 'succeeded')
    await take(id, 'raw:s.b', 'failed')
    expect(await read(id)).toMatchObject({ state: 'failed', attempt: 1 })
    await set(id, 'raw:s.b', 'pending')
    expect(await read(id)).toMatchObject({
      state: 'running',
      attempt: 2,
      finished_at: null,
      error_code: null,
    })
    await take(id, 'raw:s.b', 'succeeded')
    expect(await read(id)).toMatchObject({ state: 'succeeded', attempt: 2 })
  })
})

describe("a step's state", () => {
  it.each(STATES.flatMap((from) => STATES.map((to) => [from, to] as const)))(
    'goes from %s to %s exactly where core/batch.ts says so',
    async (from, to) => {
      const id = await batch(['raw:s.a'])
      if (from !== 'pending') await take(id, 'raw:s.a', from)
      const going = set(id, 'raw:s.a', to)
      if (STEP_TRANSITIONS[from].includes(to)) {
        await going
        expect((await step(id, 'raw:s.a')).state).toBe(to)
      } else {
        await expect(going).rejects.toMatchObject({ constraint_name: 'step_run_transition_check' })
      }
    },
  )

  it('is refused to a hand, for batches too', async () => {
    const id = await batch(['raw:s.a'])
    await expect(
      sql`update logging.step_run set state = 'running' where batch_id = ${id}`,
    ).rejects.toMatchObject({
      constraint_name: 'step_run_state_door_check',
    })
    await expect(
      sql`update logging.batch_run set state = 'running' where id = ${id}`,
    ).rejects.toMatchObject({
      constraint_name: 'batch_run_state_door_check',
    })
    await set(id, 'raw:s.a', 'running')
    await expect(
      sql`update logging.step_run set state = 'waiting' where batch_id = ${id}`,
    ).rejects.toMatchObject({
      constraint_name: 'step_run_state_door_check',
    })
  })

  it('counts attempts, and keeps the start of the first until somebody retries', async () => {
    const id = await batch(['raw:s.a'])
    await set(id, 'raw:s.a', 'running')
    const first = await step(id, 'raw:s.a')
    await set(id, 'raw:s.a', 'pending')
    await set(id, 'raw:s.a', 'running')
    expect(await step(id, 'raw:s.a')).toMatchObject({ attempt: 2, started_at: first.started_at })
    await set(id, 'raw:s.a', 'running')
    expect(await step(id, 'raw:s.a')).toMatchObject({ attempt: 2 })
    await set(id, 'raw:s.a', 'failed')
    await set(id, 'raw:s.a', 'pending')
    expect(await step(id, 'raw:s.a')).toMatchObject({
      attempt: 2,
      started_at: null,
      finished_at: null,
    })
  })

  it('names the step that is not there', async () => {
    const id = await batch([])
    await expect(set(id, 'raw:s.a', 'running')).rejects.toMatchObject({
      constraint_name: 'step_run_key_fk',
    })
  })
})

describe('seq', () => {
  it('counts per group and environment, and a rolled back batch leaves no gap', async () => {
    const take = async (group: string, environment: string) => {
      const [row] = await sql`select logging.next_seq(${group}, ${environment}) as seq`
      return row!.seq as string
    }
    const [group, here, there] = [uuidv7(), uuidv7(), uuidv7()]
    expect(await take(group, here)).toBe('1')
    await sql
      .begin(async (tx) => {
        await tx`select logging.next_seq(${group}, ${here})`
        throw new Error('no')
      })
      .catch(() => {})
    expect(await take(group, here)).toBe('2')
    expect(await take(group, there)).toBe('1')
  })

  it('refuses two batches for one due run', async () => {
    const due_at = new Date('2027-01-01T06:00:00Z')
    await batch([], { due_at, trigger: 'schedule' })
    await expect(batch([], { due_at, trigger: 'schedule' })).rejects.toMatchObject({
      constraint_name: 'batch_run_due_at_unique',
    })
  })

  it('refuses a second batch for one idempotency key of one requester', async () => {
    await batch([], { idempotency_key: 'k', requested_by: 'ada' })
    await expect(batch([], { idempotency_key: 'k', requested_by: 'ada' })).rejects.toMatchObject({
      constraint_name: 'batch_run_idempotency_key_unique',
    })
    await batch([], { idempotency_key: 'k', requested_by: 'bob' })
  })
})

describe('events', () => {
  it('are numbered in their batch from 1 without gaps', async () => {
    const id = await batch([])
    const add = (events: unknown[]) =>
      sql`select logging.add_events(${id}, ${sql.json(events as never)}) as last`
    const event = (text: string) => ({
      level: 'info',
      text,
      step: null,
      at: '2027-01-01T00:00:00.123Z',
    })
    expect(await add([event('a'), event('b')])).toEqual([{ last: '2' }])
    expect(await add([])).toEqual([{ last: '2' }])
    expect(
      await add([{ ...event('c'), progress: { done: 1, total: null, unit: 'rows' } }]),
    ).toEqual([{ last: '3' }])
    const rows =
      await sql`select number, text, progress, at from logging.event where batch_id = ${id} order by number`
    expect(rows.map(({ number, text }) => `${number} ${text}`)).toEqual(['1 a', '2 b', '3 c'])
    expect(rows[0]).toMatchObject({ progress: null, at: new Date('2027-01-01T00:00:00.123Z') })
    expect(rows[2]!.progress).toEqual({ done: 1, total: null, unit: 'rows' })
  })

  it.runIf(ON_SERVER)('appended at the same time all get a number (a server alone)', async () => {
    const id = await batch([])
    await Promise.all(
      Array.from(
        { length: 30 },
        () => sql`select logging.add_events(${id}, ${sql.json([{ level: 'info', text: 'x' }])})`,
      ),
    )
    const [row] =
      await sql`select count(*)::int as events, max(number)::int as last from logging.event where batch_id = ${id}`
    expect(row).toEqual({ events: 30, last: 30 })
  })
})

describe('views', () => {
  it('sum steps by table and by zone', async () => {
    const id = await batch(['bronze:b.t', 'silver:s.t'])
    const twin = {
      id: uuidv7(),
      batch_id: id,
      group_id: GROUP,
      key: 'bronze:b.t/second',
      zone: 'bronze',
      name: 'b.t',
      config_id: uuidv7(),
    }
    await sql`insert into logging.step_run ${sql(twin)}`
    await sql`update logging.step_run set rows_read = 9007199254740993, rows_written = 5 where batch_id = ${id} and zone = 'bronze'`
    await take(id, 'bronze:b.t', 'succeeded')
    await take(id, 'bronze:b.t/second', 'failed')
    await set(id, 'silver:s.t', 'skipped')
    expect(
      await sql`select zone, name, state, steps, rows_read, rows_written from logging.table_run where batch_id = ${id} order by zone`,
    ).toEqual([
      {
        zone: 'bronze',
        name: 'b.t',
        state: 'failed',
        steps: 2,
        rows_read: '18014398509481986',
        rows_written: '10',
      },
      {
        zone: 'silver',
        name: 's.t',
        state: 'skipped',
        steps: 1,
        rows_read: '0',
        rows_written: '0',
      },
    ])
    expect(
      await sql`select zone, state, steps, steps_finished from logging.zone_run where batch_id = ${id} order by zone`,
    ).toEqual([
      { zone: 'bronze', state: 'failed', steps: 2, steps_finished: 2 },
      { zone: 'silver', state: 'skipped', steps: 1, steps_finished: 1 },
    ])
  })
})

describe('the ledger, lineage and profiles', () => {
  it('take a file once per path and content', async () => {
    const row = () => ({
      id: uuidv7(),
      environment_id: ENVIRONMENT,
      raw_id: GROUP,
      batch_id: uuidv7(),
      path: 'seq=1/a.csv',
      source_path: 'a.csv',
      size: 3,
      sha256: 'abc',
    })
    await sql`insert into logging.file ${sql(row())}`
    await expect(sql`insert into logging.file ${sql(row())}`).rejects.toMatchObject({
      constraint_name: 'file_path_unique',
    })
    await sql`insert into logging.file ${sql({ ...row(), sha256: 'other' })}`
  })

  it('take an edge between two tables once', async () => {
    const edge = {
      environment_id: ENVIRONMENT,
      from_table: 'b.t',
      from_column: null,
      to_table: 's.t',
      to_column: null,
      group_id: GROUP,
      plan_hash: 'plan',
      first_batch_id: GROUP,
      last_batch_id: GROUP,
    }
    await sql`insert into logging.lineage ${sql(edge)}`
    await expect(sql`insert into logging.lineage ${sql(edge)}`).rejects.toMatchObject({
      constraint_name: 'lineage_edge_unique',
    })
  })
})

describe('claims', () => {
  async function due(count: number): Promise<void> {
    await sql`delete from logging.schedule_state`
    for (let index = 0; index < count; index++) {
      const row = {
        group_id: uuidv7(),
        environment_id: ENVIRONMENT,
        schedule_id: uuidv7(),
        schedule_version: 1,
        next_run_at: new Date(0),
      }
      await sql`insert into logging.schedule_state ${sql(row)}`
    }
  }
  /** Claims due groups one a transaction until there are none; their ids. */
  async function claimAll(): Promise<string[]> {
    const claimed: string[] = []
    for (;;) {
      const found = await sql.begin(async (tx) => {
        const [row] = await tx`
          select group_id from logging.schedule_state
          where next_run_at <= now() order by next_run_at limit 1
          for update skip locked`
        if (!row) return false
        await tx`update logging.schedule_state set next_run_at = null where group_id = ${row.group_id}`
        claimed.push(row.group_id)
        return true
      })
      if (!found) return claimed
    }
  }

  it('go to one of several who ask at the same time', async () => {
    await due(20)
    const claims = await Promise.all([claimAll(), claimAll(), claimAll()])
    expect(new Set(claims.flat()).size).toBe(20)
    expect(claims.flat()).toHaveLength(20)
  })

  it.runIf(ON_SERVER)(
    'pass over what another has locked instead of waiting (a server alone)',
    async () => {
      await due(2)
      const outside = new AsyncResource('another process')
      const claim = (db: Db) => db`
      select group_id from logging.schedule_state where next_run_at <= now() order by group_id limit 1
      for update skip locked`
      await sql.begin(async (tx) => {
        const [mine] = await claim(tx)
        const other = await outside.runInAsyncScope(() => claim(sql))
        expect(other).toHaveLength(1)
        expect(other[0]!.group_id).not.toBe(mine!.group_id)
      })
    },
  )
})

describe('lists', () => {
  it('find steps newest first without reading or sorting them all', async () => {
    const id = await batch([])
    await sql`
      insert into logging.step_run (id, batch_id, group_id, key, zone, name, config_id, error_code)
      select
        gen_random_uuid(), ${id}, gen_random_uuid(), 'raw:s.t' || n, 'raw', 's.t' || n % 10,
        gen_random_uuid(), case when n % 10 = 0 then 'file_missing' end
      from generate_series(1, 20000) as n`
    await sql`analyze logging.step_run`
    const from = firstIdAt(new Date(0))
    for (const where of [
      `id >= '${from}'`,
      `name = 's.t7' and id >= '${from}'`,
      `group_id = '${GROUP}'`,
      `state = 'failed'`,
      `error_code = 'file_missing'`,
    ]) {
      const rows = await sql.unsafe(
        `explain select id from logging.step_run where ${where} order by id desc limit 50`,
      )
      expect(rows.map((row) => row['QUERY PLAN']).join('\n')).not.toMatch(/Seq Scan|Sort/)
    }
  })
})
