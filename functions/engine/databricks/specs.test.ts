import { describe, expect, it } from 'vitest'
import type { ComputeProfile } from '#core/compute-profile.ts'
import type { Group } from '#core/group.ts'
import { canonicalJson } from '#core/plan.ts'
import type { Plan } from '#core/plan.ts'
import type { Schedule } from '#core/schedule.ts'
import { columns, fileSteps, goldStep, rule, silverStep } from '../testing.ts'
import { askForeign, foreignClient, whyNot } from './fake/foreign.testing.ts'
import { openClient } from './client.ts'
import { costOf } from './cost.ts'
import { openFake } from './fake/index.ts'
import { FOR_EACH_FROM, taskKey } from './job-spec.ts'
import { placeTables, TABLES_OF_A_PIPELINE } from './placement.ts'
import { jobCluster, pipelineCluster, resolveProfile, SERVERLESS } from './profile.ts'
import type { Compute } from './profile.ts'
import { buildSpecs } from './specs.ts'
import type { GroupInput, SpecInput } from './specs.ts'
import { tableStatements } from './catalog-spec.ts'
import { chooseWriter } from './writer-choice.ts'

const GROUP: Group = {
  id: 'g',
  name: 'sales',
  description: '',
  owner: 'data@example.com',
  tags: ['core'],
  version: 1,
  created_at: new Date(0),
  created_by: '',
  updated_at: new Date(0),
  updated_by: '',
  schedule_id: null,
  compute_profile_id: null,
  max_parallel: 4,
  on_failure: 'continue',
  retries: 2,
  timeout_s: null,
  notify: [],
  budget_month: null,
} as unknown as Group
const schedule = (more: Partial<Schedule>) =>
  ({
    kind: 'cron',
    quartz_cron: '0 0 6 * * ?',
    timezone: 'UTC',
    watch: [],
    paused: false,
    misfire: 'skip',
    overlap: 'skip',
    blackouts: [],
    jitter_s: 0,
    fired_by: 'workspace',
    ...more,
  }) as Schedule
const CLASSIC: Compute = { ...SERVERLESS, name: 'small', mode: 'classic', node_type: 'i3.xlarge' }

/** `n` tables, each raw, bronze, silver. */
function planOf(n: number, more: Plan['steps'] = []): Plan {
  const steps = Array.from({ length: n }, (_, i) => {
    const [raw, bronze] = fileSteps(
      '/Volumes/main/landing/f',
      `t${i}-*.csv`,
      `bronze.t${i}`,
      columns('id int', 'v string'),
    )
    const silver = silverStep(
      `silver.t${i}`,
      'select 1',
      columns('id int'),
      [{ table: `bronze.t${i}`, columns: [], external: false }],
      { depends_on: [bronze.key] },
    )
    return [raw, bronze, silver]
  })
  const zones = ['raw', 'bronze', 'silver', 'gold']
  return {
    format: 1,
    group: { id: 'g', name: 'sales', max_parallel: 4, on_failure: 'continue' },
    steps: [...steps.flat(), ...more].sort((a, b) => zones.indexOf(a.zone) - zones.indexOf(b.zone)),
  }
}

function input(
  plan: Plan,
  more: Partial<GroupInput> = {},
  over: Partial<SpecInput> = {},
): SpecInput {
  return {
    environment: {
      id: '0197-env',
      name: 'prod',
      catalog: 'main',
      prefix: 'p_',
      root: '/Volumes/main/p_ops/lake',
      run_as: null,
      schedules_paused: false,
    },
    groups: [
      {
        group: GROUP,
        schedule: null,
        compute: CLASSIC,
        plan,
        plan_hash: 'h'.repeat(64),
        writers: {},
        ...more,
      },
    ],
    labels: [],
    placement: [],
    files: [
      'source_to_raw.py',
      'raw_to_bronze.py',
      'silver_gold_tasks.py',
      'silver_gold_pipeline.py',
    ].map((path) => ({ path, sha256: 's', notebook: true })),
    ...over,
  }
}
const job = (from: SpecInput) =>
  buildSpecs(from).resources.find((each) => each.kind === 'job')!.spec as Record<string, never> & {
    tasks: Task[]
  }
