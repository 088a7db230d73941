// How rows get into a silver table: one entry a load type. Validation at save reads it, and so does the reference page.

export type LoadType = 'append' | 'replace' | 'merge' | 'scd2' | 'cdc' | 'snapshot'

export type Writer = {
  title: string
  meaning: string
  /** Fields of a silver config that must be there. */
  requires: readonly ('keys' | 'sequence_by')[]
  /** Whether `delete_when` may be given. */
  deletes: boolean
  /** Whether it takes only what is new in its first table, or reads everything each time. */
  reads: 'new' | 'all'
  /** Engines that have it. */
  engines: readonly ('local' | 'spark' | 'databricks')[]
}

export const LOAD_TYPES: Record<LoadType, Writer> = {
  append: {
    title: 'Append',
    meaning: 'New rows are added; nothing is ever changed.',
    requires: [],
    deletes: false,
    reads: 'new',
    engines: ['local', 'spark'],
  },
  replace: {
    title: 'Replace',
    meaning: 'The table is made anew from all rows.',
    requires: [],
    deletes: false,
    reads: 'all',
    engines: ['local', 'spark'],
  },
  merge: {
    title: 'Merge',
    meaning: 'A new row takes the place of the one with its keys.',
    requires: ['keys'],
    deletes: true,
    reads: 'new',
    engines: ['local', 'spark'],
  },
  scd2: {
    title: 'History (SCD 2)',
    meaning: 'Each version of a row is kept, with the times between which it held.',
    requires: ['keys', 'sequence_by'],
    deletes: true,
    reads: 'new',
    engines: ['local', 'spark'],
  },
  cdc: {
    title: 'Change feed',
    meaning: 'Inserts, updates and deletes of a change feed are applied in order.',
    requires: ['keys', 'sequence_by'],
    deletes: true,
    reads: 'new',
    engines: [],
  },
  snapshot: {
    title: 'Snapshot',
    meaning: 'Each batch holds all rows; what is missing in it is deleted.',
    requires: ['keys'],
    deletes: false,
    reads: 'all',
    engines: [],
  },
}

export const LOAD_TYPE_NAMES = Object.keys(LOAD_TYPES) as [LoadType, ...LoadType[]]
