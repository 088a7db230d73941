// A replay that is applied: the tables of a group go back to before a batch, and it and all later ones run again, in order, each
// with its stored plan and run input. Asked for by anyone, done by the owner of the environment: it survives a crash at any point.
import { describeError, fail, LakeForgeError } from '#core/errors.ts'
import { uuidv7 } from '#core/id.ts'
import type { State } from '#core/batch.ts'
import type { Plan, PlanStep } from '#core/plan.ts'
import type { Db, Sql, Tx } from '#sql/db.ts'
import type { Engine, RestoredTable } from './engine.ts'
import { lockGroup } from './run.ts'
import type { Around } from './run.ts'

/** A batch that runs again, with the steps of it that do, and what they read when they ran. */
export type AgainBatch = {
  id: string
  seq: string
  state: State
  steps: string[]
  rows_read: number
  bytes_read: number
}

export type ReplayPreview = {
  batch_id: string
  group_name: string
  environment: string
  seq: string
  /** Those that change, with the versions that they leave and go back to. */
  tables: RestoredTable[]
  /** In the order in which they run. */
  batches: AgainBatch[]
  rows_read: number
  bytes_read: number
  /** Tables of other groups that read these: what they have taken stays in them, and comes to them again. */
  readers: { group_name: string; table: string; reads: string[] }[]
}

type Batch = {
  id: string
  group_id: string
  group_name: string
  environment_id: string
  environment: string
  engine: Engine['name']
  seq: string
  trigger: string
}

/**
 * What an applied replay of the batch would do, and whether it can.
 * @throws not_found, nothing_to_replay, batch_running, replay_open, raw_gone, delta_files_gone
 */
export async function previewReplay(sql: Sql, engine: Engine, of: string): Promise<ReplayPreview> {
  const batch = await findBatch(sql, of)
  await refuseOpen(sql, batch)
  const batches = await againBatches(sql, batch)
  const tables = await engine.restore({
    environment: batch.environment,
    steps: await stepsOf(sql, batches),
    seq: batch.seq,
    dry_run: true,
  })
  const readers = await sql<ReplayPreview['readers']>`
    select g.name as group_name, r.target as "table", array_agg(i.target order by i.target) as reads
    from config.input i
    join (
      select id, group_id, target from config.silver_config
      union all
      select id, group_id, target from config.gold_config
    ) r on r.id = i.reader_id
    join config.source_group g on g.id = r.group_id
    where i.target = any (${tables.map(({ table }) => table)}) and g.id <> ${batch.group_id}
    group by g.name, r.target order by g.name, r.target
  `
  const sum = (of: (each: AgainBatch) => number) => batches.reduce((all, each) => all + of(each), 0)
  return {
    batch_id: batch.id,
    group_name: batch.group_name,
    environment: batch.environment,
    seq: batch.seq,
    tables,
    batches,
    rows_read: sum((each) => each.rows_read),
    bytes_read: sum((each) => each.bytes_read),
    readers: [...readers],
  }
}

/**
 * Asks the owner of the environment to do it; answers the id of the replay. Until its tables are restored no batch of the group
 * begins.
 * @throws not_found, nothing_to_replay, batch_running, replay_open
 */
export async function askReplay(tx: Tx, of: string, actor: string): Promise<string> {
  const batch = await findBatch(tx, of)
  await lockGroup(tx, batch)
  await refuseOpen(tx, batch)
  await againBatches(tx, batch)
  const id = uuidv7()
  await tx`
    insert into logging.replay_run ${tx({
      id,
      batch_id: batch.id,
      group_id: batch.group_id,
      environment_id: batch.environment_id,
      requested_by: actor,
    })}
  `
  return id
}

/** An applied replay as it stands. */
export type ReplayState = {
  id: string
  batch_id: string
  /** `running` from the restore to the end of the last batch; `failed` without `restored_at`: refused, nothing was changed. */
  state: Extract<State, 'pending' | 'running' | 'succeeded' | 'failed' | 'cancelled'>
  requested_by: string
  created_at: Date
  restored_at: Date | null
  tables: RestoredTable[]
  batches: { id: string; seq: string; state: State }[]
  /** Why it was refused; while it is `running`, what keeps it from going on. */
  error: { code: string; message: string; hint: string } | null
}

