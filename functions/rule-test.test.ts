// Rules tried on real rows, and personal data that nobody sees who may not: every door that shows values.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openHome } from './home.ts'
import type { OpenHome } from './home.ts'
import type { Answer } from './testing.ts'

let dir: string
let home: OpenHome
const tokens: Record<string, string> = { owner: 'the-owner-of-the-home' }

const METADATA = (root: string) => `
groups:
  - { name: people, retries: 0 }
  - { name: later }
sources:
  - { name: drop, kind: files, options: { root: '${root}' } }
raw_configs:
  - name: persons
    source: drop
    group: people
    object: persons.csv
    format: csv
    read_mode: files
    columns: [{ name: id, type: int }, { name: mail, type: string }, { name: age, type: int }, { name: country, type: string }]
  - name: countries
    source: drop
    group: people
    object: countries.csv
    format: csv
    read_mode: files
    columns: [{ name: code, type: string }]
  - { name: never, source: drop, group: later, object: never.csv, format: csv, read_mode: files, columns: [{ name: id, type: int }] }
bronze_configs:
  - { target: bronze.persons, raw: drop.persons, column_policies: [{ column: mail, pii: true }] }
  - { target: bronze.countries, raw: drop.countries }
  - { target: bronze.never, raw: drop.never }
silver_configs:
  - target: silver.persons
    group: people
    from: [bronze.persons]
    load_type: merge
    keys: [id]
    where: age < 200
    column_policies: [{ column: mail, pii: true }]
    select:
      - { name: id, expression: id }
      - { name: mail, expression: lower(mail) }
      - { name: age, expression: age * 2 }
      - { name: country, expression: country }
gold_configs:
  - target: gold.contacts
    group: people
    query: select max(mail) as contact, count(*) as n from silver.persons
    column_policies: [{ column: contact, pii: true }]
dq_rules:
  - { name: adult, target: silver.persons, check: range, columns: [age], options: { min: 36 }, on_fail: quarantine, null_passes: true }
  - { name: short, target: silver.persons, check: expression, options: { expression: length(mail) < 12 }, on_fail: warn }
`
const PERSONS = [
  'id,mail,age,country',
  '1,Ann@secret.example,18,de',
  '2,Bob@secret.example,17,fr',
  '3,Cy@secret.example,,de',
  '4,,40,xx',
  '5,Eve@secret.example,900,de',
  '6,Eve@secret.example,30,de',
].join('\n')

async function call(
  method: string,
  path: string,
  body?: unknown,
  role = 'owner',
): Promise<Pick<Answer, 'status' | 'body'>> {
  const answer = await home.app.request(`http://localhost${path}`, {
    method,
    headers: {
      ...(body !== undefined && { 'content-type': 'application/json' }),
      authorization: `Bearer ${tokens[role]}`,
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  return { status: answer.status, body: JSON.parse(await answer.text()) }
}
const tryRule = (rule: Record<string, unknown>) => call('POST', '/api/dq-rules/test', { rule })

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'lakeforge rules '))
  await mkdir(join(dir, 'files'))
  await writeFile(join(dir, 'files/persons.csv'), `${PERSONS}\n`)
  await writeFile(join(dir, 'files/countries.csv'), 'code\nde\nfr\n')
  home = await openHome({
    dir: join(dir, 'home'),
    env: {},
    schedules: false,
    auth: { mode: 'token', owner_token: tokens.owner! },
  })
  const files = [{ name: 'people.yaml', text: METADATA(join(dir, 'files')) }]
  const applied = await call('POST', '/api/apply', { files })
  expect(applied.status, JSON.stringify(applied.body)).toBe(200)
  const [group] = (await call('GET', '/api/groups?q=people')).body.items
  const { body } = await call('POST', `/api/groups/${group.id}/run`, {})
  for (;;) {
    const detail = await call('GET', `/api/batches/${body.batch_id}`)
    if (detail.body.batch.finished_at === null) await wait(50)
    else {
      expect(detail.body.batch.state, JSON.stringify(detail.body.steps)).toBe('succeeded')
      break
    }
  }
  for (const role of ['viewer', 'editor', 'admin']) {
    const made = await call('POST', '/api/tokens', { name: role, role })
    tokens[role] = made.body.token
  }
}, 60_000)
afterAll(async () => {
  await home.close()
  await rm(dir, { recursive: true, force: true })
})

