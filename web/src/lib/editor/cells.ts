// The cells of a row of fields (RowsField.svelte), and the lists that configs are made of.

export type Cell = {
  key: string
  title: string
  kind?: 'text' | 'choice' | 'switch' | 'sql' | 'list'
  /** Whole class name: of twelve. */
  width: string
  options?: readonly string[]
  /** Of a choice: the empty one, which is null. */
  any?: string
  suggestions?: readonly string[]
  placeholder?: string
  mono?: boolean
  /** Emptied, it is null, or absent. */
  nullable?: boolean
  optional?: boolean
}

const TYPES =
  'string int bigint double decimal(10,2) boolean date timestamp timestamp_ntz binary'.split(' ')

export const SELECT: Cell[] = [
  { key: 'name', title: 'Name', width: 'sm:col-span-4', mono: true },
  { key: 'expression', title: 'Expression', kind: 'sql', width: 'sm:col-span-8' },
]

export const joinCells = (tables: readonly string[]): Cell[] => [
  {
    key: 'kind',
    title: 'Kind',
    kind: 'choice',
    width: 'sm:col-span-2',
    options: ['left', 'inner'],
  },
  { key: 'table', title: 'Table', width: 'sm:col-span-4', mono: true, suggestions: tables },
  { key: 'alias', title: 'Alias', width: 'sm:col-span-2', mono: true, nullable: true },
  { key: 'on', title: 'On', kind: 'sql', width: 'sm:col-span-4' },
]

export const policyCells = (columns: readonly string[]): Cell[] => [
  { key: 'column', title: 'Column', width: 'sm:col-span-3', mono: true, suggestions: columns },
  {
    key: 'policy',
    title: 'Policy',
    kind: 'choice',
    width: 'sm:col-span-2',
    any: 'as it is',
    options: ['mask', 'hash', 'exclude'],
  },
  { key: 'rename', title: 'New name', width: 'sm:col-span-2', mono: true, nullable: true },
  { key: 'comment', title: 'Comment', width: 'sm:col-span-3', nullable: true },
  { key: 'pii', title: 'Personal', kind: 'switch', width: 'sm:col-span-2' },
]

export const PINNED: Cell[] = [
  { key: 'name', title: 'Name', width: 'sm:col-span-4', mono: true },
  { key: 'type', title: 'Type', width: 'sm:col-span-3', mono: true, suggestions: TYPES },
  {
    key: 'source_name',
    title: 'Name in the source',
    width: 'sm:col-span-3',
    mono: true,
    optional: true,
  },
  { key: 'nullable', title: 'Nullable', kind: 'switch', width: 'sm:col-span-2' },
]

export const GRANTS: Cell[] = [
  { key: 'principal', title: 'Who', width: 'sm:col-span-5' },
  {
    key: 'privileges',
    title: 'Privileges',
    kind: 'list',
    width: 'sm:col-span-7',
    placeholder: 'SELECT, MODIFY',
  },
]
