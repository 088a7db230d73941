// Text, its hashes and encodings. Lengths and positions count characters (Unicode code points), from 1.
import type { Context, FunctionEntry } from '../catalogue.ts'
import { concat } from '../operators.ts'
import { MACROS, raise } from '../prelude.ts'
import { literalDuckdb } from '#core/names.ts'
import { BOOLEAN, INT, STRING, textOf, type T } from '../types.ts'
import type { Value } from '../value.ts'
import { cast, implicit } from '../cast.ts'

const category = 'string'
const { macro } = MACROS

// Position 0 is 1; a negative one counts from the end, and what lies before the text takes from the length.
macro(
  'lf_substring(s, p, n)',
  `CASE WHEN n <= 0 AND s IS NOT NULL AND p IS NOT NULL THEN '' WHEN p > 0 THEN substring(s, p, n) WHEN p = 0 THEN substring(s, 1, n)
    WHEN p IS NULL THEN NULL WHEN length(s) + p >= 0 THEN substring(s, length(s) + p + 1, n)
    ELSE substring(s, 1, greatest(n + length(s) + p, 0)) END`,
)
macro('lf_left(s, n)', "CASE WHEN n <= 0 AND s IS NOT NULL THEN '' ELSE substring(s, 1, n) END")
macro(
  'lf_right(s, n)',
  "CASE WHEN n <= 0 AND s IS NOT NULL THEN '' WHEN n IS NOT NULL THEN substring(s, greatest(length(s) - n, 0) + 1) END",
)
macro(
  'lf_locate(part, s, p)',
  `CASE WHEN p IS NULL THEN 0 WHEN part IS NULL OR s IS NULL THEN NULL WHEN p < 1 THEN 0 WHEN part = '' THEN 1
    WHEN instr(substring(s, p), part) = 0 THEN 0 ELSE instr(substring(s, p), part) + p - 1 END`,
)
for (const side of ['lpad', 'rpad'])
  macro(
    `lf_${side}(s, n, pad)`,
    `CASE WHEN s IS NULL OR n IS NULL OR pad IS NULL THEN NULL WHEN n <= 0 THEN ''
      WHEN pad = '' THEN substring(s, 1, n) ELSE ${side}(s, n, pad) END`,
  )
macro(
  'lf_replace(s, old, new)',
  "CASE WHEN s IS NULL OR old IS NULL OR new IS NULL THEN NULL WHEN old = '' THEN s ELSE replace(s, old, new) END",
)
macro(
  'lf_repeat(s, n)',
  `CASE WHEN n <= 0 AND s IS NOT NULL THEN '' WHEN octet_length(encode(s)) * n > 100000000 THEN ${raise('UNSUPPORTED_VALUE')} ELSE repeat(s, n) END`,
)

// Characters whose other case is more than one character, hangs on its neighbours or is newer than DuckDB's tables (found by
// comparing all code points): Spark maps them, DuckDB doesn't. ß is common enough to be done by hand.
const UPPER_DIFFERS =
  '\\x{149}\\x{19b}\\x{1f0}\\x{264}\\x{390}\\x{3b0}\\x{587}\\x{1c8a}\\x{1e96}-\\x{1e9a}\\x{1f50}' +
  '\\x{1f52}\\x{1f54}\\x{1f56}\\x{1f80}-\\x{1faf}\\x{1fb2}-\\x{1fb4}\\x{1fb6}-\\x{1fb7}\\x{1fbc}' +
  '\\x{1fc2}-\\x{1fc4}\\x{1fc6}-\\x{1fc7}\\x{1fcc}\\x{1fd2}-\\x{1fd3}\\x{1fd6}-\\x{1fd7}' +
  '\\x{1fe2}-\\x{1fe4}\\x{1fe6}-\\x{1fe7}\\x{1ff2}-\\x{1ff4}\\x{1ff6}-\\x{1ff7}\\x{1ffc}\\x{a7cd}' +
  '\\x{a7db}\\x{fb00}-\\x{fb06}\\x{fb13}-\\x{fb17}\\x{10d70}-\\x{10d85}'
const LOWER_DIFFERS =
  '\\x{130}\\x{3a3}\\x{1c89}\\x{a7cb}-\\x{a7cc}\\x{a7da}\\x{a7dc}\\x{10d50}-\\x{10d65}'
for (const [name, chars, rest] of [
  ['upper', UPPER_DIFFERS, "upper(replace(s, 'ß', 'SS'))"],
  ['lower', LOWER_DIFFERS, 'lower(s)'],
] as const)
  macro(
    `lf_${name}(s)`,
    `CASE WHEN strlen(s) = length(s) THEN ${name}(s) WHEN regexp_matches(s, '[${chars}]') THEN ${raise('UNSUPPORTED_VALUE')} ELSE ${rest} END`,
  )

