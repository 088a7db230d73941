// What becomes of a found table: what the person said, else what follows from what was found. The same rules as the API's, so
// that the table shows beforehand what the review will say.
import type { DiscoveredObject, OnboardTable } from '#lib/api/sources.ts'

export type ReadMode = 'full' | 'incremental' | 'files'
export type LoadType = 'append' | 'replace' | 'merge' | 'scd2'
export type Policy = 'evolve' | 'freeze' | 'rescue' | 'approve'

/** What the person said of one table; what is absent follows. */
export type Wish = {
  name?: string
  read_mode?: ReadMode
  keys?: string[]
  /** Null: none. */
  cursor?: string | null
  load_type?: LoadType
}

/** What holds for all chosen tables. */
export type Settings = {
  /** Id of a group; empty: a new one named `new_group`. */
  group_id: string
  new_group: string
  bronze_schema: string
  silver_schema: string
  /** Whether silver tables are made. */
  silver: boolean
  schema_policy: Policy
}

export type Wanted = {
  name: string
  read_mode: ReadMode
  keys: string[]
  cursor: string | null
  load_type: LoadType
  bronze: string
  silver: string | null
  /** What keeps it from being registered; empty: nothing. */
  faults: string[]
}

export function wantedOf(
  object: DiscoveredObject,
  wish: Wish,
  settings: Settings,
  kind: string,
): Wanted {
  const keys = wish.keys ?? object.keys
  const cursor =
    wish.cursor === undefined
      ? keys.length > 0 || wish.read_mode === 'incremental'
        ? (object.cursor_candidates[0] ?? null)
        : null
      : wish.cursor
  const read_mode: ReadMode =
    wish.read_mode ?? (kind === 'files' ? 'files' : cursor === null ? 'full' : 'incremental')
  const load_type =
    wish.load_type ??
    (read_mode === 'full' ? 'replace' : keys.length > 0 ? 'merge' : ('append' as const))
  const name = wish.name ?? object.name
  const columns = new Set(object.columns.map((column) => column.name.toLowerCase()))
  const unknown = keys.filter((key) => columns.size > 0 && !columns.has(key.toLowerCase()))
  const faults = [
    ...(object.problem ? [object.problem.message] : []),
    ...(read_mode === 'incremental' && cursor === null
      ? ['An incremental read needs a cursor column.']
      : []),
    ...(unknown.length > 0 ? [`It has no column ${unknown.join(', ')}.`] : []),
    ...(settings.silver && (load_type === 'merge' || load_type === 'scd2') && keys.length === 0
      ? [`${load_type === 'merge' ? 'Merge' : 'History'} needs keys.`]
      : []),
    ...(settings.silver && load_type === 'scd2' && cursor === null
      ? ['History needs a cursor that says which row is newer.']
      : []),
  ]
  return {
    name,
    read_mode,
    keys,
    cursor: read_mode === 'incremental' || load_type === 'scd2' ? cursor : null,
    load_type,
    bronze: `${settings.bronze_schema}.${name}`,
    silver: settings.silver ? `${settings.silver_schema}.${name}` : null,
    faults,
  }
}

/** The same for the API: everything said, so that what was reviewed is what is made. */
export function bodyOf(
  object: DiscoveredObject,
  wish: Wish,
  settings: Settings,
  kind: string,
): OnboardTable {
  const wanted = wantedOf(object, wish, settings, kind)
  return {
    object: object.object,
    name: wanted.name,
    keys: wanted.keys,
    cursor: wanted.cursor,
    read_mode: wanted.read_mode,
    load_type: wanted.load_type,
    schema_policy: settings.schema_policy,
    silver: wanted.silver,
  }
}

/** Tables whose name another chosen one has too. */
export function doubles(names: readonly string[]): Set<string> {
  const seen = new Set<string>()
  const twice = new Set<string>()
  for (const name of names) (seen.has(name) ? twice : seen).add(name)
  return twice
}

/** A legal name from a folder, a database, a title: "C:\Sales 2026\" -> "sales_2026". */
export function nameFrom(text: string): string {
  const last =
    text
      .replace(/[\\/]+$/, '')
      .split(/[\\/]/)
      .at(-1) ?? ''
  return last
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/[^a-z0-9_]+/g, '_')
    .replace(/^_+|_+$/g, '')
    .slice(0, 100)
}
