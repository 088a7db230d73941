// PIVOT and UNPIVOT: rows to columns and back. A pivot is written anew as a grouped query with a condition on each aggregate.
import { quoteDuckdb } from '#core/names.ts'

import type { Call, Expr, Select, Source as Written } from './ast.ts'
import { cast } from './cast.ts'
import { lookup } from './functions.ts'
import { resolve, type ScopeColumn } from './scope.ts'
import { textOf, wider, type T } from './types.ts'
import { merge, type Source } from './value.ts'

type Pivot = Extract<Written, { k: 'pivot' }>
type Unpivot = Extract<Written, { k: 'unpivot' }>

/** The query that a pivot stands for; `columns` are those of its source. */
export function pivotQuery(source: Source, written: Pivot, columns: ScopeColumn[]): Select {
  const { at } = written
  const used = new Set<string>(written.by.map((name) => name.toLowerCase()))
  for (const { expr } of written.aggregates) collect(expr, columns, used)
  const rest = columns.filter((column) => !used.has(column.name.toLowerCase()))
  const nameOf = (column: ScopeColumn): Expr => ({
    k: 'name',
    at,
    parts: [column.name],
  })
  const single = written.aggregates.length === 1
  const items: Select['items'] = rest.map((column) => ({
    expr: nameOf(column),
    alias: column.name,
    at,
    end: at,
  }))
  for (const value of written.values) {
    if (value.exprs.length !== written.by.length)
      source.type(`PIVOT needs ${written.by.length} values in each place of IN`, at)
    const tests = value.exprs.map((expr, i): Expr => ({
      k: 'binary',
      at: expr.at,
      op: '<=>',
      left: { k: 'name', at, parts: [written.by[i]!] },
      right: expr,
    }))
    const test: Expr = tests.length === 1 ? tests[0]! : { k: 'and', at, args: tests }
    for (const aggregate of written.aggregates) {
      if (!single && aggregate.alias === undefined)
        source.unsupported('PIVOT of several aggregates without aliases', aggregate.expr.at)
      const label = value.alias ?? labelOf(source, value.exprs)
      const counted: Call = {
        k: 'call',
        at,
        name: 'count',
        args: [{ k: 'star', at, table: [], except: [] }],
        distinct: false,
        filter: test,
      }
      // A group without such rows has NULL, even for count.
      const some: Expr = {
        k: 'binary',
        at,
        op: '>',
        left: counted,
        right: { k: 'number', at, text: '0', suffix: '' },
      }
      items.push({
        expr: {
          k: 'case',
          at: aggregate.expr.at,
          whens: [{ when: some, result: filtered(source, aggregate.expr, test) }],
        },
        alias: single ? label : `${label}_${aggregate.alias}`,
        at: aggregate.expr.at,
        end: at,
      })
    }
  }
  return {
    k: 'select',
    at,
    distinct: false,
    items,
    from: [written.of],
    views: [],
    windows: [],
    group: rest.length ? rest.map(nameOf) : undefined,
  }
}

function labelOf(source: Source, exprs: Expr[]): string {
  const [expr] = exprs
  if (exprs.length === 1 && expr!.k === 'string') return expr!.value
  if (exprs.length === 1 && expr!.k === 'number' && expr!.suffix === '') return expr!.text
  return source.unsupported('This value of PIVOT without an alias', expr!.at, 'Write … AS name.')
}

/** Names of columns in an expression. */
function collect(node: unknown, columns: ScopeColumn[], into: Set<string>): void {
  if (Array.isArray(node)) return node.forEach((each) => collect(each, columns, into))
  if (typeof node !== 'object' || node === null) return
  if ('k' in node && node.k === 'name') {
    const { parts } = node as Extract<Expr, { k: 'name' }>
    const found = parts.find((part) =>
      columns.some((column) => column.name.toLowerCase() === part.toLowerCase()),
    )
    if (found) into.add(found.toLowerCase())
  }
  for (const value of Object.values(node)) collect(value, columns, into)
}

