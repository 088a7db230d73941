// Making, joining, cutting and comparing arrays. Positions count from 1; NULL is an element like others.
import type { SparkType } from '#core/types.ts'

import type { Context, FunctionEntry } from '../catalogue.ts'
import { cast, implicit, packStruct } from '../cast.ts'
import { MACROS, raise } from '../prelude.ts'
import { BIGINT, BOOLEAN, isFloat, isNested, strictest, textOf, wider, type T } from '../types.ts'
import type { Value } from '../value.ts'

const category = 'array'
const { macro } = MACROS
// What an array is repeated to: more than anyone means.
const LIMIT = 10_000_000
export type ArrayType = Extract<T, { kind: 'array' }>
type List = Value & { type: ArrayType }

/** The argument, which must be an array. @throws sql_type */
export function list(context: Context, index: number): List {
  const value = context.arg(index)
  if (value.type.kind !== 'array')
    return context.source.type(
      `${context.call.name} takes an array, not ${textOf(value.type)}`,
      value.at,
    )
  return value as List
}

/** Elements that can be compared as both engines do. @throws sql_unsupported */
export function simple(type: T, context: Context, at: number): void {
  if (isNested(type)) context.source.unsupported(`${context.call.name} of ${textOf(type)}`, at)
}

/** Elements that are told apart: Spark keeps 0.0 and -0.0 as two. */
function distinguishable(type: T, context: Context, at: number): void {
  simple(type, context, at)
  if (isFloat(type)) context.source.unsupported(`${context.call.name} of floats`, at)
}

export const arrayOf = (element: T): ArrayType => ({ kind: 'array', element: element as SparkType })

/** Two arrays of one type. @throws sql_type */
function two(context: Context): [List, List] {
  const [a, b] = [list(context, 0), list(context, 1)]
  const element = strictest(a.type.element, b.type.element)
  if (!element)
    return context.source.type(
      `${context.call.name} takes arrays of one type, not ${textOf(a.type)} and ${textOf(b.type)}`,
      context.at,
    )
  const [x, y] = [a, b].map((each) => cast(context.source, each, arrayOf(element)) as List)
  return [x!, y!]
}

/** An array and a value as its element. @throws sql_type */
function withElement(context: Context, index: number): [List, Value] {
  const array = list(context, 0)
  const given = context.arg(index)
  const element = strictest(array.type.element, given.type)
  if (!element)
    return context.source.type(
      `${context.call.name} needs a value like ${textOf(array.type.element)}, not ${textOf(given.type)}`,
      given.at,
    )
  return [
    cast(context.source, array, arrayOf(element)) as List,
    cast(context.source, given, element),
  ]
}

