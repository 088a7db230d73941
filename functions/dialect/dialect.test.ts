// The dialect through its doors: what it prints runs in DuckDB and says what Spark would; what it refuses, it refuses by name.
import { DuckDBInstance, type DuckDBConnection } from '@duckdb/node-api'
import { beforeAll, describe, expect, it } from 'vitest'

import { LakeForgeError } from '#core/errors.ts'
import { analyzeExpression, analyzeQuery, PRELUDE, type Relation } from './index.ts'

const column = (text: string) => {
  const [name, type, not] = text.split(' ')
  return { name: name!, type: type!, nullable: not === undefined }
}
const relations: Relation[] = [
  {
    name: 'bronze.orders',
    columns: [
      'id int not_null',
      'customer_id int',
      'amount decimal(10,2)',
      'note string',
      'at timestamp',
      'tags array<string>',
    ].map(column),
  },
  { name: 'bronze.customers', columns: ['id int not_null', 'name string'].map(column) },
]

let duckdb: DuckDBConnection
beforeAll(async () => {
  const instance = await DuckDBInstance.create(':memory:')
  duckdb = await instance.connect()
  for (const statement of PRELUDE) await duckdb.run(statement)
  await duckdb.run(`create schema bronze;
    create table bronze.orders(id int, customer_id int, amount decimal(10,2), note varchar, "at" timestamptz, tags varchar[]);
    insert into bronze.orders values
      (1, 1, 10.50, 'a', '2024-01-31 10:00:00+00', ['x', 'y']),
      (2, 1, 20.25, null, '2024-02-01 10:00:00+00', []),
      (3, 2, 5, 'b', null, null);
    create table bronze.customers(id int, name varchar);
    insert into bronze.customers values (1, 'Ann'), (3, 'Bob');`)
})

async function rows(sql: string): Promise<unknown> {
  const analyzed = await analyzeQuery(sql, relations)
  return (await duckdb.runAndReadAll(analyzed.duckdb)).getRowsJson()
}

async function refusal(sql: string): Promise<string> {
  const error = await analyzeQuery(sql, relations).then(
    () => 'accepted',
    (thrown: unknown) => thrown,
  )
  return error instanceof LakeForgeError ? `${error.code}: ${error.message}` : String(error)
}

