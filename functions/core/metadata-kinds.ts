// The kinds of things that metadata files declare: under which key they stand, which table holds them, how a file names one,
// and by which words it names others. In an order in which each kind stands after those that it refers to.
import type * as v from 'valibot'
import { BronzeConfigCreate } from './bronze-config.ts'
import { ComputeProfileCreate } from './compute-profile.ts'
import { DqRuleCreate } from './dq-rule.ts'
import { EnvironmentCreate } from './environment.ts'
import { GoldConfigCreate } from './gold-config.ts'
import { GroupCreate } from './group.ts'
import { RawConfigCreate } from './raw-config.ts'
import { RuleSetCreate } from './rule-set.ts'
import { ScheduleCreate } from './schedule.ts'
import { SilverConfigCreate } from './silver-config.ts'
import { SourceCreate } from './source.ts'

/** A row of a table of schema config. */
export type Row = Record<string, unknown> & { id: string; name: string }

export type KindKey =
  | 'environments'
  | 'schedules'
  | 'compute_profiles'
  | 'groups'
  | 'sources'
  | 'raw_configs'
  | 'bronze_configs'
  | 'silver_configs'
  | 'gold_configs'
  | 'dq_rules'
  | 'rule_sets'

export type Kind = {
  key: KindKey
  /** The word for one of it. */
  word: string
  /** Table of schema config. */
  table: string
  create: v.GenericSchema<unknown, Record<string, unknown>> & { entries: v.ObjectEntries }
  /** Field of a file -> the column that holds the id, and the kind that it names. */
  refs: Record<string, { column: string; kind: KindKey }>
  /** Columns that belong to one machine or are derived: files neither show nor set them. */
  hidden: readonly string[]
  /** What tells one from the others, and names it in files and lists; `of` gives the label of what an id refers to. */
  label: (row: Row, of: (kind: KindKey, id: string) => string) => string
  /** The same from an object of a file; null where what it takes is not there. `name` stands in for that of the object. */
  fileLabel: (value: Record<string, unknown>, name?: string) => string | null
}

const named = {
  label: (row: Row) => row.name,
  fileLabel: (value: Record<string, unknown>, name?: string) => name ?? text(value.name),
}
/** Known by the table that it writes. */
const byTarget = {
  label: (row: Row) => String(row.target),
  fileLabel: (value: Record<string, unknown>, name?: string) => {
    const target = text(value.target)
    return name === undefined || target === null ? target : within(schemaOf(target), name)
  },
}
const schemaOf = (target: unknown) => String(target).split('.')[0]!
const within = (first: string, name: string) => (name.includes('.') ? name : `${first}.${name}`)
const text = (value: unknown) => (typeof value === 'string' && value !== '' ? value : null)

export const KINDS: readonly Kind[] = [
  {
    key: 'environments',
    word: 'environment',
    table: 'environment',
    create: EnvironmentCreate,
    refs: {},
    // Which home drives it is the matter of that home
    hidden: ['home_id'],
    ...named,
  },
  {
    key: 'schedules',
    word: 'schedule',
    table: 'schedule',
    create: ScheduleCreate,
    refs: {},
    hidden: [],
    ...named,
  },
  {
    key: 'compute_profiles',
    word: 'compute profile',
    table: 'compute_profile',
    create: ComputeProfileCreate,
    refs: { parent: { column: 'parent_id', kind: 'compute_profiles' } },
    hidden: [],
    ...named,
  },
  {
    key: 'groups',
    word: 'group',
    table: 'source_group',
    create: GroupCreate,
    refs: {
      schedule: { column: 'schedule_id', kind: 'schedules' },
      compute_profile: { column: 'compute_profile_id', kind: 'compute_profiles' },
    },
    hidden: [],
    ...named,
  },
  {
    key: 'sources',
    word: 'source',
    table: 'source',
    create: SourceCreate,
    refs: {},
    hidden: [],
    ...named,
  },
  {
    key: 'raw_configs',
    word: 'raw config',
    table: 'raw_config',
    create: RawConfigCreate,
    refs: {
      source: { column: 'source_id', kind: 'sources' },
      group: { column: 'group_id', kind: 'groups' },
    },
    hidden: [],
    label: (row, of) => `${of('sources', String(row.source_id))}.${row.name}`,
    fileLabel: (value, name = text(value.name) ?? undefined) => {
      const source = text(value.source)
      return source === null || name === undefined ? null : within(source, name)
    },
  },
  {
    key: 'bronze_configs',
    word: 'bronze config',
    table: 'bronze_config',
    create: BronzeConfigCreate,
    refs: { raw: { column: 'raw_id', kind: 'raw_configs' } },
    hidden: [],
    label: (row) => `${schemaOf(row.target)}.${row.name}`,
    fileLabel: (value, name = text(value.name) ?? undefined) => {
      const target = text(value.target)
      return target === null || name === undefined ? target : within(schemaOf(target), name)
    },
  },
  {
    key: 'silver_configs',
    word: 'silver config',
    table: 'silver_config',
    create: SilverConfigCreate,
    refs: { group: { column: 'group_id', kind: 'groups' } },
    hidden: ['columns'],
    ...byTarget,
  },
  {
    key: 'gold_configs',
    word: 'gold config',
    table: 'gold_config',
    create: GoldConfigCreate,
    refs: { group: { column: 'group_id', kind: 'groups' } },
    hidden: ['columns'],
    ...byTarget,
  },
  {
    key: 'dq_rules',
    word: 'rule',
    table: 'dq_rule',
    create: DqRuleCreate,
    refs: {},
    hidden: [],
    label: (row) => `${String(row.target)}.${row.name}`,
    fileLabel: (value, name = text(value.name) ?? undefined) => {
      const target = text(value.target)
      return target === null || name === undefined ? null : `${target}.${name}`
    },
  },
  {
    key: 'rule_sets',
    word: 'rule set',
    table: 'rule_set',
    create: RuleSetCreate,
    refs: {},
    hidden: [],
    ...named,
  },
]

export const KIND_KEYS = KINDS.map((kind) => kind.key)
/** The kinds whose rows write a table, `target`. */
export const TABLE_KINDS = ['bronze_configs', 'silver_configs', 'gold_configs'] as const

export function kindOf(key: KindKey): Kind {
  return KINDS.find((kind) => kind.key === key)!
}

/** The fields that a file may give a thing of this kind, in the order in which an export writes them. */
export function fieldsOf(kind: Kind): string[] {
  const byColumn = new Map(Object.entries(kind.refs).map(([field, ref]) => [ref.column, field]))
  return Object.keys(kind.create.entries)
    .filter((column) => !kind.hidden.includes(column))
    .map((column) => byColumn.get(column) ?? column)
}

/** The column behind a field of a file. */
export function columnOf(kind: Kind, field: string): string {
  return kind.refs[field]?.column ?? field
}

/** The field of a file that shows a column. */
export function fieldOf(kind: Kind, column: string): string {
  return Object.keys(kind.refs).find((field) => kind.refs[field]!.column === column) ?? column
}

/** All metadata as rows, by kind. */
export type State = Record<KindKey, Row[]>

/** Labels of rows by id, with those of what they refer to. */
export function labelsOf(state: State): (kind: KindKey, id: string) => string {
  const rows = new Map<KindKey, Map<string, Row>>()
  const of = (key: KindKey, id: string): string => {
    let byId = rows.get(key)
    if (!byId) rows.set(key, (byId = new Map(state[key].map((row) => [row.id, row]))))
    const row = byId.get(id)
    return row ? kindOf(key).label(row, of) : id
  }
  return of
}
