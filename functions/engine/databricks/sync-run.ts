// A sync as callers see it: planned, applied in parts as long as they may take, logged. The same for the API, the CLI and a timer.
import type { Environment } from '#core/environment.ts'
import { describeError, fail } from '#core/errors.ts'
import { uuidv7 } from '#core/id.ts'
import type { Sql } from '#sql/db.ts'
import { claimDue } from '../sync-jobs.ts'
import type { Claimed } from '../sync-jobs.ts'
import type { Client } from './client.ts'
import { openWorkspace } from './live.ts'
import type { OpenWorkspace } from './live.ts'
import type { SourceFile } from './specs.ts'
import { applySync } from './sync-apply.ts'
import type { ApplyAnswer, ApplyRequest } from './sync-apply.ts'
import { loadEnvironment } from './sync-input.ts'
import { planSync } from './sync-plan.ts'
import type { SyncPlan } from './sync-plan.ts'

/** What a host can do for syncs: log in to workspaces, and read the notebooks that go there. */
export type WorkspaceDoor = {
  /** @throws workspace_credentials_missing, workspace_host_invalid */
  client(host: string): Promise<Client>
  /** For what Unity Catalog is told in SQL; null: any that may be used. */
  warehouse_id: string | null
  files(): Promise<SourceFile[]>
  source(path: string): Promise<string>
}

export type SyncRun = {
  id: string
  environment: string
  plan_id: string | null
  state: string
  reason: string | null
  actions_planned: number
  actions_done: number
  batches_started: number
  report: (ApplyAnswer & { claimed?: Claimed }) | null
  error_code: string | null
  error_message: string | null
  error_hint: string | null
  created_at: Date
  finished_at: Date | null
}

export type Trigger = 'manual' | 'schedule' | 'workspace'

export async function planFor(
  sql: Sql,
  door: WorkspaceDoor,
  name: string | null,
  actor: string,
): Promise<SyncPlan> {
  const environment = await loadEnvironment(sql, name)
  return planSync(sql, await workspaceOf(door, environment), environment, {
    files: await door.files(),
    actor,
  })
}

async function workspaceOf(door: WorkspaceDoor, environment: Environment): Promise<OpenWorkspace> {
  const client = await door.client(
    environment.host ?? fail('sync_needs_databricks', { name: environment.name }),
  )
  return openWorkspace(client, {
    environment_id: environment.id,
    warehouse_id: door.warehouse_id,
    catalog: environment.catalog ?? 'main',
  })
}

/** Begins to apply a stored plan, for `budget_ms`; `continueSync` goes on. */
export async function startSync(
  sql: Sql,
  door: WorkspaceDoor,
  request: ApplyRequest,
  options: { actor: string; trigger: Trigger; budget_ms?: number },
): Promise<SyncRun> {
  const [plan] = await sql<{ environment: string; environment_id: string; actions: number }[]>`
    select e.name as environment, e.id as environment_id, jsonb_array_length(p.actions) as actions
    from config.sync_plan p join config.environment e on e.id = p.environment_id
    where p.id = ${request.plan_id}
  `
  if (!plan) fail('not_found', { kind: 'sync plan', name: request.plan_id })
  const id = uuidv7()
  await sql`
    insert into logging.sync_run ${sql({
      id,
      environment_id: plan.environment_id,
      environment: plan.environment,
      sync_plan_id: request.plan_id,
      state: 'running',
      trigger: options.trigger,
      requested_by: options.actor,
      actions_planned: plan.actions,
      cursor: JSON.stringify(request),
      started_at: new Date(),
    })}
  `
  return continueSync(sql, door, id, options)
}

