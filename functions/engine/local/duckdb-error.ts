// The one boundary where DuckDB's and the file system's errors become ours. Values from rows never pass: DuckDB puts them in
// single quotes, names in double ones.
import { type ErrorCode, LakeForgeError } from '#core/errors.ts'
import type { StepError } from '#engine/engine.ts'

/** Any error of a statement or a file as ours; ours stay as they are. */
export function duckdbError(error: unknown): LakeForgeError {
  if (error instanceof LakeForgeError) return error
  const text = error instanceof Error ? error.message : String(error)
  const system = String((error as { code?: unknown } | null)?.code ?? '')
  const make = (code: ErrorCode, detail: Record<string, unknown> = {}) =>
    new LakeForgeError(code, { reason: withoutValues(text), ...detail }, { cause: error })

  // What a macro of the dialect refuses, by the name of Spark's own error class.
  const refused = /LAKEFORGE:(\w+)/.exec(text)?.[1]
  if (refused !== undefined) return make('value_invalid', { reason: refused })
  if (text.startsWith('INTERRUPT Error')) return make('step_interrupted')
  if (
    /No space left on device|ENOSPC|EDQUOT|max_temp_directory_size|Disk quota/.test(text + system)
  )
    return make('disk_full', { path: pathIn(text) })
  if (/^Out of Memory Error|^(TransactionContext|FATAL).*[Oo]ut of [Mm]emory|bad_alloc/.test(text))
    return make('out_of_memory')
  if (/^IO Error: (No files found|Cannot open file|Could not open)|^ENOENT|No such file/.test(text))
    return make('file_missing', { path: pathIn(text) })
  if (/No magic bytes|too small to be a Parquet|[Cc]orrupt|Failed to decompress|ZSTD/.test(text))
    return make('file_unreadable')
  if (/^Permission Error|EACCES|EPERM/.test(text + system)) return make('file_denied')
  if (/^(Conversion|Out of Range|Invalid Input) Error/.test(text)) return make('value_invalid')
  if (/^(Binder|Catalog|Parser|Not implemented) Error/.test(text)) return make('sql_failed')
  return make('engine_failed')
}

/** What a report says of an error. */
export function stepError(error: unknown): StepError {
  const ours = duckdbError(error)
  return { code: ours.code, message: ours.message, hint: ours.hint, retry: ours.retry }
}

/** The first line, without what stood in single quotes, at most 300 characters. */
function withoutValues(text: string): string {
  const first = (text.split('\n')[0] ?? '').replace(/^[A-Za-z ]+Error: /, '')
  return first.replace(/'(?:[^']|'')*('|$)/g, "'…'").slice(0, 300)
}

/** Paths are the lake's own names: no row's value. Empty when none is named. */
function pathIn(text: string): string {
  return /["'](\/[^"']+)["']/.exec(text)?.[1] ?? ''
}
