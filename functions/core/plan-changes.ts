// What differs between two plans of a group, in words that a person can read: steps that came or went, settings that changed,
// columns that were added, removed or retyped. Pure.
import { canonicalJson } from './plan.ts'
import type { Plan, PlanStep } from './plan.ts'

export type PlanChange = {
  step: string
  change: 'added' | 'removed' | 'changed'
  /** What changed in a step that both have; `path` is like `rules.amount_known.on_fail`. */
  settings: { path: string; before: unknown; after: unknown }[]
}

export type ColumnChange = {
  step: string
  column: string
  change: 'added' | 'removed' | 'retyped'
  before: string | null
  after: string | null
}

/** Follow from other settings, or from the engine: a difference in them alone tells nobody anything. */
const DERIVED = new Set(['columns', 'inputs', 'lineage', 'depends_on', 'key', 'config_id'])

/** Steps in the order of `after`, those that are gone at the end. Empty for equal plans. */
export function planChanges(before: Plan, after: Plan): PlanChange[] {
  const old = new Map(before.steps.map((step) => [step.key, step]))
  const changes: PlanChange[] = []
  if (canonicalJson(before.group) !== canonicalJson(after.group)) {
    const settings = differences(before.group, after.group)
    if (settings.length > 0) changes.push({ step: 'group', change: 'changed', settings })
  }
  for (const step of after.steps) {
    const was = old.get(step.key)
    old.delete(step.key)
    if (!was) changes.push({ step: step.key, change: 'added', settings: [] })
    else {
      const settings = differences(comparable(was), comparable(step))
      if (settings.length > 0) changes.push({ step: step.key, change: 'changed', settings })
    }
  }
  for (const key of old.keys()) changes.push({ step: key, change: 'removed', settings: [] })
  return changes
}

/** Columns of the steps that both plans have. Names are compared as they are written. */
export function columnChanges(before: Plan, after: Plan): ColumnChange[] {
  const old = new Map(before.steps.map((step) => [step.key, step]))
  const changes: ColumnChange[] = []
  for (const step of after.steps) {
    const was = old.get(step.key)
    if (!was) continue
    const types = new Map(was.columns.map((column) => [column.name, column.type]))
    for (const { name, type } of step.columns) {
      const former = types.get(name)
      types.delete(name)
      if (former === undefined)
        changes.push({ step: step.key, column: name, change: 'added', before: null, after: type })
      else if (former !== type)
        changes.push({
          step: step.key,
          column: name,
          change: 'retyped',
          before: former,
          after: type,
        })
    }
    for (const [name, type] of types)
      changes.push({ step: step.key, column: name, change: 'removed', before: type, after: null })
  }
  return changes
}

/** A step without what is derived; rules by their name, so that a new one in the middle moves none. */
function comparable(step: PlanStep): Record<string, unknown> {
  const kept = Object.entries(step).filter(([name]) => !DERIVED.has(name))
  return Object.fromEntries(
    kept.map(([name, value]) => [
      name,
      name === 'rules' && 'rules' in step
        ? Object.fromEntries(
            step.rules.map(({ id: _id, fingerprint: _print, name: rule, ...rest }) => [rule, rest]),
          )
        : value,
    ]),
  )
}

function differences(before: unknown, after: unknown, path = ''): PlanChange['settings'] {
  if (isObject(before) && isObject(after)) {
    const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort()
    return names.flatMap((name) =>
      differences(before[name], after[name], path === '' ? name : `${path}.${name}`),
    )
  }
  if (canonicalJson(before) === canonicalJson(after)) return []
  return [{ path, before: before ?? null, after: after ?? null }]
}

function isObject(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === 'object' && !Array.isArray(value)
}
