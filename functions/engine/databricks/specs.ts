// From plans to everything that a workspace needs for them: folders, notebooks and plan files, schemas, volumes, pipelines, jobs,
// and what the catalog is told about tables. Pure and deterministic: the same metadata, placement and environment give the same.
import { createHash } from 'node:crypto'
import type { Environment } from '#core/environment.ts'
import type { Group } from '#core/group.ts'
import { canonicalJson } from '#core/plan.ts'
import type { Plan } from '#core/plan.ts'
import type { Schedule } from '#core/schedule.ts'
import { tableSpec } from './catalog-spec.ts'
import type { TableLabels } from './catalog-spec.ts'
import { jobName, jobSpec, labels, planPath, runAs } from './job-spec.ts'
import { placeTables } from './placement.ts'
import type { Placement } from './placement.ts'
import { pipelineCluster } from './profile.ts'
import type { Compute } from './profile.ts'
import { KEY_MARK, MARK } from './resource.ts'
import type { Flag, Resource } from './resource.ts'
import { chooseWriter } from './writer-choice.ts'

/** A file that goes along: a notebook or a part of the library. */
export type SourceFile = {
  /** Below notebooks/: `source_to_raw.py`, `lakeforge/plan.py`. */
  path: string
  /** Of its text without newlines at the end. */
  sha256: string
  /** It begins as a notebook does: it is imported as one, and loses its ending. */
  notebook: boolean
}

export const NOTEBOOK_HEADER = '# Databricks notebook source'

/** What the tasks of jobs and the pipelines run. */
const NEEDED = [
  'source_to_raw.py',
  'raw_to_bronze.py',
  'silver_gold_tasks.py',
  'silver_gold_pipeline.py',
]

export type GroupInput = {
  group: Group
  schedule: Schedule | null
  compute: Compute
  plan: Plan
  plan_hash: string
  /** Table -> the writer that its config asks for. */
  writers: Record<string, 'pipeline' | 'lakeforge' | null>
}

export type SpecInput = {
  environment: Pick<
    Environment,
    'id' | 'name' | 'catalog' | 'prefix' | 'root' | 'run_as' | 'schedules_paused'
  >
  groups: GroupInput[]
  labels: TableLabels[]
  placement: Placement[]
  files: SourceFile[]
}

export type Specs = {
  resources: Resource[]
  placement: Placement[]
  flags: Flag[]
  /** Groups with a flag that stops them: what they have in the workspace stays as it is. */
  held: string[]
}

/** Where an environment's things lie in the workspace. */
export function workspaceFolder(environment: { name: string }): string {
  return `/Workspace/Shared/lakeforge/${environment.name}`
}

