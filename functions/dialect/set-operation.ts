// UNION, INTERSECT and EXCEPT: both sides become columns of one type.
import { quoteDuckdb } from '#core/names.ts'

import type { SetOperation } from './ast.ts'
import { cast } from './cast.ts'
import { compileBody, outName, type Compiled, type Out, type QueryEnv } from './query.ts'
import { textOf, unsigned, wider } from './types.ts'
import { merge } from './value.ts'

export function setOperation(body: SetOperation, env: QueryEnv): Compiled {
  const { source } = env
  const [left, right] = [compileBody(body.left, env), compileBody(body.right, env)]
  if (left.columns.length !== right.columns.length)
    source.type(
      `${body.op} needs as many columns on both sides, not ${left.columns.length} and ${right.columns.length}`,
      body.at,
    )
  const columns = left.columns.map((column, i): Out => {
    const other = right.columns[i]!
    const type = wider(column.type, other.type)
    if (!type)
      return source.type(
        `Column ${i + 1} of ${body.op} is ${textOf(column.type)} on one side and ${textOf(other.type)} on the other`,
        body.at,
      )
    if (type.kind === 'map' && !(body.op === 'UNION' && body.all))
      source.type(`${body.op} can't compare maps`, body.at)
    // A cast to the common type can make a column nullable.
    const [a, b] = [column, other].map((each) => {
      const value = source.make('c', each.type, [], { nullable: each.nullable, at: each.at })
      return type.kind === 'void' ? true : cast(source, value, type).nullable
    }) as [boolean, boolean]
    const nullable = { UNION: a || b, INTERSECT: a && b, EXCEPT: a }[body.op]
    return {
      ...column,
      type,
      nullable,
      from: merge([column.from, other.from]),
      plain: column.plain && other.plain && column.plain,
    }
  })
  const side = (compiled: Compiled) => {
    const alias = env.unique('q')
    const items = compiled.columns.map((column, i) => {
      const value = source.make(`${alias}.c${i}`, column.type, [], {
        nullable: true,
        at: column.at,
      })
      const type = columns[i]!.type
      const typed = type.kind === 'void' ? 'NULL' : cast(source, value, type).sql
      const sql = body.op === 'UNION' && body.all ? typed : unsigned(typed, type)
      return `${sql} AS ${quoteDuckdb(outName(columns[i]!, i))}`
    })
    const names = compiled.columns.map((_, i) => `c${i}`).join(', ')
    return `SELECT ${items.join(', ')} FROM (${compiled.sql}) AS ${alias}(${names})`
  }
  return {
    sql: `(${side(left)}) ${body.op}${body.all ? ' ALL' : ''} (${side(right)})`,
    columns,
    correlated: left.correlated || right.correlated,
    single: false,
  }
}
