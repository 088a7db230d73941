// The few statements that sync sends to a warehouse, as the fake's catalog understands them.
import type { FakeWorld } from './answer.ts'
import type { FakeTable, Json } from './state.ts'

const NAME = '((?:`[^`]+`|[\\w]+)(?:\\.(?:`[^`]+`|[\\w]+)){0,2})'
const TEXT = "'((?:[^'\\\\]|\\\\.|'')*)'"
const COLUMN = '(`[^`]+`|[\\w]+)'

/**
 * Carries a statement out.
 * @throws Error with what a warehouse would say
 */
export function alter(
  fake: FakeWorld,
  statement: string,
): { columns: string[]; rows: unknown[][] } {
  const text = statement.trim().replace(/;$/, '')
  const done = { columns: [], rows: [] }
  let match: RegExpExecArray | null
  const is = (pattern: string) => (match = new RegExp(`^${pattern}$`, 'is').exec(text)) !== null
  const table = (name: string): FakeTable => {
    const plain = plainName(name)
    const found = fake.state.tables[plain]
    if (!found)
      throw new Error(`[TABLE_OR_VIEW_NOT_FOUND] The table or view ${plain} cannot be found.`)
    return found
  }
  const column = (name: string, of: FakeTable): Json => {
    const plain = plainName(name)
    const found = of.columns.find((each) => String(each.name).toLowerCase() === plain)
    if (!found) throw new Error(`[UNRESOLVED_COLUMN] ${plain} is no column of ${of.full_name}.`)
    return found
  }
  if (is('select 1')) return { columns: ['1'], rows: [['1']] }
  if (is(`comment on table ${NAME} is (null|${TEXT})`)) {
    const each = table(match![1]!)
    if (match![3] === undefined) delete each.comment
    else each.comment = unquoted(match![3])
  } else if (
    is(`comment on column ${NAME}\\.${COLUMN} is (null|${TEXT})`) ||
    is(`alter table ${NAME} alter column ${COLUMN} comment (${TEXT})`)
  ) {
    const each = column(match![2]!, table(match![1]!))
    if (match![4] === undefined) delete each.comment
    else each.comment = unquoted(match![4])
  } else if (is(`alter table ${NAME} set tags \\((.*)\\)`)) {
    const each = table(match![1]!)
    const tags: Record<string, string> = { ...(each.tags as Record<string, string> | undefined) }
    for (const pair of match![2]!.matchAll(new RegExp(`${TEXT}\\s*=\\s*${TEXT}`, 'g')))
      tags[unquoted(pair[1]!)] = unquoted(pair[2]!)
    each.tags = tags
  } else if (is(`alter table ${NAME} unset tags \\((.*)\\)`)) {
    const tags = (table(match![1]!).tags ?? {}) as Record<string, string>
    for (const key of match![2]!.matchAll(new RegExp(TEXT, 'g'))) delete tags[unquoted(key[1]!)]
  } else if (is(`create or replace function ${NAME}\\s*\\((.*)`)) {
    fake.state.functions[plainName(match![1]!)] = match![2]!
  } else if (is(`alter table ${NAME} set row filter ${NAME} on \\((.*)\\)`)) {
    const fn = plainName(match![2]!)
    if (!fake.state.functions[fn])
      throw new Error(`[ROUTINE_NOT_FOUND] The function ${fn} cannot be found.`)
    table(match![1]!).row_filter = {
      function_name: fn,
      input_column_names: match![3]!
        .split(',')
        .map((each) => plainName(each.trim()))
        .filter(Boolean),
    }
  } else if (is(`alter table ${NAME} drop row filter`)) {
    delete table(match![1]!).row_filter
  } else if (is(`alter table ${NAME} alter column ${COLUMN} set mask ${NAME}`)) {
    const fn = plainName(match![3]!)
    if (!fake.state.functions[fn])
      throw new Error(`[ROUTINE_NOT_FOUND] The function ${fn} cannot be found.`)
    column(match![2]!, table(match![1]!)).mask = { function_name: fn }
  } else if (is(`alter table ${NAME} alter column ${COLUMN} drop mask`)) {
    delete column(match![2]!, table(match![1]!)).mask
  } else
    throw new Error('[PARSE_SYNTAX_ERROR] Syntax error: the fake does not know this statement.')
  return done
}

function plainName(name: string): string {
  return name.replaceAll('`', '').toLowerCase()
}

function unquoted(text: string): string {
  return text.replaceAll("''", "'").replace(/\\(.)/g, '$1')
}
