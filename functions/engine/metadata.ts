// Metadata for planning: one consistent snapshot of it, one query a table; and plans kept by their hash.
import { buildPlan, indexMetadata } from '#core/build-plan.ts'
import type { Metadata, MetadataIndex } from '#core/build-plan.ts'
import { canonicalJson, planHash } from '#core/plan.ts'
import type { Plan } from '#core/plan.ts'
import type { Db, Sql } from '#sql/db.ts'

/** All that plans are made of, as of one moment. Secrets are references in it. */
export function loadMetadata(sql: Sql): Promise<Metadata> {
  return sql.begin('isolation level repeatable read read only', async (tx) => {
    const [version] = await tx<{ value: string }[]>`select value::text from config.metadata_version`
    return {
      version: version!.value,
      sources: await tx<Metadata['sources']>`select * from config.source`,
      groups: await tx<Metadata['groups']>`select * from config.source_group`,
      raw_configs: await tx<Metadata['raw_configs']>`select * from config.raw_config`,
      bronze_configs: await tx<Metadata['bronze_configs']>`select * from config.bronze_config`,
      silver_configs: await tx<Metadata['silver_configs']>`select * from config.silver_config`,
      gold_configs: await tx<Metadata['gold_configs']>`select * from config.gold_config`,
      dq_rules: await tx<
        Metadata['dq_rules']
      >`select * from config.dq_rule where status = 'approved'`,
      rule_sets: await tx<
        Metadata['rule_sets']
      >`select * from config.rule_set where status = 'approved'`,
    }
  })
}

/** A group's plan with its hash and the metadata version that it was made from. */
export type Planned = { plan: Plan; hash: string; metadata_version: string }

/**
 * Plans one group from one snapshot.
 * @throws not_found, plan_cycle, plan_broken
 */
export async function planGroup(sql: Sql, group_id: string): Promise<Planned> {
  const metadata = await loadMetadata(sql)
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
