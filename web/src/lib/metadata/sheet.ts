// Sheets of cells: what a spreadsheet puts on the clipboard (tabs) and CSV files (commas or semicolons), with quoted cells that
// may hold breaks; and cells as values of a schema's field, there and back.
import type { FieldSpec } from '#lib/form/schema.ts'

/** Rows of cells. The delimiter is the one that stands most often in the first line; an empty last line is none. */
export function parseSheet(text: string, delimiter = delimiterOf(text)): string[][] {
  const rows: string[][] = []
  let row: string[] = []
  let cell = ''
  let quoted = false
  const body = text.replace(/^\ufeff/, '').replace(/\r\n?/g, '\n')
  for (let at = 0; at < body.length; at++) {
    const char = body[at]!
    if (quoted) {
      if (char !== '"') cell += char
      else if (body[at + 1] === '"') {
        cell += '"'
        at++
      } else quoted = false
    } else if (char === '"' && cell === '') quoted = true
    else if (char === delimiter) {
      row.push(cell)
      cell = ''
    } else if (char === '\n') {
      rows.push([...row, cell])
      row = []
      cell = ''
    } else cell += char
  }
  if (cell !== '' || row.length > 0) rows.push([...row, cell])
  return rows
}

function delimiterOf(text: string): string {
  const line = text.split('\n', 1)[0] ?? ''
  const times = (char: string) => line.split(char).length
  return ['\t', ';', ','].reduce((best, char) => (times(char) > times(best) ? char : best), ',')
}

/** A value as the text of a cell. */
export function cellOf(value: unknown): string {
  if (value === undefined || value === null) return ''
  if (Array.isArray(value) && value.every((each) => typeof each === 'string'))
    return value.join(', ')
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

/** The text of a cell as a value of the field; undefined for an empty one. What does not fit stays text, for the schema to refuse. */
export function valueOf(text: string, field: Pick<FieldSpec, 'part'>): unknown {
  const trimmed = text.trim()
  if (trimmed === '') return undefined
  switch (field.part) {
    case 'number': {
      const number = Number(trimmed)
      return Number.isFinite(number) ? number : trimmed
    }
    case 'switch':
      if (/^(true|yes|1|x)$/i.test(trimmed)) return true
      return /^(false|no|0)$/i.test(trimmed) ? false : trimmed
    case 'list':
    case 'choices':
      return trimmed
        .split(/[,;]/)
        .map((each) => each.trim())
        .filter(Boolean)
    case 'map':
    case 'json':
      try {
        return JSON.parse(trimmed) as unknown
      } catch {
        return trimmed
      }
    default:
      return text
  }
}
