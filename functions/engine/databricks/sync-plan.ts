// Planning a sync: what would be done to the workspace, why, and what that does to data. Nothing is written over there.
import { createHash } from 'node:crypto'
import type { Environment } from '#core/environment.ts'
import { uuidv7 } from '#core/id.ts'
import { canonicalJson } from '#core/plan.ts'
import type { Sql } from '#sql/db.ts'
import { keepPlan } from '../metadata.ts'
import { canonical, threeWay, withFields } from './compare.ts'
import type { Difference } from './compare.ts'
import { estimate } from './cost.ts'
import type { Cost } from './cost.ts'
import type { Live, OpenWorkspace } from './live.ts'
import { KINDS, REFERENCE } from './resource.ts'
import type { Content, Flag, Kind, Resource } from './resource.ts'
import { buildSpecs } from './specs.ts'
import type { SourceFile } from './specs.ts'
import { loadSyncInput } from './sync-input.ts'
import type { ResourceRow } from './sync-input.ts'

type Json = Record<string, unknown>

export type Doing =
  /** What a person need not look at: it is made or brought up to date. `record`: it is there already, we only note its id. */
  | 'create'
  | 'update'
  | 'record'
  /** What waits for a person's word, by name. */
  | 'replace'
  | 'delete'
  | 'adopt'
  | 'drift'
  /** What nobody can do now: the table is not there yet; the name is taken more than once. */
  | 'wait'
  | 'conflict'
  /** It is gone over there and wanted by nobody: we forget it. */
  | 'forget'

export type Action = {
  /** `job:sales`: how a person names it. */
  id: string
  kind: Kind
  key: string
  name: string
  do: Doing
  reason: string
  /** It is only done with this action's id in `confirm`; drift with a decision. */
  confirm: boolean
  changes: Difference[]
  /** What was changed in the workspace since we were there. */
  drift: Difference[]
  drift_at: string | null
  /** Tables whose data it touches, with what is known of them. */
  blast: { tables: string[]; rows: number; bytes: number; text: string } | null
  /** Canonical; references to what is not there yet stand as `${pipeline:key}`. */
  spec: Json
  content: Content | null
  remote_id: string | null
  /** Of the live spec that this was planned against; null: nothing was there. */
  live_hash: string | null
  /** Ids of actions of this plan that come first. */
  needs: string[]
}

export type SyncPlan = {
  id: string
  environment: string
  environment_id: string
  metadata_version: string
  base_hash: string
  created_at: string
  actions: Action[]
  flags: Flag[]
  cost: Cost[]
  /** Things that are as they should be. */
  unchanged: number
}

/** Changes that no update can make. */
const REPLACED_BY: Partial<Record<Kind, RegExp>> = {
  pipeline:
    /^(storage|ingestion_definition\.(connection_name|ingestion_gateway_id)|gateway_definition(\..*)?)$/,
}
/** How many requests at once. */
const AT_ONCE = 8

/**
 * Plans the sync of one environment and stores the plan; a plan without actions is not stored twice, but always answered.
 * @throws what the workspace says; environment and login faults
 */
