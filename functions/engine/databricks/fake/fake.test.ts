import { describe, expect, it } from 'vitest'
import { LakeForgeError } from '#core/errors.ts'
import { openClient } from '../client.ts'
import type { Client } from '../client.ts'
import { openFake } from './index.ts'
import type { FakeOptions } from './index.ts'

const NOTEBOOK = { notebook_task: { notebook_path: '/Workspace/Shared/n' } }

function open(options: FakeOptions = {}) {
  const fake = openFake(options)
  const client = openClient(
    fake.host,
    { kind: 'pat', token: 'dapi-fake' },
    { fetch: fake.fetch, wait: async () => {} },
  )
  return { fake, client }
}

const refused = async (
  promise: Promise<unknown>,
): Promise<{ code: string; status: unknown; said: unknown }> => {
  const error = (await promise.then(
    () => expect.fail('was accepted'),
    (thrown: unknown) => thrown,
  )) as LakeForgeError
  expect(error).toBeInstanceOf(LakeForgeError)
  return { code: error.code, status: error.detail.status, said: error.detail.said }
}
const createJob = async (client: Client, settings: object) =>
  (await client.call<{ job_id: string }>('POST', '/api/2.2/jobs/create', { body: settings })).job_id
const job = (client: Client, job_id: string) =>
  client.get<{ settings: Record<string, unknown> }>('/api/2.2/jobs/get', { job_id })
const all = async (
  client: Client,
  path: string,
  field: string,
  query: Record<string, string | number> = {},
) => {
  const items: Record<string, unknown>[] = []
  for await (const each of client.list<Record<string, unknown>>(path, field, query))
    items.push(each)
  return items
}

