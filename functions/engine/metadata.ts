// Metadata for planning: one consistent snapshot of it, one query a table; and plans kept by their hash.
import { buildPlan, indexMetadata } from '#core/build-plan.ts'
import type { Metadata, MetadataIndex } from '#core/build-plan.ts'
import { canonicalJson, planHash } from '#core/plan.ts'
import type { Plan } from '#core/plan.ts'
import type { Db, Sql } from '#sql/db.ts'

/**
 * What the plans of these groups are made of, as of one moment: their own tables, and of other groups' those that they read. Secrets
 * are references in it. Reads in proportion to the groups, not to the whole of the metadata.
 */
export function loadMetadata(sql: Sql, group_ids: readonly string[]): Promise<Metadata> {
  return sql.begin('isolation level repeatable read read only', async (tx) => {
    const [version] = await tx<{ value: string }[]>`select value::text from config.metadata_version`
    const ids = group_ids as string[]
    const groups = await tx<Metadata['groups']>`
      select * from config.source_group where id = any (${ids}::uuid[])
    `
    const raws = await tx<Metadata['raw_configs']>`
      select * from config.raw_config where group_id = any (${ids}::uuid[])
    `
    const bronzes = await tx<Metadata['bronze_configs']>`
      select * from config.bronze_config where raw_id = any (${idsOf(raws)}::uuid[])
    `
    const silvers = await tx<Metadata['silver_configs']>`
      select * from config.silver_config where group_id = any (${ids}::uuid[])
    `
    const golds = await tx<Metadata['gold_configs']>`
      select * from config.gold_config where group_id = any (${ids}::uuid[])
    `
    const own = [...bronzes, ...silvers, ...golds].map((config) => config.target)
    const dq_rules = await tx<Metadata['dq_rules']>`
      select * from config.dq_rule where status = 'approved' and target = any (${own})
    `
    const rule_sets = await tx<Metadata['rule_sets']>`
      select * from config.rule_set where status = 'approved'
    `
    const read = await tx<{ target: string }[]>`
      select distinct target from config.input
      where reader_id = any (${[...idsOf(silvers), ...idsOf(golds), ...idsOf(dq_rules)]}::uuid[])
    `
    const mine = new Set(own)
    const others = [
      ...read.map((row) => row.target),
      ...rule_sets.flatMap((set) => set.rules.map((rule) => rule.options.table)),
    ].filter((table) => typeof table === 'string' && !mine.has(table)) as string[]
    const otherBronzes = await tx<Metadata['bronze_configs']>`
      select * from config.bronze_config where target = any (${others})
    `
    const otherRaws = await tx<Metadata['raw_configs']>`
      select * from config.raw_config where id = any (${otherBronzes.map((each) => each.raw_id)}::uuid[])
    `
    const otherSilvers = await tx<Metadata['silver_configs']>`
      select * from config.silver_config where target = any (${others})
    `
    const otherGolds = await tx<Metadata['gold_configs']>`
      select * from config.gold_config where target = any (${others})
    `
    const raw_configs = [...raws, ...otherRaws]
    const sources = await tx<Metadata['sources']>`
      select * from config.source where id = any (${raw_configs.map((each) => each.source_id)}::uuid[])
    `
    return {
      version: version!.value,
      sources,
      groups,
      raw_configs,
      bronze_configs: [...bronzes, ...otherBronzes],
      silver_configs: [...silvers, ...otherSilvers],
      gold_configs: [...golds, ...otherGolds],
      dq_rules,
      rule_sets,
    }
  })
}

function idsOf(rows: readonly { id: string }[]): string[] {
  return rows.map((row) => row.id)
}

/** A group's plan with its hash and the metadata version that it was made from. */
export type Planned = { plan: Plan; hash: string; metadata_version: string }

/**
 * Plans one group from one snapshot.
 * @throws not_found, plan_cycle, plan_broken
 */
export async function planGroup(sql: Sql, group_id: string): Promise<Planned> {
  const metadata = await loadMetadata(sql, [group_id])
  return planFrom(indexMetadata(metadata), metadata.version, group_id)
}

/** As `planGroup`, for many groups of one snapshot. */
export async function planFrom(
  index: MetadataIndex,
  metadata_version: string,
  group_id: string,
): Promise<Planned> {
  const plan = buildPlan(index, group_id)
  return { plan, hash: await planHash(plan), metadata_version }
}

/** Stores a plan under its hash; one that is there stays. */
export async function keepPlan(db: Db, planned: Planned): Promise<void> {
  await db`
    insert into config.plan (hash, group_id, plan)
    values (${planned.hash}, ${planned.plan.group.id}, ${canonicalJson(planned.plan)}::json)
    on conflict (hash) do nothing
  `
}
