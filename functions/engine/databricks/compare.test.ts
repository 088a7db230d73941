import { describe, expect, it } from 'vitest'
import { additions, apiSpec, canonical, differences, threeWay, withFields } from './compare.ts'
import type { Kind } from './resource.ts'

type Json = Record<string, unknown>
const NOTEBOOK = { notebook_path: '/Workspace/Shared/n' }
const diff = (kind: Kind, wanted: Json, live: Json) =>
  differences(kind, canonical(kind, wanted), canonical(kind, live))

describe('an unchanged definition', () => {
  const task = (more: Json = {}) => ({ task_key: 'a', notebook_task: NOTEBOOK, ...more })
  const cluster = { spark_version: '16.4.x-scala2.12', node_type_id: 'i3.xlarge', num_workers: 0 }

  it.each<[string, Kind, Json, Json]>([
    [
      'empty notifications that the server adds',
      'job',
      {},
      { email_notifications: {}, webhook_notifications: {} },
    ],
    ['no timeout', 'job', {}, { timeout_seconds: 0 }],
    ['one run at a time', 'job', {}, { max_concurrent_runs: 1 }],
    ['the format', 'job', {}, { format: 'MULTI_TASK' }],
    ['the queue of the workspace', 'job', {}, { queue: { enabled: true } }],
    ['the performance target', 'job', {}, { performance_target: 'PERFORMANCE_OPTIMIZED' }],
    ['who it runs as, where nobody said', 'job', {}, { run_as: 'admin@example.com' }],
    [
      'a schedule that is not paused',
      'job',
      { schedule: { timezone_id: 'UTC' } },
      { schedule: { timezone_id: 'UTC', pause_status: 'UNPAUSED' } },
    ],
    ['run_if of a task', 'job', { tasks: [task()] }, { tasks: [task({ run_if: 'ALL_SUCCESS' })] }],
    [
      'timeout and notifications of a task',
      'job',
      { tasks: [task()] },
      { tasks: [task({ timeout_seconds: 0, email_notifications: {}, webhook_notifications: {} })] },
    ],
    [
      'retries that are zero',
      'job',
      { tasks: [task()] },
      { tasks: [task({ max_retries: 0, min_retry_interval_millis: 0, retry_on_timeout: false })] },
    ],
    [
      'the source of a notebook',
      'job',
      { tasks: [task()] },
      { tasks: [task({ notebook_task: { ...NOTEBOOK, source: 'WORKSPACE' } })] },
    ],
    [
      'the source GIT',
      'job',
      { tasks: [task()] },
      { tasks: [task({ notebook_task: { ...NOTEBOOK, source: 'GIT' } })] },
    ],
    [
      'run_if inside a for_each',
      'job',
      { tasks: [{ task_key: 'e', for_each_task: { inputs: '[]', task: task() } }] },
      {
        tasks: [
          {
            task_key: 'e',
            for_each_task: {
              inputs: '[]',
              concurrency: 20,
              task: task({ run_if: 'ALL_SUCCESS', timeout_seconds: 0 }),
            },
          },
        ],
      },
    ],
    [
      'a pipeline task without full refresh',
      'job',
      { tasks: [{ task_key: 'p', pipeline_task: { pipeline_id: 'x' } }] },
      { tasks: [{ task_key: 'p', pipeline_task: { pipeline_id: 'x', full_refresh: false } }] },
    ],
    [
      'what the cloud adds to a cluster',
      'job',
      { job_clusters: [{ job_cluster_key: 'm', new_cluster: cluster }] },
      {
        job_clusters: [
          {
            job_cluster_key: 'm',
            new_cluster: {
              ...cluster,
              aws_attributes: { zone_id: 'auto' },
              enable_elastic_disk: true,
              enable_local_disk_encryption: false,
              driver_node_type_id: 'i3.xlarge',
              data_security_mode: 'SINGLE_USER',
              runtime_engine: 'STANDARD',
            },
          },
        ],
      },
    ],
    [
      'a node type from a policy',
      'job',
      { job_clusters: [{ job_cluster_key: 'm', new_cluster: { policy_id: 'p', num_workers: 1 } }] },
      {
        job_clusters: [
          {
            job_cluster_key: 'm',
            new_cluster: {
              policy_id: 'p',
              num_workers: 1,
              node_type_id: 'i3.xlarge',
              driver_instance_pool_id: 'd',
            },
          },
        ],
      },
    ],
    [
      'azure and gcp attributes',
      'job',
      { tasks: [task({ new_cluster: cluster })] },
      {
        tasks: [
          task({
            new_cluster: {
              ...cluster,
              azure_attributes: { availability: 'ON_DEMAND_AZURE' },
              gcp_attributes: { zone_id: 'a' },
            },
          }),
        ],
      },
    ],
    ['empty tags', 'job', { tags: {} }, {}],
    [
      'an empty list of a notification',
      'job',
      { email_notifications: { on_failure: [] } },
      { email_notifications: {} },
    ],
    [
      'tasks in another order',
      'job',
      { tasks: [task(), { task_key: 'b', notebook_task: NOTEBOOK }] },
      { tasks: [{ task_key: 'b', notebook_task: NOTEBOOK }, task()] },
    ],
    [
      'dependencies in another order',
      'job',
      { tasks: [task({ depends_on: [{ task_key: 'z' }, { task_key: 'y' }] })] },
      { tasks: [task({ depends_on: [{ task_key: 'y' }, { task_key: 'z' }] })] },
    ],
    [
      'job clusters in another order',
      'job',
      { job_clusters: [{ job_cluster_key: 'a' }, { job_cluster_key: 'b' }] },
      { job_clusters: [{ job_cluster_key: 'b' }, { job_cluster_key: 'a' }] },
    ],
    [
      'environments in another order',
      'job',
      { environments: [{ environment_key: 'a' }, { environment_key: 'b' }] },
      { environments: [{ environment_key: 'b' }, { environment_key: 'a' }] },
    ],
    [
      'parameters in another order',
      'job',
      {
        parameters: [
          { name: 'a', default: '' },
          { name: 'b', default: '1' },
        ],
      },
      {
        parameters: [
          { name: 'b', default: '1' },
          { name: 'a', default: '' },
        ],
      },
    ],
    [
      'webhooks in another order',
      'job',
      { webhook_notifications: { on_failure: [{ id: 'a' }, { id: 'b' }] } },
      { webhook_notifications: { on_failure: [{ id: 'b' }, { id: 'a' }] } },
    ],
    [
      'mail addresses in another order',
      'job',
      { email_notifications: { on_failure: ['a', 'b'] } },
      { email_notifications: { on_failure: ['b', 'a'] } },
    ],
    [
      'libraries of a task in another order',
      'job',
      { tasks: [task({ libraries: [{ pypi: { package: 'a' } }, { whl: 'b' }] })] },
      { tasks: [task({ libraries: [{ whl: 'b' }, { pypi: { package: 'a' } }] })] },
    ],
    [
      'a path without /Workspace',
      'job',
      { tasks: [task()] },
      { tasks: [task({ notebook_task: { notebook_path: '/Shared/n' } })] },
    ],
    [
      'what is never returned',
      'job',
      {
        deployment: { kind: 'BUNDLE', version_id: '7' },
        job_clusters: [
          { job_cluster_key: 'm', new_cluster: { ...cluster, apply_policy_default_values: true } },
        ],
      },
      {
        deployment: { kind: 'BUNDLE' },
        job_clusters: [{ job_cluster_key: 'm', new_cluster: cluster }],
      },
    ],
    [
      'one principal, however it is spelled',
      'job',
      { run_as: { user_name: 'u' } },
      { run_as: 'u' },
    ],
    ['the id in a spec', 'pipeline', { name: 'p' }, { name: 'p', id: 'x' }],
    [
      'the storage of the server',
      'pipeline',
      { name: 'p' },
      { name: 'p', storage: 'dbfs:/pipelines/x' },
    ],
    ['channel and edition', 'pipeline', {}, { channel: 'CURRENT', edition: 'ADVANCED' }],
    ['edition in another case', 'pipeline', { edition: 'advanced' }, { edition: 'ADVANCED' }],
    [
      'what is off',
      'pipeline',
      {},
      { continuous: false, development: false, photon: false, serverless: false },
    ],
    [
      'where the event log lies',
      'pipeline',
      { event_log: { name: 'e' } },
      { event_log: { name: 'e', catalog: 'main', schema: 's' } },
    ],
    [
      'names in capitals',
      'pipeline',
      { catalog: 'Main', schema: 'Sales' },
      { catalog: 'main', schema: 'sales' },
    ],
    [
      'libraries of a pipeline in another order',
      'pipeline',
      { libraries: [{ file: { path: '/Workspace/a.py' } }, { file: { path: '/Workspace/b.py' } }] },
      { libraries: [{ file: { path: '/b.py' } }, { file: { path: '/a.py' } }] },
    ],
    [
      'the label and machine of a cluster',
      'pipeline',
      { clusters: [{ num_workers: 0 }] },
      {
        clusters: [
          {
            label: 'default',
            num_workers: 0,
            node_type_id: 'i3.xlarge',
            enable_local_disk_encryption: false,
          },
        ],
      },
    ],
    [
      'recipients in another order',
      'pipeline',
      { notifications: [{ email_recipients: ['a', 'b'], alerts: ['x', 'y'] }] },
      { notifications: [{ email_recipients: ['b', 'a'], alerts: ['y', 'x'] }] },
    ],
    ['a flag of creation', 'pipeline', { name: 'p', allow_duplicate_names: true }, { name: 'p' }],
  ])('is equal in spite of %s', (_name, kind, wanted, live) =>
    expect(diff(kind, wanted, live)).toEqual([]),
  )
})

