// What a quarantine table holds: its table's columns and why the row is here.
import type { Column } from '#core/types.ts'
import { ERRORS_COLUMN } from '#core/plan.ts'
import type { Snapshot } from './delta.ts'

/** Tags of the files of a quarantine: which config and batch they are of, so that those that never came further are found. */
export const OWNER_TAG = 'lakeforge.app_id'
export const SEQ_TAG = 'lakeforge.seq'

/** The table's columns and `_errors`; columns that the table no longer has stay, empty from now on. */
export function quarantineColumns(columns: readonly Column[], former: Snapshot | null): Column[] {
  const now = [...columns.map((column) => ({ ...column, nullable: true })), ERRORS_COLUMN]
  const names = new Set(now.map((column) => column.name.toLowerCase()))
  return [...now, ...(former?.columns ?? []).filter(({ name }) => !names.has(name.toLowerCase()))]
}