describe('a rule that is tried', () => {
  it('looks at what the expressions of a silver table give, after its condition', async () => {
    const { status, body } = await tryRule({
      target: 'silver.persons',
      check: 'range',
      columns: ['age'],
      options: { min: 36 },
      on_fail: 'fail',
      threshold: 0.5,
    })
    expect(status, JSON.stringify(body)).toBe(200)
    // Ages 36, 34, 80 and 60: a null and 900 do not meet the condition
    expect(body).toMatchObject({
      target: 'silver.persons',
      environment: 'laptop',
      rows: 4,
      rows_checked: 4,
      rows_passed: 3,
      rows_failed: 1,
      rows_null: 0,
      applies: false,
      versions: { 'bronze.persons': 0 },
      timeout_ms: 30_000,
    })
    expect(body.samples).toEqual([
      { age: '34', id: '2', mail: 'bob@secret.example', country: 'fr' },
    ])
    expect(body.duration_ms).toBeGreaterThanOrEqual(0)
  })

  it('counts what is null on its own, and as the rule says', async () => {
    const rule = { target: 'bronze.persons', check: 'range', columns: ['age'], options: { min: 0 } }
    const strict = await tryRule(rule)
    expect(strict.body).toMatchObject({ rows: 6, rows_passed: 5, rows_failed: 1, rows_null: 1 })
    const loose = await tryRule({ ...rule, null_passes: true })
    expect(loose.body).toMatchObject({ rows_passed: 6, rows_failed: 0, rows_null: 1, samples: [] })
    const filtered = await tryRule({ ...rule, filter: "country = 'fr'" })
    expect(filtered.body).toMatchObject({ rows: 6, rows_checked: 1, rows_passed: 1, rows_null: 0 })
  })

  it('may look at other rows and at other tables', async () => {
    const twice = await tryRule({ target: 'bronze.persons', check: 'unique', columns: ['mail'] })
    expect(twice.body).toMatchObject({ rows_failed: 3, rows_null: 1, applies: true })
    const known = await tryRule({
      target: 'bronze.persons',
      check: 'referential',
      columns: ['country'],
      options: { table: 'bronze.countries', columns: ['code'] },
    })
    expect(known.body).toMatchObject({
      rows_failed: 1,
      samples: [{ country: 'xx' }],
      versions: { 'bronze.persons': 0, 'bronze.countries': 0 },
    })
    const gold = await tryRule({
      target: 'gold.contacts',
      check: 'expression',
      options: { expression: 'n > 100' },
    })
    expect(gold.body).toMatchObject({ rows: 1, rows_failed: 1 })
  })

  it('is a saved one by its id, whatever its status', async () => {
    const [saved] = (await call('GET', '/api/dq-rules?q=adult')).body.items
    const { body } = await call('POST', '/api/dq-rules/test', { id: saved.id })
    expect(body).toMatchObject({ rows: 4, rows_failed: 1, rows_null: 0, applies: true })
    const nowhere = '0198c7aa-0000-7000-8000-000000000000'
    expect(await call('POST', '/api/dq-rules/test', { id: nowhere })).toMatchObject({
      status: 404,
    })
  })

  it.each([
    [{ target: 'silver.persons', check: 'not_null', columns: ['nme'] }, 422, 'columns.0'],
    [{ target: 'silver.nobody', check: 'not_null', columns: ['id'] }, 422, 'target'],
    [
      { target: 'silver.persons', check: 'range', columns: ['age'], options: {} },
      422,
      'rule.options',
    ],
    [
      { target: 'silver.persons', check: 'expression', options: { expression: 'age >' } },
      422,
      'options.expression',
    ],
  ])('says what is wrong with %j', async (rule, status, path) => {
    const answer = await tryRule(rule)
    expect(answer.status, JSON.stringify(answer.body)).toBe(status)
    expect(answer.body.errors[0].path).toContain(path)
  })

  it('says that a table has no rows yet, and which rule breaks on its rows', async () => {
    expect(
      await tryRule({ target: 'bronze.never', check: 'not_null', columns: ['id'] }),
    ).toMatchObject({ status: 404, body: { code: 'table_missing' } })
    const broken = await tryRule({
      target: 'bronze.persons',
      check: 'expression',
      options: { expression: 'cast(mail as int) > 0' },
    })
    expect(broken).toMatchObject({ status: 422, body: { code: 'rule_broken' } })
    expect(JSON.stringify(broken.body)).not.toContain('secret.example')
    expect(await call('POST', '/api/dq-rules/test', {})).toMatchObject({
      status: 422,
      body: { code: 'validation_failed' },
    })
  })
})

