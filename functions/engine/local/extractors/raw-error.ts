// DuckDB's complaints about raw files as ours: which file of the source, which line, what is wrong; never a value.
import { basename } from 'node:path'
import { LakeForgeError, type ErrorCode } from '#core/errors.ts'
import { duckdbError } from '../duckdb-error.ts'

/** What a failed read of raw files means. `files` tells the source's own names. */
export function rawError(
  error: unknown,
  files: readonly { absolute: string; source_path: string }[],
): LakeForgeError {
  if (error instanceof LakeForgeError) return error
  const text = error instanceof Error ? error.message : String(error)
  const named = files.find((file) => text.includes(basename(file.absolute)))
  const file = named?.source_path ?? (files.length === 1 ? files[0]!.source_path : 'a raw file')
  const line = /CSV Error on Line: (\d+)/.exec(text)?.[1] ?? /in line (\d+)/.exec(text)?.[1]
  const at = line === undefined ? '' : ` in line ${line}`
  const make = (code: ErrorCode, reason: string) =>
    new LakeForgeError(code, { file, reason: `${reason}${at}` }, { cause: error })

  const value = /raw value: ([^\n]+)/.exec(text)?.[1]
  if (value) return new LakeForgeError('raw_value_invalid', { reason: value }, { cause: error })
  if (
    /not utf-8 encoded|Invalid unicode|invalid UTF-8|not valid UTF|File is not utf-16/i.test(text)
  )
    return make('encoding_invalid', 'bytes that its encoding does not have')
  const counts = /Expected Number of Columns: (\d+) Found: (\d+)/.exec(text)
  if (counts) return make('csv_malformed', `${counts[2]} values where ${counts[1]} are expected`)
  if (/unterminated quote/i.test(text)) return make('csv_malformed', 'a quote that never ends')
  if (/state machine reached an invalid state/.test(text))
    return make('csv_malformed', 'mixed line ends, or text after a closing quote')
  if (/Maximum line size|maximum_object_size|larger than the buffer|line exceeds/i.test(text))
    return make('record_too_long', 'a record that is too long')
  if (/Malformed JSON|JSON transform error|Expected (?:top-level )?JSON|Missing JSON/i.test(text))
    return make('json_malformed', 'it is not well-formed')
  return duckdbError(error)
}
