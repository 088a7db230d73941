// From metadata to the plan of one group. Pure and deterministic: the same rows in any order give the same plan.
import type { BronzeConfig } from './bronze-config.ts'
import type { DqRule } from './dq-rule.ts'
import { fail } from './errors.ts'
import type { GoldConfig } from './gold-config.ts'
import type { Group } from './group.ts'
import { quoteSpark, splitTable } from './names.ts'
import type {
  BronzeStep,
  GoldStep,
  Plan,
  PlanColumn,
  PlanRule,
  PlanStep,
  RawStep,
  SilverStep,
} from './plan.ts'
import type { RawConfig } from './raw-config.ts'
import { ruleTables, rulesByTable } from './plan-rules.ts'
import type { RuleSet } from './rule-set.ts'
import type { SilverConfig } from './silver-config.ts'
import type { Source } from './source.ts'

/** The rows of one consistent snapshot; `version` is the metadata version that it shows. */
export type Metadata = {
  version: string
  sources: Source[]
  groups: Group[]
  raw_configs: RawConfig[]
  bronze_configs: BronzeConfig[]
  silver_configs: SilverConfig[]
  gold_configs: GoldConfig[]
  dq_rules: DqRule[]
  rule_sets: RuleSet[]
}

/** Columns that bronze adds to those of the raw object. `_source` joins them where several configs feed one table. */
export const BRONZE_COLUMNS: PlanColumn[] = [
  { name: '_batch_id', type: 'string', nullable: false },
  { name: '_source_file', type: 'string', nullable: true },
  { name: '_ingested_at', type: 'timestamp', nullable: false },
  { name: '_row_id', type: 'bigint', nullable: false },
  { name: '_rescued_data', type: 'string', nullable: true },
]
const SOURCE_COLUMN: PlanColumn = { name: '_source', type: 'string', nullable: false }

/** Lookups over one metadata snapshot; made once for many groups, so that planning all of them stays linear. */
export type MetadataIndex = {
  source: Map<string, Source>
  group: Map<string, Group>
  raw: Map<string, RawConfig>
  rawOfGroup: Map<string, RawConfig[]>
  bronzeOfRaw: Map<string, BronzeConfig[]>
  bronzeOfTable: Map<string, BronzeConfig[]>
  silverOfGroup: Map<string, SilverConfig[]>
  goldOfGroup: Map<string, GoldConfig[]>
  /** Table -> the steps that write it, of any group. */
  writers: Map<string, { key: string; group_id: string }[]>
  /** Table -> its columns, those that LakeForge adds included. */
  columns: Map<string, PlanColumn[]>
  rules: Map<string, PlanRule[]>
}

/** Indexes one metadata snapshot. Linear in its rows. */
export function indexMetadata(metadata: Metadata): MetadataIndex {
  const index: MetadataIndex = {
    source: byId(metadata.sources),
    group: byId(metadata.groups),
    raw: byId(metadata.raw_configs),
    rawOfGroup: Map.groupBy(metadata.raw_configs, (row) => row.group_id),
    bronzeOfRaw: Map.groupBy(metadata.bronze_configs, (row) => row.raw_id),
    bronzeOfTable: Map.groupBy(metadata.bronze_configs, (row) => row.target),
    silverOfGroup: Map.groupBy(metadata.silver_configs, (row) => row.group_id),
    goldOfGroup: Map.groupBy(metadata.gold_configs, (row) => row.group_id),
    writers: new Map(),
    columns: new Map(),
    rules: rulesByTable(metadata),
  }
  const writes = (table: string, key: string, group_id: string) => {
    const known = index.writers.get(table)
    if (known) known.push({ key, group_id })
    else index.writers.set(table, [{ key, group_id }])
  }
  for (const config of metadata.bronze_configs) {
    writes(config.target, bronzeKey(index, config), rawOf(index, config).group_id)
    const known = index.columns.get(config.target) ?? []
    const names = new Set(known.map((column) => column.name))
    const more = bronzeColumns(index, config).filter((column) => !names.has(column.name))
    index.columns.set(config.target, [...known, ...more])
  }
  for (const config of metadata.silver_configs) {
    writes(config.target, `silver:${config.target}`, config.group_id)
    index.columns.set(config.target, silverColumns(config))
  }
  for (const config of metadata.gold_configs) {
    writes(config.target, `gold:${config.target}`, config.group_id)
    index.columns.set(config.target, plain(config.columns))
  }
  return index
}

