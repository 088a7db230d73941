// The reads of the screens that watch and steer: comparison of batches, and what follows in their areas.
import { queryOptions } from '@tanstack/svelte-query'
import { batchApi } from '#lib/api/batches.ts'

export const operate = {
  compare: (id: string, other: string | undefined) =>
    queryOptions({
      queryKey: ['batch', id, 'compare', other ?? null],
      queryFn: ({ signal }) => batchApi.compare(id, other, signal),
    }),
}
