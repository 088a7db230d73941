// The configs of tables, zone by zone, and groups: what is declared. And what a draft of a config would give.
import type { JSONParsed } from 'hono/utils/types'
import type { BronzeConfigCreate } from '#core/bronze-config.ts'
import type { DqRule } from '#core/dq-rule.ts'
import type { GoldConfigCreate } from '#core/gold-config.ts'
import type { GroupCreate } from '#core/group.ts'
import type { RawConfigCreate } from '#core/raw-config.ts'
import type { SilverConfigCreate } from '#core/silver-config.ts'
import type { Group } from '#lib/api.ts'
import { client } from '#lib/api/client.ts'
import { read, resource, search, send } from '#lib/api/resource.ts'
import type { BronzeConfig, GoldConfig, RawConfig, SilverConfig } from '#lib/api/tables.ts'

export const rawConfigs = resource<RawConfig, RawConfigCreate>('raw-configs')
export const bronzeConfigs = resource<BronzeConfig, BronzeConfigCreate>('bronze-configs')
export const silverConfigs = resource<SilverConfig, SilverConfigCreate>('silver-configs')
export const goldConfigs = resource<GoldConfig, GoldConfigCreate>('gold-configs')
export const groupConfigs = resource<Group, GroupCreate>('groups')
export const tableRules = resource<JSONParsed<DqRule>, never>('dq-rules')

export type ConfigPreview = {
  columns: { name: string; type: string; nullable: boolean }[]
  inputs: string[]
  rows: unknown[][]
  truncated: boolean
  versions: Record<string, number>
  /** The first table that has no data yet. */
  empty: string | null
}

/** Columns and, with a limit, rows that a draft would give. @throws ApiError with the fields at fault */
export function previewConfig(zone: 'silver' | 'gold', draft: object): Promise<ConfigPreview> {
  return send('POST', `/api/${zone}-configs/preview`, draft)
}

export type SqlFunction = {
  name: string
  category: string
  signature: string
  description: string
  returns: string
  kind: 'scalar' | 'aggregate' | 'window'
}

export async function sqlFunctions(): Promise<SqlFunction[]> {
  return (await read<{ items: SqlFunction[] }>('/api/sql/functions')).items
}

export type RuleResult = {
  name: string
  rule_id: string
  batch_id: string
  rows_checked: number
  rows_failed: number
  applied: boolean
  on_fail: string
  created_at: string
}

/** What the rules of a table said, newest first. */
export function ruleResults(table: string, signal?: AbortSignal): Promise<{ items: RuleResult[] }> {
  return read(`/api/logs/rules${search({ table, limit: '200' })}`, signal)
}

export type Change = {
  id: string
  actor: string
  table_name: string
  row_id: string
  operation: 'insert' | 'update' | 'delete'
  before: Record<string, unknown> | null
  after: Record<string, unknown> | null
  changed_at: string
  origin: string | null
}

/** Changes of one configured thing, newest first. */
export function changesOf(
  table: string,
  row_id: string,
  signal?: AbortSignal,
): Promise<{ items: Change[] }> {
  return read(`/api/changes${search({ table, row_id, limit: '100' })}`, signal)
}

export type Plan = Awaited<ReturnType<typeof planOf>>['plan']

/** What a batch of a group would do. */
export async function planOf(group_id: string, signal?: AbortSignal) {
  return (
    await client.groups[':id'].plan.$get(
      { param: { id: encodeURIComponent(group_id) } },
      { init: { signal } },
    )
  ).json()
}
