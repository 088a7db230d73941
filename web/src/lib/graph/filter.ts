// The one filter language of the tables' list and graph: `zone:silver state:failed group:sales 2+orders+1`. Terms must all hold;
// values with commas are alternatives, a minus before a term turns it round. A plus before or after a name takes its neighbours
// along: all of them, or as many hops as the number says.
import { LABELS, shown, type Shown } from '#lib/states.ts'
import type { TableNode } from '#lib/api/tables.ts'
import { GRAPH_ZONES, reach, type Model } from './model.ts'

export const FILTER_KEYS = ['zone', 'state', 'group', 'owner', 'tag', 'load'] as const
export type FilterKey = (typeof FILTER_KEYS)[number]

/** The state of a table that has not run yet. */
export const NEVER = 'never'

export type Term =
  | { kind: 'key'; key: FilterKey; values: string[]; not: boolean }
  | { kind: 'text'; text: string; not: boolean }
  /** `up`, `down`: hops; 0 for none in this direction. */
  | { kind: 'around'; name: string; up: number; down: number }
export type Filter = { terms: Term[]; errors: string[] }

const AROUND = /^(?:(\d*)(\+))?([^+\s]+?)(?:(\+)(\d*))?$/

/** Never throws: what it does not understand it names in `errors`, and goes by the rest. */
export function parseFilter(text: string): Filter {
  const terms: Term[] = []
  const errors: string[] = []
  // A word may hold quoted parts: group:"two words"
  for (const [word] of text.matchAll(/(?:"[^"]*"?|[^\s"])+/g)) {
    const not = word.startsWith('-') && word.length > 1
    const body = not ? word.slice(1) : word
    const pair = /^([a-z]+):(.*)$/s.exec(body)
    // raw:files.orders and source:files are names of nodes, not terms
    if (pair && !['raw', 'source'].includes(pair[1]!)) {
      const [, key, rest] = pair
      const known = FILTER_KEYS.find((each) => each === key)
      const values = unquote(rest!).split(',').filter(Boolean)
      if (!known) errors.push(`There is no “${key}:”. Use ${FILTER_KEYS.join(', ')}.`)
      else if (values.length === 0) errors.push(`Say which after “${key}:”.`)
      else {
        const fault = wrongValue(known, values)
        if (fault) errors.push(fault)
        else terms.push({ kind: 'key', key: known, values, not })
      }
      continue
    }
    const around = AROUND.exec(unquote(body))
    if (!not && around && (around[2] || around[4])) {
      terms.push({
        kind: 'around',
        name: around[3]!,
        up: around[2] ? hops(around[1]) : 0,
        down: around[4] ? hops(around[5]) : 0,
      })
      continue
    }
    const plain = unquote(body).replaceAll('+', '')
    if (plain) terms.push({ kind: 'text', text: plain.toLowerCase(), not })
  }
  return { terms, errors }
}

/** The text of a filter; `parseFilter` reads it back to the same terms. */
export function formatFilter(terms: readonly Term[]): string {
  return terms
    .map((term) => {
      if (term.kind === 'around') return `${before(term.up)}${quote(term.name)}${after(term.down)}`
      const word =
        term.kind === 'text' ? quote(term.text) : `${term.key}:${quote(term.values.join(','))}`
      return `${term.not ? '-' : ''}${word}`
    })
    .join(' ')
}

/** The text with the values of one key replaced; none: without it. */
export function withKey(text: string, key: FilterKey, values: readonly string[]): string {
  const others = parseFilter(text).terms.filter(
    (term) => !(term.kind === 'key' && term.key === key && !term.not),
  )
  return formatFilter(
    values.length === 0
      ? others
      : [...others, { kind: 'key', key, values: [...values], not: false }],
  )
}

/** The values of a key; empty where the filter does not ask for it. */
export function valuesOf(filter: Filter, key: FilterKey): string[] {
  const term = filter.terms.find((each) => each.kind === 'key' && each.key === key && !each.not)
  return term?.kind === 'key' ? term.values : []
}

/** The text with the neighbourhood of one node, in place of any other; two hops to each side unless told otherwise. */
export function around(text: string, name: string, up = 2, down = 2): string {
  const others = parseFilter(text).terms.filter((term) => term.kind === 'key')
  return formatFilter([...others, { kind: 'around', name, up, down }])
}

/** One hop more to one side of the neighbourhood that the filter asks for; the same text where it asks for none. */
export function moreHops(text: string, side: 'up' | 'down'): string {
  const { terms } = parseFilter(text)
  if (!terms.some((term) => term.kind === 'around')) return text
  return formatFilter(
    terms.map((term) => (term.kind === 'around' ? { ...term, [side]: term[side] + 1 } : term)),
  )
}

/** Ids of the nodes for which all terms hold. */
export function matching(model: Model, filter: Filter): Set<string> {
  const arounds = filter.terms.filter((term) => term.kind === 'around')
  const near = new Set<string>()
  for (const term of arounds) {
    const starts = [...model.nodes.values()]
      .filter((node) => isNamed(node, term.name))
      .map((node) => node.id)
    for (const id of reach(model.up, starts, term.up)) near.add(id)
    for (const id of reach(model.down, starts, term.down)) near.add(id)
  }
  const found = new Set<string>()
  for (const node of model.nodes.values()) {
    if (arounds.length > 0 && !near.has(node.id)) continue
    if (filter.terms.every((term) => term.kind === 'around' || holds(term, node) !== term.not))
      found.add(node.id)
  }
  return found
}

/** The state of a node as the screen and the filter say it; null before its first run. */
export function stateOf(node: TableNode): Shown | null {
  return node.state === null ? null : shown({ ...node, state: node.state })
}

function holds(term: Exclude<Term, { kind: 'around' }>, node: TableNode): boolean {
  if (term.kind === 'text') return node.id.toLowerCase().includes(term.text)
  const of = (values: readonly string[]) => term.values.some((value) => values.includes(value))
  switch (term.key) {
    case 'zone':
      return of([node.zone])
    case 'state':
      return of([stateOf(node) ?? NEVER])
    case 'group':
      return of([node.group ?? ''])
    case 'owner':
      return of([node.owner])
    case 'tag':
      return of(node.tags)
    case 'load':
      return of([node.how])
  }
}

/** `orders` names every orders; `bronze.orders` the one table. */
function isNamed(node: TableNode, name: string): boolean {
  return node.id === name || node.name === name || node.name.endsWith(`.${name}`)
}

function wrongValue(key: FilterKey, values: readonly string[]): string | null {
  const known: readonly string[] | null =
    key === 'zone' ? GRAPH_ZONES : key === 'state' ? [...Object.keys(LABELS), NEVER] : null
  const wrong = known && values.find((value) => !known.includes(value))
  return wrong ? `There is no ${key} “${wrong}”. Use ${known.join(', ')}.` : null
}

function hops(digits: string | undefined): number {
  return digits ? Math.min(Number(digits), 1000) : Infinity
}

const before = (up: number) => (up === 0 ? '' : up === Infinity ? '+' : `${up}+`)
const after = (down: number) => (down === 0 ? '' : down === Infinity ? '+' : `+${down}`)
const unquote = (word: string) => word.replaceAll('"', '')
const quote = (word: string) => (/\s/.test(word) ? `"${word}"` : word)
