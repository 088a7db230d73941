// Queries in the child: tables at their versions as views, one select, rows as JSON.
import { PRELUDE } from '#dialect/index.ts'
import { fail } from '#core/errors.ts'
import { literalDuckdb, quoteDuckdb } from '#core/names.ts'
import { MASK } from '#engine/engine.ts'
import type { QueryRequest, QueryResult, RuleTest, RuleTestRequest } from '#engine/engine.ts'
import { duckdbScan, readSnapshot } from './delta.ts'
import { duckdbError } from './duckdb-error.ts'
import { sparkType } from './extractors/duckdb-types.ts'
import { tableDir } from './layout.ts'
import type { ChildSettings } from './protocol.ts'
import { testRule } from './rule-test.ts'
import { openSession, type StepSession } from './session.ts'

export type Queries = {
  /** @throws table_missing, sql_failed, step_interrupted once the signal aborts, … */
  run(request: QueryRequest, signal: AbortSignal): Promise<QueryResult>
  /** @throws as `run`, and rule_invalid, rule_broken */
  testRule(request: RuleTestRequest, signal: AbortSignal): Promise<RuleTest>
  temp: string
}

/** Opens DuckDB for queries. It can read the lake and nothing else; what isn't a select doesn't parse. */
export async function openQueries(settings: ChildSettings): Promise<Queries> {
  const session = await openSession({ ...settings, prelude: PRELUDE })
  /** With the tables at their versions as views, on a connection of its own. */
  const reading = async <T>(
    tables: QueryRequest['tables'],
    signal: AbortSignal,
    work: (own: StepSession, versions: Record<string, number>) => Promise<T>,
  ): Promise<T> => {
    const own = await session.open(new Date().toISOString())
    const interrupt = () => own.interrupt()
    signal.addEventListener('abort', interrupt)
    if (signal.aborted) interrupt()
    try {
      const versions: Record<string, number> = {}
      for (const { table, version, masked = [] } of tables) {
        const dir = tableDir(settings.root, table)
        const snapshot =
          (await readSnapshot(dir, { version, connection: own.connection })) ??
          fail('table_missing', { table })
        versions[table] = snapshot.version
        const there = new Set(snapshot.columns.map(({ name }) => name))
        const mask = replacing(masked.filter((name) => there.has(name)))
        await own.view(table, `select *${mask} from ${duckdbScan(snapshot)}`)
      }
      return await work(own, versions)
    } catch (error) {
      throw duckdbError(error)
    } finally {
      signal.removeEventListener('abort', interrupt)
      await own.close()
    }
  }

  return {
    temp: session.temp,
    run: (request, signal) =>
      reading(request.tables, signal, async (own, versions) => {
        const limit = Math.max(0, Math.floor(request.limit))
        // In parentheses only a select parses, the line end closes a comment, and no two statements can be prepared.
        const statement = await own.connection.prepare(
          `select * from (${request.sql}\n) limit ${limit + 1}`,
        )
        const read = await statement.runAndReadAll()
        const rows = read.getRowsJson() as unknown[][]
        const types = read.columnTypes()
        return {
          columns: read
            .columnNames()
            .map((name, i) => ({ name, type: sparkType(String(types[i])) })),
          rows: rows.slice(0, limit),
          truncated: rows.length > limit,
          versions,
        }
      }),
    testRule: (request, signal) =>
      reading(
        request.tables.map((table) => ({ table, version: null })),
        signal,
        (own, versions) => testRule(own, request, versions),
      ),
  }
}

/** The part of a select that puts the mask in place of the values of these columns; nulls stay. */
function replacing(masked: readonly string[]): string {
  if (masked.length === 0) return ''
  const each = masked.map((name) => {
    const column = quoteDuckdb(name)
    return `case when ${column} is null then null else ${literalDuckdb(MASK)} end as ${column}`
  })
  return ` replace (${each.join(', ')})`
}