type Task = {
  task_key: string
  depends_on?: { task_key: string }[]
  run_if?: string
  for_each_task?: { inputs: string; concurrency: number }
  [key: string]: unknown
}

describe('a job', () => {
  it('is the same whatever order things come in', () => {
    const plan = planOf(5)
    const other = {
      ...plan,
      steps: plan.steps
        .toReversed()
        .sort(
          (a, b) =>
            ['raw', 'bronze', 'silver'].indexOf(a.zone) -
            ['raw', 'bronze', 'silver'].indexOf(b.zone),
        ),
    }
    const sorted = (spec: ReturnType<typeof job>) =>
      canonicalJson({
        ...spec,
        tasks: spec.tasks.toSorted((a, b) => (a.task_key < b.task_key ? -1 : 1)),
      })
    expect(sorted(job(input(plan)))).toBe(sorted(job(input(other))))
  })

  it('says its clock only where the workspace fires it', () => {
    expect(
      job(input(planOf(1), { schedule: schedule({ fired_by: 'lakeforge' }) })),
    ).not.toHaveProperty('schedule')
    expect(job(input(planOf(1), { schedule: schedule({ paused: true }) }))).toMatchObject({
      schedule: { pause_status: 'PAUSED' },
    })
    expect(job(input(planOf(1), { schedule: schedule({ overlap: 'queue' }) }))).toMatchObject({
      queue: { enabled: true },
      max_concurrent_runs: 1,
      health: { rules: [{ value: 86_400 }] },
    })
    expect(
      job(
        input(planOf(1), {
          schedule: schedule({
            kind: 'file_arrival',
            quartz_cron: null,
            watch: ['/Volumes/main/a/b'],
          }),
        }),
      ),
    ).toMatchObject({ trigger: { file_arrival: { url: '/Volumes/main/a/b/' } } })
    expect(
      job(
        input(planOf(1), {
          schedule: schedule({
            kind: 'table_update',
            quartz_cron: null,
            watch: ['silver.x', 'other.s.t'],
          }),
        }),
      ),
    ).toMatchObject({
      trigger: { table_update: { table_names: ['main.p_silver.x', 'other.s.t'] } },
    })
  })

  it('has a task a step below fifty, and beyond that a for_each a layer that holds max_parallel', () => {
    expect(job(input(planOf(FOR_EACH_FROM / 2 - 1))).tasks.some((task) => task.for_each_task)).toBe(
      false,
    )
    const { tasks } = job(input(planOf(600)))
    const eachs = tasks.filter((task) => task.for_each_task)
    expect(tasks.length).toBeLessThan(20)
    expect(eachs.flatMap((task) => JSON.parse(task.for_each_task!.inputs) as string[]).length).toBe(
      1200,
    )
    for (const { for_each_task } of eachs) expect(for_each_task!.inputs.length).toBeLessThan(10_000)
    expect(
      eachs
        .filter((task) => task.task_key.startsWith('raw'))
        .reduce((sum, task) => sum + task.for_each_task!.concurrency, 0),
    ).toBeLessThanOrEqual(6)
    expect(tasks.find((task) => task.task_key.startsWith('bronze-'))).toMatchObject({
      run_if: 'ALL_DONE',
      depends_on: [{ task_key: 'raw-0-1' }, { task_key: 'raw-0-2' }],
    })
  })

  it('keeps its task keys legal and apart', () => {
    expect(taskKey('bronze:sales.orders')).toBe('bronze-sales-orders')
    const long = taskKey(`silver:${'a'.repeat(100)}.${'b'.repeat(100)}`)
    expect(long).toMatch(/^[A-Za-z0-9_-]{100}$/)
    expect(taskKey(`silver:${'a'.repeat(100)}.${'b'.repeat(99)}c`)).not.toBe(long)
  })

  it('waits for a pipeline between notebooks, and never in a circle', () => {
    const gold = goldStep('gold.g', 'select 1', columns('n int'), [], {
      depends_on: ['silver:silver.m'],
    })
    const merge = silverStep('silver.m', 'select 1', columns('id int'), [], {
      load_type: 'merge',
      keys: ['id'],
      depends_on: ['silver:silver.t0'],
    })
    const specs = buildSpecs(input(planOf(1, [merge, gold])))
    expect(specs.placement).toEqual([
      { target: 'silver.t0', job_key: 'sales', pipeline_key: 'sales' },
      { target: 'silver.m', job_key: 'sales', pipeline_key: null },
      { target: 'gold.g', job_key: 'sales', pipeline_key: 'sales_after1' },
    ])
    const { tasks } = job(input(planOf(1, [merge, gold])))
    const needs = Object.fromEntries(
      tasks.map((task) => [task.task_key, (task.depends_on ?? []).map((each) => each.task_key)]),
    )
    expect(needs).toMatchObject({
      'pipeline-sales': ['bronze-bronze-t0'],
      'silver-silver-m': ['pipeline-sales'],
      'pipeline-sales_after1': ['silver-silver-m'],
    })
    // A table that was placed before it came to depend on a later one stays where it is
    const turned = buildSpecs(
      input(
        planOf(1, [merge, gold]),
        {},
        { placement: [{ target: 'gold.g', job_key: 'sales', pipeline_key: 'sales' }] },
      ),
    )
    expect(turned.flags.some((flag) => flag.text.includes('need each other'))).toBe(true)
  })

  it('is not made where nobody says on which machine', () => {
    const specs = buildSpecs(input(planOf(1), { compute: { ...CLASSIC, node_type: null } }))
    expect([specs.held, specs.resources.filter((each) => each.kind === 'job')]).toEqual([
      ['sales'],
      [],
    ])
  })
})