/** The expression with the condition on each aggregate in it. */
function filtered(source: Source, expr: Expr, test: Expr): Expr {
  let any = false
  const walk = <V>(node: V): V => {
    if (Array.isArray(node)) return node.map(walk) as V
    if (typeof node !== 'object' || node === null) return node
    if (
      'k' in node &&
      node.k === 'call' &&
      lookup((node as unknown as Call).name)?.kind === 'aggregate'
    ) {
      any = true
      const call = node as unknown as Call
      const filter: Expr = call.filter ? { k: 'and', at: call.at, args: [call.filter, test] } : test
      return { ...call, filter } as V
    }
    return Object.fromEntries(Object.entries(node).map(([key, value]) => [key, walk(value)])) as V
  }
  const result = walk(expr)
  if (!any) source.type('PIVOT takes aggregates', expr.at)
  return result
}

/** The columns of an unpivot and its text over the text of its source. */
export function unpivot(
  source: Source,
  written: Unpivot,
  of: { sql: string; columns: ScopeColumn[]; where: string },
  unique: (prefix: string) => string,
): { sql: string; columns: ScopeColumn[] } {
  const { at } = written
  const scope = { columns: of.columns, hidden: [], where: of.where }
  const find = (name: string) => resolve(source, scope, [name], at).value
  const taken = new Set(
    written.groups.flatMap((group) => group.columns.map((name) => name.toLowerCase())),
  )
  const rest = of.columns.filter((column) => !taken.has(column.name.toLowerCase()))
  const labels = written.groups.map((group) => {
    if (group.columns.length !== written.values.length)
      source.type(`UNPIVOT needs ${written.values.length} columns in each place of IN`, at)
    return source.literal(
      group.alias ?? group.columns.map((name) => canonicalName(of.columns, name)).join('_'),
      { kind: 'string' },
      at,
    )
  })
  const values = written.values.map((_, i) => {
    const cells = written.groups.map((group) => find(group.columns[i]!))
    let type: T = { kind: 'void' }
    for (const cell of cells) {
      const next = wider(type, cell.type, false)
      if (!next)
        return source.type(
          `UNPIVOT needs columns of one type, not ${textOf(type)} and ${textOf(cell.type)}`,
          at,
        )
      type = next
    }
    const typed = cells.map((cell) => cast(source, cell, type))
    return { type, sql: `unnest(list_value(${typed.map((cell) => cell.sql).join(', ')}))`, typed }
  })
  const [inner, alias] = [unique('u'), unique('v')]
  const list = [
    ...rest.map((column, i) => `${column.value.sql} AS r${i}`),
    `unnest(list_value(${labels.map((label) => label.sql).join(', ')})) AS q`,
    ...values.map((value, i) => `${value.sql} AS v${i}`),
  ]
  const known = values.map((_, i) => `v${i} IS NOT NULL`).join(' OR ')
  const filter = written.nulls ? '' : ` WHERE ${known}`
  const qualifiers = [written.alias ?? alias]
  const column = (name: string, sql: string, type: T, nullable: boolean): ScopeColumn => ({
    name,
    qualifiers,
    value: source.make(`${alias}.${quoteDuckdb(sql)}`, type, [], { nullable, at }),
  })
  return {
    sql: `(SELECT * FROM (SELECT ${list.join(', ')} FROM ${of.sql}) AS ${inner}${filter}) AS ${alias}`,
    columns: [
      ...rest.map((each, i): ScopeColumn => {
        const made = column(each.name, `r${i}`, each.value.type, each.value.nullable)
        return {
          ...made,
          value: { ...made.value, from: each.value.from, column: each.value.column },
        }
      }),
      column(written.name, 'q', { kind: 'string' }, false),
      ...values.map((value, i): ScopeColumn => {
        const made = column(written.values[i]!, `v${i}`, value.type, true)
        return {
          ...made,
          value: { ...made.value, from: merge(value.typed.map((cell) => cell.from)) },
        }
      }),
    ],
  }
}

const canonicalName = (columns: ScopeColumn[], name: string): string =>
  columns.find((column) => column.name.toLowerCase() === name.toLowerCase())?.name ?? name
