// From metadata files to what they would change: names become ids, every object is checked, renames are followed, and the rows
// before and after stand side by side. Pure; the SQL in the rows is checked by others, who read `after`.
import * as v from 'valibot'
import type { FieldError } from './errors.ts'
import { rawFaults } from './extractors.ts'
import { messageOf, NO_SUCH_FIELD } from './fields.ts'
import type { FileObject, Path } from './metadata-file.ts'
import {
  columnOf,
  fieldOf,
  fieldsOf,
  KINDS,
  kindOf,
  labelsOf,
  TABLE_KINDS,
} from './metadata-kinds.ts'
import type { Kind, KindKey, Row, State } from './metadata-kinds.ts'
import { didYouMean } from './nearest.ts'
import { canonicalJson } from './plan.ts'

/** One row as it was and as it will be. */
export type Entry = {
  kind: Kind
  /** Where it is declared; null for what is pruned. */
  object: FileObject | null
  label: string
  /** As it was called before, where the files rename it. */
  former: string | null
  before: Row | null
  after: Row | null
}

export type Draft = {
  before: State
  after: State
  /** Declared objects without faults, and those to be pruned. */
  entries: Entry[]
  errors: FieldError[]
  /** Tables that an object with faults would write: who reads them can't be checked. */
  unsure: Set<string>
  /** Ids of all rows that an object stands for, faults or not. */
  declared: Set<string>
}

export type DraftOptions = {
  make_id: () => string
  /** Rows to delete unless they are declared: `table/id`. */
  prunable: ReadonlySet<string>
  /** Whether an approved rule may be saved by who asks. */
  may_approve: boolean
}

/** The rows that may be referred to, by kind and id; those with faults are not among them. */
type Sure = Map<KindKey, Map<string, Row>>

/** Stands for what is named but has faults of its own. */
const UNSURE_ID = '00000000-0000-7000-8000-000000000000'

/** What the files would make of the metadata `before`; `before` itself stays as it is. */
export function draftOf(
  before: State,
  objects: readonly FileObject[],
  options: DraftOptions,
): Draft {
  const draft: Draft = {
    before,
    after: Object.fromEntries(
      KINDS.map(({ key }) => [key, before[key].map((row) => ({ ...row }))]),
    ) as State,
    entries: [],
    errors: [],
    unsure: new Set(),
    declared: new Set(),
  }
  const known = new Map<KindKey, Map<string, string>>()
  for (const kind of KINDS) draftKind(draft, kind, objects, known, options)
  prune(draft, options.prunable)
  checkTogether(draft)
  return draft
}

/** Adds an error at a field of an object. */
export function wrong(
  draft: Pick<Draft, 'errors'>,
  object: FileObject,
  path: Path,
  message: string,
  code?: FieldError['code'],
  sqlLine?: number,
): void {
  draft.errors.push({
    path: [object.path, ...path].join('.'),
    message,
    ...(code && { code }),
    ...object.place(path, sqlLine),
  })
}

