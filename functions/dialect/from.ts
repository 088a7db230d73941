// FROM: tables, subqueries, joins and generators, and the columns that they bring into scope.
import { fail } from '#core/errors.ts'
import { quoteDuckdb, quoteTableDuckdb } from '#core/names.ts'
import type { SparkType } from '#core/types.ts'

import type { Call, Select, Source as Written } from './ast.ts'
import { cast } from './cast.ts'
import { compile, type Env } from './expression.ts'
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
import type { Scope, ScopeColumn } from './scope.ts'
import { duck, textOf, VOID, wider, type T } from './types.ts'
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

const GENERATORS = ['explode', 'explode_outer', 'posexplode', 'posexplode_outer']
export const generator = (call: Call): boolean => GENERATORS.includes(call.name)

export function compileSources(
  select: Select,
  env: QueryEnv,
  base: (scope: Scope, where: string) => Env,
): From {
  const parts = select.from.map((source) => compileSource(source, env, base))
  const from: From & { text: string } = {
    text: parts.map((part) => part.sql).join(' CROSS JOIN '),
    get sql() {
      return this.text ? ` FROM ${this.text}` : ''
    },
    columns: parts.flatMap((part) => part.columns),
    hidden: parts.flatMap((part) => part.hidden),
    where: parts.flatMap((part) => part.names).join(', ') || 'a query without FROM',
    generate: (call, names, inner) => {
      const made = generate(call, { table: '', names, outer: false }, env, inner)
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
      env,
      base(scope, 'LATERAL VIEW'),
    )
    from.text += ` ${made.join}`
    from.columns = [...from.columns, ...made.columns]
  }
  return from
}

function generate(
  call: Call,
  { table, names, outer }: { table: string; names: string[]; outer: boolean },
  env: QueryEnv,
  inner: Env,
): { join: string; alone: string; columns: ScopeColumn[] } {
  const { source } = env
  if (call.args.length !== 1) source.type(`${call.name} takes one array or map`, call.at)
  const arg = compile(call.args[0]!, inner)
  const withPosition = call.name.startsWith('pos')
  const keepsEmpty = outer || call.name.endsWith('_outer')
  const alias = env.unique('v')
  const out: { name: string; sql: string; type: T; nullable: boolean }[] = []
  if (arg.type.kind === 'array') {
    if (withPosition)
      out.push({
        name: 'pos',
        sql: `CAST(generate_subscripts(${arg.sql}, 1) - 1 AS INTEGER)`,
        type: { kind: 'int' },
        nullable: keepsEmpty,
      })
    out.push({ name: 'col', sql: `unnest(${arg.sql})`, type: arg.type.element, nullable: true })
  } else if (arg.type.kind === 'map' && !withPosition) {
    out.push({
      name: 'key',
      sql: `unnest(map_keys(${arg.sql}))`,
      type: arg.type.key,
      nullable: keepsEmpty,
    })
    out.push({
      name: 'value',
      sql: `unnest(map_values(${arg.sql}))`,
      type: arg.type.value,
      nullable: true,
    })
  } else source.unsupported(`${call.name} of ${textOf(arg.type)}`, call.at)
  if (names.length && names.length !== out.length)
    source.type(`${call.name} gives ${out.length} columns, not ${names.length}`, call.at)
  const columns = out.map((column, i): ScopeColumn => {
    const name = names[i] ?? column.name
    const value = source.make(`${alias}.${quoteDuckdb(name)}`, column.type, [], {
      nullable: column.nullable,
      at: call.at,
    })
    return { name, qualifiers: table ? [table] : [alias], value: { ...value, from: arg.from } }
  })
  const items = out.map((column, i) => `${column.sql} AS ${quoteDuckdb(names[i] ?? column.name)}`)
  const query = `(SELECT ${items.join(', ')})`
  return {
    join: keepsEmpty
      ? `LEFT JOIN LATERAL ${query} AS ${alias} ON true`
      : `CROSS JOIN LATERAL ${query} AS ${alias}`,
    alone: `${query} AS ${alias}`,
    columns,
  }
}

function compileSource(
  written: Written,
  env: QueryEnv,
  base: (scope: Scope, where: string) => Env,
): Part {
  const { source } = env
  switch (written.k) {
    case 'table':
      return table(written, env)
    case 'derived': {
      const compiled = compileQuery(written.query, { ...env, parent: undefined })
      const alias = env.unique('d')
      const columns = renamed(source, compiled.columns, written.columns, written.at)
      const list = columnList(columns)
      return {
        sql: `(${compiled.sql}) AS ${alias}(${list})`,
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
  const left = compileSource(written.left, env, base)
  const right = compileSource(written.right, env, base)
  const { type } = written
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
  if (written.using) {
    const merged: ScopeColumn[] = []
    const tests: Value[] = []
    const gone = new Set<ScopeColumn>()
    for (const name of written.using) {
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
  } else if (type !== 'CROSS' && type !== 'INNER') {
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
