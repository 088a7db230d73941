// The plan: what a group's tables are made of, as one plain JSON value that every engine, the dry run and the lineage read.
// Pure: no clock, no ids made here, keys sorted by `canonicalJson`, so equal metadata gives an equal hash.
import * as v from 'valibot'

const text = v.string()
const names = v.array(v.string())

/** A pinned column as the plan carries it. `source_name` only where raw data is read. */
export const PlanColumn = v.object({
  name: text,
  type: text,
  nullable: v.boolean(),
  source_name: v.optional(text),
  /** Its values never show in samples, previews and logs. */
  pii: v.optional(v.boolean()),
})
export type PlanColumn = v.InferOutput<typeof PlanColumn>

/** `_errors` of a quarantine table: each rule that the row failed and that applied. */
export const ERRORS_COLUMN: PlanColumn = {
  name: '_errors',
  type: 'array<struct<rule:string,message:string,columns:array<string>,action:string,batch_id:string,fingerprint:string>>',
  nullable: true,
}

/** A rule as an engine evaluates it: on the transformed rows of its table. */
export const PlanRule = v.object({
  id: text,
  name: text,
  /** A key of CHECKS: not_null, unique, accepted_values, range, regex, referential, expression. */
  check: text,
  options: v.record(text, v.unknown()),
  columns: names,
  /** Databricks SQL; the rule looks only at rows where it is true. Null: at all. */
  filter: v.nullable(text),
  on_fail: v.picklist(['warn', 'drop', 'quarantine', 'fail']),
  /** Share of failing rows, 0 to 1, up to which on_fail does not apply. */
  threshold: v.number(),
  null_passes: v.boolean(),
  fingerprint: text,
})
export type PlanRule = v.InferOutput<typeof PlanRule>

const step = {
  /** Unique in the plan and readable: `bronze:sales.orders`. */
  key: text,
  config_id: text,
  /** Keys of steps of this plan that must succeed first. */
  depends_on: names,
  retries: v.number(),
  timeout_s: v.nullable(v.number()),
}

const table = {
  /** schema.table */
  target: text,
  columns: v.array(PlanColumn),
  rules: v.array(PlanRule),
  cluster_by: names,
  properties: v.record(text, text),
  quarantine: v.boolean(),
}

export const RawStep = v.object({
  zone: v.literal('raw'),
  ...step,
  source: v.object({
    id: text,
    name: text,
    kind: text,
    options: v.record(text, v.unknown()),
  }),
  name: text,
  object: text,
  /** A plug-in of the user's that reads the object, in place of the kind's extractor; only on Spark. */
  extractor: v.optional(text),
  format: v.nullable(text),
  options: v.record(text, v.unknown()),
  columns: v.array(PlanColumn),
  read_mode: v.picklist(['full', 'incremental', 'cdc', 'files', 'push']),
  cursor: v.nullable(
    v.object({ column: text, start: v.nullable(text), lag_s: v.nullable(v.number()) }),
  ),
  chunking: v.nullable(v.record(text, v.unknown())),
  retention_days: v.nullable(v.number()),
})
export type RawStep = v.InferOutput<typeof RawStep>

export const BronzeStep = v.object({
  zone: v.literal('bronze'),
  ...step,
  ...table,
  /** Key of the raw step that feeds this one. */
  raw: text,
  schema_policy: v.picklist(['evolve', 'freeze', 'rescue', 'approve']),
  write: v.picklist(['append', 'replace']),
  /** Keys of the source object; with a cursor lag rows read again are removed by key, cursor and row hash. */
  keys: names,
  /** Fan-in: the value of `_source`; null where one config alone feeds the table. */
  source_tag: v.nullable(text),
  column_policies: v.array(
    v.object({ column: text, policy: v.picklist(['mask', 'hash', 'exclude']) }),
  ),
})
export type BronzeStep = v.InferOutput<typeof BronzeStep>

/** Per output column the input columns that it is made of. */
const lineage = v.array(
  v.object({ column: text, from: v.array(v.object({ table: text, column: text })) }),
)

export const SilverStep = v.object({
  zone: v.literal('silver'),
  ...step,
  ...table,
  /** Tables read; the first one drives incremental load types, the others are read whole. */
  from: names,
  /**
   * One Databricks SQL query over `from` and the joins: the output columns in order, then `__keep` (boolean: where),
   * `__sequence` (sequence_by) and `__delete` (delete_when) for those that the config has. Rows before `where`.
   */
  query: text,
  has_where: v.boolean(),
  has_delete: v.boolean(),
  has_sequence: v.boolean(),
  /** Type of `__sequence`; null without sequence_by. */
  sequence_type: v.nullable(text),
  /** The output column that `__sequence` is; null when it is none. A merge needs it: it tells a target row's sequence. */
  sequence_column: v.nullable(text),
  load_type: v.picklist(['append', 'replace', 'merge', 'scd2', 'cdc', 'snapshot']),
  keys: names,
  dedupe: v.boolean(),
  /** What the engine must register before the query compiles: every table of `from` and the joins with its columns. */
  inputs: v.array(v.object({ table: text, columns: v.array(PlanColumn), external: v.boolean() })),
  lineage: v.optional(lineage),
})
export type SilverStep = v.InferOutput<typeof SilverStep>

export const GoldStep = v.object({
  zone: v.literal('gold'),
  ...step,
  ...table,
  query: text,
  materialisation: v.picklist(['replace', 'incremental']),
  inputs: v.array(v.object({ table: text, columns: v.array(PlanColumn), external: v.boolean() })),
  lineage: v.optional(lineage),
})
export type GoldStep = v.InferOutput<typeof GoldStep>

export const PlanStep = v.variant('zone', [RawStep, BronzeStep, SilverStep, GoldStep])
export type PlanStep = v.InferOutput<typeof PlanStep>
export type Zone = PlanStep['zone']

export const Plan = v.object({
  format: v.literal(1),
  group: v.object({
    id: text,
    name: text,
    max_parallel: v.number(),
    on_failure: v.picklist(['stop', 'continue']),
  }),
  /** In an order in which every step stands after those that it depends on; ties by key. */
  steps: v.array(PlanStep),
})
export type Plan = v.InferOutput<typeof Plan>

/** What one batch adds to its plan. Written once, before the batch starts; a retry reads the same one. */
export const RunInput = v.object({
  format: v.literal(1),
  batch_id: text,
  plan_hash: text,
  group: text,
  environment: text,
  /** Increases by one per group and environment; the version of every Delta `txn` of this batch. A decimal text: it is a bigint. */
  seq: text,
  /** The batch's own instant (ISO, UTC): `_ingested_at` and current_timestamp() in every attempt. */
  batch_time: text,
  /** Per raw step: the watermark of the last manifest before this batch, in the source's own text; null on the first run. */
  watermarks: v.record(text, v.nullable(text)),
})
export type RunInput = v.InferOutput<typeof RunInput>

/**
 * JSON with sorted keys and without `undefined`: equal values give equal text.
 * Arrays keep their order; numbers must be finite.
 */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  if (value !== null && typeof value === 'object') {
    const entries = Object.entries(value)
      .filter(([, inner]) => inner !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    return `{${entries.map(([key, inner]) => `${JSON.stringify(key)}:${canonicalJson(inner)}`).join(',')}}`
  }
  return JSON.stringify(value ?? null)
}

/** sha256 over the canonical JSON, in hex. Web Crypto, so that it runs on Workers too. */
export async function planHash(plan: Plan): Promise<string> {
  const bytes = new TextEncoder().encode(canonicalJson(plan))
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
