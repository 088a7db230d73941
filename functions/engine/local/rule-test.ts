// A rule tried on rows as they are: counted, and some failing rows shown. In the child for queries, which writes nothing.
import { quoteDuckdb, quoteTableDuckdb } from '#core/names.ts'
import { duckdbType } from '#core/types.ts'
import { fail } from '#core/errors.ts'
import { MASK } from '#engine/engine.ts'
import type { RuleTest, RuleTestRequest } from '#engine/engine.ts'
import { judged, named, prepare, sampleList } from './checks.ts'
import type { StepSession } from './session.ts'

/** The session has the request's tables as views. @throws rule_invalid, rule_broken, and what the query fails with */
export async function testRule(
  session: StepSession,
  request: RuleTestRequest,
  versions: Record<string, number>,
): Promise<RuleTest> {
  const started = performance.now()
  const { rule, columns, query, target } = request
  const list = columns.map(
    ({ name, type }) => `cast(${quoteDuckdb(name)} as ${duckdbType(type)}) as ${quoteDuckdb(name)}`,
  )
  const from = query === null ? quoteTableDuckdb(target) : `(${query}\n)`
  await session.run(`create view __tried as select ${list.join(', ')} from ${from}`)
  const tables: string[] = []
  const one = await prepare(
    session,
    rule,
    {
      columns,
      relation: '__tried',
      target: null,
      table: (name) =>
        Object.hasOwn(versions, name)
          ? quoteTableDuckdb(name)
          : fail('table_missing', { table: name }),
    },
    tables,
  )
  const rows = judged('__tried', [one])
  const looked = one.sql.looked ?? 'true'
  const counted = await named(rule, () =>
    session.row(
      `select count(*) as total, count(*) filter (${looked}) as looked, count(*) filter (${one.fails}) as failed,
      count(*) filter (${looked} and (${one.passes}) is null) as unknown from ${rows}`,
    ),
  )
  const samples = await session.rows(
    `select ${sampleList(columns, rule, new Set(request.masked), MASK).join(', ')} from ${rows}
      where ${one.fails} limit ${request.limit}`,
  )
  const rows_failed = Number(counted.failed)
  const rows_checked = Number(counted.looked)
  return {
    rows: Number(counted.total),
    rows_checked,
    rows_passed: rows_checked - rows_failed,
    rows_failed,
    rows_null: Number(counted.unknown),
    applies: rows_failed > 0 && rows_failed / rows_checked > rule.threshold,
    samples: samples as RuleTest['samples'],
    versions,
    duration_ms: Math.round(performance.now() - started),
  }
}
