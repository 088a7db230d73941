// Functions that take a lambda: over arrays and maps.
import type { SparkType } from '#core/types.ts'

import type { Context, FunctionEntry } from '../catalogue.ts'
import { raise } from '../prelude.ts'
import { BOOLEAN, INT, isUntyped, loose, same, duck, textOf, type T } from '../types.ts'
import { once, type Value } from '../value.ts'
import { arrayOf, list } from './arrays.ts'
import { atomicKey, map } from './maps.ts'

const index = { type: INT, nullable: false, index: true }

/** A lambda's value that an array or a map can hold. */
function typed(context: Context, body: Value): Value {
  if (isUntyped(body.type))
    context.source.unsupported(
      'A lambda that gives NULL alone',
      context.at,
      'Write cast(NULL as …).',
    )
  return { ...body, nullable: false }
}

/** A lambda's value as a condition. */
function condition(context: Context, body: Value): Value {
  if (body.type.kind !== 'boolean')
    context.source.type(
      `${context.call.name} needs a condition, not ${textOf(body.type)}`,
      context.at,
    )
  return { ...body, nullable: false }
}

function transform(context: Context): Value {
  const array = list(context, 0)
  const element = { type: array.type.element, nullable: true }
  const lambda = context.lambda(context.call.args[1]!, [element, index])
  const body = typed(context, lambda.body)
  return context.make(`list_transform(${array.sql}, ${lambda.sql})`, arrayOf(body.type), [
    array,
    body,
  ])
}

const testing = (name: 'filter' | 'exists' | 'forall'): FunctionEntry => ({
  name,
  category: 'array',
  signature:
    name === 'filter' ? 'filter(array, (x[, i]) -> condition)' : `${name}(array, x -> condition)`,
  description:
    name === 'filter'
      ? 'The elements for which the condition is true; i is their index from 0.'
      : `Whether the condition is true for ${name === 'exists' ? 'an element' : 'all elements'}; NULL if that depends on a NULL.`,
  returns: name === 'filter' ? 'the type of the array' : 'boolean',
  args: [2, 2],
  lambdas: [1],
  compile: (context) => {
    const array = list(context, 0)
    const element = { type: array.type.element, nullable: true }
    const lambda = context.lambda(
      context.call.args[1]!,
      name === 'filter' ? [element, index] : [element],
    )
    const parts = [array, condition(context, lambda.body)]
    if (name === 'filter')
      return context.make(`list_filter(${array.sql}, ${lambda.sql})`, array.type, parts)
    const fn = name === 'exists' ? 'list_bool_or' : 'list_bool_and'
    const results = `list_transform(${array.sql}, ${lambda.sql})`
    const decided = name === 'exists' ? 'true' : 'false'
    const open = name === 'exists' ? 'false' : 'true'
    return context.make(
      `CASE WHEN ${array.sql} IS NULL THEN NULL ELSE ${once(
        results,
        (all) =>
          `CASE WHEN ${fn}(${all}) = ${decided} THEN ${decided} WHEN list_count(${all}) < len(${all}) THEN NULL ELSE ${open} END`,
        'lf_r',
      )} END`,
      BOOLEAN,
      parts,
      { nullable: true, uses: 2 },
    )
  },
})

/**
 * aggregate(array, start, merge[, finish]). DuckDB reduces to the elements' type alone: where that differs, element and
 * result go side by side in a struct.
 */