/** All objects of one kind; the kinds that it refers to are done, and `known` (label -> id) has them. */
function draftKind(
  draft: Draft,
  kind: Kind,
  objects: readonly FileObject[],
  known: Map<KindKey, Map<string, string>>,
  options: DraftOptions,
): void {
  const of = labelsOf(draft.after)
  const rows = new Map(draft.after[kind.key].map((row) => [row.id, row]))
  const before = new Map(draft.before[kind.key].map((row) => [row.id, row]))
  const ids = new Map(draft.after[kind.key].map((row) => [kind.label(row, of), row.id]))
  known.set(kind.key, ids)
  const stored = new Set(ids.keys())
  const places = new Map<string, FileObject>()

  // Who is who comes first, since things of one kind may name each other
  const found: { object: FileObject; id: string; label: string | null; former: string | null }[] =
    []
  const own = objects.filter((object) => object.kind === kind.key)
  const declared = new Set(own.map(({ value }) => kind.fileLabel(value as Record<string, unknown>)))
  // Renames before the rest: they free their former names
  const byRename = own.toSorted((a, b) => Number(isRename(b)) - Number(isRename(a)))
  for (const object of byRename) {
    const value = object.value as Record<string, unknown>
    const label = kind.fileLabel(value)
    if (label === null) {
      found.push({ object, id: UNSURE_ID, label, former: null })
      continue
    }
    const twin = places.get(label)
    if (twin) {
      const { file, line } = twin.place()
      wrong(draft, object, ['name'], `The ${kind.word} ${label} stands in ${file}:${line} too.`)
      continue
    }
    places.set(label, object)
    const previous = value.previous_name
    const former = typeof previous === 'string' ? kind.fileLabel(value, previous) : null
    // Where both are there and both are declared, the rename was done by a former apply
    const done = former !== null && stored.has(label) && declared.has(former)
    const renamed = former !== null && former !== label && stored.has(former) && !done
    if (renamed && stored.has(label)) {
      wrong(
        draft,
        object,
        ['previous_name'],
        `Both ${former} and ${label} are there: delete one, or leave previous_name out.`,
      )
      continue
    }
    const id = (renamed ? ids.get(former) : ids.get(label)) ?? options.make_id()
    if (renamed) ids.delete(former)
    ids.set(label, id)
    draft.declared.add(id)
    found.push({ object, id, label, former: renamed ? former : null })
  }
  const claimed = new Map<string, FileObject>()
  const sure: Sure = new Map(
    Object.values(kind.refs).map((ref) => [
      ref.kind,
      new Map(draft.after[ref.kind].map((row) => [row.id, row])),
    ]),
  )

  for (const { object, id, label, former } of found) {
    const output = checkObject(draft, kind, object, known, sure)
    const old = rows.get(id) ?? null
    if (output === null || label === null) {
      const target = (object.value as Record<string, unknown>).target
      if (typeof target === 'string' && isTableKind(kind.key)) draft.unsure.add(target)
      continue
    }
    const other = claimed.get(id)
    if (other) {
      const { file, line } = other.place()
      wrong(draft, object, ['previous_name'], `${file}:${line} renames the same ${kind.word}.`)
      continue
    }
    claimed.set(id, object)
    if (isTableKind(kind.key) && output.name === undefined)
      output.name = String(output.target).split('.')[1]
    const hidden = Object.fromEntries(
      kind.hidden.flatMap((column) => (old ? [[column, old[column]]] : [])),
    )
    const after = { ...old, ...output, ...hidden, id } as Row
    if (kind.key === 'dq_rules') approve(draft, object, old, after, options.may_approve)
    draft.entries.push({
      kind,
      object,
      label,
      former,
      before: before.get(id) ?? null,
      after,
    })
    rows.set(id, after)
  }
  draft.after[kind.key] = [...rows.values()]
  if (isTableKind(kind.key)) carryRules(draft)
}

function isRename(object: FileObject): boolean {
  return typeof (object.value as Record<string, unknown>).previous_name === 'string'
}

/** The row that an object declares, or null after saying what is wrong with it. */
function checkObject(
  draft: Draft,
  kind: Kind,
  object: FileObject,
  known: Map<KindKey, Map<string, string>>,
  sure: Sure,
): Record<string, unknown> | null {
  const value = object.value as Record<string, unknown>
  const before = draft.errors.length
  const fields = fieldsOf(kind)
  const input: Record<string, unknown> = {}
  let unsure = false
  for (const [field, given] of Object.entries(value)) {
    const ref = kind.refs[field]
    if (field === 'previous_name') {
      if (typeof given !== 'string') wrong(draft, object, [field], 'Give the former name.')
    } else if (!fields.includes(field)) {
      wrong(draft, object, [field], unknownField(kind, field, fields))
    } else if (!ref) {
      input[field] = given
    } else if (given === null || given === undefined) {
      input[ref.column] = null
    } else if (typeof given !== 'string') {
      wrong(draft, object, [field], `Give the name of the ${kindOf(ref.kind).word}.`)
    } else {
      const names = known.get(ref.kind)!
      const id = names.get(given)
      if (id === undefined)
        wrong(
          draft,
          object,
          [field],
          `There is no ${kindOf(ref.kind).word} ${given.slice(0, 200)}.${didYouMean(given, [...names.keys()])}`,
          'reference_unknown',
        )
      else unsure ||= ref.kind !== kind.key && !sure.get(ref.kind)!.has(id)
      input[ref.column] = id ?? UNSURE_ID
    }
  }
  const output = parseAll(kind, input, (path, message) => wrong(draft, object, path, message))
  if (output && kind.key === 'raw_configs') {
    const source = sure.get('sources')!.get(String(output.source_id))
    if (source)
      for (const fault of rawFaults(String(source.kind), output as never))
        wrong(draft, object, fieldPath(kind, fault.path), fault.message)
  }
  // What it names has faults: they are said there, and this one can't be judged any further
  return output === null || unsure || draft.errors.length > before ? null : output
}