macro(
  'lf_has(list, v)',
  'CASE WHEN v IS NULL THEN len(list) > list_count(list) ELSE coalesce(list_contains(list, v), false) END',
)
macro(
  'lf_distinct(list)',
  `list_filter(list, lambda lf_v, lf_i: lf_v IS NULL AND list_count(list_slice(list, 1, lf_i - 1)) = lf_i - 1
    OR coalesce(list_position(list, lf_v) = lf_i, false))`,
)
macro(
  'lf_array_insert(list, p, v)',
  `CASE WHEN list IS NULL OR p IS NULL THEN NULL WHEN p = 0 THEN ${raise('INVALID_INDEX_OF_ZERO')}
    WHEN abs(p) > len(list) + 1000000 THEN ${raise('UNSUPPORTED_VALUE')}
    WHEN p > 0 THEN list_concat(list_concat(list_resize(list, p - 1), [v]), list[p:])
    WHEN -p <= len(list) + 1 THEN list_concat(list_concat(list[1:len(list) + 1 + p], [v]), list[len(list) + 2 + p:])
    ELSE list_concat(list_concat([v], list_resize(list[1:0], -p - 1 - len(list))), list) END`,
)
macro(
  'lf_slice(list, p, n)',
  `CASE WHEN list IS NULL OR p IS NULL OR n IS NULL THEN NULL WHEN p = 0 OR n < 0 THEN ${raise('INVALID_PARAMETER_VALUE')}
    WHEN p < 0 AND -p > len(list) THEN list[1:0]
    WHEN p < 0 THEN list[len(list) + p + 1:len(list) + p + n] ELSE list[p:p + n - 1] END`,
)
function zip(context: Context): Value {
  const arrays = context.args.map((_, i) => list(context, i))
  const fields = arrays.map((array, i) => {
    const written = context.call.args[i]!
    const name =
      written.k === 'name'
        ? written.parts.at(-1)!
        : written.k === 'field'
          ? written.name
          : String(i)
    const value = context.make(`${array.sql}[lf_i]`, array.type.element, [], { nullable: true })
    return { name, value }
  })
  if (new Set(fields.map((field) => field.name.toLowerCase())).size < fields.length)
    context.source.unsupported('arrays_zip of two arrays of one name', context.at)
  const type = arrayOf({
    kind: 'struct',
    fields: fields.map(({ name, value }) => ({
      name,
      type: value.type as SparkType,
      nullable: true,
    })),
  })
  const missing = arrays.map((array) => `${array.sql} IS NULL`).join(' OR ')
  const length = `greatest(${arrays.map((array) => `len(${array.sql})`).join(', ')})`
  return context.make(
    `CASE WHEN ${missing} THEN NULL ELSE list_transform(range(1, ${length} + 1), lambda lf_i: ${packStruct(fields)}) END`,
    type,
    arrays,
    { uses: 3 },
  )
}

/** `a || b` and concat() of arrays: NULL if one is NULL. */
export function concatArrays(context: Pick<Context, 'source'>, parts: Value[], at: number): Value {
  const { source } = context
  let type: T = parts[0]!.type
  for (const part of parts.slice(1)) {
    const next = wider(type, part.type)
    if (next?.kind !== 'array')
      return source.type(`concat of ${textOf(type)} and ${textOf(part.type)}`, part.at)
    type = next
  }
  const typed = parts.map((part) => cast(source, part, type))
  if (typed.length === 1) return typed[0]!
  const joined = typed
    .slice(1)
    .reduce((sql, part) => `list_concat(${sql}, ${part.sql})`, typed[0]!.sql)
  const missing = typed.map((part) => `${part.sql} IS NULL`).join(' OR ')
  return source.make(`CASE WHEN ${missing} THEN NULL ELSE ${joined} END`, type, typed, {
    uses: 2,
    at,
  })
}

const add = (name: 'array_append' | 'array_prepend'): FunctionEntry => ({
  name,
  category,
  signature: `${name}(array, value)`,
  description: `The array with the value at its ${name === 'array_append' ? 'end' : 'start'}.`,
  returns: 'array of the common type',
  args: [2, 2],
  compile: (context) => {
    const [array, value] = withElement(context, 1)
    const one = `[${value.sql}]`
    const [a, b] = name === 'array_append' ? [array.sql, one] : [one, array.sql]
    return context.make(
      `CASE WHEN ${array.sql} IS NULL THEN NULL ELSE list_concat(${a}, ${b}) END`,
      array.type,
      [array, { ...value, nullable: false }],
      { uses: 2 },
    )
  },
})

const set = (
  name: string,
  description: string,
  print: (a: string, b: string) => string,
): FunctionEntry => ({
  name,
  category,
  signature: `${name}(a, b)`,
  description,
  returns: 'array of the common type',
  args: [2, 2],
  compile: (context) => {
    const [a, b] = two(context)
    distinguishable(a.type.element, context, context.at)
    return context.make(
      `CASE WHEN ${a.sql} IS NULL OR ${b.sql} IS NULL THEN NULL ELSE ${print(a.sql, b.sql)} END`,
      a.type,
      [a, b],
      { uses: 6 },
    )
  },
})

