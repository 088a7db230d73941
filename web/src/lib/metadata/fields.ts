// The fields that a sheet can show of each kind of metadata, as files name them.
import * as v from 'valibot'
import { messageOf } from '#core/fields.ts'
import {
  columnOf,
  fieldsOf as fileFields,
  KINDS,
  kindOf,
  type KindKey,
} from '#core/metadata-kinds.ts'
import type { FileObject, MetadataSet } from '#lib/api/metadata.ts'
import { fieldAt, type FieldSpec } from '#lib/form/schema.ts'
import { valueOf } from '#lib/metadata/sheet.ts'

export type SheetField = FieldSpec & {
  /** The kind that the cell names a thing of; null where it holds a value. */
  refers: KindKey | null
}

/** Every field of a kind, with how its cell is read. */
export function sheetFields(key: KindKey): SheetField[] {
  const kind = kindOf(key)
  return fileFields(kind).flatMap((field) => {
    const spec = fieldAt(kind.create, columnOf(kind, field))
    const refers = kind.refs[field]?.kind ?? null
    return spec
      ? [{ ...spec, key: field, refers, part: refers ? ('text' as const) : spec.part }]
      : []
  })
}

/** What a thing of a file is called among its kind; empty where it says too little. */
export function labelOf(key: KindKey, object: FileObject): string {
  return kindOf(key).fileLabel(object) ?? ''
}

/** What is wrong with the text of one cell; undefined: nothing that can be seen from here. */
export function cellFault(
  key: KindKey,
  field: SheetField,
  text: string,
  known: ReadonlySet<string> | null,
): string | undefined {
  const value = valueOf(text, field)
  if (field.refers) {
    if (value === undefined) return field.nullable || field.optional ? undefined : 'This is needed.'
    return known === null || known.has(String(value)) ? undefined : `There is no ${String(value)}.`
  }
  if (value === undefined)
    return field.optional || field.nullable || field.fallback !== undefined
      ? undefined
      : 'This is needed.'
  const kind = kindOf(key)
  const entry = kind.create.entries[columnOf(kind, field.key)] as v.GenericSchema
  const result = v.safeParse(entry, value)
  return result.success ? undefined : messageOf(result.issues[0])
}

/** The labels of all things of a kind. */
export function labelsIn(set: MetadataSet, key: KindKey): Set<string> {
  return new Set((set[key] ?? []).map((object) => labelOf(key, object)))
}

/** An object with cells put in; an emptied cell takes its field away, so that the default holds. */
export function withCells(
  object: FileObject,
  cells: Readonly<Record<string, string>>,
  fields: readonly SheetField[],
): FileObject {
  const next = { ...object }
  for (const [key, text] of Object.entries(cells)) {
    const field = fields.find((each) => each.key === key)
    const value = field ? valueOf(text, field) : text
    if (value === undefined) delete next[key]
    else next[key] = value
  }
  return next
}

export const KIND_WORDS: { value: KindKey; label: string }[] = KINDS.map((kind) => ({
  value: kind.key,
  label: `${kind.word.charAt(0).toUpperCase()}${kind.word.slice(1)}s`,
}))
