// Where a column comes from and where it goes, with the expression on each step of the way. From the metadata: what the SQL check
// found when it was saved.
import type { BronzeConfig } from '#core/bronze-config.ts'
import type { GoldConfig } from '#core/gold-config.ts'
import type { RawConfig } from '#core/raw-config.ts'
import type { SilverConfig } from '#core/silver-config.ts'
import type { Db } from '#sql/db.ts'
import type { DialectDoor } from './sql-check.ts'

/** `table` is as in the graph of tables: schema.table, or `raw:<source>.<name>`. */
export type ColumnRef = { table: string; column: string }
export type ColumnEdge = {
  from: ColumnRef
  to: ColumnRef
  /** The SQL that makes the target; null where the value is taken over, or the SQL can't be cut into columns. */
  expression: string | null
  kind: 'passthrough' | 'derived' | 'masked' | 'hashed'
}

/** Longer ways than this nobody has built; it ends a walk that metadata in change might send in circles. */
const MOST_HOPS = 50

/** All edges up- and downstream of one column, nearest first. Reads level by level, and only configs on the way. */
export async function columnEdges(
  sql: Db,
  door: DialectDoor,
  start: ColumnRef,
  direction: 'up' | 'down' | 'both',
): Promise<ColumnEdge[]> {
  const found = new Map<string, ColumnEdge>()
  const reader = makeReader(sql, door)
  for (const down of [false, true]) {
    if (direction === (down ? 'up' : 'down')) continue
    const seen = new Set([keyOf(start)])
    let level = [start]
    for (let hop = 0; level.length > 0 && hop < MOST_HOPS; hop++) {
      const tables = [...new Set(level.map((ref) => ref.table))]
      const wanted = new Set(level.map(keyOf))
      const edges = (await (down ? reader.outOf(tables) : reader.into(tables))).filter((edge) =>
        wanted.has(keyOf(down ? edge.from : edge.to)),
      )
      for (const edge of edges) found.set(`${keyOf(edge.from)} ${keyOf(edge.to)}`, edge)
      level = edges
        .map((edge) => (down ? edge.to : edge.from))
        .filter((ref) => !seen.has(keyOf(ref)) && seen.add(keyOf(ref)))
    }
  }
  return [...found.values()]
}

type BronzeRow = Pick<BronzeConfig, 'target' | 'column_policies'> &
  Pick<RawConfig, 'columns'> & { raw: string }

function makeReader(sql: Db, door: DialectDoor) {
  const bronzes = (where: ReturnType<Db>) => sql<BronzeRow[]>`
    select b.target, b.column_policies, r.columns, 'raw:' || s.name || '.' || r.name as raw
    from config.bronze_config b join config.raw_config r on r.id = b.raw_id join config.source s on s.id = r.source_id
    where ${where}
  `
  const edgesOf = async (
    bronze: BronzeRow[],
    silver: SilverConfig[],
    gold: GoldConfig[],
  ): Promise<ColumnEdge[]> => [
    ...bronze.flatMap(bronzeEdges),
    ...silver.flatMap(silverEdges),
    ...(await Promise.all(gold.map((config) => goldEdges(config, door)))).flat(),
  ]
  return {
    /** Edges that end in these tables. */
    into: async (tables: string[]) =>
      edgesOf(
        await bronzes(sql`b.target = any (${tables})`),
        await sql<
          SilverConfig[]
        >`select * from config.silver_config where target = any (${tables})`,
        await sql<GoldConfig[]>`select * from config.gold_config where target = any (${tables})`,
      ),
    /** Edges that begin in these tables. */
    outOf: async (tables: string[]) => {
      const readers = await sql<{ reader_id: string }[]>`
        select distinct reader_id from config.input where target = any (${tables})
      `
      const ids = readers.map((row) => row.reader_id)
      return edgesOf(
        await bronzes(sql`'raw:' || s.name || '.' || r.name = any (${tables})`),
        await sql<
          SilverConfig[]
        >`select * from config.silver_config where id = any (${ids}::uuid[])`,
        await sql<GoldConfig[]>`select * from config.gold_config where id = any (${ids}::uuid[])`,
      )
    },
  }
}

function bronzeEdges({ target, column_policies, columns, raw }: BronzeRow): ColumnEdge[] {
  return columns.flatMap((column): ColumnEdge[] => {
    const policy = column_policies.find((each) => each.column === column.name)
    if (policy?.policy === 'exclude') return []
    return [
      {
        from: { table: raw, column: column.name },
        to: { table: target, column: policy?.rename ?? column.name },
        expression: null,
        kind:
          policy?.policy === 'mask'
            ? 'masked'
            : policy?.policy === 'hash'
              ? 'hashed'
              : 'passthrough',
      },
    ]
  })
}

function silverEdges({ target, derived, select }: SilverConfig): ColumnEdge[] {
  const expressions = new Map(select.map((item) => [item.name, item.expression.trim()]))
  return (derived?.lineage ?? []).flatMap(({ column, from }) =>
    from.map((origin) => edge(target, column, origin, expressions.get(column) ?? null)),
  )
}

async function goldEdges(
  { target, derived, query }: GoldConfig,
  door: DialectDoor,
): Promise<ColumnEdge[]> {
  const expressions = door ? (await door()).outputExpressions(query) : new Map<string, string>()
  return (derived?.lineage ?? []).flatMap(({ column, from }) =>
    from.map((origin) => edge(target, column, origin, expressions.get(column) ?? null)),
  )
}

function edge(
  table: string,
  column: string,
  from: ColumnRef,
  expression: string | null,
): ColumnEdge {
  // A bare name, qualified or not, takes the value over; anything else makes a new one
  const plain = expression === null || /^[`\w.\s]+$/.test(expression)
  return {
    from: { table: from.table, column: from.column },
    to: { table, column },
    expression: plain ? null : expression,
    kind: plain ? 'passthrough' : 'derived',
  }
}

function keyOf(ref: ColumnRef): string {
  return `${ref.table}\n${ref.column}`
}