/** @throws nothing: what can't be made is a flag with level `stop`, and its group is left out */
export function buildSpecs(input: SpecInput): Specs {
  const { environment } = input
  const folder = workspaceFolder(environment)
  const catalog = (environment.catalog ?? 'main').toLowerCase()
  const ops_schema = `${environment.prefix}lakeforge`
  const mark = { [MARK]: environment.id }
  const flags: Flag[] = []
  const held: string[] = []
  const placement: Placement[] = []
  const resources: Resource[] = []
  const schemas = new Set([ops_schema])
  const missing = NEEDED.filter((path) => !input.files.some((file) => file.path === path))

  const folders = new Set(['', 'notebooks', 'pipelines', 'plans'])
  for (const file of input.files) {
    const parts = file.path.split('/').slice(0, -1)
    for (let n = 1; n <= parts.length; n++) folders.add(`notebooks/${parts.slice(0, n).join('/')}`)
  }
  for (const path of [...folders].sort()) {
    const at = path === '' ? folder : `${folder}/${path}`
    resources.push({ kind: 'folder', key: path, name: at, spec: { path: at } })
  }
  for (const file of input.files) {
    const { notebook } = file
    const path = `${folder}/notebooks/${notebook ? file.path.slice(0, -3) : file.path}`
    resources.push({
      kind: 'file',
      key: `notebooks/${file.path}`,
      name: path,
      spec: { path, notebook, sha256: file.sha256 },
      content: { source: file.path },
    })
  }

  for (const each of [...input.groups].sort((a, b) => (a.group.name < b.group.name ? -1 : 1))) {
    const { group, plan, compute } = each
    if (plan.steps.length === 0) {
      flags.push({
        level: 'note',
        group: group.name,
        text: 'The group has no tables: it gets no job.',
      })
      continue
    }
    const writers = new Map<string, 'pipeline' | 'lakeforge'>()
    for (const step of plan.steps) {
      if (step.zone !== 'raw') schemas.add(`${environment.prefix}${step.target.split('.')[0]}`)
      if (step.zone !== 'silver' && step.zone !== 'gold') continue
      const wanted = each.writers[step.target] ?? null
      const { writer, reasons } = chooseWriter(step, wanted)
      writers.set(step.target, writer)
      if (wanted === 'pipeline')
        for (const reason of reasons)
          flags.push({
            level: 'warn',
            group: group.name,
            table: step.target,
            text: `As a pipeline it does not keep all: ${reason}.`,
          })
    }
    const placed = placeTables(
      plan,
      (target) => writers.get(target) ?? 'lakeforge',
      input.placement.filter((one) => one.job_key === group.name),
    )
    for (const one of placed) {
      const before = input.placement.find((known) => known.target === one.target)
      if (before && before.pipeline_key !== one.pipeline_key)
        flags.push({
          level: 'warn',
          group: group.name,
          table: one.target,
          text: 'It changes its writer: the first run reads everything again.',
        })
    }
    const tags = { ...mark, [KEY_MARK]: group.name }
    const job = jobSpec(plan, group, each.schedule, compute, placed, {
      folder,
      run_as: environment.run_as,
      paused: environment.schedules_paused,
      catalog,
      prefix: environment.prefix,
      root: environment.root,
      environment: environment.name,
      tags,
    })
    // A job whose notebooks are not there would fail by night
    if (missing.length > 0)
      job.flags.push({
        level: 'stop',
        group: group.name,
        text: `This installation has no ${missing.join(', ')}.`,
      })
    flags.push(...job.flags)
    if (job.flags.some((flag) => flag.level === 'stop')) {
      held.push(group.name)
      continue
    }
    placement.push(...placed)
    resources.push({
      kind: 'file',
      key: `plans/${group.name}.json`,
      name: planPath(folder, group.name),
      // The hash of a plan is that of its canonical JSON: that is what the file holds
      spec: { path: planPath(folder, group.name), notebook: false, sha256: each.plan_hash },
      content: { plan_hash: each.plan_hash },
    })
    for (const [key, members] of Map.groupBy(
      placed.filter((one) => one.pipeline_key !== null),
      (one) => one.pipeline_key!,
    )) {
      const path = `${folder}/pipelines/${key}.json`
      const targets = members.map((one) => one.target).sort()
      resources.push(
        {
          kind: 'file',
          key: `pipelines/${key}.json`,
          name: path,
          // A pipeline defines all that its plan holds: it gets its own part
          spec: { path, notebook: false, sha256: sha256(planText(plan, targets)) },
          content: { plan_hash: each.plan_hash, targets },
        },
        pipelineResource(key, each, environment, { folder, catalog, ops_schema, mark }),
      )
    }
    resources.push({
      kind: 'job',
      key: group.name,
      name: jobName(environment.name, group.name),
      spec: job.spec,
    })
  }

  const volume = /^\/Volumes\/([^/]+)\/([^/]+)\/([^/]+)/.exec(environment.root)
  if (volume && volume[1]!.toLowerCase() === catalog) schemas.add(volume[2]!.toLowerCase())
  for (const name of [...schemas].sort())
    resources.push({
      kind: 'schema',
      key: name,
      name: `${catalog}.${name}`,
      spec: {
        catalog_name: catalog,
        name,
        comment: 'Tables that LakeForge keeps.',
        properties: { [MARK]: environment.id },
      },
    })
  if (volume && volume[1]!.toLowerCase() === catalog)
    resources.push({
      kind: 'volume',
      key: `${volume[2]}.${volume[3]}`.toLowerCase(),
      name: `${catalog}.${volume[2]}.${volume[3]}`.toLowerCase(),
      spec: {
        catalog_name: catalog,
        schema_name: volume[2]!.toLowerCase(),
        name: volume[3]!.toLowerCase(),
        volume_type: 'MANAGED',
        comment: `Raw files and run state of LakeForge (${environment.id}).`,
      },
    })
  else if (!environment.root.startsWith('/Volumes/'))
    flags.push({
      level: 'note',
      group: '',
      text: `The root ${environment.root} is no volume of this catalog: it has to be there, and our principal must be able to write it.`,
    })

  for (const label of [...input.labels].sort((a, b) => (a.target < b.target ? -1 : 1))) {
    const spec = tableSpec(label, { catalog, prefix: environment.prefix, ops_schema })
    if (spec)
      resources.push({
        kind: 'table',
        key: label.target,
        name: spec.table,
        spec: spec as unknown as Record<string, unknown>,
      })
  }
  return { resources, placement, flags, held }
}

