import { client, queries } from '#lib/queries.ts'
import { sourceQueries } from '#lib/queries/sources.ts'
import { STEPS } from '#lib/sources/wizard.svelte.ts'
import { SOURCE_KINDS } from '#core/extractors.ts'

export function load({ url }: { url: URL }) {
  const search = url.searchParams
  const source = search.get('source')
  const from = search.get('from')
  if (source) void client.prefetchQuery(sourceQueries.one(source))
  if (from) void client.prefetchQuery(sourceQueries.one(from))
  void client.prefetchQuery(queries.groups())
  return {
    source,
    from,
    kind: SOURCE_KINDS.find((kind) => kind === search.get('kind')) ?? null,
    step: STEPS.find((step) => step === search.get('step')) ?? null,
  }
}
