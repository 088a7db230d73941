// From rows to a metadata file: names instead of ids, defaults left out, always in the same order, so that two exports of equal
// metadata are equal texts and a difference reads well in a review.
import { Document, isMap, isScalar, isSeq, visit } from 'yaml'
import type * as v from 'valibot'
import { fieldsOf, columnOf, KINDS, labelsOf } from './metadata-kinds.ts'
import type { Kind, Row, State } from './metadata-kinds.ts'
import { normal } from './metadata-draft.ts'
import { canonicalJson } from './plan.ts'

/** A metadata file as a value. */
export type MetadataSet = Record<string, unknown>

/** All of `state` as a metadata file, exported at this metadata version. Kinds without objects are left out. */
export function exportState(state: State, version: string): MetadataSet {
  const of = labelsOf(state)
  const set: MetadataSet = { exported_at_version: Number(version) }
  for (const kind of KINDS) {
    const objects = state[kind.key]
      .map((row) => ({ label: kind.label(row, of), value: fileObject(kind, row, of) }))
      .sort((a, b) => (a.label < b.label ? -1 : a.label > b.label ? 1 : 0))
    if (objects.length > 0) set[kind.key] = objects.map(({ value }) => value)
  }
  return set
}

function fileObject(
  kind: Kind,
  row: Row,
  of: ReturnType<typeof labelsOf>,
): Record<string, unknown> {
  const values = normal(kind, row)
  if (values.target !== undefined && values.name === String(values.target).split('.')[1])
    delete values.name
  return Object.fromEntries(
    fieldsOf(kind).flatMap((field) => {
      const column = columnOf(kind, field)
      const value = withoutDefaults(kind.create.entries[column] as Schema, values[column])
      if (value === undefined) return []
      const ref = kind.refs[field]
      return [[field, ref && typeof value === 'string' ? of(ref.kind, value) : value]]
    }),
  )
}

type Schema = v.GenericSchema & {
  default?: unknown
  wrapped?: Schema
  item?: Schema
  entries?: Record<string, Schema>
}

/** The value without what the schema would fill in again; undefined where that is all of it. */
function withoutDefaults(schema: Schema | undefined, value: unknown): unknown {
  if (value === undefined || schema === undefined) return value
  if (schema.type === 'optional' || schema.type === 'nullable') {
    if (
      schema.type === 'optional' &&
      canonicalJson(schema.default ?? null) === canonicalJson(value)
    )
      return undefined
    return withoutDefaults(schema.wrapped, value)
  }
  if (schema.item && Array.isArray(value))
    return value.map((each) => withoutDefaults(schema.item, each))
  if (schema.entries && value !== null && typeof value === 'object' && !Array.isArray(value))
    return Object.fromEntries(
      Object.entries(value).flatMap(([key, each]) => {
        const left = withoutDefaults(schema.entries![key], each)
        return left === undefined ? [] : [[key, left]]
      }),
    )
  return value
}

/** YAML, with short lists and columns on one line each. */
export function toYaml(set: MetadataSet): string {
  const document = new Document(set, { version: '1.2', aliasDuplicateObjects: false })
  visit(document, {
    Pair: (_, pair) => {
      const { key, value } = pair
      if (!isSeq(value)) return
      if (value.items.every((item) => isScalar(item))) value.flow = true
      else if (isScalar(key) && key.value === 'columns')
        for (const item of value.items) if (isMap(item)) item.flow = true
    },
  })
  return document.toString({ lineWidth: 0, flowCollectionPadding: true })
}

export function toJson(set: MetadataSet): string {
  return `${JSON.stringify(set, null, 2)}\n`
}

/** What belongs to one group: its tables, what they are read from and checked with, and what the group itself refers to. */
export function stateOfGroup(state: State, group_id: string): State {
  const groups = state.groups.filter((row) => row.id === group_id)
  const raw_configs = state.raw_configs.filter((row) => row.group_id === group_id)
  const ids = (rows: Row[], column = 'id') => new Set(rows.map((row) => row[column]))
  const raw = ids(raw_configs)
  const sources = ids(raw_configs, 'source_id')
  const bronze_configs = state.bronze_configs.filter((row) => raw.has(row.raw_id))
  const silver_configs = state.silver_configs.filter((row) => row.group_id === group_id)
  const gold_configs = state.gold_configs.filter((row) => row.group_id === group_id)
  const tables = [...bronze_configs, ...silver_configs, ...gold_configs]
  const targets = ids(tables, 'target')
  const profiles = new Set<unknown>()
  for (let id = groups[0]?.compute_profile_id; id && !profiles.has(id);) {
    profiles.add(id)
    id = state.compute_profiles.find((row) => row.id === id)?.parent_id
  }
  return {
    environments: [],
    schedules: state.schedules.filter((row) => row.id === groups[0]?.schedule_id),
    compute_profiles: state.compute_profiles.filter((row) => profiles.has(row.id)),
    groups,
    sources: state.sources.filter((row) => sources.has(row.id)),
    raw_configs,
    bronze_configs,
    silver_configs,
    gold_configs,
    dq_rules: state.dq_rules.filter((row) => targets.has(row.target)),
    rule_sets: state.rule_sets.filter((row) => tables.some((table) => attached(row, table))),
  }
}

function attached(set: Row, table: Row): boolean {
  const tags = table.tags as string[]
  return (
    (set.attach_tags as string[]).some((tag) => tags.includes(tag)) ||
    (set.attach_tables as string[]).some((pattern) =>
      new RegExp(`^${pattern.replaceAll('.', '[.]').replaceAll('*', '[a-z0-9_]*')}$`).test(
        String(table.target),
      ),
    )
  )
}