describe('the jobs of the fake workspace', () => {
  it('have ids beyond 2^53, bare on the wire, which a double can not hold', async () => {
    const { fake, client } = open()
    const ids = [
      await createJob(client, { name: 'a', tasks: [{ task_key: 'x', ...NOTEBOOK }] }),
      await createJob(client, { name: 'a', tasks: [{ task_key: 'x', ...NOTEBOOK }] }),
    ]
    expect(BigInt(ids[1]!) - BigInt(ids[0]!)).toBe(1n)
    expect(String(Number(ids[0]))).not.toBe(ids[0])
    const raw = await (
      await fake.fetch(`${fake.host}/api/2.2/jobs/list`, {
        headers: { authorization: 'Bearer dapi-fake' },
      })
    ).text()
    expect(raw).toContain(`"job_id":${ids[0]}`)
  })

  it('may share a name: nothing is ever made once for two requests', async () => {
    const { client } = open()
    for (const name of ['same', 'SAME', 'same'])
      await createJob(client, { name, tasks: [{ task_key: 'x', ...NOTEBOOK }] })
    expect((await all(client, '/api/2.2/jobs/list', 'jobs', { name: 'Same' })).length).toBe(3)
  })

  it('are 400 where they are missing, and absent from an empty list', async () => {
    const { client } = open()
    expect(await refused(client.get('/api/2.2/jobs/get', { job_id: '1' }))).toEqual({
      code: 'workspace_missing',
      status: 400,
      said: 'Job 1 does not exist.',
    })
    expect(await client.get('/api/2.2/jobs/list')).toEqual({ has_more: false })
  })

  it('come back with defaults, without empties, and in another order', async () => {
    const { client } = open()
    const hooks = { on_failure: [{ id: 'a' }, { id: 'b' }] }
    const { settings } = await job(
      client,
      await createJob(client, {
        name: 'j',
        tags: {},
        webhook_notifications: hooks,
        tasks: [
          { task_key: 'z', ...NOTEBOOK },
          { task_key: 'y', ...NOTEBOOK, depends_on: [] },
          { task_key: 'a', depends_on: [{ task_key: 'z' }, { task_key: 'y' }], ...NOTEBOOK },
        ],
      }),
    )
    expect(settings).toMatchObject({
      email_notifications: {},
      timeout_seconds: 0,
      max_concurrent_runs: 1,
      format: 'MULTI_TASK',
      queue: { enabled: true },
    })
    expect(settings).not.toHaveProperty('tags')
    expect(settings.webhook_notifications).toEqual({ on_failure: [{ id: 'b' }, { id: 'a' }] })
    const tasks = settings.tasks as Record<string, unknown>[]
    expect(tasks.map((task) => task.task_key)).toEqual(['a', 'y', 'z'])
    expect(tasks[0]).toMatchObject({
      run_if: 'ALL_SUCCESS',
      timeout_seconds: 0,
      notebook_task: { source: 'WORKSPACE', notebook_path: '/Shared/n' },
      depends_on: [{ task_key: 'y' }, { task_key: 'z' }],
    })
    expect(tasks[1]).not.toHaveProperty('depends_on')
  })

  it('show a hundred tasks at a time', async () => {
    const { client } = open()
    const job_id = await createJob(client, {
      tasks: Array.from({ length: 150 }, (_, n) => ({ task_key: `t${n}`, ...NOTEBOOK })),
    })
    const first = await client.get<{ next_page_token: string; settings: { tasks: unknown[] } }>(
      '/api/2.2/jobs/get',
      { job_id },
    )
    const second = await client.get<{ settings: { tasks: unknown[] } }>('/api/2.2/jobs/get', {
      job_id,
      page_token: first.next_page_token,
    })
    expect([first.settings.tasks.length, second.settings.tasks.length]).toEqual([100, 50])
  })

  it('are replaced by reset, but for run_as, and merged by update', async () => {
    const { client } = open()
    const job_id = await createJob(client, {
      name: 'a',
      run_as: { user_name: 'u@example.com' },
      tasks: [{ task_key: 'x', ...NOTEBOOK }],
    })
    await client.call('POST', '/api/2.2/jobs/update', {
      body: { job_id, new_settings: { tasks: [{ task_key: 'y', ...NOTEBOOK }] } },
    })
    expect(((await job(client, job_id)).settings.tasks as unknown[]).length).toBe(2)
    await client.call('POST', '/api/2.2/jobs/reset', {
      body: { job_id, new_settings: { name: 'b', tasks: [{ task_key: 'y', ...NOTEBOOK }] } },
    })
    const after = await client.get<Record<string, unknown> & { settings: { tasks: unknown[] } }>(
      '/api/2.2/jobs/get',
      { job_id },
    )
    expect([after.settings.tasks.length, after.run_as_user_name]).toEqual([1, 'u@example.com'])
  })

  const cluster = { spark_version: '16.4.x-scala2.12', node_type_id: 'i3.xlarge' }
  const x = { task_key: 'x', ...NOTEBOOK }
  it.each<[string, object]>([
    ['no tasks', {}],
    ['a task key twice', { tasks: [x, x] }],
    ['an unknown dependency', { tasks: [{ ...x, depends_on: [{ task_key: 'q' }] }] }],
    [
      'a cycle',
      {
        tasks: [
          { ...x, depends_on: [{ task_key: 'y' }] },
          { ...x, task_key: 'y', depends_on: [{ task_key: 'x' }] },
        ],
      },
    ],
    ['an unknown job cluster', { tasks: [{ ...x, job_cluster_key: 'c' }] }],
    ['an unknown environment', { tasks: [{ ...x, environment_key: 'e' }] }],
    ['two task types', { tasks: [{ ...x, spark_python_task: { python_file: '/f.py' } }] }],
    [
      'two computes',
      {
        job_clusters: [{ job_cluster_key: 'c', new_cluster: { ...cluster, num_workers: 1 } }],
        tasks: [{ ...x, job_cluster_key: 'c', existing_cluster_id: 'i' }],
      },
    ],
    [
      'a schedule and a trigger',
      {
        tasks: [x],
        schedule: { quartz_cron_expression: '0 0 6 * * ?', timezone_id: 'UTC' },
        trigger: { file_arrival: { url: 's3://b/' } },
      },
    ],
    [
      'a Unix cron',
      { tasks: [x], schedule: { quartz_cron_expression: '0 6 * * *', timezone_id: 'UTC' } },
    ],
    [
      'an unknown time zone',
      {
        tasks: [x],
        schedule: { quartz_cron_expression: '0 0 6 * * ?', timezone_id: 'Europe/Nowhere' },
      },
    ],
    ['a folder without its slash', { tasks: [x], trigger: { file_arrival: { url: 's3://b' } } }],
    [
      'autotermination of a job cluster',
      {
        tasks: [{ ...x, new_cluster: { ...cluster, num_workers: 1, autotermination_minutes: 10 } }],
      },
    ],
    [
      'no workers and no single node',
      { tasks: [{ ...x, new_cluster: { ...cluster, num_workers: 0 } }] },
    ],
    [
      'workers and autoscale',
      {
        tasks: [
          {
            ...x,
            new_cluster: {
              ...cluster,
              num_workers: 1,
              autoscale: { min_workers: 1, max_workers: 2 },
            },
          },
        ],
      },
    ],
    ['libraries on serverless', { tasks: [{ ...x, libraries: [{ pypi: { package: 'a' } }] }] }],
    ['an unknown pipeline', { tasks: [{ task_key: 'p', pipeline_task: { pipeline_id: 'no' } }] }],
    [
      'more than 25 tags',
      {
        tasks: [x],
        tags: Object.fromEntries(Array.from({ length: 26 }, (_, n) => [`t${n}`, 'v'])),
      },
    ],
    ['a wrong enum', { tasks: [{ ...x, run_if: 'SOMETIMES' }] }],
    ['a wrong type', { tasks: [x], timeout_seconds: 'long' }],
  ])('are refused with %s', async (_name, settings) => {
    const { client } = open()
    expect((await refused(createJob(client, settings))).status).toBe(400)
  })

  it('tell on fields that nobody knows', async () => {
    const { fake, client } = open()
    await createJob(client, { tasks: [{ ...x, retries: 3 }] })
    expect(() => fake.assertHonest()).toThrow('[0].retries')
  })
})

