// sql: a question to the tables.
import type { QueryResult } from '#engine/engine.ts'
import { count, paint, table, words } from './io.ts'
import { usage } from './client.ts'
import { ENV } from './verb.ts'
import type { Verb } from './verb.ts'

export const sql: Verb = {
  name: 'sql',
  takes: '"<query>"',
  summary: 'Ask the tables: read-only Databricks SQL over their current versions.',
  about: ['- reads the query from stdin.'],
  options: {
    env: ENV,
    limit: { type: 'string', value: 'rows', help: 'At most so many rows; else 1000.' },
  },
  formats: ['table', 'md', 'csv', 'json'],
  least: 1,
  most: 1,
  examples: [
    'lakeforge sql "select origin, count(*) as n from silver.flights group by origin order by n desc limit 5"',
    'lakeforge sql - --format csv < question.sql > answer.csv',
  ],
  async run({ io, args, options, format, client }) {
    const limit = options.limit === undefined ? 1000 : Number(options.limit)
    if (!Number.isInteger(limit) || limit < 1 || limit > 100_000)
      usage('--limit is a whole number from 1 to 100000.', 'lakeforge help sql')
    const query = args[0] === '-' ? await stdin() : args[0]!
    const result = await (
      await client()
    ).post<QueryResult>('/api/sql', {
      sql: query,
      limit,
      ...(options.env && { environment: options.env }),
    })
    if (format === 'json') io.out(JSON.stringify(result))
    else if (format === 'csv') io.out((await import('../sql.ts')).csv(result, '\n').slice(0, -1))
    else {
      const columns = result.columns.map(({ name, type }, index) => ({
        title: name,
        right: /^(tinyint|smallint|int|bigint|float|double|decimal)/.test(type),
        of: (row: unknown[]) => cell(row[index]),
      }))
      for (const line of table(io, result.rows, columns, format === 'md' ? 'md' : 'text'))
        io.out(line)
      const more = result.truncated ? `; there are more: --limit ${limit * 10}` : ''
      if (format === 'table') io.err(paint(io, 'dim', `${words(result.rows.length, 'row')}${more}`))
    }
    if (result.truncated && format !== 'table' && format !== 'json')
      io.err(`Only the first ${count(limit)} rows: give --limit.`)
    return 0
  },
}

function cell(value: unknown): string {
  if (value === null) return 'NULL'
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

async function stdin(): Promise<string> {
  const parts: Buffer[] = []
  for await (const part of process.stdin) parts.push(part as Buffer)
  return Buffer.concat(parts).toString('utf8')
}
