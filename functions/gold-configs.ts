// Silver to gold: queries. Types, inputs and lineage are derived from the SQL at each save.
import { describeRoute } from 'hono-openapi'
import { GoldConfigCreate, GoldConfigPatch } from '#core/gold-config.ts'
import type { GoldConfig } from '#core/gold-config.ts'
import { GoldPreview, previewGold } from './config-preview.ts'
import { need, validate } from './request.ts'
import { resource } from './resource.ts'
import { checkRulesOf } from './rule-check.ts'
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
    const same = (name: 'columns' | 'tags') =>
      before && JSON.stringify(before[name]) === JSON.stringify(row[name])
    if (same('columns') && same('tags')) return
    const touched = before ? await rederive(tx, c.var.deps.dialect, [row.target]) : []
    await checkRulesOf(tx, c.var.deps.dialect, [row.target, ...touched])
  },
}).post(
  '/preview',
  describeRoute({
    tags: ['gold configs'],
    summary:
      'Columns and some rows that a query would give, before it is saved; with limit 0 only the check',
  }),
  validate('json', GoldPreview),
  async (c) => {
    need(c, 'viewer')
    return c.json(await previewGold(c, c.req.valid('json')))
  },
)
