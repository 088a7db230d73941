// How things can be read and loaded, in words.
import { extractorOf } from '#core/extractors.ts'
import { LOAD_TYPES } from '#core/writers.ts'
import type { LoadType, Policy, ReadMode } from '#lib/sources/wish.ts'

export const MODE_TITLES: Record<ReadMode, string> = {
  full: 'Full',
  incremental: 'Incremental',
  files: 'New files',
}

/** The read modes that the wizard offers for a kind of source. */
export function modesOf(kind: string): ReadMode[] {
  const modes: readonly string[] = extractorOf(kind)?.read_modes ?? []
  return (Object.keys(MODE_TITLES) as ReadMode[]).filter((mode) => modes.includes(mode))
}

export const LOADS: { value: LoadType; label: string; meaning: string }[] = (
  ['append', 'replace', 'merge', 'scd2'] as const
).map((value) => ({
  value,
  label: LOAD_TYPES[value].title,
  meaning: LOAD_TYPES[value].meaning,
}))

export const POLICIES: { value: Policy; label: string }[] = [
  { value: 'evolve', label: 'Take new columns over' },
  { value: 'rescue', label: 'Keep what does not fit in _rescued_data' },
  { value: 'freeze', label: 'Fail the step' },
  { value: 'approve', label: 'Ask a person' },
]
