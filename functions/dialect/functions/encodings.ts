// Bytes: hashes, encodings and their way back to text.
import type { Context, FunctionEntry } from '../catalogue.ts'
import { cast } from '../cast.ts'
import { MACROS, raise } from '../prelude.ts'
import { INT, STRING, textOf, type T } from '../types.ts'
import type { Value } from '../value.ts'

const category = 'string'
const BINARY: T = { kind: 'binary' }
const { macro } = MACROS
const STOP = raise('UNSUPPORTED_VALUE')

// Java skips what isn't base 64; where there is such a character we stop.
macro(
  'lf_unbase64(s)',
  `CASE WHEN regexp_full_match(s, '([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?') THEN from_base64(s)
    WHEN s IS NULL THEN NULL ELSE ${STOP} END`,
)
for (const [suffix, bad] of [
  ['', raise('CONVERSION_INVALID_INPUT')],
  ['_try', 'NULL'],
]) {
  macro(
    `lf_unhex${suffix}(s)`,
    `CASE WHEN regexp_full_match(s, '[0-9A-Fa-f]*') THEN unhex(CASE WHEN length(s) % 2 = 1 THEN '0' || s ELSE s END)
      WHEN s IS NULL THEN NULL ELSE ${bad} END`,
  )
  macro(
    `lf_url_decode${suffix}(s)`,
    `CASE WHEN regexp_matches(s, '(?s)%($|.$|[^0-9A-Fa-f]|[0-9A-Fa-f][^0-9A-Fa-f])') THEN ${bad === 'NULL' ? bad : raise('CANNOT_DECODE_URL')}
      ELSE url_decode(replace(s, '+', ' ')) END`,
  )
}
macro(
  'lf_url_encode(s)',
  "replace(replace(replace(url_encode(s), '%20', '+'), '~', '%7E'), '%2A', '*')",
)
macro(
  'lf_char(n)',
  `CASE WHEN n < 0 THEN '' WHEN n % 256 = 0 THEN ${STOP} ELSE chr(CAST(n % 256 AS INTEGER)) END`,
)

/** The bytes of text or binary. @throws sql_type */
function binary(context: Context, index: number): Value {
  const value = context.arg(index)
  if (!['binary', 'string', 'void'].includes(value.type.kind))
    return context.source.type(
      `${context.call.name} takes a string, not ${textOf(value.type)}`,
      value.at,
    )
  return cast(context.source, value, BINARY)
}

const hash = (name: string, aliases: string[], fn: string, description: string): FunctionEntry => ({
  name,
  aliases,
  category: 'hash',
  signature: `${name}(text)`,
  description,
  returns: 'string',
  args: [1, 1],
  compile: (context) => {
    const bytes = binary(context, 0)
    return context.make(`${fn}(${bytes.sql})`, STRING, [bytes])
  },
})

const text = (
  name: string,
  description: string,
  print: (sql: string) => string,
  type: T,
  more: { nullable?: boolean; aliases?: string[] } = {},
): FunctionEntry => ({
  name,
  aliases: more.aliases,
  category,
  signature: `${name}(text)`,
  description,
  returns: textOf(type),
  args: [1, 1],
  compile: (context) => {
    const x = context.string(0)
    return context.make(print(x.sql), type, [x], {
      nullable: more.nullable ? true : undefined,
      raises: true,
      uses: 3,
    })
  },
})

/** A number of bytes, of text or binary. */
const size = (name: string, description: string, times: number): FunctionEntry => ({
  name,
  category,
  signature: `${name}(x)`,
  description,
  returns: 'int',
  args: [1, 1],
  compile: (context) => {
    const x = context.arg(0).type.kind === 'binary' ? context.arg(0) : context.string(0)
    const bytes = x.type.kind === 'binary' ? x.sql : `encode(${x.sql})`
    return context.make(`CAST(octet_length(${bytes}) * ${times} AS INTEGER)`, INT, [x])
  },
})

/** The charset that a literal names: UTF-8 alone. @throws sql_unsupported */
function utf8(context: Context, index: number): void {
  const charset = context.text(index, 'a charset').toLowerCase()
  if (charset !== 'utf-8' && charset !== 'utf8')
    context.source.unsupported(
      `The charset ${charset.slice(0, 20)}`,
      context.arg(index).at,
      'Use utf-8.',
    )
}

/** decode(bytes, charset): text of bytes; malformed ones are an error on both engines. */
export function decodeBytes(context: Context): Value {
  const bytes = binary(context, 0)
  utf8(context, 1)
  return context.make(`decode(${bytes.sql})`, STRING, [bytes], { raises: true })
}

