// The job of a group. A task for each table and zone; above FOR_EACH_FROM steps one for_each for each layer of steps. Pure.
import type { Group } from '#core/group.ts'
import type { Plan, PlanStep } from '#core/plan.ts'
import { nextRuns, parseCron } from '#core/cron.ts'
import type { Schedule } from '#core/schedule.ts'
import { jobCluster } from './profile.ts'
import type { Compute } from './profile.ts'
import type { Placement } from './placement.ts'
import { fitted, reference } from './resource.ts'
import type { Flag } from './resource.ts'

/**
 * From so many steps on a job has for_each tasks instead of a task each. Three things speak for it: only a for_each holds
 * `max_parallel` (a job starts every task that is ready), the API shows a job's tasks by the hundred, and a graph of more than some
 * dozens of boxes is read by nobody. What it costs: a layer waits for all of the layer before it.
 */
export const FOR_EACH_FROM = 50
/** The inputs of a for_each are one text, and a text may have 10 000 characters. */
const INPUTS_LENGTH = 9000
const MOST_CONCURRENT = 100
const TASK_KEY_LENGTH = 100
const RETRY_AFTER_MS = 30_000

export type JobPlace = {
  /** Workspace folder of the environment, without a slash at its end. */
  folder: string
  run_as: string | null
  paused: boolean
  catalog: string
  prefix: string
  root: string
  environment: string
  tags: Record<string, string>
}

type Task = Record<string, unknown> & { task_key: string }

const NOTEBOOKS = {
  raw: 'source_to_raw',
  bronze: 'raw_to_bronze',
  silver: 'silver_gold_tasks',
  gold: 'silver_gold_tasks',
} as const

export function jobName(environment: string, group: string): string {
  return `lakeforge_${environment}_${group}`
}

export function planPath(folder: string, group: string): string {
  return `${folder}/plans/${group}.json`
}

/** The settings of the group's job, and what of the metadata a job can't say. */
export function jobSpec(
  plan: Plan,
  group: Group,
  schedule: Schedule | null,
  compute: Compute,
  placement: readonly Placement[],
  place: JobPlace,
): { spec: Record<string, unknown>; flags: Flag[] } {
  const flags: Flag[] = []
  const note = (level: Flag['level'], text: string) =>
    flags.push({ level, group: group.name, text })
  if (compute.mode === 'classic' && compute.node_type === null && compute.policy === null)
    note(
      'stop',
      `The compute profile ${compute.name} is classic and names neither a node type nor a policy.`,
    )
  if (compute.mode === 'serverless' && compute.libraries.length > 0)
    note('warn', 'Notebook tasks on serverless compute take no libraries: they are left out.')
  if (group.on_failure === 'stop')
    note(
      'warn',
      'A job goes on with tables that do not depend on the failed one: on_failure stop holds in LakeForge alone.',
    )
  const tasks = tasksOf(plan, group, compute, placement, place, flags)
  const cluster =
    compute.mode === 'classic'
      ? [{ job_cluster_key: 'main', new_cluster: jobCluster(compute, place.tags) }]
      : []
  const owner = /^[^\s@]+@[^\s@]+$/.test(group.owner) ? [group.owner] : []
  const spec: Record<string, unknown> = {
    name: jobName(place.environment, group.name),
    description: [
      group.description.slice(0, 20_000),
      'Made by LakeForge. What is changed here shows up as drift.',
    ]
      .filter(Boolean)
      .join('\n\n'),
    tags: { ...place.tags, ...labels(group) },
    edit_mode: 'UI_LOCKED',
    deployment: { kind: 'BUNDLE', metadata_file_path: planPath(place.folder, group.name) },
    max_concurrent_runs: 1,
    queue: { enabled: schedule?.overlap === 'queue' },
    parameters: [
      // The same in every task, repaired ones too; who starts the run gives his own
      { name: 'batch_id', default: '{{job.run_id}}' },
      { name: 'environment', default: place.environment },
      { name: 'root', default: place.root },
      { name: 'catalog', default: place.catalog },
      { name: 'prefix', default: place.prefix },
    ],
    job_clusters: cluster,
    tasks,
    ...(owner.length > 0 && { email_notifications: { on_failure: owner } }),
    notification_settings: { no_alert_for_skipped_runs: true, no_alert_for_canceled_runs: true },
    ...(place.run_as !== null && { run_as: runAs(place.run_as) }),
    ...when(schedule, place, note),
  }
  return { spec, flags }
}

/** A user by the sign in a mail address, else a service principal by its application id. */
export function runAs(principal: string): Record<string, string> {
  return principal.includes('@') ? { user_name: principal } : { service_principal_name: principal }
}

