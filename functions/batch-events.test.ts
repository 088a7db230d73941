// The live stream of a batch: many viewers, many steps, and a batch that goes on while they look.
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createApp } from './app.ts'
import { openTestApp } from './testing.ts'
import type { TestApp } from './testing.ts'

const STEPS = 300
let app: TestApp
let site: ReturnType<typeof createApp>
let batch_id: string

beforeAll(async () => {
  app = await openTestApp()
  site = createApp(app.deps, { mode: 'local' })
  await app.call('POST', '/api/environments', { name: 'laptop', engine: 'local', is_default: true })
  const tables = Array.from({ length: STEPS / 2 }, (_, n) => `t${n}`)
  const files = [
    {
      name: 'a.yaml',
      text: JSON.stringify({
        groups: [{ name: 'wide' }],
        sources: [{ name: 'drop', kind: 'files', options: { root: '/data' } }],
        raw_configs: tables.map((name) => ({
          name,
          source: 'drop',
          group: 'wide',
          object: `${name}.csv`,
          format: 'csv',
          read_mode: 'files',
          columns: [{ name: 'id', type: 'int' }],
        })),
        bronze_configs: tables.map((name) => ({ target: `bronze.${name}`, raw: `drop.${name}` })),
      }),
    },
  ]
  const applied = await app.call('POST', '/api/apply', { files })
  expect(applied.status, JSON.stringify(applied.body)).toBe(200)
  const [group] = (await app.call('GET', '/api/groups')).body.items
  batch_id = (await app.call('POST', `/api/groups/${group.id}/run`, {})).body.batch_id
}, 60_000)
afterAll(() => app.sql.end())

type Seen = {
  event: string
  id: string | null
  data: { key?: string; state?: string; text?: string; seq?: number }
}

/** Opens a stream; what has come so far is in `seen`. */
function look(after = 0) {
  const seen: Seen[] = []
  const aborted = new AbortController()
  const done = (async () => {
    const answer = await site.request(
      `http://localhost/api/batches/${batch_id}/events?after=${after}`,
      {
        signal: aborted.signal,
      },
    )
    let rest = ''
    for await (const bytes of answer.body!.pipeThrough(new TextDecoderStream())) {
      const blocks = (rest + bytes).split('\n\n')
      rest = blocks.pop()!
      for (const block of blocks) {
        const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1] ?? null
        if (field('event'))
          seen.push({ event: field('event')!, id: field('id'), data: JSON.parse(field('data')!) })
      }
    }
  })()
  return { seen, done }
}

async function report(keys: string[], state: 'running' | 'failed') {
  await app.sql.begin(async (tx) => {
    for (const key of keys) await tx`select logging.set_step_state(${batch_id}, ${key}, ${state})`
    const lines = keys.map((step) => ({ step, level: 'info', text: `${step} ${state}` }))
    await tx`select logging.add_events(${batch_id}, ${JSON.stringify(lines)}::jsonb)`
  })
}

it('shows every viewer all steps at first, then what changes alone, and the end once', async () => {
  const viewers = Array.from({ length: 20 }, () => look())
  const everyone = (what: (seen: Seen[]) => boolean) =>
    expect.poll(() => viewers.every(({ seen }) => what(seen)), { timeout: 20_000 }).toBe(true)
  await everyone((seen) => seen.filter(({ event }) => event === 'step').length === STEPS)
  await report(['raw:drop.t3', 'raw:drop.t5'], 'running')
  await everyone((seen) => seen.some(({ data }) => data.text === 'raw:drop.t5 running'))
  await everyone((seen) => seen.filter(({ event }) => event === 'step').length === STEPS + 2)
  for (const { seen } of viewers) {
    expect(
      seen.slice(-4).map(({ event, data }) => [event, data.key ?? data.text ?? data.state]),
    ).toEqual([
      ['log', 'raw:drop.t5 running'],
      ['step', 'raw:drop.t3'],
      ['step', 'raw:drop.t5'],
      ['batch', 'running'],
    ])
  }

  // One that comes later sees the present and what was said; one that comes back, only what it has missed
  const late = look()
  const back = look(1)
  await expect.poll(() => late.seen.filter(({ event }) => event === 'step').length).toBe(STEPS)
  expect(late.seen.filter(({ event }) => event === 'log').map(({ id }) => id)).toEqual(['1', '2'])
  await expect.poll(() => back.seen.filter(({ event }) => event === 'step').length).toBe(STEPS)
  expect(back.seen.filter(({ event }) => event === 'log').map(({ id }) => id)).toEqual(['2'])
  expect(late.seen.find(({ data }) => data.key === 'raw:drop.t3')!.data.state).toBe('running')

  // All of the rest in one go, the end with it
  await app.sql.begin(async (tx) => {
    const rows = await tx<{ key: string }[]>`
      select key from logging.step_run where batch_id = ${batch_id} order by id
    `
    for (const { key } of rows)
      await tx`select logging.set_step_state(${batch_id}, ${key}, 'cancelled')`
    await tx`
      select logging.add_events(${batch_id}, '[{"step":null,"level":"warn","text":"stopped"}]'::jsonb)
    `
  })
  for (const { seen, done } of [...viewers, late, back]) {
    await done
    expect(seen.filter(({ event }) => event === 'end').map(({ data }) => data.state)).toEqual([
      'cancelled',
    ])
    expect(seen.at(-1)!.event).toBe('end')
    const last = new Map(
      seen.filter(({ event }) => event === 'step').map(({ data }) => [data.key, data.state]),
    )
    expect([...last.values()].filter((state) => state === 'cancelled')).toHaveLength(STEPS)
  }

  const afterwards = look(2)
  await afterwards.done
  expect(afterwards.seen.filter(({ event }) => event === 'log').map(({ id }) => id)).toEqual(['3'])
  expect(afterwards.seen.at(-1)!.event).toBe('end')
}, 60_000)

it('lets a viewer go, and answers none for a batch that is not there', async () => {
  const answer = await site.request(
    'http://localhost/api/batches/0198c7aa-0000-7000-8000-000000000000/events',
  )
  expect(answer.status).toBe(404)
  const open = await site.request(`http://localhost/api/batches/${batch_id}/events`)
  await open.body!.cancel()
  await wait(50)
})
