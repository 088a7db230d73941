// A list page over an API collection. Three lines make one:
//
//   // queries/<area>.ts
//   export const SOURCES: ListSpec = { filters: ['kind', 'owner'] }
//   export const sourceList = (state: ListState) => listQuery('sources', sources.list, state)
//   // +page.ts: void client.prefetchInfiniteQuery(sourceList(readList(url.searchParams, SOURCES)))
//   // +page.svelte:
//   const list = createList(SOURCES, sourceList)
//   <List {list} {columns} what={{ one: 'source', many: 'sources' }} href={(row) => paths.source(row.id)} …>
//
// `list.rows` are all pages read so far, each row once; `list.set({ q, sort, filter, open })` changes the address, which changes
// the list. See List.svelte for what is drawn, DataTable.svelte for rows that are in the browser already.
import { createInfiniteQuery, infiniteQueryOptions, keepPreviousData } from '@tanstack/svelte-query'
import { goto } from '$app/navigation'
import { page } from '$app/state'
import type { Facets, ListPage, ListQuery } from '#lib/api/resource.ts'
import { isFiltered, listQueryOf, listSearch, readList } from '#lib/list/state.ts'
import type { ListSpec, ListState } from '#lib/list/state.ts'
import { Selection } from '#lib/list/selection.svelte.ts'
import { POLL_MS } from '#lib/queries.ts'

const PAGE = 100

/** The read of a list: one key a view, keyset pages. `key` begins every read of the area, so that a write can renew them all. */
export function listQuery<Row>(
  key: string,
  fetch: (query: ListQuery, signal?: AbortSignal) => Promise<ListPage<Row>>,
  state: ListState,
) {
  const { open: _, ...view } = state
  return infiniteQueryOptions({
    queryKey: [key, 'list', view],
    queryFn: ({ pageParam, signal }) => fetch(listQueryOf(state, pageParam, PAGE), signal),
    initialPageParam: null as string | null,
    getNextPageParam: (last: ListPage<Row>) => last.next,
    // Each refetch asks for every loaded page again: a long list is looked at, not watched.
    refetchInterval: (query) => ((query.state.data?.pages.length ?? 0) > 3 ? false : 3 * POLL_MS),
  })
}

type Query<Row> = ReturnType<typeof listQuery<Row>>

export class List<Row extends { id: string }> {
  selection = new Selection()
  #spec: ListSpec
  #query

  constructor(spec: ListSpec, query: (state: ListState) => Query<Row>) {
    this.#spec = spec
    this.#query = createInfiniteQuery(() => ({
      ...query(this.state),
      placeholderData: keepPreviousData,
    }))
  }

  #state = $derived.by(() => readList(page.url.searchParams, this.#spec))
  #rows = $derived.by(() => [
    ...new Map(
      (this.#query.data?.pages ?? []).flatMap((each) => each.items).map((row) => [row.id, row]),
    ).values(),
  ])

  get state(): ListState {
    return this.#state
  }

  get rows(): readonly Row[] {
    return this.#rows
  }

  get total(): number | undefined {
    return this.#query.data?.pages[0]?.total
  }

  get facets(): Facets {
    return this.#query.data?.pages[0]?.facets ?? {}
  }

  get filtered(): boolean {
    return isFiltered(this.#state)
  }

  get branch(): 'loading' | 'error' | 'empty' | 'nothing matches' | 'rows' {
    if (!this.#query.data) return this.#query.isError ? 'error' : 'loading'
    if (this.#rows.length > 0) return 'rows'
    return this.filtered ? 'nothing matches' : 'empty'
  }

  get error(): unknown {
    return this.#query.error
  }

  /** What is shown is of the former view. */
  get stale(): boolean {
    return this.#query.isPlaceholderData
  }

  get has_more(): boolean {
    return this.#query.hasNextPage
  }

  get loading_more(): boolean {
    return this.#query.isFetchingNextPage
  }

  get more_failed(): boolean {
    return this.#query.isFetchNextPageError
  }

  /** The row of the drawer, where it is among those read. */
  get opened(): Row | undefined {
    return this.#rows.find((row) => row.id === this.#state.open)
  }

  /** The rows that are chosen and still there. */
  get chosen(): Row[] {
    return this.#rows.filter((row) => this.selection.has(row.id))
  }

  more(): void {
    if (this.has_more && !this.loading_more) void this.#query.fetchNextPage()
  }

  /** Reads to the end, for what is done to every row that matches. */
  async all(): Promise<readonly Row[]> {
    while (this.#query.hasNextPage) {
      const answer = await this.#query.fetchNextPage()
      if (answer.isError || !answer.hasNextPage) break
    }
    return this.#rows
  }

  refetch(): void {
    void this.#query.refetch()
  }

  set(change: Parameters<typeof listSearch>[1], replace = false): void {
    const { pathname, searchParams } = page.url
    void goto(`${pathname}${listSearch(searchParams, change, this.#spec)}`, {
      reset: false,
      replaceState: replace,
    })
  }

  clear(): void {
    this.set({
      q: '',
      filter: Object.fromEntries((this.#spec.filters ?? []).map((name) => [name, undefined])),
    })
  }
}

/** Call it while a component is set up. */
export function createList<Row extends { id: string }>(
  spec: ListSpec,
  query: (state: ListState) => Query<Row>,
): List<Row> {
  return new List(spec, query)
}