export async function planSync(
  sql: Sql,
  workspace: OpenWorkspace,
  environment: Environment,
  options: { files: SourceFile[]; actor: string },
): Promise<SyncPlan> {
  workspace.fresh()
  const [lock] = await sql<
    { serial: string }[]
  >`select serial::text from config.sync_lock where environment_id = ${environment.id}`
  const input = await loadSyncInput(sql, environment, options.files)
  const specs = buildSpecs(input)
  const held = new Set([...specs.held, ...input.flags.map((flag) => flag.group)])
  const rows = new Map(input.rows.map((row) => [`${row.kind}:${row.key}`, row]))
  const wanted = new Map(specs.resources.map((each) => [`${each.kind}:${each.key}`, each]))
  const blast = await blastRadius(sql, environment.id)

  const actions: Action[] = []
  let unchanged = 0
  const replaced = new Set<string>()
  for (const kind of KINDS) {
    const found = await eachAtOnce(
      specs.resources.filter((each) => each.kind === kind),
      async (resource) => {
        const row = rows.get(`${resource.kind}:${resource.key}`)
        return examine(
          workspace,
          environment.id,
          resource,
          row,
          (id) => (replaced.has(id) ? null : (rows.get(id)?.remote_id ?? null)),
          blast,
          input.placement,
        )
      },
    )
    for (const action of found) {
      if (action === null) unchanged++
      else {
        actions.push(action)
        // What refers to it gets its new id afterwards
        if (action.do === 'replace' || action.do === 'create') replaced.add(action.id)
        if (action.do === 'record' && action.remote_id !== null)
          rows.set(action.id, {
            ...(rows.get(action.id) ?? ({} as ResourceRow)),
            remote_id: action.remote_id,
          })
      }
    }
  }
  const pipelineGroup = new Map(input.placement.map((each) => [each.pipeline_key, each.job_key]))
  const isHeld = (row: ResourceRow) => {
    const group =
      row.kind === 'job'
        ? row.key
        : row.kind === 'pipeline'
          ? pipelineGroup.get(row.key)
          : /^(?:plans|pipelines)\/(.+)\.json$/.exec(row.key)?.[1]
    return group !== undefined && (held.has(group) || held.has(pipelineGroup.get(group) ?? ''))
  }
  const leftovers = input.rows.filter(
    (row) =>
      !wanted.has(`${row.kind}:${row.key}`) &&
      !isHeld(row) &&
      !(held.size > 0 && row.kind === 'table'),
  )
  const endings = await eachAtOnce(leftovers, (row) =>
    ending(workspace, environment.id, row, blast, input.placement),
  )
  // Last made, first gone
  actions.push(
    ...endings
      .filter((each) => each !== null)
      .sort((a, b) => KINDS.indexOf(b.kind) - KINDS.indexOf(a.kind) || b.key.length - a.key.length),
  )
  addNeeds(actions)

  const plan: SyncPlan = {
    id: uuidv7(),
    environment: environment.name,
    environment_id: environment.id,
    metadata_version: input.metadata_version,
    base_hash: hashOf([
      input.metadata_version,
      input.rows.map((row) => [row.kind, row.key, row.remote_id, row.applied, row.ignored]),
    ]),
    created_at: new Date().toISOString(),
    actions,
    flags: [...input.flags, ...specs.flags],
    cost: await estimate(sql, input.groups, environment.id),
    unchanged,
  }
  await store(
    sql,
    plan,
    specs.placement,
    lock?.serial ?? '0',
    options.actor,
    [...input.plans.values()].filter((planned) =>
      actions.some(
        (each) =>
          each.content !== null &&
          'plan_hash' in each.content &&
          each.content.plan_hash === planned.hash,
      ),
    ),
  )
  return plan
}

async function store(
  sql: Sql,
  plan: SyncPlan,
  placement: unknown,
  serial: string,
  actor: string,
  plans: Parameters<typeof keepPlan>[1][],
): Promise<void> {
  // A plan of thousands of actions is written in bulk
  await sql.begin(async (tx) => {
    for (const planned of plans) await keepPlan(tx, planned)
    await tx`
      insert into config.sync_plan ${tx({
        id: plan.id,
        environment_id: plan.environment_id,
        metadata_version: plan.metadata_version,
        base_hash: plan.base_hash,
        base_serial: serial,
        actions: JSON.stringify(plan.actions),
        flags: JSON.stringify(plan.flags),
        placement: JSON.stringify(placement),
        cost: JSON.stringify(plan.cost),
        unchanged: plan.unchanged,
        requested_by: actor,
        state: plan.actions.length === 0 ? 'done' : 'planned',
      })}
    `
    await tx`
      insert into config.sync_item (plan_id, position)
      select ${plan.id}, position from generate_series(0, ${plan.actions.length - 1}::int) position
    `
  })
}

export function hashOf(value: unknown): string {
  return createHash('sha256').update(canonicalJson(value)).digest('hex')
}

