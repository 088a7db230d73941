// What is wanted against what is there, field by field. Both sides are brought to one shape first: lists with keys become maps,
// sets are sorted, empties dropped, names and paths spelled as the server does. Pure.
import { canonicalJson } from '#core/plan.ts'
import type { Kind } from './resource.ts'

export type Value = unknown
type Json = Record<string, Value>

/** Lists whose items have a key: their order says nothing. */
const KEYED: Record<string, string> = {
  tasks: 'task_key',
  job_clusters: 'job_cluster_key',
  environments: 'environment_key',
  parameters: 'name',
  depends_on: 'task_key',
  clusters: 'label',
}
/** Lists that are sets. */
const SETS = new Set([
  'libraries',
  'on_start',
  'on_success',
  'on_failure',
  'on_duration_warning_threshold_exceeded',
  'on_streaming_backlog_exceeded',
  'email_recipients',
  'alerts',
  'notifications',
  'rules',
  'table_names',
])
const PATHS = new Set([
  'notebook_path',
  'path',
  'root_path',
  'metadata_file_path',
  'include',
  'python_file',
])
/** Never returned, so never compared. */
const NEVER = new Set([
  'apply_policy_default_values',
  'allow_duplicate_names',
  'version_id',
  'expected_last_modified',
])
/** Made by the server alone. */
const SERVER = new Set(['format', 'id', 'effective_budget_policy_id', 'effective_usage_policy_id'])

/** One shape for both sides. Reversible by `apiSpec`, but for what says nothing. */
export function canonical(kind: Kind, spec: Json): Json {
  const value = shaped(spec, '') as Json
  for (const key of SERVER) if (kind === 'job' || kind === 'pipeline') delete value[key]
  // One principal, however it is spelled
  if (isMap(value.run_as)) value.run_as = Object.values(value.run_as)[0]
  if (kind === 'pipeline') {
    for (const key of ['catalog', 'schema', 'target'])
      if (typeof value[key] === 'string') value[key] = (value[key] as string).toLowerCase()
    const log = value.event_log as Json | undefined
    if (log)
      for (const key of ['catalog', 'schema'])
        if (typeof log[key] === 'string') log[key] = (log[key] as string).toLowerCase()
    // How many fall under it differs; their kind does not
    if (typeof value.edition === 'string') value.edition = value.edition.toUpperCase()
    if (typeof value.channel === 'string') value.channel = value.channel.toUpperCase()
  }
  return value
}

function shaped(value: Value, field: string): Value {
  if (Array.isArray(value)) {
    const key = KEYED[field]
    if (key !== undefined && value.every((each) => each !== null && typeof each === 'object')) {
      const entries = value.map(
        (each) => [String((each as Json)[key] ?? 'default'), shaped(each, '')] as const,
      )
      return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))
    }
    const items = value.map((each) => shaped(each, ''))
    return SETS.has(field)
      ? items
          .map((each) => [canonicalJson(each), each] as const)
          .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
          .map(([, each]) => each)
      : items
  }
  if (value !== null && typeof value === 'object') {
    const entries: [string, Value][] = []
    for (const [key, inner] of Object.entries(value)) {
      if (NEVER.has(key) || inner === undefined || inner === null) continue
      const next = shaped(inner, key)
      // An empty list or map is as good as none; a zero, a false and an empty text are values
      if (next !== null && typeof next === 'object' && Object.keys(next).length === 0) continue
      entries.push([key, next])
    }
    return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))
  }
  if (typeof value === 'string' && PATHS.has(field)) return plainPath(value)
  return value
}

/** `/Workspace/Users/x/` and `/Users/x` are one object. */
export function plainPath(path: string): string {
  return path.replace(/^\/Workspace(?=\/)/, '').replace(/(?<=.)\/+$/, '')
}

/** Back to what the API takes: maps of keyed things become lists again. */
export function apiSpec(value: Value, field = ''): Value {
  if (Array.isArray(value)) return value.map((each) => apiSpec(each))
  if (value === null || typeof value !== 'object') return value
  const entries = Object.entries(value)
  if (
    field in KEYED &&
    entries.length > 0 &&
    entries.every(([, each]) => each !== null && typeof each === 'object')
  )
    return entries.map(([, each]) => apiSpec(each))
  return Object.fromEntries(entries.map(([key, each]) => [key, apiSpec(each, key)]))
}

export type Difference = {
  /** `tasks.silver-sales-orders.max_retries`; a dot in a key is escaped with a backslash. */
  path: string
  /** Absent: not there. */
  before?: Value
  after?: Value
}

/**
 * Where `live` differs from `wanted`, by path. What is wanted by nobody and there by the server's own habit is no difference:
 * the documented defaults, and what `observed` says the server had added right after our last write.
 */
export function differences(
  kind: Kind,
  wanted: Json,
  live: Json,
  observed: Json = {},
): Difference[] {
  const found: Difference[] = []
  walk(kind, wanted, live, '', false, found, observed)
  return found
}

