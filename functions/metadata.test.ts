import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { hashToken } from './auth.ts'
import { openTestApp } from './testing.ts'
import type { TestApp } from './testing.ts'

let app: TestApp
beforeAll(async () => {
  app = await openTestApp()
})
afterAll(() => app.sql.end())
beforeEach(async () => {
  await app.sql`
    truncate config.rule_set, config.dq_rule, config.input, config.target, config.gold_config, config.silver_config,
      config.bronze_config, config.raw_config, config.source, config.source_group, config.compute_profile, config.schedule,
      config.environment, config.applied cascade
  `
})

const SHOP = `
environments:
  - { name: laptop, engine: local, is_default: true }
schedules:
  - name: nightly
    quartz_cron: 0 0 2 * * ?
    timezone: Europe/Berlin
compute_profiles:
  - { name: small, parent: base }
  - { name: base, mode: serverless }
groups:
  - name: shop
    schedule: nightly
    compute_profile: small
    notify:
      - url: https://hooks.example.com/lake
sources:
  - name: drop
    kind: files
    options: { root: /data/drop }
raw_configs:
  - name: orders
    source: drop
    group: shop
    object: orders/*.csv
    format: csv
    read_mode: files
    columns:
      - { name: id, type: bigint, nullable: false }
      - { name: customer_id, type: bigint }
      - { name: amount, type: string }
      - { name: at, type: timestamp }
  - name: customers
    source: drop
    group: shop
    object: customers/*.csv
    format: csv
    read_mode: files
    columns:
      - { name: id, type: bigint }
      - { name: name, type: string, source_name: Full Name }
bronze_configs:
  - { target: bronze.orders, raw: drop.orders }
  - { target: bronze.customers, raw: drop.customers }
silver_configs:
  - target: silver.orders
    group: shop
    from: [bronze.orders]
    load_type: merge
    keys: [id]
    select:
      - { name: id, expression: id }
      - { name: customer_id, expression: customer_id }
      - name: amount
        expression: |
          -- text in the source
          try_cast(amount as decimal(12,2))
    sequence_by: at
  - target: silver.customers
    group: shop
    from: [bronze.customers]
    load_type: scd2
    keys: [id]
    sequence_by: _ingested_at
gold_configs:
  - target: gold.by_customer
    group: shop
    query: |
      select c.name as customer, sum(o.amount) as total
      from silver.orders o
      join silver.customers c on c.id = o.customer_id
      group by c.name
dq_rules:
  - { name: has_amount, target: silver.orders, check: not_null, columns: [amount], on_fail: quarantine }
  - name: known_customer
    target: silver.orders
    check: referential
    columns: [customer_id]
    options: { table: silver.customers, columns: [id] }
rule_sets:
  - name: keys
    attach_tables: ['silver.*']
    rules:
      - { name: id_there, check: not_null, columns: [id] }
`.replace('    sequence_by: at\n', '')

const put = (text: string, options: object = {}, name = 'lake.yaml') =>
  app.call('POST', '/api/apply', { files: [{ name, text }], ...options })
const exported = async (query = '') =>
  (await app.call('GET', `/api/export${query}`)).body as unknown as string
const version = async () =>
  (await app.sql<{ value: string }[]>`select value::text from config.metadata_version`)[0]!.value
type Said = { file: string; line: number; path: string; message: string }
const said = (answer: { body: { errors: Said[] } }) =>
  answer.body.errors.map(({ file, line, message }) => `${file}:${line} ${message}`)

