// Maps. A key comes once: making a map with one twice is an error, in Spark as here.
import type { SparkType } from '#core/types.ts'

import type { Context, FunctionEntry } from '../catalogue.ts'
import { cast } from '../cast.ts'
import { regexLiteral } from '../patterns.ts'
import { raise } from '../prelude.ts'
import { BOOLEAN, isAtomic, isFloat, same, textOf, tightest, wider, type T } from '../types.ts'
import type { Value } from '../value.ts'
import { literalDuckdb } from '#core/names.ts'
import { arrayOf, list } from './arrays.ts'

const category = 'map'
type MapType = Extract<T, { kind: 'map' }>

/** The argument, which must be a map. @throws sql_type */
export function map(context: Context, index: number): Value & { type: MapType } {
  const value = context.arg(index)
  if (value.type.kind !== 'map')
    return context.source.type(
      `${context.call.name} takes a map, not ${textOf(value.type)}`,
      value.at,
    )
  return value as Value & { type: MapType }
}

/** A type that keys may have. Spark turns -0.0 among them into 0.0. @throws sql_unsupported */
export function atomicKey(context: Context, type: T): T {
  if (!isAtomic(type) || isFloat(type))
    context.source.unsupported(`A map with keys of ${textOf(type)}`, context.at)
  return type
}

const mapOf = (context: Context, key: T, value: T): MapType => ({
  kind: 'map',
  key: atomicKey(context, key) as SparkType,
  value: value as SparkType,
})

/** The values as their common type. */
function common(context: Context, values: Value[]): { type: T; values: Value[] } {
  let type: T = { kind: 'void' }
  for (const value of values) {
    const next = wider(type, value.type)
    if (!next)
      return context.source.type(
        `${context.call.name} takes values of one type, not ${textOf(type)} and ${textOf(value.type)}`,
        value.at,
      )
    type = next
  }
  if (type.kind === 'void') context.source.unsupported('A map of NULL alone', context.at)
  return { type, values: values.map((value) => cast(context.source, value, type)) }
}

function make(context: Context): Value {
  if (context.args.length % 2) context.wrong('it takes keys and values in pairs')
  if (context.args.length === 0) context.source.unsupported('A map without a type', context.at)
  const keys = common(
    context,
    context.args.filter((_, i) => i % 2 === 0),
  )
  const values = common(
    context,
    context.args.filter((_, i) => i % 2 === 1),
  )
  const sql = (each: Value[]) => `[${each.map((value) => value.sql).join(', ')}]`
  return context.make(
    `map(${sql(keys.values)}, ${sql(values.values)})`,
    mapOf(context, keys.type, values.type),
    [...keys.values, ...values.values],
    { nullable: false, raises: true },
  )
}

function fromArrays(context: Context): Value {
  const [keys, values] = [list(context, 0), list(context, 1)]
  return context.make(
    `CASE WHEN ${keys.sql} IS NULL OR ${values.sql} IS NULL THEN NULL WHEN len(${keys.sql}) <> len(${values.sql}) THEN ${raise('MAP_KEY_VALUE_DIFF_SIZES')} ELSE map(${keys.sql}, ${values.sql}) END`,
    mapOf(context, keys.type.element, values.type.element),
    [keys, values],
    { raises: true, uses: 3 },
  )
}

function fromEntries(context: Context): Value {
  const entries = list(context, 0)
  const { element } = entries.type
  if (element.kind !== 'struct' || element.fields.length !== 2)
    return context.source.type(
      `map_from_entries takes an array of structs of two fields, not ${textOf(entries.type)}`,
      entries.at,
    )
  const [key, value] = element.fields
  return context.make(
    `CASE WHEN list_count(${entries.sql}) = len(${entries.sql}) THEN map_from_entries(${entries.sql}) END`,
    mapOf(context, key!.type, value!.type),
    [entries],
    { nullable: true, raises: true, uses: 3 },
  )
}

function concat(context: Context): Value {
  const maps = context.args.map((_, i) => map(context, i))
  let type: T = maps[0]!.type
  for (const each of maps) {
    const next = wider(type, each.type)
    if (!next || !same(next, each.type))
      context.source.unsupported('map_concat of maps of different types', each.at)
    type = next
  }
  const missing = maps.map((each) => `${each.sql} IS NULL`).join(' OR ')
  const entries = maps
    .map((each) => `map_entries(${each.sql})`)
    .reduce((sql, each) => `list_concat(${sql}, ${each})`)
  return context.make(
    `CASE WHEN ${missing} THEN NULL ELSE map_from_entries(${entries}) END`,
    type,
    maps,
    { raises: true, uses: 2 },
  )
}

