// The state of a bulk edit: every thing of one kind as a row of cells, what was typed over them, what is wrong, and back again.
import type { ApiError } from '#lib/api/client.ts'
import type { FileObject, KindKey, MetadataFile, MetadataSet } from '#lib/api/metadata.ts'
import { cellFault, labelOf, labelsIn, sheetFields, withCells } from '#lib/metadata/fields.ts'
import type { SheetField } from '#lib/metadata/fields.ts'
import { cellOf } from '#lib/metadata/sheet.ts'

export type BulkRow = { label: string; object: FileObject }
type Edits = Readonly<Record<string, Readonly<Record<string, string>>>>

const MOST_UNDOS = 50
/** The name of the one file that is sent: faults of the API are found back by it. */
const FILE = 'bulk edit'

export class Bulk {
  readonly kind: KindKey
  readonly fields: readonly SheetField[]
  readonly rows: readonly BulkRow[]
  #set: MetadataSet
  #edits = $state.raw<Edits>({})
  #undos: Edits[] = []
  #refused = $state.raw<ReadonlyMap<string, string>>(new Map())
  #known = new Map<KindKey, Set<string>>()
  can_undo = $state(false)

  constructor(kind: KindKey, set: MetadataSet) {
    this.kind = kind
    this.#set = set
    this.fields = sheetFields(kind)
    this.rows = (set[kind] ?? []).map((object) => ({ label: labelOf(kind, object), object }))
  }

  text(row: BulkRow, field: string): string {
    return this.#edits[row.label]?.[field] ?? cellOf(row.object[field])
  }

  changed(row: BulkRow, field: string): boolean {
    return this.#edits[row.label]?.[field] !== undefined
  }

  fault(row: BulkRow, field: SheetField): string | undefined {
    const refused = this.#refused.get(`${row.label}\n${field.key}`)
    if (refused) return refused
    if (!this.changed(row, field.key)) return undefined
    return cellFault(this.kind, field, this.text(row, field.key), this.#labels(field.refers))
  }

  #counts = $derived.by(() => {
    let cells = 0
    const faults: string[] = []
    for (const row of this.rows) {
      const own = this.#edits[row.label]
      if (!own) continue
      cells += Object.keys(own).length
      for (const field of this.fields) {
        const fault = this.fault(row, field)
        if (fault) faults.push(`${row.label}, ${field.title}: ${fault}`)
      }
    }
    return { cells, rows: Object.keys(this.#edits).length, faults }
  })

  get counts(): { cells: number; rows: number; faults: string[] } {
    return this.#counts
  }

  /** Puts texts into cells, all in one step of undo. A text equal to what is stored is no change. */
  put(cells: readonly { row: BulkRow; field: string; text: string }[]): void {
    if (cells.length === 0) return
    this.#undos = [...this.#undos.slice(1 - MOST_UNDOS), this.#edits]
    this.can_undo = true
    const next: Record<string, Record<string, string>> = { ...this.#edits }
    for (const { row, field, text } of cells) {
      const own = { ...next[row.label] }
      if (text === cellOf(row.object[field])) delete own[field]
      else own[field] = text
      if (Object.keys(own).length > 0) next[row.label] = own
      else delete next[row.label]
    }
    this.#edits = next
    this.#refused = new Map()
  }

  undo(): void {
    const last = this.#undos.at(-1)
    if (!last) return
    this.#undos = this.#undos.slice(0, -1)
    this.#edits = last
    this.#refused = new Map()
    this.can_undo = this.#undos.length > 0
  }

  discard(): void {
    this.#undos = []
    this.can_undo = false
    this.#edits = {}
    this.#refused = new Map()
  }

  /** A pasted sheet from a cell on: to the right over `fields`, down over `rows`; what sticks out is left. */
  paste(
    sheet: readonly (readonly string[])[],
    rows: readonly BulkRow[],
    fields: readonly SheetField[],
    at: { row: number; field: number },
  ): number {
    const cells = sheet.flatMap((line, down) =>
      line.flatMap((text, right) => {
        const row = rows[at.row + down]
        const field = fields[at.field + right]
        return row && field ? [{ row, field: field.key, text }] : []
      }),
    )
    this.put(cells)
    return cells.length
  }

  /** The changed things as a file for apply, in the order of the rows. */
  file(): MetadataFile {
    const objects = this.#changedRows().map((row) =>
      withCells(row.object, this.#edits[row.label]!, this.fields),
    )
    const set = { exported_at_version: this.#set.exported_at_version, [this.kind]: objects }
    return { name: FILE, text: JSON.stringify(set, null, 1) }
  }

  /** Puts the API's faults to their cells; answers those that belong to none. */
  refuse(error: ApiError): string[] {
    const rows = this.#changedRows()
    const at = new Map<string, string>()
    const loose: string[] = []
    for (const fault of error.errors) {
      const [kind, index, field] = fault.path.split('.')
      const row = kind === this.kind ? rows[Number(index)] : undefined
      if (row && field) at.set(`${row.label}\n${field}`, fault.message)
      else loose.push(`${row?.label ?? fault.path}: ${fault.message}`)
    }
    this.#refused = at
    return loose
  }

  #changedRows(): BulkRow[] {
    return this.rows.filter((row) => this.#edits[row.label] !== undefined)
  }

  #labels(kind: KindKey | null): ReadonlySet<string> | null {
    if (kind === null) return null
    let found = this.#known.get(kind)
    if (!found) this.#known.set(kind, (found = labelsIn(this.#set, kind)))
    return found
  }
}
