// Load type -> writer. `dedupe` comes before them where a step asks for it.
import { fail } from '#core/errors.ts'
import type { SilverStep } from '#core/plan.ts'
import { append } from './append.ts'
import { merge } from './merge.ts'
import { replace } from './replace.ts'
import { scd2 } from './scd2.ts'
import type { Load, Writer, Written } from './writer.ts'

export const WRITERS = { append, merge, replace, scd2 } satisfies Partial<
  Record<SilverStep['load_type'], Writer>
>

/**
 * Writes the data files of a load; committing `adds`, `removes` and `columns` on `load.snapshot` makes them the table.
 * @throws load_type_unsupported, and what the writer refuses; then no file of it is part of anything
 */
export async function write(load_type: SilverStep['load_type'], load: Load): Promise<Written> {
  const writers: Partial<Record<string, Writer>> = WRITERS
  const writer = writers[load_type]
  return writer ? await writer(load) : fail('load_type_unsupported', { load_type })
}