describe('apply', () => {
  it('makes everything that a file declares, whatever the order in which things name each other', async () => {
    const answer = await put(SHOP)
    expect(answer.body).toMatchObject({
      dry_run: false,
      summary: { create: 16, update: 0, rename: 0, delete: 0, unchanged: 0 },
    })
    const [gold] = await app.sql`select columns, derived from config.gold_config`
    expect(gold).toMatchObject({
      columns: [
        { name: 'customer', type: 'string' },
        { name: 'total', type: 'decimal(22,2)' },
      ],
      derived: { inputs: ['silver.customers', 'silver.orders'] },
    })
    const plan = await app.call(
      'GET',
      `/api/groups/${(await app.call('GET', '/api/groups')).body.items[0].id}/plan`,
    )
    expect(plan.body.plan.steps).toHaveLength(7)
  })

  it('changes nothing when it is applied, exported and applied again', async () => {
    await put(SHOP)
    const before = await version()
    const again = await put(SHOP)
    expect(again.body.summary).toMatchObject({ create: 0, update: 0, unchanged: 16 })
    const yaml = await exported()
    const json = await exported('?format=json')
    expect((await put(yaml)).body.summary).toMatchObject({ unchanged: 16, update: 0 })
    expect((await put(JSON.stringify(json), {}, 'lake.json')).body.summary).toMatchObject({
      unchanged: 16,
      update: 0,
    })
    expect(await version()).toBe(before)
    expect(await exported()).toBe(yaml)
  })

  it('gives an empty store the same metadata from an export', async () => {
    await put(SHOP)
    const yaml = await exported()
    await app.sql`
      truncate config.rule_set, config.dq_rule, config.input, config.target, config.gold_config, config.silver_config,
        config.bronze_config, config.raw_config, config.source, config.source_group, config.compute_profile, config.schedule,
        config.environment, config.applied cascade
    `
    expect((await put(yaml, { force: true })).body.summary).toMatchObject({ create: 16 })
    const head = /exported_at_version: \d+/
    expect((await exported()).replace(head, '')).toBe(yaml.replace(head, ''))
  })

  it('as a dry run answers the changes and stores nothing', async () => {
    await put(SHOP)
    const before = await version()
    const answer = await put(
      SHOP.replace('Europe/Berlin', 'UTC').replace('sum(o.amount)', 'count(*)'),
      {
        dry_run: true,
      },
    )
    expect(
      answer.body.changes.filter((each: { action: string }) => each.action !== 'unchanged'),
    ).toEqual([
      {
        kind: 'schedule',
        name: 'nightly',
        action: 'update',
        fields: [{ path: 'timezone', before: 'Europe/Berlin', after: 'UTC' }],
      },
      {
        kind: 'gold config',
        name: 'gold.by_customer',
        action: 'update',
        fields: [
          { path: 'query', before: expect.any(String), after: expect.any(String) },
          { path: 'columns.1.type', before: 'decimal(22,2)', after: 'bigint' },
          { path: 'columns.1.nullable', before: true, after: false },
        ],
      },
    ])
    expect(await version()).toBe(before)
  })

  it('takes a folder of files as one set', async () => {
    const [first, second] = [
      SHOP.slice(0, SHOP.indexOf('sources:')),
      SHOP.slice(SHOP.indexOf('sources:')),
    ]
    const answer = await app.call('POST', '/api/apply', {
      files: [
        { name: 'b.yaml', text: second },
        { name: 'a.yaml', text: first },
      ],
    })
    expect(answer.body.summary).toMatchObject({ create: 16 })
  })

  it('takes several documents in one file, and a byte order mark', async () => {
    const answer = await put(
      `\ufeffsources:\n- {name: a, kind: files, options: {root: /a}}\n---\nsources:\n- {name: b, kind: files, options: {root: /b}}\n`,
    )
    expect(answer.body.summary).toMatchObject({ create: 2 })
  })

  it('leaves what the files do not name, and defaults what an object no longer says', async () => {
    await put(SHOP)
    await put('groups:\n  - name: shop\n    schedule: nightly\n')
    const [group] = await app.sql`select compute_profile_id, notify from config.source_group`
    expect(group).toEqual({ compute_profile_id: null, notify: [] })
    expect(await app.sql`select from config.raw_config`).toHaveLength(2)
  })

  it('derives readers anew that are in no file, and lists them', async () => {
    await put(SHOP)
    const answer = await put(
      SHOP.slice(SHOP.indexOf('raw_configs:'), SHOP.indexOf('bronze_configs:')).replace(
        'source_name: Full Name',
        'source_name: Full Name, nullable: false',
      ),
    )
    expect(
      answer.body.changes.map((each: { name: string; action: string }) => [each.name, each.action]),
    ).toEqual([
      ['drop.orders', 'unchanged'],
      ['drop.customers', 'update'],
      ['silver.customers', 'update'],
      ['gold.by_customer', 'update'],
    ])
    const [gold] = await app.sql`select columns from config.gold_config`
    expect(gold!.columns[0]).toMatchObject({ name: 'customer', nullable: false })
  })

  it('says in the audit that a change came from files, and by whom', async () => {
    await put(SHOP)
    const { body } = await app.call('GET', '/api/changes?table=source')
    expect(body.items[0]).toMatchObject({ actor: 'local', origin: 'apply', operation: 'insert' })
    expect(body.items[0].request_id).toMatch(/^[0-9a-f-]{36}$/)
  })
})

