// A step with nothing remarkable about it, for tests to change.
import type { Step } from '#lib/api.ts'

export function step(change: Partial<Step>): Step {
  const zone = change.zone ?? 'raw'
  const table = change.table ?? 't'
  return {
    id: `${zone}:${table}`,
    key: `${zone}:${table}`,
    zone,
    table,
    state: 'succeeded',
    attempt: 1,
    depends_on: [],
    reason: null,
    root_cause: null,
    started_at: null,
    finished_at: null,
    duration_ms: null,
    rows_read: 0,
    rows_written: 0,
    rows_quarantined: 0,
    rows_dropped: 0,
    rows_filtered: 0,
    rows_deduplicated: 0,
    rows_late: 0,
    rows_inserted: 0,
    rows_updated: 0,
    rows_deleted: 0,
    rows_closed: 0,
    files_rewritten: 0,
    bytes_read: 0,
    bytes_written: 0,
    delta_version_before: null,
    delta_version_after: null,
    content_hash: null,
    watermark_from: null,
    watermark_to: null,
    error: null,
    warnings: [],
    progress: null,
    ...change,
  }
}
