// What the fake refuses in a job, what it adds to one, and how it shows it: the defaults and the reordering that make a naive
// comparison see changes where there are none.
import { parseCron } from '#core/cron.ts'
import { checkTimezone } from '#core/timezone.ts'
import { dropEmpty, invalid, workspacePath } from './answer.ts'
import type { FakeWorld } from './answer.ts'
import type { Json } from './state.ts'

const TASK_TYPES = [
  'notebook_task',
  'pipeline_task',
  'condition_task',
  'for_each_task',
  'run_job_task',
  'sql_task',
  'spark_python_task',
  'python_wheel_task',
  'dbt_task',
  'spark_jar_task',
  'spark_submit_task',
]
const COMPUTE = ['job_cluster_key', 'new_cluster', 'existing_cluster_id', 'environment_key']

/** @throws Refusal 400 for what a workspace would not take */
export function checkJob(fake: FakeWorld, settings: Json, self: string | null): void {
  const tasks = (settings.tasks as Json[] | undefined) ?? []
  if (tasks.length === 0) invalid('A job must have at least one task.')
  if (tasks.length > 1000) invalid('A job can have at most 1000 tasks.')
  const tags = Object.entries((settings.tags as Json | undefined) ?? {})
  if (tags.length > 25) invalid('A job can have at most 25 tags.')
  for (const [key, value] of tags)
    if (!/^[\w .:/=+\-@]{1,127}$/u.test(key) || !/^[\w .:/=+\-@]{0,255}$/u.test(String(value)))
      invalid(`The tag ${key} has characters that a cluster tag can not have.`)
  if (String(settings.name ?? '').length > 4096) invalid('The name is too long.')
  if (String(settings.description ?? '').length > 27_700) invalid('The description is too long.')
  const keys = tasks.map((task) => String(task.task_key))
  const repeated = keys.find((key, index) => keys.indexOf(key) !== index)
  if (repeated !== undefined) invalid(`The task key ${repeated} is used more than once.`)
  const clusters = new Set(
    listOf(settings.job_clusters).map((each) => String(each.job_cluster_key)),
  )
  const environments = new Set(
    listOf(settings.environments).map((each) => String(each.environment_key)),
  )
  for (const cluster of listOf(settings.job_clusters)) {
    if (cluster.libraries !== undefined) invalid('A shared job cluster has no libraries.')
    checkCluster(cluster.new_cluster as Json)
  }
  for (const task of tasks) {
    if (!/^[A-Za-z0-9_-]{1,100}$/.test(String(task.task_key)))
      invalid(`The task key ${String(task.task_key)} is invalid.`)
    for (const { task_key } of listOf(task.depends_on))
      if (!keys.includes(String(task_key)))
        invalid(
          `The task ${String(task.task_key)} depends on the unknown task ${String(task_key)}.`,
        )
    checkTask(fake, task, clusters, environments, self)
  }
  checkCycle(tasks)
  checkWhen(settings)
  for (const { name } of listOf(settings.parameters))
    if (!/^[A-Za-z0-9_.-]+$/.test(String(name)))
      invalid(`The parameter ${String(name)} has an invalid name.`)
  const runAs = settings.run_as as Json | undefined
  if (runAs && Object.keys(runAs).length !== 1)
    invalid('run_as takes exactly one of user_name, service_principal_name and group_name.')
}

