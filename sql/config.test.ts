import { afterAll, describe, expect, it } from 'vitest'
import { uuidv7 } from '#core/id.ts'
import { actingAs } from './actor.ts'
import type { Db } from './db.ts'
import { freshDb, ON_SERVER } from './testing.ts'

const sql = await freshDb()
afterAll(() => sql.end())

let made = 0
const next = (kind: string) => `${kind}_${++made}`

async function source(db: Db = sql, name = next('source')) {
  const row = { id: uuidv7(), name, kind: 'files', options: { root: '/data' } }
  const [source] = await db`insert into config.source ${sql(row)} returning *`
  return source!
}
async function group(db: Db = sql) {
  const [group] = await db`
    insert into config.source_group ${sql({ id: uuidv7(), name: next('group') })} returning *`
  return group!
}
async function raw(source_id: string, group_id: string, db: Db = sql) {
  const row = {
    id: uuidv7(),
    name: next('raw'),
    source_id,
    group_id,
    object: '*',
    read_mode: 'files',
  }
  const [raw] = await db`insert into config.raw_config ${sql(row)} returning *`
  return raw!
}
async function bronze(raw_id: string, target: string, more = {}, db: Db = sql) {
  const row = { id: uuidv7(), raw_id, target, ...more }
  const [bronze] = await db`insert into config.bronze_config ${sql(row)} returning *`
  return bronze!
}
async function silver(group_id: string, target: string, from: string[], more = {}, db: Db = sql) {
  const row = { id: uuidv7(), group_id, target, from, load_type: 'append', ...more }
  const [silver] = await db`insert into config.silver_config ${sql(row)} returning *`
  return silver!
}
async function rule(target: string, more = {}) {
  const row = {
    id: uuidv7(),
    name: next('rule'),
    target,
    check: 'not_null',
    columns: ['id'],
    ...more,
  }
  const [rule] = await sql`insert into config.dq_rule ${sql(row)} returning *`
  return rule!
}
/** A source, a group, a raw config and a bronze table of it. */
async function chain() {
  const s = await source()
  const g = await group()
  const r = await raw(s.id, g.id)
  const target = `bronze.${next('table')}`
  return { source: s, group: g, raw: r, target, bronze: await bronze(r.id, target) }
}
async function metadataVersion(): Promise<number> {
  const [row] = await sql`select value from config.metadata_version`
  return Number(row!.value)
}
const names = async (table: string, id: string) =>
  (await sql`select table_name, name from config.dependants(${table}, ${id})`).map(
    (row) => `${row.table_name} ${row.name}`,
  )