describe('the runs of the fake workspace', () => {
  const chain = {
    name: 'j',
    tasks: [
      { task_key: 'a', ...NOTEBOOK },
      { task_key: 'b', ...NOTEBOOK, depends_on: [{ task_key: 'a' }] },
      { task_key: 'c', ...NOTEBOOK },
    ],
  }
  type Shown = {
    state: { life_cycle_state: string; result_state?: string }
    tasks: { task_key: string; run_id: string; state: { result_state?: string } }[]
  }

  async function toEnd(client: Client, run_id: string): Promise<{ lives: string[]; run: Shown }> {
    const lives: string[] = []
    for (;;) {
      const run = await client.get<Shown>('/api/2.2/jobs/runs/get', { run_id })
      if (lives.at(-1) !== run.state.life_cycle_state) lives.push(run.state.life_cycle_state)
      if (run.state.result_state) return { lives, run }
      if (lives.length > 50) throw new Error('never ends')
    }
  }

  it('start once for one token, and pass through every state', async () => {
    const { client } = open()
    const job_id = await createJob(client, chain)
    const start = () =>
      client.call<{ run_id: string }>('POST', '/api/2.2/jobs/run-now', {
        body: { job_id, idempotency_token: 'batch-1' },
        repeatable: true,
      })
    const [one, two] = [await start(), await start()]
    expect(one).toEqual(two)
    expect((await toEnd(client, one.run_id)).lives).toEqual(['PENDING', 'RUNNING', 'TERMINATED'])
  })

  it('fail with what a failed task leaves undone, and are repaired with the id of the last repair', async () => {
    let broken = true
    const { client } = open({
      execute: async ({ task }) =>
        task.task_key === 'a' && broken
          ? { ok: false, error: 'boom' }
          : { ok: true, output: '{"rows":1}' },
    })
    const job_id = await createJob(client, chain)
    const { run_id } = await client.call<{ run_id: string }>('POST', '/api/2.2/jobs/run-now', {
      body: { job_id },
    })
    const { lives, run } = await toEnd(client, run_id)
    expect([lives.at(-1), run.state.result_state]).toEqual(['INTERNAL_ERROR', 'FAILED'])
    expect(
      Object.fromEntries(run.tasks.map((task) => [task.task_key, task.state.result_state])),
    ).toEqual({ a: 'FAILED', b: 'UPSTREAM_FAILED', c: 'SUCCESS' })
    const output = await client.get<{ error: string }>('/api/2.2/jobs/runs/get-output', {
      run_id: run.tasks[0]!.run_id,
    })
    expect(output.error).toBe('boom')
    const repair = (more: object) =>
      client.call<{ repair_id: string }>('POST', '/api/2.2/jobs/runs/repair', {
        body: { run_id, rerun_all_failed_tasks: true, rerun_dependent_tasks: true, ...more },
      })
    const { repair_id } = await repair({})
    expect((await refused(repair({}))).said).toContain('in progress')
    await toEnd(client, run_id)
    broken = false
    expect((await refused(repair({}))).said).toContain('latest_repair_id')
    await repair({ latest_repair_id: repair_id })
    expect((await toEnd(client, run_id)).run.state.result_state).toBe('SUCCESS')
  })

  it('are cancelled in their own time', async () => {
    const { client } = open()
    const job_id = await createJob(client, chain)
    const { run_id } = await client.call<{ run_id: string }>('POST', '/api/2.2/jobs/run-now', {
      body: { job_id },
    })
    await client.get('/api/2.2/jobs/runs/get', { run_id })
    await client.call('POST', '/api/2.2/jobs/runs/cancel', { body: { run_id } })
    const { lives, run } = await toEnd(client, run_id)
    expect([lives, run.state.result_state]).toEqual([['TERMINATING', 'TERMINATED'], 'CANCELED'])
  })

  it('give each item of a for_each to its task', async () => {
    const seen: unknown[] = []
    const { client } = open({
      execute: async ({ task }) => (
        seen.push((task.notebook_task as { base_parameters: unknown }).base_parameters),
        { ok: true }
      ),
    })
    const nested = {
      task_key: 'inner',
      notebook_task: { notebook_path: '/n', base_parameters: { step: '{{input}}' } },
    }
    const job_id = await createJob(client, {
      tasks: [{ task_key: 'each', for_each_task: { inputs: '["a\\"b","c"]', task: nested } }],
    })
    const { run_id } = await client.call<{ run_id: string }>('POST', '/api/2.2/jobs/run-now', {
      body: { job_id },
    })
    await toEnd(client, run_id)
    expect(seen).toEqual([{ step: 'a"b' }, { step: 'c' }])
  })
})

