import { afterEach, describe, expect, it } from 'vitest'
import { LakeForgeError } from '#core/errors.ts'
import { FILES, makeTables, openBench, picture, SHOP } from './sync.testing.ts'
import type { Bench } from './sync.testing.ts'

let bench: Bench
afterEach(() => bench?.app.sql.end())

const brief = (plan: { actions: { id: string; do: string }[] }) =>
  plan.actions.map((each) => `${each.do} ${each.id}`)
const codeOf = async (promise: Promise<unknown>) => {
  const error: unknown = await promise.then(
    () => 'accepted',
    (thrown: unknown) => thrown,
  )
  return error instanceof LakeForgeError ? error.code : error
}
const theJob = () => Object.values(bench.fake.state.jobs)[0]!
const thePipeline = () => Object.values(bench.fake.state.pipelines)[0]!

describe('a first sync', () => {
  it('makes folders, files, schemas, the volume, pipelines and jobs in that order, and the next one writes nothing', async () => {
    bench = await openBench(SHOP())
    const plan = await bench.plan()
    expect(brief(plan)).toEqual([
      'create folder:',
      'create folder:notebooks',
      'create folder:notebooks/lakeforge',
      'create folder:pipelines',
      'create folder:plans',
      ...Object.keys(FILES).map((path) => `create file:notebooks/${path}`),
      'create file:plans/shop.json',
      'create file:pipelines/shop.json',
      'create schema:p_bronze',
      'create schema:p_gold',
      'create schema:p_lakeforge',
      'create schema:p_silver',
      'create volume:p_lakeforge.lake',
      'create pipeline:shop',
      'create job:shop',
      'wait table:bronze.orders',
      'wait table:silver.orders',
    ])
    expect(bench.fake.writes()).toEqual([])
    expect(await bench.sync({ plan })).toMatchObject({
      state: 'done',
      failed: [],
      left: ['table:bronze.orders', 'table:silver.orders'],
    })
    const job = theJob()
    expect(job.settings).toMatchObject({
      name: 'lakeforge_prod_shop',
      schedule: {
        quartz_cron_expression: '0 15 2 * * ?',
        timezone_id: 'Europe/Berlin',
        pause_status: 'UNPAUSED',
      },
      health: { rules: [{ metric: 'RUN_DURATION_SECONDS', op: 'GREATER_THAN', value: 86_400 }] },
      email_notifications: { on_failure: ['data@example.com'] },
      tags: { lakeforge_key: 'shop', lakeforge_tags: 'core' },
      job_clusters: [
        {
          job_cluster_key: 'main',
          new_cluster: {
            num_workers: 0,
            spark_conf: {
              'spark.databricks.cluster.profile': 'singleNode',
              'spark.master': 'local[*]',
            },
            custom_tags: { ResourceClass: 'SingleNode' },
          },
        },
      ],
    })
    const tasks = job.settings.tasks as {
      task_key: string
      depends_on?: unknown
      pipeline_task?: { pipeline_id: string }
    }[]
    expect(
      Object.fromEntries(tasks.map((task) => [task.task_key, task.depends_on ?? null])),
    ).toEqual({
      'raw-shop-orders': null,
      'bronze-bronze-orders': [{ task_key: 'raw-shop-orders' }],
      'pipeline-shop': [{ task_key: 'bronze-bronze-orders' }],
      'silver-silver-checked': [{ task_key: 'pipeline-shop' }],
    })
    expect(tasks.find((task) => task.pipeline_task)!.pipeline_task!.pipeline_id).toBe(
      thePipeline().pipeline_id,
    )
    bench.fake.assertHonest()

    const before = bench.fake.requests.length
    const again = await bench.plan()
    expect(brief(again)).toEqual(['wait table:bronze.orders', 'wait table:silver.orders'])
    expect(await bench.sync({ plan: again })).toMatchObject({ state: 'done', done: 0 })
    expect(bench.fake.requests.slice(before).filter((each) => each.method !== 'GET')).toEqual([])
  })

  it('says what the catalog is told once the tables are there: masks before grants', async () => {
    bench = await openBench(SHOP())
    await bench.sync()
    makeTables(bench.fake)
    const plan = await bench.plan()
    expect(brief(plan)).toEqual(['update table:bronze.orders', 'update table:silver.orders'])
    await bench.sync({ plan })
    expect(bench.fake.state.tables['main.p_silver.orders']).toMatchObject({
      comment: "It's one row an order",
      tags: { pii: '' },
      row_filter: {
        function_name: 'main.p_lakeforge.filter_silver__orders',
        input_column_names: ['amount'],
      },
      columns: [
        { name: 'id' },
        {
          name: 'email',
          comment: 'whom to ask',
          mask: { function_name: 'main.p_lakeforge.mask_string' },
        },
        { name: 'amount' },
      ],
    })
    expect(bench.fake.state.grants['table/main.p_silver.orders']).toEqual({ analysts: ['SELECT'] })
    expect(brief(await bench.plan())).toEqual([])

    // A grant of somebody else is no affair of ours; one that the metadata no longer has is taken back
    bench.fake.state.grants['table/main.p_silver.orders']!.others = ['SELECT']
    await bench.apply(
      SHOP().replace(
        'grants: [{ principal: analysts, privileges: [SELECT] }], row_filter: amount > 0',
        'grants: []',
      ),
    )
    await bench.sync()
    expect(bench.fake.state.grants['table/main.p_silver.orders']).toEqual({ others: ['SELECT'] })
    expect(bench.fake.state.tables['main.p_silver.orders']).not.toHaveProperty('row_filter')
    expect(brief(await bench.plan())).toEqual([])
  })

  it('lets nobody in where a mask can not be set', async () => {
    bench = await openBench(SHOP())
    await bench.sync()
    makeTables(bench.fake)
    // The column that is to be masked is not there under that name
    bench.fake.state.tables['main.p_silver.orders']!.columns.splice(1, 1)
    const answer = await bench.sync()
    expect(answer.failed.map((each) => each.id)).toEqual(['table:silver.orders'])
    expect(bench.fake.state.grants).toEqual({})
  })

  it('goes on with the rest when one thing fails, leaves what needs it, and completes it on the next call', async () => {
    bench = await openBench(SHOP())
    const plan = await bench.plan()
    bench.fake.faults.push({ at: /POST .*pipelines$/, kind: 'denied' })
    const answer = await bench.sync({ plan })
    expect(answer.failed).toMatchObject([{ id: 'pipeline:shop', code: 'workspace_denied' }])
    expect(answer.left).toContain('job:shop')
    expect(Object.keys(bench.fake.state.jobs)).toEqual([])
    expect(await bench.sync({ plan })).toMatchObject({ state: 'done', failed: [] })
    expect(Object.keys(bench.fake.state.jobs).length).toBe(1)
  })

  it('stops when its time is over and goes on where it was', async () => {
    bench = await openBench(SHOP())
    const plan = await bench.plan()
    let rounds = 0
    for (let state = 'more'; state === 'more'; rounds++)
      ({ state } = await bench.sync({ plan, budget_ms: 1 }))
    expect(rounds).toBeGreaterThan(2)
    expect(brief(await bench.plan())).toEqual([
      'wait table:bronze.orders',
      'wait table:silver.orders',
    ])
  })

  it('applies a chosen part with what that needs', async () => {
    bench = await openBench(SHOP())
    await bench.sync({ only: ['pipeline:shop'] })
    expect([
      Object.keys(bench.fake.state.jobs).length,
      Object.keys(bench.fake.state.pipelines).length,
    ]).toEqual([0, 1])
    expect(bench.fake.state.schemas).toHaveProperty(['main.p_lakeforge'])
    expect(await codeOf(bench.sync({ only: ['job:nothing'] }))).toBe('sync_action_unknown')
  })
})

