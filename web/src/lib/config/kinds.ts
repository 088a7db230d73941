// Kinds of configured things whose pages are alike: a list, a form, what uses it, clone, delete.
import type * as v from 'valibot'
import type { JSONParsed } from 'hono/utils/types'
import { ComputeProfileCreate, type ComputeProfile as CoreProfile } from '#core/compute-profile.ts'
import { EnvironmentCreate, type Environment as CoreEnvironment } from '#core/environment.ts'
import { RuleSetCreate, type RuleSet as CoreRuleSet } from '#core/rule-set.ts'
import { resource, type Resource } from '#lib/api/resource.ts'
import { listQuery } from '#lib/list/list.svelte.ts'
import type { ListSpec, ListState } from '#lib/list/state.ts'
import { paths } from '#lib/paths.ts'

export type ConfigRow = {
  id: string
  name: string
  version: number
  description: string
  updated_at: string
  /** How many things depend on it; in lists alone. */
  used_by?: number
}
export type ComputeProfile = JSONParsed<CoreProfile> & { used_by?: number }
export type Environment = JSONParsed<CoreEnvironment> & { used_by?: number }
export type RuleSet = JSONParsed<CoreRuleSet> & { used_by?: number }

export type ConfigKind<Row extends ConfigRow> = {
  one: string
  many: string
  /** Of the API, and the first part of its queries' keys. */
  collection: string
  schema: v.GenericSchema
  api: Resource<Row, never>
  spec: ListSpec
  list: (state: ListState) => ReturnType<typeof listQuery<Row>>
  href: {
    list: () => string
    one: (id: string) => string
    new: (from?: string) => string
  }
}

function kind<Row extends ConfigRow>(of: Omit<ConfigKind<Row>, 'api' | 'list'>): ConfigKind<Row> {
  const api = resource<Row, never>(of.collection)
  const list = (query: Record<string, string | undefined>, signal?: AbortSignal) =>
    api.list({ ...query, include: [query.include, 'used'].filter(Boolean).join(',') }, signal)
  return { ...of, api, list: (state) => listQuery(of.collection, list, state) }
}

export const COMPUTE = kind<ComputeProfile>({
  one: 'compute profile',
  many: 'compute profiles',
  collection: 'compute-profiles',
  schema: ComputeProfileCreate,
  spec: { filters: ['mode'] },
  href: { list: paths.computes, one: paths.compute, new: paths.newCompute },
})

export const ENVIRONMENTS = kind<Environment>({
  one: 'environment',
  many: 'environments',
  collection: 'environments',
  schema: EnvironmentCreate,
  spec: { filters: ['engine'] },
  href: { list: paths.environments, one: paths.environment, new: paths.newEnvironment },
})

export const RULE_SETS = kind<RuleSet>({
  one: 'rule set',
  many: 'rule sets',
  collection: 'rule-sets',
  schema: RuleSetCreate,
  spec: { filters: ['status'] },
  href: { list: paths.ruleSets, one: paths.ruleSet, new: paths.newRuleSet },
})