/**
 * The plan of a group; its steps in an order in which each stands after those that it depends on, ties by key. A group without
 * tables has a plan without steps.
 * @throws not_found for an unknown group, plan_cycle naming the tables that wait for each other, plan_broken for a config that
 *   names something which is not there
 */
export function buildPlan(index: MetadataIndex, group_id: string): Plan {
  const group = index.group.get(group_id) ?? fail('not_found', { kind: 'group', name: group_id })
  const raws = index.rawOfGroup.get(group_id) ?? []
  const bronzes = raws.flatMap((config) => index.bronzeOfRaw.get(config.id) ?? [])
  const steps: PlanStep[] = [
    ...raws.map((config) => rawStep(index, group, config)),
    ...bronzes.map((config) => bronzeStep(index, group, config)),
    ...(index.silverOfGroup.get(group_id) ?? []).map((config) => silverStep(index, group, config)),
    ...(index.goldOfGroup.get(group_id) ?? []).map((config) => goldStep(index, group, config)),
  ]
  return {
    format: 1,
    group: {
      id: group.id,
      name: group.name,
      max_parallel: group.max_parallel,
      on_failure: group.on_failure,
    },
    steps: inOrder(steps),
  }
}

/** The columns of a bronze table that this config gives it: pinned ones after their policies, then LakeForge's own. */
export function bronzeColumns(index: MetadataIndex, config: BronzeConfig): PlanColumn[] {
  const policies = new Map(config.column_policies.map((policy) => [policy.column, policy]))
  const columns = rawOf(index, config).columns.flatMap((column): PlanColumn[] => {
    const policy = policies.get(column.name)
    if (policy?.policy === 'exclude') return []
    return [
      {
        name: policy?.rename ?? column.name,
        // A mask or a hash is text, whatever was there
        type: policy?.policy ? 'string' : column.type,
        nullable: column.nullable,
        source_name: column.name,
        ...(policy?.pii && { pii: true }),
      },
    ]
  })
  const fanIn = (index.bronzeOfTable.get(config.target)?.length ?? 1) > 1
  return [...columns, ...BRONZE_COLUMNS, ...(fanIn ? [SOURCE_COLUMN] : [])]
}

/** The query of a silver config as the plan carries it; `analyze` it to learn the columns' types. */
export function silverQuery(
  config: Pick<SilverConfig, 'from' | 'joins' | 'select' | 'where' | 'sequence_by' | 'delete_when'>,
  firstColumns: readonly PlanColumn[],
): string {
  const first = config.from[0] ?? fail('plan_broken', { where: 'silver', what: 'from' })
  const own = new Set([...BRONZE_COLUMNS, SOURCE_COLUMN].map((column) => column.name))
  const select =
    config.select.length > 0
      ? config.select
      : firstColumns
          .filter((column) => !own.has(column.name))
          .map((column) => ({
            name: column.name,
            expression: `${tableSpark(first)}.${quoteSpark(column.name)}`,
          }))
  const expressionOf = (name: string) =>
    select.find((item) => item.name === name)?.expression ?? name
  // An expression may end in a comment: its closing bracket stands on a line of its own
  const item = (expression: string, name: string) => `  (${expression}\n  ) as ${quoteSpark(name)}`
  const items = select.map((each) => item(each.expression, each.name))
  if (config.where !== null) items.push(item(config.where, '__keep'))
  if (config.sequence_by !== null) items.push(item(expressionOf(config.sequence_by), '__sequence'))
  if (config.delete_when !== null) items.push(item(config.delete_when, '__delete'))
  const joins = config.joins.map(
    (join) =>
      `${join.kind} join ${tableSpark(join.table)}${join.alias ? ` as ${quoteSpark(join.alias)}` : ''} on (${join.on}\n)`,
  )
  return [`select\n${items.join(',\n')}`, `from ${tableSpark(first)}`, ...joins].join('\n')
}

function rawStep(index: MetadataIndex, group: Group, config: RawConfig): RawStep {
  const source = index.source.get(config.source_id) ?? broken(config.name, 'source')
  return {
    zone: 'raw',
    key: rawKey(index, config),
    config_id: config.id,
    depends_on: [],
    ...attempts(group, config),
    source: { id: source.id, name: source.name, kind: source.kind, options: source.options },
    name: config.name,
    object: config.object,
    ...(config.extractor === null ? {} : { extractor: config.extractor }),
    format: config.format,
    options: config.options,
    columns: plain(config.columns),
    read_mode: config.read_mode,
    cursor: config.cursor && {
      column: config.cursor.column,
      start: config.cursor.start ?? null,
      lag_s: config.cursor.lag_s ?? null,
    },
    chunking: config.chunking,
    retention_days: config.retention_days,
  }
}