describe('a change of metadata', () => {
  it('is audited with who, before, after and the metadata version', async () => {
    const before = await metadataVersion()
    const row = await actingAs(sql, { name: 'ada', request_id: 'r-1' }, (tx) => source(tx))
    await actingAs(
      sql,
      { name: 'bob' },
      (tx) => tx`update config.source set owner = 'data' where id = ${row.id}`,
    )
    await sql`delete from config.source where id = ${row.id}`
    const changes = await sql`select * from config.change where row_id = ${row.id} order by id`
    expect(changes).toMatchObject([
      { actor: 'ada', operation: 'insert', table_name: 'source', before: null, request_id: 'r-1' },
      {
        actor: 'bob',
        operation: 'update',
        before: { owner: '', version: 1 },
        after: { owner: 'data', version: 2 },
        request_id: null,
      },
      { actor: 'system', operation: 'delete', before: { owner: 'data' }, after: null },
    ])
    expect(changes.map((change) => Number(change.metadata_version))).toEqual([
      before + 1,
      before + 2,
      before + 3,
    ])
  })

  it('stamps who and when, whatever the caller says, and counts the version', async () => {
    const row = await actingAs(sql, { name: 'ada' }, (tx) => source(tx))
    expect(row).toMatchObject({ version: 1, created_by: 'ada', updated_by: 'ada' })
    const lies = {
      version: 99,
      created_by: 'eve',
      updated_by: 'eve',
      created_at: new Date(0),
      id: uuidv7(),
      owner: 'x',
    }
    const [after] = await actingAs(
      sql,
      { name: 'bob' },
      (tx) => tx`update config.source set ${sql(lies)} where id = ${row.id} returning *`,
    )
    expect(after).toMatchObject({
      id: row.id,
      version: 2,
      created_by: 'ada',
      updated_by: 'bob',
      created_at: row.created_at,
    })
  })

  it('that changes nothing makes no version, no audit and no metadata version', async () => {
    const row = await source()
    const before = await metadataVersion()
    const [same] = await sql`update config.source set owner = '' where id = ${row.id} returning *`
    expect(same).toEqual(row)
    expect(await metadataVersion()).toBe(before)
    expect(await sql`select from config.change where row_id = ${row.id}`).toHaveLength(1)
  })

  it('by two who read the same version is refused to the second', async () => {
    const row = await source()
    const write = (owner: string) =>
      sql`update config.source set ${sql({ owner })} where id = ${row.id} and version = ${row.version} returning version`
    expect(await write('first')).toEqual([{ version: 2 }])
    expect(await write('second')).toEqual([])
  })

  it('raises the metadata version once a transaction, and not when it is rolled back', async () => {
    const before = await metadataVersion()
    await sql.begin(async (tx) => {
      await source(tx)
      await tx.savepoint((inner) => source(inner, 'Not Legal')).catch(() => {})
      await source(tx)
    })
    expect(await metadataVersion()).toBe(before + 1)
    await sql
      .begin(async (tx) => {
        await source(tx)
        throw new Error('no')
      })
      .catch(() => {})
    expect(await metadataVersion()).toBe(before + 1)
    await source()
    expect(await metadataVersion()).toBe(before + 2)
  })

  it('cannot be taken out of the audit', async () => {
    await source()
    const refused = expect.objectContaining({ constraint_name: 'change_immutable_check' })
    await expect(sql`update config.change set actor = 'nobody'`).rejects.toEqual(refused)
    await expect(sql`delete from config.change`).rejects.toEqual(refused)
  })

  it('of a token never shows its hash, and its use is no change', async () => {
    const row = {
      id: uuidv7(),
      name: next('token'),
      role: 'viewer',
      hash: 'f00d'.repeat(16),
      hint: 'lf_abc',
    }
    await sql`insert into config.token ${sql(row)}`
    const before = await metadataVersion()
    await sql`update config.token set last_used_at = now() where id = ${row.id}`
    expect(await metadataVersion()).toBe(before)
    await sql`update config.token set revoked_at = now() where id = ${row.id}`
    const changes = await sql`select before, after from config.change where row_id = ${row.id}`
    expect(changes).toHaveLength(2)
    expect(JSON.stringify(changes)).not.toContain('f00d')
  })
})

describe.runIf(ON_SERVER)('writers at the same time (a server alone)', () => {
  it('commit in the order of their metadata versions', async () => {
    const rows = await Promise.all(Array.from({ length: 4 }, () => source()))
    const seen: number[] = []
    await Promise.all(
      Array.from({ length: 40 }, (_, index) =>
        sql.begin(async (tx) => {
          // in both directions: without taking turns these would deadlock
          const [first, second] = index % 2 ? [rows[0]!, rows[1]!] : [rows[1]!, rows[0]!]
          await tx`update config.source set owner = ${`a${index}`} where id = ${first.id}`
          await tx`update config.source set owner = ${`a${index}`} where id = ${second.id}`
          const [row] = await tx`select value from config.metadata_version`
          seen.push(Number(row!.value))
        }),
      ),
    )
    expect(new Set(seen).size).toBe(40)
    const order = await sql`
      select metadata_version from config.change where row_id = ${rows[0]!.id} and operation = 'update' order by id`
    const versions = order.map((row) => Number(row.metadata_version))
    expect(versions).toEqual([...versions].sort((a, b) => a - b))
  })

  it('cannot both take a table', async () => {
    const { source: s, group: g } = await chain()
    const target = `mixed.${next('table')}`
    const r = await raw(s.id, g.id)
    const results = await Promise.allSettled([
      sql.begin((tx) => bronze(r.id, target, {}, tx)),
      sql.begin((tx) => silver(g.id, target, ['bronze.none'], {}, tx)),
    ])
    expect(results.filter(({ status }) => status === 'rejected')).toHaveLength(1)
  })
})

describe('names', () => {
  it.each([
    ['source_name_check', () => source(sql, 'Not Legal')],
    ['source_name_check', () => source(sql, '')],
    [
      'source_name_unique',
      async () => {
        await source(sql, 'twice')
        await source(sql, 'twice')
      },
    ],
    [
      'silver_config_target_check',
      async () => silver((await group()).id, 'no_schema', ['a.b'], { name: 'x' }),
    ],
  ] as [string, () => Promise<unknown>][])('are held by %s', async (constraint_name, work) => {
    await expect(work()).rejects.toMatchObject({ constraint_name })
  })

  it('of raw configs are unique in their source, of tables in their schema', async () => {
    const { source: s, group: g, raw: r } = await chain()
    const twin = {
      id: uuidv7(),
      name: r.name,
      source_id: s.id,
      group_id: g.id,
      object: '*',
      read_mode: 'files',
    }
    await expect(sql`insert into config.raw_config ${sql(twin)}`).rejects.toMatchObject({
      constraint_name: 'raw_config_name_unique',
    })
    await sql`insert into config.raw_config ${sql({ ...twin, source_id: (await source()).id })}`
    await bronze(r.id, 'one.orders')
    expect((await bronze(r.id, 'two.orders')).name).toBe('orders')
    await expect(bronze(r.id, 'two.others', { name: 'orders' })).rejects.toMatchObject({
      constraint_name: 'bronze_config_name_unique',
    })
  })
})

