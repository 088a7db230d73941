// Objects of sources, taken to raw.
import { RawConfigCreate, RawConfigPatch } from '#core/raw-config.ts'
import type { RawConfig } from '#core/raw-config.ts'
import { resource } from './resource.ts'
import { checkRulesOf } from './rule-check.ts'
import { checkRaw, rederive, tablesOfRaw } from './sql-check.ts'

export const rawConfigs = resource<RawConfig, typeof RawConfigCreate, typeof RawConfigPatch>({
  table: 'raw_config',
  kind: 'raw config',
  create: RawConfigCreate,
  patch: RawConfigPatch,
  filters: ['source_id', 'group_id', 'read_mode', 'format'],
  group: (row) => row.group_id,
  derive: async (c, row) => {
    await checkRaw(c.var.sql, row)
    return {}
  },
  after: async (c, tx, row, before) => {
    if (before && JSON.stringify(before.columns) !== JSON.stringify(row.columns)) {
      const tables = await tablesOfRaw(tx, row.id)
      const touched = await rederive(tx, c.var.deps.dialect, tables)
      await checkRulesOf(tx, c.var.deps.dialect, [...tables, ...touched])
    }
  },
})
