// Which rows are chosen, by id. Shift chooses everything between the last one and this one.
export class Selection {
  #ids = $state.raw<ReadonlySet<string>>(new Set())
  #anchor: string | null = null

  get ids(): ReadonlySet<string> {
    return this.#ids
  }

  get size(): number {
    return this.#ids.size
  }

  has(id: string): boolean {
    return this.#ids.has(id)
  }

  /** `through`: the ids in the order shown, for a range from the row that was toggled last. */
  toggle(id: string, through?: readonly string[]): void {
    const next = new Set(this.#ids)
    const on = !next.has(id)
    const from = through && this.#anchor !== null ? through.indexOf(this.#anchor) : -1
    const to = through ? through.indexOf(id) : -1
    if (from >= 0 && to >= 0) {
      for (const each of through!.slice(Math.min(from, to), Math.max(from, to) + 1)) next.add(each)
    } else if (on) next.add(id)
    else next.delete(id)
    this.#anchor = id
    this.#ids = next
  }

  add(ids: Iterable<string>): void {
    this.#ids = new Set([...this.#ids, ...ids])
  }

  remove(ids: Iterable<string>): void {
    const next = new Set(this.#ids)
    for (const id of ids) next.delete(id)
    this.#ids = next
  }

  clear(): void {
    this.#ids = new Set()
    this.#anchor = null
  }
}
