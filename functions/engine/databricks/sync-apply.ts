// Applying a stored plan: exactly its actions, in order, each noted before and after, so that whatever is cut short goes on where it
// was. The intent is written before a thing is made, its id after; what lies between is found again by name and mark.
import type { Environment } from '#core/environment.ts'
import { describeError, fail, LakeForgeError } from '#core/errors.ts'
import { uuidv7 } from '#core/id.ts'
import type { Plan } from '#core/plan.ts'
import type { Sql } from '#sql/db.ts'
import { adoptDrift } from './adopt.ts'
import { additions, canonical, differences, withFields } from './compare.ts'
import type { Live, OpenWorkspace, Write } from './live.ts'
import { planText } from './specs.ts'
import { hashOf, resolved } from './sync-plan.ts'
import type { Action } from './sync-plan.ts'

type Json = Record<string, unknown>

export type DriftDecision = 'overwrite' | 'ignore' | 'adopt'

export type ApplyRequest = {
  plan_id: string
  /** Ids of actions; what they need comes along. Absent: all. */
  only?: string[]
  /** Ids of actions that replace, delete or adopt: a person's word. */
  confirm?: string[]
  /** What becomes of changes made in the workspace, by action id. */
  drift?: Record<string, DriftDecision>
  /** Does what needs nobody's word, and leaves the rest. */
  unattended?: boolean
}

export type ApplyOptions = {
  actor: string
  /** Text of a notebook or library file by its path below notebooks/. */
  source: (path: string) => Promise<string>
  /** Stops between two actions after so long; the next call goes on. */
  budget_ms?: number
  onItem?: (action: Action, state: string) => void
}

export type ApplyAnswer = {
  state: 'done' | 'more' | 'failed'
  done: number
  failed: { id: string; code: string; message: string; hint: string }[]
  /** Not begun: nobody's word yet, or something that they need failed. */
  left: string[]
}

/** A holder that does not renew its hold within this time is taken for dead. */
const HOLD_MS = 60_000

/**
 * @throws not_found, sync_base_moved, sync_running, sync_not_confirmed, sync_action_unknown; what goes wrong with a single action
 *   is in the answer
 */
export async function applySync(
  sql: Sql,
  workspace: OpenWorkspace,
  environment: Environment,
  request: ApplyRequest,
  options: ApplyOptions,
): Promise<ApplyAnswer> {
  const plan = await storedPlan(sql, request.plan_id)
  if (plan.environment_id !== environment.id)
    fail('not_found', { kind: 'sync plan', name: request.plan_id })
  const actions = plan.actions
  const chosen = choose(actions, request)
  const holder = await takeLock(sql, environment)
  try {
    await begin(sql, environment, plan, options.actor)
    workspace.fresh()
    return await work(
      sql,
      workspace,
      environment,
      plan.id,
      actions,
      chosen,
      request,
      options,
      holder,
    )
  } finally {
    await sql`
      update config.sync_lock set holder = null, held_until = null
      where environment_id = ${environment.id} and holder = ${holder}
    `
  }
}

type StoredPlan = {
  id: string
  environment_id: string
  metadata_version: string
  base_serial: string
  state: string
  actions: Action[]
  placement: { target: string; job_key: string; pipeline_key: string | null }[]
}

async function storedPlan(sql: Sql, id: string): Promise<StoredPlan> {
  const [found] = await sql<StoredPlan[]>`
    select id, environment_id, metadata_version::text, base_serial::text, state, actions, placement
    from config.sync_plan where id = ${id}
  `
  return found ?? fail('not_found', { kind: 'sync plan', name: id })
}

/** The positions to work on, what they need included. */
function choose(actions: Action[], request: ApplyRequest): Set<number> {
  const position = new Map(actions.map((each, index) => [each.id, index]))
  for (const id of [
    ...(request.only ?? []),
    ...(request.confirm ?? []),
    ...Object.keys(request.drift ?? {}),
  ])
    if (!position.has(id)) fail('sync_action_unknown', { name: id.slice(0, 200) })
  const confirmed = (action: Action) =>
    !action.confirm ||
    (action.drift.length > 0 && !['replace', 'delete', 'adopt'].includes(action.do)
      ? action.id in (request.drift ?? {})
      : (request.confirm ?? []).includes(action.id))
  const chosen = new Set<number>()
  const take = (id: string) => {
    const at = position.get(id)!
    if (chosen.has(at)) return
    chosen.add(at)
    for (const need of actions[at]!.needs) take(need)
  }
  if (request.only) for (const id of request.only) take(id)
  else actions.forEach((_each, at) => chosen.add(at))
  const able = (action: Action) => action.do !== 'wait' && action.do !== 'conflict'
  const silent = [...chosen]
    .map((at) => actions[at]!)
    .filter((each) => able(each) && !confirmed(each))
  // Asked for by name: then it must be confirmed. Else what needs a word stays behind
  if (!request.unattended && silent.length > 0)
    fail('sync_not_confirmed', {
      count: silent.length,
      names: silent
        .slice(0, 10)
        .map((each) => each.id)
        .join(', '),
    })
  return new Set([...chosen].filter((at) => able(actions[at]!) && confirmed(actions[at]!)))
}

