// Metadata files: YAML or JSON, read into objects that know in which file and line each of their fields stands. What the
// objects mean is metadata-draft.ts's.
import { isAlias, isMap, isScalar, isSeq, LineCounter, parseAllDocuments, Scalar } from 'yaml'
import type { Document } from 'yaml'
import type { FieldError } from './errors.ts'
import { KIND_KEYS } from './metadata-kinds.ts'
import type { KindKey } from './metadata-kinds.ts'
import { didYouMean } from './nearest.ts'

export type MetadataFile = { name: string; text: string }
export type Path = readonly (string | number)[]

/** One object of a file, not yet checked. */
export type FileObject = {
  kind: KindKey
  value: unknown
  /** Dotted, from the top of its file: `silver_configs.3`. */
  path: string
  /** The metadata version that its file was exported at; null: it was not. */
  exported_at_version: bigint | null
  /** Where a field of it stands; of a piece of SQL with several lines, that line (from 1). */
  place: (path?: Path, sqlLine?: number) => { file: string; line: number }
}

/** Keys of a file beside those of the kinds. */
export const HEAD_KEYS = ['$schema', 'exported_at_version']

/** All objects of all files in their order, and everything that is wrong with the files' form. */
export function readFiles(files: readonly MetadataFile[]): {
  objects: FileObject[]
  errors: FieldError[]
} {
  const objects: FileObject[] = []
  const errors: FieldError[] = []
  for (const file of files) {
    const lines = new LineCounter()
    const wrong = (message: string, offset: number, path = '') => {
      errors.push({ path, message, file: file.name, line: Math.max(1, lines.linePos(offset).line) })
    }
    try {
      // A byte order mark is no part of the text; without pretty errors, since those quote the file
      const documents = parseAllDocuments(file.text.replace(/^\ufeff/, ''), {
        lineCounter: lines,
        prettyErrors: false,
        version: '1.2',
      })
      if (!Array.isArray(documents)) continue
      for (const document of documents) {
        for (const error of [...document.errors, ...document.warnings])
          wrong(sentence(error.message), error.pos[0])
        if (document.errors.length === 0) readDocument(file.name, document, lines, objects, wrong)
      }
    } catch (error) {
      // Aliases that multiply without end, nesting beyond the stack
      const what = error instanceof RangeError ? 'It is nested too deeply' : messageOf(error)
      wrong(sentence(what), 0)
    }
  }
  return { objects, errors }
}

function readDocument(
  file: string,
  document: Document,
  lines: LineCounter,
  objects: FileObject[],
  wrong: (message: string, offset: number, path?: string) => void,
): void {
  if (document.contents === null) return
  const offsetOf = (path: Path) => find(document, path).offset
  const content: unknown = document.toJS({ maxAliasCount: 100 })
  if (content === null) return
  if (!isMap(document.contents)) {
    wrong(`A metadata file is a mapping with keys such as ${KIND_KEYS.join(', ')}.`, offsetOf([]))
    return
  }
  const top = content as Record<string, unknown>
  const version = versionOf(top.exported_at_version)
  if (version === undefined)
    wrong(
      'The metadata version as the export wrote it: a whole number.',
      offsetOf(['exported_at_version']),
      'exported_at_version',
    )
  for (const [key, list] of Object.entries(top)) {
    if (HEAD_KEYS.includes(key)) continue
    if (!(KIND_KEYS as readonly string[]).includes(key)) {
      wrong(
        `There is nothing called ${key.slice(0, 100)}.${didYouMean(key, KIND_KEYS)}`,
        offsetOf([key]),
        key,
      )
      continue
    }
    if (list === null) continue
    if (!Array.isArray(list)) {
      wrong('Give a list: each entry starts with "- ".', offsetOf([key]), key)
      continue
    }
    for (const [index, value] of list.entries()) {
      const own = [key, index]
      if (value === null || typeof value !== 'object' || Array.isArray(value)) {
        wrong('Give a mapping of fields and values.', offsetOf(own), own.join('.'))
        continue
      }
      objects.push({
        kind: key as KindKey,
        value,
        path: own.join('.'),
        exported_at_version: version ?? null,
        place: (path = [], sqlLine = 1) => {
          const { offset, value: node } = find(document, [...own, ...path])
          const block = isScalar(node) && node.type === Scalar.BLOCK_LITERAL
          // The text of a literal block starts on the line after its "|"
          const from = block ? (node.range?.[0] ?? offset) : offset
          return { file, line: Math.max(1, lines.linePos(from).line + (block ? sqlLine : 0)) }
        },
      })
    }
  }
}

/** The node that a path leads to, and where it (or the last thing on the way that is there) starts. */
function find(document: Document, path: Path): { offset: number; value: unknown } {
  let node: unknown = document.contents
  let offset = isMap(node) || isSeq(node) || isScalar(node) ? (node.range?.[0] ?? 0) : 0
  for (const key of path) {
    if (isAlias(node)) node = node.resolve(document)
    if (isMap(node)) {
      const pair = node.items.find(
        (item) => String(isScalar(item.key) ? item.key.value : item.key) === String(key),
      )
      if (!pair) return { offset, value: null }
      offset = isScalar(pair.key) ? (pair.key.range?.[0] ?? offset) : offset
      node = pair.value
    } else if (isSeq(node)) {
      const item: unknown = node.items[Number(key)]
      if (item === undefined) return { offset, value: null }
      offset = (item as { range?: [number] | null }).range?.[0] ?? offset
      node = item
    } else return { offset, value: null }
  }
  return { offset, value: node }
}

/** null where it is absent, undefined where it makes no sense. */
function versionOf(value: unknown): bigint | null | undefined {
  if (value === undefined || value === null) return null
  const text = String(value)
  return /^\d{1,18}$/.test(text) ? BigInt(text) : undefined
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function sentence(text: string): string {
  const line = text.split('\n')[0]!.slice(0, 300)
  return /[.!?]$/.test(line) ? line : `${line}.`
}
