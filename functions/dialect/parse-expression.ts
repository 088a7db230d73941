// Expressions, after the grammar of Spark 4: same precedence, same literals, same odd corners.
import { parseType, type SparkType } from '#core/types.ts'

import type { Bound, Call, Expr, Query, SortItem, Window } from './ast.ts'
import { MAX_DEPTH, type Cursor } from './cursor.ts'
import type { Token } from './lexer.ts'

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
const NO_PARENTHESES = new Set(
  'CURRENT_DATE CURRENT_TIMESTAMP LOCALTIMESTAMP CURRENT_USER USER'.split(' '),
)

/** The readers of expressions; `queries` reads what stands in parentheses after IN, EXISTS or alone. */
export function makeExpressions(
  cursor: Cursor,
  queries: { isQuery: () => boolean; query: () => Query },
) {
  const { sql, peek, next, skip, invalid, unsupported, isWord, isOp, takeWord, takeOp } = cursor
  const { needWord, needOp, seen, parameter, nested, identifier, anyName, parts, list } = cursor
  const isQuery = () => queries.isQuery()
  const query = () => queries.query()

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
        skip(-1)
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
      case 'OVERLAY': {
        if (after.text !== '(') return undefined
        next()
        next()
        const args = [expression()]
        if (takeWord('PLACING')) {
          args.push(expression())
          needWord('FROM')
          args.push(expression())
          if (takeWord('FOR')) args.push(expression())
        } else while (takeOp(',')) args.push(expression())
        needOp(')')
        return plainCall('overlay', start, args)
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
    skip(ahead + 3)
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
        if (token.kind === 'string' && parts.length === 0) {
          // INTERVAL '1 day 2 hours' says its units inside.
          const words = token.text.trim().split(/\s+/)
          const inner = words.flatMap((word, i) => {
            const unit = UNITS[words[i + 1]?.toUpperCase() ?? '']
            return i % 2 === 0 && unit
              ? [{ value: { k: 'string', at: token.at, value: word } as Expr, unit }]
              : []
          })
          if (inner.length * 2 !== words.length) unsupported('An interval without a unit')
          return { k: 'interval', at: start, parts: inner }
        }
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
    if (isWord('WITHIN') && isWord('GROUP', 1)) {
      skip(2)
      needOp('(')
      result.within = orderBy()
      needOp(')')
    }
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

  return { expression, call, window, orderBy }
}
