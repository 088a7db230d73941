// A home in use: what happens to its one store while somebody is slow, and to environments that come while it is owned.
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openHome } from './home.ts'
import type { OpenHome } from './home.ts'

let dir: string
let home: OpenHome
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'lakeforge home '))
  home = await openHome({ dir, env: {}, schedules: false })
}, 60_000)
afterAll(async () => {
  await home.close()
  await rm(dir, { recursive: true, force: true })
})

const ask = (path: string, init?: RequestInit) =>
  home.app.request(`http://localhost${path}`, init) as Promise<Response>
const post = (path: string, body: unknown) =>
  ask(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })

it('drives an environment that was made while it is owned', async () => {
  const made = await post('/api/environments', { name: 'dev', engine: 'local', root: 'dev-lake' })
  expect(made.status).toBe(201)
  const { id } = (await made.json()) as { id: string }
  await post('/api/groups', { name: 'empty' })
  const owned = async () =>
    ((await (await ask(`/api/environments/${id}`)).json()) as { home_id: string | null }).home_id
  while ((await owned()) === null) await wait(50)
  expect(await owned()).toBe(home.home.id)
  // Taken once, not in every round
  const changes = await home.sql`select from config.change where row_id = ${id}`
  await wait(2500)
  expect(await home.sql`select from config.change where row_id = ${id}`).toHaveLength(
    changes.length,
  )
}, 30_000)

it('answers others while a backup is not read, and forgets it then', async () => {
  const backup = await ask('/api/backup', { method: 'POST' })
  expect(backup.status).toBe(200)
  expect((await ask('/api/groups')).status).toBe(200)
  const text = await backup.text()
  expect(JSON.parse(text.trimEnd().split('\n').at(-1)!)).toHaveProperty('sha256')
  await expect.poll(() => readdir(join(dir, 'spool')), { timeout: 5000 }).toEqual([])
  const given_up = await ask('/api/backup', { method: 'POST' })
  await given_up.body!.cancel()
  await expect.poll(() => readdir(join(dir, 'spool')), { timeout: 5000 }).toEqual([])
}, 30_000)

it('answers others while a restore is still on its way', async () => {
  let end: () => void = () => undefined
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(new TextEncoder().encode('{"format":"lakeforge-backup","version":1}\n'))
      end = () => controller.close()
    },
  })
  const restoring = ask('/api/restore', { method: 'POST', body, duplex: 'half' } as RequestInit)
  await wait(200)
  expect((await ask('/api/groups')).status).toBe(200)
  end()
  expect((await restoring).status).toBeGreaterThanOrEqual(400)
  await expect.poll(() => readdir(join(dir, 'spool')), { timeout: 5000 }).toEqual([])
}, 30_000)