describe('apply says every fault at once, with file and line', () => {
  it('of broken YAML', async () => {
    const answer = await put('sources:\n  - name: a\n   kind: files\n  - {name: b\n')
    expect(answer).toMatchObject({ status: 422, body: { code: 'metadata_invalid' } })
    expect(said(answer)[0]).toMatch(/^lake\.yaml:\d /)
  })

  it('of unknown keys at every depth, with what may have been meant', async () => {
    const answer = await put(
      [
        'sorces: []',
        'sources:',
        '  - name: a',
        '    kind: files',
        '    descripton: x',
        '    colour: red',
        '    options:',
        '      root: /a',
        '      rot: /b',
        'groups:',
        '  - name: g',
        '    schedule_id: 018f0000-0000-7000-8000-000000000000',
        '    notify:',
        '      - url: https://example.com',
        '        one: 1',
        '        two: 2',
      ].join('\n'),
    )
    expect(said(answer)).toEqual([
      'lake.yaml:1 There is nothing called sorces. Did you mean sources?',
      'lake.yaml:5 A source has no field descripton. Did you mean description?',
      'lake.yaml:6 A source has no field colour.',
      'lake.yaml:9 There is no such field here.',
      'lake.yaml:12 Names, never ids: write schedule.',
      'lake.yaml:15 There is no such field here.',
      'lake.yaml:16 There is no such field here.',
    ])
    expect(await app.sql`select from config.source`).toHaveLength(0)
  })

  it('of names that are missing, twice there, or not legal', async () => {
    const answer = await put(
      [
        'sources:',
        '  - { kind: files, options: { root: /a } }',
        '  - { name: "../etc", kind: files, options: { root: /a } }',
        '  - { name: "a\'; drop table config.source; --", kind: files, options: { root: /a } }',
        '  - { name: twin, kind: files, options: { root: /a } }',
        '  - { name: twin, kind: files, options: { root: /a } }',
        '  - { name: Größe, kind: files, options: { root: /a } }',
        '  - { name: 12, kind: files, options: { root: /a } }',
        '  - { name: __proto__, kind: files, options: { root: /a, __proto__: x } }',
      ].join('\n'),
    )
    expect(said(answer)).toEqual([
      'lake.yaml:2 It is missing.',
      'lake.yaml:3 Use a-z, 0-9 and _, at most 100 characters.',
      'lake.yaml:4 Use a-z, 0-9 and _, at most 100 characters.',
      'lake.yaml:6 The source twin stands in lake.yaml:5 too.',
      'lake.yaml:7 Use a-z, 0-9 and _, at most 100 characters.',
      'lake.yaml:8 Expected string.',
    ])
    expect(({} as { x?: string }).x).toBeUndefined()
  })

  it('of SQL, at its own line, without following faults of what reads it', async () => {
    const answer = await put(
      SHOP.replace('try_cast(amount as decimal(12,2))', 'try_cast(amoun as decimal(12,2))')
        .replace('{ name: id, expression: id }', '{ name: id, expression: frobnicate(id) }')
        .replace('columns: [customer_id]\n', 'columns: [customer]\n'),
    )
    const lines = SHOP.split('\n')
    expect(said(answer)).toEqual([
      expect.stringContaining(
        `lake.yaml:${lines.findIndex((line) => line.includes('expression: id')) + 1} `,
      ),
      expect.stringContaining(
        `lake.yaml:${lines.findIndex((line) => line.includes('try_cast')) + 1} `,
      ),
    ])
    expect(said(answer)[0]).toContain('frobnicate')
    expect(said(answer)[1]).toContain('amoun')
  })

  it('of references to what is nowhere', async () => {
    const answer = await put(
      SHOP.replace('raw: drop.orders', 'raw: drop.order').replace(
        'schedule: nightly',
        'schedule: nighly',
      ),
    )
    expect(said(answer)).toEqual([
      expect.stringMatching(/There is no schedule nighly\. Did you mean nightly\?$/),
      expect.stringMatching(/There is no raw config drop\.order\. Did you mean drop\.orders\?$/),
    ])
  })

  it('of tables and profiles that wait for each other', async () => {
    const answer = await put(
      [
        'compute_profiles:',
        '  - { name: a, parent: b }',
        '  - { name: b, parent: a }',
        'groups:',
        '  - name: g',
        'gold_configs:',
        '  - { target: gold.x, group: g, query: select n from gold.y }',
        '  - { target: gold.y, group: g, query: select n from gold.x }',
      ].join('\n'),
    )
    expect(said(answer)).toEqual([
      "lake.yaml:2 These profiles are each other's parents: a → b → a.",
      "lake.yaml:3 These profiles are each other's parents: b → a → b.",
      'lake.yaml:7 These tables wait for each other: gold.x, gold.y.',
      'lake.yaml:8 These tables wait for each other: gold.x, gold.y.',
    ])
  })

  it('of what only several things together get wrong', async () => {
    const answer = await put(
      SHOP.replace('target: bronze.customers,', 'target: silver.orders,').replace(
        '  - { name: laptop, engine: local, is_default: true }',
        '  - { name: laptop, engine: local, is_default: true }\n  - { name: other, engine: local, is_default: true }',
      ),
    )
    expect(said(answer)).toEqual(
      expect.arrayContaining([
        'lake.yaml:4 Only one environment is the default: laptop, other.',
        expect.stringContaining('Another zone writes the table silver.orders.'),
      ]),
    )
  })

  it('of a table in no file that would no longer work', async () => {
    await put(SHOP)
    const answer = await put(
      SHOP.slice(SHOP.indexOf('silver_configs:'), SHOP.indexOf('gold_configs:')).replace(
        '{ name: customer_id, expression: customer_id }',
        '{ name: buyer, expression: customer_id }',
      ),
    )
    expect(said(answer)).toEqual([
      expect.stringMatching(
        /^lake\.yaml:2 The table gold\.by_customer would no longer work: .*customer_id/,
      ),
      expect.stringMatching(
        /^lake\.yaml:2 The table silver\.orders \(rule known_customer\) would no longer work/,
      ),
    ])
  })

  it('of aliases that multiply, of depth without end, and of a file that is no mapping', async () => {
    const bomb = ['a: &a [x,x,x,x,x,x,x,x,x]']
    for (let i = 1; i < 12; i++)
      bomb.push(
        `b${i}: &b${i} [${Array.from({ length: 9 }, () => `*${i === 1 ? 'a' : `b${i - 1}`}`).join(',')}]`,
      )
    for (const text of [bomb.join('\n'), '['.repeat(20_000), '- a\n- b\n', 'just words'])
      expect(await put(text)).toMatchObject({ status: 422, body: { code: 'metadata_invalid' } })
    expect((await put('# nothing\n')).body.changes).toEqual([])
  })

  it('of a secret that stands in a file, without repeating it', async () => {
    const answer = await put(
      'sources:\n  - name: db\n    kind: postgres\n    options: { host: h, database: d, user: u, password: hunter2 }\n',
    )
    expect(said(answer)).toEqual([
      expect.stringMatching(/^lake\.yaml:4 Give a reference, secret:\/\//),
    ])
    expect(JSON.stringify(answer.body)).not.toContain('hunter2')
  })
})

describe('apply renames', () => {
  it('what previous_name says, and what names it follows', async () => {
    await put(SHOP)
    const [before] = await app.sql`select id from config.source`
    const text = SHOP.replace('  - name: drop\n', '  - name: landing\n    previous_name: drop\n')
      .replaceAll('source: drop', 'source: landing')
      .replaceAll('raw: drop.', 'raw: landing.')
      .replace(
        '  - target: silver.orders\n',
        '  - target: silver.sales\n    previous_name: orders\n',
      )
      .replaceAll('target: silver.orders,', 'target: silver.sales,')
      .replaceAll('target: silver.orders\n', 'target: silver.sales\n')
      .replace('from silver.orders', 'from silver.sales')
    const answer = await put(text)
    expect(answer.body.summary).toMatchObject({ rename: 2, create: 0, delete: 0 })
    const [after] = await app.sql`select id, name from config.source`
    expect(after).toEqual({ id: before!.id, name: 'landing' })
    expect(await app.sql`select target from config.dq_rule group by 1`).toEqual([
      { target: 'silver.sales' },
    ])
    expect((await put(text)).body.summary).toMatchObject({ rename: 0, unchanged: 16 })
  })

  it('and frees the former name for something else in the same apply', async () => {
    await put('sources:\n  - {name: a, kind: files, options: {root: /a}}\n')
    const answer = await put(
      'sources:\n  - {name: a, kind: files, options: {root: /new}}\n  - {name: b, previous_name: a, kind: files, options: {root: /a}}\n',
    )
    expect(answer.body.summary).toMatchObject({ rename: 1, create: 1 })
    expect(await app.sql`select name, options from config.source order by name`).toEqual([
      { name: 'a', options: { root: '/new' } },
      { name: 'b', options: { root: '/a' } },
    ])
  })

  it('nothing while both names are there', async () => {
    await put(
      'sources:\n  - {name: a, kind: files, options: {root: /a}}\n  - {name: b, kind: files, options: {root: /b}}\n',
    )
    const answer = await put(
      'sources:\n  - {name: b, previous_name: a, kind: files, options: {root: /b}}\n',
    )
    expect(said(answer)).toEqual([
      'lake.yaml:2 Both a and b are there: delete one, or leave previous_name out.',
    ])
  })
})

describe('apply prunes', () => {
  it('what a former apply made and nothing else, and shows it first', async () => {
    await put(SHOP)
    await app.call('POST', '/api/sources', {
      name: 'by_hand',
      kind: 'files',
      options: { root: '/x' },
    })
    const less = SHOP.slice(0, SHOP.indexOf('gold_configs:'))
    const shown = await put(less, { prune: true, dry_run: true })
    const gone = (answer: typeof shown) =>
      answer.body.changes
        .filter((each: { action: string }) => each.action === 'delete')
        .map((each: { kind: string; name: string }) => `${each.kind} ${each.name}`)
    expect(gone(shown)).toEqual([
      'rule set keys',
      'rule silver.orders.has_amount',
      'rule silver.orders.known_customer',
      'gold config gold.by_customer',
    ])
    expect(await app.sql`select from config.gold_config`).toHaveLength(1)
    expect(gone(await put(less, { prune: true }))).toEqual(gone(shown))
    expect(await app.sql`select from config.gold_config`).toHaveLength(0)
    expect(await app.sql`select name from config.source order by 1`).toEqual([
      { name: 'by_hand' },
      { name: 'drop' },
    ])
    expect((await put('# all gone\n', { prune: true })).body.summary).toMatchObject({ delete: 12 })
  })

  it('not what others still need', async () => {
    await put(SHOP)
    const [drop] = await app.sql`select id from config.source`
    const [group] = await app.sql`select id from config.source_group`
    await app.call('POST', '/api/raw-configs', {
      name: 'more',
      source_id: drop!.id,
      group_id: group!.id,
      object: '*.csv',
      format: 'csv',
      read_mode: 'files',
    })
    const answer = await put('# all gone\n', { prune: true })
    expect(answer.body.errors.map((each: Said) => each.message)).toEqual(
      [
        'The group shop can not be pruned: the raw config drop.more needs it.',
        'The source drop can not be pruned: the raw config drop.more needs it.',
      ].sort((a, b) => (a < b ? 1 : -1)),
    )
  })
})

describe('apply refuses', () => {
  it('what somebody changed since the export, unless forced', async () => {
    await put(SHOP)
    const file = (await exported())
      .replace('Europe/Berlin', 'Asia/Tokyo')
      .replace('max_parallel', 'max_parallel')
    const [schedule] = await app.sql`select id from config.schedule`
    await app.call('PATCH', `/api/schedules/${schedule!.id}`, { description: 'by hand' })
    const answer = await put(file)
    expect(answer).toMatchObject({ status: 409, body: { code: 'apply_conflict' } })
    expect(said(answer)).toEqual([
      expect.stringMatching(
        /^lake\.yaml:\d+ local changed the schedule nightly at .*, after this file was exported\.$/,
      ),
    ])
    expect((await put(file, { force: true })).body.summary).toMatchObject({ update: 1 })
    // What an apply changed is no stranger's change
    expect((await put(file.replace('Asia/Tokyo', 'UTC'))).status).toBe(200)
  })

  it('to make anew what somebody deleted since the export', async () => {
    await put(SHOP)
    const file = await exported()
    const [set] = await app.sql`select id from config.rule_set`
    await app.call('DELETE', `/api/rule-sets/${set!.id}`)
    expect(said(await put(file))).toEqual([
      expect.stringContaining('local deleted the rule set keys'),
    ])
  })

  it('nothing for a change that files do not show', async () => {
    await put(SHOP)
    const file = await exported()
    await app.sql`update config.environment set home_id = 'somebody'`
    expect(
      (await put(file.replace('is_default: true', 'is_default: true\n    description: mine'))).body
        .summary,
    ).toMatchObject({ update: 1 })
    expect(await app.sql`select home_id from config.environment`).toEqual([{ home_id: 'somebody' }])
  })

  it('everything where SQL can not be checked', async () => {
    const blind = await openTestApp({ dialect: null, sql: app.sql })
    try {
      const answer = await blind.call('POST', '/api/apply', {
        files: [{ name: 'a.yaml', text: SHOP }],
      })
      expect(answer).toMatchObject({ status: 503, body: { code: 'sql_check_unavailable' } })
      expect(await app.sql`select from config.source`).toHaveLength(0)
    } finally {
      await blind.sql.end()
    }
  })

  it('who may not, and makes a proposal of a rule that needs approval', async () => {
    await put(SHOP.replace('is_default: true }', 'is_default: true, rules_need_approval: true }'))
    const guarded = await openTestApp({ sql: app.sql }, { mode: 'token' })
    try {
      for (const role of ['viewer', 'editor'])
        await app.sql`
          insert into config.token (id, name, hash, hint, role)
          values (gen_random_uuid(), ${role}, ${await hashToken(`lf_${role}`)}, 'lf_', ${role})
        `
      const as = (role: string, text: string) =>
        guarded.call(
          'POST',
          '/api/apply',
          { files: [{ name: 'a.yaml', text }] },
          { authorization: `Bearer lf_${role}` },
        )
      const rule =
        'dq_rules:\n  - { name: more, target: silver.orders, check: not_null, columns: [id] }\n'
      expect(await as('viewer', rule)).toMatchObject({ status: 403 })
      expect(
        await as('editor', rule.replace('columns:', 'status: approved, columns:')),
      ).toMatchObject({ status: 422 })
      expect(await as('editor', rule)).toMatchObject({ status: 200 })
      expect(await app.sql`select status from config.dq_rule where name = 'more'`).toEqual([
        { status: 'proposed' },
      ])
      await app.sql`update config.dq_rule set status = 'approved' where name = 'more'`
      expect((await as('editor', rule)).body.summary).toMatchObject({ unchanged: 1 })
      expect(await as('editor', 'environments:\n  - { name: new, engine: local }\n')).toMatchObject(
        { status: 403 },
      )
    } finally {
      await app.sql`delete from config.token`
      await guarded.sql.end()
    }
  })
})

describe('export', () => {
  it('writes names, leaves defaults out, and is the same text each time', async () => {
    await put(SHOP)
    const text = await exported()
    expect(text.replace(/exported_at_version: \d+/, 'exported_at_version: 1'))
      .toMatchInlineSnapshot(`
        "exported_at_version: 1
        environments:
          - name: laptop
            engine: local
            is_default: true
        schedules:
          - name: nightly
            quartz_cron: 0 0 2 * * ?
            timezone: Europe/Berlin
        compute_profiles:
          - name: base
            mode: serverless
          - name: small
            parent: base
        groups:
          - name: shop
            schedule: nightly
            compute_profile: small
            notify:
              - url: https://hooks.example.com/lake
        sources:
          - name: drop
            kind: files
            options:
              root: /data/drop
        raw_configs:
          - name: customers
            source: drop
            group: shop
            object: customers/*.csv
            format: csv
            columns:
              - { name: id, type: bigint }
              - { name: name, type: string, source_name: Full Name }
            read_mode: files
          - name: orders
            source: drop
            group: shop
            object: orders/*.csv
            format: csv
            columns:
              - { name: id, type: bigint, nullable: false }
              - { name: customer_id, type: bigint }
              - { name: amount, type: string }
              - { name: at, type: timestamp }
            read_mode: files
        bronze_configs:
          - target: bronze.customers
            raw: drop.customers
          - target: bronze.orders
            raw: drop.orders
        silver_configs:
          - target: silver.customers
            group: shop
            from: [ bronze.customers ]
            load_type: scd2
            keys: [ id ]
            sequence_by: _ingested_at
          - target: silver.orders
            group: shop
            from: [ bronze.orders ]
            select:
              - name: id
                expression: id
              - name: customer_id
                expression: customer_id
              - name: amount
                expression: |
                  -- text in the source
                  try_cast(amount as decimal(12,2))
            load_type: merge
            keys: [ id ]
        gold_configs:
          - target: gold.by_customer
            group: shop
            query: |
              select c.name as customer, sum(o.amount) as total
              from silver.orders o
              join silver.customers c on c.id = o.customer_id
              group by c.name
        dq_rules:
          - name: has_amount
            check: not_null
            columns: [ amount ]
            on_fail: quarantine
            target: silver.orders
          - name: known_customer
            check: referential
            columns: [ customer_id ]
            options:
              table: silver.customers
              columns: [ id ]
            target: silver.orders
        rule_sets:
          - name: keys
            rules:
              - name: id_there
                check: not_null
                columns: [ id ]
            attach_tables: [ silver.* ]
        "
      `)
  })

  it('of one group has what the group needs and no more', async () => {
    await put(SHOP)
    await put(
      'groups:\n  - name: other\nsources:\n  - {name: unused, kind: files, options: {root: /u}}\n',
    )
    const text = await exported('?group=shop')
    expect(text).toContain('name: base')
    expect(text).toContain('name: keys')
    expect(text).not.toMatch(/other|unused|laptop/)
    expect((await put(text)).body.summary).toMatchObject({ unchanged: 15, create: 0, update: 0 })
    expect(await app.call('GET', '/api/export?group=nope')).toMatchObject({ status: 404 })
  })

  it('has a JSON Schema with names where the API has ids', async () => {
    const { body } = await app.call('GET', '/api/metadata.schema.json')
    expect(Object.keys(body.properties)).toEqual([
      '$schema',
      'exported_at_version',
      'environments',
      'schedules',
      'compute_profiles',
      'groups',
      'sources',
      'raw_configs',
      'bronze_configs',
      'silver_configs',
      'gold_configs',
      'dq_rules',
      'rule_sets',
    ])
    const raw = body.$defs.raw_config
    expect(raw.required).toEqual(['name', 'source', 'group', 'object', 'read_mode'])
    expect(raw.properties.source).toMatchObject({ type: 'string', title: 'Source' })
    expect(raw.properties.source_id).toBeUndefined()
    expect(body.$defs.silver_config.properties.columns).toBeUndefined()
    expect(JSON.stringify(body)).not.toContain('uuid')
  })
})

it('applies 1000 tables, and finds nothing to do the second time and after an export', async () => {
  const raws: string[] = []
  const bronzes: string[] = []
  const silvers: string[] = []
  const rules: string[] = []
  for (let i = 0; i < 1000; i++) {
    raws.push(
      `  - { name: t${i}, source: drop, group: g, object: t${i}.csv, format: csv, read_mode: files, columns: [{ name: id, type: bigint }, { name: v, type: string }] }`,
    )
    bronzes.push(`  - { target: bronze.t${i}, raw: drop.t${i} }`)
    silvers.push(
      `  - { target: silver.t${i}, group: g, from: [bronze.t${i}], load_type: merge, keys: [id], select: [{ name: id, expression: id }, { name: v, expression: upper(v) }] }`,
    )
    rules.push(`  - { name: key, target: silver.t${i}, check: not_null, columns: [id] }`)
  }
  const text = [
    'groups:',
    '  - name: g',
    'sources:',
    '  - { name: drop, kind: files, options: { root: /data } }',
    'raw_configs:',
    ...raws,
    'bronze_configs:',
    ...bronzes,
    'silver_configs:',
    ...silvers,
    'dq_rules:',
    ...rules,
  ].join('\n')
  expect((await put(text)).body.summary).toMatchObject({ create: 4002 })
  expect((await put(text)).body.summary).toMatchObject({ unchanged: 4002 })
  expect((await put(await exported())).body.summary).toMatchObject({ unchanged: 4002 })
}, 120_000)