describe('a plan', () => {
  it('is refused once the metadata or another plan has moved on', async () => {
    bench = await openBench(SHOP())
    const [one, two] = [await bench.plan(), await bench.plan()]
    await bench.sync({ plan: one })
    expect(await codeOf(bench.sync({ plan: two }))).toBe('sync_base_moved')
    const three = await bench.plan()
    await bench.apply(SHOP().replace("'0 15 2 * * ?'", "'0 15 3 * * ?'"))
    expect(await codeOf(bench.sync({ plan: three }))).toBe('sync_base_moved')
  })

  it('is not applied while another sync holds the environment, and is once that one is dead', async () => {
    bench = await openBench(SHOP())
    const plan = await bench.plan()
    const { id } = await bench.environment()
    const { sql } = bench.app
    await sql`insert into config.sync_lock (environment_id, holder, held_until) values (${id}, ${id}, now() + interval '1 minute')`
    expect(await codeOf(bench.sync({ plan }))).toBe('sync_running')
    await sql`update config.sync_lock set held_until = now() - interval '1 second'`
    expect((await bench.sync({ plan })).state).toBe('done')
  })

  it('changes one job when one schedule changes', async () => {
    bench = await openBench(SHOP())
    await bench.sync()
    await bench.apply(SHOP().replace("'0 15 2 * * ?'", "'0 15 3 * * ?'"))
    const plan = await bench.plan()
    expect(plan.actions.filter((each) => each.do !== 'wait')).toMatchObject([
      {
        id: 'job:shop',
        do: 'update',
        confirm: false,
        changes: [
          {
            path: 'schedule.quartz_cron_expression',
            before: '0 15 2 * * ?',
            after: '0 15 3 * * ?',
          },
        ],
        drift: [],
      },
    ])
    const before = bench.fake.writes().length
    await bench.sync({ plan })
    expect(bench.fake.writes().slice(before)).toEqual(['POST /api/2.2/jobs/reset'])
  })

  it('estimates what a month costs and warns of a budget', async () => {
    bench = await openBench(SHOP())
    expect((await bench.plan()).cost).toEqual([
      {
        group: 'shop',
        runs: 30,
        hours_of_a_run: 0.25,
        measured: false,
        hourly_cost: 2,
        month: 15,
        budget: 5,
        over_budget: true,
      },
    ])
  })
})