describe('a table', () => {
  it('has one zone', async () => {
    const { target, group: g } = await chain()
    await expect(silver(g.id, target, [target])).rejects.toMatchObject({
      constraint_name: 'target_name_unique',
    })
  })

  it('may be fed by several configs of one group that append', async () => {
    const { source: s, group: g, target } = await chain()
    const second = await raw(s.id, g.id)
    const fanIn = await bronze(second.id, target, { name: next('b') })
    const stranger = await raw(s.id, (await group()).id)
    const refused = { constraint_name: 'bronze_config_fan_in_check' }
    await expect(bronze(stranger.id, target, { name: next('b') })).rejects.toMatchObject(refused)
    await expect(
      sql`update config.bronze_config set write = 'replace' where id = ${fanIn.id}`,
    ).rejects.toMatchObject(refused)
    await expect(
      sql`update config.raw_config set group_id = ${stranger.group_id} where id = ${second.id}`,
    ).rejects.toMatchObject(refused)
  })

  it('takes its rules along to a new name, and frees the old one', async () => {
    const { target, bronze: b, raw: r } = await chain()
    const { id } = await rule(target)
    const [renamed] = await sql`
      update config.bronze_config set target = 'bronze.renamed' where id = ${b.id} returning name`
    expect(renamed!.name).toBe('renamed')
    expect(await sql`select target from config.dq_rule where id = ${id}`).toEqual([
      { target: 'bronze.renamed' },
    ])
    await bronze(r.id, target)
  })

  it('that is read keeps its name, unless its readers change in the same transaction', async () => {
    const { target, bronze: b, group: g } = await chain()
    const reader = await silver(g.id, `silver.${next('table')}`, [target])
    const rename = (tx: Db) =>
      tx`update config.bronze_config set target = ${`${target}_new`} where id = ${b.id}`
    await expect(sql.begin((tx) => rename(tx))).rejects.toMatchObject({
      constraint_name: 'input_target_fk',
    })
    await sql.begin(async (tx) => {
      await rename(tx)
      await tx`update config.silver_config set "from" = ${[`${target}_new`]} where id = ${reader.id}`
    })
  })

  it('is read only if it is there when the transaction ends', async () => {
    const { raw: r, group: g } = await chain()
    const target = `bronze.${next('table')}`
    await sql.begin(async (tx) => {
      await silver(g.id, `silver.${next('table')}`, [target], {}, tx)
      await bronze(r.id, target, {}, tx)
    })
    await expect(silver(g.id, `silver.${next('table')}`, ['bronze.nowhere'])).rejects.toMatchObject(
      { constraint_name: 'input_target_fk' },
    )
  })
})

