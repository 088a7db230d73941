// A form over one value with a valibot schema: the same schema that the API checks with.
//
//   const form = createForm({
//     schema: GroupCreate,                      // titles, hints and messages come from it
//     initial: { ...defaultsOf(GroupCreate), ...row },   // absent fields take the schema's defaults
//     version: row?.version ?? null,            // sent as If-Match; null for a new thing
//     save: (output, { version, changes }) =>
//       row ? groups.update(row.id, changes, version) : groups.create(output),
//     saved: (row) => goto(paths.group(row.id)),
//     reload: async () => { const now = await groups.get(id); return { values: now, version: now.version } },
//   })
//
//   <Form {form} submit="Save group" cancel={paths.groups()}>
//     <SchemaField {form} path="name" />        // or <TextField …/>, <ChoiceField …/>, … with a label of your own
//     <OptionsForm {form} path="options" />     // where `inner` gives the schema of an object that depends on another value:
//   </Form>                                     //   inner: { options: (now) => extractorOf(now.kind)?.source_options }
//
// Faults show at a field once it was left or a submit was tried; those of the API (`errors[]` of its problem document) at the
// field that their path names, until that field changes. A 412 becomes `conflict`: Form.svelte offers to reload or to overwrite.
import * as v from 'valibot'
import { tick } from 'svelte'
import { messageOf } from '#core/fields.ts'
import { asApiError, type ApiError } from '#lib/api/client.ts'
import { fieldAt, fieldsOf, type FieldSpec } from '#lib/form/schema.ts'

export type Values = Record<string, unknown>

export type How = {
  /** What the thing is expected to be at; null for a new one, or to overwrite whatever is there. */
  version: number | null
  /** Only the top-level fields that differ from what the form began with: what a PATCH sends. */
  changes: Values
}

type Options<Schema extends v.GenericSchema, Row> = {
  schema: Schema
  /** Keys that the schema does not know (id, version, created_at …) are left out. */
  initial: Values
  version?: number | null
  save: (output: v.InferOutput<Schema>, how: How) => Promise<Row>
  saved?: (row: Row) => unknown
  /** The thing as it is now, for a conflict. */
  reload?: () => Promise<{ values: Values; version: number }>
  /** Schemas of objects that depend on another value, by the object's path: they lend titles and hints to what lies in it. */
  inner?: Record<string, (now: Values) => v.GenericSchema | undefined>
  /** What is being saved, for the message when this page itself fails: "Saving the group". */
  what?: string
}

export class Form {
  values = $state<Values>({})
  /** The last refusal that no field stands for. */
  failure = $state.raw<ApiError | null>(null)
  /** Somebody else changed the thing since it was read. */
  conflict = $state(false)
  busy = $state(false)
  version = $state<number | null>(null)

  #initial = $state.raw<Values>({})
  #left = $state.raw<ReadonlySet<string>>(new Set())
  #tried = $state(false)
  #refused = $state.raw<ReadonlyMap<string, string>>(new Map())
  #options: Options<v.GenericSchema, unknown>

  constructor(options: Options<v.GenericSchema, unknown>) {
    this.#options = options
    this.reset(options.initial, options.version ?? null)
  }

  get schema(): v.GenericSchema {
    return this.#options.schema
  }

