// Every case against the answer of a real Spark (answers/, made by make.sh): the same value and type, an error on both
// sides, or a refusal by name. Nothing may be silently different.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

import {
  DuckDBBlobValue,
  DuckDBInstance,
  DuckDBListValue,
  DuckDBMapValue,
  DuckDBStructValue,
  DuckDBTimestampTZValue,
  type DuckDBConnection,
  type DuckDBValue,
} from '@duckdb/node-api'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { LakeForgeError } from '#core/errors.ts'
import { quoteDuckdb } from '#core/names.ts'
import { duckdbType, type Column } from '#core/types.ts'
import { analyzeExpression, analyzeQuery, PRELUDE, type Relation } from '../index.ts'

type Table = { columns: Record<string, string>; rows: unknown[][] }
type Case = Partial<Table> & {
  expressions?: string[]
  tables?: Record<string, Table>
  queries?: string[]
}
type Failure = { error: string }
type Answer =
  | Failure
  | { type: string; nullable: boolean; values: unknown[] }
  | { columns: Column[]; rows: unknown[][] }

const folder = import.meta.dirname
const read = <T>(kind: string, name: string): T =>
  JSON.parse(readFileSync(join(folder, kind, `${name}.json`), 'utf8')) as T
/**
 * Cases that Spark answers and we refuse, one a line: `file: sql`. A case leaves this list when it is supported; one that
 * joins it must be meant to.
 */
const refused = new Set(
  readFileSync(join(folder, 'refused.txt'), 'utf8')
    .split('\n')
    .filter((line) => line !== ''),
)

