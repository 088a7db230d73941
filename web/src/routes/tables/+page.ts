import { client } from '#lib/queries.ts'
import { tableQueries } from '#lib/queries/tables.ts'
import { readTablesView } from '#lib/table-paths.ts'

export function load({ url }: { url: URL }) {
  void client.prefetchQuery(tableQueries.graph())
  return { view: readTablesView(url.searchParams) }
}
