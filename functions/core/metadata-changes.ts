// What a draft changes, in words of files: names instead of ids, one line a field. Shown by a dry run, answered by an apply.
import type { Draft, Entry } from './metadata-draft.ts'
import { normal } from './metadata-draft.ts'
import { fieldOf, labelsOf } from './metadata-kinds.ts'
import type { KindKey } from './metadata-kinds.ts'
import { canonicalJson } from './plan.ts'

export type FieldChange = { path: string; before: unknown; after: unknown }

export const CHANGE_ACTIONS = ['create', 'update', 'rename', 'delete', 'unchanged'] as const

export type Change = {
  kind: string
  name: string
  action: (typeof CHANGE_ACTIONS)[number]
  /** Of a rename, the name before. */
  former?: string
  fields: FieldChange[]
}

/** The change of each entry, in its order. */
export function changesOf(draft: Draft): Change[] {
  const before = labelsOf(draft.before)
  const after = labelsOf(draft.after)
  return draft.entries.map((entry) => {
    const change = { kind: entry.kind.word, name: entry.label }
    if (entry.after === null) return { ...change, action: 'delete', fields: [] }
    if (entry.before === null) return { ...change, action: 'create', fields: [] }
    const fields = differences(shown(entry, 'before', before), shown(entry, 'after', after))
    if (entry.former !== null) return { ...change, action: 'rename', former: entry.former, fields }
    return { ...change, action: fields.length > 0 ? 'update' : 'unchanged', fields }
  })
}

/** How many of each action. */
export function summaryOf(changes: readonly Change[]): Record<Change['action'], number> {
  const summary = { create: 0, update: 0, rename: 0, delete: 0, unchanged: 0 }
  for (const change of changes) summary[change.action]++
  return summary
}

function shown(
  { kind, ...entry }: Entry,
  side: 'before' | 'after',
  of: (kind: KindKey, id: string) => string,
): Record<string, unknown> {
  const row = entry[side]!
  const refs = new Map(Object.values(kind.refs).map((ref) => [ref.column, ref.kind]))
  const values = Object.entries(normal(kind, row)).map(([column, value]): [string, unknown] => {
    const ref = refs.get(column)
    return [fieldOf(kind, column), ref && typeof value === 'string' ? of(ref, value) : value]
  })
  // Columns that follow from SQL are no field of a file, but a change of them is what readers of the table must know
  const derived = kind.hidden.includes('columns') ? [['columns', row.columns] as const] : []
  return Object.fromEntries([...values, ...derived])
}

/** Differences below `path`: inside of mappings and of lists with as many entries, else as a whole. */
function differences(before: unknown, after: unknown, path = ''): FieldChange[] {
  if (canonicalJson(before) === canonicalJson(after)) return []
  const below = (key: string | number) => (path === '' ? String(key) : `${path}.${key}`)
  if (isMapping(before) && isMapping(after))
    return [...new Set([...Object.keys(before), ...Object.keys(after)])].flatMap((key) =>
      differences(before[key], after[key], below(key)),
    )
  if (Array.isArray(before) && Array.isArray(after) && before.length === after.length)
    return before.flatMap((each, index) => differences(each, after[index], below(index)))
  return [{ path, before: before ?? null, after: after ?? null }]
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === 'object' && !Array.isArray(value)
}
