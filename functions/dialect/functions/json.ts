// JSON: single values by a path, and the JSON of a value. Malformed JSON that Spark reads a part of ends in an error.
import { literalDuckdb, quoteDuckdb } from '#core/names.ts'
import { parseType } from '#core/types.ts'

import type { Context, FunctionEntry } from '../catalogue.ts'
import { structField } from '../cast.ts'
import { MACROS, raise } from '../prelude.ts'
import { duck, INT, isIntegral, loose, STRING, textOf, type T } from '../types.ts'
import { once, type Source, type Value } from '../value.ts'

const category = 'json'
const { macro } = MACROS
const STOP = raise('UNSUPPORTED_VALUE')

/** `then` for valid JSON; NULL for what Spark can't read from its first character on, an error for the rest. */
macro(
  'lf_json(s, then_)',
  `CASE WHEN json_valid(s) THEN then_ WHEN regexp_matches(s, '^[ \\t\\n\\r]*[{\\[]') THEN ${STOP} END`,
)
// Java writes doubles from 1e-3 to 1e7 without an exponent; of more than 15 digits its version 17 writes some too many.
macro(
  'lf_json_double(t)',
  `CASE WHEN (abs(t::DOUBLE) BETWEEN 1e-3 AND 9999999.999 OR t::DOUBLE = 0) AND length(regexp_replace(t, '[^0-9]', '', 'g')) <= 15
    AND NOT regexp_matches(t, '[eE]') THEN t ELSE ${STOP} END`,
)
macro(
  'lf_json_nested(t)',
  `CASE WHEN regexp_matches(regexp_replace(t, '"([^"\\\\]|\\\\.)*"', '', 'g'), '[0-9][.eE]|-0|[0-9]{19}') THEN ${STOP} ELSE t END`,
)
/** A JSON value as Spark gives it out: a text without its quotes, NULL for null. */
macro(
  'lf_json_text(v)',
  `CASE json_type(v) WHEN 'VARCHAR' THEN v ->> '$' WHEN 'NULL' THEN NULL WHEN 'BOOLEAN' THEN CAST(v AS VARCHAR)
    WHEN 'DOUBLE' THEN lf_json_double(CAST(v AS VARCHAR)) WHEN 'OBJECT' THEN lf_json_nested(CAST(v AS VARCHAR))
    WHEN 'ARRAY' THEN lf_json_nested(CAST(v AS VARCHAR)) WHEN 'UBIGINT' THEN CAST(v AS VARCHAR)
    WHEN 'BIGINT' THEN CASE CAST(v AS VARCHAR) WHEN '-0' THEN '0' ELSE CAST(v AS VARCHAR) END
    ELSE CASE WHEN v IS NULL THEN NULL ELSE ${STOP} END END`,
)

