// What the picture shows just now: how near it is, what the pointer is over, what the keyboard is at. Shared with the parts that are
// drawn, so that a pointer that moves changes no list of nodes.
import { getContext, setContext } from 'svelte'

/** Boxes with words, names alone, or only their colours. */
export type Detail = 'full' | 'chip' | 'dot'

export class Sight {
  zoom = $state(1)
  /** Ids on the way through what is pointed at; null: nothing is, and all is equally strong. */
  lit = $state.raw<ReadonlySet<string> | null>(null)
  /** Where the keyboard is. */
  active = $state<string | null>(null)
  /** Whose details are open. */
  selected = $state<string | null>(null)

  get detail(): Detail {
    return this.zoom < 0.25 ? 'dot' : this.zoom < 0.5 ? 'chip' : 'full'
  }

  dimmed(...ids: readonly string[]): boolean {
    const lit = this.lit
    return lit !== null && ids.some((id) => !lit.has(id))
  }
}

const KEY = Symbol('sight')

export function provideSight(sight: Sight): Sight {
  return setContext(KEY, sight)
}

export function useSight(): Sight {
  return getContext<Sight>(KEY)
}
