// References to secrets: found wherever metadata names one, with what uses them; never with a value.
import { afterAll, beforeAll, expect, it } from 'vitest'
import { fail } from '#core/errors.ts'
import { openTestApp } from './testing.ts'
import type { TestApp } from './testing.ts'

let app: TestApp
beforeAll(async () => {
  app = await openTestApp({
    hasSecret: async (reference) => {
      if (reference !== 'secret://pg/password')
        fail('secret_missing', { reference, variable: 'LAKEFORGE_SECRET_CHAT_URL' })
    },
  })
  const options = { host: 'h', database: 'd', user: 'u', password: 'secret://pg/password' }
  for (const name of ['a', 'b'])
    await app.call('POST', '/api/sources', { name, kind: 'postgres', options })
  await app.call('POST', '/api/groups', {
    name: 'told',
    notify: [{ url: 'secret://chat/url' }, { url: 'secret://chat/url', on: ['warned'] }],
  })
})
afterAll(() => app.sql.end())

it('lists each reference once with everything that uses it, and whether it is set', async () => {
  const { status, body } = await app.call('GET', '/api/secrets')
  expect(status).toBe(200)
  const names = (each: { used_by: { name: string }[] }) => each.used_by.map((one) => one.name)
  expect(body.items.map((each: { reference: string }) => each.reference)).toEqual([
    'secret://chat/url',
    'secret://pg/password',
  ])
  expect(names(body.items[0])).toEqual(['told'])
  expect(names(body.items[1])).toEqual(['a', 'b'])
  expect(body.items[0]).toMatchObject({
    state: 'missing',
    variable: 'LAKEFORGE_SECRET_CHAT_URL',
    problem: { code: 'secret_missing' },
  })
  expect(body.items[1]).toMatchObject({ state: 'set', problem: null })
})

it('says that it does not know where nothing may look', async () => {
  const other = await openTestApp()
  const options = { host: 'h', database: 'd', user: 'u', password: 'secret://x/y' }
  await other.call('POST', '/api/sources', { name: 'a', kind: 'postgres', options })
  const { body } = await other.call('GET', '/api/secrets')
  expect(body.items).toMatchObject([{ state: 'unknown' }])
  await other.sql.end()
})

it('counts for a list how many things depend on each row', async () => {
  const profile = await app.call('POST', '/api/compute-profiles', { name: 'small' })
  await app.call('POST', '/api/compute-profiles', { name: 'idle' })
  await app.call('POST', '/api/groups', { name: 'on_it', compute_profile_id: profile.body.id })
  const { body } = await app.call('GET', '/api/compute-profiles?include=used')
  expect(body.items).toMatchObject([
    { name: 'idle', used_by: 0 },
    { name: 'small', used_by: 1 },
  ])
  const refused = await app.call('DELETE', `/api/compute-profiles/${profile.body.id}`)
  expect(refused).toMatchObject({
    status: 409,
    body: { code: 'in_use', dependants: [{ name: 'on_it', table_name: 'source_group' }] },
  })
})
