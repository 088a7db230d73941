// What rules do and said, in words and as rows for the screens. Pure.
import type { Grid } from '#lib/api/quality.ts'
import type { Tone } from '#lib/states.ts'

/** What happens to a row that fails, as the builder says it. */
export const ON_FAIL = [
  { value: 'warn', label: 'Warn', meaning: 'The row stays; the batch shows a warning.' },
  {
    value: 'quarantine',
    label: 'Quarantine',
    meaning:
      'The row goes to the quarantine of the table, with the reason; the others are written.',
  },
  {
    value: 'drop',
    label: 'Drop',
    meaning: 'The row is left out and counted; nothing of it is kept.',
  },
  {
    value: 'fail',
    label: 'Fail the step',
    meaning: 'Nothing of the batch is written to this table, and what reads it is skipped.',
  },
] as const

export type RuleStatus = 'draft' | 'proposed' | 'approved' | 'rejected' | 'disabled'

export const STATUS_TONES: Record<RuleStatus, Tone> = {
  draft: 'queue',
  proposed: 'wait',
  approved: 'ok',
  rejected: 'fail',
  disabled: 'skip',
}

/** Where a rule can go from each status, as what a person does. */
export const LIFECYCLE: Record<RuleStatus, readonly { to: RuleStatus; label: string }[]> = {
  draft: [
    { to: 'proposed', label: 'Propose' },
    { to: 'approved', label: 'Approve' },
  ],
  proposed: [
    { to: 'approved', label: 'Approve' },
    { to: 'rejected', label: 'Reject' },
  ],
  approved: [{ to: 'disabled', label: 'Disable' }],
  rejected: [{ to: 'draft', label: 'Back to draft' }],
  disabled: [{ to: 'approved', label: 'Approve' }],
}

export type GridRow = {
  rule_id: string
  name: string
  table: string
  /** In the order of the batches; null where the rule did not run. */
  cells: (Grid['runs'][number] | null)[]
  /** Failing rows in all of them, for the order. */
  failed: number
}

/** A row for each rule, those that failed most on top. */
export function gridRows(grid: Grid): GridRow[] {
  const at = new Map(grid.batches.map((batch, index) => [batch.id, index]))
  const rows = new Map<string, GridRow>()
  for (const run of grid.runs) {
    const key = `${run.table} ${run.rule_id}`
    let row = rows.get(key)
    if (!row) {
      const { rule_id, name, table } = run
      row = { rule_id, name, table, cells: grid.batches.map(() => null), failed: 0 }
      rows.set(key, row)
    }
    const index = at.get(run.batch_id)
    if (index === undefined) continue
    row.cells[index] = run
    row.failed += run.rows_failed
  }
  return [...rows.values()].sort(
    (a, b) => b.failed - a.failed || a.table.localeCompare(b.table) || a.name.localeCompare(b.name),
  )
}

type Outcome = { rows_failed: number; applied: boolean; on_fail: string }

/** What one run of a rule came to. */
export function outcomeOf(run: Outcome): { word: string; tone: Tone; sign: string } {
  if (run.rows_failed === 0) return { word: 'passed', tone: 'ok', sign: '·' }
  if (!run.applied) return { word: 'within threshold', tone: 'skip', sign: '–' }
  return run.on_fail === 'fail'
    ? { word: 'failed', tone: 'fail', sign: '×' }
    : { word: 'failed', tone: 'warn', sign: '!' }
}

type Error = { rule: string; message: string; columns: string[] | null; batch_id: string }

/** What a quarantined row failed; empty for anything that is not the list that the engine writes. */
export function errorsOf(value: unknown): Error[] {
  const list: unknown = typeof value === 'string' ? parse(value) : value
  if (!Array.isArray(list)) return []
  return list.filter(
    (one): one is Error => typeof one === 'object' && one !== null && 'rule' in one,
  )
}

/** Names of the columns that some rule found wrong, in lower case. */
export function wrongColumns(errors: readonly Error[]): Set<string> {
  return new Set(errors.flatMap((one) => (one.columns ?? []).map((name) => name.toLowerCase())))
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