describe('personal data', () => {
  const rule = {
    target: 'silver.persons',
    check: 'not_null',
    columns: ['country'],
    filter: 'id < 0 or age > 0',
  }
  const DOORS: [method: string, path: string, body?: unknown][] = [
    ['GET', '/api/tables/bronze.persons/preview'],
    ['GET', '/api/tables/silver.persons/preview'],
    ['GET', '/api/tables/silver.persons/quarantine'],
    ['GET', '/api/tables/gold.contacts/preview'],
    ['GET', '/api/tables/silver.persons/profile'],
    ['GET', '/api/tables/bronze.persons/profile'],
    ['POST', '/api/sql', { sql: 'select * from silver.persons' }],
    ['POST', '/api/sql', { sql: 'select upper(mail) as m, n from silver.persons, gold.contacts' }],
    ['POST', '/api/sql', { sql: 'select * from silver.persons_quarantine' }],
    [
      'POST',
      '/api/silver-configs/preview',
      {
        target: 'a.b',
        from: ['bronze.persons'],
        select: [{ name: 'x', expression: 'lower(mail)' }],
      },
    ],
  ]

  it.each(DOORS)('is masked for a viewer and not for an admin: %s %s %j', async (...door) => {
    const [method, path, body] = door
    const seen = await call(method, path, body, 'admin')
    expect(seen.status, JSON.stringify(seen.body)).toBe(200)
    expect(JSON.stringify(seen.body).toLowerCase()).toContain('secret.example')
    for (const role of ['viewer', 'editor']) {
      const masked = await call(method, path, body, role)
      expect(masked.status, JSON.stringify(masked.body)).toBe(200)
      expect(JSON.stringify(masked.body)).toContain('•••')
      expect(JSON.stringify(masked.body).toLowerCase()).not.toContain('secret.example')
    }
  })

  it('can not be found out by a condition', async () => {
    const sql = "select count(*) as n from silver.persons where mail like 'ann%'"
    const found = async (role: string) => (await call('POST', '/api/sql', { sql }, role)).body.rows
    expect([await found('admin'), await found('viewer')]).toEqual([[['1']], [['0']]])
  })

  it('is masked in the samples of a rule that is tried, and asking needs an editor', async () => {
    const failing = {
      ...rule,
      filter: null,
      check: 'expression',
      columns: [],
      options: { expression: 'id > 99' },
    }
    const ask = (role: string) => call('POST', '/api/dq-rules/test', { rule: failing }, role)
    expect((await ask('admin')).body.samples[0].mail).toMatch(/@secret/)
    const { body } = await ask('editor')
    expect(body.samples.map((row: { mail: string | null }) => row.mail)).toEqual(
      expect.arrayContaining(['•••', null]),
    )
    expect(JSON.stringify(body)).not.toContain('secret.example')
    expect(await ask('viewer')).toMatchObject({ status: 403 })
  })

  it('is never stored with the samples of a batch, not even for an admin', async () => {
    const [run] = (await call('GET', '/api/logs/rules?table=silver.persons&state=failed')).body
      .items
    const samples = await call('GET', `/api/logs/rules/${run.id}/samples`)
    expect(samples.body.items.length).toBeGreaterThan(0)
    const stored = await home.sql`select row::text as row from logging.dq_sample`
    expect(JSON.stringify(stored)).not.toContain('secret.example')
    expect(JSON.stringify(stored)).toContain('***')
  })
})
