// Silver to gold: queries. Types, inputs and lineage are derived from the SQL at each save.
import { GoldConfigCreate, GoldConfigPatch } from '#core/gold-config.ts'
import type { GoldConfig } from '#core/gold-config.ts'
import { resource } from './resource.ts'
import { checkGold, rederive } from './sql-check.ts'

export const goldConfigs = resource<GoldConfig, typeof GoldConfigCreate, typeof GoldConfigPatch>({
  table: 'gold_config',
  kind: 'gold config',
  create: GoldConfigCreate,
  patch: GoldConfigPatch,
  filters: ['group_id', 'target', 'materialisation'],
  group: (row) => row.group_id,
  derive: (c, row) => checkGold(c.var.sql, c.var.deps.dialect, row),
  after: async (c, tx, row, before) => {
    if (before && JSON.stringify(before.columns) !== JSON.stringify(row.columns))
      await rederive(tx, c.var.deps.dialect, [row.target])
  },
})
