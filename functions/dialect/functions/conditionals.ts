// Choosing between values.
import { cast } from '../cast.ts'
import type { FunctionEntry } from '../catalogue.ts'
import { decodeBytes } from './encodings.ts'
import { choose, condition } from '../expression.ts'
import { comparison } from '../operators.ts'
import { BOOLEAN, INT, isFloat, wider, isNested, textOf, VOID } from '../types.ts'
import type { Context } from '../catalogue.ts'
import type { Value } from '../value.ts'

const category = 'conditional'

function coalesce(context: Context): Value {
  const values = context.common()
  if (values.length === 1) return values[0]!
  return context.make(
    `coalesce(${values.map((value) => value.sql).join(', ')})`,
    values[0]!.type,
    values,
    {
      nullable: values.every((value) => value.nullable),
    },
  )
}

function nullif(context: Context): Value {
  const [a, b] = [context.arg(0), context.arg(1)]
  const equal = comparison(context.source, '=', a, b, context.at)
  return context.make(`CASE WHEN ${equal.sql} THEN NULL ELSE ${a.sql} END`, a.type, [a, equal], {
    nullable: true,
  })
}

const extreme = (name: 'greatest' | 'least'): FunctionEntry => ({
  name,
  category,
  signature: `${name}(a, b, …)`,
  description: `The ${name} of the values; NULLs are skipped, and only if all are NULL the result is NULL.`,
  returns: 'the common type',
  args: [2, 99],
  compile: (context) => {
    const values = context.common(0, false)
    const type = values[0]!.type
    if (isNested(type)) context.source.unsupported(`${name} of ${textOf(type)}`, context.at)
    if (isFloat(type) && type.kind === 'float')
      values.forEach((value, i) => (values[i] = cast(context.source, value, type)))
    return context.make(`${name}(${values.map((value) => value.sql).join(', ')})`, type, values, {
      nullable: values.every((value) => value.nullable),
    })
  },
})

export const CONDITIONALS: FunctionEntry[] = [
  {
    name: 'coalesce',
    category,
    signature: 'coalesce(a, b, …)',
    description: 'The first value that is not NULL.',
    returns: 'the common type',
    args: [1, 99],
    compile: coalesce,
  },
  {
    name: 'nvl',
    aliases: ['ifnull'],
    category,
    signature: 'nvl(a, b)',
    description: 'a, or b where a is NULL.',
    returns: 'the common type',
    args: [2, 2],
    compile: coalesce,
  },
  {
    name: 'nvl2',
    category,
    signature: 'nvl2(a, b, c)',
    description: 'b where a is not NULL, else c.',
    returns: 'the common type of b and c',
    args: [3, 3],
    compile: (context) => {
      const a = context.arg(0)
      const test = context.make(`(${a.sql} IS NOT NULL)`, BOOLEAN, [a], { nullable: false })
      return choose(context.source, [test], [context.arg(1), context.arg(2)], context.at)
    },
  },
  {
    name: 'if',
    category,
    signature: 'if(condition, a, b)',
    description: 'a where the condition is true, else (false or NULL) b.',
    returns: 'the common type of a and b',
    args: [3, 3],
    compile: (context) =>
      choose(
        context.source,
        [condition(context.source, context.arg(0), true)],
        [context.arg(1), context.arg(2)],
        context.at,
      ),
  },
  {
    name: 'nullif',
    category,
    signature: 'nullif(a, b)',
    description: 'NULL where a equals b, else a.',
    returns: 'the type of a',
    args: [2, 2],
    compile: nullif,
  },
  {
    name: 'nullifzero',
    category,
    signature: 'nullifzero(a)',
    description: 'NULL where a is 0, else a.',
    returns: 'the type of a',
    args: [1, 1],
    compile: (context) => {
      const a = context.number(0)
      return context.make(`nullif(${a.sql}, 0)`, a.type, [a], { nullable: true })
    },
  },
  {
    name: 'zeroifnull',
    category,
    signature: 'zeroifnull(a)',
    description: '0 where a is NULL, else a.',
    returns: 'the common type of a and int',
    args: [1, 1],
    compile: (context) => {
      const zero = context.source.literal(0, INT, context.at)
      const a = context.number(0)
      const type = wider(a.type, INT)!
      const [x, y] = [cast(context.source, a, type), cast(context.source, zero, type)]
      return context.make(`coalesce(${x.sql}, ${y.sql})`, type, [x, y], {
        nullable: x.nullable && y.nullable,
      })
    },
  },
  extreme('greatest'),
  extreme('least'),
  {
    name: 'isnull',
    category,
    signature: 'isnull(a)',
    description: 'Whether a is NULL.',
    returns: 'boolean',
    args: [1, 1],
    compile: (context) =>
      context.make(`(${context.arg(0).sql} IS NULL)`, BOOLEAN, context.args, { nullable: false }),
  },
  {
    name: 'isnotnull',
    category,
    signature: 'isnotnull(a)',
    description: 'Whether a is not NULL.',
    returns: 'boolean',
    args: [1, 1],
    compile: (context) =>
      context.make(`(${context.arg(0).sql} IS NOT NULL)`, BOOLEAN, context.args, {
        nullable: false,
      }),
  },
  {
    name: 'isnan',
    category,
    signature: 'isnan(a)',
    description: 'Whether a is NaN; false for NULL.',
    returns: 'boolean',
    args: [1, 1],
    compile: (context) => {
      const a = isFloat(context.arg(0).type) ? context.arg(0) : context.double(0)
      return context.make(`coalesce(isnan(${a.sql}), false)`, BOOLEAN, [a], { nullable: false })
    },
  },
  {
    name: 'nanvl',
    category,
    signature: 'nanvl(a, b)',
    description: 'a, or b where a is NaN.',
    returns: 'double',
    args: [2, 2],
    compile: (context) => {
      const [a, b] = [context.double(0), context.double(1)]
      return context.make(
        `CASE WHEN isnan(${a.sql}) THEN ${b.sql} ELSE ${a.sql} END`,
        a.type,
        [a, b],
        {
          uses: 2,
        },
      )
    },
  },
  {
    name: 'equal_null',
    category,
    signature: 'equal_null(a, b)',
    description: 'Whether a equals b, NULL being equal to NULL; same as <=>.',
    returns: 'boolean',
    args: [2, 2],
    compile: (context) =>
      comparison(context.source, '<=>', context.arg(0), context.arg(1), context.at),
  },
  {
    name: 'decode',
    category,
    signature: "decode(a, value, result, …, default), decode(binary, 'utf-8')",
    description:
      'The result behind the first value that equals a (NULL equals NULL), else the default or NULL.',
    returns: 'the common type of the results',
    args: [2, 99],
    compile: (context) => {
      if (context.args.length === 2) return decodeBytes(context)
      const whens: Value[] = []
      const thens: Value[] = []
      const rest = context.args.slice(1)
      while (rest.length >= 2) {
        whens.push(comparison(context.source, '<=>', context.arg(0), rest.shift()!, context.at))
        thens.push(rest.shift()!)
      }
      return choose(
        context.source,
        whens,
        [...thens, rest[0] ?? context.source.literal(null, VOID, context.at)],
        context.at,
      )
    },
  },
]
