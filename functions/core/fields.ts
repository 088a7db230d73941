// Pieces that the schemas of configured things share. Titles and descriptions show in forms and in the API's reference.
// Every validation has a message of its own: valibot's ready-made ones quote the value.
import * as v from 'valibot'
import { LakeForgeError } from './errors.ts'
import { NAME, TABLE_NAME } from './names.ts'
import { parseType } from './types.ts'

/** The schema with what a form shows beside it; `v.getTitle`, `getDescription` and `getMetadata` read it back. */
export function field<const Schema extends v.GenericSchema>(
  schema: Schema,
  title: string,
  description = '',
  metadata: Record<string, unknown> = {},
): Schema {
  // typed as the schema itself: the three are no validation, and tripled in every type they slow the compiler down
  return v.pipe(
    schema,
    v.title(title),
    v.description(description),
    v.metadata(metadata),
  ) as unknown as Schema
}

/** A field that may be absent, then `fallback`. */
export function orElse<
  const Schema extends v.GenericSchema,
  const Fallback extends v.InferInput<Schema>,
>(schema: Schema, fallback: Fallback) {
  return v.optional(schema, fallback as never) as unknown as v.OptionalSchema<Schema, Fallback>
}

/** A field that may be absent or null, then null. */
export function orNull<const Schema extends v.GenericSchema>(schema: Schema) {
  return v.optional(v.nullable(schema), null)
}

const BIGGEST = 100_000

/** Text on one line that says something. */
export const line = v.pipe(
  v.string(),
  v.trim(),
  v.minLength(1, 'Say something here.'),
  v.maxLength(1000, 'At most 1000 characters.'),
  v.check((value) => !hasControl(value), 'One line, without control characters.'),
)
export const text = v.pipe(v.string(), v.maxLength(BIGGEST, 'At most 100 000 characters.'))

/** A piece of Databricks SQL; what it says is checked by the dialect, at save. */
export const sqlText = v.pipe(
  v.string(),
  v.check((value) => value.trim() !== '', 'Write an expression, or leave it out.'),
  v.maxLength(BIGGEST, 'At most 100 000 characters.'),
  v.check((value) => !value.includes('\0'), 'No NUL characters.'),
)

export const id = v.pipe(v.string(), v.uuid('Give an id: a uuid.'))
export const name = v.pipe(v.string(), v.regex(NAME, 'Use a-z, 0-9 and _, at most 100 characters.'))
export const tableName = v.pipe(
  v.string(),
  v.regex(TABLE_NAME, 'Write schema.table, each of a-z, 0-9 and _.'),
)
/** Column names are legal in Delta without column mapping, and equal on every engine. */
export const columnName = v.pipe(
  v.string(),
  v.regex(
    /^[A-Za-z_][A-Za-z0-9_]{0,254}$/,
    'Use letters, digits and _, not starting with a digit.',
  ),
)
export const columnNames = v.pipe(
  v.array(columnName),
  v.check((names) => unique(names), 'A column stands here twice.'),
)

/** A whole number within bounds. */
export function whole(min: number, max: number) {
  return v.pipe(
    v.number(),
    v.integer('A whole number.'),
    v.minValue(min, `At least ${min}.`),
    v.maxValue(max, `At most ${max}.`),
  )
}

export const sparkType = v.pipe(
  v.string(),
  v.check(isType, 'Not a Spark type: string, bigint, decimal(10,2), timestamp, array<int>, …'),
)

/** A pinned column. `source_name` is what the source calls it, where that differs. */
export const ColumnField = v.strictObject({
  name: columnName,
  type: sparkType,
  nullable: v.optional(v.boolean(), true),
  source_name: v.optional(v.pipe(v.string(), v.minLength(1, 'Give the name in the source.'))),
})
export const columns = v.pipe(
  v.array(ColumnField),
  v.check(
    (list) => unique(list.map((column) => column.name)),
    'Two columns have the same name (case does not count).',
  ),
  v.maxLength(10_000, 'At most 10 000 columns.'),
)

/** Where a secret lies; never the secret. */
export const secretReference = v.pipe(
  v.string(),
  v.regex(
    /^secret:\/\/[A-Za-z0-9_.-]{1,128}\/[A-Za-z0-9_.-]{1,128}$/,
    'Give a reference, secret://scope/key, never the secret itself.',
  ),
)

