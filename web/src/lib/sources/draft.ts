// What the wizard was told and nobody has saved yet, kept in this browser: a reload in any step loses nothing. Never a secret:
// its fields hold references alone.
import type { Settings, Wish } from '#lib/sources/wish.ts'

export type Draft = {
  chosen: string[]
  wishes: Record<string, Wish>
  settings: Partial<Settings>
  /** So that a second click, or a reload in between, starts no second batch. */
  run_key: string
}

const KEY = 'lakeforge.wizard.'

/** Of the connection that is not saved yet: by kind. */
export function readConnection(kind: string): Record<string, unknown> | null {
  return readJson(`new.${kind}`) as Record<string, unknown> | null
}

export function keepConnection(kind: string, values: Record<string, unknown> | null): void {
  keep(`new.${kind}`, values)
}

/** Of a source that is saved, whose tables are being chosen. */
export function readDraft(source_id: string): Draft {
  const stored = readJson(source_id) as Partial<Draft> | null
  return {
    chosen: Array.isArray(stored?.chosen) ? stored.chosen : [],
    wishes: stored?.wishes ?? {},
    settings: stored?.settings ?? {},
    run_key: stored?.run_key ?? crypto.randomUUID(),
  }
}

export function keepDraft(source_id: string, draft: Draft | null): void {
  keep(source_id, draft)
}

function readJson(key: string): unknown {
  try {
    return JSON.parse(localStorage.getItem(KEY + key) ?? 'null')
  } catch {
    return null
  }
}

function keep(key: string, value: unknown): void {
  try {
    if (value === null) localStorage.removeItem(KEY + key)
    else localStorage.setItem(KEY + key, JSON.stringify(value))
  } catch {
    // Storage is full or forbidden: the draft lives as long as the page.
  }
}
