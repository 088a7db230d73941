// Databricks SQL to a tree, after the grammar of Spark 4's SELECT: same precedence, same literals. Only what the compiler may
// know is read; every other word of SQL ends here, by name. (A general SQL parser was tried: it read '\%' as '%', 1.5BD as
// decimal(10,0) and count(distinct a, b) as count(distinct (a, b)) without a trace in its tree.)
import { fail } from '#core/errors.ts'
import { parseType, type SparkType } from '#core/types.ts'

import type {
  Bound,
  Call,
  Expr,
  LateralView,
  Query,
  Select,
  SetOperation,
  SortItem,
  Source,
  Window,
} from './ast.ts'
import { position, tokenize, type Token } from './lexer.ts'

/** Deeper nesting would end in a stack overflow here or in DuckDB; nobody writes it by hand. */
export const MAX_DEPTH = 100

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
 * Parses one expression; `alias` may follow it (`a + b as c`) if allowed.
 * @throws sql_invalid, sql_unsupported
 */
export function parseExpression(sql: string): Expr {
  const parser = makeParser(sql)
  const expr = parser.expression()
  parser.end()
  return expr
}

// Words that open, join or close clauses: as a name they need backticks. Spark allows some of them in some places; we don't guess.
const RESERVED = new Set(
  (
    'ALL AND ANTI ANY AS BETWEEN BY CASE CROSS DISTINCT ELSE END EXCEPT EXISTS FALSE FROM FULL GROUP HAVING IN INNER ' +
    'INTERSECT INTO IS JOIN LATERAL LEFT LIKE ILIKE LIMIT MINUS NATURAL NOT NULL OFFSET ON OR ORDER OUTER QUALIFY REGEXP ' +
    'RIGHT RLIKE SELECT SEMI SETMINUS SOME TABLE TABLESAMPLE THEN TRUE UNION USING WHEN WHERE WINDOW WITH CLUSTER DISTRIBUTE ' +
    'SORT PIVOT UNPIVOT DIV'
  ).split(' '),
)

// A clause may begin with these after a table: they aren't its alias.
const NOT_ALIAS = new Set([...RESERVED, 'FETCH', 'FOR', 'TIMESTAMP', 'VERSION'])

const OTHER_STATEMENTS = new Set(
  (
    'INSERT UPDATE DELETE MERGE CREATE DROP ALTER TRUNCATE COPY SET RESET USE SHOW DESCRIBE DESC EXPLAIN GRANT REVOKE CALL ' +
    'EXECUTE REFRESH CACHE UNCACHE ANALYZE OPTIMIZE VACUUM MSCK LOAD ADD DECLARE BEGIN COMMENT RESTORE TABLE MAP REDUCE ' +
    'ATTACH DETACH INSTALL PRAGMA EXPORT IMPORT KILL CLEAR LIST REPLACE'
  ).split(' '),
)

const UNITS: Record<string, string> = {}
for (const unit of 'YEAR MONTH WEEK DAY HOUR MINUTE SECOND MILLISECOND MICROSECOND'.split(' ')) {
  UNITS[unit] = unit
  UNITS[`${unit}S`] = unit
}

const COMPARISONS = new Set(['=', '==', '<=>', '<>', '!=', '<', '<=', '>', '>='])
/** Binary operators by Spark's precedence, loosest first; all associate to the left. */
const LEVELS: Set<string>[] = [
  COMPARISONS,
  new Set(['|']),
  new Set(['^']),
  new Set(['&']),
  new Set(['<<', '>>', '>>>']),
  new Set(['+', '-', '||']),
  new Set(['*', '/', '%', 'DIV']),
]
const NO_PARENTHESES = new Set(['CURRENT_DATE', 'CURRENT_TIMESTAMP', 'CURRENT_USER', 'USER'])