/** The action that brings one thing to what is wanted; null where it is so. */
async function examine(
  workspace: OpenWorkspace,
  environment_id: string,
  resource: Resource,
  row: ResourceRow | undefined,
  idOf: (id: string) => string | null,
  blast: Blast,
  placement: readonly { target: string; pipeline_key: string | null; job_key: string }[],
): Promise<Action | null> {
  const door = workspace.doors[resource.kind]
  const known = {
    remote_id: row?.remote_id ?? null,
    applied: row?.applied ?? null,
    meta: row?.meta ?? {},
  }
  const desired = withFields(
    canonical(resource.kind, resolved(resource.spec, idOf)),
    row?.ignored ?? {},
  )
  const action = (
    doing: Doing,
    reason: string,
    live: Live | null,
    more: Partial<Action> = {},
  ): Action => ({
    id: `${resource.kind}:${resource.key}`,
    kind: resource.kind,
    key: resource.key,
    name: resource.name,
    do: doing,
    reason,
    confirm: ['replace', 'delete', 'adopt', 'drift'].includes(doing),
    changes: [],
    drift: [],
    drift_at: null,
    blast: null,
    spec: desired,
    content: resource.content ?? null,
    remote_id: live?.remote_id ?? null,
    live_hash: live === null ? null : hashOf(live.spec),
    needs: [],
    ...more,
  })

  let live = await door.read(resource.key, desired, known)
  let ours = row !== undefined && live !== null
  // A schema that others made is used as it is
  const shared = resource.kind === 'schema' || resource.kind === 'volume'
  if (live !== null && shared && live.mark !== environment_id && !row?.remote_id) return null
  if (live === null) {
    // Made without our hearing of it, or somebody else's thing of that name
    const namesakes = await door.find(resource.key, desired)
    const mine = namesakes.filter(
      (each) => each.mark === environment_id && (each.key === null || each.key === resource.key),
    )
    if (mine.length > 1)
      return action(
        'conflict',
        `${mine.length} things of this name carry our mark: delete all but one in the workspace`,
        null,
      )
    if (mine.length === 1) {
      live = mine[0]!
      ours = true
    } else if (namesakes.length > 0) {
      return action(
        'adopt',
        `there is one of this name that LakeForge did not make${namesakes[0]!.creator ? `, by ${namesakes[0]!.creator}` : ''}`,
        namesakes[0]!,
        {
          changes: threeWay(resource.kind, desired, null, namesakes[0]!.spec, {}).ours,
        },
      )
    }
  }
  if (live === null) {
    if (resource.kind === 'table') return action('wait', 'the table is made by its first run', null)
    return action(
      'create',
      row === undefined || row.state === 'creating'
        ? 'it is not there yet'
        : 'it was deleted in the workspace',
      null,
    )
  }
  const observed = (row?.meta.observed ?? {}) as Json
  const sameThing =
    row !== undefined && (row.remote_id === null || row.remote_id === live.remote_id)
  const { ours: changes, drift } = threeWay(
    resource.kind,
    desired,
    sameThing ? (row?.applied ?? null) : null,
    live.spec,
    sameThing ? observed : {},
  )
  if (changes.length === 0 && drift.length === 0)
    return row?.state === 'present' && row.remote_id === live.remote_id
      ? null
      : action('record', 'it is there and as it should be', live)
  // Theirs, where nothing says that it is ours: neither a record nor a mark. Folders, tables and schemas are shared ground
  if (!ours && live.mark !== environment_id && resource.kind === 'file')
    return action('adopt', 'there is a file in its place that LakeForge did not write', live, {
      changes,
    })
  const drift_at =
    drift.length > 0 && live.modified_at !== null ? new Date(live.modified_at).toISOString() : null
  const immutable = changes.filter((each) => REPLACED_BY[resource.kind]?.test(each.path))
  if (immutable.length > 0) {
    const tables = placement
      .filter((each) => each.pipeline_key === resource.key)
      .map((each) => each.target)
    return action(
      'replace',
      `${immutable.map((each) => each.path).join(', ')} can not be changed in place`,
      live,
      {
        changes,
        drift,
        drift_at,
        blast: blast(
          tables,
          'Its tables stay, and are read again from the start by the new pipeline.',
        ),
      },
    )
  }
  if (changes.length === 0)
    return action(
      'drift',
      `${fields(drift)} ${drift.length === 1 ? 'was' : 'were'} changed in the workspace`,
      live,
      { drift, drift_at },
    )
  const because = `${fields(changes)} ${changes.length === 1 ? 'differs' : 'differ'} from the metadata`
  return action(
    'update',
    drift.length === 0 ? because : `${because}; ${fields(drift)} changed in the workspace`,
    live,
    { changes, drift, drift_at, confirm: drift.length > 0 },
  )
}

/** What becomes of something that nobody wants any more. */
async function ending(
  workspace: OpenWorkspace,
  environment_id: string,
  row: ResourceRow,
  blast: Blast,
  placement: readonly { target: string; pipeline_key: string | null; job_key: string }[],
): Promise<Action | null> {
  const spec = row.applied ?? {}
  const base = {
    id: `${row.kind}:${row.key}`,
    kind: row.kind,
    key: row.key,
    name: row.name,
    changes: [],
    drift: [],
    drift_at: null,
    blast: null,
    spec,
    content: null,
    remote_id: row.remote_id,
    live_hash: null,
    needs: [],
  }
  const forget = (reason: string): Action => ({ ...base, do: 'forget', reason, confirm: false })
  if (row.applied === null && row.remote_id === null) return forget('it was never made')
  const live = await workspace.doors[row.kind].read(row.key, spec, {
    remote_id: row.remote_id,
    applied: row.applied,
    meta: row.meta,
  })
  if (live === null) return forget('it is gone in the workspace too')
  if (row.kind === 'table') {
    // What we said of it is taken back; the table itself is data
    const empty = { table: spec.table }
    const { ours, drift } = threeWay('table', empty, row.applied, live.spec, {})
    const changes = [...ours, ...drift]
    if (changes.length === 0) return forget('the metadata says nothing of it any more')
    return {
      ...base,
      do: 'update',
      reason: 'the metadata says nothing of it any more',
      confirm: false,
      changes,
      spec: empty,
      live_hash: hashOf(live.spec),
    }
  }
  if ((row.kind === 'job' || row.kind === 'pipeline') && live.mark !== environment_id)
    return forget('somebody took our mark off it: it is no longer ours')
  const tables =
    row.kind === 'pipeline'
      ? placement.filter((each) => each.pipeline_key === row.key).map((each) => each.target)
      : []
  return {
    ...base,
    do: 'delete',
    reason: 'nothing in the metadata wants it',
    confirm: true,
    blast:
      row.kind === 'pipeline'
        ? blast(tables, 'Its tables stay, but nothing refreshes them; its checkpoints are lost.')
        : null,
    live_hash: hashOf(live.spec),
  }
}

