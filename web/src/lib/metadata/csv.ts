// A CSV file as a metadata file. Its name or a column `kind` says of which kind its rows are; its header names fields. Rows of
// things that are there already change only the fields that the sheet has.
import { KIND_KEYS, type KindKey } from '#core/metadata-kinds.ts'
import type { FileObject, MetadataFile, MetadataSet } from '#lib/api/metadata.ts'
import { labelOf, sheetFields, withCells } from '#lib/metadata/fields.ts'
import { parseSheet } from '#lib/metadata/sheet.ts'

export type CsvFault = { file: string; line: number; message: string }

/** The file as JSON for apply, and what can't be understood of it. `now`: everything that is there. */
export function csvToMetadata(
  file: MetadataFile,
  now: MetadataSet,
): { file: MetadataFile; faults: CsvFault[] } {
  const faults: CsvFault[] = []
  const [header = [], ...rows] = parseSheet(file.text)
  const names = header.map((name) => name.trim())
  const by_name = kindFrom(file.name)
  const kind_at = names.indexOf('kind')
  const set: Partial<Record<KindKey, FileObject[]>> = {}
  for (const [index, row] of rows.entries()) {
    const line = index + 2
    if (row.every((cell) => cell.trim() === '')) continue
    const key = by_name ?? kindFrom(row[kind_at] ?? '')
    if (!key) {
      faults.push({
        file: file.name,
        line,
        message: 'Say of which kind it is: name the file groups.csv, or add a column kind.',
      })
      continue
    }
    const fields = sheetFields(key)
    const cells: Record<string, string> = {}
    for (const [at, name] of names.entries()) {
      if (at === kind_at && !by_name) continue
      if (name === '') continue
      if (!fields.some((field) => field.key === name)) {
        if (index === 0)
          faults.push({ file: file.name, line: 1, message: `There is no field ${name}.` })
        continue
      }
      cells[name] = row[at] ?? ''
    }
    const own = withCells({}, cells, fields)
    const label = labelOf(key, own)
    const there = (now[key] ?? []).find((object) => label !== '' && labelOf(key, object) === label)
    ;(set[key] ??= []).push(there ? withCells(there, cells, fields) : own)
  }
  const text = JSON.stringify({ exported_at_version: now.exported_at_version, ...set }, null, 1)
  return { file: { name: file.name, text }, faults }
}

export function isCsv(name: string): boolean {
  return /\.(csv|tsv)$/i.test(name)
}

function kindFrom(text: string): KindKey | null {
  const word = text
    .replace(/^.*[\\/]/, '')
    .replace(/\.(csv|tsv)$/i, '')
    .trim()
    .toLowerCase()
    .replace(/[^a-z]+/g, '_')
  return KIND_KEYS.find((key) => key === word || key === `${word}s`) ?? null
}
