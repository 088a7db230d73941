// Bronze to silver. Types, inputs and lineage are derived from the SQL at each save.
import { describeRoute } from 'hono-openapi'
import { SilverConfigCreate, SilverConfigPatch } from '#core/silver-config.ts'
import type { SilverConfig } from '#core/silver-config.ts'
import { previewSilver, SilverPreview } from './config-preview.ts'
import { need, validate } from './request.ts'
import { resource } from './resource.ts'
import { checkRulesOf } from './rule-check.ts'
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
    const same = (name: 'columns' | 'tags') =>
      before && JSON.stringify(before[name]) === JSON.stringify(row[name])
    if (same('columns') && same('tags')) return
    const touched = before ? await rederive(tx, c.var.deps.dialect, [row.target]) : []
    await checkRulesOf(tx, c.var.deps.dialect, [row.target, ...touched])
  },
}).post(
  '/preview',
  describeRoute({
    tags: ['silver configs'],
    summary:
      'Columns and some rows that a config would give, before it is saved; with limit 0 only the check',
  }),
  validate('json', SilverPreview),
  async (c) => {
    need(c, 'viewer')
    return c.json(await previewSilver(c, c.req.valid('json')))
  },
)