describe('drift', () => {
  const change = () => {
    theJob().settings.schedule = {
      quartz_cron_expression: '0 0 5 * * ?',
      timezone_id: 'Europe/Berlin',
      pause_status: 'UNPAUSED',
    }
  }
  const drift = async () => {
    const plan = await bench.plan()
    return { plan, action: plan.actions.find((each) => each.id === 'job:shop') }
  }

  it('is shown by field, and never overwritten without a word', async () => {
    bench = await openBench(SHOP())
    await bench.sync()
    change()
    const { plan, action } = await drift()
    expect(action).toMatchObject({
      do: 'drift',
      drift: [
        { path: 'schedule.quartz_cron_expression', before: '0 0 5 * * ?', after: '0 15 2 * * ?' },
      ],
    })
    expect(await codeOf(bench.sync({ plan }))).toBe('sync_not_confirmed')
    const writes = bench.fake.writes().length
    await bench.sync({ plan, unattended: true })
    expect(bench.fake.writes().length).toBe(writes)
    await bench.sync({ plan, drift: { 'job:shop': 'overwrite' } })
    expect(theJob().settings.schedule).toMatchObject({ quartz_cron_expression: '0 15 2 * * ?' })
    expect((await drift()).action).toBeUndefined()
  })

  it('may be let be, and is then neither shown nor undone by the next change', async () => {
    bench = await openBench(SHOP())
    await bench.sync()
    change()
    await bench.sync({ drift: { 'job:shop': 'ignore' } })
    expect((await drift()).action).toBeUndefined()
    await bench.apply(SHOP().replace('owner: data@example.com', 'owner: other@example.com'))
    expect((await drift()).action).toMatchObject({ do: 'update', confirm: false })
    await bench.sync()
    expect(theJob().settings).toMatchObject({
      schedule: { quartz_cron_expression: '0 0 5 * * ?' },
      email_notifications: { on_failure: ['other@example.com'] },
    })
  })

  it('may be taken over into the metadata', async () => {
    bench = await openBench(SHOP())
    await bench.sync()
    change()
    await bench.sync({ drift: { 'job:shop': 'adopt' } })
    const [row] = await bench.app.sql<
      { quartz_cron: string; updated_by: string }[]
    >`select quartz_cron, updated_by from config.schedule`
    expect(row).toEqual({ quartz_cron: '0 0 5 * * ?', updated_by: 'tester' })
    expect((await drift()).action).toBeUndefined()
  })

  it('beside a change of ours waits for a word too', async () => {
    bench = await openBench(SHOP())
    await bench.sync()
    change()
    await bench.apply(SHOP().replace('owner: data@example.com', 'owner: other@example.com'))
    const { plan, action } = await drift()
    expect(action).toMatchObject({ do: 'update', confirm: true })
    await bench.sync({ plan, unattended: true })
    expect(theJob().settings.email_notifications).toEqual({ on_failure: ['data@example.com'] })
    await bench.sync({ plan, drift: { 'job:shop': 'ignore' } })
    expect(theJob().settings).toMatchObject({
      schedule: { quartz_cron_expression: '0 0 5 * * ?' },
      email_notifications: { on_failure: ['other@example.com'] },
    })
    expect((await drift()).action).toBeUndefined()
  })

  it('is found in the text of a notebook', async () => {
    bench = await openBench(SHOP())
    await bench.sync()
    const notebook = bench.fake.state.objects['/Shared/lakeforge/prod/notebooks/source_to_raw']!
    notebook.content = btoa('# Databricks notebook source\nprint("mine")')
    notebook.modified_at++
    const plan = await bench.plan()
    expect(brief(plan)).toContain('drift file:notebooks/source_to_raw.py')
    await bench.sync({ plan, drift: { 'file:notebooks/source_to_raw.py': 'overwrite' } })
    expect(atob(notebook.content)).not.toContain('print("mine")"')
    expect(
      atob(bench.fake.state.objects['/Shared/lakeforge/prod/notebooks/source_to_raw']!.content),
    ).toBe(FILES['source_to_raw.py'])
  })

  it('made between plan and apply is not written over', async () => {
    bench = await openBench(SHOP())
    await bench.sync()
    await bench.apply(SHOP().replace('owner: data@example.com', 'owner: other@example.com'))
    const plan = await bench.plan()
    change()
    expect((await bench.sync({ plan })).failed).toMatchObject([
      { id: 'job:shop', code: 'sync_item_moved' },
    ])
    expect(theJob().settings.schedule).toMatchObject({ quartz_cron_expression: '0 0 5 * * ?' })
  })
})

