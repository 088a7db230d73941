// `npm run check-workspace`: what only a real workspace can prove, tried there under a throw-away name, point by point. It removes
// what it made, and nothing else. Host by DATABRICKS_HOST, login as for sync; --catalog takes a schema and a pipeline, --node-type a
// classic cluster's shape. Nothing is run on compute but one `select 1` where a warehouse is given.
import { parseArgs } from 'node:util'
import { describeError, LakeForgeError } from '#core/errors.ts'
import type { Client } from './client.ts'
import { canonical, differences } from './compare.ts'
import type { Kind } from './resource.ts'
import { jobCluster, SERVERLESS } from './profile.ts'
import { openNodeDoor } from './node-door.ts'
import { NOTEBOOK_HEADER } from './specs.ts'

type Json = Record<string, unknown>
export type Point = {
  name: string
  outcome: 'as expected' | 'otherwise' | 'not tried'
  detail: string
}
export type CheckOptions = {
  prefix: string
  catalog: string | null
  node_type: string | null
  warehouse_id: string | null
}

/** Tries every point; what fails is in the answer. What it made is gone afterwards, or named in the last point. */
export async function checkWorkspace(client: Client, options: CheckOptions): Promise<Point[]> {
  const points: Point[] = []
  const made: { name: string; remove: () => Promise<unknown> }[] = []
  const point = async (name: string, work: () => Promise<string>) => {
    try {
      points.push({ name, outcome: 'as expected', detail: await work() })
    } catch (error) {
      const said =
        error instanceof LakeForgeError
          ? `${error.message} (${String(error.detail.status ?? '')} ${String(error.detail.error_code ?? '')})`
          : String(error)
      points.push({ name, outcome: 'otherwise', detail: said })
    }
  }
  const skip = (name: string, why: string) =>
    points.push({ name, outcome: 'not tried', detail: why })
  const folder = `/Workspace/Shared/${options.prefix}`
  const notebook = `${folder}/notebook`

  await point(
    'who we are',
    async () => (await client.get<{ userName: string }>('/api/2.0/preview/scim/v2/Me')).userName,
  )
  await point('a folder, made twice', async () => {
    made.push({
      name: folder,
      remove: () => post(client, '/api/2.0/workspace/delete', { path: folder, recursive: true }),
    })
    for (const _time of [1, 2]) await post(client, '/api/2.0/workspace/mkdirs', { path: folder })
    return folder
  })
  await point('a notebook comes back as it was sent, but for newlines at its end', async () => {
    const text = `${NOTEBOOK_HEADER}\nprint("ü")\n`
    const content = btoa(String.fromCharCode(...new TextEncoder().encode(text)))
    await post(client, '/api/2.0/workspace/import', {
      path: notebook,
      content,
      format: 'SOURCE',
      language: 'PYTHON',
      overwrite: true,
    })
    const back = await client.get<{ content: string }>('/api/2.0/workspace/export', {
      path: notebook,
      format: 'SOURCE',
    })
    const got = new TextDecoder().decode(
      Uint8Array.from(atob(back.content), (char) => char.charCodeAt(0)),
    )
    return got.trimEnd() === text.trimEnd()
      ? 'equal'
      : otherwise(`it is now ${JSON.stringify(got.slice(0, 200))}`)
  })

  const task = (key: string, more: Json = {}) => ({
    task_key: key,
    notebook_task: { notebook_path: notebook, source: 'WORKSPACE' },
    ...more,
  })
  const job: Json = {
    name: `${options.prefix}_job`,
    tags: { lakeforge_check: options.prefix },
    edit_mode: 'UI_LOCKED',
    deployment: { kind: 'BUNDLE', metadata_file_path: `${folder}/plan.json` },
    max_concurrent_runs: 1,
    queue: { enabled: false },
    parameters: [
      { name: 'batch_id', default: '{{job.run_id}}' },
      { name: 'a', default: '' },
    ],
    schedule: {
      quartz_cron_expression: '0 15 2 * * ?',
      timezone_id: 'Europe/Berlin',
      pause_status: 'PAUSED',
    },
    health: { rules: [{ metric: 'RUN_DURATION_SECONDS', op: 'GREATER_THAN', value: 3600 }] },
    tasks: [
      task('b', {
        depends_on: [{ task_key: 'a' }],
        max_retries: 1,
        min_retry_interval_millis: 30_000,
        retry_on_timeout: true,
      }),
      task('a'),
    ],
  }
  let job_id: string | undefined
  await point('a job is created, and shows no difference to what was asked for', async () => {
    job_id = await createJob(client, job, made)
    return noDifference(
      'job',
      job,
      (await client.get<{ settings: Json }>('/api/2.2/jobs/get', { job_id })).settings,
    )
  })
  await point('the same again by reset still shows none', async () => {
    await post(client, '/api/2.2/jobs/reset', { job_id, new_settings: job })
    return noDifference(
      'job',
      job,
      (await client.get<{ settings: Json }>('/api/2.2/jobs/get', { job_id })).settings,
    )
  })
  await point('the job is found by its exact name', async () => {
    const found: string[] = []
    for await (const each of client.list<{ job_id: string }>('/api/2.2/jobs/list', 'jobs', {
      name: String(job.name),
    }))
      found.push(each.job_id)
    return found.join() === job_id ? 'one' : otherwise(`found ${found.length}`)
  })
  if (options.node_type === null) skip('a single node cluster is taken', 'give --node-type')
  else
    await point('a single node cluster is taken', async () => {
      const cluster = jobCluster(
        { ...SERVERLESS, mode: 'classic', node_type: options.node_type },
        { lakeforge_check: options.prefix },
      )
      const classic = {
        name: `${options.prefix}_classic`,
        job_clusters: [{ job_cluster_key: 'main', new_cluster: cluster }],
        tasks: [task('a', { job_cluster_key: 'main' })],
      }
      const id = await createJob(client, classic, made)
      return noDifference(
        'job',
        classic,
        (await client.get<{ settings: Json }>('/api/2.2/jobs/get', { job_id: id })).settings,
      )
    })
  for (const [name, wrong] of Object.entries({
    'an unknown dependency': { tasks: [task('a', { depends_on: [{ task_key: 'nobody' }] })] },
    'a cycle': {
      tasks: [
        task('a', { depends_on: [{ task_key: 'b' }] }),
        task('b', { depends_on: [{ task_key: 'a' }] }),
      ],
    },
    'a Unix cron': {
      tasks: [task('a')],
      schedule: {
        quartz_cron_expression: '15 2 * * *',
        timezone_id: 'UTC',
        pause_status: 'PAUSED',
      },
    },
  }))
    await point(`${name} is refused`, () =>
      refused(() => createJob(client, { name: `${options.prefix}_wrong`, ...wrong }, made), 400),
    )
  await point('an unknown field is refused or left out', async () => {
    try {
      await createJob(
        client,
        { name: `${options.prefix}_odd`, tasks: [task('a')], lakeforge_unknown_field: 1 },
        made,
      )
      return 'left out'
    } catch (error) {
      return `refused: ${describeError(error).message}`
    }
  })
  await point('a job that was deleted is missing', async () => {
    const id = await createJob(client, { name: `${options.prefix}_gone`, tasks: [task('a')] }, made)
    await post(client, '/api/2.2/jobs/delete', { job_id: id })
    return missing(() => client.get('/api/2.2/jobs/get', { job_id: id }))
  })

  if (options.catalog === null)
    for (const name of ['a schema with our mark', 'a pipeline']) skip(name, 'give --catalog')
  else {
    const { catalog, prefix } = options
    await point('a schema with our mark', async () => {
      await client.call('POST', '/api/2.1/unity-catalog/schemas', {
        body: { catalog_name: catalog, name: prefix, properties: { lakeforge_check: prefix } },
      })
      made.push({
        name: `${catalog}.${prefix}`,
        remove: () => client.call('DELETE', `/api/2.1/unity-catalog/schemas/${catalog}.${prefix}`),
      })
      const found = await client.get<{ properties?: Json }>(
        `/api/2.1/unity-catalog/schemas/${catalog}.${prefix}`,
      )
      return found.properties?.lakeforge_check === prefix ? 'kept' : otherwise('the mark is gone')
    })
    const spec: Json = {
      name: `${prefix}_pipeline`,
      catalog,
      schema: prefix,
      serverless: true,
      continuous: false,
      development: false,
      channel: 'CURRENT',
      edition: 'ADVANCED',
      root_path: folder,
      libraries: [{ notebook: { path: notebook } }],
      configuration: { 'lakeforge.key': prefix },
      tags: { lakeforge_check: prefix },
    }
    let id = ''
    type Shown = { spec: Json; last_modified: number }
    await point('a pipeline is created, and shows no difference', async () => {
      id = (
        await client.call<{ pipeline_id: string }>('POST', '/api/2.0/pipelines', { body: spec })
      ).pipeline_id
      made.push({
        name: String(spec.name),
        remove: () =>
          client.call('DELETE', `/api/2.0/pipelines/${id}`, { query: { cascade: false } }),
      })
      return noDifference(
        'pipeline',
        spec,
        (await client.get<Shown>(`/api/2.0/pipelines/${id}`)).spec,
      )
    })
    await point('a second one of its name is refused', () =>
      refused(() => client.call('POST', '/api/2.0/pipelines', { body: spec }), null),
    )
    await point('a stale change of it is refused', () =>
      refused(
        () =>
          client.call('PUT', `/api/2.0/pipelines/${id}`, {
            body: { ...spec, expected_last_modified: 1 },
          }),
        null,
      ),
    )
    await point('it is replaced by who read it last', async () => {
      const { last_modified } = await client.get<Shown>(`/api/2.0/pipelines/${id}`)
      await client.call('PUT', `/api/2.0/pipelines/${id}`, {
        body: { ...spec, expected_last_modified: last_modified },
      })
      return noDifference(
        'pipeline',
        spec,
        (await client.get<Shown>(`/api/2.0/pipelines/${id}`)).spec,
      )
    })
  }
  if (options.warehouse_id === null) skip('a statement answers', 'set DATABRICKS_WAREHOUSE_ID')
  else
    await point('a statement answers', async () => {
      const answer = await client.call<{ status: { state: string } }>(
        'POST',
        '/api/2.0/sql/statements',
        {
          body: { warehouse_id: options.warehouse_id, statement: 'select 1', wait_timeout: '50s' },
        },
      )
      return answer.status.state
    })

  const left: string[] = []
  for (const each of made.toReversed())
    try {
      await each.remove()
    } catch (error) {
      if (!(error instanceof LakeForgeError && error.code === 'workspace_missing'))
        left.push(`${each.name} (${describeError(error).message})`)
    }
  points.push({
    name: 'what was made is gone',
    outcome: left.length === 0 ? 'as expected' : 'otherwise',
    detail: left.length === 0 ? `${made.length} things` : `still there: ${left.join(', ')}`,
  })
  return points
}

