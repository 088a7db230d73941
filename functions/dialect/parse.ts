// Databricks SQL to a tree, after the grammar of Spark 4's SELECT: same precedence, same literals. Only what the compiler may
// know is read; every other word of SQL ends here, by name. (A general SQL parser was tried: it read '\%' as '%', 1.5BD as
// decimal(10,0) and count(distinct a, b) as count(distinct (a, b)) without a trace in its tree.)
import type { Expr, LateralView, Query, Select, SetOperation, Source } from './ast.ts'
import { makeCursor, MAX_DEPTH, NOT_ALIAS, RESERVED } from './cursor.ts'
import { makeExpressions } from './parse-expression.ts'

/**
 * Parses one SELECT (with CTEs and set operations; a closing semicolon is allowed).
 * @throws sql_invalid with line and column; sql_unsupported for other statements and clauses
 */
export function parseQuery(sql: string): Query {
  const parser = makeParser(sql)
  parser.statement()
  const query = parser.query()
  parser.end()
  return query
}

/**
 * Parses one expression, without an alias.
 * @throws sql_invalid, sql_unsupported
 */
export function parseExpression(sql: string): Expr {
  const parser = makeParser(sql)
  const expr = parser.expression()
  parser.end()
  return expr
}

const OTHER_STATEMENTS = new Set(
  (
    'INSERT UPDATE DELETE MERGE CREATE DROP ALTER TRUNCATE COPY SET RESET USE SHOW DESCRIBE DESC EXPLAIN GRANT REVOKE CALL ' +
    'EXECUTE REFRESH CACHE UNCACHE ANALYZE OPTIMIZE VACUUM MSCK LOAD ADD DECLARE BEGIN COMMENT RESTORE MAP REDUCE ' +
    'ATTACH DETACH INSTALL PRAGMA EXPORT IMPORT KILL CLEAR LIST REPLACE'
  ).split(' '),
)