function fields(list: Difference[]): string {
  const names = list.slice(0, 3).map((each) => each.path)
  return list.length > 3 ? `${names.join(', ')} and ${list.length - 3} more` : names.join(', ')
}

/** References that are known are filled in; others stay as they are, and so differ. */
export function resolved(spec: Json, idOf: (id: string) => string | null): Json {
  const walk = (value: unknown): unknown => {
    if (typeof value === 'string') {
      const found = REFERENCE.exec(value)
      return found ? (idOf(`${found[1]}:${found[2]}`) ?? value) : value
    }
    if (Array.isArray(value)) return value.map(walk)
    if (value === null || typeof value !== 'object') return value
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, walk(inner)]))
  }
  return walk(spec) as Json
}

/** Who comes first: folders before what lies in them, files before jobs, pipelines before the jobs that name them. */
function addNeeds(actions: Action[]): void {
  const making = actions.filter((each) => each.do !== 'delete' && each.do !== 'forget')
  const byId = new Map(making.map((each) => [each.id, each]))
  const base = making
    .filter(
      (each) =>
        each.kind === 'folder' || (each.kind === 'file' && each.key.startsWith('notebooks/')),
    )
    .map((each) => each.id)
  const folders = base.filter((id) => id.startsWith('folder:'))
  for (const each of making) {
    const needs = new Set<string>()
    if (each.kind === 'file') for (const id of folders) needs.add(id)
    if (each.kind === 'folder')
      for (const id of folders)
        if (id !== each.id && (id === 'folder:' || each.key.startsWith(`${id.slice(7)}/`)))
          needs.add(id)
    if (each.kind === 'volume') needs.add(`schema:${each.key.split('.')[0]}`)
    if (each.kind === 'pipeline' || each.kind === 'job') for (const id of base) needs.add(id)
    if (each.kind === 'pipeline') {
      needs.add(`file:pipelines/${each.key}.json`)
      needs.add(`schema:${String(each.spec.schema)}`)
    }
    if (each.kind === 'job') {
      needs.add(`file:plans/${each.key}.json`)
      for (const found of JSON.stringify(each.spec).matchAll(/\$\{(\w+:[^}]+)\}/g))
        needs.add(found[1]!)
    }
    each.needs = [...needs].filter((id) => byId.has(id) && id !== each.id).sort()
  }
}

type Blast = (tables: string[], text: string) => Action['blast']

/** Rows and bytes of tables as the last batches counted them in this environment. */
async function blastRadius(sql: Sql, environment_id: string): Promise<Blast> {
  const sizes = await sql<{ name: string; rows: string; bytes: string }[]>`
    select s.name, sum(s.rows_written)::text as rows, sum(s.bytes_written)::text as bytes
    from logging.step_run s
    join logging.batch_run b on b.id = s.batch_id
    where b.environment_id = ${environment_id} and s.state = 'succeeded' and s.zone <> 'raw'
    group by s.name
  `
  const of = new Map(sizes.map((each) => [each.name, each]))
  return (tables, text) => ({
    tables: [...tables].sort(),
    rows: tables.reduce((sum, each) => sum + Number(of.get(each)?.rows ?? 0), 0),
    bytes: tables.reduce((sum, each) => sum + Number(of.get(each)?.bytes ?? 0), 0),
    text,
  })
}

async function eachAtOnce<Item, Answer>(
  items: readonly Item[],
  work: (item: Item) => Promise<Answer>,
): Promise<Answer[]> {
  const answers = Array.from<Answer>({ length: items.length })
  let next = 0
  const worker = async () => {
    for (let at = next++; at < items.length; at = next++) answers[at] = await work(items[at]!)
  }
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, items.length) }, worker))
  return answers
}
