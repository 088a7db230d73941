// Batches: made with their plan, driven through an engine, and logged. The only writer of run state: engines report, this file
// writes. The state of a batch follows from its steps by logging.set_step_state, never by hand.
import { setTimeout as wait } from 'node:timers/promises'
import { describeError, fail, LakeForgeError } from '#core/errors.ts'
import type { State } from '#core/batch.ts'
import { uuidv7 } from '#core/id.ts'
import type { Plan, PlanStep, RunInput } from '#core/plan.ts'
import { stepsToRetry } from '#core/retry.ts'
import type { RetryScope } from '#core/retry.ts'
import type { Db, Sql, Tx } from '#sql/db.ts'
import { COUNTS } from './engine.ts'
import type { Engine, Report, RuleResult, StepReport } from './engine.ts'
import { recordLineage } from './lineage.ts'
import { keepPlan } from './metadata.ts'
import type { Planned } from './metadata.ts'

export type BatchTrigger = 'manual' | 'schedule' | 'webhook' | 'replay'

export type NewBatch = {
  environment_id: string
  trigger: BatchTrigger
  requested_by: string
  /** The time of the schedule that it is started for; one batch each. */
  due_at?: Date
  schedule_id?: string
  idempotency_key?: string
}

/**
 * In one transaction, so that somebody who waits for the only connection of an embedded store gets it soon: a step costs 4 ms of
 * CPU there.
 */
const REPORTS_AT_ONCE = 4

/** How long `poll` waits for the next report, so that a request to cancel is seen within a second. */
const POLL_MS = 1000

/**
 * Makes a batch with its steps, all pending. Nothing runs yet: the owner of the environment takes it up.
 * The same idempotency key of the same person gives the batch that it made before (`created` false).
 * @throws environment_unknown
 */
export async function createBatch(
  tx: Tx,
  planned: Planned,
  batch: NewBatch,
): Promise<{ id: string; created: boolean }> {
  const [environment] = await tx<{ id: string; name: string; engine: string }[]>`
    select id, name, engine from config.environment where id = ${batch.environment_id}
  `
  if (!environment) fail('environment_unknown', { name: batch.environment_id })
  const { group, steps } = planned.plan
  await keepPlan(tx, planned)
  // The row lock of next_seq makes creators of one group's batches wait for each other, so that the key is seen
  const [next] = await tx<{ seq: string }[]>`
    select logging.next_seq(${group.id}, ${environment.id})::text as seq
  `
  if (batch.idempotency_key !== undefined) {
    const [known] = await tx<{ id: string }[]>`
      select id from logging.batch_run
      where group_id = ${group.id}
        and requested_by = ${batch.requested_by}
        and idempotency_key = ${batch.idempotency_key}
    `
    if (known) return { id: known.id, created: false }
  }
  const id = uuidv7()
  await tx`
    insert into logging.batch_run ${tx({
      id,
      group_id: group.id,
      group_name: group.name,
      environment_id: environment.id,
      environment: environment.name,
      seq: next!.seq,
      engine: environment.engine,
      trigger: batch.trigger,
      schedule_id: batch.schedule_id ?? null,
      due_at: batch.due_at ?? null,
      plan_hash: planned.hash,
      metadata_version: planned.metadata_version,
      requested_by: batch.requested_by,
      idempotency_key: batch.idempotency_key ?? null,
    })}
  `
  for (let from = 0; from < steps.length; from += 1000)
    await tx`insert into logging.step_run ${tx(steps.slice(from, from + 1000).map((step) => stepRow(id, group.id, step)))}`
  if (steps.length === 0) {
    await addEvents(tx, id, [
      { step: null, level: 'warn', text: 'The group has no tables: nothing to do.' },
    ])
    await tx`select logging.refresh_batch(${id})`
  }
  return { id, created: true }
}

function stepRow(batch_id: string, group_id: string, step: PlanStep) {
  return {
    id: uuidv7(),
    batch_id,
    group_id,
    key: step.key,
    zone: step.zone,
    name: step.zone === 'raw' ? `${step.source.name}.${step.name}` : step.target,
    config_id: step.config_id,
    depends_on: step.depends_on,
    max_attempts: step.retries + 1,
  }
}

