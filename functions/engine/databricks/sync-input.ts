// What a sync needs of the store, read in one snapshot: every group with its plan, schedule and compute, what is said of tables,
// where they live, and what former syncs have made.
import { indexMetadata } from '#core/build-plan.ts'
import type { ComputeProfile } from '#core/compute-profile.ts'
import type { Environment } from '#core/environment.ts'
import { describeError, fail } from '#core/errors.ts'
import type { Group } from '#core/group.ts'
import type { Schedule } from '#core/schedule.ts'
import type { Sql } from '#sql/db.ts'
import { loadMetadata, planFrom } from '../metadata.ts'
import type { Planned } from '../metadata.ts'
import type { TableLabels } from './catalog-spec.ts'
import type { Placement } from './placement.ts'
import { resolveProfile } from './profile.ts'
import type { Flag, Kind } from './resource.ts'
import type { GroupInput, SourceFile, SpecInput } from './specs.ts'

export type ResourceRow = {
  id: string
  kind: Kind
  key: string
  name: string
  remote_id: string | null
  applied: Record<string, unknown> | null
  state: 'creating' | 'present' | 'deleting' | 'gone' | 'drifted'
  meta: Record<string, unknown>
  ignored: Record<string, unknown>
}

export type SyncInput = SpecInput & {
  environment: Environment
  metadata_version: string
  plans: Map<string, Planned>
  /** Groups that can't be planned. */
  flags: Flag[]
  rows: ResourceRow[]
}

/** @throws environment_unknown, sync_needs_databricks */
export async function loadEnvironment(sql: Sql, name: string | null): Promise<Environment> {
  const [found] = await sql<Environment[]>`
    select * from config.environment where ${
      name === null
        ? sql`engine = 'databricks' order by is_default desc, name limit 1`
        : sql`name = ${name}`
    }
  `
  const environment = found ?? fail('environment_unknown', { name: name ?? 'databricks' })
  if (environment.engine !== 'databricks') fail('sync_needs_databricks', { name: environment.name })
  return environment
}

export async function loadSyncInput(
  sql: Sql,
  environment: Environment,
  files: SourceFile[],
): Promise<SyncInput> {
  const ids = await sql<{ id: string }[]>`select id from config.source_group order by name`
  const metadata = await loadMetadata(
    sql,
    ids.map(({ id }) => id),
  )
  const schedules = new Map(
    (await sql<Schedule[]>`select * from config.schedule`).map((each) => [each.id, each]),
  )
  const profiles = new Map(
    (await sql<ComputeProfile[]>`select * from config.compute_profile`).map((each) => [
      each.id,
      each,
    ]),
  )
  const placement = await sql<Placement[]>`
    select target, job_key, pipeline_key from config.placement
    where environment_id = ${environment.id} order by target
  `
  const rows = await sql<ResourceRow[]>`
    select id, kind, key, name, remote_id, applied, state, meta, ignored from config.resource
    where environment_id = ${environment.id} and state <> 'gone' order by kind, key
  `
  const index = indexMetadata(metadata)
  const writers = new Map(
    [...metadata.silver_configs, ...metadata.gold_configs].map((each) => [
      each.target,
      each.writer ?? null,
    ]),
  )
  const groups: GroupInput[] = []
  const plans = new Map<string, Planned>()
  const flags: Flag[] = []
  for (const group of metadata.groups as Group[]) {
    try {
      const planned = await planFrom(index, metadata.version, group.id)
      plans.set(planned.hash, planned)
      groups.push({
        group,
        schedule: group.schedule_id === null ? null : (schedules.get(group.schedule_id) ?? null),
        compute: resolveProfile(profiles, group.compute_profile_id),
        plan: planned.plan,
        plan_hash: planned.hash,
        writers: Object.fromEntries(
          planned.plan.steps.flatMap((step) =>
            step.zone === 'silver' || step.zone === 'gold'
              ? [[step.target, writers.get(step.target) ?? null]]
              : [],
          ),
        ),
      })
    } catch (error) {
      flags.push({ level: 'stop', group: group.name, text: describeError(error).message })
    }
  }
  const groupOf = new Map<string, string>()
  for (const { group, plan } of groups)
    for (const step of plan.steps) if (step.zone !== 'raw') groupOf.set(step.target, group.name)
  const labels = new Map<string, TableLabels>()
  for (const each of [
    ...metadata.bronze_configs,
    ...metadata.silver_configs,
    ...metadata.gold_configs,
  ]) {
    const group = groupOf.get(each.target)
    if (group === undefined || labels.has(each.target)) continue
    labels.set(each.target, {
      group,
      target: each.target,
      description: each.description,
      owner: each.owner,
      tags: each.tags,
      column_policies: each.column_policies,
      row_filter: each.row_filter,
      grants: each.grants,
      columns: index.columns.get(each.target) ?? [],
    })
  }
  return {
    environment,
    groups,
    labels: [...labels.values()],
    placement: [...placement],
    files,
    metadata_version: metadata.version,
    plans,
    flags,
    rows: [...rows],
  }
}
