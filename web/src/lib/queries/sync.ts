// Reads of the sync screens.
import { queryOptions } from '@tanstack/svelte-query'
import { sync } from '#lib/api/sync.ts'

export const syncQueries = {
  plans: () =>
    queryOptions({ queryKey: ['sync', 'plans'], queryFn: ({ signal }) => sync.plans(signal) }),
  plan: (id: string) =>
    queryOptions({
      queryKey: ['sync', 'plan', id],
      queryFn: ({ signal }) => sync.stored(id, signal),
    }),
}