/**
 * Asks a batch to stop. One that has not begun is cancelled at once; the engine stops a running one within seconds.
 * @throws not_found, batch_final when it has ended
 */
export async function cancelBatch(sql: Sql, id: string, actor: string): Promise<void> {
  await sql.begin(async (tx) => {
    const batch = await lockBatch(tx, id)
    if (batch.finished_at !== null) fail('batch_final', { state: batch.state })
    await tx`
      update logging.batch_run
      set cancel_requested_at = now(), cancel_requested_by = ${actor}
      where id = ${id}
    `
    await addEvents(tx, id, [
      { step: null, level: 'warn', text: `${actor} asked to cancel the batch.` },
    ])
    if (batch.handle === null) await endOpenSteps(tx, id, 'cancelled', `cancelled by ${actor}`)
  })
}

/**
 * Makes a batch that repeats the succeeded steps of a finished one beside its tables and compares: nothing that is there changes.
 * It reads the stored plan and run input of the other; a step that comes out differently fails with replay_differs.
 * @throws not_found, batch_not_final, nothing_to_replay
 */
export async function createReplay(tx: Tx, of: string, actor: string): Promise<string> {
  const batch = await lockBatch(tx, of)
  if (batch.finished_at === null) fail('batch_not_final', { state: batch.state })
  const id = uuidv7()
  const [made] = await tx`
    insert into logging.batch_run
      (id, group_id, group_name, environment_id, environment, seq, engine, trigger, plan_hash, metadata_version, replay_of, requested_by)
    select ${id}, group_id, group_name, environment_id, environment, logging.next_seq(group_id, environment_id), engine, 'replay',
      plan_hash, metadata_version, id, ${actor}
    from logging.batch_run b
    where id = ${of} and trigger <> 'replay'
      and exists (select from logging.step_run where batch_id = b.id and state = 'succeeded')
    returning id
  `
  if (!made) fail('nothing_to_replay')
  const steps = await tx<
    { key: string; zone: string; name: string; config_id: string; depends_on: string[] }[]
  >`
    select key, zone, name, config_id, depends_on from logging.step_run
    where batch_id = ${of} and state = 'succeeded' order by id
  `
  for (let from = 0; from < steps.length; from += 1000)
    await tx`
      insert into logging.step_run ${tx(
        steps.slice(from, from + 1000).map((step) => ({
          id: uuidv7(),
          batch_id: id,
          group_id: batch.group_id,
          ...step,
        })),
      )}
    `
  return id
}

/**
 * What a retry of this scope would run, in the order of the plan. Nothing where the batch has not ended or all is done.
 * @throws step_unknown for a step that the batch does not have
 */
export async function retryPreview(
  db: Db,
  id: string,
  scope: RetryScope = { scope: 'all', from: null },
): Promise<{ key: string; zone: string; table: string; state: string }[]> {
  const steps = await db<
    {
      key: string
      zone: string
      table: string
      state: State
      depends_on: string[]
      root_cause: string | null
    }[]
  >`
    select key, zone, name as "table", state, depends_on, root_cause from logging.step_run
    where batch_id = ${id} order by id
  `
  if (scope.scope === 'step' && !steps.some((step) => step.key === scope.from))
    fail('step_unknown', { name: scope.from ?? '' })
  const keys = new Set(stepsToRetry(steps, scope))
  return steps
    .filter((step) => keys.has(step.key))
    .map(({ key, zone, table, state }) => ({ key, zone, table, state }))
}

/**
 * Puts steps of a finished batch back to pending; what succeeded stays done. The batch keeps its plan and its run input.
 * @throws not_found, batch_not_final, nothing_to_retry, step_unknown, replay_open
 */
