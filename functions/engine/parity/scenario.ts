// What the corpus is written in: deliveries of files, and for each table a piece of metadata. A table is a case.
import { join } from 'node:path'
import type { BronzeStep, PlanColumn, PlanRule, PlanStep, RawStep, SilverStep } from '#core/plan.ts'
import { columns, fileSteps, goldStep, rule, silverStep } from '#engine/testing.ts'

/** Columns as `name type`, with a comma only between columns: types have none here but within brackets. */
export type Fields = readonly string[]

export type SilverCase = {
  /** What is special about it. */
  case: string
  name: string
  /** Bronze tables, or tables of cases above; the first drives. Default: the scenario's first feed. */
  from?: readonly string[]
  /** Select list over the first table, and what follows it (joins) in `rest`. */
  select: string
  rest?: string
  fields: Fields
  where?: string
  sequence?: { expression: string; type: string; column?: string }
  deletes?: string
  rules?: readonly PlanRule[]
  quarantine?: boolean
} & Partial<Pick<SilverStep, 'load_type' | 'keys' | 'dedupe'>>

export type GoldCase = {
  case: string
  name: string
  from: readonly string[]
  query: string
  fields: Fields
  rules?: readonly PlanRule[]
}

export type Feed = {
  case: string
  name: string
  /** Glob below the scenario's folder. */
  object: string
  fields: Fields
  /** Source names where they differ from the columns'. */
  source_names?: Readonly<Record<string, string>>
  raw?: Partial<RawStep>
  bronze?: Partial<BronzeStep>
}

export type Scenario = {
  name: string
  feeds: readonly Feed[]
  silver?: readonly SilverCase[]
  gold?: readonly GoldCase[]
  /** Per batch: path below the scenario's folder -> text, bytes, or a real file of the package vega-datasets. */
  batches: readonly Readonly<Record<string, string | Uint8Array | { real: string }>>[]
}

/** Lines of a text file. */
export const lines = (...rows: string[]) => `${rows.join('\n')}\n`

/** The steps of a scenario over the files of a folder. */
export function stepsOf(scenario: Scenario, folder: string): PlanStep[] {
  const known = new Map<string, PlanColumn[]>()
  const steps: PlanStep[] = []
  const keyOf = new Map<string, string>()
  for (const feed of scenario.feeds) {
    const target = `b.${feed.name}`
    const cols = columns(...feed.fields).map((column) => {
      const source_name = feed.source_names?.[column.name]
      return source_name === undefined ? column : { ...column, source_name }
    })
    const [raw, bronze] = fileSteps(join(folder), feed.object, target, cols, {
      ...(feed.raw && { raw: feed.raw }),
      ...(feed.bronze && { bronze: feed.bronze }),
    })
    const policies = new Map(bronze.column_policies.map((each) => [each.column, each.policy]))
    bronze.columns = bronze.columns.flatMap((column) => {
      const own = cols.find(({ name }) => name === column.name)
      if (own === undefined) return [column]
      const policy = policies.get(column.name)
      if (policy === 'exclude') return []
      return [{ ...column, source_name: own.name, type: policy ? 'string' : column.type }]
    })
    bronze.column_policies = bronze.column_policies.filter(({ policy }) => policy !== 'exclude')
    steps.push(raw, bronze)
    known.set(target, bronze.columns)
    keyOf.set(target, bronze.key)
  }
  const inputsOf = (tables: readonly string[]) =>
    tables.map((table) => ({ table, columns: known.get(table)!, external: false }))
  for (const silver of scenario.silver ?? []) {
    const from = silver.from ?? [`b.${scenario.feeds[0]!.name}`]
    const { sequence, deletes, where } = silver
    const items = [
      silver.select,
      ...(where ? [`(${where}) as __keep`] : []),
      ...(sequence ? [`(${sequence.expression}) as __sequence`] : []),
      ...(deletes ? [`(${deletes}) as __delete`] : []),
    ]
    const target = `s.${silver.name}`
    const cols = columns(...silver.fields)
    const step = silverStep(
      target,
      `select ${items.join(', ')} from ${from[0]} ${silver.rest ?? ''}`,
      cols,
      inputsOf(from),
      {
        depends_on: [...from, ...references(silver.rules)].map((table) => keyOf.get(table)!),
        load_type: silver.load_type ?? 'append',
        keys: [...(silver.keys ?? [])],
        dedupe: silver.dedupe ?? false,
        rules: [...(silver.rules ?? [])],
        quarantine: silver.quarantine ?? true,
        has_where: where !== undefined,
        has_delete: deletes !== undefined,
        has_sequence: sequence !== undefined,
        sequence_type: sequence?.type ?? null,
        sequence_column: sequence?.column ?? null,
      },
    )
    steps.push(step)
    const history =
      silver.load_type === 'scd2'
        ? columns(`__START_AT ${sequence!.type}`, `__END_AT ${sequence!.type}`)
        : []
    known.set(target, [...cols, ...history])
    keyOf.set(target, step.key)
  }
  for (const gold of scenario.gold ?? []) {
    const target = `g.${gold.name}`
    const cols = columns(...gold.fields)
    const step = goldStep(target, gold.query, cols, inputsOf(gold.from), {
      depends_on: gold.from.map((table) => keyOf.get(table)!),
      rules: [...(gold.rules ?? [])],
    })
    steps.push(step)
    known.set(target, cols)
    keyOf.set(target, step.key)
  }
  return steps
}

function references(rules: readonly PlanRule[] = []): string[] {
  return rules.flatMap((each) => (each.check === 'referential' ? [String(each.options.table)] : []))
}

export { rule }