async function createJob(
  client: Client,
  settings: Json,
  made: { name: string; remove: () => Promise<unknown> }[],
): Promise<string> {
  const { job_id } = await client.call<{ job_id: string }>('POST', '/api/2.2/jobs/create', {
    body: settings,
  })
  made.push({
    name: String(settings.name),
    remove: () => post(client, '/api/2.2/jobs/delete', { job_id }),
  })
  return job_id
}

function post(client: Client, path: string, body: Json): Promise<unknown> {
  return client.call('POST', path, { body, repeatable: true })
}

function noDifference(kind: Kind, wanted: Json, live: Json): string {
  const { run_as: _runAs, ...shown } = live
  const found = differences(kind, canonical(kind, wanted), canonical(kind, shown))
  return found.length === 0
    ? 'none'
    : otherwise(
        found
          .map(
            (each) =>
              `${each.path}: ${JSON.stringify(each.before)} for ${JSON.stringify(each.after)}`,
          )
          .join('; '),
      )
}

async function refused(work: () => Promise<unknown>, status: number | null): Promise<string> {
  try {
    await work()
  } catch (error) {
    if (!(error instanceof LakeForgeError) || error.detail.status === undefined) throw error
    const said = `${String(error.detail.status)} ${String(error.detail.error_code)}: ${String(error.detail.said)}`
    return status === null || error.detail.status === status ? said : otherwise(said)
  }
  return otherwise('it was taken')
}

async function missing(work: () => Promise<unknown>): Promise<string> {
  try {
    await work()
  } catch (error) {
    if (error instanceof LakeForgeError && error.code === 'workspace_missing')
      return `${String(error.detail.status)} ${String(error.detail.error_code)}: ${String(error.detail.said)}`
    throw error
  }
  return otherwise('it is still there')
}

function otherwise(what: string): never {
  throw new Error(what)
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: { catalog: { type: 'string' }, 'node-type': { type: 'string' } },
  })
  const door = openNodeDoor()
  try {
    const client = await door.client(process.env.DATABRICKS_HOST ?? '')
    const prefix = `lakeforge_check_${crypto.randomUUID().slice(0, 8)}`
    const points = await checkWorkspace(client, {
      prefix,
      catalog: values.catalog ?? null,
      node_type: values['node-type'] ?? null,
      warehouse_id: door.warehouse_id,
    })
    for (const { name, outcome, detail } of points)
      console.log(`${outcome.padEnd(12)} ${name}: ${detail}`)
    if (points.some((each) => each.outcome === 'otherwise')) process.exitCode = 1
  } catch (error) {
    const { message, hint } = describeError(error)
    console.error(`${message} ${hint}`)
    process.exitCode = 1
  }
}
