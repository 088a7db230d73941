// For tests: steps of plans, built by hand.
import type { BronzeStep, GoldStep, PlanColumn, PlanRule, RawStep, SilverStep } from '#core/plan.ts'

/** `name type` pairs as pinned columns. */
export function columns(...pairs: string[]): PlanColumn[] {
  return pairs.map((pair) => {
    const space = pair.indexOf(' ')
    return { name: pair.slice(0, space), type: pair.slice(space + 1), nullable: true }
  })
}

type Common = Partial<
  Pick<GoldStep, 'retries' | 'timeout_s' | 'depends_on' | 'rules' | 'quarantine'>
>

export function goldStep(
  target: string,
  query: string,
  cols: PlanColumn[],
  inputs: GoldStep['inputs'] = [],
  more: Common = {},
): GoldStep {
  return {
    zone: 'gold',
    key: `gold:${target}`,
    config_id: `config-${target}`,
    depends_on: [],
    retries: 0,
    timeout_s: null,
    target,
    columns: cols,
    rules: [],
    cluster_by: [],
    properties: {},
    quarantine: true,
    query,
    materialisation: 'replace',
    inputs,
    ...more,
  }
}

/** A raw step over files of one folder, and the bronze step that it feeds. `columns` are pinned under their own names. */
export function fileSteps(
  root: string,
  object: string,
  target: string,
  cols: PlanColumn[],
  more: { raw?: Partial<RawStep>; bronze?: Partial<BronzeStep> } = {},
): [RawStep, BronzeStep] {
  const name = target.replace('.', '_')
  const raw: RawStep = {
    zone: 'raw',
    key: `raw:files.${name}`,
    config_id: `config-raw-${name}`,
    depends_on: [],
    retries: 0,
    timeout_s: null,
    source: { id: `source-${name}`, name: 'files', kind: 'files', options: { root } },
    name,
    object,
    format: 'csv',
    options: {},
    columns: cols,
    read_mode: 'files',
    cursor: null,
    chunking: null,
    retention_days: null,
    ...more.raw,
  }
  const bronze: BronzeStep = {
    zone: 'bronze',
    key: `bronze:${target}`,
    config_id: `config-${target}`,
    depends_on: [raw.key],
    retries: 0,
    timeout_s: null,
    target,
    columns: [
      ...cols.map((column) => ({ ...column, source_name: column.name })),
      ...columns(
        '_batch_id string',
        '_source_file string',
        '_ingested_at timestamp',
        '_row_id bigint',
        '_rescued_data string',
      ),
    ],
    rules: [],
    cluster_by: [],
    properties: {},
    quarantine: true,
    raw: raw.key,
    schema_policy: 'evolve',
    write: 'append',
    keys: [],
    source_tag: null,
    column_policies: [],
    ...more.bronze,
  }
  return [raw, bronze]
}

export function silverStep(
  target: string,
  query: string,
  cols: PlanColumn[],
  inputs: SilverStep['inputs'],
  more: Common & Partial<SilverStep> = {},
): SilverStep {
  return {
    zone: 'silver',
    key: `silver:${target}`,
    config_id: `config-${target}`,
    depends_on: [],
    retries: 0,
    timeout_s: null,
    target,
    columns: cols,
    rules: [],
    cluster_by: [],
    properties: {},
    quarantine: true,
    from: inputs.map((input) => input.table),
    query,
    has_where: false,
    has_delete: false,
    has_sequence: false,
    sequence_type: null,
    sequence_column: null,
    load_type: 'append',
    keys: [],
    dedupe: false,
    inputs,
    ...more,
  }
}

/** A rule on columns; `expression` and others take their options in `more`. */
export function rule(
  name: string,
  check: string,
  cols: string[],
  on_fail: PlanRule['on_fail'],
  options: Record<string, unknown> = {},
  more: Partial<PlanRule> = {},
): PlanRule {
  return {
    id: `rule-${name}`,
    name,
    check,
    options,
    columns: cols,
    filter: null,
    on_fail,
    threshold: 0,
    null_passes: false,
    fingerprint: `print-${name}`,
    ...more,
  }
}
