// Arrays, maps and structs. Arrays count from 0 in […] and from 1 in element_at, as in Spark.
import type { SparkType } from '#core/types.ts'

import type { Context, FunctionEntry } from '../catalogue.ts'
import { cast, implicit, packStruct } from '../cast.ts'
import { raise } from '../prelude.ts'
import { BOOLEAN, duck, INT, isFloat, STRING, textOf, tightest, VOID, type T } from '../types.ts'
import type { Value } from '../value.ts'
import { list, simple } from './arrays.ts'

const category = 'array'

/** Lists whose order doesn't matter to what is made of them. */
const ordered = <V extends Value>(value: V): V => ({ ...value, unordered: false })

function struct(context: Context): Value {
  const fields = context.args.map((value, i) => {
    const written = context.call.args[i]!
    const name =
      written.k === 'alias'
        ? written.name
        : written.k === 'name'
          ? written.parts.at(-1)!
          : written.k === 'field'
            ? written.name
            : `col${i + 1}`
    return { name, value }
  })
  return pack(context, fields)
}

function namedStruct(context: Context): Value {
  if (context.args.length % 2) context.wrong('it takes names and values in pairs')
  const fields = []
  for (let i = 0; i < context.args.length; i += 2)
    fields.push({ name: context.text(i, 'a name'), value: context.arg(i + 1) })
  return pack(context, fields)
}

function pack(context: Context, fields: { name: string; value: Value }[]): Value {
  const names = fields.map((field) => field.name.toLowerCase())
  if (new Set(names).size < names.length || names.includes(''))
    context.source.unsupported('A struct with two fields of one name', context.at)
  for (const { value } of fields)
    if (value.type.kind === 'void')
      context.source.unsupported(
        'A NULL without a type in a struct',
        value.at,
        'Write cast(NULL as …).',
      )
  const type: T = {
    kind: 'struct',
    fields: fields.map(({ name, value }) => ({
      name,
      type: value.type as SparkType,
      nullable: value.nullable,
    })),
  }
  return context.make(
    packStruct(fields),
    type,
    fields.map((field) => field.value),
    { nullable: false },
  )
}

function elementAt(context: Context): Value {
  const of = context.arg(0)
  if (of.type.kind === 'map') {
    const key = implicit(context.source, context.arg(1), of.type.key)
    return context.make(`map_extract_value(${of.sql}, ${key.sql})`, of.type.value, [of, key], {
      nullable: true,
    })
  }
  const { sql, type } = list(context, 0)
  const i = context.int(1)
  return context.make(
    `CASE WHEN ${sql} IS NULL THEN NULL WHEN ${i.sql} = 0 THEN ${raise('INVALID_INDEX_OF_ZERO')} WHEN abs(CAST(${i.sql} AS BIGINT)) > len(${sql}) THEN ${raise('INVALID_ARRAY_INDEX_IN_ELEMENT_AT')} ELSE ${sql}[${i.sql}] END`,
    type.element,
    [of, i],
    { nullable: true, raises: true, uses: 3 },
  )
}