/** Words of the metadata as tags of a cluster may be written. */
export function labels(thing: { owner: string; tags: readonly string[] }): Record<string, string> {
  const plain = (text: string) =>
    text
      .replace(/[^\w .:/=+\-@]/gu, '_')
      .trim()
      .slice(0, 255)
  const found: Record<string, string> = {}
  if (thing.owner !== '') found.lakeforge_owner = plain(thing.owner)
  if (thing.tags.length > 0) found.lakeforge_tags = plain([...thing.tags].sort().join(' '))
  return found
}

/** `bronze:sales.orders` → `bronze-sales-orders`: names have no hyphen, so that no two keys meet. */
export function taskKey(key: string): string {
  return fitted(key.replace(/[:.]/g, '-'), TASK_KEY_LENGTH)
}

function tasksOf(
  plan: Plan,
  group: Group,
  compute: Compute,
  placement: readonly Placement[],
  place: JobPlace,
  flags: Flag[],
): Task[] {
  const pipelineOf = new Map(
    placement.flatMap((each) =>
      each.pipeline_key === null ? [] : [[each.target, each.pipeline_key] as const],
    ),
  )
  const pipelineKey = (step: PlanStep) =>
    step.zone === 'silver' || step.zone === 'gold' ? pipelineOf.get(step.target) : undefined
  /** Task of each step: its own, or that of its pipeline. */
  const taskOf = new Map(
    plan.steps.map((step) => {
      const pipeline = pipelineKey(step)
      return [step.key, pipeline === undefined ? taskKey(step.key) : `pipeline-${pipeline}`]
    }),
  )
  const own = plan.steps.filter((step) => pipelineKey(step) === undefined)
  const needs = new Map<string, Set<string>>()
  for (const step of plan.steps) {
    const task = taskOf.get(step.key)!
    const set = needs.get(task) ?? new Set<string>()
    for (const key of step.depends_on) {
      const other = taskOf.get(key)
      if (other !== undefined && other !== task) set.add(other)
    }
    needs.set(task, set)
  }
  breakCycles(needs, group, flags)
  const pipelines = [...new Set(plan.steps.flatMap((step) => pipelineKey(step) ?? []))].sort()
  const pipelineTasks = (depends: (task: string) => string[]): Task[] =>
    pipelines.map((key) => ({
      task_key: `pipeline-${key}`,
      ...dependsOn(depends(`pipeline-${key}`)),
      pipeline_task: { pipeline_id: reference('pipeline', key), full_refresh: false },
      max_retries: group.retries,
      min_retry_interval_millis: RETRY_AFTER_MS,
    }))
  if (own.length < FOR_EACH_FROM)
    return [
      ...own.map((step) =>
        stepTask(step, taskKey(step.key), step.key, compute, place, group, [
          ...needs.get(taskKey(step.key))!,
        ]),
      ),
      ...pipelineTasks((task) => [...needs.get(task)!]),
    ]
  return layered(own, needs, compute, place, group, pipelineTasks)
}

/** One task for each layer and zone, in parts as long as a text may be; each waits for all of the layer before. */
function layered(
  own: PlanStep[],
  needs: Map<string, Set<string>>,
  compute: Compute,
  place: JobPlace,
  group: Group,
  pipelineTasks: (depends: (task: string) => string[]) => Task[],
): Task[] {
  const depth = new Map<string, number>()
  const depthOf = (task: string): number => {
    const known = depth.get(task)
    if (known !== undefined) return known
    depth.set(task, 0)
    const value = Math.max(-1, ...[...(needs.get(task) ?? [])].map(depthOf)) + 1
    depth.set(task, value)
    return value
  }
  for (const task of needs.keys()) depthOf(task)
  const last = Math.max(0, ...depth.values())
  const tasks: Task[] = []
  const layerTasks: string[][] = []
  const pipes = new Map(pipelineTasks(() => []).map((task) => [task.task_key, task]))
  for (let layer = 0; layer <= last; layer++) {
    const before = layerTasks.findLast((each) => each.length > 0) ?? []
    const here: string[] = []
    const steps = own.filter((step) => depth.get(taskKey(step.key)) === layer)
    for (const [zone, members] of Map.groupBy(steps, (step) => step.zone)) {
      const parts = inParts(members)
      parts.forEach((part, index) => {
        const key = `${zone}-${layer}${parts.length > 1 ? `-${index + 1}` : ''}`
        const first = members[0]!
        const {
          task_key,
          depends_on: _depends,
          ...nested
        } = stepTask(first, `${key}-each`, '{{input}}', compute, place, group, [])
        tasks.push({
          task_key: key,
          ...dependsOn(before),
          // Tables fail one by one: those whose own input is there go on, and a step finds out by itself
          ...(before.length > 0 && { run_if: 'ALL_DONE' }),
          for_each_task: {
            inputs: JSON.stringify(part.map((step) => step.key)),
            concurrency: Math.min(
              MOST_CONCURRENT,
              Math.max(1, Math.ceil(group.max_parallel / parts.length)),
            ),
            task: {
              ...nested,
              task_key,
              max_retries: Math.max(...part.map((step) => step.retries)),
            },
          },
        })
        here.push(key)
      })
    }
    for (const [key, task] of pipes)
      if (depth.get(key) === layer) {
        tasks.push({
          ...task,
          ...dependsOn(before),
          ...(before.length > 0 && { run_if: 'ALL_DONE' }),
        })
        here.push(key)
      }
    layerTasks.push(here)
  }
  return tasks
}

