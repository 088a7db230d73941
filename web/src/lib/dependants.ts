// What a thing in the way of a deletion is called, and where it is looked at. An area adds its tables' addresses here.
import type { Dependant } from '#lib/api/client.ts'
import { paths } from '#lib/paths.ts'
import { tablePaths } from '#lib/table-paths.ts'

const WORDS: Record<string, string> = {
  source_group: 'Group',
  raw_config: 'Raw config',
  bronze_config: 'Bronze table',
  silver_config: 'Silver table',
  gold_config: 'Gold table',
  dq_rule: 'Rule',
  source: 'Source',
  environment: 'Environment',
  compute_profile: 'Compute profile',
}

/** By the name of the store's table. */
const HREFS: Record<string, (of: Dependant) => string> = {
  source: (of) => paths.source(of.id),
  compute_profile: (of) => paths.compute(of.id),
  environment: (of) => paths.environment(of.id),
  token: () => paths.settings('tokens'),
  source_group: (of) => tablePaths.group(of.id),
  raw_config: (of) => tablePaths.config('raw', of.id),
  bronze_config: (of) => tablePaths.table(of.name),
  silver_config: (of) => tablePaths.table(of.name),
  gold_config: (of) => tablePaths.table(of.name),
  dq_rule: (of) => paths.rule(of.id),
}

export function dependantWord(of: Dependant): string {
  const words = of.table_name.replaceAll('_', ' ')
  return WORDS[of.table_name] ?? words.charAt(0).toUpperCase() + words.slice(1)
}

/** Null for what has no page. */
export function dependantHref(of: Dependant): string | null {
  return HREFS[of.table_name]?.(of) ?? null
}