function aggregate(context: Context): Value {
  const array = list(context, 0)
  const start = context.arg(1)
  if (isUntyped(start.type))
    context.source.unsupported('A start of NULL alone', start.at, 'Write cast(NULL as …).')
  const [acc, element] = [loose(start.type), array.type.element]
  const plain = same(acc, element)
  const [a, x] = [context.unique('l'), context.unique('l')]
  const merged = context.bind(context.call.args[2]!, [
    { sql: plain ? a : `struct_extract(${a}, 'acc')`, type: acc, nullable: true },
    { sql: plain ? x : `struct_extract(${x}, 'x')`, type: element, nullable: true },
  ])
  if (!same(loose(merged.type), acc))
    context.source.type(
      `${context.call.name} begins with ${textOf(acc)} but its lambda gives ${textOf(merged.type)}`,
      merged.at,
    )
  // DuckDB mixes up the rows of what such a lambda takes from outside, once their lists differ in length.
  const outer = merged.sql.replaceAll(/lambda (lf_l\d+)\b/g, '').match(/\blf_l\d+\b/g) ?? []
  const own = new Set([
    a,
    x,
    ...[...merged.sql.matchAll(/lambda ([lf_\d, ]+):/g)].flatMap((m) => m[1]!.split(', ')),
  ])
  if (merged.from.length > 0 || outer.some((name) => !own.has(name)))
    context.source.unsupported(
      `${context.call.name} with a lambda that reads more than its parameters`,
      context.at,
      'Bring the value in by transform(array, x -> struct(x, …)), or by the start.',
    )
  const pair = (left: string, right: string) => `struct_pack(acc := ${left}, x := ${right})`
  const none = (type: T) => `CAST(NULL AS ${duck(type)})`
  const reduced = plain
    ? `list_reduce(${array.sql}, lambda ${a}, ${x}: ${merged.sql}, ${start.sql})`
    : `struct_extract(list_reduce(list_transform(${array.sql}, lambda lf_x: ${pair(none(acc), 'lf_x')}), lambda ${a}, ${x}: ${pair(merged.sql, none(element))}, ${pair(start.sql, none(element))}), 'acc')`
  const parts = [array, start, { ...merged, nullable: true }]
  if (context.args.length < 4)
    return context.make(`CASE WHEN ${array.sql} IS NOT NULL THEN ${reduced} END`, acc, parts, {
      nullable: true,
      uses: 2,
    })
  const name = context.unique('l')
  const finish = context.bind(context.call.args[3]!, [{ sql: name, type: acc, nullable: true }])
  const body = typed(context, finish)
  return context.make(
    `CASE WHEN ${array.sql} IS NOT NULL THEN list_transform([${reduced}], lambda ${name}: ${body.sql})[1] END`,
    body.type,
    [...parts, body],
    { nullable: true, uses: 2 },
  )
}

function zipWith(context: Context): Value {
  const [a, b] = [list(context, 0), list(context, 1)]
  const i = context.unique('l')
  const lambda = context.bind(context.call.args[2]!, [
    { sql: `${a.sql}[${i}]`, type: a.type.element, nullable: true },
    { sql: `${b.sql}[${i}]`, type: b.type.element, nullable: true },
  ])
  const body = typed(context, lambda)
  return context.make(
    `CASE WHEN ${a.sql} IS NOT NULL AND ${b.sql} IS NOT NULL THEN list_transform(range(1, greatest(len(${a.sql}), len(${b.sql})) + 1), lambda ${i}: ${body.sql}) END`,
    arrayOf(body.type),
    [a, b, body],
    { uses: 3 },
  )
}

/** Entry by entry: `print` makes the list of entries anew. */
const overMap = (
  name: string,
  signature: string,
  description: string,
  returns: string,
  print: (
    context: Context,
    of: ReturnType<typeof map>,
    body: Value,
    entry: string,
  ) => { entries: string; type: T; body: Value },
): FunctionEntry => ({
  name,
  category: 'map',
  signature,
  description,
  returns,
  args: [2, 2],
  lambdas: [1],
  compile: (context) => {
    const of = map(context, 0)
    const entry = context.unique('l')
    const body = context.bind(context.call.args[1]!, [
      { sql: `struct_extract(${entry}, 'key')`, type: of.type.key, nullable: false },
      { sql: `struct_extract(${entry}, 'value')`, type: of.type.value, nullable: true },
    ])
    const made = print(context, of, body, entry)
    return context.make(
      `CASE WHEN ${of.sql} IS NOT NULL THEN map_from_entries(${made.entries}) END`,
      made.type,
      [of, made.body],
      { nullable: of.nullable, raises: true, uses: 2 },
    )
  },
})