  #parsed = $derived.by(() => v.safeParse(this.#options.schema, this.values))
  #own = $derived.by(() => {
    const found = new Map<string, string>()
    for (const issue of this.#parsed.issues ?? []) {
      const path = v.getDotPath(issue as v.BaseIssue<unknown>) ?? ''
      if (!found.has(path)) found.set(path, message(issue, path, this.values))
    }
    return found
  })
  #dirty = $derived(Object.keys(this.changes()).length > 0)

  get dirty(): boolean {
    return this.#dirty
  }

  /** Whether a submit would be sent. */
  get valid(): boolean {
    return this.#own.size === 0
  }

  /** What is wrong at a path, or anywhere below it; undefined while it needn't be said. */
  error(path: string): string | undefined {
    const refused = under(this.#refused, path)
    if (refused) return refused
    if (!this.#tried && !this.#left.has(path)) return undefined
    return under(this.#own, path)
  }

  /** Faults at no field that is drawn here: shown above the buttons. */
  get loose(): string[] {
    const root = this.#tried ? (this.#own.get('') ?? []) : []
    return [root, this.#refused.get('') ?? []].flat()
  }

  get(path: string): unknown {
    let at: unknown = this.values
    for (const key of path.split('.')) at = (at as Values | undefined | null)?.[key]
    return at
  }

  /** Undefined takes the key away. */
  set(path: string, value: unknown): void {
    const keys = path.split('.')
    const last = keys.pop()!
    let at = this.values
    for (const key of keys) {
      if (typeof at[key] !== 'object' || at[key] === null) at[key] = {}
      at = at[key] as Values
    }
    if (value === undefined) delete at[last]
    else at[last] = value
    if (this.#refused.size > 0)
      this.#refused = new Map(
        [...this.#refused].filter(([each]) => each !== '' && !overlaps(each, path)),
      )
  }

  leave(path: string): void {
    if (this.#left.has(path)) return
    afterPress(() => (this.#left = new Set([...this.#left, path])))
  }

  /** The schema's words for a field. */
  spec(path: string): FieldSpec | undefined {
    for (const [object, schemaOf] of Object.entries(this.#options.inner ?? {})) {
      if (!path.startsWith(`${object}.`)) continue
      const schema = schemaOf(this.values)
      return schema && fieldAt(schema, path.slice(object.length + 1))
    }
    return fieldAt(this.#options.schema, path)
  }

  /** The fields of the object at a path of `inner`. */
  inside(path: string): FieldSpec[] {
    const schema = this.#options.inner?.[path]?.(this.values)
    return schema ? fieldsOf(schema) : []
  }

  changes(): Values {
    const now = $state.snapshot(this.values) as Values
    const keys = new Set([...Object.keys(now), ...Object.keys(this.#initial)])
    return Object.fromEntries(
      [...keys].filter((key) => !same(now[key], this.#initial[key])).map((key) => [key, now[key]]),
    )
  }

  /** Begins anew with these values. */
  reset(values: Values, version: number | null = this.version): void {
    const known = fieldsOf(this.#options.schema).map((field) => field.key)
    const kept = known.length === 0 ? Object.keys(values) : known
    const taken = Object.fromEntries(
      kept.filter((key) => values[key] !== undefined).map((key) => [key, clone(values[key])]),
    )
    this.#initial = clone(taken)
    this.values = taken
    this.version = version
    this.#left = new Set()
    this.#refused = new Map()
    this.#tried = false
    this.failure = null
    this.conflict = false
  }

  /** Sends it where it is valid; the answer is whether it was saved. */
  async submit(): Promise<boolean> {
    if (this.busy) return false
    this.#tried = true
    const parsed = this.#parsed
    if (!parsed.success) {
      await focusFault()
      return false
    }
    this.busy = true
    this.failure = null
    this.conflict = false
    try {
      const row = await this.#options.save(parsed.output, {
        version: this.version,
        changes: this.changes(),
      })
      // Nothing is unsaved any more: leaving asks nothing.
      this.#initial = clone($state.snapshot(this.values) as Values)
      this.busy = false
      await this.#options.saved?.(row)
      return true
    } catch (error) {
      this.#refuse(asApiError(error, this.#options.what ?? 'Saving'))
      await focusFault()
      return false
    } finally {
      this.busy = false
    }
  }

  /** After a conflict: the thing as it is now, our changes are gone. */
  async takeTheirs(): Promise<void> {
    const now = await this.#options.reload?.()
    if (now) this.reset(now.values, now.version)
  }

  /** After a conflict: our changed fields over whatever is there now. */
  async overwrite(): Promise<boolean> {
    this.version = null
    return this.submit()
  }

  #refuse(error: ApiError): void {
    if (error.status === 412) {
      this.conflict = true
      return
    }
    const at = new Map<string, string>()
    for (const one of error.errors) if (!at.has(one.path)) at.set(one.path, one.message)
    this.#refused = at
    this.failure = error
  }
}

export function createForm<Schema extends v.GenericSchema, Row>(
  options: Options<Schema, Row>,
): Form {
  return new Form(options as unknown as Options<v.GenericSchema, unknown>)
}

let pressed = false
if (typeof window !== 'undefined') {
  window.addEventListener('pointerdown', () => (pressed = true), true)
  for (const end of ['pointerup', 'pointercancel'])
    window.addEventListener(end, () => (pressed = false), true)
}

// A field is left by pressing a button: a fault that appeared now would move the button away before it is let go, and the click
// would be lost.
function afterPress(then: () => void): void {
  if (!pressed) return then()
  const later = () => setTimeout(then)
  window.addEventListener('pointerup', later, { once: true })
}

async function focusFault(): Promise<void> {
  await tick()
  document.querySelector<HTMLElement>('form [aria-invalid="true"]')?.focus()
}

// A field that was never filled in is told to be filled in, whatever its type would say; a rule over several fields says more.
function message(issue: { message: string; type?: string }, path: string, values: Values): string {
  let at: unknown = values
  for (const key of path.split('.')) at = (at as Values | undefined | null)?.[key]
  const empty = at === undefined || at === null || at === ''
  if (empty && issue.type !== 'raw_check' && issue.type !== 'check') return 'This is needed.'
  return messageOf(issue)
}

function under(map: ReadonlyMap<string, string>, path: string): string | undefined {
  const own = map.get(path)
  if (own) return own
  for (const [key, value] of map) if (key.startsWith(`${path}.`)) return value
  return undefined
}

function overlaps(a: string, b: string): boolean {
  return a === b || a.startsWith(`${b}.`) || b.startsWith(`${a}.`)
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a ?? null) === JSON.stringify(b ?? null)
}

function clone<Value>(value: Value): Value {
  return value === undefined ? value : (JSON.parse(JSON.stringify(value)) as Value)
}