/** Goes on with a sync that was not finished; one that is answers what it was. @throws not_found */
export async function continueSync(
  sql: Sql,
  door: WorkspaceDoor,
  id: string,
  options: { budget_ms?: number } = {},
): Promise<SyncRun> {
  const [run] = await sql<
    { environment: string; state: string; cursor: ApplyRequest | null; requested_by: string }[]
  >`
    select environment, state, cursor, requested_by from logging.sync_run where id = ${id}
  `
  if (!run) fail('not_found', { kind: 'sync', name: id })
  if (run.state !== 'running' || run.cursor === null) return syncRun(sql, id)
  try {
    const environment = await loadEnvironment(sql, run.environment)
    const answer = await applySync(
      sql,
      await workspaceOf(door, environment),
      environment,
      run.cursor,
      {
        actor: run.requested_by,
        source: (path) => door.source(path),
        ...(options.budget_ms !== undefined && { budget_ms: options.budget_ms }),
      },
    )
    const first = answer.failed[0]
    await sql`
      update logging.sync_run set
        state = ${answer.state === 'more' ? 'running' : answer.state === 'failed' ? 'failed' : 'succeeded'},
        actions_done = ${answer.done},
        report = ${JSON.stringify(answer)}::jsonb,
        error_code = ${first?.code ?? null},
        error_message = ${first ? `${first.id}: ${first.message}` : null},
        error_hint = ${first?.hint ?? null},
        finished_at = ${answer.state === 'more' ? null : sql`now()`}
      where id = ${id} and state = 'running'
    `
  } catch (error) {
    const { code, message, hint } = describeError(error)
    await sql`
      update logging.sync_run set state = 'failed', error_code = ${code}, error_message = ${message}, error_hint = ${hint}, finished_at = now()
      where id = ${id} and state = 'running'
    `
    throw error
  }
  return syncRun(sql, id)
}

/** @throws not_found */
export async function syncRun(sql: Sql, id: string): Promise<SyncRun> {
  const [run] = await sql<SyncRun[]>`
    select id, environment, sync_plan_id as plan_id, state, reason, actions_planned, actions_done, batches_started, report,
      error_code, error_message, error_hint, created_at, finished_at
    from logging.sync_run where id = ${id}
  `
  return run ?? fail('not_found', { kind: 'sync', name: id })
}

/**
 * One round of SyncJobs: starts what is due, goes on with what was cut short, and brings every workspace up to date as far as that
 * needs nobody's word: nothing is replaced, deleted, adopted or taken back. Safe to call twice at once.
 */
export async function syncJobs(
  sql: Sql,
  door: WorkspaceDoor | null,
  options: { actor: string; trigger: Trigger; budget_ms?: number },
): Promise<{ claimed: Claimed; syncs: SyncRun[] }> {
  const claimed = await claimDue(sql, { by: options.actor })
  const syncs: SyncRun[] = []
  if (door === null) return { claimed, syncs }
  const environments = await sql<{ id: string; name: string }[]>`
    select id, name from config.environment where engine = 'databricks' and host is not null order by name
  `
  for (const { id: environment_id, name } of environments) {
    try {
      const [open] = await sql<{ id: string }[]>`
        select id from logging.sync_run
        where environment_id = ${environment_id} and state = 'running' and cursor is not null
        order by id limit 1
      `
      if (open) {
        const gone = await continueSync(sql, door, open.id, options)
        syncs.push(gone)
        if (gone.state === 'running') continue
      }
      const plan = await planFor(sql, door, name, options.actor)
      if (
        plan.actions.some((each) => !each.confirm && each.do !== 'wait' && each.do !== 'conflict')
      )
        syncs.push(await startSync(sql, door, { plan_id: plan.id, unattended: true }, options))
    } catch (error) {
      const { code, message, hint } = describeError(error)
      // Somebody else is at it: nothing went wrong
      const state = code === 'sync_running' || code === 'sync_base_moved' ? 'skipped' : 'failed'
      const id = uuidv7()
      await sql`
        insert into logging.sync_run ${sql({ id, environment_id, environment: name, state, trigger: options.trigger, requested_by: options.actor, error_code: code, error_message: message, error_hint: hint, finished_at: new Date() })}
      `
      syncs.push(await syncRun(sql, id))
    }
  }
  return { claimed, syncs }
}