describe('the pipelines of the fake workspace', () => {
  const spec = {
    name: 'p',
    catalog: 'MAIN',
    schema: 'Sales',
    serverless: true,
    libraries: [{ file: { path: '/Workspace/a.py' } }, { file: { path: '/Workspace/b.py' } }],
  }
  const create = async (client: Client, body: object) =>
    (await client.call<{ pipeline_id: string }>('POST', '/api/2.0/pipelines', { body })).pipeline_id

  it('refuse a name that is taken unless told otherwise', async () => {
    const { client } = open()
    await create(client, spec)
    expect((await refused(create(client, spec))).said).toContain('allow_duplicate_names')
    await create(client, { ...spec, allow_duplicate_names: true })
    const found = await all(client, '/api/2.0/pipelines', 'statuses', { filter: "name LIKE 'p'" })
    expect(found.map((each) => Object.keys(each).includes('spec'))).toEqual([false, false])
  })

  it('are replaced only by who read the last change', async () => {
    const { client } = open()
    const id = await create(client, spec)
    const read = await client.get<{ last_modified: number; spec: Record<string, unknown> }>(
      `/api/2.0/pipelines/${id}`,
    )
    expect(read.spec).toMatchObject({
      id,
      catalog: 'main',
      schema: 'sales',
      channel: 'CURRENT',
      edition: 'ADVANCED',
      libraries: [{ file: { path: '/Workspace/b.py' } }, { file: { path: '/Workspace/a.py' } }],
    })
    const put = (expected_last_modified: number) =>
      client.call('PUT', `/api/2.0/pipelines/${id}`, { body: { ...spec, expected_last_modified } })
    expect(await put(read.last_modified)).toEqual({})
    expect((await refused(put(read.last_modified))).code).toBe('workspace_conflict')
  })

  it('take their tables along when they are deleted as by default', async () => {
    const { fake, client } = open()
    const [one, two] = [await create(client, spec), await create(client, { ...spec, name: 'q' })]
    for (const [name, pipeline_id] of [
      ['main.sales.a', one],
      ['main.sales.b', two],
    ] as const)
      fake.state.tables[name] = { full_name: name, columns: [], pipeline_id }
    await client.call('DELETE', `/api/2.0/pipelines/${one}`, { query: { cascade: false } })
    await client.call('DELETE', `/api/2.0/pipelines/${two}`)
    expect(Object.keys(fake.state.tables)).toEqual(['main.sales.a'])
    expect(await refused(client.get(`/api/2.0/pipelines/${one}`))).toMatchObject({
      code: 'workspace_missing',
      status: 404,
    })
  })

  it('run one update at a time', async () => {
    const { client } = open()
    const id = await create(client, spec)
    const start = () =>
      client.call<{ update_id: string }>('POST', `/api/2.0/pipelines/${id}/updates`, { body: {} })
    const { update_id } = await start()
    expect((await refused(start())).code).toBe('workspace_conflict')
    await client.call('POST', `/api/2.0/pipelines/${id}/stop`)
    const states = []
    for (let n = 0; n < 3; n++)
      states.push(
        (
          await client.get<{ update: { state: string } }>(
            `/api/2.0/pipelines/${id}/updates/${update_id}`,
          )
        ).update.state,
      )
    expect(states).toEqual(['STOPPING', 'CANCELED', 'CANCELED'])
  })
})

