// Runs of the fake: each look at a run takes it one step further, so that every state is seen and no test sleeps.
import { Hono } from 'hono'
import { body, invalid, pageOf, reply } from './answer.ts'
import type { Ctx, FakeUser, FakeWorld } from './answer.ts'
import { listOf } from './job-rules.ts'
import { jobOf } from './jobs.ts'
import { nextId } from './state.ts'
import type { FakeRun, FakeTaskRun, Json } from './state.ts'

type Env = { Variables: { fake: FakeWorld; user: FakeUser } }

const ENDED = new Set(['TERMINATED', 'SKIPPED', 'INTERNAL_ERROR'])

export const runs = new Hono<Env>()
  .post('/run-now', async (c) => {
    const fake = c.get('fake')
    const request = await body(c as Ctx, 'Jobs.run_now')
    const job = jobOf(fake, request.job_id)
    const token = request.idempotency_token as string | undefined
    if (token !== undefined && token.length > 64)
      invalid('idempotency_token must be at most 64 characters.')
    const known = token === undefined ? undefined : fake.state.run_tokens[`${job.job_id}/${token}`]
    if (known !== undefined) {
      const run =
        fake.state.runs[known] ?? invalid(`Run ${known} of this idempotency token was deleted.`)
      return reply({ run_id: run.run_id, number_in_job: run.number_in_job })
    }
    const tasks = listOf(job.settings.tasks).map((task) => String(task.task_key))
    const only = request.only as string[] | undefined
    const run = newRun(
      fake,
      job.job_id,
      structuredClone(job.settings),
      {
        ...Object.fromEntries(
          listOf(job.settings.parameters).map((each) => [String(each.name), String(each.default)]),
        ),
        ...(request.job_parameters as Record<string, string> | undefined),
      },
      only ? chosen(job.settings, only) : tasks,
      'ONE_TIME',
    )
    if (token !== undefined) fake.state.run_tokens[`${job.job_id}/${token}`] = run.run_id
    return reply({ run_id: run.run_id, number_in_job: run.number_in_job })
  })
  .post('/runs/submit', async (c) => {
    const fake = c.get('fake')
    const request = await body(c as Ctx, 'Jobs.submit')
    const token = request.idempotency_token as string | undefined
    const known = token === undefined ? undefined : fake.state.run_tokens[`submit/${token}`]
    if (known !== undefined) return reply({ run_id: known })
    const tasks = listOf(request.tasks)
    if (tasks.length === 0) invalid('A run must have at least one task.')
    const run = newRun(
      fake,
      '0',
      { name: request.run_name ?? 'Untitled', tasks },
      {},
      tasks.map((task) => String(task.task_key)),
      'ONE_TIME',
    )
    if (token !== undefined) fake.state.run_tokens[`submit/${token}`] = run.run_id
    return reply({ run_id: run.run_id })
  })
  .get('/runs/get', async (c) => {
    const fake = c.get('fake')
    const run = runOf(fake, c.req.query('run_id'))
    await advance(fake, run)
    const shown = showRun(run)
    const from = Number(c.req.query('page_token') ?? 0)
    const tasks = listOf(shown.tasks)
    const more = tasks.length > from + 100
    return reply({
      ...shown,
      tasks: tasks.slice(from, from + 100),
      ...(more && { has_more: true, next_page_token: String(from + 100) }),
    })
  })
  .get('/runs/list', (c) => {
    const fake = c.get('fake')
    const limit = Number(c.req.query('limit') ?? 20)
    if (!(limit >= 0 && limit <= 24)) invalid('limit must be between 1 and 24.')
    const active = c.req.query('active_only') === 'true'
    const completed = c.req.query('completed_only') === 'true'
    if (active && completed) invalid('Only one of active_only and completed_only can be true.')
    const job_id = c.req.query('job_id')
    const from = Number(c.req.query('start_time_from') ?? 0)
    const found = Object.values(fake.state.runs)
      .filter((run) => (job_id === undefined || run.job_id === job_id) && run.start_time >= from)
      .filter((run) => (!active || !ENDED.has(run.life)) && (!completed || ENDED.has(run.life)))
      .sort(
        (a, b) =>
          (b.end_time || b.start_time) - (a.end_time || a.start_time) ||
          (BigInt(a.run_id) < BigInt(b.run_id) ? 1 : -1),
      )
    const page = pageOf(found, c.req.query('page_token'), Math.min(limit || 24, fake.page))
    return reply({
      ...(page.items.length > 0 && {
        runs: page.items.map((run) => {
          const { tasks, ...rest } = showRun(run)
          return c.req.query('expand_tasks') === 'true'
            ? { ...rest, tasks: listOf(tasks).slice(0, 100) }
            : rest
        }),
      }),
      has_more: page.next !== undefined,
      ...(page.next !== undefined && { next_page_token: page.next }),
    })
  })
  .get('/runs/get-output', (c) => {
    const fake = c.get('fake')
    const id = c.req.query('run_id')
    for (const run of Object.values(fake.state.runs)) {
      const task = run.tasks.find((each) => each.run_id === id)
      if (!task) continue
      return reply({
        metadata: showTask(run, task),
        ...(task.error !== null && { error: task.error, error_trace: task.error }),
        ...(task.result === 'SUCCESS' && {
          notebook_output: {
            result: task.output.slice(0, 5_000_000),
            truncated: task.output.length > 5_000_000,
          },
        }),
      })
    }
    return invalid(`Run ${String(id)} does not exist.`)
  })
  .post('/runs/cancel', async (c) => {
    const fake = c.get('fake')
    const run = runOf(fake, (await body(c as Ctx, 'Jobs.cancel_run')).run_id)
    if (!ENDED.has(run.life)) run.cancel = true
    return reply({})
  })
  .post('/runs/repair', async (c) => {
    const fake = c.get('fake')
    const request = await body(c as Ctx, 'Jobs.repair_run')
    const run = runOf(fake, request.run_id)
    if (!ENDED.has(run.life)) invalid(`Run ${run.run_id} is in progress and can not be repaired.`)
    const last = run.repairs.at(-1)?.id
    if (last !== undefined && String(request.latest_repair_id) !== last)
      invalid('latest_repair_id must name the latest repair of the run.')
    const failed = latest(run)
      .filter((task) => task.result !== 'SUCCESS')
      .map((task) => task.task_key)
    const named =
      request.rerun_all_failed_tasks === true
        ? failed
        : ((request.rerun_tasks as string[] | undefined) ?? [])
    if (named.length === 0) invalid('Nothing to run again.')
    // The job as it is now
    if (run.job_id !== '0') run.settings = structuredClone(jobOf(fake, run.job_id).settings)
    const wanted =
      request.rerun_dependent_tasks === true
        ? chosen(
            run.settings,
            named.map((key) => `${key}+`),
          )
        : named
    run.parameters = {
      ...run.parameters,
      ...(request.job_parameters as Record<string, string> | undefined),
    }
    Object.assign(run, {
      life: 'QUEUED',
      result: null,
      message: '',
      end_time: 0,
      cancel: false,
      wanted,
    })
    const repair = {
      id: nextId(fake.state),
      task_run_ids: [] as string[],
      start_time: fake.now(),
      end_time: 0,
    }
    for (const key of wanted) {
      const before = latest(run).find((task) => task.task_key === key)
      const task = newTask(fake, key, (before?.attempt_number ?? -1) + 1)
      run.tasks.push(task)
      repair.task_run_ids.push(task.run_id)
    }
    run.repairs.push(repair)
    return reply({ repair_id: repair.id })
  })
  .post('/runs/delete', async (c) => {
    const fake = c.get('fake')
    const run = runOf(fake, (await body(c as Ctx, 'Jobs.delete_run')).run_id)
    if (!ENDED.has(run.life)) invalid(`Run ${run.run_id} is active.`)
    delete fake.state.runs[run.run_id]
    return reply({})
  })

