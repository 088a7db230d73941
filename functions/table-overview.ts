// One table as its page shows it: who owns it, its columns, where it lies, which configs make it, how its last runs went.
import type { State } from '#core/batch.ts'
import { BRONZE_COLUMNS } from '#core/build-plan.ts'
import { fail } from '#core/errors.ts'
import type { PlanColumn } from '#core/plan.ts'
import type { ColumnPolicy } from '#core/table-config.ts'
import type { Db } from '#sql/db.ts'
import { tableColumns } from './sql-check.ts'
import { runState } from './table-graph.ts'

/** Runs of the strip on the page. */
const RUNS = 30

export type TableRun = {
  batch_id: string
  seq: string
  state: State
  warned: boolean
  attempt: number
  started_at: Date | null
  finished_at: Date | null
  duration_ms: number
  rows_read: number
  rows_written: number
  rows_quarantined: number
  rows_dropped: number
  rows_late: number
  delta_version_after: string | null
  error: string | null
}

export type TableColumn = PlanColumn & {
  pii: boolean
  policy: ColumnPolicy['policy']
  comment: string | null
  /** LakeForge adds it. */
  own: boolean
}

type Config = {
  kind: 'bronze' | 'silver' | 'gold'
  id: string
  name: string
  description: string
  owner: string
  tags: string[]
  group_id: string
  group: string
  raw_id: string | null
  column_policies: ColumnPolicy[]
}

/** @throws not_found for a table that no config writes */
export async function readTable(
  sql: Db,
  name: string,
  environment: { id: string; name: string; engine: string },
  location: string | null,
) {
  const configs = await sql<Config[]>`
    select own.*, g.name as "group" from (
      select 'bronze' as kind, b.id, b.name, b.description, b.owner, b.tags, r.group_id, b.raw_id, b.column_policies
      from config.bronze_config b join config.raw_config r on r.id = b.raw_id where b.target = ${name}
      union all
      select 'silver', id, name, description, owner, tags, group_id, null, column_policies
      from config.silver_config where target = ${name}
      union all
      select 'gold', id, name, description, owner, tags, group_id, null, column_policies
      from config.gold_config where target = ${name}
    ) own join config.source_group g on g.id = own.group_id
    order by own.name, own.id
  `
  const first = configs[0] ?? fail('not_found', { kind: 'table', name })
  const columns = (await tableColumns(sql, [name])).get(name) ?? []
  const runs = await sql<TableRun[]>`
    select r.batch_id, b.seq::text, ${runState(sql)} as state, bool_or(cardinality(r.warnings) > 0) as warned,
      max(r.attempt) as attempt, min(r.started_at) as started_at,
      case when bool_and(r.finished_at is not null) then max(r.finished_at) end as finished_at,
      sum(r.duration_ms)::float8 as duration_ms, sum(r.rows_read)::float8 as rows_read, sum(r.rows_written)::float8 as rows_written,
      sum(r.rows_quarantined)::float8 as rows_quarantined, sum(r.rows_dropped)::float8 as rows_dropped,
      sum(r.rows_late)::float8 as rows_late, max(r.delta_version_after)::text as delta_version_after, max(r.error_message) as error
    from (
      select s.* from logging.step_run s join logging.batch_run b on b.id = s.batch_id
      where s.name = ${name} and s.zone = ${first.kind} and b.environment_id = ${environment.id} and b.replay_of is null
      order by s.id desc limit ${RUNS * configs.length}
    ) r join lateral (select seq from logging.batch_run where id = r.batch_id) b on true
    group by r.batch_id, b.seq order by r.batch_id desc limit ${RUNS}
  `
  const [fresh] = await sql<{ finished_at: Date | null }[]>`
    select s.finished_at from logging.step_run s join logging.batch_run b on b.id = s.batch_id
    where s.name = ${name} and s.zone = ${first.kind} and s.state = 'succeeded' and b.environment_id = ${environment.id}
      and b.replay_of is null
    order by s.id desc limit 1
  `
  const [quality] = await sql<{ rules: number }[]>`
    select count(*)::integer as rules from config.dq_rule where target = ${name} and status = 'approved'
  `
  return {
    name,
    zone: first.kind,
    group_id: first.group_id,
    group: first.group,
    description: configs.map((config) => config.description).find(Boolean) ?? '',
    owner: configs.map((config) => config.owner).find(Boolean) ?? '',
    tags: [...new Set(configs.flatMap((config) => config.tags))],
    environment: environment.name,
    engine: environment.engine,
    /** The folder of the Delta table; null where it is found by name. */
    location,
    columns: columns.map((column) => describe(column, configs)),
    configs: configs.map(({ kind, id, name, raw_id }) => ({ kind, id, name, raw_id })),
    rules: quality?.rules ?? 0,
    fresh_at: fresh?.finished_at ?? null,
    runs: [...runs],
  }
}

const OWN = new Set([
  ...BRONZE_COLUMNS.map((column) => column.name),
  '_source',
  '__START_AT',
  '__END_AT',
])

function describe(column: PlanColumn, configs: readonly Config[]): TableColumn {
  const policy = configs
    .flatMap((config) => config.column_policies)
    .find((each) => (each.rename ?? each.column) === column.name)
  return {
    name: column.name,
    type: column.type,
    nullable: column.nullable,
    ...(column.source_name !== undefined && { source_name: column.source_name }),
    pii: policy?.pii ?? false,
    policy: policy?.policy ?? null,
    comment: policy?.comment ?? null,
    own: OWN.has(column.name),
  }
}
