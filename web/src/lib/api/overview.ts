// What the home page sums up.
import { client } from '#lib/api/client.ts'

export type Overview = Awaited<ReturnType<typeof readOverview>>

/** @throws ApiError */
export async function readOverview(signal?: AbortSignal) {
  return (await client.overview.$get({ query: {} }, { init: { signal } })).json()
}
