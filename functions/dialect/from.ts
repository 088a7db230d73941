// FROM: tables, subqueries, joins and generators, and the columns that they bring into scope.
import { fail } from '#core/errors.ts'
import { quoteDuckdb, quoteTableDuckdb } from '#core/names.ts'
import type { SparkType } from '#core/types.ts'

import type { Call, Select, Source as Written } from './ast.ts'
import { cast } from './cast.ts'
import { compile, type Env } from './expression.ts'
import { generate, generator } from './generators.ts'
import { place } from './lexer.ts'
import { comparable, comparison, logical } from './operators.ts'
import {
  columnList,
  compileQuery,
  filterText,
  outName,
  relationColumns,
  renamed,
  type Out,
  type QueryEnv,
} from './query.ts'
import { pivotQuery, unpivot } from './pivot.ts'
import type { Scope, ScopeColumn } from './scope.ts'
import { duck, VOID, wider, type T } from './types.ts'
import type { Value } from './value.ts'

export type From = {
  /** ` FROM …` or nothing. */
  readonly sql: string
  columns: ScopeColumn[]
  hidden: ScopeColumn[]
  where: string
  /** Adds explode(…) of the select list as a lateral join; its columns. */
  generate: (call: Call, names: string[], env: Env) => ScopeColumn[]
}

type Part = { sql: string; columns: ScopeColumn[]; hidden: ScopeColumn[]; names: string[] }

export function compileSources(
  select: Select,
  env: QueryEnv,
  base: (scope: Scope, where: string) => Env,
): From {
  const parts: Part[] = []
  for (const each of select.from) parts.push(compileSource(each, env, base, parts))
  const from: From & { text: string } = {
    text: parts.map((part) => part.sql).join(' CROSS JOIN '),
    get sql() {
      return this.text ? ` FROM ${this.text}` : ''
    },
    columns: parts.flatMap((part) => part.columns),
    hidden: parts.flatMap((part) => part.hidden),
    where: parts.flatMap((part) => part.names).join(', ') || 'a query without FROM',
    generate: (call, names, inner) => {
      const made = generate(call, { table: '', names, outer: false }, env.unique, inner)
      from.text = from.text ? `${from.text} ${made.join}` : made.alone
      return made.columns
    },
  }
  for (const view of select.views) {
    const scope: Scope = {
      columns: from.columns,
      hidden: from.hidden,
      parent: env.parent,
      where: from.where,
    }
    if (!generator(view.call)) env.source.unsupported(`LATERAL VIEW ${view.call.name}`, view.at)
    const made = generate(
      view.call,
      { table: view.table, names: view.columns, outer: view.outer },
      env.unique,
      base(scope, 'LATERAL VIEW'),
    )
    from.text += ` ${made.join}`
    from.columns = [...from.columns, ...made.columns]
  }
  return from
}

/** `before`: what stands to the left, which a lateral subquery may use. */
function compileSource(
  written: Written,
  env: QueryEnv,
  base: (scope: Scope, where: string) => Env,
  before: Part[] = [],
): Part {
  const { source } = env
  switch (written.k) {
    case 'pivot': {
      const of = compileSource(written.of, env, base)
      const body = pivotQuery(source, written, of.columns)
      const query = { at: written.at, ctes: [], body, order: [] }
      return compileSource({ ...written, k: 'derived', query }, env, base)
    }
    case 'unpivot': {
      const of = compileSource(written.of, env, base)
      const where = of.names.join(', ')
      const made = unpivot(source, written, { ...of, where }, env.unique)
      if (written.columns.length) source.unsupported('Names for the columns of UNPIVOT', written.at)
      return { ...made, hidden: [], names: [written.alias ?? 'UNPIVOT'] }
    }
    case 'table':
      return table(written, env)
    case 'derived': {
      const around: Scope = {
        columns: before.flatMap((part) => part.columns),
        hidden: before.flatMap((part) => part.hidden),
        parent: env.parent,
        where: before.flatMap((part) => part.names).join(', '),
      }
      const parent = written.lateral ? around : undefined
      const compiled = compileQuery(written.query, { ...env, parent })
      const alias = env.unique('d')
      const columns = renamed(source, compiled.columns, written.columns, written.at)
      const list = columnList(columns)
      return {
        sql: `${written.lateral ? 'LATERAL ' : ''}(${compiled.sql}) AS ${alias}(${list})`,
        columns: scopeColumns(columns, alias, written.alias, env),
        hidden: [],
        names: [written.alias ?? 'a subquery'],
      }
    }
    case 'values':
      return values(written, env, base)
    case 'join':
      return join(written, env, base)
  }
}