export async function retryBatch(
  sql: Sql,
  id: string,
  actor: string,
  scope?: RetryScope,
): Promise<string[]> {
  return sql.begin(async (tx) => {
    const batch = await lockBatch(tx, id)
    if (batch.finished_at === null) fail('batch_not_final', { state: batch.state })
    await lockGroup(tx, batch)
    const [replay] = await tx`
      select from logging.replay_run r
      where group_id = ${batch.group_id} and environment_id = ${batch.environment_id} and logging.is_open(r)
    `
    if (replay) fail('replay_open')
    const steps = await retryPreview(tx, id, scope)
    if (steps.length === 0) fail('nothing_to_retry')
    await tx`
      update logging.batch_run
      set handle = null, cancel_requested_at = null, cancel_requested_by = null
      where id = ${id}
    `
    for (const step of steps)
      await tx`select logging.set_step_state(${id}, ${step.key}, 'pending', 0)`
    await addEvents(tx, id, [
      { step: null, level: 'info', text: `${actor} asked to retry ${steps.length} steps.` },
    ])
    return steps.map((step) => step.key)
  })
}

type BatchRow = {
  id: string
  group_id: string
  group_name: string
  environment_id: string
  environment: string
  seq: string
  state: string
  attempt: number
  plan_hash: string
  handle: string | null
  finished_at: Date | null
  replay_of: string | null
}

async function lockBatch(tx: Tx, id: string): Promise<BatchRow> {
  const [batch] = await tx<BatchRow[]>`
    select id, group_id, group_name, environment_id, environment, seq::text, state, attempt, plan_hash, handle, finished_at, replay_of
    from logging.batch_run where id = ${id} for update
  `
  return batch ?? fail('not_found', { kind: 'batch', name: id })
}

/** Who makes a batch of the group in the environment holds this row: none is made unseen while it is locked. */
export async function lockGroup(
  tx: Tx,
  { group_id, environment_id }: { group_id: string; environment_id: string },
): Promise<void> {
  await tx`
    select from logging.group_seq
    where group_id = ${group_id} and environment_id = ${environment_id}
    for update
  `
}

/** Runs an action that must hold or not hold as a whole; the crash test passes its own to kill around each. */
export type Around = <T>(name: string, action: () => Promise<T>) => Promise<T>
export const plainly: Around = (_name, action) => action()

/**
 * Drives one batch to its end: takes up a new one, and goes on with one that a dead process left. Call it from the one owner of
 * the environment, once at a time per group. Resolves with the final state; an engine that can't start fails the open steps.
 */
export async function driveBatch(
  sql: Sql,
  engine: Engine,
  id: string,
  options: { around?: Around; signal?: AbortSignal } = {},
): Promise<string> {
  const around = options.around ?? plainly
  const [row] = await sql<(BatchRow & { plan: Plan; input: RunInput | null })[]>`
    select b.id, b.group_id, b.group_name, b.environment_id, b.environment, b.seq::text, b.state, b.attempt,
      b.plan_hash, b.handle, b.finished_at, b.replay_of, p.plan, i.input
    from logging.batch_run b
    join config.plan p on p.hash = b.plan_hash
    left join logging.run_input i on i.batch_id = coalesce(b.replay_of, b.id)
    where b.id = ${id}
  `
  const batch = row ?? fail('not_found', { kind: 'batch', name: id })
  if (batch.finished_at !== null) return batch.state
  const input =
    batch.input ?? (await around('postgres run_input', () => writeInput(sql, batch, batch.plan)))

  // Steps of a process that died: their work is found again beside the data, so starting them anew is safe
  const open = await sql.begin(async (tx) => {
    await lockBatch(tx, id)
    const running = await tx<{ key: string }[]>`
      select key from logging.step_run where batch_id = ${id} and state = 'running'
    `
    for (const { key } of running) await tx`select logging.set_step_state(${id}, ${key}, 'pending')`
    if (running.length > 0)
      await addEvents(tx, id, [
        {
          step: null,
          level: 'warn',
          text: 'LakeForge stopped while this batch ran; it goes on where it was.',
        },
      ])
    return tx<{ key: string }[]>`
      select key from logging.step_run where batch_id = ${id} and state in ('pending', 'waiting')
    `
  })

  let handle: string | undefined
  try {
    handle = await engine.start({
      plan: batch.plan,
      input,
      only: open.map((step) => step.key),
      attempt: batch.attempt,
      ...(batch.replay_of !== null && { replay: true }),
    })
    await sql`update logging.batch_run set handle = ${handle} where id = ${id}`
    await follow(sql, engine, handle, batch, batch.plan, around, options.signal)
  } catch (error) {
    if (options.signal?.aborted) throw error
    // Nobody hears it any more: it must be dead before the batch is said to have failed, or is begun anew
    if (handle !== undefined) await engine.abandon(handle)
    const { code, message, hint } = describeError(error)
    await sql.begin(async (tx) => {
      await addEvents(tx, id, [{ step: null, level: 'error', text: `${message} ${hint}` }])
      await endOpenSteps(tx, id, 'failed', null, { code, message, hint })
    })
    if (!(error instanceof LakeForgeError)) console.error(error)
  }
  const [end] = await sql<{ state: string }[]>`select state from logging.batch_run where id = ${id}`
  return end!.state
}

