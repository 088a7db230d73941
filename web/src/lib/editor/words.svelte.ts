// What completion may offer in a form: the columns of the tables that its draft reads, fetched as they are named.
import { client } from '#lib/queries.ts'
import { tableQueries } from '#lib/queries/tables.ts'
import type { SqlFunction } from '#lib/api/configs.ts'
import type { SqlWords } from './complete.ts'

type Columns = readonly { name: string; type: string }[]

export class Words {
  #columns = $state.raw<ReadonlyMap<string, Columns>>(new Map())
  #asked = new Set<string>()
  #read: () => readonly { table: string; alias: string | null }[]
  #known: () => readonly string[]
  #functions: () => readonly SqlFunction[]

  /** `read`: the tables of the draft, with their aliases. */
  constructor(
    read: () => readonly { table: string; alias: string | null }[],
    known: () => readonly string[],
    functions: () => readonly SqlFunction[],
  ) {
    this.#read = read
    this.#known = known
    this.#functions = functions
    $effect(() => {
      for (const { table } of this.#read()) this.#fetch(table)
    })
  }

  now = $derived.by((): SqlWords => {
    const tables = new Map<string, Columns>()
    for (const { table, alias } of this.#read()) {
      const columns = this.#columns.get(table)
      if (!columns) continue
      tables.set(table, columns)
      if (alias) tables.set(alias, columns)
    }
    return { tables, known: this.#known(), functions: this.#functions() }
  })

  #fetch(table: string): void {
    if (this.#asked.has(table) || !this.#known().includes(table)) return
    this.#asked.add(table)
    client.fetchQuery(tableQueries.table(table)).then(
      ({ columns }) => {
        this.#columns = new Map([...this.#columns, [table, columns]])
      },
      () => this.#asked.delete(table),
    )
  }
}
