// The first rows of an object of files, typed as it would come to bronze, with a profile of what was looked at.
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fail } from '#core/errors.ts'
import type { Preview, RawObject, SourceContext } from './extractor.ts'
import { listFiles } from './file-list.ts'
import { discoveredColumns, formatOf } from './files-discover.ts'
import { formatOptions } from './options.ts'
import { profileRows } from './profile-rows.ts'
import { closeShape, inspectFiles, type RawFormat } from './raw-shape.ts'
import { rawError, rawScanSql } from './read-raw.ts'

/** Files that a preview opens. */
const LOOK_AT = 3

/** @throws path_outside, source_folder_missing, not_found, and what reading the files throws */
export async function previewFiles(
  context: SourceContext,
  raw: RawObject,
  limit: number,
): Promise<Preview> {
  const found = await listFiles(String(context.source.options.root), raw.object)
  const some = found.filter(({ size }) => size > 0).slice(0, LOOK_AT)
  if (found.length === 0) return fail('not_found', { kind: 'file', name: raw.object })
  const format = (raw.format ?? formatOf(found[0]!.path) ?? 'csv') as RawFormat
  const files = some.map(({ absolute, path }) => ({ absolute, source_path: path }))
  const options = formatOptions(format, { ...raw.options, bad_rows: 'rescue' })
  const temp = join(tmpdir(), `lakeforge-${crypto.randomUUID()}`)
  const shape = await inspectFiles(context.connection, files, format, options, temp)
  try {
    const columns = raw.columns.length > 0 ? raw.columns : await discoveredColumns(context, shape)
    return await profileRows(context.connection, rawScanSql(shape, columns), columns, limit)
  } catch (error) {
    throw rawError(error, files)
  } finally {
    await closeShape(shape)
  }
}