function scopeColumns(
  columns: Out[],
  alias: string,
  name: string | undefined,
  env: QueryEnv,
): ScopeColumn[] {
  return columns.map((column, i) => {
    const value = env.source.make(`${alias}.${quoteDuckdb(outName(column, i))}`, column.type, [], {
      nullable: column.nullable,
      at: column.at,
    })
    return {
      // A column without a name can't be meant by one.
      name: outName(column, i),
      qualifiers: name === undefined ? [alias] : [name],
      value: { ...value, from: column.from, column: column.plain },
    }
  })
}

function table(written: Extract<Written, { k: 'table' }>, env: QueryEnv): Part {
  const { source } = env
  const name = written.parts.join('.')
  const alias = env.unique('t')
  const cte = written.parts.length === 1 ? env.ctes.get(name.toLowerCase()) : undefined
  if (cte) {
    const columns = renamed(source, cte.columns, written.columns, written.at)
    return {
      sql: `${cte.alias} AS ${alias}(${columnList(columns)})`,
      columns: scopeColumns(columns, alias, written.alias ?? name, env),
      hidden: [],
      names: [written.alias ?? name],
    }
  }
  if (written.parts.length > 2)
    source.unsupported(
      'A table with a catalog',
      written.at,
      'Write schema.table: the environment says the catalog.',
    )
  const relation = env.relations.get(name.toLowerCase())
  if (!relation)
    return fail('table_unknown', {
      table: name.slice(0, 200),
      tables:
        [...env.relations.values()]
          .map((each) => each.name)
          .slice(0, 30)
          .join(', ') || '(none)',
      ...place(source.sql, written.at),
    })
  env.inputs.add(relation.name)
  const qualifiers = written.alias === undefined ? relation.name.split('.') : [written.alias]
  const columns = relationColumns(source, relation, qualifiers, `${alias}.`, written.at)
  if (written.columns.length) {
    if (written.columns.length !== columns.length)
      source.type(`${written.columns.length} names for ${columns.length} columns`, written.at)
    columns.forEach((column, i) => (column.name = written.columns[i]!))
  }
  return {
    sql: `${quoteTableDuckdb(relation.name)} AS ${alias}`,
    columns,
    hidden: [],
    names: [written.alias ?? relation.name],
  }
}

function values(
  written: Extract<Written, { k: 'values' }>,
  env: QueryEnv,
  base: (scope: Scope, where: string) => Env,
): Part {
  const { source } = env
  const empty: Scope = { columns: [], hidden: [], where: 'VALUES' }
  const rows = written.rows.map((row) => row.map((item) => compile(item, base(empty, 'VALUES'))))
  const width = rows[0]!.length
  if (rows.some((row) => row.length !== width))
    source.type('Rows of VALUES differ in length', written.at)
  const columns = Array.from({ length: width }, (_, i): Out => {
    let type: T = VOID
    for (const row of rows) {
      const next = wider(type, row[i]!.type)
      if (!next) return source.type(`Column ${i + 1} of VALUES has no common type`, row[i]!.at)
      type = next
    }
    const nullable = rows.some((row) =>
      type.kind === 'void' ? true : cast(source, row[i]!, type).nullable,
    )
    return { name: `col${i + 1}`, type, nullable, from: [], at: written.at }
  })
  const named = renamed(source, columns, written.columns, written.at)
  const text = rows
    .map((row) => {
      const items = row.map((value, i) => {
        const { type } = named[i]!
        return type.kind === 'void'
          ? 'NULL'
          : `CAST(${cast(source, value, type).sql} AS ${duck(type)})`
      })
      return `(${items.join(', ')})`
    })
    .join(', ')
  const alias = env.unique('d')
  return {
    sql: `(VALUES ${text}) AS ${alias}(${columnList(named)})`,
    columns: scopeColumns(named, alias, written.alias, env),
    hidden: [],
    names: [written.alias ?? 'VALUES'],
  }
}