/** Functions of which neither Java nor C promises the last digit, and sums whose order is free. */
const APPROXIMATE =
  /\b(?:exp|ln|log|log2|log10|pow|power|degrees|radians|std\w*|var\w*|stddev\w*|avg|sum|a?sinh?|a?cosh?|a?tanh?|atan2|cot|csc|sec|cbrt|hypot|expm1|log1p|corr|covar_\w+|regr_\w+|skewness|kurtosis|percentile\w*|median|try_avg|try_sum)\s*\(/

/** Errors of ours where Spark has a value: ones that we raise by design, and the ends of DuckDB's calendar. */
const STOPS =
  /LAKEFORGE:UNSUPPORTED_VALUE|Date out of range|Timestamp(?:TZ)? .*out of range|Overflow in (?:date|timestamp)/

const isFailure = (answer: unknown): answer is Failure =>
  typeof answer === 'object' && answer !== null && !Array.isArray(answer) && 'error' in answer

function columnsOf(columns: Record<string, string>): Column[] {
  return Object.entries(columns).map(([name, text]) => ({
    name,
    type: text.replace(' not null', ''),
    nullable: !text.endsWith(' not null'),
  }))
}

async function makeTable(duckdb: DuckDBConnection, name: string, table: Table): Promise<void> {
  const columns = columnsOf(table.columns)
  const quoted = name.split('.').map(quoteDuckdb).join('.')
  const list = columns.map((column) => `${quoteDuckdb(column.name)} ${duckdbType(column.type)}`)
  await duckdb.run(`create or replace table ${quoted}(i_ integer, ${list.join(', ')})`)
  for (const [i, row] of table.rows.entries()) {
    const values = columns.map((column, j) => {
      const value = row[j]
      if (value === null) return 'NULL'
      const text = typeof value === 'string' ? value : JSON.stringify(value)
      const literal = `'${text.replaceAll("'", "''")}'`
      const type = duckdbType(column.type)
      if (type === 'BLOB') return `unhex(${literal})`
      return typeof value === 'string'
        ? `CAST(${literal} AS ${type})`
        : `CAST(CAST(${literal} AS JSON) AS ${type})`
    })
    await duckdb.run(`insert into ${quoted} values (${[i, ...values].join(', ')})`)
  }
}

/** A value of DuckDB in the form of the answers. */
function show(value: DuckDBValue): unknown {
  if (value === null) return null
  if (typeof value === 'boolean' || typeof value === 'bigint') return String(value)
  if (typeof value === 'number')
    return Number.isInteger(value) && !Object.is(value, -0) ? String(value) : value
  if (value instanceof DuckDBListValue) return value.items.map(show)
  if (value instanceof DuckDBStructValue)
    return Object.fromEntries(Object.entries(value.entries).map(([key, each]) => [key, show(each)]))
  if (value instanceof DuckDBMapValue)
    return Object.fromEntries(
      value.entries.map(({ key, value: each }) => [String(key), show(each)]),
    )
  if (value instanceof DuckDBBlobValue) return Buffer.from(value.bytes).toString('hex')
  const text =
    value instanceof DuckDBTimestampTZValue ? String(value).replace(/\+00$/, '') : String(value)
  if (typeof value === 'string') return text
  // Spark's text of years beyond 9999 and before 1.
  const early = /^\+?(\d{4,})(-\d\d-\d\d) \(BC\)(.*)$/.exec(text)
  if (early) {
    const year = String(Number(early[1]) - 1)
    return `${year === '0' ? '' : '-'}${year.padStart(4, '0')}${early[2]}${early[3]}`
  }
  return /^\d{5,}-\d\d-\d\d/.test(text) ? `+${text}` : text
}

/** Whether both say the same; floats by their value, to 14 digits if `approximate`. */
function equal(ours: unknown, spark: unknown, approximate: boolean): boolean {
  if (Array.isArray(spark))
    return (
      Array.isArray(ours) &&
      ours.length === spark.length &&
      spark.every((each, i) => equal(ours[i], each, approximate))
    )
  if (spark !== null && typeof spark === 'object')
    return (
      ours !== null &&
      typeof ours === 'object' &&
      // Python gets the entries of a map in any order.
      Object.keys(ours).sort().join('\0') === Object.keys(spark).sort().join('\0') &&
      Object.entries(spark).every(([key, each]) =>
        equal((ours as Record<string, unknown>)[key], each, approximate),
      )
    )
  if (ours === spark) return true
  if (typeof spark !== 'string' || (typeof ours !== 'string' && typeof ours !== 'number'))
    return false
  if (!/^-?(?:\d+\.?\d*(?:e[+-]?\d+)?|inf|nan)$/.test(spark)) return false
  const [a, b] = [
    Number(ours),
    spark === 'nan'
      ? NaN
      : spark.endsWith('inf')
        ? Number(spark.replace('inf', 'Infinity'))
        : Number(spark),
  ]
  // Whole doubles come as 1.0 from Spark; decimals have kept their digits as texts on both sides.
  if (
    typeof ours === 'string' &&
    !/^-?\d+$/.test(ours) &&
    !['NaN', 'Infinity', '-Infinity'].includes(ours)
  )
    return false
  if (Object.is(a, b)) return true
  return approximate && Math.abs(a - b) <= 1e-14 * Math.max(Math.abs(a), Math.abs(b))
}

const totals = { same: 0, errors: 0, refused: 0, stopped: 0 }
const problems: string[] = []

let duckdb: DuckDBConnection
beforeAll(async () => {
  duckdb = await (await DuckDBInstance.create(':memory:')).connect()
  for (const statement of PRELUDE) await duckdb.run(statement)
  await duckdb.run('create schema s')
})

afterAll(() => console.log(`Edge values: ${JSON.stringify(totals)}`))

async function values(sql: string): Promise<DuckDBValue[][]> {
  return (await duckdb.runAndReadAll(sql)).getRows()
}

const names = readdirSync(join(folder, 'cases')).map((file) => file.replace('.json', ''))
describe.each(names)('%s', (name) => {
  const cases = read<Case>('cases', name)
  let answers: Record<string, Answer>
  beforeAll(() => {
    answers = read('answers', name)
  })

  /** The refusal's code; undefined if analysis accepts. Checks it against what Spark and the list say. */
  async function accepted<T>(
    sql: string,
    answer: Answer,
    analyze: () => Promise<T>,
  ): Promise<T | undefined> {
    const line = `${name}: ${sql.replaceAll('\n', '\\n')}`
    try {
      const result = await analyze()
      if (refused.has(line)) problems.push(`${line}: supported now, take it off refused.txt`)
      return result
    } catch (error) {
      if (!(error instanceof LakeForgeError) || error.status !== 422) throw error
      if (!isFailure(answer) && !refused.has(line))
        problems.push(`${line}: refused: ${error.message}`)
      totals.refused++
      return undefined
    }
  }

  if (cases.expressions)
    it('says what Spark says', async () => {
      const table = { columns: cases.columns!, rows: cases.rows! }
      await makeTable(duckdb, 's.case', table)
      const columns = columnsOf(table.columns)
      problems.length = 0
      for (const sql of cases.expressions!) {
        const answer = answers[sql]
        if (!answer) {
          problems.push(`${sql}: no answer; run make.sh`)
          continue
        }
        const ours = await accepted(sql, answer, () => analyzeExpression(sql, columns))
        if (!ours) continue
        if (isFailure(answer) || !('values' in answer)) {
          problems.push(
            `${sql}: Spark refuses (${JSON.stringify(answer)}), we don't: ${ours.duckdb}`,
          )
          continue
        }
        if (ours.type.toLowerCase() !== answer.type.toLowerCase())
          problems.push(`${sql}: type ${ours.type}, Spark ${answer.type}`)
        if (ours.nullable !== answer.nullable)
          problems.push(`${sql}: nullable ${ours.nullable}, Spark ${answer.nullable}`)
        const all = await values(`select ${ours.duckdb} from s.case order by i_`).catch(
          () => undefined,
        )
        for (const [i, spark] of answer.values.entries()) {
          let found: unknown
          try {
            found = show(
              all
                ? all[i]![0]!
                : (await values(`select ${ours.duckdb} from s.case where i_ = ${i}`))[0]![0]!,
            )
          } catch (error) {
            const message = String(error).split('\n')[0]!
            if (isFailure(spark)) totals.errors++
            else if (STOPS.test(message)) totals.stopped++
            else
              problems.push(
                `${sql} [${i}] ${JSON.stringify(table.rows[i])}: ${message}, Spark ${JSON.stringify(spark)}`,
              )
            continue
          }
          if (isFailure(spark))
            problems.push(
              `${sql} [${i}] ${JSON.stringify(table.rows[i])}: ${JSON.stringify(found)}, Spark fails with ${spark.error}`,
            )
          else if (!equal(found, spark, APPROXIMATE.test(sql)))
            problems.push(
              `${sql} [${i}] ${JSON.stringify(table.rows[i])}: ${JSON.stringify(found)}, Spark ${JSON.stringify(spark)}`,
            )
          else totals.same++
        }
      }
      expect(problems.join('\n')).toBe('')
    })

  if (cases.queries)
    it('answers queries as Spark does', async () => {
      const relations: Relation[] = []
      for (const [table, each] of Object.entries(cases.tables!)) {
        await makeTable(duckdb, table, each)
        relations.push({ name: table, columns: columnsOf(each.columns) })
      }
      problems.length = 0
      for (const sql of cases.queries!) {
        const answer = answers[sql]
        if (!answer) {
          problems.push(`${sql}: no answer; run make.sh`)
          continue
        }
        const ours = await accepted(sql, answer, () => analyzeQuery(sql, relations))
        if (!ours) continue
        let rows: unknown[][]
        try {
          rows = (await values(ours.duckdb)).map((row) => row.map(show))
        } catch (error) {
          if (isFailure(answer)) totals.errors++
          else problems.push(`${sql}: ${String(error).split('\n')[0]}\n    ${ours.duckdb}`)
          continue
        }
        if (isFailure(answer) || !('rows' in answer)) {
          problems.push(
            `${sql}: ${JSON.stringify(rows)}, Spark fails with ${JSON.stringify(answer)}`,
          )
          continue
        }
        const shape = (list: Column[]) =>
          JSON.stringify(list.map((column) => [column.name, column.type, column.nullable]))
        // We don't track which arrays hold no NULL, and call what comes out of them nullable.
        const columns = /explode\(|inline\(/.test(sql)
          ? answer.columns.map((column, i) => ({
              ...column,
              nullable: column.nullable || ours.columns[i]?.nullable === true,
            }))
          : answer.columns
        if (shape(ours.columns) !== shape(columns))
          problems.push(`${sql}: ${shape(ours.columns)}, Spark ${shape(answer.columns)}`)
        if (!equal(rows, answer.rows, APPROXIMATE.test(sql)))
          problems.push(`${sql}: ${JSON.stringify(rows)}, Spark ${JSON.stringify(answer.rows)}`)
        else totals.same += rows.length
      }
      expect(problems.join('\n')).toBe('')
    })
})