describe('the files of the fake workspace', () => {
  const put = (client: Client, path: string, text: string, more: object = {}) =>
    client.call('POST', '/api/2.0/workspace/import', {
      body: { path, content: btoa(text), format: 'AUTO', ...more },
    })
  const HEAD = '# Databricks notebook source'

  it('become notebooks by their first line, and lose their extension', async () => {
    const { client } = open()
    expect(await refused(put(client, '/Workspace/Shared/a/n.py', HEAD))).toMatchObject({
      status: 404,
    })
    await client.call('POST', '/api/2.0/workspace/mkdirs', {
      body: { path: '/Workspace/Shared/a' },
    })
    await put(client, '/Workspace/Shared/a/n.py', `${HEAD}\nprint(1)\n`)
    await put(client, '/Workspace/Shared/a/plain.py', 'print(1)\n')
    const { objects } = await client.get<{ objects: Record<string, unknown>[] }>(
      '/api/2.0/workspace/list',
      { path: '/Shared/a' },
    )
    expect(objects.map((each) => [each.path, each.object_type]).sort()).toEqual([
      ['/Shared/a/n', 'NOTEBOOK'],
      ['/Shared/a/plain.py', 'FILE'],
    ])
    expect((await refused(put(client, '/Shared/a/plain.py', 'x'))).code).toBe('workspace_conflict')
    await put(client, '/Shared/a/plain.py', 'x', { overwrite: true })
    expect(
      atob(
        (
          await client.get<{ content: string }>('/api/2.0/workspace/export', {
            path: '/Shared/a/n',
          })
        ).content,
      ),
    ).toBe(`${HEAD}\nprint(1)`)
    expect(
      (
        await refused(
          client.call('POST', '/api/2.0/workspace/delete', { body: { path: '/Shared/a' } }),
        )
      ).said,
    ).toContain('not empty')
    expect(
      (
        await refused(
          client.call('POST', '/api/2.0/workspace/delete', { body: { path: '/Shared/none' } }),
        )
      ).status,
    ).toBe(404)
  })

  it('lie in volumes that exist', async () => {
    const { fake, client } = open()
    const path = '/api/2.0/fs/files/Volumes/main/ops/v/plans/a%20b.json'
    expect((await refused(client.call('PUT', path, { bytes: new Uint8Array([1]) }))).status).toBe(
      404,
    )
    await client.call('POST', '/api/2.1/unity-catalog/schemas', {
      body: { catalog_name: 'main', name: 'OPS' },
    })
    await client.call('POST', '/api/2.1/unity-catalog/volumes', {
      body: { catalog_name: 'main', schema_name: 'ops', name: 'v', volume_type: 'MANAGED' },
    })
    await client.call('PUT', path, { bytes: new Uint8Array([1, 255]) })
    expect([...(await client.bytes(path))]).toEqual([1, 255])
    expect(Object.keys(fake.state.files)).toEqual(['/Volumes/main/ops/v/plans/a b.json'])
  })
})

