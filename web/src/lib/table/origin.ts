// Where each value of a config comes from: set here, the schema's default, the group's, or derived from the SQL. Pure.
import type * as v from 'valibot'
import { BronzeConfigCreate } from '#core/bronze-config.ts'
import { GoldConfigCreate } from '#core/gold-config.ts'
import { RawConfigCreate } from '#core/raw-config.ts'
import { SilverConfigCreate } from '#core/silver-config.ts'
import type { ConfigZone } from '#lib/api/tables.ts'
import { fieldsOf } from '#lib/form/schema.ts'
import { asText } from './diff.ts'

export const SCHEMAS: Record<ConfigZone, v.GenericSchema> = {
  raw: RawConfigCreate,
  bronze: BronzeConfigCreate,
  silver: SilverConfigCreate,
  gold: GoldConfigCreate,
}

export type Origin = 'set' | 'default' | 'inherited' | 'derived'
export type Setting = {
  key: string
  title: string
  hint: string
  value: unknown
  origin: Origin
  /** What it takes the place of, or where it comes from: "the group's 2". */
  note: string
}

type GroupValues = { name: string; retries: number; timeout_s: number | null }

/** Told elsewhere on the page, or only ids. */
const LEFT_OUT = new Set([
  'name',
  'description',
  'owner',
  'tags',
  'group_id',
  'source_id',
  'raw_id',
  'target',
])
const FROM_GROUP = ['retries', 'timeout_s'] as const

/** The settings of a config in the order of its form; those of the group where the config leaves them out. */
export function settingsOf(
  zone: ConfigZone,
  row: Record<string, unknown>,
  group: GroupValues | undefined,
): Setting[] {
  return fieldsOf(SCHEMAS[zone])
    .filter((field) => !LEFT_OUT.has(field.key))
    .map((field): Setting => {
      const { key, title, hint } = field
      const own = row[key] ?? null
      const from = FROM_GROUP.find((each) => each === key)
      if (from && group) {
        const theirs = group[from]
        return own === null
          ? {
              key,
              title,
              hint,
              value: theirs,
              origin: 'inherited',
              note: `from group ${group.name}`,
            }
          : {
              key,
              title,
              hint,
              value: own,
              origin: 'set',
              note: `instead of the group’s ${theirs ?? 'no limit'}`,
            }
      }
      if (key === 'columns' && (zone === 'silver' || zone === 'gold'))
        return {
          key,
          title,
          hint,
          value: own,
          origin: 'derived',
          note: 'from the SQL, at the last save',
        }
      const fallback = field.fallback ?? null
      const is_default = JSON.stringify(own) === JSON.stringify(fallback)
      return { key, title, hint, value: own, origin: is_default ? 'default' : 'set', note: '' }
    })
}

/** A value to be read: names with commas, columns and expressions a line each, anything else as JSON. */
export function settingText(value: unknown): string {
  if (!Array.isArray(value)) return asText(value)
  if (value.every((each) => typeof each === 'string')) return value.join(', ')
  return value
    .map((each: Record<string, unknown>) => {
      if (typeof each.expression === 'string') return `${each.expression} as ${String(each.name)}`
      if (typeof each.name === 'string' && typeof each.type === 'string')
        return `${each.name} ${each.type}${each.nullable === false ? ' not null' : ''}`
      if (typeof each.table === 'string' && typeof each.on === 'string') {
        const alias = typeof each.alias === 'string' ? ` as ${each.alias}` : ''
        return `${String(each.kind)} join ${each.table}${alias} on ${each.on}`
      }
      return Object.entries(each)
        .filter(([, inner]) => inner !== null && inner !== false)
        .map(([key, inner]) => `${key}: ${String(inner)}`)
        .join(', ')
    })
    .join('\n')
}
