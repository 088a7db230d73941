// Two runs of the same batch side by side: what their reports and tables must agree on, and where they don't.
import { COUNTS, type Counts, type StepReport } from '#engine/engine.ts'

export type Final = Extract<StepReport, { counts: unknown }>

/** A table as one engine left it. Rows as JSON texts of their values in the order of `columns`. */
export type TableContent = { columns: { name: string; type: string }[]; rows: string[] }

export type Difference = { step: string; what: string; left: string; right: string }

/** Bytes and files are an engine's own affair. */
const OWN: ReadonlySet<string> = new Set(['bytes_read', 'bytes_written', 'files_rewritten'])
/** Rows of one table that are shown, of each side. */
const SHOWN = 5

/** Where two reports of a step differ: state, counts, rules, schema changes, hash, error. */
export function compareReports(left: Final, right: Final): Difference[] {
  const found: Difference[] = []
  const tell = (what: string, a: unknown, b: unknown) => {
    const [x, y] = [JSON.stringify(a), JSON.stringify(b)]
    if (x !== y) found.push({ step: left.step, what, left: x, right: y })
  }
  tell('state', left.state, right.state)
  tell('error', left.error?.code ?? null, right.error?.code ?? null)
  tell('counts', told(left.counts), told(right.counts))
  tell('rules', left.rules.map(verdict), right.rules.map(verdict))
  tell('schema_changes', inOrder(left.schema_changes), inOrder(right.schema_changes))
  tell('content_hash', left.content_hash, right.content_hash)
  tell('warnings', left.warnings, right.warnings)
  tell('root_cause', left.root_cause, right.root_cause)
  tell('watermark', left.watermark_to, right.watermark_to)
  tell(
    'files',
    left.files.map(({ source_path, sha256 }) => [source_path, sha256]),
    right.files.map(({ source_path, sha256 }) => [source_path, sha256]),
  )
  return found
}

/** Where two tables differ; rows in any order. Null: there is no such table. */
export function compareTables(
  name: string,
  left: TableContent | null,
  right: TableContent | null,
): Difference[] {
  const at = (what: string, a: string, b: string): Difference => ({
    step: name,
    what,
    left: a,
    right: b,
  })
  if (left === null || right === null)
    return left === right ? [] : [at('table', left ? 'there' : 'none', right ? 'there' : 'none')]
  const shape = ({ columns }: TableContent) =>
    columns.map((column) => `${column.name} ${column.type}`).join(', ')
  const found: Difference[] = []
  if (shape(left) !== shape(right)) found.push(at('schema', shape(left), shape(right)))
  const only = (mine: string[], theirs: string[]) => {
    const counts = Map.groupBy(theirs, (row) => row)
    return mine.filter((row) => counts.get(row)?.pop() === undefined)
  }
  const [a, b] = [only(left.rows, right.rows), only(right.rows, left.rows)]
  if (a.length > 0 || b.length > 0) {
    const shown = (rows: string[]) =>
      `${rows.length} of its own: ${rows.toSorted().slice(0, SHOWN).join(' ')}`
    found.push(at('rows', shown(a), shown(b)))
  }
  return found
}

function told(counts: Counts): Record<string, number> {
  return Object.fromEntries(
    COUNTS.filter((name) => !OWN.has(name) && (counts[name] ?? 0) !== 0).map((name) => [
      name,
      counts[name]!,
    ]),
  )
}

/** In which order columns were looked at is told by no table. */
function inOrder(changes: Final['schema_changes']) {
  return changes.toSorted((a, b) => (a.column < b.column ? -1 : a.column > b.column ? 1 : 0))
}

function verdict({ name, on_fail, rows_checked, rows_failed, applied }: Final['rules'][number]) {
  return { name, on_fail, rows_checked, rows_failed, applied }
}
