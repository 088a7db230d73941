// Regular expressions: patterns are literals, checked and printed anew for RE2 (patterns.ts).
import type { Context, FunctionEntry } from '../catalogue.ts'
import { regexLiteral, replacement, type Regex } from '../patterns.ts'
import { raise } from '../prelude.ts'
import { INT, STRING, type T } from '../types.ts'
import type { Value } from '../value.ts'
import { literalDuckdb } from '#core/names.ts'

const category = 'string'
const TEXTS: T = { kind: 'array', element: { kind: 'string' } }

function regexpReplace(context: Context): Value {
  const text = context.string(0)
  const regex = regexLiteral(context.source, context.text(1, 'a pattern'), context.arg(1).at)
  const by = replacement(
    context.source,
    context.text(2, 'a replacement'),
    regex.groups,
    context.arg(2).at,
  )
  if (regex.empty)
    context.source.unsupported('regexp_replace with a pattern that can match nothing', context.at)
  const sql = `regexp_replace(${text.sql}, ${regex.literal}, ${by}, 'g')`
  return context.make(regex.guarded(text.sql, sql), STRING, [text], {
    raises: regex.dollar,
    uses: 2,
  })
}

function regexpExtract(context: Context): Value {
  const text = context.string(0)
  const regex = regexLiteral(context.source, context.text(1, 'a pattern'), context.arg(1).at)
  const group = context.args.length > 2 ? context.whole(2, 'a group') : 1
  if (group < 0 || group > regex.groups)
    context.source.type(`The pattern has ${regex.groups} groups, not ${group}`, context.at)
  const sql = `regexp_extract(${text.sql}, ${regex.literal}, ${group})`
  return context.make(regex.guarded(text.sql, sql), STRING, [text], {
    raises: regex.dollar,
    uses: 2,
  })
}

/** A text and a pattern that matches at least one character. */
function pattern(context: Context): [Value, Regex] {
  const text = context.string(0)
  const regex = regexLiteral(context.source, context.text(1, 'a pattern'), context.arg(1).at)
  if (regex.empty)
    context.source.unsupported(
      `${context.call.name} with a pattern that can match nothing`,
      context.arg(1).at,
    )
  return [text, regex]
}

function found(
  context: Context,
  [text, regex]: [Value, Regex],
  sql: string,
  type: T,
  nullable?: boolean,
): Value {
  return context.make(regex.guarded(text.sql, sql), type, [text], {
    nullable,
    raises: regex.dollar,
    uses: 3,
  })
}

export const REGEXES: FunctionEntry[] = [
  {
    name: 'regexp_replace',
    category,
    signature: 'regexp_replace(text, pattern, replacement)',
    description: 'Every match of a regular expression replaced; $1 is its first group.',
    returns: 'string',
    args: [3, 3],
    compile: regexpReplace,
  },
  {
    name: 'regexp_extract',
    category,
    signature: 'regexp_extract(text, pattern[, group])',
    description: 'A group (the first) of the first match; empty if there is no match.',
    returns: 'string',
    args: [2, 3],
    compile: regexpExtract,
  },
  {
    name: 'regexp_like',
    aliases: ['rlike', 'regexp'],
    category,
    signature: 'regexp_like(text, pattern)',
    description: 'Whether a regular expression matches somewhere in the text.',
    returns: 'boolean',
    args: [2, 2],
    compile: (context) =>
      regexLiteral(context.source, context.text(1, 'a pattern'), context.arg(1).at).matches(
        context.string(0),
      ),
  },
  {
    name: 'split',
    category,
    signature: 'split(text, pattern[, limit])',
    description:
      'The parts between the matches of a regular expression, empty ones too; with a limit the last part keeps the rest.',
    returns: 'array<string>',
    args: [2, 3],
    compile: (context) => {
      const text = context.string(0)
      const regex = regexLiteral(context.source, context.text(1, 'a pattern'), context.arg(1).at)
      if (regex.empty || regex.dollar)
        context.source.unsupported('split with a pattern that can match nothing', context.at)
      if (regex.groups > 0)
        context.source.unsupported('split with a group in its pattern', context.at, 'Write (?:…).')
      const limit = context.args.length > 2 ? context.whole(2, 'a limit') : 0
      if (limit > 0) {
        if (regex.plain === undefined)
          return context.source.unsupported('split by a pattern with a limit', context.at)
        const mark = literalDuckdb(regex.plain)
        return context.make(
          `list_transform([string_split(${text.sql}, ${mark})], lambda lf_q: CASE WHEN len(lf_q) > ${limit} THEN list_concat(lf_q[1:${limit - 1}], [array_to_string(lf_q[${limit}:], ${mark})]) ELSE lf_q END)[1]`,
          TEXTS,
          [text],
        )
      }
      return context.make(
        regex.plain === undefined
          ? `string_split_regex(${text.sql}, ${regex.literal})`
          : `string_split(${text.sql}, ${literalDuckdb(regex.plain)})`,
        { kind: 'array', element: { kind: 'string' } },
        [text],
      )
    },
  },
  {
    name: 'regexp_count',
    category,
    signature: 'regexp_count(text, pattern)',
    description: 'How often a regular expression matches.',
    returns: 'int',
    args: [2, 2],
    compile: (context) => {
      const both = pattern(context)
      const all = `regexp_extract_all(${both[0].sql}, ${both[1].literal}, 0)`
      return found(context, both, `CAST(len(${all}) AS INTEGER)`, INT)
    },
  },
  {
    name: 'regexp_extract_all',
    category,
    signature: 'regexp_extract_all(text, pattern[, group])',
    description: 'A group (the first) of every match.',
    returns: 'array<string>',
    args: [2, 3],
    compile: (context) => {
      const both = pattern(context)
      const group = context.args.length > 2 ? context.whole(2, 'a group') : 1
      const { groups } = both[1]
      if (group < 0 || group > groups)
        context.source.type(`The pattern has ${groups} groups, not ${group}`, context.at)
      const all = `regexp_extract_all(${both[0].sql}, ${both[1].literal}, ${group})`
      return found(context, both, all, TEXTS)
    },
  },
  {
    name: 'regexp_substr',
    category,
    signature: 'regexp_substr(text, pattern)',
    description: 'The first match; NULL if there is none.',
    returns: 'string',
    args: [2, 2],
    compile: (context) => {
      const both = pattern(context)
      const [text, regex] = both
      const first = `nullif(regexp_extract(${text.sql}, ${regex.literal}, 0), '')`
      return found(context, both, first, STRING, true)
    },
  },
  {
    name: 'regexp_instr',
    category,
    signature: 'regexp_instr(text, pattern)',
    description: 'Where the first match begins, from 1; 0 if there is none.',
    returns: 'int',
    args: [2, 2],
    compile: (context) => {
      const both = pattern(context)
      const [text, regex] = both
      // Java counts characters beyond U+FFFF twice.
      const sql = `CASE WHEN regexp_matches(${text.sql}, ${regex.literal}) THEN CASE WHEN regexp_matches(${text.sql}, '[\\x{10000}-\\x{10ffff}]') THEN ${raise('UNSUPPORTED_VALUE')} ELSE CAST(length(string_split_regex(${text.sql}, ${regex.literal})[1]) + 1 AS INTEGER) END WHEN ${text.sql} IS NOT NULL THEN 0 END`
      return { ...found(context, both, sql, INT), raises: true }
    },
  },
]