export const COLLECTIONS: FunctionEntry[] = [
  {
    name: 'array',
    category,
    signature: 'array(a, b, …)',
    description: 'An array of the values.',
    returns: 'array of the common type',
    args: [0, 99],
    compile: (context) => {
      const values = context.common()
      const type = values[0]?.type ?? VOID
      if (values.length === 0)
        return context.make(
          `CAST([] AS ${duck({ kind: 'array', element: type as SparkType })})`,
          { kind: 'array', element: type as SparkType },
          [],
          { nullable: false },
        )
      return context.make(
        `list_value(${values.map((value) => value.sql).join(', ')})`,
        { kind: 'array', element: type as SparkType },
        values,
        { nullable: false },
      )
    },
  },
  {
    name: 'struct',
    category,
    signature: 'struct(a, b AS name, …)',
    description: 'A struct of the values, named as the columns or by AS.',
    returns: 'struct',
    args: [1, 99],
    compile: struct,
  },
  {
    name: 'named_struct',
    category,
    signature: "named_struct('name', value, …)",
    description: 'A struct of names and values.',
    returns: 'struct',
    args: [2, 99],
    compile: namedStruct,
  },
  {
    name: 'size',
    aliases: ['cardinality', 'array_size'],
    category,
    signature: 'size(x)',
    description: 'The number of elements of an array or a map; NULL for NULL.',
    returns: 'int',
    args: [1, 1],
    compile: (context) => {
      const x = ordered(context.arg(0))
      if (x.type.kind !== 'array' && x.type.kind !== 'map')
        context.source.type(`size takes an array or a map, not ${textOf(x.type)}`, x.at)
      const fn = x.type.kind === 'map' ? 'cardinality' : 'len'
      return context.make(`CAST(${fn}(${x.sql}) AS INTEGER)`, INT, [x])
    },
  },
  {
    name: 'element_at',
    category,
    signature: 'element_at(x, index or key)',
    description:
      'An array’s element, from 1 or (negative) from its end; or a map’s value, NULL if it isn’t there.',
    returns: 'the type of the elements',
    args: [2, 2],
    compile: elementAt,
  },
  {
    name: 'array_contains',
    category,
    signature: 'array_contains(array, value)',
    description: 'Whether the array holds the value; NULL if not but it holds a NULL.',
    returns: 'boolean',
    args: [2, 2],
    compile: (context) => {
      const array = ordered(list(context, 0))
      simple(array.type.element, context, array.at)
      const element = tightest(array.type.element, context.arg(1).type) as SparkType | undefined
      if (!element || context.arg(1).type.kind === 'void')
        return context.source.type(
          `array_contains needs a value like ${textOf(array.type.element)}, not ${textOf(context.arg(1).type)}`,
          context.at,
        )
      const needle = cast(context.source, context.arg(1), element)
      const typed = cast(context.source, array, { kind: 'array', element })
      return context.make(
        `CASE WHEN ${needle.sql} IS NULL THEN NULL WHEN list_contains(${typed.sql}, ${needle.sql}) THEN true WHEN len(list_filter(${typed.sql}, lambda lf_v: lf_v IS NULL)) > 0 THEN NULL ELSE (CASE WHEN ${typed.sql} IS NULL THEN NULL ELSE false END) END`,
        BOOLEAN,
        [typed, needle],
        { nullable: true, uses: 3 },
      )
    },
  },
  {
    name: 'array_distinct',
    category,
    signature: 'array_distinct(array)',
    description: 'Each value once, at its first place.',
    returns: 'the type of the array',
    args: [1, 1],
    compile: (context) => {
      const array = list(context, 0)
      simple(array.type.element, context, array.at)
      // Spark takes 0.0 and -0.0 for two values here.
      if (isFloat(array.type.element))
        context.source.unsupported('array_distinct of floats', array.at)
      const same = (x: string) =>
        `list_filter(${x}, lambda lf_v, lf_i: lf_v IS NULL AND len(list_filter(list_slice(${x}, 1, lf_i - 1), lambda lf_w: lf_w IS NULL)) = 0 OR coalesce(list_position(${x}, lf_v) = lf_i, false))`
      return context.make(same(array.sql), array.type, [array], { uses: 3 })
    },
  },
  {
    name: 'array_join',
    category,
    signature: 'array_join(array, separator[, null_text])',
    description: 'The texts with the separator between them; NULLs are left out or replaced.',
    returns: 'string',
    args: [2, 3],
    compile: (context) => {
      const array = list(context, 0)
      const texts = cast(context.source, array, { kind: 'array', element: { kind: 'string' } })
      context.text(1, 'a separator')
      const separator = context.string(1)
      const instead = context.args.length > 2 ? context.string(2) : undefined
      const kept = instead
        ? `list_transform(${texts.sql}, lambda lf_v: coalesce(lf_v, ${instead.sql}))`
        : `list_filter(${texts.sql}, lambda lf_v: lf_v IS NOT NULL)`
      const all = instead ? [texts, separator, instead] : [texts, separator]
      return context.make(
        `CASE WHEN ${all.map((value) => `${value.sql} IS NULL`).join(' OR ')} THEN NULL ELSE coalesce(array_to_string(${kept}, ${separator.sql}), '') END`,
        STRING,
        all,
        { uses: 2 },
      )
    },
  },
  {
    name: 'sort_array',
    category,
    signature: 'sort_array(array[, ascending])',
    description:
      'The elements in order: ascending with NULLs first, or descending with NULLs last.',
    returns: 'the type of the array',
    args: [1, 2],
    compile: (context) => {
      const array = ordered(list(context, 0))
      simple(array.type.element, context, array.at)
      const up = context.args.length > 1 ? context.arg(1).literal : true
      if (typeof up !== 'boolean')
        context.source.unsupported("sort_array with a direction that isn't a literal", context.at)
      const words = up ? "'ASC', 'NULLS FIRST'" : "'DESC', 'NULLS LAST'"
      return context.make(`list_sort(${array.sql}, ${words})`, array.type, [array])
    },
  },
  {
    name: 'array_sort',
    category,
    signature: 'array_sort(array)',
    description: 'The elements in ascending order, NULLs last.',
    returns: 'the type of the array',
    args: [1, 1],
    compile: (context) => {
      const array = ordered(list(context, 0))
      simple(array.type.element, context, array.at)
      return context.make(`list_sort(${array.sql}, 'ASC', 'NULLS LAST')`, array.type, [array])
    },
  },
  ...(['array_max', 'array_min'] as const).map((name): FunctionEntry => ({
    name,
    category,
    signature: `${name}(array)`,
    description: `The ${name === 'array_max' ? 'greatest' : 'least'} element; NULLs are skipped.`,
    returns: 'the type of the elements',
    args: [1, 1],
    compile: (context) => {
      const array = ordered(list(context, 0))
      simple(array.type.element, context, array.at)
      if (isFloat(array.type.element)) simple(array.type.element, context, array.at)
      return context.make(`list_${name.slice(6)}(${array.sql})`, array.type.element, [array], {
        nullable: true,
      })
    },
  })),
  ...(['inline', 'inline_outer'] as const).map((name): FunctionEntry => ({
    name,
    category: 'table',
    signature: `${name}(array of structs)`,
    description: `A row for each struct, a column for each of its fields${name === 'inline' ? '' : '; one row of NULLs for none'}. It stands alone in the select list or in LATERAL VIEW.`,
    returns: 'the types of the fields',
    args: [1, 1],
    compile: (context) => context.source.unsupported(`${name} inside of an expression`, context.at),
  })),
  {
    name: 'stack',
    category: 'table',
    signature: 'stack(n, a, b, …)',
    description:
      'The values in n rows, the last one filled up with NULLs. It stands alone in the select list or in LATERAL VIEW.',
    returns: 'the types of the first values',
    args: [2, 99],
    compile: (context) => context.source.unsupported('stack inside of an expression', context.at),
  },
  ...(['explode', 'explode_outer', 'posexplode', 'posexplode_outer'] as const).map(
    (name): FunctionEntry => ({
      name,
      category,
      signature: `${name}(array or map)`,
      description: `A row for each element${name.startsWith('pos') ? ', with its position from 0' : ''}${name.endsWith('outer') ? '; one row of NULL for none' : ''}. It stands alone in the select list or in LATERAL VIEW.`,
      returns: 'the type of the elements; key and value of a map',
      args: [1, 1],
      compile: (context) =>
        context.source.unsupported(`${name} inside of an expression`, context.at),
    }),
  ),
]