/** What every configured thing says of itself. */
export const described = {
  name: field(name, 'Name', 'a-z, 0-9 and _; unique among its kind.'),
  description: orElse(field(text, 'Description'), ''),
  owner: orElse(
    field(
      v.pipe(v.string(), v.maxLength(200, 'At most 200 characters.')),
      'Owner',
      'A person or a team.',
    ),
    '',
  ),
  tags: orElse(
    field(
      v.pipe(
        v.array(v.pipe(line, v.maxLength(200, 'At most 200 characters.'))),
        v.check((list) => new Set(list).size === list.length, 'A tag stands here twice.'),
      ),
      'Tags',
      'Words, or key:value.',
    ),
    [],
  ),
}

/** What the store adds to every configured thing. */
export type Configured = {
  id: string
  /** Grows by one with each change; the ETag. */
  version: number
  created_at: Date
  created_by: string
  updated_at: Date
  updated_by: string
}

/** How an answer shows a stored thing, for the API's reference: its create schema and what the store adds. */
export function storedSchema<Entries extends v.ObjectEntries>(create: { entries: Entries }) {
  return v.object({
    id,
    ...create.entries,
    version: v.number(),
    created_at: v.pipe(v.string(), v.isoTimestamp()),
    created_by: v.string(),
    updated_at: v.pipe(v.string(), v.isoTimestamp()),
    updated_by: v.string(),
  })
}

/** The fields of `row` that `create` knows, with those of `patch` over them: validate it with `create` before a patch is saved. */
export function patched(
  create: { entries: v.ObjectEntries },
  row: Record<string, unknown>,
  patch: Record<string, unknown>,
): Record<string, unknown> {
  const known = Object.keys(create.entries).filter((key) => row[key] !== undefined)
  return { ...Object.fromEntries(known.map((key) => [key, row[key]])), ...patch }
}

/** A fault of several fields together: the path of the one to mend, and what to do. */
export type Fault = { path: (string | number)[]; message: string }

/** The schema, and then `find`, which yields the faults of the whole value. */
export function checked<const Schema extends v.GenericSchema>(
  schema: Schema,
  find: (value: v.InferOutput<Schema>) => Iterable<Fault>,
) {
  return v.pipe(
    schema,
    v.rawCheck(({ dataset, addIssue }) => {
      if (!dataset.typed) return
      for (const { path, message } of find(dataset.value)) {
        addIssue({ message, path: pathOf(dataset.value, path) as never })
      }
    }),
  )
}

/** The faults that `schema` finds in `value`, with their paths below `path`. */
export function faultsOf(
  schema: v.GenericSchema,
  value: unknown,
  path: (string | number)[],
): Fault[] {
  const result = v.safeParse(schema, value)
  return result.success
    ? []
    : result.issues.map((issue) => ({
        path: [...path, ...(issue.path ?? []).map(({ key }) => key as string | number)],
        message: messageOf(issue),
      }))
}

export const NO_SUCH_FIELD = 'There is no such field here.'

/** What an issue says without the value that it is about; in words where valibot speaks of types and keys. */
export function messageOf(issue: { message: string }): string {
  const text = issue.message.replace(/ but received [\s\S]*$/, '')
  if (text === 'Invalid key: Expected never') return NO_SUCH_FIELD
  if (text.startsWith('Invalid key: Expected "')) return 'It is missing.'
  const type = /^Invalid (?:type|value): Expected (.*)$/.exec(text)
  return type ? `Expected ${type[1]}.` : text
}

function pathOf(value: unknown, keys: (string | number)[]): unknown[] {
  let input: unknown = value
  return keys.map((key) => {
    const item = { type: 'unknown', origin: 'value', input, key, value: undefined as unknown }
    input = (input as Record<string | number, unknown> | undefined)?.[key]
    item.value = input
    return item
  })
}

/** Unique ignoring case, as Spark and DuckDB compare names. */
export function unique(names: readonly string[]): boolean {
  return new Set(names.map((each) => each.toLowerCase())).size === names.length
}

function isType(value: string): boolean {
  try {
    parseType(value)
    return true
  } catch (error) {
    if (error instanceof LakeForgeError) return false
    throw error
  }
}

function hasControl(value: string): boolean {
  // oxlint-disable-next-line no-control-regex -- finding them is the point
  return /[\u0000-\u001f\u007f]/.test(value)
}
