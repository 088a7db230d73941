// What a form needs to know of a valibot schema: per field its title, hint, placeholder, secret mark, default, and which part
// draws it. The titles are written once, in functions/core, beside what is validated.
import type * as v from 'valibot'

export type Part =
  | 'text'
  | 'long'
  | 'number'
  | 'choice'
  | 'choices'
  | 'switch'
  | 'list'
  | 'map'
  | 'secret'
  | 'code'
  | 'json'

export type FieldSpec = {
  key: string
  title: string
  hint: string
  part: Part
  /** Of a choice. */
  options: readonly string[]
  /** What stands for an absent value; undefined where there is no default. */
  fallback: unknown
  optional: boolean
  nullable: boolean
  placeholder: string
  secret: boolean
}

/** Only what is read of a schema; its own type is as long as the schema. */
type Node = {
  type: string
  kind?: string
  wrapped?: Node
  pipe?: readonly Node[]
  options?: readonly unknown[]
  item?: Node
  value?: Node
  entries?: Record<string, Node>
  default?: unknown
  title?: string
  description?: string
  metadata?: Record<string, unknown>
}

/** The fields of an object's schema, in order. Pipes around it (checks over several fields) are looked through. */
export function fieldsOf(schema: v.GenericSchema): FieldSpec[] {
  return Object.entries(entriesOf(schema)).map(([key, node]) => describe(key, node))
}

/** The field at a dotted path; undefined where the schema says nothing of it (inside of records). */
export function fieldAt(schema: v.GenericSchema, path: string): FieldSpec | undefined {
  const keys = path.split('.')
  let entries = entriesOf(schema)
  for (const [index, key] of keys.entries()) {
    const node = Object.hasOwn(entries, key) ? entries[key] : undefined
    if (!node) return undefined
    if (index === keys.length - 1) return describe(key, node)
    entries = unwrap(node).node.entries ?? {}
  }
  return undefined
}

/** What a new thing starts with: the defaults of its schema. */
export function defaultsOf(schema: v.GenericSchema): Record<string, unknown> {
  return Object.fromEntries(
    fieldsOf(schema)
      .filter((field) => field.fallback !== undefined)
      .map((field) => [field.key, structuredClone(field.fallback)]),
  )
}

function entriesOf(schema: v.GenericSchema): Record<string, Node> {
  return unwrap(schema as unknown as Node).node.entries ?? {}
}

type Unwrapped = {
  node: Node
  optional: boolean
  nullable: boolean
  fallback: unknown
  title: string
  hint: string
  metadata: Record<string, unknown>
}

/** Through optional, nullable and pipes, to what is validated; the outermost title wins. */
function unwrap(of: Node): Unwrapped {
  const found: Unwrapped = {
    node: of,
    optional: false,
    nullable: false,
    fallback: undefined,
    title: '',
    hint: '',
    metadata: {},
  }
  const visit = (node: Node) => {
    for (const item of node.pipe ?? []) {
      if (item.type === 'title') found.title ||= item.title ?? ''
      else if (item.type === 'description') found.hint ||= item.description ?? ''
      else if (item.type === 'metadata') found.metadata = { ...item.metadata, ...found.metadata }
    }
    const inner = node.pipe?.[0]
    if (inner && inner !== node && inner.pipe) return visit(inner)
    const base = inner ?? node
    if (base.type === 'optional' || base.type === 'nullable' || base.type === 'nullish') {
      if (base.type !== 'nullable') found.optional = true
      if (base.type !== 'optional') found.nullable = true
      if (found.fallback === undefined && base.default !== undefined)
        found.fallback =
          typeof base.default === 'function' ? (base.default as () => unknown)() : base.default
      return visit(base.wrapped!)
    }
    found.node = base
  }
  visit(of)
  return found
}

function describe(key: string, of: Node): FieldSpec {
  const { node, optional, nullable, fallback, title, hint, metadata } = unwrap(of)
  const part = partOf(node, metadata)
  const options =
    node.type === 'picklist' ? node : part === 'choices' ? unwrap(node.item!).node : null
  return {
    key,
    title: title || words(key),
    hint,
    part,
    options: (options?.options ?? []).map(String),
    fallback,
    optional,
    nullable,
    placeholder: typeof metadata.placeholder === 'string' ? metadata.placeholder : '',
    secret: metadata.secret === true,
  }
}

function partOf(node: Node, metadata: Record<string, unknown>): Part {
  if (metadata.secret === true) return 'secret'
  if (metadata.code !== undefined) return 'code'
  switch (node.type) {
    case 'string':
      return metadata.long === true ? 'long' : 'text'
    case 'number':
      return 'number'
    case 'boolean':
      return 'switch'
    case 'picklist':
      return 'choice'
    case 'array': {
      const item = unwrap(node.item!).node
      return item.type === 'picklist' ? 'choices' : item.type === 'string' ? 'list' : 'json'
    }
    case 'record':
      return unwrap(node.value!).node.type === 'string' ? 'map' : 'json'
    default:
      return 'json'
  }
}

/** "max_parallel" -> "Max parallel": for a schema that gives no title. */
function words(key: string): string {
  const text = key.replaceAll('_', ' ')
  return text.charAt(0).toUpperCase() + text.slice(1)
}
