// What a list shows, as its address says it: search, filters, order, the row whose drawer is open. A pasted link and the back
// button bring the same view. Pure: the rune around it is list.svelte.ts.
export type ListSpec = {
  /** Names of the filters, as the API calls them. */
  filters?: readonly string[]
  /** The order while the address names none; `-` in front: descending. */
  sort?: string
}

export type ListState = {
  q: string
  sort: string
  /** Id of the row in the drawer; empty: it is closed. */
  open: string
  filter: Record<string, string>
}

const DEFAULT_SORT = 'name'

/** What is read of an address's query. */
type Search = { get(name: string): string | null; toString(): string }

export function readList(search: Search, spec: ListSpec = {}): ListState {
  const filter: Record<string, string> = {}
  for (const name of spec.filters ?? []) {
    const value = search.get(name)
    if (value) filter[name] = value
  }
  return {
    q: search.get('q') ?? '',
    sort: search.get('sort') ?? spec.sort ?? DEFAULT_SORT,
    open: search.get('open') ?? '',
    filter,
  }
}

/** The address's query with a change made; parameters that are not the list's stay. `?…`, or empty. */
export function listSearch(
  now: Search,
  change: Partial<Omit<ListState, 'filter'>> & { filter?: Record<string, string | undefined> },
  spec: ListSpec = {},
): string {
  const next = new URLSearchParams(now.toString())
  const put = (key: string, value: string | undefined) => {
    if (value) next.set(key, value)
    else next.delete(key)
  }
  if ('q' in change) put('q', change.q)
  if ('open' in change) put('open', change.open)
  if (change.sort !== undefined)
    put('sort', change.sort === (spec.sort ?? DEFAULT_SORT) ? undefined : change.sort)
  for (const [key, value] of Object.entries(change.filter ?? {})) put(key, value)
  const text = next.toString()
  return text ? `?${text}` : ''
}

/** Whether something hides rows. */
export function isFiltered(state: ListState): boolean {
  return state.q !== '' || Object.keys(state.filter).length > 0
}

/** The order after a click on a column: ascending, then descending. */
export function nextSort(now: string, column: string): string {
  return now === column ? `-${column}` : column
}

/** What the list asks the API: the first page brings the total and the facets. */
export function listQueryOf(
  state: ListState,
  after: string | null,
  limit: number,
): Record<string, string | undefined> {
  return {
    ...state.filter,
    q: state.q || undefined,
    sort: state.sort,
    limit: String(limit),
    after: after ?? undefined,
    include: after === null ? 'total,facets' : undefined,
  }
}
