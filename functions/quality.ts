// What the rules have said: a score per table, one rule over time, rules beside batches, and where rows lie in quarantine.
import { Hono } from 'hono'
import { describeRoute } from 'hono-openapi'
import * as v from 'valibot'
import { firstIdAt } from '#core/id.ts'
import type { Db } from '#sql/db.ts'
import { need, validate, wholeNumber } from './request.ts'
import type { Env } from './request.ts'
import { environmentName } from './tables.ts'

const word = v.optional(v.pipe(v.string(), v.maxLength(300)))
const days = v.optional(wholeNumber(1, 3660), '90')
const tags = ['quality']
const DAY_MS = 86_400_000
/** A trend of more says nothing that fewer don't. */
const MOST_RUNS = 400

export const quality = new Hono<Env>()
  .get(
    '/tables',
    describeRoute({
      tags,
      summary: 'Per table: its rules, and the share of row checks that passed, batch by batch',
    }),
    validate('query', v.object({ environment: word, days })),
    async (c) => {
      need(c, 'viewer')
      const sql = c.var.sql
      const query = c.req.valid('query')
      const environment = await environmentName(sql, query.environment)
      const from = await since(sql, query.days)
      const tables = await sql<
        {
          name: string
          zone: string
          approved: number
          open: number
          failing: number
          trend: Score[]
        }[]
      >`
        select t.name, t.zone, rules.approved, rules.open, coalesce(runs.trend, '[]') as trend,
          coalesce((runs.trend -> -1 ->> 'rules_failed')::integer, 0) as failing
        from config.target t
        left join lateral (
          select (count(*) filter (where status = 'approved'))::integer as approved,
            (count(*) filter (where status in ('draft', 'proposed')))::integer as open
          from config.dq_rule where target = t.name
        ) rules on true
        left join lateral (
          select jsonb_agg(to_jsonb(one) order by one.batch_id) as trend
          from (
            select r.batch_id, b.seq::text as seq, max(r.created_at) as at,
              sum(r.rows_checked)::float8 as checked, sum(r.rows_failed)::float8 as failed,
              (count(*) filter (where r.rows_failed > 0))::integer as rules_failed
            from logging.dq_run r join logging.batch_run b on b.id = r.batch_id
            where r.target = t.name and r.id >= ${from}::uuid and b.environment = ${environment} and b.replay_of is null
            group by r.batch_id, b.seq order by r.batch_id desc limit 20
          ) one
        ) runs on true
        where rules.approved + rules.open > 0 or runs.trend is not null
        order by t.name
      `
      return c.json({ items: tables.map((table) => ({ ...table, score: scoreOf(table.trend) })) })
    },
  )
  .get(
    '/trend',
    describeRoute({ tags, summary: 'What one rule said in each batch, oldest first' }),
    validate('query', v.object({ rule: v.pipe(v.string(), v.maxLength(300)), days })),
    async (c) => {
      need(c, 'viewer')
      const sql = c.var.sql
      const { rule, days } = c.req.valid('query')
      const rows = await sql<RuleRun[]>`
        select r.id, r.step_id, r.batch_id, b.seq::text as seq, b.group_name, r.target as "table", r.rows_checked::float8 as rows_checked,
          r.rows_failed::float8 as rows_failed, r.threshold, r.applied, r.on_fail, r.created_at as at
        from logging.dq_run r join logging.batch_run b on b.id = r.batch_id
        where r.rule_id = ${rule} and r.id >= ${await since(sql, days)}::uuid and b.replay_of is null
        order by r.id desc limit ${MOST_RUNS}
      `
      const items = rows.toReversed()
      const [first] = await sql<{ batch_id: string; seq: string; at: Date }[]>`
        select r.batch_id, b.seq::text as seq, r.created_at as at
        from logging.dq_run r join logging.batch_run b on b.id = r.batch_id
        where r.rule_id = ${rule} and r.rows_failed > 0 and b.replay_of is null
        order by r.id limit 1
      `
      return c.json({ items, failing_since: failingSince(items), first_failed: first ?? null })
    },
  )
  .get(
    '/grid',
    describeRoute({ tags, summary: 'Rules beside the last batches, of a table or a group' }),
    validate(
      'query',
      v.object({
        table: word,
        group: word,
        environment: word,
        batches: v.optional(wholeNumber(1, 100), '20'),
      }),
    ),
    async (c) => {
      need(c, 'viewer')
      const sql = c.var.sql
      const { table, group, environment, batches: most } = c.req.valid('query')
      const name = await environmentName(sql, environment)
      const batches = await sql<{ id: string; seq: string; group_name: string; at: Date }[]>`
        select b.id, b.seq::text as seq, b.group_name, b.created_at as at
        from logging.batch_run b
        where b.environment = ${name} and b.replay_of is null
          ${group ? sql`and (b.group_name = ${group} or b.group_id::text = ${group})` : sql``}
          and exists (
            select from logging.dq_run where batch_id = b.id ${table ? sql`and target = ${table}` : sql``}
          )
        order by b.id desc limit ${most}
      `
      const runs = await sql<(RuleRun & { rule_id: string; name: string })[]>`
        select r.id, r.step_id, r.batch_id, r.rule_id, r.name, r.target as "table", r.rows_checked::float8 as rows_checked,
          r.rows_failed::float8 as rows_failed, r.threshold, r.applied, r.on_fail, r.created_at as at
        from logging.dq_run r
        where r.batch_id = any (${batches.map((batch) => batch.id)}::uuid[])
          ${table ? sql`and r.target = ${table}` : sql``}
        order by r.target, r.name
      `
      return c.json({ batches: batches.toReversed(), runs: [...runs] })
    },
  )
  .get(
    '/quarantine',
    describeRoute({ tags, summary: 'Tables whose rows went to quarantine, and by which rules' }),
    validate('query', v.object({ environment: word, days })),
    async (c) => {
      need(c, 'viewer')
      const sql = c.var.sql
      const query = c.req.valid('query')
      const environment = await environmentName(sql, query.environment)
      const from = await since(sql, query.days)
      const items = await sql<QuarantinedTable[]>`
        with run as (
          select s.name, s.zone, s.rows_quarantined, s.batch_id, b.seq::text as seq, b.group_name, s.finished_at
          from logging.step_run s join logging.batch_run b on b.id = s.batch_id
          where s.rows_quarantined > 0 and s.id >= ${from}::uuid
            and b.environment = ${environment} and b.replay_of is null
        )
        select run.name as "table", max(run.zone) as zone, sum(run.rows_quarantined)::float8 as rows_quarantined,
          count(*)::integer as batches, max(run.finished_at) as last_at, max(run.group_name) as group_name,
          (array_agg(run.batch_id order by run.batch_id desc))[1] as last_batch_id,
          (array_agg(run.seq order by run.batch_id desc))[1] as last_seq,
          coalesce((
            select jsonb_agg(jsonb_build_object('rule_id', one.rule_id, 'name', one.name, 'rows_failed', one.failed)
              order by one.failed desc)
            from (
              select r.rule_id, max(r.name) as name, sum(r.rows_failed)::float8 as failed
              from logging.dq_run r join logging.batch_run b on b.id = r.batch_id
              where r.target = run.name and r.on_fail = 'quarantine' and r.applied and r.rows_failed > 0
                and r.id >= ${from}::uuid and b.environment = ${environment} and b.replay_of is null
              group by r.rule_id
            ) one
          ), '[]') as rules
        from run group by run.name order by 3 desc, 1
      `
      return c.json({ items: [...items] })
    },
  )

