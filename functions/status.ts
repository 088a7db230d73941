// How LakeForge itself is: health for load balancers, metrics for Prometheus, status and doctor for people.
import { Hono } from 'hono'
import { describeRoute } from 'hono-openapi'
import { need } from './request.ts'
import type { Env } from './request.ts'

const tags = ['status']

/** One finding of the doctor. `fix`: what to type or change; null where all is well. */
export type Finding = {
  check: string
  state: 'ok' | 'warning' | 'failed'
  message: string
  fix: string | null
}

/** Outside of `/api`'s identity check: says nothing but whether it lives. */
export const health = new Hono<Env>().get(
  '/',
  describeRoute({ tags, summary: 'Whether LakeForge and its store answer' }),
  async (c) => {
    await c.var.sql`select 1`
    return c.json({ status: 'ok', version: c.var.deps.version })
  },
)

export const status = new Hono<Env>()
  .get(
    '/status',
    describeRoute({ tags, summary: 'Environments, groups, what runs, what comes next' }),
    async (c) => {
      need(c, 'viewer')
      const sql = c.var.sql
      const [version] = await sql<
        { value: string }[]
      >`select value::text from config.metadata_version`
      const environments = await sql<
        { name: string; engine: string; is_default: boolean; schedules_paused: boolean }[]
      >`
      select name, engine, is_default, schedules_paused from config.environment order by not is_default, name
    `
      const groups = await sql<{ name: string; state: string | null; next_run_at: Date | null }[]>`
      select g.name, s.name as schedule, b.id as batch_id, b.state, b.finished_at, t.next_run_at
      from config.source_group g
      left join config.schedule s on s.id = g.schedule_id
      left join lateral (
        select id, state, finished_at from logging.batch_run where group_id = g.id order by id desc limit 1
      ) b on true
      left join lateral (
        select min(next_run_at) as next_run_at from logging.schedule_state where group_id = g.id
      ) t on true
      order by g.name
    `
      const running = await sql<{ id: string; group_name: string; state: string }[]>`
      select id, group_name, environment, state, created_at, started_at from logging.batch_run
      where state in ('pending', 'running', 'waiting') order by id
    `
      return c.json({
        version: c.var.deps.version,
        metadata_version: version!.value,
        engines: Object.keys(c.var.deps.engines),
        environments,
        groups,
        running,
      })
    },
  )
  .get(
    '/doctor',
    describeRoute({ tags, summary: 'What is missing, and how to mend it' }),
    async (c) => {
      need(c, 'admin')
      const findings: Finding[] = []
      const sql = c.var.sql
      const [server] = await sql<{ version: string; user: string }[]>`
      select current_setting('server_version') as version, current_user as "user"
    `
      const major = Number.parseInt(server!.version, 10)
      findings.push(
        major >= 15
          ? {
              check: 'store version',
              state: 'ok',
              message: `PostgreSQL ${server!.version}`,
              fix: null,
            }
          : {
              check: 'store version',
              state: 'failed',
              message: `PostgreSQL ${server!.version} is older than 15.`,
              fix: 'Use PostgreSQL 15 or newer.',
            },
      )
      const [rights] = await sql<{ config: boolean; logging: boolean }[]>`
      select has_schema_privilege('config', 'usage') as config, has_schema_privilege('logging', 'usage') as logging
    `
      const lacking = (['config', 'logging'] as const).filter((schema) => !rights![schema])
      findings.push(
        lacking.length === 0
          ? {
              check: 'store rights',
              state: 'ok',
              message: `${server!.user} may use both schemas.`,
              fix: null,
            }
          : {
              check: 'store rights',
              state: 'failed',
              message: `${server!.user} may not use: ${lacking.join(', ')}.`,
              fix: lacking
                .map(
                  (schema) =>
                    `grant usage, create on schema ${schema} to "${server!.user}"; grant all on all tables in schema ${schema} to "${server!.user}";`,
                )
                .join('\n'),
            },
      )
      const [one] = await sql<{ count: number }[]>`
      select count(*)::integer as count from config.environment where is_default
    `
      findings.push(
        one!.count === 1
          ? { check: 'default environment', state: 'ok', message: 'There is one.', fix: null }
          : {
              check: 'default environment',
              state: 'failed',
              message: 'No environment is the default.',
              fix: 'PATCH /api/environments/:id with {"is_default": true}.',
            },
      )
      findings.push(...((await c.var.deps.doctor?.()) ?? []))
      return c.json({ ok: findings.every((each) => each.state !== 'failed'), findings })
    },
  )
  .get(
    '/metrics',
    describeRoute({ tags, summary: 'Metrics in the text format of Prometheus' }),
    async (c) => {
      need(c, 'viewer')
      const sql = c.var.sql
      const batches = await sql<
        { group_name: string; environment: string; state: string; count: string }[]
      >`
      select group_name, environment, state, count(*)::text as count from logging.batch_run group by 1, 2, 3 order by 1, 2, 3
    `
      const last = await sql<
        { group_name: string; environment: string; seconds: number; finished: number }[]
      >`
      select distinct on (group_name, environment) group_name, environment,
        extract(epoch from finished_at - started_at)::float8 as seconds, extract(epoch from finished_at)::float8 as finished
      from logging.batch_run
      where state = 'succeeded' and started_at is not null
      order by group_name, environment, id desc
    `
      const lines = [
        '# HELP lakeforge_batches Batches by group, environment and state.',
        '# TYPE lakeforge_batches gauge',
        ...batches.map(
          (row) =>
            `lakeforge_batches{${labels(row, ['group_name', 'environment', 'state'])}} ${row.count}`,
        ),
        '# HELP lakeforge_last_success_timestamp_seconds When the last succeeded batch ended.',
        '# TYPE lakeforge_last_success_timestamp_seconds gauge',
        ...last.map(
          (row) =>
            `lakeforge_last_success_timestamp_seconds{${labels(row, ['group_name', 'environment'])}} ${row.finished}`,
        ),
        '# HELP lakeforge_last_success_duration_seconds How long the last succeeded batch took.',
        '# TYPE lakeforge_last_success_duration_seconds gauge',
        ...last.map(
          (row) =>
            `lakeforge_last_success_duration_seconds{${labels(row, ['group_name', 'environment'])}} ${row.seconds}`,
        ),
      ]
      c.header('content-type', 'text/plain; version=0.0.4; charset=utf-8')
      return c.body(`${lines.join('\n')}\n`)
    },
  )

/** https://prometheus.io/docs/instrumenting/exposition_formats/ */
function labels(row: Record<string, unknown>, names: string[]): string {
  return names
    .map(
      (name) =>
        `${name.replace('_name', '')}="${String(row[name]).replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n')}"`,
    )
    .join(',')
}
