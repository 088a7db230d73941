import { DuckDBInstance, type DuckDBConnection } from '@duckdb/node-api'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import vectors from '#core/content-hash.vectors.json' with { type: 'json' }
import { contentSum, formatContentHash, isApproximate, rowText } from '#core/content-hash.ts'
import { literalDuckdb, quoteDuckdb } from '#core/names.ts'
import { duckdbType, parseType, type SparkType } from '#core/types.ts'
import { contentHashSql, rowTextSql } from './content-hash-sql.ts'

let connection: DuckDBConnection
let instance: DuckDBInstance
beforeAll(async () => {
  instance = await DuckDBInstance.create(':memory:', { threads: '2' })
  connection = await instance.connect()
  await connection.run(`SET TimeZone = 'Asia/Kolkata'`)
})
afterAll(() => instance.closeSync())

/** A value of the vectors as a DuckDB expression of exactly its type. */
function sqlValue(type: SparkType, value: unknown): string {
  if (value === null || value === undefined) return `NULL::${duckdbType(type)}`
  const cast = (sql: string) => `(${sql})::${duckdbType(type)}`
  switch (type.kind) {
    case 'string':
      // chr() because a statement can't hold NUL
      return `(${(value as string).split('\0').map(literalDuckdb).join(' || chr(0) || ')})`
    case 'binary':
      return `unhex('${value as string}')`
    case 'date':
      return cast(`DATE '1970-01-01' + ${value as string}`)
    case 'timestamp':
      return `make_timestamptz(${value as string})`
    case 'timestamp_ntz':
      return `make_timestamp(${value as string})`
    case 'array':
      return cast(`[${(value as unknown[]).map((item) => sqlValue(type.element, item)).join()}]`)
    case 'struct': {
      const object = value as Record<string, unknown>
      return cast(
        `{${type.fields.map((f) => `${literalDuckdb(f.name)}: ${sqlValue(f.type, object[f.name])}`).join()}}`,
      )
    }
    case 'map': {
      const entries = value as [unknown, unknown][]
      return cast(
        `map([${entries.map(([key]) => sqlValue(type.key, key)).join()}], [${entries.map(([, item]) => sqlValue(type.value, item)).join()}])`,
      )
    }
    default:
      return cast(`'${String(value)}'`)
  }
}

type Columns = { name: string; type: string; nullable?: boolean }[]

async function hashTable(columns: Columns, rows: Record<string, unknown>[]) {
  await connection.run(
    `CREATE OR REPLACE TEMP TABLE t (__n INTEGER, ${columns.map((c) => `${quoteDuckdb(c.name)} ${duckdbType(c.type)}`).join()})`,
  )
  for (const [n, row] of rows.entries())
    await connection.run(
      `INSERT INTO t VALUES (${n}, ${columns.map((c) => sqlValue(parseType(c.type), row[c.name])).join()})`,
    )
  const texts = await connection.runAndReadAll(`SELECT ${rowTextSql(columns)} FROM t ORDER BY __n`)
  const sum = await connection.runAndReadAll(`SELECT ${contentHashSql(columns)} FROM t`)
  return {
    texts: texts.getRows().map((row) => row[0]),
    hash: formatContentHash({
      sum: sum.getRows()[0]![0] as bigint,
      approximate: isApproximate(columns),
    }),
  }
}

describe.each(vectors)('vector: $name', ({ columns, rows, content_hash }) => {
  it('gives the same texts and the same content hash as the reference', async () => {
    // DuckDB has no two columns that differ only by case, and neither has a table of ours.
    const kept = columns.filter((column) => column.name !== 'B')
    const found = await hashTable(
      kept,
      rows.map((row) => row.value),
    )
    if (kept.length === columns.length) {
      expect(found.texts).toEqual(rows.map((row) => row.text))
      expect(found.hash).toBe(content_hash)
    } else
      expect(found.texts).toEqual(
        rows.map((row) => rowText(kept, row.value as Record<string, string>)),
      )
  })
})

it('takes a column that holds no null at its word, and answers the same', async () => {
  const columns = [
    { name: 'a', type: 'int', nullable: false },
    { name: 'b', type: 'string', nullable: true },
  ]
  const rows = [
    { a: 1, b: null },
    { a: 2, b: ';a=1' },
  ]
  const { hash } = await hashTable(columns, rows)
  expect(hash).toBe(formatContentHash(contentSum(columns, rows)))
})

it('gives a NaN with a sign the same text', async () => {
  const answer = await connection.runAndReadAll(
    `SELECT ${rowTextSql([{ name: 'd', type: 'double' }])} FROM (SELECT -('nan'::DOUBLE) AS d)`,
  )
  expect(answer.getRows()).toEqual([[';d=nan']])
})

it('sums beyond 64 bits without loss', async () => {
  const columns = [{ name: 'i', type: 'bigint' }]
  const answer = await connection.runAndReadAll(
    `SELECT ${contentHashSql(columns)} FROM (SELECT range AS i FROM range(10000))`,
  )
  const rows = Array.from({ length: 10_000 }, (_, i) => ({ i }))
  expect(answer.getRows()[0]![0]).toBe(contentSum(columns, rows).sum)
})
