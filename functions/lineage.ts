// Which table and column was made from which: up- or downstream of one table, or all of an environment.
import { Hono } from 'hono'
import { describeRoute } from 'hono-openapi'
import * as v from 'valibot'
import { columnEdges } from './column-lineage.ts'
import { need, validate, wholeNumber } from './request.ts'
import type { Env } from './request.ts'
import { readGraph } from './table-graph.ts'
import { environmentOf } from './tables.ts'

const Query = v.object({
  table: v.optional(v.pipe(v.string(), v.maxLength(300))),
  column: v.optional(v.pipe(v.string(), v.maxLength(300))),
  environment: v.optional(v.pipe(v.string(), v.maxLength(100))),
  direction: v.optional(v.picklist(['up', 'down', 'both'])),
  depth: v.optional(wholeNumber(0, 99)),
})

const GraphQuery = v.object({ environment: v.optional(v.pipe(v.string(), v.maxLength(100))) })
const ColumnQuery = v.object({
  table: v.pipe(v.string(), v.maxLength(300)),
  column: v.pipe(v.string(), v.maxLength(300)),
  direction: v.optional(v.picklist(['up', 'down', 'both'])),
})

type Edge = {
  from_table: string
  from_column: string | null
  to_table: string
  to_column: string | null
  last_batch_id: string
}

/** More edges than anyone can look at; a filter by table shows the rest. */
const MOST_EDGES = 20_000

export const lineage = new Hono<Env>()
  .get(
    '/',
    describeRoute({
      tags: ['lineage'],
      summary: 'Edges between tables, and with a column between columns',
    }),
    validate('query', Query),
    async (c) => {
      need(c, 'viewer')
      const sql = c.var.sql
      const { table, column, environment, direction = 'both', depth = 20 } = c.req.valid('query')
      const where = sql`
      environment_id = (
        select id from config.environment where ${environment ? sql`name = ${environment}` : sql`is_default`}
      )
      and ${column ? sql`to_column is not null` : sql`to_column is null`}
    `
      if (table === undefined) {
        const edges = await sql<Edge[]>`
        select from_table, from_column, to_table, to_column, last_batch_id
        from logging.lineage where ${where} order by to_table, from_table limit ${MOST_EDGES}
      `
        return c.json({ edges })
      }
      const walk = (down: boolean) => sql<Edge[]>`
      with recursive walk as (
        select e.*, 1 as hop from logging.lineage e
        where ${where}
          and ${down ? sql`from_table` : sql`to_table`} = ${table}
          ${column ? sql`and ${down ? sql`from_column` : sql`to_column`} = ${column}` : sql``}
        union
        select e.*, walk.hop + 1 from logging.lineage e
        join walk on ${down ? sql`e.from_table = walk.to_table` : sql`e.to_table = walk.from_table`}
          ${column ? sql`and ${down ? sql`e.from_column = walk.to_column` : sql`e.to_column = walk.from_column`}` : sql``}
        where e.environment_id = walk.environment_id and ${column ? sql`e.to_column is not null` : sql`e.to_column is null`}
          and walk.hop < ${depth}
      )
      select distinct from_table, from_column, to_table, to_column, last_batch_id from walk
      order by to_table, from_table limit ${MOST_EDGES}
    `
      const edges = [
        ...(direction === 'down' ? [] : await walk(false)),
        ...(direction === 'up' ? [] : await walk(true)),
      ]
      return c.json({ edges })
    },
  )
  .get(
    '/graph',
    describeRoute({
      tags: ['lineage'],
      summary:
        'Every source, raw object and table with its last run, and what is made from what, in one answer',
    }),
    validate('query', GraphQuery),
    async (c) => {
      need(c, 'viewer')
      const sql = c.var.sql
      const environment = await environmentOf(sql, c.req.valid('query').environment)
      const graph = await readGraph(sql, environment.id)
      return c.json({ environment: environment.name, ...graph })
    },
  )
  .get(
    '/columns',
    describeRoute({
      tags: ['lineage'],
      summary: 'Where a column comes from and where it goes, with the SQL on the way',
    }),
    validate('query', ColumnQuery),
    async (c) => {
      need(c, 'viewer')
      const { table, column, direction = 'both' } = c.req.valid('query')
      const edges = await columnEdges(c.var.sql, c.var.deps.dialect, { table, column }, direction)
      return c.json({ edges })
    },
  )
