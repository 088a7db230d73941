import { SETTINGS_TABS } from '#lib/paths.ts'

export function load({ url }: { url: URL }) {
  return { tab: SETTINGS_TABS.find((tab) => tab === url.searchParams.get('tab')) ?? 'appearance' }
}
