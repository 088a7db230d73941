// How fresh the screen is, for the top bar: a live stream, polling, or no answer from the server.
export type Freshness = 'live' | 'polling' | 'offline' | 'still'

class Connection {
  /** What the open page does about news; `still` where nothing can change any more. */
  page = $state<Exclude<Freshness, 'offline'>>('polling')
  /** When the server last failed to answer; null while it answers. */
  lost_at = $state<number | null>(null)

  get freshness(): Freshness {
    return this.lost_at === null ? this.page : 'offline'
  }
}

export const connection = new Connection()