type Score = {
  batch_id: string
  seq: string
  at: string
  checked: number
  failed: number
  rules_failed: number
}

type RuleRun = {
  id: string
  step_id: string
  batch_id: string
  seq: string
  group_name: string
  table: string
  rows_checked: number
  rows_failed: number
  threshold: number
  applied: boolean
  on_fail: 'warn' | 'drop' | 'quarantine' | 'fail'
  at: Date
}

type QuarantinedTable = {
  table: string
  zone: string
  rows_quarantined: number
  batches: number
  last_at: Date | null
  group_name: string
  last_batch_id: string
  last_seq: string
  rules: { rule_id: string; name: string; rows_failed: number }[]
}

/** The share of row checks that passed in the newest batch, 0 to 1; null where nothing was checked. */
function scoreOf(trend: readonly Score[]): number | null {
  const last = trend.at(-1)
  return last && last.checked > 0 ? 1 - last.failed / last.checked : null
}

/** The batch from which on it has failed each time; null where it passes now. */
function failingSince(items: readonly RuleRun[]): RuleRun | null {
  const passed = items.findLastIndex((item) => item.rows_failed === 0)
  return items[passed + 1] ?? null
}

async function since(sql: Db, days: number): Promise<string> {
  const [clock] = await sql<{ now: Date }[]>`select now() as now`
  return firstIdAt(new Date(clock!.now.getTime() - days * DAY_MS))
}
