// The SQL of a draft: types, inputs and lineage of every silver and gold table that it touches or that reads what it changes, in
// the order of their dependencies, and rules against the columns as they will be. Nothing is read from the store.
import { indexMetadata, silverColumns } from '#core/build-plan.ts'
import type { BronzeConfig } from '#core/bronze-config.ts'
import { LakeForgeError } from '#core/errors.ts'
import type { DqRule } from '#core/dq-rule.ts'
import type { FieldError } from '#core/errors.ts'
import type { GoldConfig } from '#core/gold-config.ts'
import { sameRow, wrong } from '#core/metadata-draft.ts'
import type { Draft, Entry } from '#core/metadata-draft.ts'
import type { FileObject } from '#core/metadata-file.ts'
import { kindOf } from '#core/metadata-kinds.ts'
import type { Row, State } from '#core/metadata-kinds.ts'
import { canonicalJson } from '#core/plan.ts'
import { attachedTables } from '#core/plan-rules.ts'
import type { PlanColumn } from '#core/plan.ts'
import type { RawConfig } from '#core/raw-config.ts'
import type { RuleSet } from '#core/rule-set.ts'
import type { SilverConfig } from '#core/silver-config.ts'
import type { Source } from '#core/source.ts'
import { ruleAgainst, setAgainst } from './rule-check.ts'
import { goldOf, silverOf, tablesNamed } from './sql-check.ts'
import type { DialectDoor } from './sql-check.ts'

type Made = { key: 'silver_configs' | 'gold_configs'; row: Row; target: string; reads: string[] }

/**
 * Derives and checks; fills `columns` and `derived` of rows in `draft.after`, adds an entry for each table that only follows, and
 * adds what is wrong to `draft.errors`.
 * @throws sql_check_unavailable where the dialect can't be had
 */
export async function checkDraftSql(draft: Draft, door: DialectDoor): Promise<void> {
  const entryOf = new Map(
    draft.entries.flatMap((entry) => (entry.after ? [[entry.after.id, entry] as const] : [])),
  )
  const before = columnsBefore(draft.before)
  const columns = bronzeColumnsOf(draft.after)
  /** Tables whose columns change, come or go, and the object of the files that does it. */
  const changed = new Map<string, FileObject | null>()
  const bronzeObject = new Map<string, FileObject>()
  const fed = Map.groupBy(draft.after.bronze_configs, (row) => row.raw_id)
  for (const { kind, object, before: was, after } of draft.entries)
    if (object && (kind.key === 'bronze_configs' || kind.key === 'raw_configs'))
      for (const row of [was, after])
        for (const bronze of kind.key === 'raw_configs' ? (fed.get(row?.id) ?? []) : [row])
          if (bronze) bronzeObject.set(String(bronze.target), object)
  const own = new Set(
    [...draft.after.silver_configs, ...draft.after.gold_configs].map((row) => String(row.target)),
  )
  for (const target of new Set([...before.keys(), ...columns.keys()]))
    if (!own.has(target) && !same(before.get(target), columns.get(target)))
      changed.set(target, bronzeObject.get(target) ?? null)

  const columnsOf = async (tables: readonly string[]) =>
    new Map(tables.flatMap((name) => (columns.has(name) ? [[name, columns.get(name)!]] : [])))
  const { order, cycles } = inOrder(madeTables(draft, before))
  for (const cycle of cycles) {
    for (const { row, target } of cycle) {
      const object = entryOf.get(row.id)?.object
      draft.unsure.add(target)
      if (object)
        wrong(
          draft,
          object,
          [],
          `These tables wait for each other: ${cycle.map((each) => each.target).join(', ')}.`,
          'plan_cycle',
        )
    }
  }
  for (const { key, row, target, reads } of order) {
    const entry = entryOf.get(row.id)
    if (reads.some((table) => draft.unsure.has(table))) {
      draft.unsure.add(target)
      continue
    }
    const stale =
      (entry !== undefined &&
        (entry.before === null || row.derived === null || saysOther(key, entry.before, row))) ||
      reads.some((table) => changed.has(table))
    if (stale) {
      try {
        const found =
          key === 'silver_configs'
            ? await silverOf(columnsOf, door, row as unknown as SilverConfig)
            : await goldOf(columnsOf, door, row as unknown as GoldConfig)
        const moved = !same(row.columns as PlanColumn[], found.columns)
        if (entry || moved) Object.assign(row, found)
        if (!entry && moved) draft.entries.push(following(draft, key, row))
      } catch (error) {
        const cause = reads.map((table) => changed.get(table)).find((each) => each != null)
        blame(draft, entry?.object ?? null, cause ?? null, target, error)
        draft.unsure.add(target)
        continue
      }
    }
    columns.set(
      target,
      key === 'silver_configs'
        ? silverColumns(row as unknown as SilverConfig)
        : (row.columns as PlanColumn[]),
    )
    if (!same(before.get(target), columns.get(target))) changed.set(target, entry?.object ?? null)
  }
  await checkRules(draft, door, columnsOf, entryOf, changed)
}