/** The last applied replay that began with this batch. @throws not_found */
export async function replayState(sql: Db, batch_id: string): Promise<ReplayState> {
  const [found] = await sql<
    {
      id: string
      requested_by: string
      created_at: Date
      restoring_at: Date | null
      restored_at: Date | null
      tables: RestoredTable[] | null
      error_code: string | null
      error_message: string | null
      error_hint: string | null
    }[]
  >`
    select id, requested_by, created_at, restoring_at, restored_at, tables, error_code, error_message, error_hint
    from logging.replay_run where batch_id = ${batch_id} order by id desc limit 1
  `
  const run = found ?? fail('not_found', { kind: 'applied replay of batch', name: batch_id })
  const batches = await sql<ReplayState['batches']>`
    select id, seq::text, state from logging.batch_run
    where replay_run_id = ${run.id} order by batch_run.seq
  `
  const has = (...states: State[]) => batches.some(({ state }) => states.includes(state))
  const state = (): ReplayState['state'] => {
    if (run.restored_at === null) {
      if (run.restoring_at !== null) return 'running'
      return run.error_code === null ? 'pending' : 'failed'
    }
    if (has('pending', 'running', 'waiting')) return 'running'
    if (has('failed')) return 'failed'
    return has('cancelled') ? 'cancelled' : 'succeeded'
  }
  return {
    id: run.id,
    batch_id,
    state: state(),
    requested_by: run.requested_by,
    created_at: run.created_at,
    restored_at: run.restored_at,
    tables: run.tables ?? [],
    batches: [...batches],
    error:
      run.error_code === null
        ? null
        : { code: run.error_code, message: run.error_message!, hint: run.error_hint! },
  }
}

/** Replays of the environments of a home whose tables are not restored yet. */
export async function openReplays(
  sql: Sql,
  engine: Engine['name'],
  home_id: string,
): Promise<{ id: string; group_id: string; environment_id: string }[]> {
  return sql<{ id: string; group_id: string; environment_id: string }[]>`
    select r.id, r.group_id, r.environment_id
    from logging.replay_run r
    join config.environment e on e.id = r.environment_id
    where logging.is_open(r)
      and e.engine = ${engine}
      and e.home_id = ${home_id}
  `
}

/**
 * Restores the tables and puts the batches back to pending: the owner then drives them as any others. What can't be done is
 * refused before anything changes; after that it is done again and again until it is done.
 */
export async function driveReplay(
  sql: Sql,
  engine: Engine,
  id: string,
  around: Around,
): Promise<void> {
  const [run] = await sql<{ batch_id: string; restoring_at: Date | null }[]>`
    select batch_id, restoring_at from logging.replay_run where id = ${id} and restored_at is null
  `
  if (!run) return
  const batch = await findBatch(sql, run.batch_id)
  const batches = await againBatches(sql, batch)
  const { environment, seq } = batch
  const steps = await stepsOf(sql, batches)
  let begun = run.restoring_at !== null
  try {
    if (!begun) {
      // Kept with the intent: after a crash the tables that are restored already no longer say where they were
      const planned = await engine.restore({ environment, steps, seq, dry_run: true })
      await around(
        'postgres restoring',
        () => sql`
          update logging.replay_run
          set restoring_at = now(), tables = ${JSON.stringify(planned)}::jsonb where id = ${id}
        `,
      )
      begun = true
    }
    await engine.restore({ environment, steps, seq })
    await around('postgres restored', () => sql.begin((tx) => runAgain(tx, id, batches)))
  } catch (error) {
    const { code, message, hint } = describeError(error)
    await sql`
      update logging.replay_run
      set error_code = ${code}, error_message = ${message}, error_hint = ${hint}
      where id = ${id} and restored_at is null
    `
    if (begun || !(error instanceof LakeForgeError)) throw error
  }
}