function runOf(fake: FakeWorld, run_id: unknown): FakeRun {
  return fake.state.runs[String(run_id)] ?? invalid(`Run ${String(run_id)} does not exist.`)
}

/** A run as the job's own schedule would start it: for tests, and for a fake that keeps time. */
export function startScheduled(fake: FakeWorld, job_id: string): FakeRun {
  const job = jobOf(fake, job_id)
  const tasks = listOf(job.settings.tasks).map((task) => String(task.task_key))
  const parameters = Object.fromEntries(
    listOf(job.settings.parameters).map((each) => [String(each.name), String(each.default)]),
  )
  return newRun(fake, job_id, structuredClone(job.settings), parameters, tasks, 'PERIODIC')
}

function newRun(
  fake: FakeWorld,
  job_id: string,
  settings: Json,
  parameters: Record<string, string>,
  wanted: string[],
  trigger: string,
): FakeRun {
  const run: FakeRun = {
    run_id: nextId(fake.state),
    job_id,
    number_in_job:
      1 + Object.values(fake.state.runs).filter((each) => each.job_id === job_id).length,
    settings,
    life: 'QUEUED',
    result: null,
    message: '',
    trigger,
    start_time: fake.now(),
    end_time: 0,
    tasks: [],
    parameters,
    cancel: false,
    repairs: [],
    wanted,
  }
  run.tasks = wanted.map((key) => newTask(fake, key, 0))
  fake.state.runs[run.run_id] = run
  return run
}