describe('compute', () => {
  const profile = (id: string, more: Partial<ComputeProfile>) =>
    [
      id,
      {
        id,
        name: id,
        parent_id: null,
        mode: null,
        single_node: null,
        node_type: null,
        driver_node_type: null,
        workers: null,
        min_workers: null,
        max_workers: null,
        runtime: null,
        photon: null,
        libraries: null,
        spark_conf: null,
        policy: null,
        cluster_tags: null,
        hourly_cost: null,
        ...more,
      } as ComputeProfile,
    ] as const

  it('comes from the parents where a profile says nothing', () => {
    const profiles = new Map([
      profile('base', {
        mode: 'classic',
        node_type: 'a',
        spark_conf: { x: '1', y: '1' },
        hourly_cost: 3,
        min_workers: 1,
        max_workers: 4,
        single_node: false,
      }),
      profile('child', { parent_id: 'base', node_type: 'b', spark_conf: { y: '2' } }),
      profile('fixed', { parent_id: 'child', workers: 2 }),
    ])
    expect(resolveProfile(profiles, 'child')).toMatchObject({
      mode: 'classic',
      node_type: 'b',
      spark_conf: { x: '1', y: '2' },
      hourly_cost: 3,
      single_node: false,
      autoscale: { min_workers: 1, max_workers: 4 },
    })
    // Fixed workers do not mix with the bounds of a parent
    expect(resolveProfile(profiles, 'fixed')).toMatchObject({
      workers: 2,
      autoscale: null,
      single_node: false,
    })
    expect(resolveProfile(profiles, null).mode).toBe('serverless')
    expect(() =>
      resolveProfile(
        new Map([profile('a', { parent_id: 'b' }), profile('b', { parent_id: 'a' })]),
        'a',
      ),
    ).toThrow(/own ancestor/)
  })

  it('is one node with all three settings unless told otherwise, for pipelines too', () => {
    const single = {
      num_workers: 0,
      spark_conf: { 'spark.databricks.cluster.profile': 'singleNode', 'spark.master': 'local[*]' },
      custom_tags: { ResourceClass: 'SingleNode' },
    }
    expect(jobCluster(CLASSIC, {})).toMatchObject({
      ...single,
      data_security_mode: 'SINGLE_USER',
      node_type_id: 'i3.xlarge',
    })
    expect(pipelineCluster(CLASSIC, {})).toMatchObject({ ...single, label: 'default' })
    expect(pipelineCluster(CLASSIC, {})).not.toHaveProperty('spark_version')
    const scaled = { ...CLASSIC, single_node: false, autoscale: { min_workers: 1, max_workers: 4 } }
    expect(jobCluster(scaled, {})).not.toHaveProperty('num_workers')
    expect(pipelineCluster(scaled, {})).toMatchObject({
      autoscale: { min_workers: 1, max_workers: 4, mode: 'ENHANCED' },
    })
  })

  it('costs by the schedule, the hours and the price', () => {
    const cost = (cron: string, hours: number | null) =>
      costOf(
        {
          group: { ...GROUP, budget_month: 100 },
          schedule: schedule({ quartz_cron: cron }),
          compute: { ...CLASSIC, hourly_cost: 2 },
        },
        hours,
      )
    expect(cost('0 0 6 * * ?', 1)).toMatchObject({
      runs: 30,
      month: 60,
      measured: true,
      over_budget: false,
    })
    expect(cost('0 0 * * * ?', 0.5)).toMatchObject({ runs: 720, month: 720, over_budget: true })
    expect(cost('0 0 0 1 1 ? 2099', null)).toMatchObject({ runs: 0, month: 0, measured: false })
    expect(costOf({ group: GROUP, schedule: null, compute: CLASSIC }, null)).toMatchObject({
      runs: null,
      month: null,
    })
  })
})