/** The schema's verdict with every unknown key of every depth, not the first alone. */
function parseAll(
  kind: Kind,
  input: Record<string, unknown>,
  say: (path: Path, message: string) => void,
): Record<string, unknown> | null {
  let value: unknown = input
  let faulty = false
  for (let round = 0; round < 100; round++) {
    const result = v.safeParse(kind.create, value)
    if (result.success) return faulty ? null : result.output
    faulty = true
    const issues = result.issues.map((issue) => ({
      path: (issue.path ?? []).map(({ key }) => key as string | number),
      message: messageOf(issue),
    }))
    const unknown = issues.filter((issue) => issue.message === NO_SUCH_FIELD)
    const said = unknown.length > 0 ? unknown : issues
    for (const { path, message } of said) say(fieldPath(kind, path), message)
    if (unknown.length === 0) return null
    value = structuredClone(value)
    for (const { path } of unknown) removeAt(value, path)
  }
  return null
}

function unknownField(kind: Kind, field: string, fields: string[]): string {
  const name = field.slice(0, 100)
  if (kind.hidden.includes(field))
    return field === 'columns'
      ? 'The columns follow from the SQL: leave them out.'
      : `${name} is no matter of files: leave it out.`
  const ref = fieldOf(kind, field)
  if (ref !== field) return `Names, never ids: write ${ref}.`
  return `A ${kind.word} has no field ${name}.${didYouMean(field, [...fields, 'previous_name'])}`
}

function fieldPath(kind: Kind, path: Path): Path {
  return path.map((key, index) => (index === 0 ? fieldOf(kind, String(key)) : key))
}

function removeAt(value: unknown, path: readonly (string | number)[]): void {
  let at = value as Record<string | number, unknown>
  for (const key of path.slice(0, -1)) at = at[key] as Record<string | number, unknown>
  delete at[path.at(-1)!]
}

/** Where rules need approval, a changed rule becomes a proposal unless an approver saves it. */
function approve(
  draft: Draft,
  object: FileObject,
  old: Row | null,
  after: Row,
  may_approve: boolean,
): void {
  if (may_approve) return
  const said = (object.value as Record<string, unknown>).status !== undefined
  const kind = kindOf('dq_rules')
  const same = old !== null && sameRow(kind, { ...old, status: after.status }, after)
  if (!said) after.status = same ? old.status : 'proposed'
  else if (after.status === 'approved' && !(same && old.status === 'approved'))
    wrong(
      draft,
      object,
      ['status'],
      'Rules need approval here: save it as proposed; an approver decides.',
      'forbidden',
    )
}

/** A table that gets another name takes its rules along, as the store does it. */
function carryRules(draft: Draft): void {
  for (const key of TABLE_KINDS) {
    const old = new Map(draft.before[key].map((row) => [row.id, row]))
    for (const row of draft.after[key]) {
      const was = old.get(row.id)?.target
      if (was === undefined || was === row.target) continue
      if (writes(draft.after, String(was)) || writes(draft.before, String(row.target))) continue
      for (const rule of draft.after.dq_rules) if (rule.target === was) rule.target = row.target
    }
  }
}

function writes(state: State, target: string): boolean {
  return TABLE_KINDS.some((key) => state[key].some((row) => row.target === target))
}

function prune(draft: Draft, prunable: ReadonlySet<string>): void {
  if (prunable.size === 0) return
  const gone = new Set<string>()
  const of = labelsOf(draft.before)
  for (const kind of KINDS.toReversed())
    for (const row of draft.before[kind.key]) {
      if (draft.declared.has(row.id) || !prunable.has(`${kind.table}/${row.id}`)) continue
      gone.add(row.id)
      draft.entries.push({
        kind,
        object: null,
        label: kind.label(row, of),
        former: null,
        before: row,
        after: null,
      })
    }
  const after = labelsOf({ ...draft.after })
  for (const { key } of KINDS)
    draft.after[key] = draft.after[key].filter((row) => !gone.has(row.id))
  for (const kind of KINDS)
    for (const row of draft.after[kind.key])
      for (const ref of Object.values(kind.refs)) {
        const id = row[ref.column]
        if (typeof id !== 'string' || !gone.has(id)) continue
        draft.errors.push({
          path: '',
          code: 'in_use',
          message: `The ${kindOf(ref.kind).word} ${of(ref.kind, id)} can not be pruned: the ${kind.word} ${kind.label(row, after)} needs it.`,
        })
      }
}

