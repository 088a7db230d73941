// What can be written next: columns of the tables that are read, functions of the dialect, tables, words of SQL. Pure.
import type { SqlFunction } from '#lib/api/configs.ts'

export type SqlWords = {
  /** Tables that are read, by every name that they have in the text (schema.table, alias), with their columns. */
  tables: ReadonlyMap<string, readonly { name: string; type: string }[]>
  /** Tables that could be read. */
  known: readonly string[]
  functions: readonly SqlFunction[]
}
export type Completion = {
  label: string
  kind: 'column' | 'function' | 'table' | 'keyword'
  detail?: string
  info?: string
  /** What is written; the label where absent. */
  apply?: string
}

const KEYWORDS = (
  'select from where group by having order limit with as on join left inner cross union all distinct case when then else end ' +
  'and or not in is null between like rlike exists cast true false over partition rows qualify interval date timestamp asc desc'
).split(' ')

/** Offset at which the word begins, and what can take its place; null where nothing can be said. */
export function complete(
  before: string,
  words: SqlWords,
): { from: number; options: Completion[] } | null {
  if (inText(before)) return null
  const found = /[\w`]+(?:\.[\w`]*)*$/.exec(before)
  const word = (found?.[0] ?? '').replaceAll('`', '')
  const dot = word.lastIndexOf('.')
  if (dot >= 0) {
    const prefix = word.slice(0, dot).toLowerCase()
    const from = before.length - (word.length - dot - 1)
    const columns = columnsOf(words, prefix)
    if (columns) return { from, options: columns.map(column) }
    const tables = words.known.filter((name) => name.startsWith(`${prefix}.`))
    if (tables.length === 0) return null
    return {
      from,
      options: tables.map((name) => ({ ...table(name), label: name.slice(prefix.length + 1) })),
    }
  }
  const columns = new Map<string, Completion>()
  for (const list of words.tables.values())
    for (const each of list) columns.set(each.name, column(each))
  return {
    from: before.length - word.length,
    options: [
      ...columns.values(),
      ...words.functions.map((each) => ({
        label: each.name,
        kind: 'function' as const,
        detail: each.signature,
        info: each.description,
        apply: `${each.name}(`,
      })),
      ...words.known.map(table),
      ...KEYWORDS.map((label) => ({ label, kind: 'keyword' as const })),
    ],
  }
}

/** The columns behind a name before a dot: schema.table, the table alone, or an alias. */
function columnsOf(words: SqlWords, name: string) {
  const exact = words.tables.get(name)
  if (exact) return exact
  for (const [full, columns] of words.tables) if (full.endsWith(`.${name}`)) return columns
  return undefined
}

/** Whether the text ends inside a string or a comment. */
function inText(before: string): boolean {
  let quote = ''
  for (let i = 0; i < before.length; i++) {
    const char = before[i]!
    if (quote === '--') {
      if (char === '\n') quote = ''
    } else if (quote) {
      if (char === '\\') i++
      else if (char === quote) quote = ''
    } else if (char === "'" || char === '"') quote = char
    else if (char === '-' && before[i + 1] === '-') quote = '--'
  }
  return quote !== ''
}

function column({ name, type }: { name: string; type: string }): Completion {
  return {
    label: name,
    kind: 'column',
    detail: type,
    ...(!/^[a-z_]\w*$/i.test(name) && { apply: `\`${name.replaceAll('`', '``')}\`` }),
  }
}

function table(name: string): Completion {
  return { label: name, kind: 'table' }
}

/** Names of tables in a query's text, and the aliases behind them: what completion goes by while somebody types. */
export function tablesIn(query: string): { table: string; alias: string | null }[] {
  const AFTER =
    /\b(?:from|join)\s+`?(\w+)`?\s*\.\s*`?(\w+)`?(?:\s+(?:as\s+)?(?!(?:on|where|join|left|inner|cross|group|order|limit|having|union|qualify|using)\b)`?(\w+)`?)?/gi
  return [...query.matchAll(AFTER)].map(([, schema, name, alias]) => ({
    table: `${schema}.${name}`.toLowerCase(),
    alias: alias?.toLowerCase() ?? null,
  }))
}
