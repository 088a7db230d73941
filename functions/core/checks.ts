// What a rule can check: one entry a kind, with the options it takes and what null does. The SQL lies in the engines.
import * as v from 'valibot'
import type { Fault } from './fields.ts'
import { columnNames, faultsOf, field, sqlText, tableName } from './fields.ts'

export type Check = {
  title: string
  meaning: string
  /** What a null in the column does while `null_passes` is off. */
  nulls: string
  /** How many columns it looks at. */
  columns: 'one' | 'some' | 'any'
  options: v.GenericSchema<unknown, Record<string, unknown>>
  /** Whether it must see other rows than the one it judges: an expectation of a pipeline can't. */
  whole_table: boolean
  /** Engines that have it. */
  engines: readonly ('local' | 'spark' | 'databricks')[]
}

const scalar = v.union(
  [v.string(), v.pipe(v.number(), v.finite('A finite number.')), v.boolean()],
  'A text, a number, true or false.',
)
const bound = v.union(
  [v.string(), v.pipe(v.number(), v.finite('A finite number.'))],
  'A number, or the text of a number, date or timestamp.',
)

const not_null: Check = {
  title: 'Not null',
  meaning: 'Each of the columns has a value.',
  nulls: 'A null fails: that is the rule.',
  columns: 'some',
  options: v.strictObject({}),
  whole_table: false,
  engines: ['local', 'spark'],
}

const unique: Check = {
  title: 'Unique',
  meaning:
    'No other row of the batch (and, for append, of the table) has the same values. Every equal row fails.',
  nulls: 'A null in one of the columns fails.',
  columns: 'some',
  options: v.strictObject({}),
  whole_table: true,
  engines: ['local', 'spark'],
}

const accepted_values: Check = {
  title: 'Accepted values',
  meaning: 'The value is one of a list.',
  nulls: 'A null fails.',
  columns: 'one',
  options: v.strictObject({
    values: field(
      v.pipe(
        v.array(scalar),
        v.minLength(1, 'At least one value.'),
        v.maxLength(10_000, 'At most 10 000 values.'),
      ),
      'Values',
      'Compared as the type of the column; case counts.',
    ),
  }),
  whole_table: false,
  engines: ['local', 'spark'],
}

const range: Check = {
  title: 'Range',
  meaning: 'The value lies between two bounds, which belong to the range unless said otherwise.',
  nulls: 'A null fails; so does NaN.',
  columns: 'one',
  options: v.pipe(
    v.strictObject({
      min: v.optional(v.nullable(field(bound, 'At least')), null),
      max: v.optional(v.nullable(field(bound, 'At most')), null),
      min_exclusive: v.optional(field(v.boolean(), 'More than'), false),
      max_exclusive: v.optional(field(v.boolean(), 'Less than'), false),
    }),
    v.check(({ min, max }) => min !== null || max !== null, 'Give min, max or both.'),
    v.check(
      ({ min, max }) => typeof min !== 'number' || typeof max !== 'number' || min <= max,
      'min is greater than max: every row would fail.',
    ),
  ),
  whole_table: false,
  engines: ['local', 'spark'],
}

const regex: Check = {
  title: 'Pattern',
  meaning: 'The text matches a regular expression somewhere; ^ and $ tie it to the ends.',
  nulls: 'A null fails.',
  columns: 'one',
  options: v.strictObject({
    pattern: field(
      v.pipe(
        v.string(),
        v.minLength(1, 'Give a pattern.'),
        v.maxLength(10_000, 'At most 10 000 characters.'),
      ),
      'Pattern',
      'What Java and RE2 read alike: no look-around, no back-references.',
    ),
  }),
  whole_table: false,
  engines: ['local', 'spark'],
}

const referential: Check = {
  title: 'Reference',
  meaning: 'The values are found together in a row of another table.',
  nulls: 'A null in one of the columns fails.',
  columns: 'some',
  options: v.strictObject({
    table: field(tableName, 'Table', 'schema.table'),
    columns: field(
      v.pipe(columnNames, v.minLength(1, 'At least one column.')),
      'Columns there',
      'In the order of the columns here.',
    ),
  }),
  whole_table: true,
  engines: ['local', 'spark'],
}

const expression: Check = {
  title: 'Expression',
  meaning: 'A Databricks SQL expression over the row is true.',
  nulls: 'An expression that yields null fails.',
  columns: 'any',
  options: v.strictObject({
    expression: field(sqlText, 'Expression', "amount >= 0 or kind = 'refund'"),
  }),
  whole_table: false,
  engines: ['local', 'spark'],
}

/** By kind of check. */
export const CHECKS = {
  not_null,
  unique,
  accepted_values,
  range,
  regex,
  referential,
  expression,
} satisfies Record<string, Check>

export type CheckKind = keyof typeof CHECKS
export const CHECK_KINDS = Object.keys(CHECKS) as [CheckKind, ...CheckKind[]]

/** What is wrong with a rule's options and columns for its kind of check. */
export function* checkFaults(rule: {
  check: string
  columns: readonly string[]
  options: Record<string, unknown>
}): Generator<Fault> {
  const check: Check | undefined = Object.hasOwn(CHECKS, rule.check)
    ? CHECKS[rule.check as CheckKind]
    : undefined
  if (!check) return
  if (check.columns === 'one' && rule.columns.length !== 1) {
    yield { path: ['columns'], message: `${check.title} looks at exactly one column.` }
  }
  if (check.columns === 'some' && rule.columns.length === 0) {
    yield { path: ['columns'], message: `${check.title} needs at least one column.` }
  }
  yield* faultsOf(check.options, rule.options, ['options'])
  const there = rule.options.columns
  if (
    rule.check === 'referential' &&
    Array.isArray(there) &&
    there.length !== rule.columns.length
  ) {
    yield {
      path: ['options', 'columns'],
      message: 'As many columns there as here.',
    }
  }
}
