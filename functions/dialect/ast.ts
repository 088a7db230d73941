// What the parser hands to the compiler. Every node knows its offset `at`; nothing here is interpreted yet.
import type { SparkType } from '#core/types.ts'

export type Expr =
  | { k: 'null'; at: number }
  | { k: 'boolean'; at: number; value: boolean }
  /** `text` without suffix, with its minus; `suffix` in upper case: '', L, S, Y, F, D, BD. */
  | { k: 'number'; at: number; text: string; suffix: string }
  | { k: 'string'; at: number; value: string }
  /** DATE '…', TIMESTAMP '…', X'…'. */
  | { k: 'typed'; at: number; word: string; value: string }
  | { k: 'interval'; at: number; parts: { value: Expr; unit: string }[]; to?: string }
  | { k: 'name'; at: number; parts: string[] }
  | { k: 'field'; at: number; of: Expr; name: string }
  | { k: 'index'; at: number; of: Expr; index: Expr }
  | { k: 'unary'; at: number; op: '-' | '+' | '~'; arg: Expr }
  | { k: 'binary'; at: number; op: string; left: Expr; right: Expr }
  /** AND and OR are flat lists: long chains mustn't become deep trees. */
  | { k: 'and' | 'or'; at: number; args: Expr[] }
  | { k: 'not'; at: number; arg: Expr }
  | { k: 'between'; at: number; arg: Expr; low: Expr; high: Expr; not: boolean }
  | { k: 'in'; at: number; arg: Expr; list: Expr[] | Query; not: boolean }
  | {
      k: 'like'
      at: number
      op: 'LIKE' | 'ILIKE' | 'RLIKE'
      quantifier?: 'ANY' | 'ALL'
      arg: Expr
      patterns: Expr[]
      escape?: string
      not: boolean
    }
  | { k: 'is'; at: number; arg: Expr; what: 'NULL' | 'TRUE' | 'FALSE' | 'UNKNOWN'; not: boolean }
  | {
      k: 'case'
      at: number
      operand?: Expr
      whens: { when: Expr; result: Expr }[]
      otherwise?: Expr
    }
  | { k: 'cast'; at: number; arg: Expr; type: SparkType; attempt: boolean }
  | Call
  | { k: 'lambda'; at: number; params: string[]; body: Expr }
  | { k: 'row'; at: number; items: Expr[] }
  | { k: 'alias'; at: number; arg: Expr; name: string }
  | { k: 'subquery'; at: number; query: Query }
  | { k: 'exists'; at: number; query: Query }
  | { k: 'star'; at: number; table: string[]; except: { name: string; at: number }[] }

export type Call = {
  k: 'call'
  at: number
  /** Lower case. */
  name: string
  args: Expr[]
  distinct: boolean
  filter?: Expr
  /** WITHIN GROUP (ORDER BY …). */
  within?: SortItem[]
  nulls?: 'IGNORE' | 'RESPECT'
  over?: Window | string
}

export type Window = {
  at: number
  base?: string
  partition: Expr[]
  order: SortItem[]
  frame?: { unit: 'ROWS' | 'RANGE'; start: Bound; end: Bound }
}
export type Bound = { side: 'PRECEDING' | 'FOLLOWING' | 'CURRENT'; offset?: Expr }
export type SortItem = { expr: Expr; desc: boolean; nulls?: 'FIRST' | 'LAST' }

export type Query = {
  at: number
  ctes: { name: string; at: number; columns: string[]; query: Query }[]
  body: Select | SetOperation | Query
  order: SortItem[]
  limit?: Expr
  offset?: Expr
}
export type SetOperation = {
  k: 'set'
  at: number
  op: 'UNION' | 'INTERSECT' | 'EXCEPT'
  all: boolean
  left: Select | SetOperation | Query
  right: Select | SetOperation | Query
}
export type Select = {
  k: 'select'
  at: number
  distinct: boolean
  /** `end`: offset of what follows the expression, spaces between them included. */
  /** `aliases`: AS (a, b) of a generator. */
  items: { expr: Expr; alias?: string; aliases?: string[]; at: number; end: number }[]
  from: Source[]
  views: LateralView[]
  where?: Expr
  group?: Expr[] | 'ALL'
  /** ROLLUP, CUBE and GROUPING SETS, unfolded: each set by its keys, all of which are in `group`. */
  sets?: Expr[][]
  having?: Expr
  qualify?: Expr
  windows: { name: string; window: Window }[]
}
export type Source =
  | { k: 'table'; at: number; parts: string[]; alias?: string; columns: string[] }
  | {
      k: 'derived'
      at: number
      query: Query
      /** LATERAL: it may use the sources to its left. */
      lateral?: boolean
      alias?: string
      columns: string[]
    }
  | { k: 'values'; at: number; rows: Expr[][]; alias?: string; columns: string[] }
  | {
      k: 'join'
      at: number
      type: 'INNER' | 'LEFT' | 'RIGHT' | 'FULL' | 'CROSS' | 'SEMI' | 'ANTI'
      left: Source
      right: Source
      on?: Expr
      using?: string[]
      /** The columns of USING are those that both sides have. */
      natural?: boolean
    }
  | {
      k: 'unpivot'
      at: number
      of: Source
      nulls: boolean
      values: string[]
      name: string
      groups: { columns: string[]; alias?: string }[]
      alias?: string
      columns: string[]
    }
  | {
      k: 'pivot'
      at: number
      of: Source
      aggregates: { expr: Expr; alias?: string }[]
      by: string[]
      values: { exprs: Expr[]; alias?: string }[]
      alias?: string
      columns: string[]
    }
export type LateralView = {
  at: number
  outer: boolean
  call: Call
  table: string
  columns: string[]
}
