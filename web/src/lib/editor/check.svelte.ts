// The draft of a silver or gold config against the server while it is typed: the columns that it would give, or what is wrong and
// where; and its rows when they are asked for.
import { asApiError, type ApiError } from '#lib/api/client.ts'
import { previewConfig, type ConfigPreview } from '#lib/api/configs.ts'
import type { Values } from '#lib/form/form.svelte.ts'
import type { Fault } from './sql-editor.ts'

const WAIT_MS = 600
export const PREVIEW_ROWS = 50

export type Draft = {
  body: Record<string, unknown>
  /** Path in the draft -> path in the form, where an unfinished row was left out of the draft. */
  path: (path: string) => string
}

const SILVER = [
  'from',
  'joins',
  'select',
  'where',
  'keys',
  'sequence_by',
  'delete_when',
  'column_policies',
  'load_type',
]

/** What can be checked of a form's values; null while there is nothing to check. */
export function draftOf(zone: 'silver' | 'gold', values: Values): Draft | null {
  const target = /^[a-z0-9_]+\.[a-z0-9_]+$/.test(String(values.target ?? ''))
    ? { target: values.target }
    : {}
  const policies = ((values.column_policies ?? []) as { column: string }[]).filter(
    (each) => each.column,
  )
  if (zone === 'gold') {
    if (!String(values.query ?? '').trim()) return null
    return {
      body: { ...target, query: values.query, column_policies: policies },
      path: (path) => path,
    }
  }
  if (((values.from ?? []) as string[]).length === 0 || !values.load_type) return null
  const body: Record<string, unknown> = { ...target }
  for (const key of SILVER) if (values[key] !== undefined) body[key] = values[key]
  body.column_policies = policies
  const kept: Record<string, number[]> = {}
  for (const [list, needs] of [
    ['select', ['name', 'expression']],
    ['joins', ['table', 'on']],
  ] as const) {
    const rows = (values[list] ?? []) as Record<string, unknown>[]
    const whole = rows
      .map((row, index) => ({ row, index }))
      .filter(({ row }) => needs.every((key) => String(row[key] ?? '').trim() !== ''))
    kept[list] = whole.map(({ index }) => index)
    body[list] = whole.map(({ row }) => row)
  }
  return {
    body,
    path: (path) =>
      path.replace(/^(select|joins)\.(\d+)/, (all, list: string, at: string) => {
        const index = kept[list]?.[Number(at)]
        return index === undefined ? all : `${list}.${index}`
      }),
  }
}

export class Check {
  result = $state.raw<ConfigPreview | null>(null)
  rows = $state.raw<ConfigPreview | null>(null)
  failure = $state.raw<ApiError | null>(null)
  faults = $state.raw<Record<string, Fault[]>>({})
  checking = $state(false)
  reading = $state(false)

  #zone: 'silver' | 'gold'
  #timer: ReturnType<typeof setTimeout> | undefined
  #number = 0

  constructor(zone: 'silver' | 'gold') {
    this.#zone = zone
  }

  /** Some time after the last change. */
  later(values: Values): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => void this.#ask(values, 0), WAIT_MS)
  }

  preview(values: Values): Promise<void> {
    clearTimeout(this.#timer)
    return this.#ask(values, PREVIEW_ROWS)
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#number++
  }

  /** What is wrong at a path, with its place in the text. */
  at(path: string): Fault[] {
    return this.faults[path] ?? []
  }

  async #ask(values: Values, limit: number): Promise<void> {
    const draft = draftOf(this.#zone, values)
    const number = ++this.#number
    if (!draft) {
      this.result = null
      this.failure = null
      this.faults = {}
      return
    }
    this.checking = true
    this.reading = limit > 0
    try {
      const found = await previewConfig(this.#zone, { ...draft.body, limit })
      if (number !== this.#number) return
      this.result = found
      if (limit > 0) this.rows = found
      this.failure = null
      this.faults = {}
    } catch (error) {
      if (number !== this.#number) return
      const failure = asApiError(error, 'Checking')
      const faults: Record<string, Fault[]> = {}
      for (const each of failure.errors) (faults[draft.path(each.path)] ??= []).push(each)
      this.failure = failure
      this.faults = faults
      this.result = null
    } finally {
      if (number === this.#number) this.checking = this.reading = false
    }
  }
}
