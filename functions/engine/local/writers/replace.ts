// Replace: the staged rows are the table; what was there leaves in the same commit.
import { append } from './append.ts'
import type { Load, Written } from './writer.ts'

export async function replace(load: Load): Promise<Written> {
  const written = await append({ ...load, snapshot: null })
  return { ...written, removes: [...(load.snapshot?.files ?? [])] }
}