describe('what is not ours, or no longer wanted', () => {
  it('stays: a job of the same name is adopted by a word, never made twice or overwritten', async () => {
    bench = await openBench(SHOP())
    await bench.sync({ only: ['pipeline:shop'] })
    bench.fake.state.jobs['9007199254999999'] = {
      job_id: '9007199254999999',
      created_time: 1,
      creator: 'someone',
      run_as: 'someone',
      settings: {
        name: 'lakeforge_prod_shop',
        tasks: [{ task_key: 'x', notebook_task: { notebook_path: '/n' } }],
      },
    }
    const plan = await bench.plan()
    expect(plan.actions.find((each) => each.id === 'job:shop')).toMatchObject({
      do: 'adopt',
      confirm: true,
    })
    await bench.sync({ plan, unattended: true })
    expect(theJob().settings.tasks).toEqual([
      { task_key: 'x', notebook_task: { notebook_path: '/n' } },
    ])
    await bench.sync({ plan, confirm: ['job:shop'] })
    expect(Object.keys(bench.fake.state.jobs)).toEqual(['9007199254999999'])
    expect(theJob().settings.tags).toMatchObject({ lakeforge_key: 'shop' })
    expect(brief(await bench.plan()).filter((each) => !each.startsWith('wait'))).toEqual([])
  })

  it('goes only by its name: the tables of a pipeline stay', async () => {
    bench = await openBench(SHOP())
    await bench.sync()
    makeTables(bench.fake)
    bench.fake.state.tables['main.p_silver.orders']!.pipeline_id = thePipeline().pipeline_id
    const { sql } = bench.app
    await sql`update config.silver_config set writer = 'lakeforge'`
    await sql`update config.gold_config set writer = 'lakeforge'`
    const plan = await bench.plan()
    const deletion = plan.actions.find((each) => each.do === 'delete' && each.kind === 'pipeline')
    expect(deletion).toMatchObject({
      id: 'pipeline:shop',
      confirm: true,
      blast: { tables: ['gold.turnover', 'silver.orders'] },
    })
    await bench.sync({ plan, unattended: true })
    expect(Object.keys(bench.fake.state.pipelines).length).toBe(1)
    await bench.sync({ plan, confirm: ['pipeline:shop', 'file:pipelines/shop.json'] })
    expect(Object.keys(bench.fake.state.pipelines)).toEqual([])
    expect(bench.fake.state.tables).toHaveProperty(['main.p_silver.orders'])
    expect(brief(await bench.plan())).toEqual([])
  })

  it('is not deleted once somebody took our mark off it', async () => {
    bench = await openBench(SHOP())
    await bench.sync()
    delete theJob().settings.tags
    await bench.app.sql`delete from config.gold_config`
    await bench.app.sql`delete from config.silver_config where target = 'silver.checked'`
    await bench.app.sql`delete from config.silver_config`
    await bench.app.sql`delete from config.bronze_config`
    await bench.app.sql`delete from config.raw_config`
    await bench.app.sql`delete from config.source_group`
    const plan = await bench.plan()
    expect(plan.actions.find((each) => each.id === 'job:shop')).toMatchObject({ do: 'forget' })
    await bench.sync({
      plan,
      confirm: plan.actions.filter((each) => each.confirm).map((each) => each.id),
    })
    expect(Object.keys(bench.fake.state.jobs).length).toBe(1)
    expect(Object.keys(bench.fake.state.pipelines)).toEqual([])
  })

  it('is made anew when somebody deleted it', async () => {
    bench = await openBench(SHOP())
    await bench.sync()
    bench.fake.state.jobs = {}
    const plan = await bench.plan()
    expect(plan.actions.find((each) => each.id === 'job:shop')).toMatchObject({
      do: 'create',
      reason: 'it was deleted in the workspace',
    })
    await bench.sync({ plan })
    expect(Object.keys(bench.fake.state.jobs).length).toBe(1)
  })

  it('keeps what a group has while that group can not be planned', async () => {
    bench = await openBench(SHOP())
    await bench.sync()
    await bench.app.sql`update config.compute_profile set node_type = null`
    const plan = await bench.plan()
    expect(plan.flags).toMatchObject([{ level: 'stop', group: 'shop' }])
    expect(brief(plan).filter((each) => !each.startsWith('wait'))).toEqual([])
  })
})