function join(
  written: Extract<Written, { k: 'join' }>,
  env: QueryEnv,
  base: (scope: Scope, where: string) => Env,
): Part {
  const { source } = env
  const { type } = written
  const left = compileSource(written.left, env, base)
  const right = compileSource(written.right, env, base, [left])
  const isLateral = written.right.k === 'derived' && written.right.lateral === true
  if (isLateral && type !== 'INNER' && type !== 'CROSS' && type !== 'LEFT')
    source.unsupported(`${type} JOIN with a lateral subquery`, written.at)
  const names = [...left.names, ...right.names]
  const nullable = (column: ScopeColumn): ScopeColumn => ({
    ...column,
    value: { ...column.value, nullable: true },
  })
  const leftNull = type === 'RIGHT' || type === 'FULL'
  const rightNull = type === 'LEFT' || type === 'FULL'
  const leftColumns = leftNull ? left.columns.map(nullable) : left.columns
  const rightColumns = rightNull ? right.columns.map(nullable) : right.columns
  const hidden = [...left.hidden, ...right.hidden]

  let condition: string | undefined
  let columns = [...leftColumns, ...rightColumns]
  const using = written.natural
    ? left.columns
        .map((column) => column.name)
        .filter((name) =>
          right.columns.some((column) => column.name.toLowerCase() === name.toLowerCase()),
        )
    : written.using
  if (using?.length) {
    const merged: ScopeColumn[] = []
    const tests: Value[] = []
    const gone = new Set<ScopeColumn>()
    for (const name of using) {
      const find = (part: Part, all: ScopeColumn[]) => {
        const found = all.filter((column) => column.name.toLowerCase() === name.toLowerCase())
        if (found.length === 1) return found[0]!
        return fail(found.length ? 'column_ambiguous' : 'column_unknown', {
          column: name,
          where: part.names.join(', '),
          columns: part.columns
            .map((column) => column.name)
            .slice(0, 30)
            .join(', '),
          candidates: found
            .map((column) => [...column.qualifiers, column.name].join('.'))
            .join(', '),
          ...place(source.sql, written.at),
        })
      }
      const [a, b] = [find(left, leftColumns), find(right, rightColumns)]
      tests.push(comparison(source, '=', a.value, b.value, written.at))
      gone.add(a).add(b)
      merged.push({
        name: a.name,
        qualifiers: [],
        value: usingValue(type, a.value, b.value, env, written.at),
      })
      hidden.push(a, b)
    }
    condition = logical(source, 'and', tests, written.at).sql
    columns = [...merged, ...columns.filter((column) => !gone.has(column))]
  } else if (written.on) {
    const scope: Scope = {
      columns: [...left.columns, ...right.columns],
      hidden,
      parent: env.parent,
      where: names.join(', '),
    }
    condition = filterText(source, written.on, base(scope, 'ON'))
  } else if (isLateral && type === 'LEFT') condition = 'true'
  else if (type !== 'CROSS' && type !== 'INNER') {
    source.unsupported(`${type} JOIN without ON`, written.at)
  }
  const isHalf = type === 'SEMI' || type === 'ANTI'
  const word = condition === undefined ? 'CROSS' : type === 'CROSS' ? 'INNER' : type
  const rightText = written.right.k === 'join' ? `(${right.sql})` : right.sql
  return {
    sql: `${left.sql} ${word} JOIN ${rightText}${condition === undefined ? '' : ` ON ${condition}`}`,
    columns: isHalf ? left.columns : columns,
    hidden: isHalf ? left.hidden : hidden,
    names: isHalf ? left.names : names,
  }
}

/** What an unqualified USING column means: the side that has rows, or the one that isn't NULL. */
function usingValue(type: string, a: Value, b: Value, env: QueryEnv, at: number): Value {
  if (type === 'RIGHT') return b
  if (type !== 'FULL') return a
  const [x, y] = comparable(env.source, a, b, at)
  return env.source.make(`coalesce(${x.sql}, ${y.sql})`, x.type as SparkType, [x, y], {
    nullable: true,
    at,
  })
}