async function follow(
  sql: Sql,
  engine: Engine,
  handle: string,
  batch: BatchRow,
  plan: Plan,
  around: Around,
  signal: AbortSignal | undefined,
): Promise<void> {
  let asked = false
  let looked_at = 0
  for (;;) {
    signal?.throwIfAborted()
    const reports = await engine.poll(handle, POLL_MS)
    for (let from = 0; from < reports.length; from += REPORTS_AT_ONCE)
      await around('postgres reports', () =>
        applyReports(sql, batch, plan, reports.slice(from, from + REPORTS_AT_ONCE)),
      )
    const done = reports.find((report) => report.kind === 'done')
    if (done) {
      await sql.begin((tx) =>
        done.state === 'cancelled'
          ? endOpenSteps(tx, batch.id, 'cancelled', 'the batch was cancelled')
          : endOpenSteps(
              tx,
              batch.id,
              'failed',
              null,
              describeError(new LakeForgeError('run_lost')),
            ),
      )
      return
    }
    if (!asked && performance.now() - looked_at >= POLL_MS) {
      looked_at = performance.now()
      const [row] = await sql<{ asked: boolean }[]>`
        select cancel_requested_at is not null as asked from logging.batch_run where id = ${batch.id}
      `
      if (row?.asked) {
        asked = true
        await engine.cancel(handle)
      }
    }
  }
}

/** Whatever is still open ends; a batch that ended well has nothing open. */
async function endOpenSteps(
  tx: Tx,
  id: string,
  state: 'cancelled' | 'failed',
  reason: string | null,
  error?: { code: string; message: string; hint: string },
): Promise<void> {
  const open = await tx<{ key: string }[]>`
    select key from logging.step_run
    where batch_id = ${id} and state in ('pending', 'running', 'waiting')
    order by id
  `
  for (const { key } of open) {
    if (error)
      await tx`
        update logging.step_run
        set error_code = ${error.code}, error_message = ${error.message}, error_hint = ${error.hint}
        where batch_id = ${id} and key = ${key}
      `
    await tx`select logging.set_step_state(${id}, ${key}, ${state}, null, ${reason})`
  }
}

async function writeInput(sql: Sql, batch: BatchRow, plan: Plan): Promise<RunInput> {
  const known = await sql<{ key: string; watermark_to: string | null }[]>`
    select distinct on (s.config_id) s.key, s.watermark_to
    from logging.step_run s
    join logging.batch_run b on b.id = s.batch_id
    where s.group_id = ${batch.group_id}
      and b.environment_id = ${batch.environment_id}
      and b.replay_of is null
      and s.zone = 'raw'
      and s.state = 'succeeded'
      and s.watermark_to is not null
    order by s.config_id, b.seq desc
  `
  const watermarks = new Map(known.map((row) => [row.key, row.watermark_to]))
  const input: RunInput = {
    format: 1,
    batch_id: batch.id,
    plan_hash: batch.plan_hash,
    group: batch.group_name,
    environment: batch.environment,
    seq: batch.seq,
    batch_time: new Date().toISOString(),
    watermarks: Object.fromEntries(
      plan.steps
        .filter((step) => step.zone === 'raw')
        .map((step) => [step.key, watermarks.get(step.key) ?? null]),
    ),
  }
  await sql`
    insert into logging.run_input (batch_id, input)
    values (${batch.id}, ${JSON.stringify(input)}::json)
    on conflict (batch_id) do nothing
  `
  // Somebody else may have been first: what is stored counts
  const [stored] = await sql<{ input: RunInput }[]>`
    select input from logging.run_input where batch_id = ${batch.id}
  `
  return stored!.input
}