function checkTask(
  fake: FakeWorld,
  task: Json,
  clusters: Set<string>,
  environments: Set<string>,
  self: string | null,
  nested = false,
): void {
  const name = String(task.task_key)
  const types = TASK_TYPES.filter((key) => task[key] !== undefined)
  if (types.length !== 1)
    invalid(`The task ${name} must have exactly one type, it has ${types.length}.`)
  const compute = COMPUTE.filter((key) => task[key] !== undefined)
  if (compute.length > 1)
    invalid(`The task ${name} must have one compute choice, it has ${compute.join(', ')}.`)
  if (task.job_cluster_key !== undefined && !clusters.has(String(task.job_cluster_key)))
    invalid(
      `The task ${name} names the job cluster ${String(task.job_cluster_key)}, which is not defined.`,
    )
  if (task.environment_key !== undefined && !environments.has(String(task.environment_key)))
    invalid(
      `The task ${name} names the environment ${String(task.environment_key)}, which is not defined.`,
    )
  if (task.new_cluster) checkCluster(task.new_cluster as Json)
  if (
    ['pipeline_task', 'condition_task', 'run_job_task', 'sql_task', 'for_each_task'].includes(
      types[0]!,
    ) &&
    compute.length > 0
  )
    invalid(`The task ${name} takes no compute.`)
  if (listOf(task.libraries).length > 0 && compute.length === 0)
    invalid(`The task ${name} is serverless and takes no libraries.`)
  const pipeline = task.pipeline_task as Json | undefined
  if (pipeline) {
    const found = fake.state.pipelines[String(pipeline.pipeline_id)]
    if (!found)
      invalid(
        `The pipeline ${String(pipeline.pipeline_id)} of the task ${name} does not exist or can not be seen.`,
      )
    if (found!.spec.continuous === true) invalid(`The task ${name} names a continuous pipeline.`)
  }
  const job = task.run_job_task as Json | undefined
  if (job && (!fake.state.jobs[String(job.job_id)] || String(job.job_id) === self))
    invalid(`The job ${String(job.job_id)} of the task ${name} can not be run.`)
  const path = (task.notebook_task as Json | undefined)?.notebook_path
  if (path !== undefined && !String(path).startsWith('/'))
    invalid(`The notebook path of the task ${name} must be absolute.`)
  const each = task.for_each_task as Json | undefined
  if (each) {
    if (nested) invalid('A for_each task can not hold another one.')
    const inputs = String(each.inputs)
    if (inputs.length > 10_000)
      invalid(`The inputs of the task ${name} are longer than 10000 characters.`)
    if (!inputs.startsWith('{{')) {
      let list: unknown
      try {
        list = JSON.parse(inputs)
      } catch {
        list = null
      }
      if (!Array.isArray(list)) invalid(`The inputs of the task ${name} are no JSON array.`)
    }
    if (Number(each.concurrency ?? 20) > 100)
      invalid(`The concurrency of the task ${name} is more than 100.`)
    checkTask(fake, each.task as Json, clusters, environments, self, true)
  }
}

function checkCluster(cluster: Json): void {
  for (const key of ['autotermination_minutes', 'is_pinned', 'cluster_name', 'workload_type'])
    if (cluster[key] !== undefined) invalid(`${key} is not allowed for a job cluster.`)
  if (!cluster.spark_version) invalid('A cluster needs its spark_version.')
  if (!cluster.node_type_id && !cluster.instance_pool_id && !cluster.policy_id)
    invalid('A cluster needs its node_type_id or a pool.')
  if (cluster.kind === 'CLASSIC_PREVIEW' && cluster.is_single_node === true) return
  if ((cluster.num_workers === undefined) === (cluster.autoscale === undefined))
    invalid('A cluster takes either num_workers or autoscale.')
  if (cluster.num_workers === 0 && !cluster.policy_id) {
    const conf = (cluster.spark_conf as Record<string, string> | undefined) ?? {}
    const tags = (cluster.custom_tags as Record<string, string> | undefined) ?? {}
    const single =
      conf['spark.databricks.cluster.profile'] === 'singleNode' &&
      conf['spark.master']?.startsWith('local') &&
      tags.ResourceClass === 'SingleNode'
    if (!single) invalid('A cluster without workers needs the settings of a single node.')
  }
}

function checkCycle(tasks: Json[]): void {
  const left = new Map(
    tasks.map((task) => [
      String(task.task_key),
      new Set(listOf(task.depends_on).map((each) => String(each.task_key))),
    ]),
  )
  for (let found = true; found;) {
    found = false
    for (const [key, waits] of left)
      if (waits.size === 0) {
        left.delete(key)
        for (const other of left.values()) other.delete(key)
        found = true
      }
  }
  if (left.size > 0)
    invalid(`The tasks depend on each other in a cycle: ${[...left.keys()].join(', ')}.`)
}