/** A plan as its file holds it: whole, or only the steps that write `targets`. */
export function planText(plan: Plan, targets?: readonly string[]): string {
  if (targets === undefined) return canonicalJson(plan)
  const wanted = new Set(targets)
  return canonicalJson({
    ...plan,
    steps: plan.steps.filter(
      (step) => (step.zone === 'silver' || step.zone === 'gold') && wanted.has(step.target),
    ),
  })
}

/** In hex, of a text as a workspace gives it back: without newlines at its end. */
export function sha256(text: string): string {
  return createHash('sha256')
    .update(text.replace(/[\r\n]+$/, ''))
    .digest('hex')
}

function pipelineResource(
  key: string,
  { group, compute }: GroupInput,
  environment: SpecInput['environment'],
  place: { folder: string; catalog: string; ops_schema: string; mark: Record<string, string> },
): Resource {
  const name = `lakeforge_${environment.name}_${key}`
  const owner = /^[^\s@]+@[^\s@]+$/.test(group.owner) ? [group.owner] : []
  const tags = { ...place.mark, [KEY_MARK]: key }
  return {
    kind: 'pipeline',
    key,
    name,
    spec: {
      name,
      catalog: place.catalog,
      schema: place.ops_schema,
      serverless: compute.mode === 'serverless',
      continuous: false,
      development: false,
      channel: 'CURRENT',
      edition: 'ADVANCED',
      ...(compute.mode === 'classic' && {
        photon: compute.photon,
        clusters: [pipelineCluster(compute, tags)],
      }),
      root_path: `${place.folder}/notebooks`,
      libraries: [{ notebook: { path: `${place.folder}/notebooks/silver_gold_pipeline` } }],
      configuration: {
        'lakeforge.environment_id': environment.id,
        'lakeforge.key': key,
        'lakeforge.environment': environment.name,
        'lakeforge.plan': `${place.folder}/pipelines/${key}.json`,
        'lakeforge.root': environment.root,
        'lakeforge.catalog': place.catalog,
        'lakeforge.prefix': environment.prefix,
      },
      event_log: { catalog: place.catalog, schema: place.ops_schema, name: `event_log_${key}` },
      tags: { ...tags, ...labels(group) },
      ...(owner.length > 0 && {
        notifications: [
          { email_recipients: owner, alerts: ['on-update-failure', 'on-flow-failure'] },
        ],
      }),
      ...(environment.run_as !== null && { run_as: runAs(environment.run_as) }),
    },
  }
}