function toBinary(context: Context): Value {
  const attempt = context.call.name.startsWith('try_')
  const x = context.string(0)
  const format = context.args.length > 1 ? context.text(1, 'a format').toLowerCase() : 'hex'
  const fn = {
    hex: `lf_unhex${attempt ? '_try' : ''}`,
    base64: 'lf_unbase64',
    'utf-8': 'encode',
    utf8: 'encode',
  }[format]
  if (!fn) context.source.unsupported(`The format ${format.slice(0, 20)}`, context.at)
  return context.make(`${fn}(${x.sql})`, BINARY, [x], {
    nullable: true,
    raises: true,
    uses: 4,
  })
}

const binaries = (name: 'to_binary' | 'try_to_binary'): FunctionEntry => ({
  name,
  category,
  signature: `${name}(text[, format])`,
  description: `The bytes of a text by the format hex, base64 or utf-8; ${name === 'to_binary' ? 'an error' : 'NULL'} if it is malformed.`,
  returns: 'binary',
  args: [1, 2],
  compile: toBinary,
})

export const ENCODINGS: FunctionEntry[] = [
  hash('md5', [], 'md5', 'The MD5 hash as 32 hexadecimal digits.'),
  hash('sha1', ['sha'], 'sha1', 'The SHA-1 hash as 40 hexadecimal digits.'),
  {
    name: 'sha2',
    category: 'hash',
    signature: 'sha2(text, 256)',
    description: 'The SHA-256 hash as 64 hexadecimal digits.',
    returns: 'string',
    args: [2, 2],
    compile: (context) => {
      const bytes = binary(context, 0)
      const bits = context.whole(1, 'a number of bits')
      if (bits !== 256 && bits !== 0)
        context.source.unsupported(`sha2 with ${bits} bits`, context.at, 'Use 256.')
      return context.make(`sha256(${bytes.sql})`, STRING, [bytes], { nullable: true })
    },
  },
  {
    name: 'base64',
    category,
    signature: 'base64(x)',
    description: 'The bytes in base 64.',
    returns: 'string',
    args: [1, 1],
    compile: (context) => {
      const bytes = binary(context, 0)
      return context.make(`base64(${bytes.sql})`, STRING, [bytes])
    },
  },
  text(
    'unbase64',
    'The bytes that a text in base 64 stands for.',
    (x) => `lf_unbase64(${x})`,
    BINARY,
  ),
  {
    name: 'hex',
    category,
    signature: 'hex(x)',
    description: 'The bytes of a text, or a whole number, as hexadecimal digits.',
    returns: 'string',
    args: [1, 1],
    compile: (context) => {
      const value = context.arg(0)
      const x = ['string', 'binary'].includes(value.type.kind) ? value : context.bigint(0)
      return context.make(`hex(${x.sql})`, STRING, [x])
    },
  },
  text(
    'unhex',
    'The bytes of hexadecimal digits; NULL if there are others.',
    (x) => `lf_unhex_try(${x})`,
    BINARY,
    { nullable: true },
  ),
  binaries('to_binary'),
  binaries('try_to_binary'),
  {
    name: 'encode',
    category,
    signature: "encode(text, 'utf-8')",
    description: 'The bytes of a text in UTF-8.',
    returns: 'binary',
    args: [2, 2],
    compile: (context) => {
      const x = context.string(0)
      utf8(context, 1)
      return context.make(`encode(${x.sql})`, BINARY, [x])
    },
  },
  text('url_encode', 'The text as a part of a URL.', (x) => `lf_url_encode(${x})`, STRING),
  text(
    'url_decode',
    'The text that a part of a URL stands for.',
    (x) => `lf_url_decode(${x})`,
    STRING,
  ),
  text(
    'try_url_decode',
    'As url_decode, but NULL if it is malformed.',
    (x) => `lf_url_decode_try(${x})`,
    STRING,
    { nullable: true },
  ),
  size('octet_length', 'The number of bytes.', 1),
  size('bit_length', 'The number of bits.', 8),
  {
    name: 'char',
    aliases: ['chr'],
    category,
    signature: 'char(n)',
    description: 'The character with the number n % 256; empty for a negative n.',
    returns: 'string',
    args: [1, 1],
    compile: (context) => {
      const n = context.bigint(0)
      return context.make(`lf_char(${n.sql})`, STRING, [n], { raises: true, uses: 3 })
    },
  },
]