describe('the rest of the fake workspace', () => {
  it('gives tokens for a client id and secret in the right form only, and they end', async () => {
    let now = 1_760_000_000_000
    const { fake } = open({ now: () => now, token_life_s: 100 })
    const ask = (
      form: string,
      secret = 'fake-secret',
      type = 'application/x-www-form-urlencoded',
    ) =>
      fake.fetch(`${fake.host}/oidc/v1/token`, {
        method: 'POST',
        body: form,
        headers: { authorization: `Basic ${btoa(`fake-app:${secret}`)}`, 'content-type': type },
      })
    const good = 'grant_type=client_credentials&scope=all-apis'
    const statuses = await Promise.all([
      ask(good, 'wrong'),
      ask('grant_type=password&scope=all-apis'),
      ask('grant_type=client_credentials&scope=sql'),
      ask(good, 'fake-secret', 'application/json'),
    ])
    expect(statuses.map((answer) => answer.status)).toEqual([401, 400, 400, 400])
    const used: string[] = []
    const client = openClient(
      fake.host,
      { kind: 'm2m', client_id: 'fake-app', client_secret: 'fake-secret' },
      { fetch: fake.fetch, now: () => now, onRequest: (method) => used.push(method) },
    )
    await client.get('/api/2.0/preview/scim/v2/Me')
    now += 200_000
    await client.get('/api/2.0/preview/scim/v2/Me')
    expect(
      (
        await refused(
          openClient(fake.host, { kind: 'pat', token: 'no' }, { fetch: fake.fetch }).get(
            '/api/2.2/jobs/list',
          ),
        )
      ).code,
    ).toBe('workspace_unauthenticated')
  })

  it('lets who may only look do no more', async () => {
    const { fake } = open({ tokens: { reader: { name: 'r', id: '1', admin: false } } })
    const client = openClient(fake.host, { kind: 'pat', token: 'reader' }, { fetch: fake.fetch })
    await client.get('/api/2.2/jobs/list')
    expect((await refused(createJob(client, { tasks: [] }))).code).toBe('workspace_denied')
  })

  it('loses an answer after it did the work', async () => {
    const { fake, client } = open()
    fake.faults.push({ at: /jobs\/create/, kind: 'drop_after' })
    expect(
      (await refused(createJob(client, { tasks: [{ task_key: 'x', ...NOTEBOOK }] }))).code,
    ).toBe('workspace_outcome_unknown')
    expect((await all(client, '/api/2.2/jobs/list', 'jobs')).length).toBe(1)
  })

  it('pages through lists of the catalog by way of empty pages', async () => {
    const { client } = open({ page: 2 })
    for (const name of ['a', 'b', 'c', 'd', 'e'])
      await client.call('POST', '/api/2.1/unity-catalog/schemas', {
        body: { catalog_name: 'main', name },
      })
    const names = (
      await all(client, '/api/2.1/unity-catalog/schemas', 'schemas', {
        catalog_name: 'main',
        max_results: 0,
      })
    ).map((each) => each.name)
    expect(names).toEqual(['a', 'b', 'c', 'd', 'e'])
    expect(
      (
        await refused(
          client.call('POST', '/api/2.1/unity-catalog/schemas', {
            body: { catalog_name: 'main', name: 'A' },
          }),
        )
      ).code,
    ).toBe('workspace_conflict')
  })

  it('answers a wrong statement with HTTP 200 and a state', async () => {
    const { client } = open()
    const run = (statement: string) =>
      client.call<{ status: { state: string }; result?: { data_array?: unknown } }>(
        'POST',
        '/api/2.0/sql/statements',
        { body: { warehouse_id: 'wh0123456789abcd', statement } },
      )
    expect((await run('select 1')).result!.data_array).toEqual([['1']])
    expect((await run('COMMENT ON TABLE main.a.b IS null')).status.state).toBe('FAILED')
  })

  it('wants one owner of a job, and shows what is inherited', async () => {
    const { client } = open()
    const job_id = await createJob(client, { tasks: [{ task_key: 'x', ...NOTEBOOK }] })
    const put = (access_control_list: object[]) =>
      client.call('PUT', `/api/2.0/permissions/jobs/${job_id}`, { body: { access_control_list } })
    expect(
      (await refused(put([{ group_name: 'ops', permission_level: 'CAN_MANAGE_RUN' }]))).status,
    ).toBe(400)
    const answer = (await put([{ user_name: 'u', permission_level: 'IS_OWNER' }])) as {
      access_control_list: unknown[]
    }
    expect(answer.access_control_list.length).toBe(2)
  })

  it('never shows a secret', async () => {
    const { client } = open()
    await client.call('POST', '/api/2.0/secrets/scopes/create', { body: { scope: 's' } })
    await client.call('POST', '/api/2.0/secrets/put', {
      body: { scope: 's', key: 'k', string_value: 'v3ry' },
    })
    expect(JSON.stringify(await client.get('/api/2.0/secrets/list', { scope: 's' }))).not.toContain(
      'v3ry',
    )
    expect(
      (await refused(client.get('/api/2.0/secrets/get', { scope: 's', key: 'k' }))).status,
    ).toBe(400)
  })

  it('streams a chat until it is done, and answers nonsense on demand', async () => {
    const { fake, client } = open()
    const answer = await fake.fetch(`${fake.host}/serving-endpoints/echo/invocations`, {
      method: 'POST',
      headers: { authorization: 'Bearer dapi-fake' },
      body: JSON.stringify({ messages: [{ role: 'user', content: 'hi' }], stream: true }),
    })
    expect((await answer.text()).trim().split('\n\n').at(-1)).toBe('data: [DONE]')
    const bad = await client.call<{ choices: { message: { content: string } }[] }>(
      'POST',
      '/serving-endpoints/not-json/invocations',
      { body: { messages: [] } },
    )
    expect(() => JSON.parse(bad.choices[0]!.message.content) as unknown).toThrow()
  })
})