async function runAgain(tx: Tx, id: string, batches: readonly AgainBatch[]): Promise<void> {
  for (const batch of batches) {
    await tx`
      update logging.batch_run set
        replay_run_id = ${id},
        handle = null,
        cancel_requested_at = null,
        cancel_requested_by = null,
        started_at = null
      where id = ${batch.id}
    `
    await tx`select logging.rerun_steps(${batch.id}, ${batch.steps})`
    const text = `Its tables were taken back to before ${batch.id === batches[0]!.id ? 'it' : `batch ${batches[0]!.seq}`}: it runs again.`
    await tx`
      select logging.add_events(${batch.id}, ${JSON.stringify([{ step: null, level: 'info', text }])}::jsonb)
    `
  }
  await tx`
    update logging.replay_run set
      restored_at = now(),
      error_code = null,
      error_message = null,
      error_hint = null
    where id = ${id}
  `
}

async function findBatch(sql: Db, id: string): Promise<Batch> {
  const [batch] = await sql<Batch[]>`
    select id, group_id, group_name, environment_id, environment, engine, seq::text, trigger
    from logging.batch_run where id = ${id}
  `
  return batch ?? fail('not_found', { kind: 'batch', name: id })
}

async function refuseOpen(sql: Db, batch: Batch): Promise<void> {
  const [open] = await sql<{ replay: boolean }[]>`
    select true as replay from logging.replay_run
    where group_id = ${batch.group_id} and environment_id = ${batch.environment_id}
      and logging.is_open(replay_run)
    union all
    select false from logging.batch_run
    where group_id = ${batch.group_id} and environment_id = ${batch.environment_id} and finished_at is null
    limit 1
  `
  if (open) fail(open.replay ? 'replay_open' : 'batch_running')
}

/**
 * The batches from this one on, with the steps that run again: all that write tables, but for those that never had their raw
 * data: what they would have read has gone into a later batch.
 * @throws nothing_to_replay
 */
async function againBatches(sql: Db, first: Batch): Promise<AgainBatch[]> {
  const rows = await sql<
    {
      id: string
      seq: string
      batch_state: State
      key: string
      zone: string
      state: State
      depends_on: string[]
      rows_read: string
      bytes_read: string
    }[]
  >`
    select b.id, b.seq::text, b.state as batch_state, s.key, s.zone, s.state, s.depends_on, s.rows_read, s.bytes_read
    from logging.batch_run b
    join logging.step_run s on s.batch_id = b.id
    where b.group_id = ${first.group_id} and b.environment_id = ${first.environment_id}
      and b.seq >= ${first.seq} and b.trigger <> 'replay' and b.finished_at is not null
    order by b.seq, s.id
  `
  const batches = new Map<string, AgainBatch>()
  const without = new Set<string>()
  for (const { id, seq, batch_state, key, zone, state, depends_on, ...read } of rows) {
    const name = `${id} ${key}`
    if (
      zone === 'raw' ? state !== 'succeeded' : depends_on.some((on) => without.has(`${id} ${on}`))
    )
      without.add(name)
    if (zone === 'raw' || without.has(name)) continue
    const batch = batches.get(id) ?? {
      id,
      seq,
      state: batch_state,
      steps: [],
      rows_read: 0,
      bytes_read: 0,
    }
    batches.set(id, batch)
    batch.steps.push(key)
    batch.rows_read += Number(read.rows_read)
    batch.bytes_read += Number(read.bytes_read)
  }
  if (!batches.has(first.id)) fail('nothing_to_replay')
  return [...batches.values()]
}

/** Every step that some plan of these batches has: tables that came or went in between are among them. */
async function stepsOf(sql: Db, batches: readonly AgainBatch[]): Promise<PlanStep[]> {
  const plans = await sql<{ plan: Plan }[]>`
    select p.plan from config.plan p
    where p.hash in (select plan_hash from logging.batch_run where id = any (${batches.map(({ id }) => id)}::uuid[]))
    order by p.hash
  `
  const steps = new Map<string, PlanStep>()
  for (const { plan } of plans)
    for (const step of plan.steps)
      steps.set(`${step.config_id} ${step.zone === 'raw' ? step.name : step.target}`, step)
  return [...steps.values()]
}