/** One sync an environment; a dead one's hold ends by itself. */
async function takeLock(sql: Sql, environment: Environment): Promise<string> {
  const holder = uuidv7()
  await sql`insert into config.sync_lock (environment_id) values (${environment.id}) on conflict do nothing`
  const [mine] = await sql`
    update config.sync_lock set holder = ${holder}, held_until = now() + make_interval(secs => ${HOLD_MS / 1000})
    where environment_id = ${environment.id} and (holder is null or held_until < now())
    returning 1
  `
  if (!mine) fail('sync_running', { environment: environment.name })
  return holder
}

async function renewLock(sql: Sql, environment: Environment, holder: string): Promise<void> {
  const [mine] = await sql`
    update config.sync_lock set held_until = now() + make_interval(secs => ${HOLD_MS / 1000})
    where environment_id = ${environment.id} and holder = ${holder}
    returning 1
  `
  if (!mine) fail('sync_running', { environment: environment.name })
}

/** A plan is begun while nothing has moved since it was made; the one begun last may go on. */
async function begin(
  sql: Sql,
  environment: Environment,
  plan: StoredPlan,
  actor: string,
): Promise<void> {
  await sql.begin(async (tx) => {
    const [lock] = await tx<{ serial: string; plan_id: string | null }[]>`
      select serial::text, plan_id from config.sync_lock where environment_id = ${environment.id} for update
    `
    if (lock!.plan_id === plan.id) return
    if (lock!.serial !== plan.base_serial)
      fail('sync_base_moved', { what: 'another plan was applied' })
    const [metadata] = await tx<
      { value: string }[]
    >`select value::text from config.metadata_version`
    if (metadata!.value !== plan.metadata_version)
      fail('sync_base_moved', { what: 'the metadata was changed' })
    await tx`select set_config('lakeforge.actor', ${actor}, true)`
    await tx`update config.sync_lock set serial = serial + 1, plan_id = ${plan.id} where environment_id = ${environment.id}`
    await tx`update config.sync_plan set state = 'replaced' where environment_id = ${environment.id} and id <> ${plan.id} and state in ('planned', 'applying')`
    await tx`update config.sync_plan set state = 'applying' where id = ${plan.id}`
    // Where a table lives is settled from now on
    await tx`
      insert into config.placement (environment_id, target, job_key, pipeline_key)
      select ${environment.id}, p.target, p.job_key, p.pipeline_key
      from jsonb_to_recordset(${JSON.stringify(plan.placement)}::jsonb) as p (target text, job_key text, pipeline_key text)
      on conflict (environment_id, target) do update set job_key = excluded.job_key, pipeline_key = excluded.pipeline_key
      where (placement.job_key, placement.pipeline_key) is distinct from (excluded.job_key, excluded.pipeline_key)
    `
  })
}

