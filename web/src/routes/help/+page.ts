import { TOPICS } from '#lib/help/entries.ts'

export function load({ url }: { url: URL }) {
  return {
    topic: TOPICS.find((one) => one.id === url.searchParams.get('topic'))?.id,
    q: url.searchParams.get('q') ?? '',
  }
}
