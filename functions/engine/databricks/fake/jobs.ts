// Jobs API 2.2 of the fake.
import { Hono } from 'hono'
import { body, invalid, nothing, pageOf, reply } from './answer.ts'
import type { Ctx, FakeUser, FakeWorld } from './answer.ts'
import { checkJob, listOf, shownSettings } from './job-rules.ts'
import { nextId } from './state.ts'
import type { FakeJob, Json } from './state.ts'

type Env = { Variables: { fake: FakeWorld; user: FakeUser } }

/** GET shows at most so many elements of an array at once. */
const ELEMENTS = 100
const PAGED = ['tasks', 'job_clusters', 'environments', 'parameters'] as const

export const jobs = new Hono<Env>()
  .post('/create', async (c) => {
    const fake = c.get('fake')
    const { access_control_list, ...settings } = await body(c as Ctx, 'Jobs.create')
    checkJob(fake, settings, null)
    const job_id = nextId(fake.state)
    const user = c.get('user')
    fake.state.jobs[job_id] = {
      job_id,
      created_time: fake.now(),
      creator: user.name,
      run_as: principalOf(settings.run_as) ?? user.name,
      settings,
    }
    fake.state.acls[`jobs/${job_id}`] = [
      { user_name: user.name, permission_level: 'IS_OWNER' },
      ...(listOf(access_control_list) as never[]),
    ]
    return reply({ job_id })
  })
  .post('/reset', async (c) => {
    const fake = c.get('fake')
    const { job_id, new_settings } = await body(c as Ctx, 'Jobs.reset')
    const job = jobOf(fake, job_id)
    const settings = (new_settings ?? {}) as Json
    checkJob(fake, settings, job.job_id)
    job.settings = settings
    // Without run_as the former one stays
    job.run_as = principalOf(settings.run_as) ?? job.run_as
    return nothing()
  })
  .post('/update', async (c) => {
    const fake = c.get('fake')
    const { job_id, new_settings, fields_to_remove } = await body(c as Ctx, 'Jobs.update')
    const job = jobOf(fake, job_id)
    const merged: Json = { ...job.settings, ...((new_settings ?? {}) as Json) }
    for (const [field, key] of [
      ['tasks', 'task_key'],
      ['job_clusters', 'job_cluster_key'],
    ] as const) {
      const given = listOf(((new_settings ?? {}) as Json)[field])
      if (given.length === 0) continue
      const byKey = new Map(listOf(job.settings[field]).map((each) => [each[key], each]))
      for (const each of given) byKey.set(each[key], each)
      merged[field] = [...byKey.values()]
    }
    for (const path of (fields_to_remove as string[] | undefined) ?? []) {
      const [field, key] = path.split('/')
      if (key === undefined) delete merged[field!]
      else
        merged[field!] = listOf(merged[field!]).filter(
          (each) => (each.task_key ?? each.job_cluster_key) !== key,
        )
    }
    checkJob(fake, merged, job.job_id)
    job.settings = merged
    job.run_as = principalOf(((new_settings ?? {}) as Json).run_as) ?? job.run_as
    return nothing()
  })
  .get('/get', (c) => {
    const fake = c.get('fake')
    const job = jobOf(fake, c.req.query('job_id'))
    const from = Number(c.req.query('page_token') ?? 0)
    const settings = shownSettings(fake, job.settings, true)
    let more = false
    for (const field of PAGED) {
      const list = listOf(settings[field])
      if (list.length > from + ELEMENTS) more = true
      if (list.length === 0) continue
      // A later page leaves out the arrays that have ended
      if (from > 0 && from >= list.length) delete settings[field]
      else settings[field] = list.slice(from, from + ELEMENTS)
    }
    return reply({
      ...head(job),
      run_as_user_name: job.run_as,
      run_as_owner: job.run_as === job.creator,
      settings,
      ...(more && { has_more: true, next_page_token: String(from + ELEMENTS) }),
    })
  })
  .get('/list', (c) => {
    const fake = c.get('fake')
    const name = c.req.query('name')?.toLowerCase()
    const limit = Number(c.req.query('limit') ?? 20)
    if (!(limit >= 1 && limit <= 100)) invalid('limit must be between 1 and 100.')
    const expand = c.req.query('expand_tasks') === 'true'
    const found = Object.values(fake.state.jobs)
      .filter(
        (job) =>
          name === undefined || String(job.settings.name ?? 'Untitled').toLowerCase() === name,
      )
      .sort((a, b) => (BigInt(a.job_id) < BigInt(b.job_id) ? 1 : -1))
    const page = pageOf(found, c.req.query('page_token'), Math.min(limit, fake.page))
    return reply({
      ...(page.items.length > 0 && {
        jobs: page.items.map((job) => {
          const settings = shownSettings(fake, job.settings, expand)
          let more = false
          for (const field of PAGED) {
            const list = listOf(settings[field])
            if (list.length > ELEMENTS) {
              more = true
              settings[field] = list.slice(0, ELEMENTS)
            }
          }
          return { ...head(job), settings, ...(more && { has_more: true }) }
        }),
      }),
      has_more: page.next !== undefined,
      ...(page.next !== undefined && { next_page_token: page.next }),
    })
  })
  .post('/delete', async (c) => {
    const fake = c.get('fake')
    const job = jobOf(fake, (await body(c as Ctx, 'Jobs.delete')).job_id)
    delete fake.state.jobs[job.job_id]
    delete fake.state.acls[`jobs/${job.job_id}`]
    return nothing()
  })

export function jobOf(fake: FakeWorld, job_id: unknown): FakeJob {
  return fake.state.jobs[String(job_id)] ?? invalid(`Job ${String(job_id)} does not exist.`)
}

function head(job: FakeJob): Json {
  return { job_id: job.job_id, created_time: job.created_time, creator_user_name: job.creator }
}

function principalOf(run_as: unknown): string | undefined {
  const value = Object.values((run_as as Record<string, string> | undefined) ?? {})[0]
  return value
}
