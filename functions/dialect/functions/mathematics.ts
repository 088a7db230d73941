// Elementary functions of doubles: what DuckDB refuses outside of their domain is NaN or infinite, as in Java.
import type { Context, FunctionEntry } from '../catalogue.ts'
import { MACROS } from '../prelude.ts'
import { BIGINT, DOUBLE } from '../types.ts'
import type { Value } from '../value.ts'

const category = 'number'
const { macro } = MACROS
const NAN = "CAST('nan' AS DOUBLE)"

macro('lf_finite(x, y)', `CASE WHEN isfinite(x) THEN y WHEN x IS NOT NULL THEN ${NAN} END`)
macro(
  'lf_real_ln(x)',
  `CASE WHEN x < 0 THEN ${NAN} WHEN x = 0 THEN CAST('-inf' AS DOUBLE) ELSE ln(x) END`,
)
macro('lf_real_sqrt(x)', `CASE WHEN x < 0 THEN ${NAN} ELSE sqrt(x) END`)
// Without the digits that 1 + x and exp(x) - 1 would lose beside a small x (Kahan's way).
macro(
  'lf_log1p(x)',
  `CASE WHEN x <= -1 THEN NULL WHEN 1 + x = 1 OR isinf(x) THEN x ELSE ln(1 + x) * x / ((1 + x) - 1) END`,
)
macro(
  'lf_expm1(x)',
  `CASE WHEN exp(x) = 1 THEN x WHEN isinf(exp(x)) THEN exp(x) WHEN exp(x) - 1 = -1 THEN -1::DOUBLE
    ELSE (exp(x) - 1) * x / ln(exp(x)) END`,
)
macro(
  'lf_atanh(x)',
  `CASE WHEN abs(x) > 1 THEN ${NAN} WHEN x = 1 THEN CAST('inf' AS DOUBLE) WHEN x = -1 THEN CAST('-inf' AS DOUBLE)
    ELSE (lf_log1p(x) - lf_log1p(-x)) / 2 END`,
)
macro(
  'lf_scaled_hypot(x, y, m)',
  `CASE WHEN m = 0 THEN m ELSE m * sqrt((x / m) * (x / m) + (y / m) * (y / m)) END`,
)
macro(
  'lf_hypot(x, y)',
  `CASE WHEN isinf(x) AND y IS NOT NULL OR isinf(y) AND x IS NOT NULL THEN CAST('inf' AS DOUBLE)
    ELSE lf_scaled_hypot(x, y, greatest(abs(x), abs(y))) END`,
)

/** A function of doubles. */
const real = (
  name: string,
  description: string,
  print: (x: string) => string,
  uses = 4,
): FunctionEntry => ({
  name,
  category,
  signature: `${name}(x)`,
  description,
  returns: 'double',
  args: [1, 1],
  compile: (context) => {
    const x = context.double(0)
    return context.make(print(x.sql), DOUBLE, [x], { nullable: true, uses })
  },
})

const constant = (name: string, description: string, sql: string): FunctionEntry => ({
  name,
  category,
  signature: `${name}()`,
  description,
  returns: 'double',
  args: [0, 0],
  compile: (context) => context.make(sql, DOUBLE, [], { nullable: false }),
})

const two = (
  name: string,
  signature: string,
  description: string,
  print: (x: string, y: string) => string,
): FunctionEntry => ({
  name,
  category,
  signature,
  description,
  returns: 'double',
  args: [2, 2],
  compile: (context) => {
    const [x, y] = [context.double(0), context.double(1)]
    return context.make(print(x.sql, y.sql), DOUBLE, [x, y], { uses: 8 })
  },
})

function log(context: Context): Value {
  if (context.args.length === 1) {
    const x = context.double(0)
    return context.make(`CASE WHEN ${x.sql} <= 0 THEN NULL ELSE ln(${x.sql}) END`, DOUBLE, [x], {
      nullable: true,
      uses: 2,
    })
  }
  const [base, x] = [context.double(0), context.double(1)]
  return context.make(
    `CASE WHEN ${base.sql} <= 0 OR ${x.sql} <= 0 THEN NULL ELSE ln(${x.sql}) / ln(${base.sql}) END`,
    DOUBLE,
    [base, x],
    { nullable: true, uses: 2 },
  )
}

const FACTORIALS = Array.from({ length: 20 }).reduce<bigint[]>(
  (list, _, i) => [...list, list[i]! * BigInt(i + 1)],
  [1n],
)

// Buckets of equal width between two ends, which may stand in either order; what lies outside is 0 or one beyond.
macro(
  'lf_width_bucket(x, a, b, n)',
  `CASE WHEN n <= 0 OR n = 9223372036854775807 OR isnan(x) OR a = b OR NOT isfinite(a) OR NOT isfinite(b)
      OR x IS NULL OR a IS NULL OR b IS NULL OR n IS NULL THEN NULL
    WHEN a < b THEN CASE WHEN x < a THEN 0 WHEN x >= b THEN n + 1 ELSE CAST(trunc(n::DOUBLE * (x - a) / (b - a)) AS BIGINT) + 1 END
    ELSE CASE WHEN x > a THEN 0 WHEN x <= b THEN n + 1 ELSE CAST(trunc(n::DOUBLE * (a - x) / (a - b)) AS BIGINT) + 1 END END`,
)

