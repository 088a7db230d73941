// Bronze to silver. Types, inputs and lineage are derived from the SQL at each save.
import { SilverConfigCreate, SilverConfigPatch } from '#core/silver-config.ts'
import type { SilverConfig } from '#core/silver-config.ts'
import { resource } from './resource.ts'
import { checkSilver, rederive } from './sql-check.ts'

export const silverConfigs = resource<
  SilverConfig,
  typeof SilverConfigCreate,
  typeof SilverConfigPatch
>({
  table: 'silver_config',
  kind: 'silver config',
  create: SilverConfigCreate,
  patch: SilverConfigPatch,
  filters: ['group_id', 'target', 'load_type'],
  group: (row) => row.group_id,
  derive: (c, row) => checkSilver(c.var.sql, c.var.deps.dialect, row),
  after: async (c, tx, row, before) => {
    if (before && JSON.stringify(before.columns) !== JSON.stringify(row.columns))
      await rederive(tx, c.var.deps.dialect, [row.target])
  },
})