function inParts(steps: PlanStep[]): PlanStep[][] {
  const parts: PlanStep[][] = [[]]
  let length = 2
  for (const step of steps) {
    const more = JSON.stringify(step.key).length + 1
    if (length + more > INPUTS_LENGTH) {
      parts.push([])
      length = 2
    }
    parts.at(-1)!.push(step)
    length += more
  }
  return parts
}

function stepTask(
  step: PlanStep,
  task_key: string,
  key: string,
  compute: Compute,
  place: JobPlace,
  group: Group,
  needs: string[],
): Task {
  return {
    task_key,
    ...dependsOn(needs),
    notebook_task: {
      notebook_path: `${place.folder}/notebooks/${NOTEBOOKS[step.zone]}`,
      source: 'WORKSPACE',
      base_parameters: { plan: planPath(place.folder, group.name), step: key },
    },
    max_retries: step.retries,
    min_retry_interval_millis: RETRY_AFTER_MS,
    retry_on_timeout: true,
    ...(step.timeout_s !== null && { timeout_seconds: step.timeout_s }),
    ...(compute.mode === 'classic' && { job_cluster_key: 'main', libraries: compute.libraries }),
  }
}

function dependsOn(tasks: readonly string[]): { depends_on?: { task_key: string }[] } {
  return tasks.length === 0
    ? {}
    : { depends_on: [...tasks].sort().map((task_key) => ({ task_key })) }
}

/** A placed table stays where it is even if it now waits for a table of a later pipeline: it then reads the last version. */
function breakCycles(needs: Map<string, Set<string>>, group: Group, flags: Flag[]): void {
  const done = new Set<string>()
  const open = new Set<string>()
  const visit = (task: string) => {
    open.add(task)
    for (const other of [...(needs.get(task) ?? [])].sort()) {
      if (open.has(other)) {
        needs.get(task)!.delete(other)
        flags.push({
          level: 'warn',
          group: group.name,
          text: `${task} and ${other} need each other: ${task} reads what ${other} made in the run before. Move its tables to mend that.`,
        })
      } else if (!done.has(other)) visit(other)
    }
    open.delete(task)
    done.add(task)
  }
  for (const task of [...needs.keys()].sort()) if (!done.has(task)) visit(task)
}

function when(
  schedule: Schedule | null,
  place: JobPlace,
  note: (level: Flag['level'], text: string) => void,
): Record<string, unknown> {
  if (schedule === null) return {}
  const pause_status = schedule.paused || place.paused ? 'PAUSED' : 'UNPAUSED'
  if (schedule.kind === 'cron') {
    // What is due is started from outside: the job itself has no clock
    if (schedule.fired_by === 'lakeforge') return {}
    const quartz_cron_expression = schedule.quartz_cron!
    const gap = shortestGap(quartz_cron_expression, schedule.timezone)
    return {
      schedule: { quartz_cron_expression, timezone_id: schedule.timezone, pause_status },
      // A run that lasts until the next one is due is worth a word
      ...(gap !== null && {
        health: { rules: [{ metric: 'RUN_DURATION_SECONDS', op: 'GREATER_THAN', value: gap }] },
      }),
    }
  }
  if (schedule.kind === 'file_arrival') {
    if (schedule.watch.length > 1)
      note('warn', `A job watches one folder: only ${schedule.watch[0]} starts it.`)
    const url = schedule.watch[0]!
    return { trigger: { pause_status, file_arrival: { url: url.endsWith('/') ? url : `${url}/` } } }
  }
  const table_names = schedule.watch.map((table) => {
    const parts = table.split('.')
    return parts.length === 2 ? `${place.catalog}.${place.prefix}${table}` : table
  })
  return {
    trigger: {
      pause_status,
      table_update: { table_names: table_names.sort(), condition: 'ANY_UPDATED' },
    },
  }
}

/** Seconds between the two closest of the next fire times as of a fixed day, so that the same cron gives the same answer. */
function shortestGap(expression: string, timezone: string): number | null {
  const runs = nextRuns(parseCron(expression), timezone, new Date(Date.UTC(2026, 0, 1)), 50)
  let gap: number | null = null
  for (let n = 1; n < runs.length; n++) {
    const seconds = (runs[n]!.getTime() - runs[n - 1]!.getTime()) / 1000
    if (gap === null || seconds < gap) gap = seconds
  }
  return gap
}