function bronzeStep(index: MetadataIndex, group: Group, config: BronzeConfig): BronzeStep {
  const raw = rawOf(index, config)
  const fanIn = (index.bronzeOfTable.get(config.target)?.length ?? 1) > 1
  const rules = index.rules.get(config.target) ?? []
  const key = bronzeKey(index, config)
  return {
    zone: 'bronze',
    key,
    config_id: config.id,
    depends_on: dependencies(index, group, key, [rawKey(index, raw)], ruleTables(rules)),
    ...attempts(group, config),
    ...tableParts(config, rules),
    columns: bronzeColumns(index, config),
    raw: rawKey(index, raw),
    schema_policy: config.schema_policy,
    write: config.write,
    keys: raw.keys,
    source_tag: fanIn ? (config.source_tag ?? raw.name) : null,
    column_policies: config.column_policies.flatMap(({ column, policy }) =>
      policy ? [{ column, policy }] : [],
    ),
  }
}

function silverStep(index: MetadataIndex, group: Group, config: SilverConfig): SilverStep {
  const tables = [...new Set([...config.from, ...config.joins.map((join) => join.table)])]
  return {
    zone: 'silver',
    ...queryParts(index, group, config, `silver:${config.target}`, tables),
    from: config.from,
    query: silverQuery(config, index.columns.get(config.from[0]!) ?? []),
    has_where: config.where !== null,
    has_delete: config.delete_when !== null,
    has_sequence: config.sequence_by !== null,
    sequence_type: config.derived?.sequence_type ?? null,
    sequence_column: sequenceColumn(config),
    load_type: config.load_type,
    keys: config.keys,
    dedupe: config.dedupe,
  }
}

/** The output column that holds what `sequence_by` says; null when none does. Save refuses that for a merge. */
export function sequenceColumn(
  config: Pick<SilverConfig, 'sequence_by' | 'columns' | 'select'>,
): string | null {
  if (config.sequence_by === null) return null
  const plain = (sql: string) => sql.trim().replace(/^`(.*)`$/, '$1')
  const wanted = plain(config.sequence_by)
  const named = config.columns.find(({ name }) => name.toLowerCase() === wanted.toLowerCase())
  const selected = config.select.find(({ expression }) => plain(expression) === wanted)
  return named?.name ?? selected?.name ?? null
}

function goldStep(index: MetadataIndex, group: Group, config: GoldConfig): GoldStep {
  return {
    zone: 'gold',
    ...queryParts(index, group, config, `gold:${config.target}`, config.derived?.inputs ?? []),
    query: config.query,
    materialisation: config.materialisation,
  }
}

/** What silver and gold steps have in common: a query over `tables`. */
function queryParts(
  index: MetadataIndex,
  group: Group,
  config: SilverConfig | GoldConfig,
  key: string,
  tables: string[],
) {
  const rules = index.rules.get(config.target) ?? []
  return {
    key,
    config_id: config.id,
    depends_on: dependencies(index, group, key, [], [...tables, ...ruleTables(rules)]),
    ...attempts(group, config),
    ...tableParts(config, rules),
    columns: tagged(config),
    inputs: inputs(index, group, config.target, tables),
    lineage: (config.derived?.lineage ?? []).map(({ column, from }) => ({ column, from })),
  }
}

function tableParts(config: BronzeConfig | SilverConfig | GoldConfig, rules: PlanRule[]) {
  return {
    target: config.target,
    rules,
    cluster_by: config.cluster_by,
    properties: config.properties,
    quarantine: config.quarantine,
  }
}

function attempts(group: Group, config: { retries: number | null; timeout_s: number | null }) {
  return {
    retries: config.retries ?? group.retries,
    timeout_s: config.timeout_s ?? group.timeout_s,
  }
}

/** Keys of this group's steps that write the tables; a table of another group is read at its last committed version. */
function dependencies(
  index: MetadataIndex,
  group: Group,
  own: string,
  keys: string[],
  tables: string[],
): string[] {
  const all = new Set(keys)
  for (const table of tables)
    for (const writer of index.writers.get(table) ?? [])
      if (writer.group_id === group.id && writer.key !== own) all.add(writer.key)
  return [...all].sort()
}