/** One transaction for these reports: step states, counts, ledger, rules, profiles, events. */
async function applyReports(
  sql: Sql,
  batch: BatchRow,
  plan: Plan,
  reports: Report[],
): Promise<void> {
  await sql.begin(async (tx) => {
    const events: NewEvent[] = []
    for (const report of reports) {
      if (report.kind === 'done') continue
      if (report.kind === 'event') {
        events.push(report)
        if (report.progress && report.step)
          await tx`
            update logging.step_run set progress = ${tx.json(report.progress)}
            where batch_id = ${batch.id} and key = ${report.step} and state = 'running'
          `
        continue
      }
      await applyStep(tx, batch, plan, report)
      events.push(stepEvent(report))
    }
    if (events.length > 0) await addEvents(tx, batch.id, events)
  })
}

async function applyStep(tx: Tx, batch: BatchRow, plan: Plan, report: StepReport): Promise<void> {
  const [step] = await tx<
    {
      id: string
      name: string
      state: string
      started_at: Date | null
      config_id: string
      judged: boolean
    }[]
  >`
    select id, name, state, started_at, config_id,
      exists (select from logging.dq_run where step_id = s.id) as judged
    from logging.step_run s
    where batch_id = ${batch.id} and key = ${report.step}
  `
  if (!step)
    fail('internal', {}, { cause: new Error(`the engine reported an unknown step ${report.step}`) })
  if (step.state === 'succeeded') return
  if (report.state === 'running') {
    await tx`select logging.set_step_state(${batch.id}, ${report.step}, 'running', ${report.attempt}, null, ${report.at})`
    return
  }
  if (report.state === 'succeeded' && step.state !== 'running')
    await tx`select logging.set_step_state(${batch.id}, ${report.step}, 'running', ${report.attempt}, null, ${report.at})`
  const started = step.started_at ?? new Date(report.at)
  await tx`
    update logging.step_run set ${tx({
      ...Object.fromEntries(COUNTS.map((name) => [name, report.counts[name] ?? 0])),
      duration_ms: Math.max(0, Date.parse(report.at) - started.getTime()),
      delta_version_before: report.delta_version_before,
      delta_version_after: report.delta_version_after,
      content_hash: report.content_hash,
      hash_approximate: report.hash_approximate,
      watermark_from: report.watermark_from,
      watermark_to: report.watermark_to,
      input_versions: tx.json(report.input_versions),
      warnings: [...report.warnings, ...ruleWarnings(report.rules)],
      root_cause: report.root_cause,
      error_code: report.error?.code ?? null,
      error_message: report.error?.message ?? null,
      error_hint: report.error?.hint ?? null,
      error_retry: report.error?.retry ?? null,
    })}
    where id = ${step.id}
  `
  const reason =
    report.state === 'skipped' && report.root_cause ? `because of ${report.root_cause}` : null
  await tx`select logging.set_step_state(${batch.id}, ${report.step}, ${report.state}, ${report.attempt}, ${reason}, ${report.at})`
  // A replay says nothing new of files, columns and lineage
  if (batch.replay_of !== null) return
  await recordFacts(tx, batch, step, report)
  const planStep = plan.steps.find((each) => each.key === report.step)
  if (report.state === 'succeeded' && planStep) await recordLineage(tx, batch, planStep)
}

/** A rule that only warns, and did: a succeeded step with one shows as warned. */
function ruleWarnings(rules: readonly RuleResult[]): string[] {
  return rules
    .filter(({ on_fail, applied }) => on_fail === 'warn' && applied)
    .map(
      ({ name, rows_failed, rows_checked }) =>
        `Rule "${name}" failed for ${rows_failed} of ${rows_checked} rows.`,
    )
}