function strToMap(context: Context): Value {
  const text = context.string(0)
  const delimiter = (index: number, otherwise: string): string => {
    if (context.args.length <= index) return otherwise
    const written = context.text(index, 'a delimiter')
    const regex = regexLiteral(context.source, written, context.arg(index).at)
    return (
      regex.plain ??
      context.source.unsupported('str_to_map with a pattern as a delimiter', context.arg(index).at)
    )
  }
  const [pairs, pair] = [delimiter(1, ','), delimiter(2, ':')]
  const [mark, length] = [literalDuckdb(pair), [...pair].length]
  const entry = `struct_pack(key := string_split(lf_s, ${mark})[1], value := CASE WHEN contains(lf_s, ${mark}) THEN lf_s[instr(lf_s, ${mark}) + ${length}:] END)`
  return context.make(
    `CASE WHEN ${text.sql} IS NOT NULL THEN map_from_entries(list_transform(string_split(${text.sql}, ${literalDuckdb(pairs)}), lambda lf_s: ${entry})) END`,
    { kind: 'map', key: { kind: 'string' }, value: { kind: 'string' } },
    [text],
    { raises: true, uses: 2 },
  )
}

export const MAPS: FunctionEntry[] = [
  {
    name: 'map',
    category,
    signature: 'map(key, value, …)',
    description: 'A map of keys and values in turn.',
    returns: 'map of the common types',
    args: [0, 99],
    compile: make,
  },
  {
    name: 'map_from_arrays',
    category,
    signature: 'map_from_arrays(keys, values)',
    description: 'A map of two arrays of one length.',
    returns: 'map of the types of the elements',
    args: [2, 2],
    compile: fromArrays,
  },
  {
    name: 'map_from_entries',
    category,
    signature: 'map_from_entries(array)',
    description: 'A map of structs of a key and a value; NULL if one of the structs is NULL.',
    returns: 'map of the types of the two fields',
    args: [1, 1],
    compile: fromEntries,
  },
  {
    name: 'map_concat',
    category,
    signature: 'map_concat(a, b, …)',
    description: 'The entries of all maps; a key that comes twice is an error.',
    returns: 'the type of the maps',
    args: [1, 99],
    compile: concat,
  },
  {
    name: 'map_entries',
    category,
    signature: 'map_entries(map)',
    description: 'The entries as structs of key and value.',
    returns: 'array<struct<key, value>>',
    args: [1, 1],
    compile: (context) => {
      const of = map(context, 0)
      const type = arrayOf({
        kind: 'struct',
        fields: [
          { name: 'key', type: of.type.key, nullable: true },
          { name: 'value', type: of.type.value, nullable: true },
        ],
      })
      return context.make(`map_entries(${of.sql})`, type, [of])
    },
  },
  {
    name: 'map_contains_key',
    category,
    signature: 'map_contains_key(map, key)',
    description: 'Whether the map has the key.',
    returns: 'boolean',
    args: [2, 2],
    compile: (context) => {
      const of = map(context, 0)
      const given = context.arg(1)
      const type = tightest(of.type.key, given.type)
      if (!type || given.type.kind === 'void')
        return context.source.type(
          `map_contains_key needs a key like ${textOf(of.type.key)}, not ${textOf(given.type)}`,
          given.at,
        )
      const keys = context.make(`map_keys(${of.sql})`, arrayOf(of.type.key), [of])
      const all = cast(context.source, keys, arrayOf(type))
      const key = cast(context.source, given, type)
      return context.make(
        `CASE WHEN ${key.sql} IS NOT NULL THEN list_contains(${all.sql}, ${key.sql}) END`,
        BOOLEAN,
        [all, key],
        { uses: 2 },
      )
    },
  },
  {
    name: 'map_keys',
    category,
    signature: 'map_keys(map)',
    description: 'The keys of a map.',
    returns: 'array of the key’s type',
    args: [1, 1],
    compile: (context) => {
      const of = map(context, 0)
      return context.make(`map_keys(${of.sql})`, arrayOf(of.type.key), [of])
    },
  },
  {
    name: 'map_values',
    category,
    signature: 'map_values(map)',
    description: 'The values of a map.',
    returns: 'array of the value’s type',
    args: [1, 1],
    compile: (context) => {
      const of = map(context, 0)
      return context.make(`map_values(${of.sql})`, arrayOf(of.type.value), [of])
    },
  },
  {
    name: 'str_to_map',
    category,
    signature: 'str_to_map(text[, between_pairs[, between_key_and_value]])',
    description: 'A map of a text such as a:1,b:2.',
    returns: 'map<string,string>',
    args: [1, 3],
    compile: strToMap,
  },
]
