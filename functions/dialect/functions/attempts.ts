// try_…: arithmetic that gives NULL where the operator would end in an error.
import type { Context, FunctionEntry } from '../catalogue.ts'
import { cast } from '../cast.ts'
import { arithmetic } from '../operators.ts'
import { duck, isFloat, isIntegral, tightest } from '../types.ts'
import type { Value } from '../value.ts'

const category = 'number'

const attempt =
  (op: '+' | '-' | '*') =>
  (context: Context): Value => {
    const [a, b] = [context.arg(0), context.arg(1)]
    const { source } = context
    if (a.type.kind === 'string' || b.type.kind === 'string')
      source.unsupported(`${context.call.name} of a string`, context.at, 'Cast it to a number.')
    const type = tightest(a.type, b.type)
    // In 128 bits nothing is lost; what doesn't fit into the type is NULL.
    if (type && isIntegral(type)) {
      const [x, y] = [cast(source, a, type), cast(source, b, type)]
      return context.make(
        `TRY_CAST(${x.sql}::HUGEINT ${op} ${y.sql}::HUGEINT AS ${duck(type)})`,
        type,
        [x, y],
        { nullable: true },
      )
    }
    const result = arithmetic(source, op, a, b, context.at)
    if (isFloat(result.type)) return { ...result, nullable: true }
    if (result.raises)
      source.unsupported(
        `${context.call.name} of decimals this wide`,
        context.at,
        'Cast them to narrower decimals.',
      )
    return { ...result, nullable: true }
  }

/** NULL for a divisor of 0, then as the operator. */
const dividing =
  (op: '/' | '%') =>
  (context: Context): Value => {
    const [a, b] = [context.number(0), context.number(1)]
    const divisor: Value = {
      ...context.make(`nullif(${b.sql}, 0)`, b.type, [b], { nullable: true }),
      literal: Number(b.literal) === 0 ? undefined : b.literal,
    }
    return { ...arithmetic(context.source, op, a, divisor, context.at), nullable: true }
  }

const entry = (
  name: string,
  description: string,
  returns: string,
  compile: (context: Context) => Value,
): FunctionEntry => ({
  name,
  category,
  signature: `${name}(a, b)`,
  description,
  returns,
  args: [2, 2],
  compile,
})

export const ATTEMPTS: FunctionEntry[] = [
  entry('try_add', 'a + b, or NULL where that overflows.', 'as +', attempt('+')),
  entry('try_subtract', 'a - b, or NULL where that overflows.', 'as -', attempt('-')),
  entry('try_multiply', 'a * b, or NULL where that overflows.', 'as *', attempt('*')),
  entry('try_divide', 'a / b, or NULL where b is 0.', 'as /', dividing('/')),
  entry('try_mod', 'The remainder of a / b, or NULL where b is 0.', 'as %', dividing('%')),
]