async function checkRules(
  draft: Draft,
  door: DialectDoor,
  columnsOf: Parameters<typeof ruleAgainst>[0],
  entryOf: Map<string, Entry>,
  changed: Map<string, FileObject | null>,
): Promise<void> {
  const kind = kindOf('dq_rules')
  for (const row of draft.after.dq_rules) {
    const rule = row as unknown as DqRule
    const entry = entryOf.get(row.id)
    const tables = [
      rule.target,
      ...(rule.check === 'referential' ? [String(rule.options.table)] : []),
    ]
    if (tables.some((table) => draft.unsure.has(table))) continue
    const declared = entry && (entry.before === null || !sameRow(kind, entry.before, row))
    const touched = tables.find((table) => changed.has(table))
    if (!declared && (touched === undefined || rule.status !== 'approved')) continue
    try {
      await ruleAgainst(columnsOf, door, rule)
    } catch (error) {
      const cause = touched === undefined ? null : (changed.get(touched) ?? null)
      blame(draft, entry?.object ?? null, cause, `${rule.target} (rule ${rule.name})`, error)
    }
  }
  await checkRuleSets(draft, door, columnsOf, entryOf, changed)
}

/** Each set against its tables where it is declared anew; else against those that are new or have changed. */
async function checkRuleSets(
  draft: Draft,
  door: DialectDoor,
  columnsOf: Parameters<typeof ruleAgainst>[0],
  entryOf: Map<string, Entry>,
  changed: Map<string, FileObject | null>,
): Promise<void> {
  const moved = new Map(changed)
  for (const { object, before, after } of draft.entries)
    if (after && 'target' in after && 'tags' in after)
      if (before === null || canonicalJson(before.tags ?? []) !== canonicalJson(after.tags ?? []))
        moved.set(String(after.target), object)
  const kind = kindOf('rule_sets')
  const configs = draft.after as unknown as Parameters<typeof attachedTables>[1]
  for (const row of draft.after.rule_sets) {
    const set = row as unknown as RuleSet
    const entry = entryOf.get(row.id)
    const declared = entry && (entry.before === null || !sameRow(kind, entry.before, row))
    const tables = [...attachedTables(set, configs)].filter((table) => !draft.unsure.has(table))
    if (declared) {
      await setAgainst(columnsOf, door, set, tables).catch((error: unknown) =>
        blame(draft, entry.object, null, `rule set ${set.name}`, error),
      )
    } else {
      for (const table of tables)
        if (moved.has(table))
          await setAgainst(columnsOf, door, set, [table]).catch((error: unknown) =>
            blame(draft, null, moved.get(table) ?? null, `${table} (rule set ${set.name})`, error),
          )
    }
  }
}

/** Says an error of the check where it is to be mended: at its own object, else at the one that broke it. */
function blame(
  draft: Draft,
  object: FileObject | null,
  cause: FileObject | null,
  what: string,
  error: unknown,
): void {
  if (!(error instanceof LakeForgeError) || error.code === 'sql_check_unavailable') throw error
  if (object) {
    const faults: FieldError[] =
      error.errors.length > 0
        ? error.errors
        : [{ path: '', message: `${error.message} ${error.hint}`.trim(), code: error.code }]
    for (const { path, message, code, line } of faults) {
      const keys = path === '' ? [] : path.split('.')
      wrong(draft, object, keys, message, code, line)
    }
    return
  }
  const first = error.errors[0]?.message ?? error.message
  const message = `The table ${what} would no longer work: ${first}`
  if (cause) wrong(draft, cause, [], message, 'breaks_dependant')
  else draft.errors.push({ path: '', message, code: 'breaks_dependant' })
}

