// What changed things are called, and where they are looked at. Pure.
import { dependantHref, dependantWord } from '#lib/dependants.ts'
import type { Change } from '#lib/api/audit.ts'
import { paths } from '#lib/paths.ts'

const HREFS: Record<string, (id: string) => string> = {
  schedule: (id) => paths.schedule(id),
  dq_rule: (id) => paths.rule(id),
  source: (id) => paths.source(id),
}

export const OPERATIONS: Record<Change['operation'], string> = {
  insert: 'Created',
  update: 'Changed',
  delete: 'Deleted',
}

/** "Source", "Rule", … */
export function kindOf(table_name: string): string {
  return dependantWord({ table_name, id: '', name: '' })
}

/** Null for what is gone or has no page. */
export function hrefOf(change: Pick<Change, 'operation' | 'table_name' | 'row_id' | 'name'>) {
  if (change.operation === 'delete') return null
  return (
    HREFS[change.table_name]?.(change.row_id) ??
    dependantHref({
      table_name: change.table_name,
      id: change.row_id,
      name: change.name ?? '',
    })
  )
}
