import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openTestApp } from './testing.ts'
import type { TestApp } from './testing.ts'

const FILE = `
schedules:
  - { name: nightly, quartz_cron: 0 0 2 * * ? }
compute_profiles:
  - { name: child, parent: parent }
  - { name: parent, mode: serverless }
groups:
  - { name: shop, schedule: nightly, description: "it's \\"quoted\\" \\\\ 100% ünïcode \\n {\\"rows\\":1}" }
sources:
  - { name: drop, kind: files, options: { root: /data } }
raw_configs:
  - { name: orders, source: drop, group: shop, object: '*.csv', format: csv, read_mode: files, columns: [{ name: id, type: bigint }] }
bronze_configs:
  - { target: bronze.orders, raw: drop.orders }
silver_configs:
  - { target: silver.orders, group: shop, from: [bronze.orders], load_type: merge, keys: [id] }
dq_rules:
  - { name: known, target: silver.orders, check: referential, columns: [id], options: { table: bronze.orders, columns: [id] } }
`

let from: TestApp
let to: TestApp
let text: string
beforeAll(async () => {
  from = await openTestApp()
  to = await openTestApp()
  await from.call('POST', '/api/environments', {
    name: 'laptop',
    engine: 'local',
    is_default: true,
  })
  const applied = await from.call('POST', '/api/apply', { files: [{ name: 'a.yaml', text: FILE }] })
  expect(applied.status).toBe(200)
  const group = (await from.call('GET', '/api/groups')).body.items[0]
  expect((await from.call('POST', `/api/groups/${group.id}/run`, {})).status).toBe(202)
  text = (await from.call('POST', '/api/backup')).body as unknown as string
})
afterAll(async () => {
  await from.sql.end()
  await to.sql.end()
})

const restore = (app: TestApp, body: string) =>
  app.call('POST', '/api/restore', body, { 'content-type': 'application/x-ndjson' })

describe('a backup', () => {
  it('is lines of JSON, from a head to a count of rows', () => {
    const lines = text.trimEnd().split('\n')
    expect(JSON.parse(lines[0]!)).toMatchObject({ format: 'lakeforge-backup', version: 1 })
    const rows = lines.filter((line) => !/^\{"(table|format)"/.test(line)).length - 1
    expect(JSON.parse(lines.at(-1)!)).toEqual({
      rows,
      sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
    })
    for (const line of lines) expect(() => JSON.parse(line) as unknown).not.toThrow()
  })

  it('that is torn, changed or none at all is refused and leaves nothing behind', async () => {
    const lines = text.trimEnd().split('\n')
    const at = lines.findIndex((line) => line.includes('"quartz_cron"'))
    for (const body of [
      '',
      'not a backup\n',
      '{"format":"other"}\n',
      lines.slice(0, -1).join('\n'),
      text.slice(0, text.length / 2),
      lines.with(at, lines[at]!.replace('nightly', 'monthly')).join('\n'),
      lines.toSpliced(at, 1).join('\n'),
    ])
      expect(await restore(to, body), body.slice(0, 40)).toMatchObject({
        status: 422,
        body: { code: 'backup_invalid' },
      })
    expect(await restore(to, text.replace('"000003_apply"', '"999999_future"'))).toMatchObject({
      status: 422,
      body: { code: 'backup_version' },
    })
    expect((await to.call('GET', '/api/groups')).body.items).toEqual([])
  })

  it('restores to an empty store: the same metadata, audit, versions and logs', async () => {
    expect(await restore(to, text)).toMatchObject({
      status: 200,
      body: { rows: expect.any(Number) },
    })
    const head = /"(created_at|metadata_version)":"[^"]*",?/g
    for (const path of [
      '/api/export',
      '/api/changes?limit=500',
      '/api/groups',
      '/api/silver-configs',
      '/api/lineage?table=silver.orders',
    ])
      expect((await to.call('GET', path)).body, path).toEqual((await from.call('GET', path)).body)
    const again = (await to.call('POST', '/api/backup')).body as unknown as string
    const comparable = (backup: string) =>
      backup
        .replace(head, '')
        .split('\n')
        .filter((line) => !/_run"|"batch_id"|"state"|"sha256"/.test(line))
    expect(comparable(again)).toEqual(comparable(text))
  })

  it('takes up nothing that was under way when it was made', async () => {
    expect((await from.call('GET', '/api/batches')).body.items).toMatchObject([
      { state: 'pending' },
    ])
    expect((await to.call('GET', '/api/batches')).body.items).toMatchObject([
      { state: 'cancelled' },
    ])
  })

  it('leaves a store that works: triggers on, sequences moved', async () => {
    const made = await to.call('POST', '/api/groups', { name: 'later' })
    expect(made).toMatchObject({ status: 201, body: { version: 1, created_by: 'local' } })
    const [change] = (await to.call('GET', '/api/changes?limit=1')).body.items
    // The tenth and later ones: newest first by number, not by text
    expect(change).toMatchObject({ row_id: made.body.id, operation: 'insert' })
    const group = (await to.call('GET', '/api/groups?q=shop')).body.items[0]
    expect((await to.call('POST', `/api/groups/${group.id}/run`, {})).status).toBe(202)
  })

  it('is not restored over anything', async () => {
    expect(await restore(to, text)).toMatchObject({
      status: 409,
      body: { code: 'restore_not_empty' },
    })
    expect((await to.call('GET', '/api/groups')).body.items).toHaveLength(2)
  })
})