function inputs(
  index: MetadataIndex,
  group: Group,
  reader: string,
  tables: string[],
): SilverStep['inputs'] {
  return [...new Set(tables)].sort().map((table) => ({
    table,
    columns: (index.columns.get(table) ?? broken(reader, table)).map(
      ({ name, type, nullable }) => ({
        name,
        type,
        nullable,
      }),
    ),
    external: !(index.writers.get(table) ?? []).some((writer) => writer.group_id === group.id),
  }))
}

/** The columns of a silver table, those included that its load type adds. */
export function silverColumns(
  config: Pick<SilverConfig, 'columns' | 'load_type' | 'derived'>,
): PlanColumn[] {
  const columns = plain(config.columns)
  const type = config.derived?.sequence_type
  if (config.load_type !== 'scd2' || !type) return columns
  return [
    ...columns,
    { name: '__START_AT', type, nullable: false },
    { name: '__END_AT', type, nullable: true },
  ]
}

/**
 * Steps ordered by depth (the longest way from a step without dependencies), then by key. Kahn's algorithm, linear but for the
 * sort; what is left over is a cycle.
 */
function inOrder(steps: PlanStep[]): PlanStep[] {
  const left = new Map(steps.map((step) => [step.key, step.depends_on.length]))
  const after = new Map<string, string[]>()
  for (const step of steps)
    for (const key of step.depends_on) {
      const list = after.get(key)
      if (list) list.push(step.key)
      else after.set(key, [step.key])
    }
  const depth = new Map<string, number>()
  let ready = steps.filter((step) => step.depends_on.length === 0).map((step) => step.key)
  for (let level = 0; ready.length > 0; level++) {
    const next: string[] = []
    for (const key of ready) {
      depth.set(key, level)
      for (const later of after.get(key) ?? []) {
        const waits = left.get(later)! - 1
        left.set(later, waits)
        if (waits === 0) next.push(later)
      }
    }
    ready = next
  }
  if (depth.size < steps.length) fail('plan_cycle', { cycle: cycleAmong(steps, depth).join(' → ') })
  return steps.sort(
    (a, b) => depth.get(a.key)! - depth.get(b.key)! || (a.key < b.key ? -1 : a.key > b.key ? 1 : 0),
  )
}

/** One cycle of those steps that never became ready: walk back along dependencies until a step comes again. */
function cycleAmong(steps: PlanStep[], done: Map<string, number>): string[] {
  const open = new Map(steps.filter((step) => !done.has(step.key)).map((step) => [step.key, step]))
  const path: string[] = []
  let key = [...open.keys()].sort()[0]!
  while (!path.includes(key)) {
    path.push(key)
    key = open.get(key)!.depends_on.filter((each) => open.has(each))[0]!
  }
  return [...path.slice(path.indexOf(key)), key].reverse()
}

function rawOf(index: MetadataIndex, config: BronzeConfig): RawConfig {
  return index.raw.get(config.raw_id) ?? broken(config.target, 'raw config')
}

function rawKey(index: MetadataIndex, config: RawConfig): string {
  return `raw:${index.source.get(config.source_id)?.name ?? broken(config.name, 'source')}.${config.name}`
}

/** `bronze:sales.orders`; where several configs feed the table, each adds its own name. */
function bronzeKey(index: MetadataIndex, config: BronzeConfig): string {
  const fanIn = (index.bronzeOfTable.get(config.target)?.length ?? 1) > 1
  return fanIn ? `bronze:${config.target}:${config.name}` : `bronze:${config.target}`
}

function plain(columns: readonly PlanColumn[]): PlanColumn[] {
  return columns.map(({ name, type, nullable, source_name }) => ({
    name,
    type,
    nullable,
    ...(source_name !== undefined && { source_name }),
  }))
}

/** The columns of a silver or gold config, those tagged as personal marked. */
function tagged(config: SilverConfig | GoldConfig): PlanColumn[] {
  const pii = new Set(config.column_policies.flatMap(({ column, pii }) => (pii ? [column] : [])))
  return plain(config.columns).map((column) =>
    pii.has(column.name) ? { ...column, pii: true } : column,
  )
}

function tableSpark(table: string): string {
  return splitTable(table).map(quoteSpark).join('.')
}

function byId<Row extends { id: string }>(rows: readonly Row[]): Map<string, Row> {
  return new Map(rows.map((row) => [row.id, row]))
}

function broken(where: string, what: string): never {
  return fail('plan_broken', { where, what })
}