/** What the store refuses of several rows together, said with file and line. */
function checkTogether(draft: Draft): void {
  const entryOf = new Map(
    draft.entries.flatMap((entry) => (entry.after ? [[entry.after.id, entry] as const] : [])),
  )
  const say = (rows: readonly Row[], field: string, message: string) => {
    const entry = rows.map((row) => entryOf.get(row.id)).findLast((each) => each?.object)
    if (entry?.object) wrong(draft, entry.object, [field], message)
  }
  const defaults = draft.after.environments.filter((row) => row.is_default)
  if (defaults.length > 1)
    say(
      defaults,
      'is_default',
      `Only one environment is the default: ${defaults.map((row) => row.name).join(', ')}.`,
    )
  for (const key of ['silver_configs', 'gold_configs'] as const)
    for (const [name, rows] of Map.groupBy(
      draft.after[key],
      (row) => `${String(row.target).split('.')[0]}.${row.name}`,
    ))
      if (rows.length > 1)
        say(rows, 'name', `Another ${kindOf(key).word} of this schema has the name ${name}.`)
  const writers = Map.groupBy(
    TABLE_KINDS.flatMap((key) => draft.after[key].map((row) => ({ key, row }))),
    ({ row }) => String(row.target),
  )
  for (const [target, list] of writers) {
    const rows = list.map(({ row }) => row)
    if (new Set(list.map(({ key }) => key)).size > 1)
      say(rows, 'target', `Another zone writes the table ${target}.`)
  }
  const raws = new Map(draft.after.raw_configs.map((row) => [row.id, row]))
  for (const [target, rows] of Map.groupBy(draft.after.bronze_configs, (row) =>
    String(row.target),
  )) {
    if (rows.length === 1) continue
    const groups = new Set(rows.map((row) => raws.get(String(row.raw_id))?.group_id))
    if (groups.size > 1) say(rows, 'raw', `What feeds the table ${target} must share one group.`)
    if (rows.some((row) => row.write === 'replace'))
      say(rows, 'write', `Several feed the table ${target}: each must append.`)
  }
  const parents = new Map(draft.after.compute_profiles.map((row) => [row.id, row]))
  for (const row of draft.after.compute_profiles) {
    const way = [row]
    for (
      let at = parents.get(String(row.parent_id));
      at && way.length <= parents.size;
      at = parents.get(String(at.parent_id))
    ) {
      way.push(at)
      if (at === row) {
        say(
          [row],
          'parent',
          `These profiles are each other's parents: ${way.map((each) => each.name).join(' → ')}.`,
        )
        break
      }
    }
  }
}

/** Whether two rows of a kind say the same in all that files show. */
export function sameRow(kind: Kind, a: Row, b: Row): boolean {
  const shown = (row: Row) => canonicalJson(valuesOf(kind, row))
  if (shown(a) === shown(b)) return true
  // A row that was saved otherwise may lack what the schema fills in
  return canonicalJson(normal(kind, a)) === canonicalJson(normal(kind, b))
}

/** The columns of a row that files show. */
export function valuesOf(kind: Kind, row: Row): Record<string, unknown> {
  return Object.fromEntries(
    fieldsOf(kind).map((field) => [columnOf(kind, field), row[columnOf(kind, field)]]),
  )
}

/** The same with everything filled in that the schema fills in. */
export function normal(kind: Kind, row: Row): Record<string, unknown> {
  const values = Object.fromEntries(
    Object.entries(valuesOf(kind, row)).filter(([, value]) => value !== undefined),
  )
  const result = v.safeParse(kind.create, values)
  if (!result.success) return values
  return Object.fromEntries(
    Object.entries(result.output).filter(([column]) => !kind.hidden.includes(column)),
  )
}

export function isTableKind(key: KindKey): boolean {
  return (TABLE_KINDS as readonly string[]).includes(key)
}