describe('a sync that is cut', () => {
  const GROUPS = Array.from(
    { length: 4 },
    (_, n) => `
  - { name: g${n}, schedule: nightly }`,
  ).join('')
  const MORE = `
raw_configs:${[0, 1, 2, 3]
    .map(
      (n) => `
  - { name: t${n}, source: shop, group: g${n}, object: t${n}-*.csv, format: csv, read_mode: files, columns: [{ name: id, type: int }] }`,
    )
    .join('')}
bronze_configs:${[0, 1, 2, 3]
    .map(
      (n) => `
  - { target: bronze.t${n}, raw: shop.t${n} }`,
    )
    .join('')}
silver_configs:${[0, 1, 2, 3]
    .map(
      (n) => `
  - { target: silver.t${n}, group: g${n}, from: [bronze.t${n}], load_type: append }`,
    )
    .join('')}
`
  const yaml = `
environments:
  - { name: prod, engine: databricks, host: 'https://workspace.example', catalog: main, prefix: p_, root: /Volumes/main/p_lakeforge/lake }
schedules:
  - { name: nightly, quartz_cron: '0 15 2 * * ?', timezone: Europe/Berlin, misfire: skip, fired_by: workspace }
groups:${GROUPS}
sources:
  - { name: shop, kind: files, options: { root: /Volumes/main/landing/files } }
${MORE}`

  /** All of them in a soak; else some, and others in each kind of cut. */
  const positions = (total: number, kind: string) => {
    const step = process.env.LAKEFORGE_SOAK === '1' ? 1 : 23
    const from = kind === 'drop_before' ? 5 : 14
    return Array.from({ length: total }, (_, at) => at).filter((at) => at % step === from % step)
  }

  /** Things of others with our names and without our mark. */
  const strangers = () => {
    bench.fake.state.jobs['77'] = {
      job_id: '77',
      created_time: 1,
      creator: 'someone',
      run_as: 'someone',
      settings: {
        name: 'somebody_elses',
        tags: { lakeforge_environment: 'another' },
        tasks: [{ task_key: 'x', notebook_task: { notebook_path: '/n' } }],
      },
    }
    bench.fake.state.schemas['main.p_silver'] = {
      full_name: 'main.p_silver',
      catalog_name: 'main',
      name: 'p_silver',
      comment: 'theirs',
    }
  }

  it.each(['drop_before', 'drop_after'] as const)(
    'at any request (%s) is completed by the next one: nothing twice, nothing foreign touched',
    async (kind) => {
      bench = await openBench(yaml)
      strangers()
      const plan = await bench.plan()
      expect(plan.actions.length).toBeGreaterThanOrEqual(30)
      await bench.sync({ plan })
      const wanted = picture(bench.fake)
      const total = bench.fake.requests.length
      expect(total).toBeGreaterThan(100)
      if (process.env.LAKEFORGE_SOAK) console.log(`${total} requests`)

      const tables = [
        'config.resource',
        'config.placement',
        'config.sync_item',
        'config.sync_plan',
        'config.sync_lock',
      ]
      for (const at of positions(total, kind)) {
        // The workspace and what we know of it as on the first day
        for (const table of tables) await bench.app.sql.unsafe(`delete from ${table}`)
        const empty = {
          jobs: {},
          pipelines: {},
          objects: {},
          schemas: {},
          volumes: {},
          acls: {},
          grants: {},
        }
        Object.assign(bench.fake.state, empty)
        strangers()
        bench.fake.requests.length = 0
        // From here on nothing arrives: the process is dead
        let dead = false
        const fetch = bench.fake.fetch.bind(bench.fake)
        bench.fake.faults.splice(0, bench.fake.faults.length, { at, kind })
        bench.fake.fetch = async (input, init) => {
          if (dead) throw new TypeError('the process is dead')
          try {
            return await fetch(input, init)
          } catch (error) {
            dead = true
            throw error
          }
        }
        await bench.sync({ unattended: true }).catch(() => undefined)
        expect(dead).toBe(true)
        bench.fake.fetch = fetch
        bench.fake.faults.length = 0
        // A dead process lets nothing go by itself
        await bench.app.sql`update config.sync_lock set held_until = now() - interval '1 second'`
        const answer = await bench.sync({ unattended: true })
        expect(answer.failed, `cut at ${at}`).toEqual([])
        expect(picture(bench.fake), `cut at ${at}`).toEqual(wanted)
        const writes = bench.fake.writes().length
        const rest = await bench.plan()
        expect(brief(rest), `cut at ${at}`).toEqual([])
        expect(bench.fake.writes().length).toBe(writes)
      }
      bench.fake.assertHonest()
    },
  )
})