export const ARRAYS: FunctionEntry[] = [
  add('array_append'),
  add('array_prepend'),
  {
    name: 'array_insert',
    category,
    signature: 'array_insert(array, position, value)',
    description:
      'The array with the value at a position from 1, or (negative) from the end; filled up with NULLs.',
    returns: 'array of the common type',
    args: [3, 3],
    compile: (context) => {
      const [array, value] = withElement(context, 2)
      const p = context.int(1)
      return context.make(
        `lf_array_insert(${array.sql}, CAST(${p.sql} AS BIGINT), ${value.sql})`,
        array.type,
        [array, p, { ...value, nullable: false }],
        { nullable: array.nullable || p.nullable, raises: true, uses: 9 },
      )
    },
  },
  {
    name: 'array_compact',
    category,
    signature: 'array_compact(array)',
    description: 'The elements that are not NULL.',
    returns: 'the type of the array',
    args: [1, 1],
    compile: (context) => {
      const array = list(context, 0)
      return context.make(`list_filter(${array.sql}, lambda lf_v: lf_v IS NOT NULL)`, array.type, [
        array,
      ])
    },
  },
  set(
    'array_except',
    'The elements of a that b doesn’t hold, each once.',
    (a, b) => `lf_distinct(list_filter(${a}, lambda lf_w: NOT lf_has(${b}, lf_w)))`,
  ),
  set(
    'array_intersect',
    'The elements of a that b holds too, each once.',
    (a, b) => `lf_distinct(list_filter(${a}, lambda lf_w: lf_has(${b}, lf_w)))`,
  ),
  set(
    'array_union',
    'The elements of both, each once.',
    (a, b) => `lf_distinct(list_concat(${a}, ${b}))`,
  ),
  {
    name: 'array_position',
    category,
    signature: 'array_position(array, value)',
    description: 'Where the value first stands in the array, from 1; 0 if nowhere.',
    returns: 'bigint',
    args: [2, 2],
    compile: (context) => {
      const [array, value] = withElement(context, 1)
      simple(array.type.element, context, array.at)
      return context.make(
        `CASE WHEN ${array.sql} IS NULL OR ${value.sql} IS NULL THEN NULL ELSE CAST(coalesce(list_position(${array.sql}, ${value.sql}), 0) AS BIGINT) END`,
        BIGINT,
        [array, value],
        { uses: 2 },
      )
    },
  },
  {
    name: 'array_remove',
    category,
    signature: 'array_remove(array, value)',
    description: 'The elements that are not equal to the value; NULLs stay.',
    returns: 'the type of the array',
    args: [2, 2],
    compile: (context) => {
      const [array, value] = withElement(context, 1)
      simple(array.type.element, context, array.at)
      return context.make(
        `CASE WHEN ${value.sql} IS NOT NULL THEN list_filter(${array.sql}, lambda lf_w: lf_w IS DISTINCT FROM ${value.sql}) END`,
        array.type,
        [array, value],
        { uses: 2 },
      )
    },
  },
  {
    name: 'array_repeat',
    category,
    signature: 'array_repeat(value, count)',
    description: 'An array that holds the value several times.',
    returns: 'array of the value’s type',
    args: [2, 2],
    compile: (context) => {
      const [value, n] = [context.arg(0), context.int(1)]
      if (value.type.kind === 'void') context.source.unsupported('An array of NULL', context.at)
      return context.make(
        `CASE WHEN ${n.sql} IS NULL THEN NULL WHEN ${n.sql} > ${LIMIT} THEN ${raise('UNSUPPORTED_VALUE')} ELSE list_transform(range(greatest(${n.sql}, 0)), lambda lf_i: ${value.sql}) END`,
        arrayOf(value.type),
        [value, n],
        { nullable: n.nullable, raises: true, uses: 4 },
      )
    },
  },
  {
    name: 'arrays_overlap',
    category,
    signature: 'arrays_overlap(a, b)',
    description:
      'Whether the arrays share an element that is not NULL; NULL if not but one of them holds a NULL.',
    returns: 'boolean',
    args: [2, 2],
    compile: (context) => {
      const [a, b] = two(context)
      simple(a.type.element, context, context.at)
      return context.make(
        `CASE WHEN ${a.sql} IS NULL OR ${b.sql} IS NULL THEN NULL WHEN list_has_any(${a.sql}, ${b.sql}) THEN true WHEN len(${a.sql}) = 0 OR len(${b.sql}) = 0 THEN false WHEN list_count(${a.sql}) < len(${a.sql}) OR list_count(${b.sql}) < len(${b.sql}) THEN NULL ELSE false END`,
        BOOLEAN,
        [a, b],
        { nullable: true, uses: 5 },
      )
    },
  },
  {
    name: 'arrays_zip',
    category,
    signature: 'arrays_zip(a, b, …)',
    description:
      'An array of structs of the first elements, the second ones, and so on; shorter arrays are filled up with NULLs.',
    returns: 'array of struct',
    args: [1, 99],
    compile: zip,
  },
  {
    name: 'flatten',
    category,
    signature: 'flatten(array)',
    description:
      'The elements of the inner arrays one after the other; NULL if one of them is NULL.',
    returns: 'the type of the inner arrays',
    args: [1, 1],
    compile: (context) => {
      const array = list(context, 0)
      if (array.type.element.kind !== 'array')
        return context.source.type(
          `flatten takes an array of arrays, not ${textOf(array.type)}`,
          array.at,
        )
      return context.make(
        `CASE WHEN list_count(${array.sql}) = len(${array.sql}) THEN flatten(${array.sql}) END`,
        array.type.element,
        [array],
        { nullable: true, uses: 3 },
      )
    },
  },
  {
    name: 'slice',
    category,
    signature: 'slice(array, start, length)',
    description: 'A part of the array; a negative start counts from its end.',
    returns: 'the type of the array',
    args: [3, 3],
    compile: (context) => {
      const parts = [list(context, 0), context.int(1), context.int(2)] as const
      const [array, p, n] = parts
      return context.make(
        `lf_slice(${array.sql}, CAST(${p.sql} AS BIGINT), CAST(${n.sql} AS BIGINT))`,
        array.type,
        parts,
        { raises: true, uses: 8 },
      )
    },
  },
  {
    name: 'get',
    category,
    signature: 'get(array, index)',
    description: 'The element at an index from 0; NULL beyond the ends.',
    returns: 'the type of the elements',
    args: [2, 2],
    compile: (context) => {
      const [array, i] = [list(context, 0), context.int(1)]
      return context.make(
        `CASE WHEN ${i.sql} >= 0 THEN ${array.sql}[CAST(${i.sql} AS BIGINT) + 1] END`,
        array.type.element,
        [array, i],
        { nullable: true, uses: 2 },
      )
    },
  },
  {
    name: 'try_element_at',
    category,
    signature: 'try_element_at(x, index or key)',
    description: 'As element_at, but NULL beyond the ends of an array.',
    returns: 'the type of the elements',
    args: [2, 2],
    compile: (context) => {
      const of = context.arg(0)
      if (of.type.kind === 'map') {
        const key = implicit(context.source, context.arg(1), of.type.key)
        return context.make(`map_extract_value(${of.sql}, ${key.sql})`, of.type.value, [of, key], {
          nullable: true,
        })
      }
      const [array, i] = [list(context, 0), context.int(1)]
      return context.make(
        `CASE WHEN ${array.sql} IS NULL THEN NULL WHEN ${i.sql} = 0 THEN ${raise('INVALID_INDEX_OF_ZERO')} ELSE ${array.sql}[${i.sql}] END`,
        array.type.element,
        [array, i],
        { nullable: true, raises: true, uses: 2 },
      )
    },
  },
]