/** The steps of a path such as $.a['b'][0]. @throws sql_unsupported */
function steps(source: Source, path: string, at: number): (string | number)[] {
  const found: (string | number)[] = []
  const token = /\.([^.[]+)|\['([^']*)'\]|\[(\d{1,9})\]/gy
  token.lastIndex = 1
  let end = 1
  for (let match = token.exec(path); match; match = token.exec(path)) {
    end = token.lastIndex
    found.push(match[3] === undefined ? (match[1] ?? match[2])! : Number(match[3]))
  }
  const odd = found.some((step) => typeof step === 'string' && /["\\*]|^$/.test(step))
  if (!path.startsWith('$') || end < path.length || found.length === 0 || odd)
    return source.unsupported('This JSON path', at, "Write it as $.name, $['name'] or $[0].")
  return found
}

const duckPath = (path: (string | number)[]): string =>
  literalDuckdb(
    `$${path.map((step) => (typeof step === 'number' ? `[${step}]` : `."${step}"`)).join('')}`,
  )

function getObject(context: Context): Value {
  const json = context.string(0)
  const path = steps(context.source, context.text(1, 'a path'), context.arg(1).at)
  const sql = once(
    json.sql,
    (s) => {
      const value = `json_extract(${s}, ${duckPath(path)})`
      // Of a key that comes twice Spark takes the first that isn't null.
      const twice = path.flatMap((step, i) =>
        typeof step === 'number'
          ? []
          : [
              `len(list_filter(json_keys(${s}, ${duckPath(path.slice(0, i))}), lambda lf_k: lf_k = ${literalDuckdb(step)})) > 1`,
            ],
      )
      const missing = twice.length
        ? `CASE WHEN ${twice.join(' OR ')} THEN ${STOP} END`
        : 'CAST(NULL AS VARCHAR)'
      return `lf_json(${s}, coalesce(lf_json_text(${value}), ${missing}))`
    },
    'lf_j',
  )
  return context.make(sql, STRING, [json], { nullable: true, raises: true, uses: 12 })
}

/** A value as JSON text, never NULL for one that isn't. */
function print(source: Source, value: { sql: string; type: T }, at: number): string {
  const { sql: x, type } = value
  const quoted = (text: string) => `'"' || ${text} || '"'`
  if (isIntegral(type) || type.kind === 'boolean') return `CAST(${x} AS VARCHAR)`
  const clock = (time: string, zone: string) =>
    `CASE WHEN year(${time}) BETWEEN 1 AND 9999 THEN strftime(${time}, '"%Y-%m-%dT%H:%M:%S.%g${zone}"') WHEN ${time} IS NOT NULL THEN ${STOP} END`
  switch (type.kind) {
    case 'string':
      return `CAST(to_json(${x}) AS VARCHAR)`
    case 'decimal':
      // Java writes smaller fractions with an exponent.
      return type.scale <= 6 && type.precision > type.scale
        ? `CAST(${x} AS VARCHAR)`
        : source.unsupported(`to_json of ${textOf(type)}`, at, 'Cast it to string.')
    case 'date':
      return quoted(`lf_text_date(${x})`)
    case 'timestamp':
      return clock(`lf_naive(${x})`, 'Z')
    case 'timestamp_ntz':
      return clock(x, '')
    case 'array': {
      const element = print(source, { sql: 'lf_e', type: type.element }, at)
      return `'[' || coalesce(array_to_string(list_transform(${x}, lambda lf_e: CASE WHEN lf_e IS NULL THEN 'null' ELSE ${element} END), ','), '') || ']'`
    }
    case 'map': {
      if (type.key.kind !== 'string' && !isIntegral(type.key))
        return source.unsupported(`to_json of ${textOf(type)}`, at)
      const key = "struct_extract(lf_m, 'key')"
      const item = "struct_extract(lf_m, 'value')"
      const name =
        type.key.kind === 'string'
          ? `CAST(to_json(${key}) AS VARCHAR)`
          : quoted(`CAST(${key} AS VARCHAR)`)
      const text = print(source, { sql: item, type: type.value }, at)
      return `'{' || coalesce(array_to_string(list_transform(map_entries(${x}), lambda lf_m: ${name} || ':' || CASE WHEN ${item} IS NULL THEN 'null' ELSE ${text} END), ','), '') || '}'`
    }
    case 'struct': {
      const fields = type.fields.map((field) => {
        const part = structField(x, field.name)
        const text = print(source, { sql: part, type: field.type }, at)
        return `CASE WHEN ${part} IS NOT NULL THEN ${literalDuckdb(`${JSON.stringify(field.name)}:`)} || ${text} END`
      })
      return `'{' || concat_ws(',', ${fields.join(', ')}) || '}'`
    }
    default:
      return source.unsupported(
        `to_json of ${textOf(type)}`,
        at,
        'Engines write floats differently: cast them to decimal(p, s).',
      )
  }
}

macro(
  'lf_json_plain(t)',
  `CASE WHEN length(regexp_replace(t, '[^0-9]', '', 'g')) <= 15 THEN lf_plain(t) ELSE ${STOP} END`,
)
for (const [name, type] of [
  ['int', 'INTEGER'],
  ['bigint', 'BIGINT'],
  ['smallint', 'SMALLINT'],
  ['tinyint', 'TINYINT'],
])
  macro(
    `lf_json_${name}(v)`,
    `CASE WHEN json_type(v) IN ('BIGINT', 'UBIGINT') THEN TRY_CAST(CAST(v AS VARCHAR) AS ${type}) END`,
  )
macro(
  'lf_json_boolean(v)',
  `CASE WHEN json_type(v) = 'BOOLEAN' THEN CAST(v AS VARCHAR) = 'true' END`,
)
// Spark reads some texts as doubles, too.
macro(
  'lf_json_number(v)',
  `CASE json_type(v) WHEN 'BIGINT' THEN CAST(CAST(v AS VARCHAR) AS DOUBLE) WHEN 'UBIGINT' THEN CAST(CAST(v AS VARCHAR) AS DOUBLE)
    WHEN 'DOUBLE' THEN CAST(CAST(v AS VARCHAR) AS DOUBLE)
    WHEN 'VARCHAR' THEN CASE WHEN regexp_full_match(v ->> '$', '(?i)[+-]?(nan|inf|infinity)') THEN ${STOP} END END`,
)
macro(
  'lf_json_digits(v)',
  `CASE json_type(v) WHEN 'BIGINT' THEN CAST(v AS VARCHAR) WHEN 'UBIGINT' THEN CAST(v AS VARCHAR) WHEN 'DOUBLE' THEN lf_json_plain(CAST(v AS VARCHAR))
    WHEN 'VARCHAR' THEN CASE WHEN regexp_full_match(v ->> '$', '-?[0-9]{1,15}(\\.[0-9]{1,15})?') THEN v ->> '$' ELSE ${STOP} END END`,
)
macro(
  'lf_json_once(v)',
  `CASE WHEN len(json_keys(v)) > len(list_distinct(json_keys(v))) THEN ${STOP} ELSE v END`,
)

/** A JSON value as a type: NULL where it doesn't fit, as Spark's PERMISSIVE mode has it field by field. */
function read(source: Source, v: string, type: T, at: number, depth = 0): string {
  if (depth > 8) source.unsupported('A schema nested this deeply', at)
  switch (type.kind) {
    case 'string':
      return `lf_json_text(${v})`
    case 'tinyint':
    case 'smallint':
    case 'int':
    case 'bigint':
    case 'boolean':
      return `lf_json_${type.kind}(${v})`
    case 'double':
      return `lf_json_number(${v})`
    case 'decimal':
      return `TRY_CAST(lf_json_digits(${v}) AS ${duck(type)})`
    case 'array': {
      const name = `lf_e${depth}`
      const element = read(source, `${name}.v`, type.element, at, depth + 1)
      // One element that doesn't fit spoils the array.
      const items = `list_transform(CAST(${v} AS JSON[]), lambda ${name}_: list_transform([{'v': ${name}_}], lambda ${name}: struct_pack(j := ${name}.v, x := ${element}))[1])`
      const all = `lf_a${depth}`
      return `CASE WHEN json_type(${v}) = 'ARRAY' THEN list_transform([${items}], lambda ${all}: CASE WHEN len(list_filter(${all}, lambda lf_f: lf_f.x IS NULL AND json_type(lf_f.j) <> 'NULL')) = 0 THEN list_transform(${all}, lambda lf_f: lf_f.x) END)[1] END`
    }
    case 'struct': {
      const name = `lf_s${depth}`
      const fields = type.fields.map((field) => {
        if (/["\\*]|^$/.test(field.name)) source.unsupported('This name of a field', at)
        const part = `json_extract(${name}, ${duckPath([field.name])})`
        return `${quoteDuckdb(field.name)} := ${read(source, part, field.type, at, depth + 1)}`
      })
      return `CASE WHEN json_type(${v}) = 'OBJECT' THEN list_transform([lf_json_once(${v})], lambda ${name}: struct_pack(${fields.join(', ')}))[1] END`
    }
    default:
      return source.unsupported(
        `${textOf(type)} in a schema of JSON`,
        at,
        'Read it as string, and cast that.',
      )
  }
}

function fromJson(context: Context): Value {
  const { source } = context
  const json = context.string(0)
  const written = context.text(1, 'a schema').trim()
  const { at } = context.arg(1)
  if (context.args.length > 2) source.unsupported('from_json with options', context.at)
  let type: T
  try {
    type = loose(parseType(/^struct\s*</i.test(written) ? written : `struct<${written}>`))
  } catch {
    return source.unsupported('This schema of JSON', at, 'Write it as a int, b array<string>.')
  }
  if (type.kind !== 'struct' || type.fields.length === 0)
    return source.unsupported('from_json of other than a struct', at)
  if (new Set(type.fields.map((field) => field.name.toLowerCase())).size < type.fields.length)
    source.unsupported('A struct with two fields of one name', at)
  const none = `struct_pack(${type.fields.map((field) => `${quoteDuckdb(field.name)} := CAST(NULL AS ${duck(field.type)})`).join(', ')})`
  const sql = once(
    json.sql,
    (s) =>
      `CASE WHEN ${s} IS NULL OR trim(${s}, ' ' || chr(9) || chr(10) || chr(13)) = '' THEN NULL ELSE coalesce(lf_json(${s}, ${read(source, `CAST(${s} AS JSON)`, type, at)}), ${none}) END`,
    'lf_j',
  )
  return context.make(sql, type, [json], { nullable: true, raises: true, uses: 20 })
}

export const JSONS: FunctionEntry[] = [
  {
    name: 'from_json',
    category,
    signature: "from_json(text, 'a int, b array<string>')",
    description:
      'A struct of a JSON object; fields that don’t fit are NULL. Malformed JSON that Spark reads a part of, and keys that come twice, are errors.',
    returns: 'the struct of the schema',
    args: [2, 3],
    compile: fromJson,
  },
  {
    name: 'get_json_object',
    category,
    signature: "get_json_object(text, '$.a.b[0]')",
    description:
      'The value at a path, as text; NULL if there is none. Fractions that engines write differently, and malformed JSON that Spark reads a part of, are errors.',
    returns: 'string',
    args: [2, 2],
    compile: getObject,
  },
  {
    name: 'json_array_length',
    category,
    signature: 'json_array_length(text)',
    description: 'The number of elements of a JSON array; NULL for anything else.',
    returns: 'int',
    args: [1, 1],
    compile: (context) => {
      const json = context.string(0)
      const sql = once(
        json.sql,
        (s) =>
          `lf_json(${s}, CASE json_type(${s}) WHEN 'ARRAY' THEN CAST(json_array_length(${s}) AS INTEGER) END)`,
        'lf_j',
      )
      return context.make(sql, INT, [json], { nullable: true, raises: true, uses: 5 })
    },
  },
  {
    name: 'json_object_keys',
    category,
    signature: 'json_object_keys(text)',
    description: 'The keys of a JSON object; NULL for anything else.',
    returns: 'array<string>',
    args: [1, 1],
    compile: (context) => {
      const json = context.string(0)
      const sql = once(
        json.sql,
        (s) => `lf_json(${s}, CASE json_type(${s}) WHEN 'OBJECT' THEN json_keys(${s}) END)`,
        'lf_j',
      )
      return context.make(sql, { kind: 'array', element: { kind: 'string' } }, [json], {
        nullable: true,
        raises: true,
        uses: 5,
      })
    },
  },
  {
    name: 'to_json',
    category,
    signature: 'to_json(struct, array or map)',
    description: 'The value as JSON; fields that are NULL are left out.',
    returns: 'string',
    args: [1, 2],
    compile: (context) => {
      const x = context.arg(0)
      if (context.args.length > 1) context.source.unsupported('to_json with options', context.at)
      if (!['struct', 'array', 'map'].includes(x.type.kind))
        context.source.type(
          `to_json takes a struct, an array or a map, not ${textOf(x.type)}`,
          x.at,
        )
      const sql = once(
        x.sql,
        (value) =>
          `CASE WHEN ${value} IS NOT NULL THEN ${print(context.source, { sql: value, type: x.type }, context.at)} END`,
        'lf_j',
      )
      return context.make(sql, STRING, [x], { nullable: true, raises: true, uses: 8 })
    },
  },
]