function newTask(fake: FakeWorld, task_key: string, attempt_number: number): FakeTaskRun {
  return {
    task_key,
    run_id: nextId(fake.state),
    attempt_number,
    life: 'QUEUED',
    result: null,
    message: '',
    start_time: 0,
    end_time: 0,
    output: '',
    error: null,
  }
}

/** Of each task its last attempt. */
function latest(run: FakeRun): FakeTaskRun[] {
  const byKey = new Map<string, FakeTaskRun>()
  for (const task of run.tasks) byKey.set(task.task_key, task)
  return [...byKey.values()]
}

/** One look further: queued, pending, running, then a layer of tasks with each look, then the end. */
async function advance(fake: FakeWorld, run: FakeRun): Promise<void> {
  if (ENDED.has(run.life)) return
  const mine = latest(run).filter((task) => run.wanted.includes(task.task_key))
  if (run.cancel) {
    if (run.life !== 'TERMINATING') {
      run.life = 'TERMINATING'
      return
    }
    for (const task of mine.filter((each) => !ENDED.has(each.life)))
      end(fake, task, 'CANCELED', 'Run cancelled.')
    finish(fake, run, 'TERMINATED', 'CANCELED', 'Run cancelled.')
    return
  }
  if (run.life === 'QUEUED' || run.life === 'PENDING') {
    run.life = run.life === 'QUEUED' ? 'PENDING' : 'RUNNING'
    for (const task of mine) task.life = run.life === 'RUNNING' ? 'PENDING' : run.life
    return
  }
  const settings = new Map(listOf(run.settings.tasks).map((task) => [String(task.task_key), task]))
  const states = new Map(latest(run).map((task) => [task.task_key, task]))
  const ready = mine.filter((task) => {
    if (ENDED.has(task.life)) return false
    const needs = listOf(settings.get(task.task_key)?.depends_on).map((each) =>
      states.get(String(each.task_key)),
    )
    return needs.every((need) => need === undefined || ENDED.has(need.life))
  })
  for (const task of ready) {
    const definition = settings.get(task.task_key)
    const needs = listOf(definition?.depends_on).map(
      (each) => states.get(String(each.task_key))?.result ?? 'SUCCESS',
    )
    if (!definition) end(fake, task, 'EXCLUDED', 'The task is not part of the job any more.')
    else if (!mayRun(String(definition.run_if ?? 'ALL_SUCCESS'), needs))
      end(fake, task, 'UPSTREAM_FAILED', 'An upstream task failed.')
    else if (task.life !== 'RUNNING') {
      task.life = 'RUNNING'
      task.start_time = fake.now()
    } else {
      const outcome = await runTask(fake, run, definition)
      task.output = outcome.output ?? ''
      task.error = outcome.ok ? null : (outcome.error ?? 'Task failed.')
      end(fake, task, outcome.ok ? 'SUCCESS' : 'FAILED', outcome.ok ? '' : task.error!)
    }
  }
  if (!mine.every((task) => ENDED.has(task.life))) return
  const failed = mine.filter((task) => task.result === 'FAILED')
  if (failed.length > 0)
    finish(
      fake,
      run,
      'INTERNAL_ERROR',
      'FAILED',
      `Task ${failed[0]!.task_key} failed with message: ${failed[0]!.message}`,
    )
  else finish(fake, run, 'TERMINATED', 'SUCCESS', '')
}

/** A task, or each item of a for_each one after another. */
async function runTask(
  fake: FakeWorld,
  run: FakeRun,
  task: Json,
): Promise<{ ok: boolean; output?: string; error?: string }> {
  const each = task.for_each_task as Json | undefined
  const call = (inner: Json) =>
    fake.execute({ job: run.settings, run_id: run.run_id, task: inner, parameters: run.parameters })
  if (!each) return call(task)
  const items = JSON.parse(String(each.inputs)) as unknown[]
  let failed = 0
  const outputs: string[] = []
  for (const item of items) {
    const text = typeof item === 'string' ? item : JSON.stringify(item)
    const filled = JSON.parse(
      JSON.stringify(each.task).replaceAll('{{input}}', JSON.stringify(text).slice(1, -1)),
    ) as Json
    const outcome = await call(filled)
    if (!outcome.ok) failed++
    outputs.push(outcome.output ?? '')
  }
  return failed > 0
    ? { ok: false, error: `${failed} of ${items.length} iterations failed.` }
    : { ok: true, output: JSON.stringify(outputs) }
}

