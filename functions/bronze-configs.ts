// Raw to bronze.
import { BronzeConfigCreate, BronzeConfigPatch } from '#core/bronze-config.ts'
import type { BronzeConfig } from '#core/bronze-config.ts'
import { resource } from './resource.ts'
import { checkRulesOf } from './rule-check.ts'
import { rederive } from './sql-check.ts'

export const bronzeConfigs = resource<
  BronzeConfig,
  typeof BronzeConfigCreate,
  typeof BronzeConfigPatch
>({
  table: 'bronze_config',
  kind: 'bronze config',
  create: BronzeConfigCreate,
  patch: BronzeConfigPatch,
  filters: ['raw_id', 'target', 'schema_policy'],
  after: async (c, tx, row) => {
    const touched = await rederive(tx, c.var.deps.dialect, [row.target])
    await checkRulesOf(tx, c.var.deps.dialect, [row.target, ...touched])
  },
})
