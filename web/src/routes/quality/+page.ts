import { readList } from '#lib/list/state.ts'
import { client } from '#lib/queries.ts'
import { RULES, operate, ruleList } from '#lib/queries/operate.ts'

export function load({ url }: { url: URL }) {
  const tab = (['tables', 'results'] as const).find((one) => one === url.searchParams.get('tab'))
  const target = url.searchParams.get('target') ?? undefined
  const group = url.searchParams.get('group') ?? undefined
  if (tab === 'tables') void client.prefetchQuery(operate.scores())
  else if (tab === 'results') void client.prefetchQuery(operate.grid(target, group))
  else void client.prefetchInfiniteQuery(ruleList(readList(url.searchParams, RULES)))
  return { tab, target, group }
}
