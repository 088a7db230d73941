import { client, queries } from '#lib/queries.ts'
import { readBatchView } from '#lib/run/view.ts'

export function load({ params, url }: { params: { id: string }; url: URL }) {
  // A change of the view in the address reads nothing again.
  const query = queries.batch(params.id)
  if (!client.getQueryData(query.queryKey)) void client.prefetchQuery(query)
  return { id: params.id, view: readBatchView(url.searchParams) }
}
