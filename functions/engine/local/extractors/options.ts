// Options as the catalogue's schemas answer them, defaults filled in.
import { rawOptions } from '#core/extractors.ts'

/** Options of a file format with the defaults of the catalogue. @throws a valibot error for options that it doesn't know */
export function formatOptions(
  format: string,
  options: Record<string, unknown>,
): Record<string, unknown> {
  return rawOptions('files', format, format === 'parquet' ? {} : options)
}
