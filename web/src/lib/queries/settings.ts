// Reads of the settings page.
import { queryOptions } from '@tanstack/svelte-query'
import { settings, tokens } from '#lib/api/settings.ts'

export const settingsQueries = {
  tokens: () =>
    queryOptions({
      queryKey: ['tokens'],
      queryFn: ({ signal }) => tokens.list({ limit: '500' }, signal),
    }),
  secrets: () =>
    queryOptions({ queryKey: ['secrets'], queryFn: ({ signal }) => settings.secrets(signal) }),
  doctor: () =>
    queryOptions({
      queryKey: ['doctor'],
      queryFn: ({ signal }) => settings.doctor(signal),
      staleTime: 30_000,
    }),
}