function makeParser(sql: string) {
  const cursor = makeCursor(sql)
  const { peek, next, skip, invalid, unsupported, isWord, isOp, takeWord, takeOp } = cursor
  const { needWord, needOp, seen, parameter, nested, identifier, parts, list } = cursor
  const { expression, call, window, orderBy } = makeExpressions(cursor, {
    isQuery: () => isQuery(),
    query: () => query(),
  })

  const isQuery = (): boolean => {
    let ahead = 0
    while (isOp('(', ahead)) ahead++
    return (
      isWord('SELECT', ahead) ||
      (isWord('WITH', ahead) && !isOp('(', ahead + 1)) ||
      (isWord('VALUES', ahead) && isOp('(', ahead + 1)) ||
      (isWord('FROM', ahead) && ahead === 0)
    )
  }

  const query = (): Query => nested(readQuery)
  const readQuery = (): Query => {
    const start = peek().at
    const ctes: Query['ctes'] = []
    if (takeWord('WITH')) {
      if (isWord('RECURSIVE')) unsupported('WITH RECURSIVE')
      ctes.push(
        ...list(() => {
          const where = peek().at
          const name = identifier('a name for the common table expression')
          const columns = aliasColumns()
          needWord('AS')
          needOp('(')
          const inner = query()
          needOp(')')
          return { name, at: where, columns, query: inner }
        }),
      )
    }
    const body = setExpression()
    const order = isWord('ORDER') ? orderBy() : []
    for (const word of ['SORT', 'CLUSTER', 'DISTRIBUTE'])
      if (isWord(word)) unsupported(`${word} BY`)
    let limit: Expr | undefined
    if (takeWord('LIMIT') && !takeWord('ALL')) limit = expression()
    const offset = takeWord('OFFSET') ? expression() : undefined
    return { at: start, ctes, body, order, limit, offset }
  }

  type Body = Select | SetOperation | Query
  const setLevel = (read: () => Body, words: readonly string[]) => (): Body => {
    let left = read()
    for (let links = 0; words.includes(peek().upper); links++) {
      if (links > MAX_DEPTH) unsupported(`A chain of more than ${MAX_DEPTH} set operations`)
      const token = next()
      const all = takeWord('ALL')
      if (!all) takeWord('DISTINCT')
      if (isWord('BY')) unsupported(`${token.upper} BY NAME`)
      const op = (/MINUS/.test(token.upper) ? 'EXCEPT' : token.upper) as SetOperation['op']
      left = { k: 'set', at: token.at, op, all, left, right: read() }
    }
    return left
  }
  const queryTerm = (): Body => {
    if (takeOp('(')) {
      const inner = query()
      needOp(')')
      return inner
    }
    if (isWord('VALUES') && isOp('(', 1)) {
      const start = next().at
      return all(start, { k: 'values', at: start, rows: valueRows(), columns: [] })
    }
    if (isWord('FROM')) unsupported('A query that begins with FROM')
    if (isWord('TABLE')) {
      const start = next().at
      return all(start, { k: 'table', at: start, parts: parts('a table'), columns: [] })
    }
    return select()
  }
  const setExpression = setLevel(setLevel(queryTerm, ['INTERSECT']), [
    'UNION',
    'EXCEPT',
    'MINUS',
    'SETMINUS',
  ])

  /** SELECT * over one source. */
  const all = (at: number, from: Source): Select => ({
    k: 'select',
    at,
    distinct: false,
    items: [{ expr: { k: 'star', at, table: [], except: [] }, at, end: at }],
    from: [from],
    views: [],
    windows: [],
  })

  const select = (): Select => {
    const start = peek().at
    needWord('SELECT')
    const result: Select = {
      k: 'select',
      at: start,
      distinct: false,
      items: [],
      from: [],
      views: [],
      windows: [],
    }
    if (isWord('TRANSFORM') && isOp('(', 1)) {
      // SELECT TRANSFORM(…) USING runs a script; the function transform() has a lambda and no USING after it.
      let ahead = 1
      let level = 0
      do {
        if (isOp('(', ahead)) level++
        if (isOp(')', ahead)) level--
        ahead++
      } while (level > 0 && peek(ahead).kind !== 'end')
      if (isWord('USING', ahead)) unsupported('SELECT TRANSFORM … USING')
    }
    if (takeWord('DISTINCT')) result.distinct = true
    else takeWord('ALL')
    result.items = list(() => {
      const where = peek().at
      const expr = expression()
      const end = peek().at
      let alias: string | undefined
      if (takeWord('AS')) {
        if (isOp('(')) return { expr, aliases: aliasColumns(), at: where, end }
        alias = identifier('an alias')
      } else if (
        peek().kind === 'quoted' ||
        (peek().kind === 'word' && !RESERVED.has(peek().upper))
      )
        alias = next().text
      return { expr, alias, at: where, end }
    })
    if (isWord('INTO')) unsupported('SELECT INTO')
    if (takeWord('FROM')) {
      result.from = list(source)
      while (isWord('LATERAL')) result.views.push(lateralView())
    }
    if (takeWord('WHERE')) result.where = expression()
    if (takeWord('GROUP')) {
      needWord('BY')
      if (isWord('ALL') && !isOp('(', 1)) {
        next()
        result.group = 'ALL'
      } else {
        readGroups(result)
      }
    }
    if (takeWord('HAVING')) result.having = expression()
    if (takeWord('QUALIFY')) result.qualify = expression()
    if (takeWord('WINDOW'))
      result.windows = list(() => {
        const name = identifier('a window')
        needWord('AS')
        const open = peek().at
        needOp('(')
        const definition = window(open)
        needOp(')')
        return { name, window: definition }
      })
    return result
  }

  /** Keys, and the sets that ROLLUP, CUBE and GROUPING SETS unfold to. */
  const readGroups = (result: Select): void => {
    let special = false
    const elements = list(() => {
      const sets = groupingSets()
      if (sets) special = true
      return sets ?? [[expression()]]
    })
    result.group = elements.flatMap((sets) => sets.flat())
    if (takeWord('WITH')) {
      const word = next().upper
      if (special || (word !== 'ROLLUP' && word !== 'CUBE'))
        return invalid('Expected ROLLUP or CUBE after WITH.')
      const keys = result.group.map((expr) => [expr])
      result.sets = word === 'ROLLUP' ? rollup(keys) : cube(keys)
    } else if (isWord('GROUPING') && isWord('SETS', 1)) {
      result.sets = groupingSets()
    } else if (special)
      result.sets = elements.reduce<Expr[][]>(
        (sets, more) => sets.flatMap((left) => more.map((right) => [...left, ...right])),
        [[]],
      )
    if ((result.sets?.length ?? 0) > 256) unsupported('More than 256 grouping sets')
  }
  const rollup = (keys: Expr[][]): Expr[][] =>
    Array.from({ length: keys.length + 1 }, (_, i) => keys.slice(0, keys.length - i).flat())
  const cube = (keys: Expr[][]): Expr[][] => {
    if (keys.length > 8) unsupported('CUBE of more than 8 keys')
    return Array.from({ length: 2 ** keys.length }, (_, i) =>
      keys.filter((_key, j) => !(i & (1 << (keys.length - 1 - j)))).flat(),
    )
  }
  /** The sets that ROLLUP, CUBE or GROUPING SETS stand for; undefined if there is none of them. */
  const groupingSets = (): Expr[][] | undefined => {
    for (const [word, unfold] of [
      ['ROLLUP', rollup],
      ['CUBE', cube],
    ] as const)
      if (isWord(word) && isOp('(', 1)) {
        skip(2)
        const keys = list(keyGroup)
        needOp(')')
        return unfold(keys)
      }
    if (!isWord('GROUPING') || !isWord('SETS', 1)) return undefined
    skip(2)
    needOp('(')
    const sets = list(() => nested(() => groupingSets() ?? [keyGroup()])).flat()
    needOp(')')
    return sets
  }
  /** One key, or several in parentheses. */
  const keyGroup = (): Expr[] => {
    if (isOp('(') && isOp(')', 1)) {
      skip(2)
      return []
    }
    const expr = expression()
    return expr.k === 'row' ? expr.items : [expr]
  }

  /** What may follow a source: PIVOT or UNPIVOT, once or more. */
  const turned = (of: Source): Source => {
    let source: Source = of
    for (let links = 0; isWord('PIVOT') || isWord('UNPIVOT'); links++) {
      if (links > MAX_DEPTH) unsupported(`More than ${MAX_DEPTH} pivots`)
      source = isWord('PIVOT') ? pivot(source) : unpivot(source)
    }
    return source
  }
  const columnNames = (): string[] => (isOp('(') ? aliasColumns() : [identifier('a column')])
  const given = (): string | undefined => {
    if (takeWord('AS')) return identifier('an alias')
    const token = peek()
    return token.kind === 'quoted' || (token.kind === 'word' && !RESERVED.has(token.upper))
      ? next().text
      : undefined
  }
  const pivot = (of: Source): Source => {
    const start = next().at
    needOp('(')
    const aggregates = list(() => {
      const expr = expression()
      return { expr, alias: isWord('FOR') ? undefined : given() }
    })
    needWord('FOR')
    const by = columnNames()
    needWord('IN')
    needOp('(')
    const values = list(() => {
      const expr = expression()
      return { exprs: expr.k === 'row' ? expr.items : [expr], alias: given() }
    })
    needOp(')')
    needOp(')')
    return { k: 'pivot', at: start, of, aggregates, by, values, ...alias() }
  }
  const unpivot = (of: Source): Source => {
    const start = next().at
    let nulls = false
    if (isWord('NULLS', 1)) {
      nulls = takeWord('INCLUDE')
      if (!nulls) needWord('EXCLUDE')
      needWord('NULLS')
    }
    needOp('(')
    const values = columnNames()
    needWord('FOR')
    const name = identifier('a column')
    needWord('IN')
    needOp('(')
    const groups = list(() => ({ columns: columnNames(), alias: given() }))
    needOp(')')
    needOp(')')
    return { k: 'unpivot', at: start, of, nulls, values, name, groups, ...alias() }
  }

  const lateralView = (): LateralView => {
    const start = next().at
    if (!takeWord('VIEW')) unsupported('A lateral subquery', start)
    const outer = takeWord('OUTER')
    const where = peek().at
    const name = identifier('a generator')
    const generator = call(name, where)
    const table = isWord('AS') ? '' : identifier('a name for the lateral view')
    const columns = takeWord('AS') ? list(() => identifier('a column')) : []
    return { at: start, outer, call: generator, table, columns }
  }

  const aliasColumns = (): string[] => {
    if (!takeOp('(')) return []
    const names = list(() => identifier('a column'))
    needOp(')')
    return names
  }
  const alias = (): { alias?: string; columns: string[] } => {
    const explicit = takeWord('AS')
    const token = peek()
    if (
      !explicit &&
      !(token.kind === 'quoted' || (token.kind === 'word' && !NOT_ALIAS.has(token.upper)))
    )
      return { columns: [] }
    return { alias: identifier('an alias'), columns: aliasColumns() }
  }

  const source = (): Source => {
    let left = turned(sourcePrimary())
    for (let links = 0; ; links++) {
      if (links > MAX_DEPTH) unsupported(`More than ${MAX_DEPTH} joins`)
      const start = peek().at
      const natural = takeWord('NATURAL')
      const type = joinType()
      if (!type) return natural ? invalid('Expected JOIN after NATURAL.') : left
      const right = turned(sourcePrimary())
      const join: Source = { k: 'join', at: start, type, left, right }
      if (natural) join.natural = true
      else if (takeWord('ON')) join.on = expression()
      else if (takeWord('USING')) {
        join.using = aliasColumns()
        if (join.using.length === 0) invalid(`Expected ( after USING but found ${seen()}.`)
      }
      left = join
    }
  }
  const joinType = (): Extract<Source, { k: 'join' }>['type'] | undefined => {
    if (takeWord('JOIN')) return 'INNER'
    for (const word of ['INNER', 'CROSS', 'SEMI', 'ANTI'] as const)
      if (isWord(word) && isWord('JOIN', 1)) {
        skip(2)
        return word
      }
    if (isWord('LEFT') && (isWord('SEMI', 1) || isWord('ANTI', 1))) {
      next()
      const type = next().upper as 'SEMI' | 'ANTI'
      needWord('JOIN')
      return type
    }
    for (const word of ['LEFT', 'RIGHT', 'FULL'] as const)
      if (takeWord(word)) {
        takeWord('OUTER')
        needWord('JOIN')
        return word
      }
    return undefined
  }
  const sourcePrimary = (): Source => {
    parameter()
    const start = peek().at
    if (takeWord('LATERAL')) {
      if (!isOp('(')) unsupported('LATERAL with a table function', start)
      needOp('(')
      const inner = query()
      needOp(')')
      return { k: 'derived', at: start, query: inner, lateral: true, ...alias() }
    }
    if (isOp('(') && isWord('VALUES', 1)) {
      next()
      next()
      const rows = valueRows()
      needOp(')')
      return { k: 'values', at: start, rows, ...alias() }
    }
    if (takeOp('(')) {
      if (isQuery()) {
        const inner = query()
        needOp(')')
        noSample()
        return { k: 'derived', at: start, query: inner, ...alias() }
      }
      const inner = nested(source)
      needOp(')')
      if (alias().alias) unsupported('An alias for a join in parentheses', start)
      return inner
    }
    if (isWord('VALUES')) {
      next()
      const rows = valueRows()
      return { k: 'values', at: start, rows, ...alias() }
    }
    if (peek().kind === 'string') unsupported('A file as a table')
    const names = parts('a table')
    if (isOp('(')) unsupported(`The table function ${names.join('.')}`, start)
    if (isWord('TIMESTAMP') || isWord('VERSION') || isWord('FOR'))
      unsupported('Time travel (the batch decides on versions)')
    noSample()
    const named = alias()
    noSample()
    return { k: 'table', at: start, parts: names, ...named }
  }
  const valueRows = () =>
    list(() => {
      const item = expression()
      return item.k === 'row' ? item.items : [item]
    })
  const noSample = () => {
    if (isWord('TABLESAMPLE')) unsupported('TABLESAMPLE')
  }

  return {
    query,
    expression,
    statement() {
      const token = peek()
      if (token.kind === 'end') invalid('There is no query.')
      if (OTHER_STATEMENTS.has(token.upper)) unsupported(`The statement ${token.upper}`)
    },
    end() {
      parameter()
      if (isOp(';')) {
        next()
        if (peek().kind !== 'end') unsupported('More than one statement')
      }
      if (peek().kind !== 'end') invalid(`Nothing more was expected, but there is ${seen()}.`)
    },
  }
}