async function recordFacts(
  tx: Tx,
  batch: BatchRow,
  step: { id: string; name: string; config_id: string; judged: boolean },
  report: Exclude<StepReport, { state: 'running' }>,
): Promise<void> {
  // A retry says everything anew
  if (step.judged) await tx`delete from logging.dq_run where step_id = ${step.id}`
  for (const rule of report.rules) {
    const dq_run_id = uuidv7()
    await tx`
      insert into logging.dq_run ${tx({
        id: dq_run_id,
        batch_id: batch.id,
        step_id: step.id,
        rule_id: rule.rule_id,
        name: rule.name,
        target: step.name,
        check: rule.check,
        columns: rule.columns,
        on_fail: rule.on_fail,
        rows_checked: rule.rows_checked,
        rows_failed: rule.rows_failed,
        applied: rule.applied,
        fingerprint: rule.fingerprint,
      })}
    `
    if (rule.samples.length > 0)
      await tx`
        insert into logging.dq_sample ${tx(
          rule.samples.map((row, number) => ({ dq_run_id, number, row: tx.json(row) })),
        )}
      `
  }
  for (let from = 0; from < report.files.length; from += 1000)
    await tx`
      insert into logging.file ${tx(
        report.files.slice(from, from + 1000).map((file) => ({
          id: uuidv7(),
          environment_id: batch.environment_id,
          raw_id: step.config_id,
          batch_id: batch.id,
          ...file,
        })),
      )}
      on conflict do nothing
    `
  if (report.schema_changes.length > 0)
    await tx`
      insert into logging.schema_change ${tx(
        report.schema_changes.map((change) => ({
          id: uuidv7(),
          batch_id: batch.id,
          step_id: step.id,
          target: step.name,
          ...change,
        })),
      )}
      on conflict do nothing
    `
  if (report.profiles.length > 0)
    await tx`
      insert into logging.column_profile ${tx(
        report.profiles.map((profile) => ({
          step_id: step.id,
          batch_id: batch.id,
          target: step.name,
          ...profile,
        })),
      )}
      on conflict do nothing
    `
}

type NewEvent = {
  step: string | null
  level: 'debug' | 'info' | 'warn' | 'error'
  text: string
  at?: string
  progress?: unknown
}

async function addEvents(db: Db, batch_id: string, events: readonly NewEvent[]): Promise<void> {
  const lines = events.map(({ step, level, text, at, progress }) => ({
    step,
    level,
    text,
    at: at ?? null,
    progress: progress ?? null,
  }))
  await db`select logging.add_events(${batch_id}, ${JSON.stringify(lines)}::jsonb)`
}

function stepEvent(report: StepReport): NewEvent {
  const line = { step: report.step, at: report.at }
  switch (report.state) {
    case 'running':
      return {
        ...line,
        level: 'info',
        text: report.attempt > 1 ? `started, attempt ${report.attempt}` : 'started',
      }
    case 'succeeded': {
      const parts = (['rows_read', 'rows_written', 'rows_quarantined', 'rows_dropped'] as const)
        .filter((name) => (report.counts[name] ?? 0) > 0)
        .map((name) => `${name.slice(5)} ${report.counts[name]!.toLocaleString('en')}`)
      return {
        ...line,
        level: 'info',
        text: `succeeded${parts.length > 0 ? `: ${parts.join(', ')}` : ''}`,
      }
    }
    case 'failed':
      return {
        ...line,
        level: 'error',
        text: `failed: ${report.error?.message ?? ''} ${report.error?.hint ?? ''}`.trim(),
      }
    case 'skipped':
      return {
        ...line,
        level: 'warn',
        text: `skipped because of ${report.root_cause ?? 'a failed step'}`,
      }
    case 'cancelled':
      return { ...line, level: 'warn', text: 'cancelled' }
  }
}

/** Waits until the batch is final, and answers its state. For callers in the owner's process; others poll the API. */
export async function batchEnd(sql: Sql, id: string, every_ms = 200): Promise<string> {
  for (;;) {
    const [row] = await sql<{ state: string; finished: boolean }[]>`
      select state, finished_at is not null as finished from logging.batch_run where id = ${id}
    `
    if (!row) fail('not_found', { kind: 'batch', name: id })
    if (row.finished) return row.state
    await wait(every_ms)
  }
}