async function work(
  sql: Sql,
  workspace: OpenWorkspace,
  environment: Environment,
  plan_id: string,
  actions: Action[],
  chosen: Set<number>,
  request: ApplyRequest,
  options: ApplyOptions,
  holder: string,
): Promise<ApplyAnswer> {
  const items = await sql<{ position: number; state: string }[]>`
    select position, state from config.sync_item where plan_id = ${plan_id} order by position
  `
  const state = items.map((each) => each.state)
  const until = performance.now() + (options.budget_ms ?? Number.POSITIVE_INFINITY)
  const failed: ApplyAnswer['failed'] = []
  const byId = new Map(actions.map((each, at) => [each.id, at]))
  let renewed = performance.now()
  const memory = await readMemory(sql, environment)
  for (const [at, action] of actions.entries()) {
    if (!chosen.has(at) || state[at] === 'succeeded') continue
    if (performance.now() > until) {
      return {
        state: 'more',
        done: state.filter((each) => each === 'succeeded').length,
        failed,
        left: actions.filter((_each, index) => state[index] !== 'succeeded').map((each) => each.id),
      }
    }
    if (performance.now() - renewed > HOLD_MS / 6) {
      await renewLock(sql, environment, holder)
      renewed = performance.now()
    }
    const missing = action.needs.find((id) => state[byId.get(id)!] !== 'succeeded')
    if (missing !== undefined) {
      state[at] = 'skipped'
      await sql`
        update config.sync_item set state = 'skipped', error_message = ${`It needs ${missing}.`}, finished_at = now()
        where plan_id = ${plan_id} and position = ${at}
      `
      options.onItem?.(action, 'skipped')
      continue
    }
    const started_at = new Date()
    try {
      await perform(
        sql,
        memory,
        workspace,
        environment,
        action,
        request.drift?.[action.id] ?? null,
        options,
      )
      state[at] = 'succeeded'
      await sql`update config.sync_item set state = 'succeeded', started_at = ${started_at}, finished_at = now(), error_code = null, error_message = null, error_hint = null where plan_id = ${plan_id} and position = ${at}`
    } catch (error) {
      const { code, message, hint } = describeError(error)
      if (!(error instanceof LakeForgeError)) console.error(error)
      state[at] = 'failed'
      failed.push({ id: action.id, code, message, hint })
      await sql`
        update config.sync_item set state = 'failed', started_at = ${started_at}, finished_at = now(), error_code = ${code}, error_message = ${message}, error_hint = ${hint}
        where plan_id = ${plan_id} and position = ${at}
      `
      // Without a login nothing else will succeed either
      if (code === 'workspace_unauthenticated' || code === 'workspace_login_failed') break
    }
    options.onItem?.(action, state[at])
  }
  if (state.every((each) => each === 'succeeded'))
    await sql`update config.sync_plan set state = 'done' where id = ${plan_id}`
  return {
    state: failed.length > 0 ? 'failed' : 'done',
    done: state.filter((each) => each === 'succeeded').length,
    failed,
    left: actions
      .filter((_each, at) => state[at] !== 'succeeded' && state[at] !== 'failed')
      .map((each) => each.id),
  }
}

type Row = { id: string; remote_id: string | null; applied: Json | null; meta: Json; ignored: Json }

/** What is remembered of things, by `kind:key`: read once, kept in step with what is written. */
type Memory = Map<string, Row>

async function readMemory(sql: Sql, environment: Environment): Promise<Memory> {
  const rows = await sql<Row[]>`
    select kind || ':' || key as id, remote_id, applied, meta, ignored from config.resource
    where environment_id = ${environment.id} and state <> 'gone'
  `
  return new Map(rows.map((row) => [row.id, row]))
}

async function perform(
  sql: Sql,
  memory: Memory,
  workspace: OpenWorkspace,
  environment: Environment,
  action: Action,
  decision: DriftDecision | null,
  options: ApplyOptions,
): Promise<void> {
  const door = workspace.doors[action.kind]
  const row = memory.get(action.id)
  const known = {
    remote_id: row?.remote_id ?? action.remote_id,
    applied: row?.applied ?? null,
    meta: row?.meta ?? {},
  }
  let spec = canonical(
    action.kind,
    resolved(action.spec, (id) => memory.get(id)?.remote_id ?? null),
  )
  const remember = async (what: Remembered) => {
    await writeRow(sql, environment, action, what)
    if (what.state === 'gone') memory.delete(action.id)
    else
      memory.set(action.id, {
        meta: {},
        ignored: {},
        ...memory.get(action.id),
        id: action.id,
        ...what,
      })
  }
  const text = () => textOf(sql, action, options)
  const write = (): Write => ({ spec, text, known })
  workspace.fresh()

  if (action.do === 'forget') return remember({ state: 'gone', remote_id: null, applied: null })
  if (action.do === 'delete') {
    const live = await door.read(action.key, action.spec, known)
    if (live !== null) {
      ours(action, live, environment, known.remote_id)
      unmoved(action, live)
      await remember({
        state: 'deleting',
        remote_id: live.remote_id,
        applied: row?.applied ?? null,
      })
      await door.remove(live.remote_id, action.spec)
    }
    return remember({ state: 'gone', remote_id: null, applied: null })
  }

  let live = await door.read(action.key, spec, known)
  // A former attempt may have made it without hearing of it
  if (live === null && known.remote_id === null) {
    const mine = (await door.find(action.key, spec)).filter(
      (each) =>
        (each.mark === environment.id && (each.key === null || each.key === action.key)) ||
        (action.do === 'adopt' && each.remote_id === action.remote_id),
    )
    if (mine.length > 1) fail('sync_ambiguous', { count: mine.length, name: action.name })
    live = mine[0] ?? null
  }

  if (
    action.do === 'drift' ||
    (action.drift.length > 0 && decision !== null && decision !== 'overwrite')
  ) {
    if (live === null) fail('sync_item_moved', { name: action.name })
    if (decision === 'adopt') await adoptDrift(sql, action, options.actor)
    if (decision === 'ignore' || decision === 'adopt') {
      const left = Object.fromEntries(action.drift.map((each) => [each.path, each.before ?? null]))
      spec = withFields(spec, left)
      if (action.do === 'drift' || differences(action.kind, spec, live.spec).length === 0)
        return remember({
          state: 'present',
          remote_id: live.remote_id,
          applied: spec,
          meta: metaOf(action, spec, live),
          ...(decision === 'ignore' && { ignored: { ...row?.ignored, ...left } }),
        })
      if (decision === 'ignore')
        await remember({
          state: 'present',
          remote_id: live.remote_id,
          applied: row?.applied ?? null,
          ignored: { ...row?.ignored, ...left },
        })
    }
  }

  if (action.do === 'replace' && live !== null && live.remote_id === action.remote_id) {
    ours(action, live, environment, known.remote_id)
    unmoved(action, live)
    await remember({
      state: 'deleting',
      remote_id: live.remote_id,
      applied: row?.applied ?? null,
    })
    await door.remove(live.remote_id, spec)
    live = null
  }

  let remote_id: string
  if (live === null) {
    if (action.kind === 'table') return
    // The intent first: after a crash it says that what is found under this name with our mark is this
    await remember({ state: 'creating', remote_id: null, applied: null })
    remote_id = await create(door, action, environment, write())
  } else {
    remote_id = live.remote_id
    const pending = differences(action.kind, spec, live.spec, (row?.meta.observed ?? {}) as Json)
    if (pending.length > 0) {
      // What the plan showed is what is overwritten; a new thing that a former attempt left half made has no before
      if (action.do !== 'create') unmoved(action, live)
      await door.update(remote_id, write(), live)
    }
  }
  workspace.fresh()
  const after = await door.read(action.key, spec, { remote_id, applied: spec, meta: {} })
  await remember({
    state: 'present',
    remote_id,
    applied: spec,
    meta: after === null ? {} : metaOf(action, spec, after),
  })
}

