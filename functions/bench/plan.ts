// Planning 10 000 tables: must stay within a second, and linear. Prints both sizes and their ratio.
import { buildPlan, indexMetadata } from '#core/build-plan.ts'
import type { Metadata } from '#core/build-plan.ts'
import { canonicalJson } from '#core/plan.ts'

const stamp = {
  version: 1,
  created_at: new Date(0),
  created_by: '',
  updated_at: new Date(0),
  updated_by: '',
  description: '',
  owner: '',
  tags: [],
}
const table = {
  quarantine: true,
  column_policies: [],
  cluster_by: [],
  properties: {},
  row_filter: null,
  grants: [],
  retries: null,
  timeout_s: null,
}

/** `tables` tables in groups of fifty: each with raw, bronze and silver of ten columns and a rule, every tenth with gold. */
function metadata(tables: number): Metadata {
  const groups = Math.ceil(tables / 50)
  const columns = Array.from({ length: 10 }, (_, n) => ({
    name: `c${n}`,
    type: 'string',
    nullable: true,
  }))
  const rows = Array.from({ length: tables }, (_, n) => ({ n, group_id: `g${n % groups}` }))
  const parts = {
    version: '1',
    sources: [{ ...stamp, id: 's', name: 's', kind: 'files', options: { root: '/data' } }],
    groups: Array.from({ length: groups }, (_, n) => ({
      ...stamp,
      id: `g${n}`,
      name: `g${n}`,
      schedule_id: null,
      compute_profile_id: null,
      max_parallel: 4,
      on_failure: 'continue',
      retries: 2,
      timeout_s: null,
      notify: [],
      budget_month: null,
    })),
    raw_configs: rows.map(({ n, group_id }) => ({
      ...stamp,
      id: `r${n}`,
      name: `t${n}`,
      source_id: 's',
      group_id,
      object: `t${n}.csv`,
      format: 'csv',
      options: {},
      columns,
      keys: [],
      read_mode: 'files',
      cursor: null,
      chunking: null,
      extractor: null,
      retention_days: null,
      retries: null,
      timeout_s: null,
    })),
    bronze_configs: rows.map(({ n }) => ({
      ...stamp,
      ...table,
      id: `b${n}`,
      name: `t${n}`,
      raw_id: `r${n}`,
      target: `bronze.t${n}`,
      source_tag: null,
      schema_policy: 'evolve',
      write: 'append',
    })),
    silver_configs: rows.map(({ n, group_id }) => ({
      ...stamp,
      ...table,
      id: `v${n}`,
      name: `t${n}`,
      group_id,
      target: `silver.t${n}`,
      from: [`bronze.t${n}`],
      joins: [],
      select: [],
      where: null,
      load_type: 'append',
      keys: [],
      sequence_by: null,
      delete_when: null,
      dedupe: false,
      columns,
      derived: { dialect_version: '1', inputs: [`bronze.t${n}`], lineage: [] },
      writer: null,
    })),
    gold_configs: rows
      .filter(({ n }) => n % 10 === 0)
      .map(({ n, group_id }) => ({
        ...stamp,
        ...table,
        id: `o${n}`,
        name: `t${n}`,
        group_id,
        target: `gold.t${n}`,
        query: `select count(*) as n from silver.t${n}`,
        materialisation: 'replace',
        columns: [{ name: 'n', type: 'bigint', nullable: false }],
        derived: { dialect_version: '1', inputs: [`silver.t${n}`], lineage: [] },
        writer: null,
      })),
    dq_rules: rows.map(({ n }) => ({
      ...stamp,
      id: `q${n}`,
      name: 'there',
      target: `silver.t${n}`,
      check: 'not_null',
      columns: ['c0'],
      options: {},
      filter: null,
      on_fail: 'warn',
      threshold: 0,
      null_passes: false,
      status: 'approved',
      origin: 'manual',
      fingerprint: `f${n}`,
    })),
    rule_sets: [],
  }
  return parts as unknown as Metadata
}

function measure(tables: number): { ms: number; steps: number; bytes: number } {
  const source = metadata(tables)
  const started = performance.now()
  const index = indexMetadata(source)
  const plans = source.groups.map((group) => buildPlan(index, group.id))
  const ms = performance.now() - started
  return {
    ms,
    steps: plans.reduce((sum, plan) => sum + plan.steps.length, 0),
    bytes: plans.reduce((sum, plan) => sum + canonicalJson(plan).length, 0),
  }
}

measure(1000)
const small = measure(5_000)
const large = measure(10_000)
console.log(`plan of  5 000 tables: ${small.ms.toFixed(0)} ms, ${small.steps} steps`)
console.log(
  `plan of 10 000 tables: ${large.ms.toFixed(0)} ms, ${large.steps} steps, ${(large.bytes / 2 ** 20).toFixed(1)} MiB of JSON   aim ≤ 1000 ms`,
)
console.log(`twice the tables, ${(large.ms / small.ms).toFixed(2)} × the time   aim: linear`)
