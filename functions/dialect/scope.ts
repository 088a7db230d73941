// Which columns a name can mean: those of the tables in FROM, then the aliases before it, then the query around.
import { fail } from '#core/errors.ts'

import type { SparkType } from '#core/types.ts'

import { structField } from './cast.ts'
import { place } from './lexer.ts'
import { textOf, type T } from './types.ts'
import type { Source, Value } from './value.ts'

export type ScopeColumn = { name: string; qualifiers: string[]; value: Value }

export type Scope = {
  /** What `*` gives and an unqualified name finds. */
  columns: ScopeColumn[]
  /** Found only with their table's name: the two sides of a USING column. */
  hidden: ScopeColumn[]
  /** Columns of an enclosing query, for correlated subqueries. */
  parent?: Scope
  /** Aliases of the select items before, which Spark lets later items use. */
  aliases?: Map<string, Value>
  /** Called when a name of an inner query is found here. */
  found?: () => void
  /** For messages: where we looked. */
  where: string
}

export type Found = { value: Value; correlated: boolean }

/**
 * What a dotted name means; the parts after the column are struct fields.
 * @throws column_unknown with the candidates; column_ambiguous
 */
export function resolve(source: Source, scope: Scope, parts: string[], at: number): Found {
  const found = find(source, scope, parts, at)
  if (found) return { value: { ...found, at }, correlated: false }
  for (let outer = scope.parent; outer; outer = outer.parent) {
    const value = find(source, outer, parts, at)
    if (value) {
      // Every query between the name and this scope depends on its surroundings.
      for (let each = scope.parent; each; each = each === outer ? undefined : each.parent)
        each.found?.()
      return { value: { ...value, at, column: undefined }, correlated: true }
    }
  }
  const names = [...new Set(scope.columns.map((column) => column.name))]
  return fail('column_unknown', {
    column: parts.join('.').slice(0, 200),
    where: scope.where,
    columns: names.length ? near(names, parts.at(-1)!).join(', ') : '(none)',
    ...place(source.sql, at),
  })
}

function find(source: Source, scope: Scope, parts: string[], at: number): Value | undefined {
  const lower = parts.map((part) => part.toLowerCase())
  for (const depth of [2, 1, 0]) {
    if (parts.length <= depth) continue
    const name = lower[depth]!
    const visible = named(scope.columns, name)
    const pool = depth === 0 ? visible : [...visible, ...named(scope.hidden, name)]
    const matches = pool.filter(
      (column) =>
        column.qualifiers.length >= depth &&
        column.qualifiers
          .slice(column.qualifiers.length - depth)
          .every((qualifier, index) => qualifier.toLowerCase() === lower[index]),
    )
    if (matches.length > 1)
      fail('column_ambiguous', {
        column: parts.join('.').slice(0, 200),
        candidates: matches.map((match) => [...match.qualifiers, match.name].join('.')).join(', '),
        ...place(source.sql, at),
      })
    if (matches.length === 1) return fields(source, matches[0]!.value, parts.slice(depth + 1), at)
  }
  const alias = scope.aliases?.get(lower[0]!)
  return alias && fields(source, alias, parts.slice(1), at)
}

/** Columns by lower-case name, made once for each list: tables may have thousands, and each is looked for. */
const indexes = new WeakMap<ScopeColumn[], Map<string, ScopeColumn[]>>()
function named(columns: ScopeColumn[], name: string): ScopeColumn[] {
  let index = indexes.get(columns)
  if (!index) {
    index = Map.groupBy(columns, (column) => column.name.toLowerCase())
    indexes.set(columns, index)
  }
  return index.get(name) ?? []
}

/** The struct fields along a path. @throws column_unknown */
export function fields(source: Source, from: Value, path: string[], at: number): Value {
  let value = from
  for (const name of path) {
    if (value.type.kind === 'array' && value.type.element.kind === 'struct') {
      // A field of an array of structs is the array of that field.
      const element = source.make('lf_f', value.type.element, [], { nullable: true, at })
      const field = fields(source, element, [name], at)
      value = source.make(
        `list_transform(${value.sql}, lambda lf_f: ${field.sql})`,
        { kind: 'array', element: field.type as SparkType },
        [value],
        { at },
      )
      continue
    }
    if (value.type.kind !== 'struct')
      return value.type.kind === 'map'
        ? source.unsupported('A map’s key after a dot', at, `Write ['${name}'].`)
        : value.type.kind === 'array'
          ? source.unsupported('A field of each inner array', at, 'Use transform(array, x -> …).')
          : fail('column_unknown', {
              column: name.slice(0, 200),
              where: `a value of type ${textOf(value.type)}`,
              columns: '(it has no fields)',
              ...place(source.sql, at),
            })
    const options: { name: string; type: T; nullable: boolean }[] = value.type.fields
    const matches = options.filter((field) => field.name.toLowerCase() === name.toLowerCase())
    const match = matches[0]
    if (!match)
      return fail('column_unknown', {
        column: name.slice(0, 200),
        where: 'the struct',
        columns: near(
          options.map((field) => field.name),
          name,
        ).join(', '),
        ...place(source.sql, at),
      })
    if (matches.length > 1)
      return fail('column_ambiguous', {
        column: name,
        candidates: matches.map((field) => field.name).join(', '),
        ...place(source.sql, at),
      })
    value = source.make(structField(value.sql, match.name), match.type, [value], {
      nullable: value.nullable || match.nullable,
      at,
    })
  }
  return value
}

/** At most 20 names, those that share most with the wanted one first. */
function near(names: string[], wanted: string): string[] {
  const grams = (text: string) => new Set(pairs(text))
  const want = grams(wanted)
  const score = (name: string) => [...grams(name)].filter((pair) => want.has(pair)).length
  const sorted = [...names].sort((a, b) => score(b) - score(a))
  return sorted.length > 20 ? [...sorted.slice(0, 20), `… (${sorted.length - 20} more)`] : sorted
}

function pairs(text: string): string[] {
  const lower = text.toLowerCase()
  return Array.from({ length: Math.max(0, lower.length - 1) }, (_, index) =>
    lower.slice(index, index + 2),
  )
}