/** Made once: where nobody knows whether it was, it is looked for. */
async function create(
  door: OpenWorkspace['doors']['job'],
  action: Action,
  environment: Environment,
  write: Write,
): Promise<string> {
  try {
    return await door.create(write)
  } catch (error) {
    if (
      !(error instanceof LakeForgeError) ||
      !['workspace_outcome_unknown', 'workspace_conflict'].includes(error.code)
    )
      throw error
    const mine = (await door.find(action.key, write.spec)).filter(
      (each) => each.mark === environment.id,
    )
    if (mine.length !== 1) throw error
    return mine[0]!.remote_id
  }
}

/** Only what we stored and what carries our mark is taken away. */
function ours(
  action: Action,
  live: Live,
  environment: Environment,
  remote_id: string | null,
): void {
  const marked = action.kind === 'folder' || action.kind === 'file' || live.mark === environment.id
  if (!marked || live.remote_id !== remote_id) fail('sync_item_moved', { name: action.name })
}

function unmoved(action: Action, live: Live): void {
  if (action.live_hash !== null && hashOf(live.spec) !== action.live_hash)
    fail('sync_item_moved', { name: action.name })
}

function metaOf(action: Action, spec: Json, live: Live): Json {
  return {
    observed: additions(action.kind, spec, live.spec),
    ...(live.modified_at !== null && { modified_at: live.modified_at }),
  }
}

type Remembered = {
  state: string
  remote_id: string | null
  applied: Json | null
  meta?: Json
  ignored?: Json
}

async function writeRow(
  sql: Sql,
  environment: Environment,
  action: Action,
  what: Remembered,
): Promise<void> {
  const hash = what.applied === null ? '' : hashOf(what.applied)
  await sql`
    insert into config.resource ${sql({
      id: uuidv7(),
      environment_id: environment.id,
      kind: action.kind,
      key: action.key,
      name: action.name,
      remote_id: what.remote_id,
      desired_hash: hash,
      applied: what.applied === null ? null : JSON.stringify(what.applied),
      state: what.state,
      meta: JSON.stringify(what.meta ?? {}),
      ignored: JSON.stringify(what.ignored ?? {}),
    })}
    on conflict (environment_id, kind, key) do update set
      name = excluded.name,
      remote_id = excluded.remote_id,
      desired_hash = excluded.desired_hash,
      applied = excluded.applied,
      state = excluded.state,
      meta = ${what.meta === undefined ? sql`resource.meta` : sql`excluded.meta`},
      ignored = ${what.state === 'gone' ? sql`'{}'::jsonb` : what.ignored === undefined ? sql`resource.ignored` : sql`excluded.ignored`},
      updated_at = now()
  `
}

async function textOf(sql: Sql, action: Action, options: ApplyOptions): Promise<string> {
  const content = action.content ?? fail('internal')
  if ('source' in content) return options.source(content.source)
  const [found] = await sql<
    { plan: Plan }[]
  >`select plan from config.plan where hash = ${content.plan_hash}`
  return found
    ? planText(found.plan, content.targets)
    : fail('not_found', { kind: 'plan', name: content.plan_hash })
}
