// Commands that every page has.
import type { Command } from '#lib/palette/actions.svelte.ts'
import { keys } from '#lib/keys.svelte.ts'
import { sideBar } from '#lib/nav.svelte.ts'
import { theme } from '#lib/theme.svelte.ts'

export const SHELL: readonly Command[] = [
  { label: 'Use the light theme', run: () => (theme.choice = 'light') },
  { label: 'Use the dark theme', run: () => (theme.choice = 'dark') },
  { label: 'Use the theme of the system', run: () => (theme.choice = 'system') },
  { label: 'Make the side bar narrow or wide', run: () => (sideBar.narrow = !sideBar.narrow) },
  { label: 'Switch single-letter keys on or off', run: () => (keys.on = !keys.on) },
]
