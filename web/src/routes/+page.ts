import { client, queries } from '#lib/queries.ts'

// Starts the reads before the component is there, without holding the navigation up: the page has its own loading state.
export function load() {
  void client.prefetchQuery(queries.groups())
  void client.prefetchQuery(queries.recent())
  void client.prefetchQuery(queries.schedules())
}
