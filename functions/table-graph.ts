// All tables of an environment in one answer: sources, raw objects and tables with how their last run went, and what is made
// from what. From the metadata, so that a table that never ran has its place too.
import type { State } from '#core/batch.ts'
import type { Db } from '#sql/db.ts'

export const GRAPH_ZONES = ['source', 'raw', 'bronze', 'silver', 'gold'] as const
export type GraphZone = (typeof GRAPH_ZONES)[number]

export type GraphNode = {
  /** A table's own name; `raw:<source>.<name>` and `source:<name>` for what lies before tables. */
  id: string
  zone: GraphZone
  name: string
  group: string | null
  group_id: string | null
  /** The config that makes it; of a fan-in the first by name. */
  config_id: string
  owner: string
  tags: string[]
  description: string
  /** The source's kind, the read mode, or how the table is written. */
  how: string
  /** Approved rules that look at it. */
  rules: number
  /** Of its last run in the environment; null before the first. */
  state: State | null
  warned: boolean
  attempt: number
  batch_id: string | null
  rows_read: number | null
  rows_written: number | null
  rows_rejected: number | null
  bytes_written: number | null
  duration_ms: number | null
  finished_at: Date | null
  error: string | null
  /** When it was last brought up to date. */
  fresh_at: Date | null
}

export type GraphEdge = { from: string; to: string }

/** Every node, in the order of zones and names, and every edge. Two queries, whatever the number of tables. */
export async function readGraph(
  sql: Db,
  environment_id: string,
): Promise<{ nodes: GraphNode[]; edges: GraphEdge[] }> {
  const nodes = await sql<GraphNode[]>`
    with own as (
      select 'source:' || name as id, 'source' as zone, name, null::uuid as group_id, id as config_id, owner, tags, description,
        kind as how, 1 as feeds
      from config.source
      union all
      select 'raw:' || s.name || '.' || r.name, 'raw', s.name || '.' || r.name, r.group_id, r.id, r.owner, r.tags, r.description,
        r.read_mode, 1
      from config.raw_config r join config.source s on s.id = r.source_id
      union all
      select * from (
        select distinct on (b.target) b.target, 'bronze', b.target as name, r.group_id, b.id, b.owner, b.tags, b.description, b.write,
          (count(*) over (partition by b.target))::integer
        from config.bronze_config b join config.raw_config r on r.id = b.raw_id
        order by b.target, b.name, b.id
      ) bronze
      union all
      select target, 'silver', target, group_id, id, owner, tags, description, load_type, 1 from config.silver_config
      union all
      select target, 'gold', target, group_id, id, owner, tags, description, materialisation, 1 from config.gold_config
    ), rules as (
      select target, count(*)::integer as rules from config.dq_rule where status = 'approved' group by target
    )
    select own.id, own.zone, own.name, g.name as "group", own.group_id, own.config_id, own.owner, own.tags, own.description, own.how,
      coalesce(rules.rules, 0) as rules, run.state, coalesce(run.warned, false) as warned, coalesce(run.attempt, 0) as attempt,
      run.batch_id, run.rows_read::float8, run.rows_written::float8, run.rows_rejected::float8, run.bytes_written::float8,
      run.duration_ms::float8, run.finished_at, run.error,
      case when run.state = 'succeeded' then run.finished_at else fresh.finished_at end as fresh_at
    from own
    left join config.source_group g on g.id = own.group_id
    left join rules on rules.target = own.id
    left join lateral (
      -- of a fan-in each config has its own step of the batch: together they are the table's run
      select ${runState(sql)} as state, bool_or(cardinality(warnings) > 0) as warned, max(attempt) as attempt,
        (array_agg(batch_id))[1] as batch_id, sum(rows_read) as rows_read, sum(rows_written) as rows_written,
        sum(rows_quarantined + rows_dropped) as rows_rejected, sum(bytes_written) as bytes_written, sum(duration_ms) as duration_ms,
        max(finished_at) as finished_at, max(error_message) as error
      from (
        select s.*, first_value(s.batch_id) over (order by s.id desc) as newest
        from (
          select r.* from logging.step_run r join logging.batch_run b on b.id = r.batch_id
          where own.zone <> 'source' and r.name = own.name and r.zone = own.zone and b.environment_id = ${environment_id} and b.replay_of is null
          order by r.id desc limit own.feeds
        ) s
      ) last
      where batch_id = newest
      having count(*) > 0
    ) run on true
    left join lateral (
      select r.finished_at from logging.step_run r join logging.batch_run b on b.id = r.batch_id
      where run.state <> 'succeeded' and r.name = own.name and r.zone = own.zone and r.state = 'succeeded'
        and b.environment_id = ${environment_id} and b.replay_of is null
      order by r.id desc limit 1
    ) fresh on true
    order by array_position(array['source', 'raw', 'bronze', 'silver', 'gold'], own.zone), own.name
  `
  const edges = await sql<GraphEdge[]>`
    select 'source:' || s.name as "from", 'raw:' || s.name || '.' || r.name as "to"
    from config.raw_config r join config.source s on s.id = r.source_id
    union
    select 'raw:' || s.name || '.' || r.name, b.target
    from config.bronze_config b join config.raw_config r on r.id = b.raw_id join config.source s on s.id = r.source_id
    union
    select i.target, c.target from config.input i join config.silver_config c on c.id = i.reader_id
    where i.reader_kind = 'silver_config'
    union
    select i.target, c.target from config.input i join config.gold_config c on c.id = i.reader_id
    where i.reader_kind = 'gold_config'
    order by 1, 2
  `
  return { nodes, edges }
}

/** One state for a table's steps in a batch, as logging.table_run has it. */
export function runState(sql: Db) {
  return sql`
    case
      when bool_or(state = 'running') then 'running'
      when bool_or(state = 'waiting') then 'waiting'
      when bool_or(state = 'pending') then
        case when bool_or(attempt > 0 or finished_at is not null) then 'running' else 'pending' end
      when bool_or(state = 'failed') then 'failed'
      when bool_or(state = 'cancelled') then 'cancelled'
      when bool_and(state = 'skipped') then 'skipped'
      else 'succeeded'
    end
  `
}
