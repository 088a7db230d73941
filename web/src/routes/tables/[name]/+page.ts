import { client } from '#lib/queries.ts'
import { tableQueries } from '#lib/queries/tables.ts'
import { readTableView } from '#lib/table-paths.ts'

export function load({ params, url }: { params: { name: string }; url: URL }) {
  void client.prefetchQuery(tableQueries.table(params.name))
  return { name: params.name, view: readTableView(url.searchParams) }
}