describe('a writer', () => {
  const silver = (more: Parameters<typeof silverStep>[4]) =>
    silverStep('silver.t', 'select 1', columns('id int'), [], more)
  it.each([
    ['append', silver({}), 'pipeline'],
    ['replace', silver({ load_type: 'replace' }), 'pipeline'],
    [
      'merge with a sequence',
      silver({ load_type: 'merge', keys: ['id'], has_sequence: true }),
      'pipeline',
    ],
    ['merge without one', silver({ load_type: 'merge', keys: ['id'] }), 'lakeforge'],
    ['scd2', silver({ load_type: 'scd2', keys: ['id'], has_sequence: true }), 'pipeline'],
    ['snapshot', silver({ load_type: 'snapshot', keys: ['id'] }), 'lakeforge'],
    ['append with dedupe', silver({ dedupe: true, keys: ['id'] }), 'lakeforge'],
    ['a warning', silver({ rules: [rule('r', 'not_null', ['id'], 'warn')] }), 'pipeline'],
    ['a drop', silver({ rules: [rule('r', 'not_null', ['id'], 'drop')] }), 'pipeline'],
    ['a quarantine', silver({ rules: [rule('r', 'not_null', ['id'], 'quarantine')] }), 'lakeforge'],
    ['a failing rule', silver({ rules: [rule('r', 'not_null', ['id'], 'fail')] }), 'lakeforge'],
    [
      'a threshold',
      silver({ rules: [rule('r', 'not_null', ['id'], 'warn', {}, { threshold: 0.1 })] }),
      'lakeforge',
    ],
    ['unique', silver({ rules: [rule('r', 'unique', ['id'], 'warn')] }), 'lakeforge'],
  ] as const)('for %s is the one that keeps all of it', (_name, step, writer) =>
    expect(chooseWriter(step, null).writer).toBe(writer),
  )

  it('is a pipeline where a person wants one, and says what is not kept', () =>
    expect(
      chooseWriter(silver({ rules: [rule('r', 'unique', ['id'], 'warn')] }), 'pipeline'),
    ).toMatchObject({ writer: 'pipeline', reasons: [expect.stringContaining('unique')] }))
})

describe('placement', () => {
  it('never moves a table when others come, and fills a new pipeline when one is full', () => {
    const writer = () => 'pipeline' as const
    const first = placeTables(planOf(TABLES_OF_A_PIPELINE), writer, [])
    expect(new Set(first.map((each) => each.pipeline_key))).toEqual(new Set(['sales']))
    const second = placeTables(planOf(TABLES_OF_A_PIPELINE + 3), writer, first)
    expect(
      second.slice(0).filter((each) => first.some((one) => one.target === each.target)),
    ).toEqual(first)
    expect(second.filter((each) => each.pipeline_key === 'sales_2').length).toBe(3)
    // One that left makes room; nobody moves into another's place
    expect(placeTables(planOf(5), writer, second).map((each) => each.pipeline_key)).toEqual(
      Array(5).fill('sales'),
    )
  })
})