describe('a change', () => {
  const task = (more: Json = {}) => ({ task_key: 'a', notebook_task: NOTEBOOK, ...more })
  it.each<[string, Kind, Json, Json, string[]]>([
    ['a timeout that somebody set', 'job', {}, { timeout_seconds: 60 }, ['timeout_seconds']],
    [
      'zero concurrent runs: a real value',
      'job',
      {},
      { max_concurrent_runs: 0 },
      ['max_concurrent_runs'],
    ],
    [
      'zero wanted and one there',
      'job',
      { max_concurrent_runs: 0 },
      { max_concurrent_runs: 1 },
      ['max_concurrent_runs'],
    ],
    [
      'false is a value',
      'job',
      { queue: { enabled: false } },
      { queue: { enabled: true } },
      ['queue.enabled'],
    ],
    [
      'no workers wanted, two there',
      'job',
      { job_clusters: [{ job_cluster_key: 'm', new_cluster: { num_workers: 0 } }] },
      { job_clusters: [{ job_cluster_key: 'm', new_cluster: { num_workers: 2 } }] },
      ['job_clusters.m.new_cluster.num_workers'],
    ],
    [
      'an empty text is a value',
      'job',
      { parameters: [{ name: 'a', default: '' }] },
      { parameters: [{ name: 'a', default: 'x' }] },
      ['parameters.a.default'],
    ],
    [
      'a task too many: one difference',
      'job',
      { tasks: [task()] },
      { tasks: [task(), { task_key: 'b', notebook_task: NOTEBOOK }] },
      ['tasks.b'],
    ],
    [
      'a task too few',
      'job',
      { tasks: [task(), { task_key: 'b', notebook_task: NOTEBOOK }] },
      { tasks: [task()] },
      ['tasks.b'],
    ],
    [
      'another run_if',
      'job',
      { tasks: [task()] },
      { tasks: [task({ run_if: 'ALL_DONE' })] },
      ['tasks.a.run_if'],
    ],
    [
      'the order of positional parameters',
      'job',
      { tasks: [{ task_key: 'a', spark_python_task: { parameters: ['x', 'y'] } }] },
      { tasks: [{ task_key: 'a', spark_python_task: { parameters: ['y', 'x'] } }] },
      ['tasks.a.spark_python_task.parameters'],
    ],
    [
      'the order of init scripts',
      'job',
      {
        job_clusters: [
          { job_cluster_key: 'm', new_cluster: { init_scripts: [{ s: 1 }, { s: 2 }] } },
        ],
      },
      {
        job_clusters: [
          { job_cluster_key: 'm', new_cluster: { init_scripts: [{ s: 2 }, { s: 1 }] } },
        ],
      },
      ['job_clusters.m.new_cluster.init_scripts'],
    ],
    [
      'a pause',
      'job',
      { schedule: { timezone_id: 'UTC' } },
      { schedule: { timezone_id: 'UTC', pause_status: 'PAUSED' } },
      ['schedule.pause_status'],
    ],
    ['who it runs as', 'job', { run_as: { user_name: 'a' } }, { run_as: 'b' }, ['run_as']],
    ['a tag with a dot', 'job', { tags: { 'a.b': '1' } }, { tags: { 'a.b': '2' } }, ['tags.a\\.b']],
    ['a photon that somebody switched on', 'pipeline', {}, { photon: true }, ['photon']],
    ['a preview channel', 'pipeline', {}, { channel: 'PREVIEW' }, ['channel']],
    [
      'another machine than the wanted',
      'pipeline',
      { clusters: [{ node_type_id: 'a' }] },
      { clusters: [{ label: 'default', node_type_id: 'b' }] },
      ['clusters.default.node_type_id'],
    ],
    ['storage for a catalog', 'pipeline', { catalog: 'main' }, { storage: 'dbfs:/x' }, ['catalog']],
    ['a job of another kind altogether', 'job', { name: 'a' }, { name: 'b' }, ['name']],
  ])('is seen: %s', (_name, kind, wanted, live, paths) =>
    expect(diff(kind, wanted, live).map((each) => each.path)).toEqual(paths),
  )

  it('goes back to what the API takes', () => {
    const spec = {
      name: 'j',
      tasks: [
        { task_key: 'b', depends_on: [{ task_key: 'a' }] },
        {
          task_key: 'a',
          notebook_task: { notebook_path: '/Workspace/n', base_parameters: { parameters: 'x' } },
        },
      ],
      parameters: [{ name: 'p', default: '' }],
      tags: {},
    }
    const api = apiSpec(canonical('job', spec)) as Json
    expect(api).toEqual({
      name: 'j',
      parameters: [{ default: '', name: 'p' }],
      tasks: [
        {
          notebook_task: { base_parameters: { parameters: 'x' }, notebook_path: '/n' },
          task_key: 'a',
        },
        { depends_on: [{ task_key: 'a' }], task_key: 'b' },
      ],
    })
    expect(canonical('job', api)).toEqual(canonical('job', spec))
  })

  it('of ours is told from one over there, and both from a habit of the server that nobody has documented', () => {
    const base = canonical('job', { name: 'a', description: 'old', timeout_seconds: 10 })
    const wanted = canonical('job', { name: 'a', description: 'new', timeout_seconds: 10 })
    const live = canonical('job', {
      name: 'a',
      description: 'old',
      timeout_seconds: 20,
      novelty: { x: 1 },
    })
    const observed = additions(
      'job',
      base,
      canonical('job', { name: 'a', description: 'old', timeout_seconds: 10, novelty: { x: 1 } }),
    )
    const { ours, drift } = threeWay('job', wanted, base, live, observed)
    expect(ours.map((each) => each.path)).toEqual(['description'])
    expect(drift.map((each) => each.path)).toEqual(['timeout_seconds'])
    // The habit has changed: somebody was there
    expect(
      threeWay('job', wanted, base, { ...live, novelty: { x: 2 } }, observed).drift.map(
        (each) => each.path,
      ),
    ).toEqual(['novelty.x', 'timeout_seconds'])
  })

  it('over there of the very field that we change, too, is drift', () => {
    const spec = (description: string) => canonical('job', { description })
    expect(threeWay('job', spec('ours'), spec('base'), spec('theirs'), {})).toMatchObject({
      ours: [],
      drift: [{ path: 'description' }],
    })
    // Both came to the same: nothing to say
    expect(threeWay('job', spec('same'), spec('base'), spec('same'), {})).toEqual({
      ours: [],
      drift: [],
    })
  })

  it('that may stay is put into what is written', () =>
    expect(
      withFields(
        { tags: { 'a.b': '1' }, x: 1 },
        { 'tags.a\\.b': '2', 'schedule.pause_status': 'PAUSED', x: null },
      ),
    ).toEqual({ tags: { 'a.b': '2' }, schedule: { pause_status: 'PAUSED' } }))
})