function following(draft: Draft, key: Made['key'], row: Row): Entry {
  const kind = kindOf(key)
  const before = draft.before[key].find((each) => each.id === row.id) ?? null
  return { kind, object: null, label: String(row.target), former: null, before, after: row }
}

/** What the types of a table follow from, beside the columns of what it reads. */
const SAYS = {
  silver_configs: [
    'target',
    'from',
    'joins',
    'select',
    'where',
    'load_type',
    'keys',
    'sequence_by',
    'delete_when',
  ],
  gold_configs: ['target', 'query'],
} as const

function saysOther(key: Made['key'], before: Row, after: Row): boolean {
  return SAYS[key].some(
    (column) => canonicalJson(before[column] ?? null) !== canonicalJson(after[column] ?? null),
  )
}

/** Silver and gold tables with those that they read; of gold what is stored, as long as its query stays. */
function madeTables(draft: Draft, before: Map<string, PlanColumn[]>): Made[] {
  const there = new Set(
    [...draft.after.bronze_configs, ...draft.after.silver_configs, ...draft.after.gold_configs]
      .map((row) => String(row.target))
      .concat([...before.keys(), ...draft.unsure]),
  )
  const was = new Map(draft.before.gold_configs.map((row) => [row.id, row]))
  const silver = draft.after.silver_configs.map((row): Made => {
    const config = row as unknown as SilverConfig
    const reads = [...new Set([...config.from, ...config.joins.map((join) => join.table)])]
    return { key: 'silver_configs', row, target: config.target, reads }
  })
  const gold = draft.after.gold_configs.map((row): Made => {
    const config = row as unknown as GoldConfig
    const old = was.get(row.id)
    const inputs = old && old.query === row.query ? config.derived?.inputs : undefined
    const reads = inputs ?? tablesNamed(config.query).filter((table) => there.has(table))
    return { key: 'gold_configs', row, target: config.target, reads }
  })
  return [...silver, ...gold]
}

/** Each after those that it reads; what can't be ordered, as cycles. */
function inOrder(made: Made[]): { order: Made[]; cycles: Made[][] } {
  const byTarget = new Map(made.map((each) => [each.target, each]))
  const state = new Map<Made, 'open' | 'done'>()
  const order: Made[] = []
  const cycles: Made[][] = []
  // Without recursion: a chain may be as long as there are tables
  for (const root of made) {
    const stack: { node: Made; next: number }[] = state.has(root) ? [] : [{ node: root, next: 0 }]
    if (stack.length > 0) state.set(root, 'open')
    while (stack.length > 0) {
      const top = stack.at(-1)!
      const table = top.node.reads[top.next++]
      if (table === undefined) {
        state.set(top.node, 'done')
        order.push(top.node)
        stack.pop()
        continue
      }
      const child = byTarget.get(table)
      if (!child || state.get(child) === 'done') continue
      if (state.get(child) === 'open')
        cycles.push(
          stack.slice(stack.findIndex(({ node }) => node === child)).map(({ node }) => node),
        )
      else {
        state.set(child, 'open')
        stack.push({ node: child, next: 0 })
      }
    }
  }
  return { order, cycles }
}

function columnsBefore(state: State): Map<string, PlanColumn[]> {
  const columns = bronzeColumnsOf(state)
  for (const row of state.silver_configs)
    columns.set(String(row.target), silverColumns(row as unknown as SilverConfig))
  for (const row of state.gold_configs) columns.set(String(row.target), row.columns as PlanColumn[])
  return columns
}

function bronzeColumnsOf(state: State): Map<string, PlanColumn[]> {
  return indexMetadata({
    version: '0',
    sources: state.sources as unknown as Source[],
    groups: [],
    raw_configs: state.raw_configs as unknown as RawConfig[],
    bronze_configs: state.bronze_configs as unknown as BronzeConfig[],
    silver_configs: [],
    gold_configs: [],
    dq_rules: [],
    rule_sets: [],
  }).columns
}

/** Whether names, types and nullability are equal, in order. */
function same(a: readonly PlanColumn[] | undefined, b: readonly PlanColumn[] | undefined): boolean {
  if (a === undefined || b === undefined) return a === b
  return (
    a.length === b.length &&
    a.every((column, index) => {
      const other = b[index]!
      return (
        column.name === other.name &&
        column.type === other.type &&
        column.nullable === other.nullable
      )
    })
  )
}
