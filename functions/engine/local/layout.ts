// Where everything of one lake lies below its root. Pure: names to paths, nothing is touched.
import { join } from 'node:path'
import { splitTable } from '#core/names.ts'

/** Folder of a Delta table: `<root>/tables/<schema>/<table>`. */
export function tableDir(root: string, table: string): string {
  const [schema, name] = splitTable(table)
  return join(root, 'tables', schema, name)
}

/** The table that takes what rules send away; lies beside its table. */
export function quarantineTable(table: string): string {
  return `${table}_quarantine`
}

/** Folder of a raw object; a batch's files and manifest lie in `seq=<n>` below. */
export function rawDir(root: string, source: string, raw_config: string): string {
  return join(root, 'raw', source, raw_config)
}

/** Spill files of one run; deleted with it. */
export function tempDir(root: string, name: string): string {
  return join(root, '_lakeforge', 'temp', name)
}

/** Folder of what a batch must remember beside the data. */
export function batchDir(root: string, batch_id: string): string {
  return join(root, '_lakeforge', 'batches', encodeURIComponent(batch_id))
}

/** A step's record (`record.ts`). Step keys hold `:` and `.`, which not every file system takes. */
export function recordPath(root: string, batch_id: string, step: string): string {
  return join(batchDir(root, batch_id), `${encodeURIComponent(step)}.json`)
}
