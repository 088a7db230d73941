// What the palette can do beside going somewhere. A page adds what can be done to its thing while it is open:
//
//   $effect(() => commands.add([{ label: 'Delete source orders', run: () => (deleting = true) }]))
export type Command = {
  label: string
  run: () => unknown
  /** Keys that do the same. */
  keys?: string
}

class Commands {
  #added = $state.raw<readonly Command[]>([])

  get all(): readonly Command[] {
    return this.#added
  }

  /** The answer takes them away again. */
  add(list: readonly Command[]): () => void {
    queueMicrotask(() => (this.#added = [...this.#added, ...list]))
    return () => {
      this.#added = this.#added.filter((each) => !list.includes(each))
    }
  }
}

export const commands = new Commands()
