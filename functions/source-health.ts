// How sources are: what reads them, and how the newest read of each table went. One answer for a whole list of sources.
import { Hono } from 'hono'
import { describeRoute } from 'hono-openapi'
import * as v from 'valibot'
import { need, validate } from './request.ts'
import type { Env } from './request.ts'

export type SourceHealth = {
  source_id: string
  /** Raw configs that read it, and the groups that they run in. */
  tables: number
  groups: { id: string; name: string }[]
  /** Tables by the state of their newest read; what never ran is in none. */
  succeeded: number
  failed: number
  running: number
  /** When a read last ended. */
  last_read_at: Date | null
  /** Of the newest read that failed and was not mended since. */
  error: { table: string; code: string; message: string; batch_id: string } | null
}

const tags = ['sources']
const Query = v.object({ id: v.optional(v.pipe(v.string(), v.uuid('Give an id: a uuid.'))) })

export const sourceHealth = new Hono<Env>().get(
  '/',
  describeRoute({ tags, summary: 'What reads each source, and how its newest reads went' }),
  validate('query', Query),
  async (c) => {
    need(c, 'viewer')
    const sql = c.var.sql
    const { id } = c.req.valid('query')
    const items = await sql<SourceHealth[]>`
      with read as (
        select s.id as source_id, r.id as raw_id, r.name, r.group_id, l.state, l.finished_at, l.error_code, l.error_message,
          l.batch_id
        from config.source s
        join config.raw_config r on r.source_id = s.id
        left join lateral (
          select step.state, step.finished_at, step.error_code, step.error_message, step.batch_id
          from logging.step_run step
          join logging.batch_run batch on batch.id = step.batch_id
          where step.name = s.name || '.' || r.name and step.zone = 'raw' and step.config_id = r.id
            and batch.replay_of is null
          order by step.id desc limit 1
        ) l on true
        ${id === undefined ? sql`` : sql`where s.id = ${id}`}
      ),
      failure as (
        select distinct on (source_id) source_id, name, error_code, error_message, batch_id
        from read where state = 'failed' and error_code is not null
        order by source_id, finished_at desc nulls last
      )
      select s.id as source_id,
        count(read.raw_id)::integer as tables,
        coalesce((
          select jsonb_agg(jsonb_build_object('id', g.id, 'name', g.name) order by g.name)
          from config.source_group g where g.id in (select group_id from read own where own.source_id = s.id)
        ), '[]') as groups,
        count(*) filter (where read.state = 'succeeded')::integer as succeeded,
        count(*) filter (where read.state = 'failed')::integer as failed,
        count(*) filter (where read.state in ('pending', 'running', 'waiting'))::integer as running,
        max(read.finished_at) as last_read_at,
        (
          select jsonb_build_object('table', name, 'code', error_code, 'message', error_message, 'batch_id', batch_id)
          from failure where failure.source_id = s.id
        ) as error
      from config.source s left join read on read.source_id = s.id
      ${id === undefined ? sql`` : sql`where s.id = ${id}`}
      group by s.id
    `
    return c.json({ items, next: null })
  },
)
