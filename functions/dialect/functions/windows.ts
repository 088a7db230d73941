// Functions that exist only over windows.
import type { Aggregate, Context, FunctionEntry } from '../catalogue.ts'
import { implicit } from '../cast.ts'
import { DOUBLE, INT, isFloat, type T } from '../types.ts'

const category = 'window'

const rank = (name: string, description: string, type: T = INT): FunctionEntry => ({
  kind: 'window',
  name,
  category,
  signature: `${name}() OVER (… ORDER BY …)`,
  description,
  returns: isFloat(type) ? 'double' : 'int',
  args: [0, 0],
  aggregate: () => ({
    type,
    nullable: false,
    parts: [],
    ordered: true,
    frameless: true,
    noDistinct: true,
    build: (agg) => (isFloat(type) ? agg(name, []) : `CAST(${agg(name, [])} AS INTEGER)`),
  }),
})

const neighbour = (name: 'lag' | 'lead', description: string): FunctionEntry => ({
  kind: 'window',
  name,
  category,
  signature: `${name}(x[, offset[, default]]) OVER (… ORDER BY …)`,
  description,
  returns: 'the type of x',
  args: [1, 3],
  aggregate: (context): Aggregate => {
    const offset = context.args.length > 1 ? context.whole(1, 'an offset') : 1
    const given = context.maybe(2)
    const x = context.arg(0)
    const type = x.type
    const fallback = given && implicit(context.source, given, type)
    const args = [x.sql, String(offset), ...(fallback ? [fallback.sql] : [])]
    if (context.call.nulls === 'IGNORE') args.push(`${args.pop()!} IGNORE NULLS`)
    return {
      type,
      nullable: !fallback || fallback.nullable || x.nullable,
      parts: fallback ? [x, fallback] : [x],
      ordered: true,
      frameless: true,
      noDistinct: true,
      nulls: true,
      build: (agg) => agg(name, args),
    }
  },
})

const edge = (name: 'first_value' | 'last_value', aliases: string[]): FunctionEntry => ({
  kind: 'window',
  name,
  aliases,
  category,
  signature: `${name}(x[, true]) OVER (… ORDER BY …)`,
  description: `The ${name === 'first_value' ? 'first' : 'last'} value of the frame; with true the ${name === 'first_value' ? 'first' : 'last'} that is not NULL.`,
  returns: 'the type of x',
  args: [1, 2],
  aggregate: (context: Context): Aggregate => {
    const x = context.arg(0)
    const flag = context.maybe(1)?.literal
    if (context.args.length > 1 && typeof flag !== 'boolean')
      context.source.unsupported(`${name} with a flag that isn't true or false`, context.at)
    const ignore = flag === true || context.call.nulls === 'IGNORE' ? ' IGNORE NULLS' : ''
    return {
      type: x.type,
      nullable: true,
      parts: [x],
      ordered: true,
      nulls: true,
      noDistinct: true,
      build: (agg) => agg(name, [`${x.sql}${ignore}`]),
    }
  },
})

export const WINDOWS: FunctionEntry[] = [
  rank('row_number', 'The number of the row in its partition, from 1.'),
  rank('rank', 'The rank with gaps: rows that are equal in order share it.'),
  rank('dense_rank', 'The rank without gaps.'),
  rank('percent_rank', 'The rank between 0 and 1.', DOUBLE),
  rank('cume_dist', 'The share of rows up to this one.', DOUBLE),
  {
    kind: 'window',
    name: 'ntile',
    category,
    signature: 'ntile(n) OVER (… ORDER BY …)',
    description: 'The number of the row’s part, if the partition is divided into n equal parts.',
    returns: 'int',
    args: [1, 1],
    aggregate: (context) => {
      const n = context.whole(0, 'a number of parts')
      if (n < 1) context.source.type('ntile takes a positive number', context.at)
      return {
        type: INT,
        nullable: false,
        parts: [],
        ordered: true,
        frameless: true,
        noDistinct: true,
        build: (agg) => `CAST(${agg('ntile', [String(n)])} AS INTEGER)`,
      }
    },
  },
  neighbour('lag', 'The value some rows before; the default (or NULL) where there is none.'),
  neighbour('lead', 'The value some rows behind; the default (or NULL) where there is none.'),
  {
    kind: 'window',
    name: 'nth_value',
    category,
    signature: 'nth_value(x, n[, true]) OVER (… ORDER BY …)',
    description: 'The n-th value of the frame; with true the n-th that is not NULL.',
    returns: 'the type of x',
    args: [2, 3],
    aggregate: (context): Aggregate => {
      const x = context.arg(0)
      const n = context.whole(1, 'a number')
      if (n < 1) context.source.type('nth_value counts from 1', context.at)
      const flag = context.maybe(2)?.literal
      if (context.args.length > 2 && typeof flag !== 'boolean')
        context.source.unsupported('nth_value with a flag that isn’t true or false', context.at)
      const ignore = flag === true || context.call.nulls === 'IGNORE' ? ' IGNORE NULLS' : ''
      return {
        type: x.type,
        nullable: true,
        parts: [x],
        ordered: true,
        nulls: true,
        noDistinct: true,
        build: (agg) => agg('nth_value', [x.sql, `${n}${ignore}`]),
      }
    },
  },
  edge('first_value', ['first']),
  edge('last_value', ['last']),
]
