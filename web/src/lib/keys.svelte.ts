// The keyboard: one list that the handler obeys and the help dialog prints. Single letters are off inside fields, and can be
// switched off as a whole (WCAG 2.1.4).
import { untrack } from 'svelte'

export type Shortcut = { keys: string; does: string }

/** What pages add to the list while they are open; `on` are the keys as the browser names them. */
type Binding = Shortcut & { on: string[]; run: (event: KeyboardEvent) => void }

const KEY = 'lakeforge.keys'

class Keys {
  #on = $state(localStorage.getItem(KEY) !== 'off')
  #bindings = $state.raw<Binding[]>([])
  #goto = new Map<string, () => void>()
  #g_at = 0

  get on(): boolean {
    return this.#on
  }

  set on(value: boolean) {
    this.#on = value
    localStorage.setItem(KEY, value ? 'on' : 'off')
  }

  get bindings(): readonly Shortcut[] {
    return this.#bindings
  }

  /** Adds bindings; the answer takes them away again. */
  bind(bindings: Binding[]): () => void {
    // Called from effects, which must not run again when the list changes.
    this.#bindings = untrack(() => [...this.#bindings, ...bindings])
    return () => {
      this.#bindings = this.#bindings.filter((binding) => !bindings.includes(binding))
    }
  }

  /** What `g` and then `key` does. */
  go(key: string, run: () => void): void {
    this.#goto.set(key, run)
  }

  handle(event: KeyboardEvent): void {
    if (!this.#on || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey)
      return
    if (isField(event.target) || document.querySelector('dialog[open]')) return
    const second = event.timeStamp - this.#g_at < 1000
    this.#g_at = 0
    if (second) {
      const run = this.#goto.get(event.key)
      if (run) {
        event.preventDefault()
        run()
        return
      }
    }
    if (event.key === 'g') {
      this.#g_at = event.timeStamp
      return
    }
    // The newest binding wins: a page's over the shell's.
    const binding = this.#bindings.findLast((one) => one.on.includes(event.key))
    if (!binding) return
    event.preventDefault()
    binding.run(event)
  }
}

export const keys = new Keys()

/** Moves the focus among the elements that `selector` finds; the first or last one where none has it. */
export function moveFocus(selector: string, by: 1 | -1): void {
  const items = [...document.querySelectorAll<HTMLElement>(selector)]
  const at = items.findIndex((item) => item === document.activeElement)
  const next = at < 0 ? (by > 0 ? 0 : items.length - 1) : at + by
  items[Math.min(Math.max(next, 0), items.length - 1)]?.focus()
}

/** The keys of a list whose rows hold an element with `data-row`; the answer takes them away again. */
export function listKeys(filter = false): () => void {
  return keys.bind([
    { keys: 'j', does: 'Next row', on: ['j'], run: () => moveFocus('[data-row]', 1) },
    { keys: 'k', does: 'Previous row', on: ['k'], run: () => moveFocus('[data-row]', -1) },
    { keys: 'Enter', does: 'Open the row', on: [], run: () => {} },
    ...(filter ? [FILTER_KEY] : []),
  ])
}

/** Puts the focus on the page's filter field: the element with `data-filter`. */
export const FILTER_KEY: Binding = {
  keys: '/',
  does: 'Go to the filter',
  on: ['/'],
  run: () => document.querySelector<HTMLElement>('[data-filter]')?.focus(),
}

function isField(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || ['INPUT', 'SELECT', 'TEXTAREA'].includes(target.tagName))
  )
}
