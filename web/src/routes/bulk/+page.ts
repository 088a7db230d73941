import { KIND_KEYS } from '#core/metadata-kinds.ts'

export function load({ url }: { url: URL }) {
  return { kind: KIND_KEYS.find((kind) => kind === url.searchParams.get('kind')) ?? 'raw_configs' }
}
