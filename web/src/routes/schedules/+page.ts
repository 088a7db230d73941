import { readList } from '#lib/list/state.ts'
import { client } from '#lib/queries.ts'
import { SCHEDULES, operate, scheduleList } from '#lib/queries/operate.ts'

export function load({ url }: { url: URL }) {
  void client.prefetchInfiniteQuery(scheduleList(readList(url.searchParams, SCHEDULES)))
  void client.prefetchQuery(operate.week())
}
