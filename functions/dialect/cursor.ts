// A cursor over the tokens of one text: what both halves of the parser stand on.
import { fail } from '#core/errors.ts'

import { position, tokenize, type Token } from './lexer.ts'

/** Deeper nesting would end in a stack overflow here or in DuckDB; nobody writes it by hand. */
export const MAX_DEPTH = 100

// Words that open, join or close clauses: as a name they need backticks. Spark allows some of them in some places; we don't guess.
export const RESERVED = new Set(
  (
    'ALL AND ANTI ANY AS BETWEEN BY CASE CROSS DISTINCT ELSE END EXCEPT EXISTS FALSE FROM FULL GROUP HAVING IN INNER ' +
    'INTERSECT INTO IS JOIN LATERAL LEFT LIKE ILIKE LIMIT MINUS NATURAL NOT NULL OFFSET ON OR ORDER OUTER QUALIFY REGEXP ' +
    'RIGHT RLIKE SELECT SEMI SETMINUS SOME TABLE TABLESAMPLE THEN TRUE UNION USING WHEN WHERE WINDOW WITH CLUSTER DISTRIBUTE ' +
    'SORT PIVOT UNPIVOT DIV'
  ).split(' '),
)

// A clause may begin with these after a table: they aren't its alias.
export const NOT_ALIAS = new Set([...RESERVED, 'FETCH', 'FOR', 'TIMESTAMP', 'VERSION'])

export type Cursor = ReturnType<typeof makeCursor>

/** @throws sql_invalid for what isn't made of tokens */
export function makeCursor(sql: string) {
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

  return {
    sql,
    peek,
    next,
    /** Moves on by some tokens (or back). */
    skip(count: number) {
      at += count
    },
    invalid,
    unsupported,
    isWord,
    isOp,
    takeWord,
    takeOp,
    needWord,
    needOp,
    seen,
    parameter,
    nested,
    identifier,
    anyName,
    parts,
    list,
  }
}