function mayRun(run_if: string, needs: string[]): boolean {
  const ok = needs.map((result) => result === 'SUCCESS')
  if (run_if === 'ALL_DONE') return true
  if (run_if === 'NONE_FAILED')
    return needs.every((result) => result === 'SUCCESS' || result === 'EXCLUDED')
  if (run_if === 'AT_LEAST_ONE_SUCCESS') return ok.some(Boolean)
  if (run_if === 'AT_LEAST_ONE_FAILED') return ok.some((each) => !each)
  if (run_if === 'ALL_FAILED') return ok.every((each) => !each)
  return ok.every(Boolean)
}

function end(fake: FakeWorld, task: FakeTaskRun, result: string, message: string): void {
  task.life = 'TERMINATED'
  task.result = result
  task.message = message
  task.start_time ||= fake.now()
  task.end_time = fake.now()
}

function finish(
  fake: FakeWorld,
  run: FakeRun,
  life: string,
  result: string,
  message: string,
): void {
  Object.assign(run, { life, result, message, end_time: fake.now() })
  const repair = run.repairs.at(-1)
  if (repair) repair.end_time = fake.now()
}

/** Keys of `only`, with `+` before or after a key for what lies up or down of it. */
function chosen(settings: Json, only: string[]): string[] {
  const tasks = listOf(settings.tasks)
  const up = new Map(
    tasks.map((task) => [
      String(task.task_key),
      listOf(task.depends_on).map((each) => String(each.task_key)),
    ]),
  )
  const found = new Set<string>()
  const reach = (key: string, next: (key: string) => string[]) => {
    for (const each of next(key))
      if (!found.has(each)) {
        found.add(each)
        reach(each, next)
      }
  }
  const down = (key: string) =>
    [...up].filter(([, needs]) => needs.includes(key)).map(([each]) => each)
  for (const word of only) {
    const key = word.replace(/^\+|\+$/g, '')
    if (!up.has(key)) invalid(`The task ${key} is not part of the job.`)
    found.add(key)
    if (word.startsWith('+')) reach(key, (each) => up.get(each) ?? [])
    if (word.endsWith('+')) reach(key, down)
  }
  return tasks.map((task) => String(task.task_key)).filter((key) => found.has(key))
}

function stateOf(life: string, result: string | null, message: string): Json {
  return {
    life_cycle_state: life,
    ...(result !== null && { result_state: result }),
    state_message: message,
    user_cancelled_or_timedout: result === 'CANCELED',
  }
}

function statusOf(life: string, result: string | null, message: string): Json {
  const ended = ENDED.has(life)
  return {
    state: ended ? 'TERMINATED' : life === 'WAITING_FOR_RETRY' ? 'WAITING' : life,
    ...(ended && {
      termination_details: {
        code:
          result === 'SUCCESS'
            ? 'SUCCESS'
            : result === 'CANCELED'
              ? 'USER_CANCELED'
              : 'RUN_EXECUTION_ERROR',
        type: result === 'SUCCESS' ? 'SUCCESS' : 'CLIENT_ERROR',
        message,
      },
    }),
  }
}

function showTask(run: FakeRun, task: FakeTaskRun): Json {
  const definition = listOf(run.settings.tasks).find((each) => each.task_key === task.task_key) ?? {
    task_key: task.task_key,
  }
  return {
    ...definition,
    run_id: task.run_id,
    job_id: run.job_id,
    attempt_number: task.attempt_number,
    state: stateOf(task.life, task.result, task.message),
    status: statusOf(task.life, task.result, task.message),
    start_time: task.start_time,
    end_time: task.end_time,
    run_page_url: `https://workspace.example/#job/${run.job_id}/run/${task.run_id}`,
  }
}

function showRun(run: FakeRun): Json {
  return {
    job_id: run.job_id,
    run_id: run.run_id,
    number_in_job: run.number_in_job,
    original_attempt_run_id: run.run_id,
    attempt_number: 0,
    run_name: String(run.settings.name ?? 'Untitled'),
    run_page_url: `https://workspace.example/#job/${run.job_id}/run/${run.run_id}`,
    run_type: run.job_id === '0' ? 'SUBMIT_RUN' : 'JOB_RUN',
    trigger: run.trigger,
    start_time: run.start_time,
    end_time: run.end_time,
    state: stateOf(run.life, run.result, run.message),
    status: statusOf(run.life, run.result, run.message),
    job_parameters: Object.entries(run.parameters).map(([name, value]) => ({ name, value })),
    tasks: run.tasks.map((task) => showTask(run, task)),
    ...(run.repairs.length > 0 && {
      repair_history: [
        { type: 'ORIGINAL', start_time: run.start_time },
        ...run.repairs.map((repair) => ({ type: 'REPAIR', ...repair })),
      ],
    }),
  }
}