// Words end at spaces alone; a few letters have a form of their own as capitals of words.
macro(
  'lf_initcap(s)',
  `CASE WHEN regexp_matches(s, '[ß\\x{1c4}-\\x{1cc}\\x{1f1}-\\x{1f3}\\x{10d0}-\\x{10ff}${UPPER_DIFFERS}${LOWER_DIFFERS}]') THEN ${raise('UNSUPPORTED_VALUE')}
    ELSE array_to_string(list_transform(string_split(s, ' '), lambda w: upper(left(w, 1)) || lower(w[2:])), ' ') END`,
)

const one = (
  name: string,
  description: string,
  print: (sql: string) => string,
  more: { aliases?: string[]; type?: T; raises?: boolean } = {},
): FunctionEntry => ({
  name,
  category,
  signature: `${name}(text)`,
  description,
  returns: more.type ? textOf(more.type) : 'string',
  args: [1, 1],
  aliases: more.aliases,
  compile: (context) => {
    const text = context.string(0)
    return context.make(print(text.sql), more.type ?? STRING, [text], {
      uses: 4,
      raises: more.raises,
    })
  },
})

const trim = (name: 'btrim' | 'ltrim' | 'rtrim' | 'trim'): FunctionEntry => ({
  name,
  category,
  signature: name === 'btrim' ? 'btrim(text[, characters])' : `${name}([characters, ]text)`,
  description: 'The text without spaces (or the given characters) at its ends.',
  returns: 'string',
  args: [1, 2],
  compile: (context) => {
    // Only btrim has the characters last.
    const [text, set] = trimArguments(context)
    const chars = set ? set.sql : "' '"
    const fn = name === 'btrim' ? 'trim' : name
    return context.make(`${fn}(${text.sql}, ${chars})`, STRING, set ? [text, set] : [text])
  },
})

function trimArguments(context: Context): [Value, Value | undefined] {
  if (context.args.length === 1) return [context.string(0), undefined]
  const [text, set] = context.call.name === 'btrim' ? [0, 1] : [1, 0]
  return [context.string(text), context.string(set)]
}

/** Of binary Spark takes bytes where of text it takes characters. @throws sql_unsupported */
function notBinary(context: Context): void {
  if (context.args.some((arg) => arg.type.kind === 'binary'))
    context.source.unsupported(
      `${context.call.name} of binary`,
      context.at,
      "Make text of it: decode(x, 'utf-8').",
    )
}

const pad = (name: 'lpad' | 'rpad'): FunctionEntry => ({
  name,
  category,
  signature: `${name}(text, length[, fill])`,
  description: `The text filled up (with spaces) to a length, or cut to it.`,
  returns: 'string',
  args: [2, 3],
  compile: (context) => {
    notBinary(context)
    const parts = [context.string(0), context.int(1)]
    if (context.args.length === 3) parts.push(context.string(2))
    const fill = parts[2]?.sql ?? "' '"
    return context.make(`lf_${name}(${parts[0]!.sql}, ${parts[1]!.sql}, ${fill})`, STRING, parts, {
      uses: 3,
    })
  },
})

const part = (name: 'left' | 'right'): FunctionEntry => ({
  name,
  category,
  signature: `${name}(text, length)`,
  description: `The first characters from the ${name}.`,
  returns: 'string',
  args: [2, 2],
  compile: (context) => {
    notBinary(context)
    const parts = [context.string(0), context.int(1)]
    return context.make(`lf_${name}(${parts[0]!.sql}, ${parts[1]!.sql})`, STRING, parts, {
      uses: 3,
    })
  },
})

const test = (name: string, fn: string): FunctionEntry => ({
  name,
  category,
  signature: `${name}(text, part)`,
  description: `Whether the text ${name === 'contains' ? 'contains' : name === 'startswith' ? 'begins with' : 'ends with'} the part.`,
  returns: 'boolean',
  args: [2, 2],
  compile: (context) => {
    notBinary(context)
    const parts = [context.string(0), context.string(1)]
    return context.make(`${fn}(${parts[0]!.sql}, ${parts[1]!.sql})`, BOOLEAN, parts)
  },
})

function locate(context: Context, part_: Value, text: Value, from?: Value): Value {
  return context.make(
    `CAST(lf_locate(${part_.sql}, ${text.sql}, ${from?.sql ?? '1'}) AS INTEGER)`,
    INT,
    from ? [part_, text, from] : [part_, text],
    { uses: 4, nullable: part_.nullable || text.nullable || (from?.nullable ?? false) },
  )
}