function walk(
  kind: Kind,
  wanted: Value,
  live: Value,
  path: string,
  entry: boolean,
  found: Difference[],
  observed: Json,
): void {
  if (isMap(wanted) && isMap(live)) {
    const keyed = path.split(/(?<!\\)\./).at(-1)! in KEYED
    for (const key of [...new Set([...Object.keys(wanted), ...Object.keys(live)])].sort())
      walk(kind, wanted[key], live[key], join(path, key), keyed, found, observed)
    return
  }
  if (wanted === undefined) {
    if (isHabit(kind, path, live)) return
    // A whole task that nobody wants is one difference; the fields of something that we have are looked at one by one
    if (isMap(live) && !entry) {
      for (const key of Object.keys(live))
        walk(
          kind,
          undefined,
          live[key],
          join(path, key),
          path.split(/(?<!\\)\./).at(-1)! in KEYED,
          found,
          observed,
        )
      return
    }
    if (path in observed && canonicalJson(observed[path]) === canonicalJson(live)) return
    found.push({ path, before: live })
    return
  }
  if (live === undefined) {
    found.push({ path, after: wanted })
    return
  }
  if (canonicalJson(wanted) !== canonicalJson(live))
    found.push({ path, before: live, after: wanted })
}

/** What the server added on its own, by path: remembered after a write. */
export function additions(kind: Kind, wanted: Json, live: Json): Json {
  return Object.fromEntries(
    differences(kind, wanted, live)
      .filter((each) => each.after === undefined)
      .map((each) => [each.path, each.before]),
  )
}

const ZERO = (value: Value) => value === 0
const ANY = () => true
/** Fields that the server fills in: accepted where nothing else is wanted. Paths with `*` for one key. */
const HABITS: Record<'job' | 'pipeline', [path: RegExp, is: (value: Value) => boolean][]> = {
  job: [
    [/^timeout_seconds$/, ZERO],
    [/^max_concurrent_runs$/, (value) => value === 1],
    [/^(queue|performance_target|run_as|edit_mode)(\.|$)/, ANY],
    [/^name$/, (value) => value === 'Untitled'],
    [/^tasks\.[^.]+(\.for_each_task\.task)?\.run_if$/, (value) => value === 'ALL_SUCCESS'],
    [
      /^tasks\.[^.]+(\.for_each_task\.task)?\.(timeout_seconds|max_retries|min_retry_interval_millis)$/,
      ZERO,
    ],
    [/^tasks\.[^.]+(\.for_each_task\.task)?\.retry_on_timeout$/, (value) => value === false],
    [
      /^tasks\.[^.]+(\.for_each_task\.task)?\.(notebook_task|spark_python_task|dbt_task|sql_task\.file)\.source$/,
      (value) => value === 'WORKSPACE' || value === 'GIT',
    ],
    [/^tasks\.[^.]+\.for_each_task\.concurrency$/, (value) => value === 20],
    [/^tasks\.[^.]+\.pipeline_task\.full_refresh$/, (value) => value === false],
    [
      /^(job_clusters\.[^.]+|tasks\.[^.]+)\.new_cluster\.(aws_attributes|azure_attributes|gcp_attributes|enable_elastic_disk|enable_local_disk_encryption|node_type_id|driver_node_type_id|driver_instance_pool_id|data_security_mode|runtime_engine)(\.|$)/,
      ANY,
    ],
    [/^schedule\.pause_status$/, (value) => value === 'UNPAUSED'],
  ],
  pipeline: [
    [/^storage$/, ANY],
    [/^channel$/, (value) => value === 'CURRENT'],
    [/^edition$/, (value) => value === 'ADVANCED'],
    [/^(continuous|development|photon|serverless)$/, (value) => value === false],
    [/^event_log\.(catalog|schema)$/, ANY],
    [/^run_as$/, ANY],
    [
      /^clusters\.[^.]+\.(label|aws_attributes|azure_attributes|gcp_attributes|enable_elastic_disk|enable_local_disk_encryption|node_type_id|driver_node_type_id|driver_instance_pool_id)(\.|$)/,
      ANY,
    ],
  ],
}

function isHabit(kind: Kind, path: string, live: Value): boolean {
  if (kind !== 'job' && kind !== 'pipeline') return false
  return HABITS[kind].some(([pattern, is]) => pattern.test(path) && is(live))
}

/** Of the differences between wanted and live: what we changed since the last sync, and what somebody changed over there. */
export function threeWay(
  kind: Kind,
  wanted: Json,
  base: Json | null,
  live: Json,
  observed: Json,
): { ours: Difference[]; drift: Difference[] } {
  const all = differences(kind, wanted, live, observed)
  if (base === null) return { ours: all, drift: [] }
  // Where what was applied last still stands, the change is ours; else somebody has been there since
  const moved = new Set(differences(kind, base, live, observed).map((each) => each.path))
  const touched = (path: string) =>
    [...moved].some(
      (each) => each === path || each.startsWith(`${path}.`) || path.startsWith(`${each}.`),
    )
  return {
    ours: all.filter((each) => !touched(each.path)),
    drift: all.filter((each) => touched(each.path)),
  }
}

/** The spec with the values of `fields` (path -> value; undefined takes it away) in it. */
export function withFields(spec: Json, fields: Json): Json {
  const copy = structuredClone(spec)
  for (const [path, value] of Object.entries(fields)) {
    const parts = path.split(/(?<!\\)\./).map((part) => part.replaceAll('\\.', '.'))
    let at: Json = copy
    for (const part of parts.slice(0, -1)) at = (at[part] ??= {}) as Json
    const last = parts.at(-1)!
    if (value === undefined || value === null) delete at[last]
    else at[last] = value
  }
  return copy
}

function join(path: string, key: string): string {
  const safe = key.replaceAll('.', '\\.')
  return path === '' ? safe : `${path}.${safe}`
}

function isMap(value: Value): value is Json {
  return value !== null && typeof value === 'object' && !Array.isArray(value)
}