describe('deleting', () => {
  it('is refused while others depend on it, and says who they are', async () => {
    const { source: s, group: g, raw: r, bronze: b, target } = await chain()
    const reader = await silver(g.id, `silver.${next('table')}`, [target])
    const joiner = await silver(g.id, `silver.${next('table')}`, [reader.target], {
      joins: [{ table: target, kind: 'left', on: 'true', alias: null }],
    })
    const own = await rule(target)
    const gold = {
      id: uuidv7(),
      group_id: g.id,
      target: `gold.${next('table')}`,
      query: 'select 1',
      derived: { inputs: [target] },
    }
    await sql`insert into config.gold_config ${sql(gold)}`
    const reference = await rule(reader.target, {
      check: 'referential',
      options: { table: target, columns: ['id'] },
    })

    const refused = async (table: string, id: string, constraint_name: string) =>
      expect(sql`delete from ${sql(`config.${table}`)} where id = ${id}`).rejects.toMatchObject({
        constraint_name,
      })
    await refused('source', s.id, 'raw_config_source_id_fk')
    await refused('source_group', g.id, 'raw_config_group_id_fk')
    await refused('raw_config', r.id, 'bronze_config_raw_id_fk')
    await refused('bronze_config', b.id, 'dq_rule_target_fk')
    await sql`delete from config.dq_rule where id = ${own.id}`
    await refused('bronze_config', b.id, 'input_target_fk')

    expect(await names('source', s.id)).toEqual([`raw_config ${r.name}`])
    expect(await names('raw_config', r.id)).toEqual([`bronze_config ${target}`])
    expect(await names('bronze_config', b.id)).toEqual(
      [
        `dq_rule ${reference.name}`,
        `gold_config ${gold.target}`,
        `silver_config ${reader.target}`,
        `silver_config ${joiner.target}`,
      ].sort(),
    )
    expect(await names('source_group', g.id)).toEqual([
      `gold_config ${gold.target}`,
      `raw_config ${r.name}`,
      `silver_config ${reader.target}`,
      `silver_config ${joiner.target}`,
    ])
    expect(await names('gold_config', gold.id)).toEqual([])
  })

  it('one of two configs that feed a table leaves the table', async () => {
    const { source: s, group: g, target, bronze: first } = await chain()
    const second = await bronze((await raw(s.id, g.id)).id, target, { name: next('b') })
    await rule(target)
    expect(await names('bronze_config', first.id)).toEqual([])
    await sql`delete from config.bronze_config where id = ${first.id}`
    expect(await names('bronze_config', second.id)).toHaveLength(1)
  })

  it('of a schedule, a profile and an environment is refused likewise', async () => {
    const [schedule] =
      await sql`insert into config.schedule ${sql({ id: uuidv7(), name: next('daily'), quartz_cron: '0 0 6 * * ?' })} returning id`
    const [profile] =
      await sql`insert into config.compute_profile ${sql({ id: uuidv7(), name: next('small') })} returning id`
    const g = await group()
    await sql`update config.source_group set schedule_id = ${schedule!.id}, compute_profile_id = ${profile!.id} where id = ${g.id}`
    expect(await names('schedule', schedule!.id)).toEqual([`source_group ${g.name}`])
    expect(await names('compute_profile', profile!.id)).toEqual([`source_group ${g.name}`])
    await expect(sql`delete from config.schedule where id = ${schedule!.id}`).rejects.toMatchObject(
      { constraint_name: 'source_group_schedule_id_fk' },
    )
  })
})

describe('rules, plans, environments', () => {
  it('a rule has the fingerprint of what it says, whatever it is called', async () => {
    const { target } = await chain()
    const one = await rule(target, { options: { a: 1, b: 2 }, on_fail: 'warn' })
    const same = await rule(target, { options: { b: 2, a: 1 }, on_fail: 'drop' })
    const other = await rule(target, { options: { a: 1, b: 3 } })
    expect(same.fingerprint).toBe(one.fingerprint)
    expect(other.fingerprint).not.toBe(one.fingerprint)
  })

  it('a plan never changes', async () => {
    await sql`insert into config.plan ${sql({ hash: 'h', group_id: uuidv7(), plan: { b: 1, a: 2 } })}`
    await expect(sql`update config.plan set plan = '{}'`).rejects.toMatchObject({
      constraint_name: 'plan_immutable_check',
    })
    const [row] = await sql`select plan::text as plan from config.plan where hash = 'h'`
    expect(row!.plan).toBe('{"b":1,"a":2}')
  })

  it('there is one default environment', async () => {
    const add = () =>
      sql`insert into config.environment ${sql({ id: uuidv7(), name: next('env'), engine: 'local', is_default: true })}`
    await add()
    await expect(add()).rejects.toMatchObject({ constraint_name: 'environment_is_default_unique' })
  })

  it('every constraint of ours has a name that says what it is about', async () => {
    const rows = await sql`
      select t.relname as table_name, c.conname as name
      from pg_constraint c
      join pg_class t on t.oid = c.conrelid
      join pg_namespace n on n.oid = t.relnamespace
      -- newer servers keep not null as constraints too
      where n.nspname in ('config', 'logging') and c.contype <> 'n'`
    for (const { table_name, name } of rows) {
      expect(name).toMatch(new RegExp(`^${table_name}_.+`))
      expect(name).toMatch(/_(pk|fk|unique|check|in|out)$/)
    }
    expect(rows.length).toBeGreaterThan(100)
  })

  it('every table and every schema is commented', async () => {
    const rows = await sql`
      select n.nspname || '.' || t.relname as name
      from pg_class t join pg_namespace n on n.oid = t.relnamespace
      where n.nspname in ('config', 'logging') and t.relkind in ('r', 'v') and obj_description(t.oid, 'pg_class') is null`
    expect(rows).toEqual([])
  })
})