export const STRINGS: FunctionEntry[] = [
  {
    name: 'concat',
    category,
    signature: 'concat(a, b, …)',
    description: 'The texts one after the other; NULL if one of them is NULL. Same as ||.',
    returns: 'string',
    args: [0, 99],
    compile: (context) => concat(context.source, context.args, context.at),
  },
  {
    name: 'concat_ws',
    category,
    signature: 'concat_ws(separator, a, b, …)',
    description: 'The texts that are not NULL, with the separator between them.',
    returns: 'string',
    args: [1, 99],
    compile: (context) => {
      const separator = context.string(0)
      const parts = context.args.slice(1).map((value) => {
        if (value.type.kind !== 'array') return implicit(context.source, value, STRING)
        context.text(0, 'a separator')
        const texts = cast(context.source, value, { kind: 'array', element: { kind: 'string' } })
        const kept = `list_filter(${texts.sql}, lambda lf_v: lf_v IS NOT NULL)`
        return context.make(
          `CASE WHEN len(${kept}) > 0 THEN array_to_string(${kept}, ${separator.sql}) END`,
          STRING,
          [texts],
          { nullable: true, uses: 2 },
        )
      })
      const sql = parts.length
        ? `concat_ws(${separator.sql}, ${parts.map((value) => value.sql).join(', ')})`
        : `CASE WHEN ${separator.sql} IS NULL THEN NULL ELSE '' END`
      return context.make(sql, STRING, [separator, ...parts], { nullable: separator.nullable })
    },
  },
  one('upper', 'The text in capitals.', (s) => `lf_upper(${s})`, {
    aliases: ['ucase'],
    raises: true,
  }),
  one('lower', 'The text in small letters.', (s) => `lf_lower(${s})`, {
    aliases: ['lcase'],
    raises: true,
  }),
  one(
    'initcap',
    'Each word with a capital first letter; words end at spaces.',
    (s) => `lf_initcap(${s})`,
    { raises: true },
  ),
  {
    name: 'length',
    aliases: ['char_length', 'character_length', 'len'],
    category,
    signature: 'length(x)',
    description: 'The number of characters of a text, or of bytes.',
    returns: 'int',
    args: [1, 1],
    compile: (context) => {
      const x = context.arg(0).type.kind === 'binary' ? context.arg(0) : context.string(0)
      const fn = x.type.kind === 'binary' ? 'octet_length' : 'length'
      return context.make(`CAST(${fn}(${x.sql}) AS INTEGER)`, INT, [x])
    },
  },
  {
    name: 'reverse',
    category,
    signature: 'reverse(x)',
    description: 'A text or an array from its end to its start.',
    returns: 'string, or the type of the array',
    args: [1, 1],
    compile: (context) => {
      const x = context.arg(0).type.kind === 'array' ? context.arg(0) : context.string(0)
      const fn = x.type.kind === 'array' ? 'list_reverse' : 'lf_reverse'
      return context.make(`${fn}(${x.sql})`, x.type, [x])
    },
  },
  one('ascii', 'The number of the first character; 0 for an empty text.', (s) => `lf_ascii(${s})`, {
    type: INT,
  }),
  trim('trim'),
  trim('btrim'),
  trim('ltrim'),
  trim('rtrim'),
  pad('lpad'),
  pad('rpad'),
  part('left'),
  part('right'),
  test('contains', 'contains'),
  test('startswith', 'starts_with'),
  test('endswith', 'ends_with'),
  {
    name: 'substring',
    aliases: ['substr'],
    category,
    signature: 'substring(text, position[, length])',
    description: 'A part of the text; a negative position counts from the end, 0 is 1.',
    returns: 'string',
    args: [2, 3],
    compile: (context) => {
      notBinary(context)
      const parts = [context.string(0), context.int(1)]
      if (context.args.length === 3) parts.push(context.int(2))
      const length = parts[2]?.sql ?? '2147483647'
      return context.make(
        `lf_substring(${parts[0]!.sql}, CAST(${parts[1]!.sql} AS BIGINT), CAST(${length} AS BIGINT))`,
        STRING,
        parts,
        { uses: 8 },
      )
    },
  },
  {
    name: 'substring_index',
    category,
    signature: 'substring_index(text, delimiter, count)',
    description:
      'What stands before the count-th delimiter; a negative count is taken from the end.',
    returns: 'string',
    args: [3, 3],
    compile: (context) => {
      const text = context.string(0)
      const delimiter = context.text(1, 'a delimiter')
      const count = context.whole(2, 'a count')
      if (delimiter === '' || count === 0)
        return context.make(`CASE WHEN ${text.sql} IS NULL THEN NULL ELSE '' END`, STRING, [text])
      const mark = literalDuckdb(delimiter)
      const list = `string_split(${text.sql}, ${mark})`
      // Overlapping delimiters are found one by one from the end in Spark.
      if (count < 0 && [...delimiter].length > 1)
        context.source.unsupported('substring_index from the end with a long delimiter', context.at)
      const slice =
        count > 0 ? `list_slice(${list}, 1, ${count})` : `list_slice(${list}, ${count}, -1)`
      return context.make(`array_to_string(${slice}, ${mark})`, STRING, [text])
    },
  },
  {
    name: 'replace',
    category,
    signature: 'replace(text, old[, new])',
    description: 'Every old replaced by new, or removed.',
    returns: 'string',
    args: [2, 3],
    compile: (context) => {
      const parts = context.args.map((_, i) => context.string(i))
      return context.make(
        `lf_replace(${parts[0]!.sql}, ${parts[1]!.sql}, ${parts[2]?.sql ?? "''"})`,
        STRING,
        parts,
        { uses: 3 },
      )
    },
  },
  {
    name: 'repeat',
    category,
    signature: 'repeat(text, count)',
    description: 'The text several times.',
    returns: 'string',
    args: [2, 2],
    compile: (context) => {
      const parts = [context.string(0), context.int(1)]
      return context.make(`lf_repeat(${parts[0]!.sql}, ${parts[1]!.sql})`, STRING, parts, {
        uses: 3,
        raises: true,
      })
    },
  },
  {
    name: 'space',
    category,
    signature: 'space(count)',
    description: 'A text of spaces.',
    returns: 'string',
    args: [1, 1],
    compile: (context) => {
      const count = context.int(0)
      return context.make(`lf_repeat(' ', ${count.sql})`, STRING, [count], {
        uses: 3,
        raises: true,
      })
    },
  },
  {
    name: 'instr',
    category,
    signature: 'instr(text, part)',
    description: 'Where the part first stands in the text; 0 if nowhere.',
    returns: 'int',
    args: [2, 2],
    compile: (context) => locate(context, context.string(1), context.string(0)),
  },
  {
    name: 'locate',
    category,
    signature: 'locate(part, text[, from]), position(part IN text)',
    description: 'Where the part first stands in the text, at or behind a position; 0 if nowhere.',
    returns: 'int',
    args: [2, 3],
    aliases: ['position'],
    compile: (context) =>
      locate(
        context,
        context.string(0),
        context.string(1),
        context.args.length > 2 ? context.int(2) : undefined,
      ),
  },
  {
    name: 'translate',
    category,
    signature: 'translate(text, from, to)',
    description: 'Each character of from replaced by the one at its place in to, or removed.',
    returns: 'string',
    args: [3, 3],
    compile: (context) => {
      const text = context.string(0)
      const [from, to] = [context.text(1, 'characters'), context.text(2, 'characters')]
      const seen = new Set<string>()
      const pairs = [...from].map((char, i) => [char, [...to][i]] as const)
      const kept = pairs.filter(([char]) => !seen.has(char) && seen.add(char))
      const ordered = [...kept.filter(([, by]) => by), ...kept.filter(([, by]) => !by)]
      const [old, by] = [
        ordered.map(([char]) => char).join(''),
        ordered.map(([, each]) => each ?? '').join(''),
      ]
      if (old === '') return context.make(text.sql, STRING, [text])
      return context.make(
        `translate(${text.sql}, ${literalDuckdb(old)}, ${literalDuckdb(by)})`,
        STRING,
        [text],
      )
    },
  },
  {
    name: 'split_part',
    category,
    signature: 'split_part(text, delimiter, number)',
    description:
      'The number-th part between delimiters (from the end if negative); empty if there is none.',
    returns: 'string',
    args: [3, 3],
    compile: (context) => {
      const text = context.string(0)
      const delimiter = context.text(1, 'a delimiter')
      const number = context.int(2)
      if (number.literal === 0) context.source.type('split_part counts from 1', context.at)
      if (delimiter === '')
        context.source.unsupported('split_part with an empty delimiter', context.at)
      return context.make(
        typeof number.literal === 'number'
          ? `split_part(${text.sql}, ${literalDuckdb(delimiter)}, ${number.sql})`
          : `CASE WHEN ${text.sql} IS NULL THEN NULL WHEN ${number.sql} = 0 THEN ${raise('INVALID_INDEX_OF_ZERO')} ELSE split_part(${text.sql}, ${literalDuckdb(delimiter)}, ${number.sql}) END`,
        STRING,
        [text, number],
        { raises: typeof number.literal !== 'number', uses: 2 },
      )
    },
  },
]

macro('lf_reverse(s)', "array_to_string(list_reverse(string_split(s, '')), '')")
macro('lf_ascii(s)', "CASE WHEN s = '' THEN 0 ELSE ascii(s) END")
