// What Unity Catalog is told about the tables: comments, tags, masks, row filters, grants, and the schemas and volumes that they
// lie in. Pure. Statements are built here and nowhere else; every name is quoted, every text a literal.
import { quoteSpark } from '#core/names.ts'
import type { ColumnPolicy } from '#core/table-config.ts'

/** What metadata says of a table beside how it is made. */
export type TableLabels = {
  group: string
  target: string
  description: string
  owner: string
  tags: string[]
  column_policies: ColumnPolicy[]
  row_filter: string | null
  grants: { principal: string; privileges: string[] }[]
  columns: { name: string; type: string }[]
}

export type TableSpec = {
  table: string
  comment: string | null
  tags: Record<string, string>
  columns: Record<string, { comment?: string; mask?: string }>
  row_filter: { function: string; columns: string[]; body: string; types: string[] } | null
  /** Principal -> privileges, sorted. */
  grants: Record<string, string[]>
}

/** Members of this group of the account see what is masked. */
export const PII_READERS = 'lakeforge_pii_readers'

export type CatalogPlace = { catalog: string; prefix: string; ops_schema: string }

export function fullName(place: { catalog: string; prefix: string }, target: string): string {
  return `${place.catalog}.${place.prefix}${target}`.toLowerCase()
}

/** Null where metadata says nothing about the table. */
export function tableSpec(labels: TableLabels, place: CatalogPlace): TableSpec | null {
  const columns: TableSpec['columns'] = {}
  for (const policy of labels.column_policies) {
    const name = policy.rename ?? policy.column
    const type = labels.columns.find((each) => each.name.toLowerCase() === name.toLowerCase())?.type
    if (type === undefined) continue
    const entry = {
      ...(policy.comment !== null && policy.comment !== '' && { comment: policy.comment }),
      ...(policy.pii &&
        policy.policy === null && {
          mask: `${place.catalog}.${place.ops_schema}.mask_${maskName(type)}`.toLowerCase(),
        }),
    }
    if (Object.keys(entry).length > 0) columns[name.toLowerCase()] = entry
  }
  const spec: TableSpec = {
    table: fullName(place, labels.target),
    comment: labels.description === '' ? null : labels.description,
    tags: Object.fromEntries([...labels.tags].sort().map((tag) => [tag, ''])),
    columns,
    row_filter: labels.row_filter === null ? null : rowFilter(labels, place),
    grants: Object.fromEntries(
      [...labels.grants]
        .sort((a, b) => (a.principal < b.principal ? -1 : 1))
        .map(({ principal, privileges }) => [
          principal,
          [...new Set(privileges.map((each) => each.toUpperCase().replaceAll(' ', '_')))].sort(),
        ]),
    ),
  }
  const empty =
    spec.comment === null &&
    spec.row_filter === null &&
    [spec.tags, spec.columns, spec.grants].every((each) => Object.keys(each).length === 0)
  return empty ? null : spec
}

function maskName(type: string): string {
  return type
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '_')
    .replace(/_+$/, '')
}

/** A function over the columns that the filter speaks of; those are found by their names in it. */
function rowFilter(labels: TableLabels, place: CatalogPlace): TableSpec['row_filter'] {
  const words = new Set(
    (labels.row_filter!.replace(/'(?:[^'\\]|\\.)*'/g, ' ').match(/[A-Za-z_]\w*/g) ?? []).map(
      (word) => word.toLowerCase(),
    ),
  )
  const used = labels.columns.filter((column) => words.has(column.name.toLowerCase()))
  return {
    function:
      `${place.catalog}.${place.ops_schema}.filter_${labels.target.replace('.', '__')}`.toLowerCase(),
    columns: used.map((column) => column.name.toLowerCase()),
    types: used.map((column) => column.type),
    body: labels.row_filter!,
  }
}

/** How the catalog stands, in the same shape; what we know nothing about is left out. */
export type TableState = Pick<TableSpec, 'comment' | 'columns' | 'tags'> & {
  row_filter: { function: string; columns: string[]; body?: string } | null
}

/**
 * The statements that take a table from `now` to `wanted`, functions first: a mask that can't be made stops everything after it.
 * `former` is what was applied before: what it had and `wanted` has not is taken away.
 */
export function tableStatements(
  wanted: TableSpec,
  now: TableState,
  types: Record<string, string>,
): string[] {
  const table = dotted(wanted.table)
  const statements: string[] = []
  for (const [name, { mask }] of Object.entries(wanted.columns)) {
    if (mask === undefined || now.columns[name]?.mask === mask) continue
    const type = types[name] ?? 'string'
    statements.push(
      `create or replace function ${dotted(mask)}(value ${type}) return case when is_account_group_member(${literal(PII_READERS)}) then value else cast(null as ${type}) end`,
      `alter table ${table} alter column ${quoteSpark(name)} set mask ${dotted(mask)}`,
    )
  }
  if (wanted.row_filter !== null) {
    const { function: fn, columns, types: kinds, body } = wanted.row_filter
    if (
      now.row_filter?.function !== fn ||
      now.row_filter.columns.join() !== columns.join() ||
      now.row_filter.body !== body
    ) {
      const args = columns.map((name, index) => `${quoteSpark(name)} ${kinds[index]}`).join(', ')
      statements.push(
        `create or replace function ${dotted(fn)}(${args}) return (${body}\n)`,
        `alter table ${table} set row filter ${dotted(fn)} on (${columns.map(quoteSpark).join(', ')})`,
      )
    }
  } else if (now.row_filter !== null) statements.push(`alter table ${table} drop row filter`)
  for (const [name, { mask }] of Object.entries(now.columns))
    if (mask !== undefined && wanted.columns[name]?.mask === undefined)
      statements.push(`alter table ${table} alter column ${quoteSpark(name)} drop mask`)
  if (wanted.comment !== now.comment)
    statements.push(
      `comment on table ${table} is ${wanted.comment === null ? 'null' : literal(wanted.comment)}`,
    )
  for (const name of new Set([...Object.keys(wanted.columns), ...Object.keys(now.columns)])) {
    const comment = wanted.columns[name]?.comment
    if (comment !== now.columns[name]?.comment)
      statements.push(
        `alter table ${table} alter column ${quoteSpark(name)} comment ${literal(comment ?? '')}`,
      )
  }
  const set = Object.entries(wanted.tags).filter(([key, value]) => now.tags[key] !== value)
  if (set.length > 0)
    statements.push(
      `alter table ${table} set tags (${set.map(([key, value]) => `${literal(key)} = ${literal(value)}`).join(', ')})`,
    )
  const gone = Object.keys(now.tags).filter((key) => wanted.tags[key] === undefined)
  if (gone.length > 0)
    statements.push(`alter table ${table} unset tags (${gone.map(literal).join(', ')})`)
  return statements
}

function dotted(name: string): string {
  return name.split('.').map(quoteSpark).join('.')
}

/** A text literal of Databricks SQL: backslashes and quotes are escaped. */
function literal(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
}