function checkWhen(settings: Json): void {
  const kinds = ['schedule', 'trigger', 'continuous'].filter((key) => settings[key] !== undefined)
  if (kinds.length > 1) invalid('Only one of schedule, trigger and continuous can be set.')
  const schedule = settings.schedule as Json | undefined
  if (schedule) {
    try {
      parseCron(String(schedule.quartz_cron_expression))
      checkTimezone(String(schedule.timezone_id))
    } catch {
      invalid(
        `The cron expression ${String(schedule.quartz_cron_expression)} or the time zone ${String(schedule.timezone_id)} is invalid.`,
      )
    }
  }
  const trigger = settings.trigger as Json | undefined
  if (trigger) {
    const files = trigger.file_arrival as Json | undefined
    if (files && !String(files.url).endsWith('/'))
      invalid('The URL of a file arrival trigger must end in a slash.')
    for (const key of ['min_time_between_triggers_seconds', 'wait_after_last_change_seconds'])
      if (files?.[key] !== undefined && Number(files[key]) < 60)
        invalid(`${key} must be at least 60.`)
    const tables = trigger.table_update as Json | undefined
    if (tables && listOfTexts(tables.table_names).length === 0)
      invalid('A table update trigger needs its tables.')
  }
  for (const each of ['email_notifications', 'webhook_notifications'])
    for (const list of Object.values((settings[each] as Json | undefined) ?? {}))
      if (each === 'webhook_notifications' && Array.isArray(list) && list.length > 3)
        invalid('At most 3 webhooks for each event.')
}

/** The settings as GET shows them: defaults filled in, empties dropped, lists in the server's own order. */
export function shownSettings(fake: FakeWorld, settings: Json, withTasks: boolean): Json {
  const {
    tasks,
    job_clusters,
    parameters,
    webhook_notifications,
    run_as: _runAs,
    ...rest
  } = dropEmpty(settings) as Json
  const shown: Json = {
    name: 'Untitled',
    email_notifications: {},
    webhook_notifications: shuffledHooks(webhook_notifications),
    timeout_seconds: 0,
    max_concurrent_runs: 1,
    ...(fake.queue_default && { queue: { enabled: true } }),
    ...rest,
    format: 'MULTI_TASK',
  }
  if (settings.deployment)
    shown.deployment = Object.fromEntries(
      Object.entries(settings.deployment as Json).filter(([key]) => key !== 'version_id'),
    )
  if (parameters) shown.parameters = listOf(parameters).toReversed()
  if (withTasks) {
    shown.tasks = listOf(tasks)
      .map(shownTask)
      .sort((a, b) => (String(a.task_key) < String(b.task_key) ? -1 : 1))
    if (job_clusters)
      shown.job_clusters = listOf(job_clusters)
        .map((each) => ({ ...each, new_cluster: shownCluster(each.new_cluster as Json) }))
        .toReversed()
  }
  return shown
}

function shownTask(task: Json): Json {
  const shown: Json = {
    run_if: 'ALL_SUCCESS',
    timeout_seconds: 0,
    email_notifications: {},
    ...task,
    webhook_notifications: shuffledHooks(task.webhook_notifications),
  }
  if (task.depends_on)
    shown.depends_on = listOf(task.depends_on).sort((a, b) =>
      String(a.task_key) < String(b.task_key) ? -1 : 1,
    )
  const notebook = task.notebook_task as Json | undefined
  if (notebook)
    shown.notebook_task = {
      source: 'WORKSPACE',
      ...notebook,
      notebook_path: workspacePath(String(notebook.notebook_path)),
    }
  if (task.new_cluster) shown.new_cluster = shownCluster(task.new_cluster as Json)
  const each = task.for_each_task as Json | undefined
  if (each) shown.for_each_task = { ...each, task: shownTask(each.task as Json) }
  return shown
}

function shownCluster(cluster: Json): Json {
  return {
    aws_attributes: { availability: 'SPOT_WITH_FALLBACK', zone_id: 'auto', first_on_demand: 1 },
    enable_elastic_disk: false,
    ...(cluster.driver_node_type_id === undefined &&
      cluster.node_type_id !== undefined && { driver_node_type_id: cluster.node_type_id }),
    data_security_mode: 'SINGLE_USER',
    runtime_engine: 'STANDARD',
    ...Object.fromEntries(
      Object.entries(cluster).filter(([key]) => key !== 'apply_policy_default_values'),
    ),
  }
}

function shuffledHooks(hooks: unknown): Json {
  return Object.fromEntries(
    Object.entries((hooks as Json | undefined) ?? {}).map(([event, list]) => [
      event,
      Array.isArray(list) ? list.toReversed() : list,
    ]),
  )
}

export function listOf(value: unknown): Json[] {
  return Array.isArray(value) ? [...(value as Json[])] : []
}
function listOfTexts(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : []
}