function mapZipWith(context: Context): Value {
  const [a, b] = [map(context, 0), map(context, 1)]
  if (!same(a.type.key, b.type.key))
    context.source.type('map_zip_with takes maps with keys of one type', context.at)
  const key = context.unique('l')
  const lambda = context.bind(context.call.args[2]!, [
    { sql: key, type: a.type.key, nullable: false },
    { sql: `map_extract_value(${a.sql}, ${key})`, type: a.type.value, nullable: true },
    { sql: `map_extract_value(${b.sql}, ${key})`, type: b.type.value, nullable: true },
  ])
  const body = typed(context, lambda)
  const more = `list_filter(map_keys(${b.sql}), lambda lf_k: NOT map_contains(${a.sql}, lf_k))`
  return context.make(
    `CASE WHEN ${a.sql} IS NOT NULL AND ${b.sql} IS NOT NULL THEN map_from_entries(list_transform(list_concat(map_keys(${a.sql}), ${more}), lambda ${key}: struct_pack(key := ${key}, value := ${body.sql}))) END`,
    { kind: 'map', key: a.type.key, value: body.type as SparkType },
    [a, b, body],
    { uses: 4 },
  )
}

export const LAMBDAS: FunctionEntry[] = [
  {
    name: 'transform',
    category: 'array',
    signature: 'transform(array, (x[, i]) -> …)',
    description: 'The array of what the lambda makes of each element; i is its index from 0.',
    returns: 'array of the lambda’s type',
    args: [2, 2],
    lambdas: [1],
    compile: transform,
  },
  testing('filter'),
  testing('exists'),
  testing('forall'),
  {
    name: 'aggregate',
    aliases: ['reduce'],
    category: 'array',
    signature: 'aggregate(array, start, (acc, x) -> …[, acc -> …])',
    description:
      'What the lambda makes of the start and each element in turn; the second lambda has the last word.',
    returns: 'the type of start, or of the second lambda',
    args: [3, 4],
    lambdas: [2, 3],
    compile: aggregate,
  },
  {
    name: 'zip_with',
    category: 'array',
    signature: 'zip_with(a, b, (x, y) -> …)',
    description:
      'What the lambda makes of the elements of both arrays, pair by pair; the shorter array is filled up with NULLs.',
    returns: 'array of the lambda’s type',
    args: [3, 3],
    lambdas: [2],
    compile: zipWith,
  },
  overMap(
    'map_filter',
    'map_filter(map, (key, value) -> condition)',
    'The entries for which the condition is true.',
    'the type of the map',
    (context, of, body, entry) => ({
      entries: `list_filter(map_entries(${of.sql}), lambda ${entry}: ${condition(context, body).sql})`,
      type: of.type,
      body: { ...body, nullable: false },
    }),
  ),
  overMap(
    'transform_values',
    'transform_values(map, (key, value) -> …)',
    'The map with what the lambda makes of each entry as its values.',
    'map of the key’s and the lambda’s type',
    (context, of, body, entry) => ({
      entries: `list_transform(map_entries(${of.sql}), lambda ${entry}: struct_pack(key := struct_extract(${entry}, 'key'), value := ${body.sql}))`,
      type: {
        kind: 'map',
        key: of.type.key,
        value: typed(context, body).type as SparkType,
      },
      body: { ...body, nullable: false },
    }),
  ),
  overMap(
    'transform_keys',
    'transform_keys(map, (key, value) -> …)',
    'The map with what the lambda makes of each entry as its keys; an error if one is NULL or comes twice.',
    'map of the lambda’s and the value’s type',
    (context, of, body, entry) => ({
      entries: `list_transform(map_entries(${of.sql}), lambda ${entry}: struct_pack(key := CASE WHEN ${body.sql} IS NULL THEN ${raise('NULL_MAP_KEY')} ELSE ${body.sql} END, value := struct_extract(${entry}, 'value')))`,
      type: {
        kind: 'map',
        key: atomicKey(context, typed(context, body).type) as SparkType,
        value: of.type.value,
      },
      body: { ...body, nullable: false },
    }),
  ),
  {
    name: 'map_zip_with',
    category: 'map',
    signature: 'map_zip_with(a, b, (key, x, y) -> …)',
    description: 'The map of all keys with what the lambda makes of the two values of each.',
    returns: 'map of the key’s and the lambda’s type',
    args: [3, 3],
    lambdas: [2],
    compile: mapZipWith,
  },
]