describe('statements', () => {
  it('quote what is hostile', () => {
    const spec = {
      table: 'main.s.t',
      comment: "it's \\ a `trap`",
      tags: { "a'b": '' },
      columns: { 'we`ird': { comment: "'; drop table x; --" } },
      row_filter: null,
      grants: {},
    }
    expect(
      tableStatements(spec, { comment: null, tags: {}, columns: {}, row_filter: null }, {}),
    ).toEqual([
      "comment on table `main`.`s`.`t` is 'it\\'s \\\\ a `trap`'",
      "alter table `main`.`s`.`t` alter column `we``ird` comment '\\'; drop table x; --'",
      "alter table `main`.`s`.`t` set tags ('a\\'b' = '')",
    ])
  })
})

const VARIANTS: [string, SpecInput][] = [
  ['classic with a schedule', input(planOf(3), { schedule: schedule({}) })],
  ['serverless', input(planOf(3), { compute: SERVERLESS })],
  [
    'autoscaled with libraries and photon',
    input(planOf(2), {
      compute: {
        ...CLASSIC,
        single_node: false,
        autoscale: { min_workers: 1, max_workers: 3 },
        photon: true,
        libraries: [{ pypi: { package: 'x==1' } }],
        policy: 'D96308F1BF0003A7',
      },
    }),
  ],
  ['many tables', input(planOf(300))],
  [
    'files, run as a service principal',
    input(
      planOf(1),
      {
        schedule: schedule({
          kind: 'file_arrival',
          quartz_cron: null,
          watch: ['/Volumes/main/a/b'],
        }),
      },
      {
        environment: {
          ...input(planOf(1)).environment,
          run_as: '11111111-2222-4333-8444-555555555555',
        },
      },
    ),
  ],
]

describe('every request body', () => {
  it.each(VARIANTS)('is taken by the fake, field by field: %s', async (_name, from) => {
    const fake = openFake()
    const client = openClient(fake.host, { kind: 'pat', token: 'dapi-fake' }, { fetch: fake.fetch })
    const ids = new Map<string, string>()
    for (const { kind, key, spec } of buildSpecs(from).resources) {
      if (kind === 'pipeline')
        ids.set(
          `\${pipeline:${key}}`,
          (await client.call<{ pipeline_id: string }>('POST', '/api/2.0/pipelines', { body: spec }))
            .pipeline_id,
        )
      if (kind === 'job')
        await client.call('POST', '/api/2.2/jobs/create', {
          body: JSON.parse(
            [...ids].reduce((text, [ref, id]) => text.replaceAll(ref, id), JSON.stringify(spec)),
          ),
        })
      if (kind === 'schema')
        await client.call('POST', '/api/2.1/unity-catalog/schemas', { body: spec })
      if (kind === 'volume')
        await client.call('POST', '/api/2.1/unity-catalog/volumes', { body: spec })
    }
    fake.assertHonest()
  })

  it.skipIf(!foreignClient)(`loses no key in the types of the official SDK${whyNot}`, async () => {
    const bodies = VARIANTS.flatMap(([, from]) =>
      buildSpecs(from).resources.flatMap(({ kind, spec }) =>
        ['job', 'pipeline', 'volume'].includes(kind) ? [{ kind, body: spec }] : [],
      ),
    )
    // run_as of a pipeline stands beside its spec, not in it
    const plain = bodies.map(({ kind, body }) =>
      kind === 'pipeline'
        ? {
            kind,
            body: Object.fromEntries(Object.entries(body).filter(([key]) => key !== 'run_as')),
          }
        : { kind, body },
    )
    expect(await askForeign(['bodies'], JSON.stringify(plain))).toMatchObject({
      checked: plain.length,
      lost: [],
    })
  })
})