export const MATHEMATICS: FunctionEntry[] = [
  constant('e', 'Euler’s number.', '2.718281828459045::DOUBLE'),
  constant('pi', 'The ratio of a circle’s circumference to its diameter.', 'pi()'),
  real('sin', 'The sine of an angle in radians.', (x) => `lf_finite(${x}, sin(${guard(x)}))`),
  real('cos', 'The cosine of an angle in radians.', (x) => `lf_finite(${x}, cos(${guard(x)}))`),
  real('tan', 'The tangent of an angle in radians.', (x) => `lf_finite(${x}, tan(${guard(x)}))`),
  real('cot', 'The cotangent: 1 / tan(x).', (x) => `lf_finite(${x}, 1 / tan(${guard(x)}))`),
  real('csc', 'The cosecant: 1 / sin(x).', (x) => `lf_finite(${x}, 1 / sin(${guard(x)}))`),
  real('sec', 'The secant: 1 / cos(x).', (x) => `lf_finite(${x}, 1 / cos(${guard(x)}))`),
  real('asin', 'The angle of a sine; NaN beyond 1.', (x) => within(x, 'asin')),
  real('acos', 'The angle of a cosine; NaN beyond 1.', (x) => within(x, 'acos')),
  real('atan', 'The angle of a tangent.', (x) => `atan(${x})`, 1),
  two(
    'atan2',
    'atan2(y, x)',
    'The angle between the x axis and the point (x, y).',
    (y, x) => `atan2(${y} + 0, ${x} + 0)`,
  ),
  real('sinh', 'The hyperbolic sine.', (x) => `sinh(${x})`, 1),
  real('cosh', 'The hyperbolic cosine.', (x) => `cosh(${x})`, 1),
  real('tanh', 'The hyperbolic tangent.', (x) => `tanh(${x})`, 1),
  // Spark takes these formulas as they stand, with the digits that they lose.
  real(
    'asinh',
    'The inverse of sinh.',
    (x) => `CASE WHEN isinf(${x}) THEN ${x} ELSE lf_real_ln(${x} + sqrt(${x} * ${x} + 1)) END`,
    8,
  ),
  real(
    'acosh',
    'The inverse of cosh; NaN below 1.',
    (x) => `lf_real_ln(${x} + lf_real_sqrt(${x} * ${x} - 1))`,
    12,
  ),
  real('atanh', 'The inverse of tanh; NaN beyond 1.', (x) => `lf_atanh(${x})`, 12),
  real('cbrt', 'The cube root.', (x) => `cbrt(${x})`, 1),
  real('expm1', 'exp(x) - 1, exact for a small x too.', (x) => `lf_expm1(${x})`, 7),
  real(
    'log1p',
    'ln(1 + x), exact for a small x too; NULL for -1 and below.',
    (x) => `lf_log1p(${x})`,
    7,
  ),
  real(
    'rint',
    'The nearest whole number, half to even.',
    (x) => `CASE WHEN abs(${x}) < 4503599627370496::DOUBLE THEN round_even(${x}, 0) ELSE ${x} END`,
    3,
  ),
  two(
    'hypot',
    'hypot(x, y)',
    'The square root of x² + y², without overflow on the way.',
    (x, y) => `lf_hypot(${x}, ${y})`,
  ),
  {
    name: 'log',
    category,
    signature: 'log(x), log(base, x)',
    description: 'The natural logarithm, or that to a base; NULL for 0 and below.',
    returns: 'double',
    args: [1, 2],
    compile: log,
  },
  {
    name: 'factorial',
    category,
    signature: 'factorial(n)',
    description: 'The product of the numbers up to n, for n from 0 to 20; else NULL.',
    returns: 'bigint',
    args: [1, 1],
    compile: (context) => {
      const n = context.int(0)
      // An index of 0 or beyond the list is NULL.
      const list = FACTORIALS.map((each) => `${each}::BIGINT`).join(', ')
      return context.make(`[${list}][greatest(${n.sql}::BIGINT, -1) + 1]`, BIGINT, [n], {
        nullable: true,
      })
    },
  },
  {
    name: 'width_bucket',
    category,
    signature: 'width_bucket(x, low, high, n)',
    description:
      'The number of x’s bucket, of n of equal width from low to high; 0 below them, n + 1 above.',
    returns: 'bigint',
    args: [4, 4],
    compile: (context) => {
      const parts = [context.double(0), context.double(1), context.double(2), context.bigint(3)]
      return context.make(
        `lf_width_bucket(${parts.map((part) => part.sql).join(', ')})`,
        BIGINT,
        parts,
        { nullable: true, uses: 8 },
      )
    },
  },
]

/** x where it is finite, else 0: DuckDB may evaluate what a CASE would leave out. */
function guard(x: string): string {
  return `CASE WHEN isfinite(${x}) THEN ${x} ELSE 0 END`
}

function within(x: string, fn: string): string {
  return `CASE WHEN abs(${x}) <= 1 THEN ${fn}(${x}) WHEN ${x} IS NOT NULL THEN ${NAN} END`
}