function makeParser(sql: string) {
  const tokens = tokenize(sql)
  let at = 0
  let depth = 0

  const peek = (ahead = 0): Token => tokens[Math.min(at + ahead, tokens.length - 1)]!
  const next = (): Token => tokens[Math.min(at++, tokens.length - 1)]!
  const invalid = (reason: string, where = peek().at): never =>
    fail('sql_invalid', { reason, ...position(sql, where) })
  const unsupported = (what: string, where = peek().at): never =>
    fail('sql_unsupported', { what, ...position(sql, where) })
  const isWord = (word: string, ahead = 0) => peek(ahead).upper === word
  const isOp = (op: string, ahead = 0) => peek(ahead).kind === 'op' && peek(ahead).text === op
  const takeWord = (word: string) => isWord(word) && !!next()
  const takeOp = (op: string) => isOp(op) && !!next()
  const seen = () => {
    const token = peek()
    return token.kind === 'end' ? 'the end of the text' : `“${token.text.slice(0, 40)}”`
  }
  const needWord = (word: string) => {
    if (!takeWord(word)) invalid(`Expected ${word} but found ${seen()}.`)
  }
  const needOp = (op: string) => {
    if (!takeOp(op)) invalid(`Expected ${op} but found ${seen()}.`)
  }
  const parameter = () => {
    if (isOp('?') || (isOp(':') && (peek(1).kind === 'word' || peek(1).kind === 'number')))
      unsupported('A parameter')
  }

  /** Runs `read` one level deeper. */
  const nested = <T>(read: () => T): T => {
    if (++depth > MAX_DEPTH) unsupported(`Nesting deeper than ${MAX_DEPTH} levels`)
    const result = read()
    depth--
    return result
  }

  const identifier = (what: string): string => {
    const token = peek()
    if (token.kind === 'quoted') return next().text
    if (token.kind === 'word' && !RESERVED.has(token.upper)) return next().text
    if (token.kind === 'word')
      invalid(`${token.text} is a word of SQL: as ${what} it needs backticks.`)
    return invalid(`Expected ${what} but found ${seen()}.`)
  }
  const parts = (what: string): string[] => {
    const names = [identifier(what)]
    while (isOp('.') && !isOp('*', 1)) {
      next()
      names.push(anyName())
    }
    return names
  }
  /** After a dot every word is a name. */
  const anyName = (): string => {
    const token = peek()
    if (token.kind === 'word' || token.kind === 'quoted') return next().text
    return invalid(`Expected a name after the dot but found ${seen()}.`)
  }
  const list = <T>(read: () => T): T[] => {
    const items = [read()]
    while (takeOp(',')) items.push(read())
    return items
  }

  // ---- expressions ----

  const expression = (): Expr => nested(orExpression)

  const chain = (k: 'or' | 'and', word: string, read: () => Expr) => (): Expr => {
    const first = read()
    if (!isWord(word)) return first
    const args = [first]
    const start = peek().at
    while (takeWord(word)) args.push(read())
    return { k, at: start, args }
  }
  const notExpression = (): Expr => {
    const start = peek().at
    if (takeWord('NOT') || takeOp('!')) return { k: 'not', at: start, arg: nested(notExpression) }
    return predicate()
  }
  const andExpression = chain('and', 'AND', notExpression)
  const orExpression = chain('or', 'OR', andExpression)

  const predicate = (): Expr => {
    const arg = value()
    const start = peek().at
    if (takeWord('IS')) {
      const not = takeWord('NOT')
      if (takeWord('DISTINCT')) {
        needWord('FROM')
        const same: Expr = { k: 'binary', at: start, op: '<=>', left: arg, right: value() }
        return not ? same : { k: 'not', at: start, arg: same }
      }
      for (const what of ['NULL', 'TRUE', 'FALSE', 'UNKNOWN'] as const)
        if (takeWord(what)) return { k: 'is', at: start, arg, what, not }
      return invalid(`Expected NULL, TRUE, FALSE, UNKNOWN or DISTINCT FROM but found ${seen()}.`)
    }
    const not = isWord('NOT') || isOp('!') ? !!next() : false
    if (takeWord('BETWEEN')) {
      if (isWord('SYMMETRIC')) unsupported('BETWEEN SYMMETRIC')
      takeWord('ASYMMETRIC')
      const low = value()
      needWord('AND')
      return { k: 'between', at: start, arg, low, high: value(), not }
    }
    if (takeWord('IN')) {
      needOp('(')
      const list_ = isQuery() ? query() : list(expression)
      needOp(')')
      return { k: 'in', at: start, arg, list: list_, not }
    }
    if (takeWord('RLIKE') || takeWord('REGEXP'))
      return { k: 'like', at: start, op: 'RLIKE', arg, patterns: [value()], not }
    const op = takeWord('LIKE') ? 'LIKE' : takeWord('ILIKE') ? 'ILIKE' : undefined
    if (op) {
      const any = takeWord('ANY') || takeWord('SOME')
      if (any || takeWord('ALL')) {
        needOp('(')
        const patterns = list(expression)
        needOp(')')
        return { k: 'like', at: start, op, quantifier: any ? 'ANY' : 'ALL', arg, patterns, not }
      }
      const patterns = [value()]
      let escape: string | undefined
      if (takeWord('ESCAPE')) {
        if (peek().kind !== 'string') invalid(`Expected a string after ESCAPE but found ${seen()}.`)
        escape = next().text
        if ([...escape].length !== 1) invalid('ESCAPE takes one character.')
      }
      return { k: 'like', at: start, op, arg, patterns, escape, not }
    }
    if (not) invalid(`Expected BETWEEN, IN, LIKE or RLIKE after NOT but found ${seen()}.`, start)
    return arg
  }

  const value = (): Expr => binary(0)
  const binary = (level: number): Expr => {
    const operators = LEVELS[level]
    if (!operators) return unary()
    let left = binary(level + 1)
    for (let links = 0; ; links++) {
      const token = peek()
      const op = token.kind === 'word' ? token.upper : token.kind === 'op' ? token.text : ''
      if (!operators.has(op)) return left
      if (links > MAX_DEPTH) unsupported(`A chain of more than ${MAX_DEPTH} operators`)
      next()
      left = { k: 'binary', at: token.at, op, left, right: binary(level + 1) }
    }
  }
  const unary = (): Expr => {
    const token = peek()
    // Spark reads a minus before digits as part of the number: -128Y and -2147483648 exist.
    if (isOp('-') && peek(1).kind === 'number') {
      next()
      return postfix(number(`-`, token.at))
    }
    for (const op of ['-', '+', '~'] as const)
      if (takeOp(op)) return { k: 'unary', at: token.at, op, arg: nested(unary) }
    return postfix(primary())
  }
  const postfix = (first: Expr): Expr => {
    let expr = first
    for (let links = 0; ; links++) {
      if (links > MAX_DEPTH) unsupported(`A chain of more than ${MAX_DEPTH} operators`)
      const start = peek().at
      if (takeOp('[')) {
        expr = { k: 'index', at: start, of: expr, index: expression() }
        needOp(']')
      } else if (takeOp('::')) {
        expr = { k: 'cast', at: start, arg: expr, type: type(), attempt: false }
      } else if (isOp('.') && expr.k !== 'number') {
        next()
        if (isOp('*')) unsupported('The fields of a struct by .*', start)
        expr = { k: 'field', at: start, of: expr, name: anyName() }
      } else if (isOp(':') && (peek(1).kind === 'word' || isOp('[', 1))) {
        return unsupported('The colon path into JSON')
      } else if (isWord('COLLATE')) {
        return unsupported('COLLATE')
      } else return expr
    }
  }
  const number = (sign: string, start: number): Expr => {
    const { text } = next()
    const suffix = /(?:BD|[LSYFD])$/i.exec(text)?.[0] ?? ''
    return {
      k: 'number',
      at: start,
      text: sign + text.slice(0, text.length - suffix.length),
      suffix: suffix.toUpperCase(),
    }
  }

  const primary = (): Expr => {
    parameter()
    const token = peek()
    const start = token.at
    if (token.kind === 'number') return number('', start)
    if (token.kind === 'string') return { k: 'string', at: start, value: strings() }
    if (takeOp('(')) {
      if (isQuery()) {
        const inner = query()
        needOp(')')
        return { k: 'subquery', at: start, query: inner }
      }
      const lambda = lambdaParameters()
      if (lambda) return { k: 'lambda', at: start, params: lambda, body: expression() }
      const items = list(namedExpression)
      needOp(')')
      return items.length === 1 ? items[0]! : { k: 'row', at: start, items }
    }
    if (isOp('*')) {
      next()
      return { k: 'star', at: start, table: [], except: exceptColumns() }
    }
    if (token.kind === 'word') {
      const special = keyword(token)
      if (special) return special
      if (isOp('(', 1)) {
        next()
        return call(token.text, start)
      }
    }
    if (token.kind === 'quoted' && isOp('(', 1)) unsupported('A function’s name in backticks')
    if (isOp('->', 1)) {
      const name = identifier('a parameter')
      next()
      return { k: 'lambda', at: start, params: [name], body: expression() }
    }
    const names = parts('a column or value')
    if (isOp('.') && isOp('*', 1)) {
      next()
      next()
      return { k: 'star', at: start, table: names, except: exceptColumns() }
    }
    if (isOp('(')) unsupported(`The function ${names.join('.')}`, start)
    return { k: 'name', at: start, parts: names }
  }

  /** Literals and constructs that begin with a word; undefined if the word is a name or a plain function. */
  const keyword = (token: Token): Expr | undefined => {
    const start = token.at
    const after = peek(1)
    switch (token.upper) {
      case 'NULL':
        next()
        return { k: 'null', at: start }
      case 'TRUE':
      case 'FALSE':
        next()
        return { k: 'boolean', at: start, value: token.upper === 'TRUE' }
      case 'CASE':
        return caseExpression()
      case 'EXISTS':
        if (after.text !== '(') return undefined
        next()
        next()
        if (isQuery()) {
          const inner = query()
          needOp(')')
          return { k: 'exists', at: start, query: inner }
        }
        at -= 1
        return call('exists', start)
      case 'CAST':
      case 'TRY_CAST': {
        if (after.text !== '(') return undefined
        next()
        next()
        const arg = expression()
        needWord('AS')
        const to = type()
        needOp(')')
        return { k: 'cast', at: start, arg, type: to, attempt: token.upper === 'TRY_CAST' }
      }
      case 'DATE':
      case 'TIMESTAMP':
      case 'TIMESTAMP_NTZ':
      case 'TIMESTAMP_LTZ':
      case 'X':
        if (after.kind !== 'string') return undefined
        next()
        return { k: 'typed', at: start, word: token.upper, value: next().text }
      case 'INTERVAL':
        if (after.kind !== 'string' && after.kind !== 'number' && !['-', '('].includes(after.text))
          return undefined
        return interval()
      case 'EXTRACT': {
        if (after.text !== '(') return undefined
        next()
        next()
        const field = next()
        needWord('FROM')
        const from = expression()
        needOp(')')
        const name: Expr = { k: 'string', at: field.at, value: field.text }
        return plainCall('date_part', start, [name, from])
      }
      case 'POSITION': {
        if (after.text !== '(') return undefined
        next()
        next()
        const args = [value()]
        if (takeWord('IN')) args.push(value())
        else while (takeOp(',')) args.push(expression())
        needOp(')')
        return plainCall('position', start, args)
      }
      case 'SUBSTRING':
      case 'SUBSTR': {
        if (after.text !== '(') return undefined
        next()
        next()
        const args = [expression()]
        if (takeWord('FROM')) {
          args.push(expression())
          if (takeWord('FOR')) args.push(expression())
        } else while (takeOp(',')) args.push(expression())
        needOp(')')
        return plainCall('substring', start, args)
      }
      case 'TRIM': {
        if (after.text !== '(') return undefined
        next()
        next()
        const side = takeWord('LEADING')
          ? 'ltrim'
          : takeWord('TRAILING')
            ? 'rtrim'
            : takeWord('BOTH')
              ? 'btrim'
              : undefined
        const first = side && isWord('FROM') ? undefined : expression()
        if (takeWord('FROM')) {
          const source = expression()
          needOp(')')
          // The functions of one side have the characters first, btrim has them last.
          if (!first) return plainCall(side ?? 'btrim', start, [source])
          const both = side === undefined || side === 'btrim'
          return plainCall(side ?? 'btrim', start, both ? [source, first] : [first, source])
        }
        const args = [first!]
        while (takeOp(',')) args.push(expression())
        needOp(')')
        return plainCall('trim', start, args)
      }
      default:
        if (NO_PARENTHESES.has(token.upper) && after.text !== '(' && after.text !== '.') {
          next()
          return plainCall(token.text.toLowerCase(), start, [])
        }
        if ((token.upper === 'LEFT' || token.upper === 'RIGHT') && after.text === '(') {
          next()
          return call(token.text, start)
        }
        return undefined
    }
  }

  const plainCall = (name: string, start: number, args: Expr[]): Call => ({
    k: 'call',
    at: start,
    name,
    args,
    distinct: false,
  })

  /** Adjacent strings are one, as in Spark. */
  const strings = (): string => {
    let text = next().text
    while (peek().kind === 'string') text += next().text
    return text
  }

  const lambdaParameters = (): string[] | undefined => {
    let ahead = 0
    const names: string[] = []
    for (;;) {
      const token = peek(ahead)
      if (token.kind !== 'word' && token.kind !== 'quoted') return undefined
      names.push(token.text)
      if (isOp(')', ahead + 1)) break
      if (!isOp(',', ahead + 1)) return undefined
      ahead += 2
    }
    if (!isOp('->', ahead + 2)) return undefined
    at += ahead + 3
    return names
  }

  const caseExpression = (): Expr => {
    const start = next().at
    const operand = isWord('WHEN') ? undefined : expression()
    const whens: { when: Expr; result: Expr }[] = []
    while (takeWord('WHEN')) {
      const when = expression()
      needWord('THEN')
      whens.push({ when, result: expression() })
    }
    if (whens.length === 0) invalid(`Expected WHEN but found ${seen()}.`)
    const otherwise = takeWord('ELSE') ? expression() : undefined
    needWord('END')
    return { k: 'case', at: start, operand, whens, otherwise }
  }

  const interval = (): Expr => {
    const start = next().at
    const parts: { value: Expr; unit: string }[] = []
    let to: string | undefined
    while (
      ['string', 'number'].includes(peek().kind) ||
      (parts.length === 0 && (isOp('-') || isOp('(')))
    ) {
      const token = peek()
      const amount: Expr =
        token.kind === 'string'
          ? { k: 'string', at: token.at, value: next().text }
          : isOp('-') && peek(1).kind === 'number'
            ? (next(), number('-', token.at))
            : token.kind === 'number'
              ? number('', token.at)
              : primary()
      const unit = UNITS[peek().upper]
      if (!unit) {
        if (token.kind === 'string' && parts.length === 0) unsupported('An interval without a unit')
        invalid(`Expected a unit such as DAY but found ${seen()}.`)
      }
      next()
      parts.push({ value: amount, unit: unit! })
      if (isWord('TO')) {
        next()
        to = UNITS[peek().upper] ?? invalid(`Expected a unit after TO but found ${seen()}.`)
        next()
        break
      }
    }
    if (parts.length === 0) invalid(`Expected a value after INTERVAL but found ${seen()}.`)
    return { k: 'interval', at: start, parts, to }
  }

  /** The arguments and what may follow them; the name has been read. */
  const call = (written: string, start: number): Call => {
    needOp('(')
    const result: Call = {
      k: 'call',
      at: start,
      name: written.toLowerCase(),
      args: [],
      distinct: false,
    }
    const nulls = () => {
      if ((isWord('IGNORE') || isWord('RESPECT')) && isWord('NULLS', 1)) {
        result.nulls = next().upper as 'IGNORE' | 'RESPECT'
        next()
      }
    }
    if (!isOp(')')) {
      if (takeWord('DISTINCT')) result.distinct = true
      else if (isWord('ALL') && !isOp(')', 1)) takeWord('ALL')
      result.args = list(namedExpression)
      nulls()
      if (isWord('ORDER')) unsupported('ORDER BY inside a function')
    }
    needOp(')')
    if (isWord('WITHIN')) unsupported('WITHIN GROUP')
    if (isWord('FILTER') && isOp('(', 1)) {
      next()
      next()
      needWord('WHERE')
      result.filter = expression()
      needOp(')')
    }
    nulls()
    if (takeWord('OVER')) {
      if (isOp('(')) {
        const open = next().at
        result.over = window(open)
        needOp(')')
      } else result.over = identifier('a window')
    }
    return result
  }

  /** An argument or select item, with the alias that struct() understands. */
  const namedExpression = (): Expr => {
    if (isOp('=>', 1)) unsupported('A named argument')
    const arg = expression()
    if (!isWord('AS')) return arg
    const start = next().at
    return { k: 'alias', at: start, arg, name: identifier('an alias') }
  }

  const window = (start: number): Window => {
    const result: Window = { at: start, partition: [], order: [] }
    if (
      (peek().kind === 'word' || peek().kind === 'quoted') &&
      !['PARTITION', 'ORDER', 'ROWS', 'RANGE', 'DISTRIBUTE', 'CLUSTER', 'SORT'].includes(
        peek().upper,
      )
    )
      result.base = identifier('a window')
    if (takeWord('PARTITION')) {
      needWord('BY')
      result.partition = list(expression)
    }
    if (isWord('ORDER')) result.order = orderBy()
    if (isWord('ROWS') || isWord('RANGE')) {
      const unit = next().upper as 'ROWS' | 'RANGE'
      if (takeWord('BETWEEN')) {
        const from = bound()
        needWord('AND')
        result.frame = { unit, start: from, end: bound() }
      } else result.frame = { unit, start: bound(), end: { side: 'CURRENT' } }
    }
    return result
  }
  const bound = (): Bound => {
    if (takeWord('CURRENT')) {
      needWord('ROW')
      return { side: 'CURRENT' }
    }
    const offset = takeWord('UNBOUNDED') ? undefined : expression()
    if (takeWord('PRECEDING')) return { side: 'PRECEDING', offset }
    needWord('FOLLOWING')
    return { side: 'FOLLOWING', offset }
  }
  const orderBy = (): SortItem[] => {
    needWord('ORDER')
    needWord('BY')
    return list(() => {
      const expr = expression()
      const desc = takeWord('DESC') || (takeWord('ASC'), false)
      let nulls: 'FIRST' | 'LAST' | undefined
      if (takeWord('NULLS')) {
        if (takeWord('FIRST')) nulls = 'FIRST'
        else {
          needWord('LAST')
          nulls = 'LAST'
        }
      }
      return { expr, desc, nulls }
    })
  }

  const exceptColumns = (): { name: string; at: number }[] => {
    if (!isWord('EXCEPT') || !isOp('(', 1)) return []
    // `* EXCEPT (select …)` is a set operation.
    if (['SELECT', 'WITH', 'VALUES'].includes(peek(2).upper) || isOp('(', 2)) return []
    next()
    next()
    const names = list(() => ({ at: peek().at, name: identifier('a column') }))
    needOp(')')
    return names
  }

  /** A type's text up to where it ends, given to the one parser of types. */
  const type = (): SparkType => {
    const start = peek()
    if (start.kind !== 'word') invalid(`Expected a type but found ${seen()}.`)
    next()
    let end = start.at + start.text.length
    const close = (open: string, shut: string) => {
      if (!isOp(open)) return
      let level = 0
      do {
        const token = next()
        if (token.kind === 'end') invalid('The type is not closed.', start.at)
        if (token.text === open) level++
        // `>>` closes two levels.
        if (shut === '>' && token.text === '>>') level -= 2
        else if (shut === '>' && token.text === '>>>') level -= 3
        else if (token.text === shut) level--
        end = token.at + token.text.length
      } while (level > 0)
    }
    close('(', ')')
    close('<', '>')
    const text = sql.slice(start.at, end)
    if (/^(?:varchar|char|character)\b/i.test(text)) unsupported(`The type ${text}`, start.at)
    if (/^(?:interval|variant|void|time)$/i.test(text)) unsupported(`The type ${text}`, start.at)
    if (/^array$|^map$|^struct$/i.test(text)) invalid(`${text} needs its inner types.`, start.at)
    try {
      return parseType(text)
    } catch {
      return unsupported(`The type ${text.slice(0, 60)}`, start.at)
    }
  }

  // ---- queries ----

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
    if (isWord('VALUES')) unsupported('VALUES as a query')
    if (isWord('FROM')) unsupported('A query that begins with FROM')
    if (isWord('TABLE')) unsupported('TABLE as a query')
    return select()
  }
  const setExpression = setLevel(setLevel(queryTerm, ['INTERSECT']), [
    'UNION',
    'EXCEPT',
    'MINUS',
    'SETMINUS',
  ])

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
      let alias: string | undefined
      if (takeWord('AS')) {
        if (isOp('(')) unsupported('Several aliases for one expression')
        alias = identifier('an alias')
      } else if (
        peek().kind === 'quoted' ||
        (peek().kind === 'word' && !RESERVED.has(peek().upper))
      )
        alias = next().text
      return { expr, alias, at: where }
    })
    if (isWord('INTO')) unsupported('SELECT INTO')
    if (takeWord('FROM')) {
      result.from = list(source)
      while (isWord('LATERAL')) result.views.push(lateralView())
      for (const word of ['PIVOT', 'UNPIVOT']) if (isWord(word)) unsupported(word)
    }
    if (takeWord('WHERE')) result.where = expression()
    if (takeWord('GROUP')) {
      needWord('BY')
      if (isWord('ALL') && !isOp('(', 1)) {
        next()
        result.group = 'ALL'
      } else {
        for (const word of ['ROLLUP', 'CUBE'])
          if (isWord(word) && isOp('(', 1)) unsupported(`GROUP BY ${word}`)
        if (isWord('GROUPING')) unsupported('GROUPING SETS')
        result.group = list(expression)
        if (isWord('WITH')) unsupported('GROUP BY … WITH ROLLUP or CUBE')
        if (isWord('GROUPING')) unsupported('GROUPING SETS')
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
    let left = sourcePrimary()
    for (let links = 0; ; links++) {
      if (links > MAX_DEPTH) unsupported(`More than ${MAX_DEPTH} joins`)
      const start = peek().at
      const type = joinType()
      if (!type) return left
      const right = sourcePrimary()
      const join: Source = { k: 'join', at: start, type, left, right }
      if (takeWord('ON')) join.on = expression()
      else if (takeWord('USING')) {
        join.using = aliasColumns()
        if (join.using.length === 0) invalid(`Expected ( after USING but found ${seen()}.`)
      }
      left = join
    }
  }
  const joinType = (): Extract<Source, { k: 'join' }>['type'] | undefined => {
    if (isWord('NATURAL')) unsupported('NATURAL JOIN')
    if (takeWord('JOIN')) return notLateral('INNER')
    for (const word of ['INNER', 'CROSS', 'SEMI', 'ANTI'] as const)
      if (isWord(word) && isWord('JOIN', 1)) {
        at += 2
        return notLateral(word)
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
        return notLateral(word)
      }
    return undefined
  }
  const notLateral = <T>(type: T): T => {
    if (isWord('LATERAL')) unsupported('A lateral subquery')
    return type
  }
  const sourcePrimary = (): Source => {
    parameter()
    const start = peek().at
    if (isWord('LATERAL')) unsupported('A lateral subquery')
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