describe('analyzeQuery', () => {
  it.each<[name: string, sql: string, expected: unknown]>([
    ['a star', 'SELECT id, customer_id FROM bronze.orders ORDER BY id LIMIT 1', [[1, 1]]],
    [
      'a left join with NULL first when ascending',
      'select o.id, c.name from bronze.orders o left join bronze.customers c on o.customer_id = c.id order by c.name, id',
      [
        [3, null],
        [1, 'Ann'],
        [2, 'Ann'],
      ],
    ],
    [
      'grouping by an expression, an aggregate in HAVING and a window over aggregates',
      `select customer_id + 1 as k, sum(amount) as total, sum(sum(amount)) over (order by customer_id + 1) as running
       from bronze.orders group by 1 having count(*) > 0 order by k`,
      [
        [2, '30.75', '30.75'],
        [3, '5.00', '35.75'],
      ],
    ],
    [
      'an alias used by a later item',
      'select id * 2 as twice, twice + 1 as more from bronze.orders where id = 1',
      [[2, 3]],
    ],
    [
      'common table expressions, one hiding a table of the same name',
      'with a as (select id from bronze.orders), b as (select id + 10 as id from a) select * from b order by id',
      [[11], [12], [13]],
    ],
    [
      'a union that widens a string beside an int',
      "select 1 as x union all select '7'",
      [['1'], ['7']],
    ],
    [
      'a full join by USING',
      'select * from (select id, name from bronze.customers) c full join (select id, note from bronze.orders) o using (id) order by id',
      [
        [1, 'Ann', 'a'],
        [2, null, null],
        [3, 'Bob', 'b'],
      ],
    ],
    [
      'semi and anti joins',
      'select id from bronze.orders o left semi join bronze.customers c on c.id = o.customer_id left anti join bronze.customers d on d.id = o.id',
      [[2]],
    ],
    [
      'a correlated aggregate, EXISTS and IN',
      `select id, (select count(*) from bronze.customers c where c.id = o.customer_id) as n from bronze.orders o
       where exists (select 1 from bronze.customers c where c.id = o.id) and id in (select id from bronze.orders)  order by id`,
      [
        [1, '1'],
        [3, '0'],
      ],
    ],
    [
      'a lateral view',
      'select id, tag from bronze.orders lateral view outer explode(tags) t as tag order by id, tag',
      [
        [1, 'x'],
        [1, 'y'],
        [2, null],
        [3, null],
      ],
    ],
    [
      'QUALIFY',
      'select id from bronze.orders qualify row_number() over (partition by customer_id order by amount desc) = 1 order by id',
      [[2], [3]],
    ],
    [
      'a group of no rows for a constant key',
      "select 'x' as k, count(*) as n from bronze.orders where id > 99 group by 'x'",
      [],
    ],
    [
      'one row without keys',
      'select count(*) as n, max(id) as m from bronze.orders where id > 99',
      [['0', null]],
    ],
    [
      'an error that the condition before it prevents',
      'select id from bronze.orders where id <> 1 and 10 / (id - 1) > 7',
      [[2]],
    ],
    [
      'GROUP BY ALL',
      'select customer_id, count(*) as n from bronze.orders group by all order by 1',
      [
        [1, '2'],
        [2, '1'],
      ],
    ],
    [
      'names of any case, quotes and words of SQL in backticks',
      "select ID as `we\"ird ``name`, `select` from (select Id, 'it\\'s' as `select` from BRONZE.Orders) where iD = 1",
      [[1, "it's"]],
    ],
  ])('runs %s', async (_, sql, expected) => {
    expect(await rows(sql)).toEqual(expected)
  })

  it('gives Spark’s types, nullability, inputs and lineage', async () => {
    const { columns, inputs, lineage } = await analyzeQuery(
      `select o.id, c.name as customer, amount / 3 as third, sum(amount) over () as total, amount is null as missing
       from bronze.orders o left join bronze.customers c on c.id = o.customer_id`,
      relations,
    )
    expect(columns).toEqual([
      { name: 'id', type: 'int', nullable: false },
      { name: 'customer', type: 'string', nullable: true },
      { name: 'third', type: 'decimal(14,6)', nullable: true },
      { name: 'total', type: 'decimal(20,2)', nullable: true },
      { name: 'missing', type: 'boolean', nullable: false },
    ])
    expect(inputs).toEqual(['bronze.customers', 'bronze.orders'])
    expect(lineage.slice(0, 3)).toEqual([
      { column: 'id', from: [{ table: 'bronze.orders', column: 'id' }], kind: 'passthrough' },
      {
        column: 'customer',
        from: [{ table: 'bronze.customers', column: 'name' }],
        kind: 'passthrough',
      },
      { column: 'third', from: [{ table: 'bronze.orders', column: 'amount' }], kind: 'derived' },
    ])
  })

  it.each<[name: string, sql: string, from: Record<string, string[]>]>([
    [
      'a lambda and a field of an array of structs',
      'select transform(tags, x -> concat(x, note)) as a, aggregate(tags, 0, (acc, x) -> acc + length(x)) as b from bronze.orders',
      { a: ['orders.tags', 'orders.note'], b: ['orders.tags'] },
    ],
    [
      'maps and JSON',
      "select map(id, amount) as a, to_json(struct(id, note)) as b, from_json(note, 'x int').x as c from bronze.orders",
      {
        a: ['orders.id', 'orders.amount'],
        b: ['orders.id', 'orders.note'],
        c: ['orders.note'],
      },
    ],
    [
      'generators',
      'select id, tag, pos from bronze.orders lateral view posexplode(tags) t as pos, tag',
      { id: ['orders.id'], tag: ['orders.tags'], pos: ['orders.tags'] },
    ],
    [
      'PIVOT',
      "select * from (select customer_id, note, amount from bronze.orders) pivot (sum(amount) for note in ('a', 'b'))",
      {
        customer_id: ['orders.customer_id'],
        a: ['orders.note', 'orders.amount'],
        b: ['orders.note', 'orders.amount'],
      },
    ],
    [
      'UNPIVOT',
      'select * from (select id, customer_id, id + 1 as next from bronze.orders) unpivot (v for k in (customer_id, next))',
      { id: ['orders.id'], k: [], v: ['orders.customer_id', 'orders.id'] },
    ],
    [
      'ROLLUP and an ordered list',
      "select customer_id, grouping_id() as g, listagg(note, ',') within group (order by id) as l from bronze.orders group by rollup(customer_id)",
      { customer_id: ['orders.customer_id'], g: [], l: ['orders.note', 'orders.id'] },
    ],
    [
      'a lateral subquery',
      'select c.id, x.total from bronze.customers c, lateral (select sum(o.amount) as total from bronze.orders o where o.customer_id = c.id) x',
      { id: ['customers.id'], total: ['orders.amount'] },
    ],
    [
      'windows with frames',
      'select nth_value(note, 2) over (order by id) as a, sum(amount) over (order by at range between interval 1 day preceding and current row) as b from bronze.orders',
      { a: ['orders.note', 'orders.id'], b: ['orders.amount', 'orders.at'] },
    ],
  ])('follows columns through %s', async (_, sql, expected) => {
    const { lineage } = await analyzeQuery(sql, relations)
    const found = lineage.map(({ column, from }) => [
      column,
      from.map((origin) => `${origin.table.replace('bronze.', '')}.${origin.column}`),
    ])
    expect(Object.fromEntries(found)).toEqual(expected)
    // It runs, too.
    await rows(sql)
  })

  it.each<[sql: string, refused: RegExp]>([
    ['', /^sql_invalid/],
    ['select', /^sql_invalid: .*line 1, column 7/],
    ['select 1 as a\nfrom bronze.orders where\n  = 2', /^sql_invalid: .*line 3, column 3/],
    ["select 'open", /^sql_invalid/],
    ['select 1 as a /* open', /^sql_invalid/],
    ['select 1 as a; drop table bronze.orders', /^sql_unsupported: More than one statement/],
    ['drop table bronze.orders', /^sql_unsupported: The statement DROP/],
    ['insert into bronze.orders select 1', /^sql_unsupported: The statement INSERT/],
    ["select * from read_csv('/etc/passwd')", /^sql_unsupported: The table function read_csv/],
    ["select * from '/etc/passwd'", /^sql_unsupported: A file as a table/],
    ['select * from parquet.`/etc/passwd`', /^table_unknown/],
    ['select * from pg_catalog.pg_class', /^table_unknown/],
    ['select * from other.bronze.orders', /^sql_unsupported: A table with a catalog/],
    ["select read_text('/etc/passwd') as x", /^sql_unsupported: The function read_text/],
    ["select getenv('HOME') as x", /^sql_unsupported: The function getenv/],
    ['select pg_catalog.version() as x', /^sql_unsupported: The function pg_catalog.version/],
    ['select :p as x', /^sql_unsupported: A parameter/],
    ['select ? as x', /^sql_unsupported: A parameter/],
    ['select ${x} as x', /^sql_invalid/],
    ['select rand() as x', /^sql_unsupported: The function rand/],
    ['select id from bronze.orders tablesample (10 rows)', /^sql_unsupported: TABLESAMPLE/],
    ['select id from bronze.orders version as of 1', /^sql_unsupported: Time travel/],
    ['select nope from bronze.orders', /^column_unknown: .*"nope" in bronze.orders/],
    ['select id from bronze.orders, bronze.customers', /^column_ambiguous/],
    ['select id, note as ID from bronze.orders', /^column_duplicate/],
    ['select id + 1 from bronze.orders', /^sql_invalid: .*no name/],
    ['select null as x', /^sql_unsupported: A column of NULL/],
    ['select id, count(*) as n from bronze.orders', /^sql_invalid: .*“id” is neither/],
    ['select collect_list(id) as x from bronze.orders', /^sql_unsupported: A list whose order/],
    ["select id from bronze.orders where note rlike '(?=a)b'", /^sql_unsupported: Lookaround/],
    [
      "select id from bronze.orders where note rlike '(a)\\\\1'",
      /^sql_unsupported: A backreference/,
    ],
    ["select id from bronze.orders where note rlike 'a++'", /^sql_unsupported: A possessive/],
    ["select id from bronze.orders where note rlike '('", /^sql_type/],
    [
      'select id from bronze.orders where note rlike note',
      /^sql_unsupported: RLIKE with a pattern/,
    ],
    ['select id from bronze.orders where id', /^sql_type/],
    ['select true + 1 as x', /^sql_type/],
  ])('refuses %s', async (sql, refused) => {
    expect(await refusal(sql)).toMatch(refused)
  })

  it('refuses deep nesting, long chains and long texts politely', async () => {
    const nested = (depth: number) => `select ${'('.repeat(depth)}1${')'.repeat(depth)} as x`
    expect(await rows(nested(80))).toEqual([[1]])
    expect(await refusal(nested(500))).toMatch(/^sql_unsupported: Nesting deeper/)
    expect(await refusal(nested(50_000))).toMatch(/^sql_unsupported: Nesting deeper/)
    expect(await refusal(`select ${'not '.repeat(500)}true as x`)).toMatch(/^sql_unsupported/)
    expect(await refusal(`select ${'- '.repeat(500)}id as x from bronze.orders`)).toMatch(
      /^sql_unsupported/,
    )
    expect(await refusal(`select 1${' + 1'.repeat(5000)} as x`)).toMatch(
      /^sql_unsupported: A chain/,
    )
    expect(await refusal(`select 1 as x ${' '.repeat(1_000_000)}`)).toMatch(
      /^sql_invalid: .*1000014 characters/,
    )
    const many = Array.from({ length: 2000 }, (_, i) => `id = ${i}`).join(' or ')
    expect(await rows(`select id from bronze.orders where ${many} order by id`)).toHaveLength(3)
    const widened = 'substring('.repeat(20) + 'note' + ', 1, 2)'.repeat(20)
    expect(await refusal(`select ${widened} as x from bronze.orders`)).toMatch(
      /^sql_unsupported: An expression nested/,
    )
  })

  it('keeps hostile literals and comments as data', async () => {
    const text = `'); drop table bronze.orders; -- " \` \u{1f980} ñ /* */ `
    const literal = `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
    expect(await rows(`select ${literal} /* '); drop -- /* nested */ */ as x -- ; drop\n`)).toEqual(
      [[text]],
    )
    expect(
      await rows("select 'a\\nb' as x, r'\\n' as y, 'it''s' as z, \"dq\" as w, 'a' 'b' as v"),
    ).toEqual([['a\nb', '\\n', "it's", 'dq', 'ab']])
  })
})

describe('analyzeExpression', () => {
  it('prints an operand over columns with its type and what it reads', async () => {
    const expression = await analyzeExpression('amount * 2 > id', relations[0]!.columns, {
      boolean: true,
    })
    expect(expression).toMatchObject({
      type: 'boolean',
      nullable: true,
      columns: [{ column: 'amount' }, { column: 'id' }],
    })
    const found = await duckdb.runAndReadAll(
      `select count(*) from bronze.orders where ${expression.duckdb}`,
    )
    expect(found.getRowsJson()).toEqual([['3']])
  })

  it('prints columns of relations under the last part of their name', async () => {
    const { duckdb: sql, columns } = await analyzeExpression('customers.name || note', relations)
    expect(columns).toEqual([
      { table: 'bronze.customers', column: 'name' },
      { table: 'bronze.orders', column: 'note' },
    ])
    const found = await duckdb.runAndReadAll(
      `select ${sql} from bronze.orders as orders join bronze.customers as customers on orders.id = customers.id order by 1`,
    )
    expect(found.getRowsJson()).toEqual([['Anna'], ['Bobb']])
  })

  it.each<[sql: string, options: object, code: string]>([
    ['id + 1', { boolean: true }, 'sql_type'],
    ['sum(id) > 1', {}, 'sql_unsupported'],
    ['sum(id) > id', { aggregates: true }, 'sql_invalid'],
    ['row_number() over (order by id) = 1', {}, 'sql_unsupported'],
    ['id in (select 1)', {}, 'sql_unsupported'],
    ['*', {}, 'sql_unsupported'],
    ['id as x', {}, 'sql_invalid'],
    ['1; 2', {}, 'sql_unsupported'],
    ['interval 1 day', {}, 'sql_unsupported'],
  ])('refuses %s with %j', async (sql, options, code) => {
    await expect(analyzeExpression(sql, relations[0]!.columns, options)).rejects.toMatchObject({
      code,
    })
  })

  it('allows aggregates where asked to', async () => {
    const { duckdb: sql, type } = await analyzeExpression(
      'sum(amount) / count(*)',
      relations[0]!.columns,
      { aggregates: true },
    )
    expect(type).toBe('decimal(38,20)')
    expect((await duckdb.runAndReadAll(`select ${sql} from bronze.orders`)).getRowsJson()).toEqual([
      ['11.91666666666666666667'],
    ])
  })

  it.each([
    'cast(n as int) = 5',
    'cast(n as int) + 1 = 5',
    'cast(n as int) between 0 and 5',
    'cast(n as int) in (5, 6)',
    'cast(d as decimal(5,2)) = 5',
    'int(d) < 5',
  ])('lets no comparison swallow the failure of its cast: %s', async (sql) => {
    const columns = ['n bigint', 'd decimal(20,2)'].map(column)
    const values = '(values (5::bigint, 5::decimal(20,2)), (9999999999, 9999999999)) t(n, d)'
    const failing = await analyzeExpression(sql, columns)
    await expect(duckdb.runAndReadAll(`select ${failing.duckdb} from ${values}`)).rejects.toThrow()
    const tried = await analyzeExpression(
      sql.replace('cast(', 'try_cast(').replace('int(d)', 'try_cast(d as int)'),
      columns,
    )
    const found = await duckdb.runAndReadAll(`select ${tried.duckdb} from ${values} where n > 5`)
    expect(found.getRowsJson()).toEqual([[null]])
  })

  it('takes the batch’s time, and fails loudly without it', async () => {
    const { duckdb: sql, nullable } = await analyzeExpression('current_date()', [])
    expect(nullable).toBe(false)
    await expect(duckdb.runAndReadAll(`select ${sql}`)).rejects.toThrow('LAKEFORGE:NO_BATCH_TIME')
    await duckdb.run("set variable lf_now = timestamptz '2024-02-29 23:59:59+00'")
    expect((await duckdb.runAndReadAll(`select ${sql}`)).getRowsJson()).toEqual([['2024-02-29']])
    for (const [now, expected] of [
      ['localtimestamp', '2024-02-29 23:59:59'],
      ['unix_timestamp()', '1709251199'],
      ['now()', '2024-02-29 23:59:59+00'],
    ] as const) {
      const found = await analyzeExpression(now, [])
      expect((await duckdb.runAndReadAll(`select ${found.duckdb}`)).getRowsJson()).toEqual([
        [expected],
      ])
    }
  })
})
