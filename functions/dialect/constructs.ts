// The constructs of SQL in metadata: what the parser knows, and what it refuses by name. Each has an example over the tables
// of verdicts.test.ts, which proves that it is taken, or refused.

export type Construct = {
  name: string
  category: 'clause' | 'expression' | 'join' | 'set' | 'source' | 'window'
  signature: string
  /** A whole query over s.o(id, region, n, amount, t, p, tags, m, items, r) and s.c(id, name, n). */
  example: string
  description?: string
  /** Why it is refused. */
  reason?: string
}

const of =
  (category: Construct['category']) =>
  (
    name: string,
    signature: string,
    example: string,
    more: { description?: string; reason?: string } = {},
  ): Construct => ({ name, category, signature, example, ...more })
const clause = of('clause')
const expression = of('expression')
const join = of('join')
const set = of('set')
const source = of('source')
const window = of('window')

const STREAM = 'Its answer would depend on the order in which rows are read.'

export const CONSTRUCTS: Construct[] = [
  clause('SELECT', 'SELECT a, b AS c', 'select id, n as c from s.o'),
  clause('SELECT DISTINCT', 'SELECT DISTINCT a', 'select distinct region from s.o'),
  clause('star', '*, t.*', 'select o.* from s.o as o'),
  clause('star EXCEPT', '* EXCEPT (a, b)', 'select * except (m) from s.o'),
  clause(
    'lateral column alias',
    'SELECT a + 1 AS b, b * 2 AS c',
    'select n + 1 as b, b * 2 as c from s.o',
    { description: 'A later item may use an earlier one’s alias.' },
  ),
  clause('WHERE', 'WHERE condition', 'select id from s.o where n > 1'),
  clause(
    'GROUP BY',
    'GROUP BY a, 1, alias',
    'select region as k, count(*) as n from s.o group by k',
  ),
  clause('GROUP BY ALL', 'GROUP BY ALL', 'select region, count(*) as n from s.o group by all'),
  clause(
    'HAVING',
    'HAVING condition',
    'select region from s.o group by region having count(*) > 1',
  ),
  clause(
    'QUALIFY',
    'QUALIFY condition over windows',
    'select id from s.o qualify row_number() over (partition by region order by id) = 1',
  ),
  clause('ORDER BY', 'ORDER BY a DESC NULLS LAST', 'select id from s.o order by n desc nulls last'),
  clause(
    'LIMIT and OFFSET',
    'LIMIT 10 OFFSET 5',
    'select id from s.o order by id limit 10 offset 5',
  ),
  clause('WITH', 'WITH name(a) AS (…)', 'with x(a) as (select id from s.o) select a from x'),
  clause('comments', '-- …, /* … */', 'select id /* a */ from s.o -- note'),
  clause('hints', '/*+ … */', 'select /*+ broadcast(o) */ id from s.o', {
    reason: 'It says how Spark cuts the work, not what the table holds.',
  }),
  clause('VALUES, TABLE as a query', 'VALUES (1, 2), TABLE t', 'table s.c'),
  clause('ORDER BY ALL', 'ORDER BY ALL', 'select id from s.o order by all', {
    reason: 'Name the columns.',
  }),
  clause('FROM before SELECT', 'FROM t SELECT a', 'from s.o select id', {
    reason: 'Begin with SELECT.',
  }),
  clause('WITH RECURSIVE', 'WITH RECURSIVE', 'with recursive r(x) as (select 1) select x from r', {
    reason: 'A recursion has no plan whose steps and counts could be logged.',
  }),
  clause('SORT BY, CLUSTER BY, DISTRIBUTE BY', 'SORT BY a', 'select id from s.o sort by id', {
    reason: 'It says how Spark cuts the work, not what the table holds. Use ORDER BY.',
  }),
  clause('several statements', 'SELECT …; SELECT …', 'select 1 as a; select 2 as b', {
    reason: 'A table has one query.',
  }),
  clause('parameters', ':name, ?', 'select :x as a', {
    reason: 'Metadata is complete in itself. Use a rule set’s parameters for rules.',
  }),
  clause('pipe syntax', 'FROM t |> WHERE …', 'select id from s.o |> where id = 1', {
    reason: 'Write the clauses of SELECT.',
  }),

  source('table', 'schema.table AS t(a, b)', 'select t.a from s.c as t(a, b, d)'),
  source('subquery', '(SELECT …) AS t', 'select t.id from (select id from s.o) as t'),
  source('VALUES', 'VALUES (1, 2) AS t(a, b)', 'select a from values (1, 2) as t(a, b)'),
  source(
    'LATERAL VIEW',
    'LATERAL VIEW [OUTER] explode(a) t AS x',
    'select id, x from s.o lateral view outer explode(tags) t as x',
  ),
  source('generator in SELECT', 'SELECT explode(a) AS x', 'select id, explode(tags) as x from s.o'),
  source(
    'several aliases',
    'posexplode(a) AS (i, x)',
    'select id, posexplode(tags) as (i, x) from s.o',
  ),
  source(
    'PIVOT',
    "PIVOT (sum(a) FOR b IN ('x', 'y' AS z))",
    "select * from (select region, n, id from s.o) pivot (sum(id) for region in ('north', 'south'))",
  ),
  source(
    'UNPIVOT',
    'UNPIVOT [INCLUDE NULLS] (v FOR k IN (a, b))',
    'select * from (select id, n, n + 1 as m from s.o) unpivot (v for k in (n, m))',
  ),
  source(
    'LATERAL',
    'a, LATERAL (SELECT … a.x …) AS t',
    'select c.id, x.s from s.c, lateral (select sum(o.n) as s from s.o where o.id <= c.id) x',
  ),
  source('TABLESAMPLE', 'TABLESAMPLE (10 PERCENT)', 'select id from s.o tablesample (10 percent)', {
    reason: 'A sample differs at each run.',
  }),
  source('time travel', 'VERSION AS OF 1', 'select id from s.o version as of 1', {
    reason: 'The batch decides which versions it reads, and records them.',
  }),
  source('files as tables', 'parquet.`path`', "select * from '/data/x.parquet'", {
    reason: 'What is read is declared as a raw table, so that each batch knows its files.',
  }),
  source('table functions', 'FROM range(10)', 'select id from range(10)', {
    reason: 'Only declared tables are read. Use explode(sequence(…)).',
  }),
  source('tables of another catalog', 'catalog.schema.table', 'select id from x.s.o', {
    reason: 'The environment says the catalog.',
  }),

  join('INNER JOIN', 'a JOIN b ON …', 'select o.id from s.o join s.c on o.id = c.id'),
  join(
    'LEFT, RIGHT, FULL JOIN',
    'a LEFT JOIN b ON …',
    'select o.id from s.o left join s.c on o.id = c.id',
  ),
  join('CROSS JOIN', 'a CROSS JOIN b, a, b', 'select o.id from s.o cross join s.c'),
  join(
    'SEMI and ANTI JOIN',
    'a LEFT ANTI JOIN b ON …',
    'select o.id from s.o left anti join s.c on o.id = c.id',
  ),
  join('USING', 'a JOIN b USING (id)', 'select id from s.o join s.c using (id)'),
  join('NATURAL JOIN', 'a NATURAL JOIN b', 'select id from s.o natural join s.c'),

  set('UNION', 'a UNION [ALL] b', 'select id from s.o union all select id from s.c'),
  set('INTERSECT', 'a INTERSECT [ALL] b', 'select id from s.o intersect select id from s.c'),
  set('EXCEPT, MINUS', 'a EXCEPT [ALL] b', 'select id from s.o except select id from s.c'),

  window(
    'OVER',
    'sum(a) OVER (PARTITION BY b ORDER BY c)',
    'select sum(n) over (partition by region order by id) as s from s.o',
  ),
  window(
    'WINDOW',
    'OVER w … WINDOW w AS (…)',
    'select sum(n) over w as s from s.o window w as (order by id)',
  ),
  window(
    'ROWS frame',
    'ROWS BETWEEN 2 PRECEDING AND CURRENT ROW',
    'select sum(n) over (order by id rows between 2 preceding and current row) as s from s.o',
  ),
  window(
    'RANGE frame',
    'RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW',
    'select sum(n) over (order by id range between unbounded preceding and current row) as s from s.o',
  ),
  window(
    'RANGE frame with an offset',
    'RANGE BETWEEN INTERVAL 3 DAYS PRECEDING AND CURRENT ROW',
    'select sum(n) over (order by t range between interval 3 days preceding and current row) as s from s.o',
  ),
  window(
    'FILTER with OVER',
    'sum(a) FILTER (WHERE b) OVER (…)',
    'select sum(n) filter (where id > 1) over (order by id) as s from s.o',
    {
      reason: 'Spark refuses it too. Write sum(CASE WHEN … END) OVER (…).',
    },
  ),
  window(
    'a window made from another',
    'OVER (w ORDER BY a)',
    'select sum(n) over (w order by id) as s from s.o window w as (partition by region)',
    {
      reason: 'Spark refuses it too. Write the whole window.',
    },
  ),

  expression(
    'literals',
    "1, 1.5, 1e3, 1L, 2.5BD, 'text', r'raw', X'0A', NULL, true",
    "select 1 as a, 1.5 as b, 1e3 as c, 1L as d, 2.5BD as e, 'x' as f, r'\\n' as g, X'0A' as h, true as i",
  ),
  expression(
    'date literals',
    "DATE '2024-01-31', TIMESTAMP '…', TIMESTAMP_NTZ '…'",
    "select date '2024-01-31' as a, timestamp '2024-01-31 10:00:00' as b",
  ),
  expression(
    'intervals',
    "INTERVAL 1 DAY, INTERVAL '1-2' YEAR TO MONTH",
    "select t + interval 1 day + interval '1-2' year to month as a from s.o",
    {
      description: 'Of literal length, added to a date or timestamp.',
    },
  ),
  expression(
    'arithmetic',
    '+ - * / % DIV',
    'select n + 1 as a, n / 2 as b, n div 2 as c, n % 2 as d, -n as e from s.o',
  ),
  expression(
    'bits',
    '& | ^ ~ << >> >>>',
    'select n & 1 as a, ~n as b, n << 2 as c, n >>> 1 as d from s.o',
  ),
  expression('comparison', '= <> < <= > >= <=>', 'select n = 1 as a, n <=> null as b from s.o'),
  expression(
    'IS DISTINCT FROM',
    'a IS [NOT] DISTINCT FROM b',
    'select n is distinct from 1 as a from s.o',
  ),
  expression(
    'IS NULL, IS TRUE',
    'a IS [NOT] NULL | TRUE | FALSE | UNKNOWN',
    'select n is null as a, (n > 1) is true as b from s.o',
  ),
  expression(
    'AND, OR, NOT',
    'a AND b OR NOT c',
    'select n > 1 and not n > 3 or n is null as a from s.o',
    {
      description: 'From left to right, as far as needed; of three values.',
    },
  ),
  expression('BETWEEN', 'a [NOT] BETWEEN b AND c', 'select n between 1 and 3 as a from s.o'),
  expression('IN', 'a [NOT] IN (b, c)', 'select n in (1, 2) as a from s.o'),
  expression(
    'IN (SELECT …)',
    'WHERE a IN (SELECT …)',
    'select id from s.o where id in (select id from s.c)',
  ),
  expression(
    'EXISTS',
    '[NOT] EXISTS (SELECT …)',
    'select id from s.o where exists (select 1 from s.c where c.id = o.id)',
  ),
  expression(
    'scalar subquery',
    '(SELECT max(a) …)',
    'select id, (select max(n) from s.c) as a from s.o',
  ),
  expression('LIKE', 'a [NOT] LIKE b [ESCAPE c]', "select region like 'n%' as a from s.o"),
  expression('ILIKE', 'a [NOT] ILIKE b', "select region ilike 'N%' as a from s.o"),
  expression('RLIKE', 'a [NOT] RLIKE b', "select region rlike '^n' as a from s.o", {
    description: 'Patterns that Java and RE2 read alike, as literals.',
  }),
  expression(
    'LIKE ANY, LIKE ALL',
    'a [NOT] LIKE ANY (b, c)',
    "select region like any ('n%', 's%') as a from s.o",
  ),
  expression(
    'CASE',
    'CASE [a] WHEN b THEN c ELSE d END',
    "select case n when 1 then 'one' else 'more' end as a from s.o",
  ),
  expression(
    'CAST',
    'CAST(a AS type), a::type',
    'select cast(n as string) as a, n::bigint as b from s.o',
  ),
  expression('TRY_CAST', 'TRY_CAST(a AS type)', 'select try_cast(region as int) as a from s.o'),
  expression('concatenation', 'a || b', "select region || '-' || n as a from s.o"),
  expression('element of an array', 'a[0]', 'select tags[0] as a from s.o'),
  expression('value of a map', "m['key']", "select m['k'] as a from s.o"),
  expression('field of a struct', 'r.x', 'select r.x as a from s.o'),
  expression('field of an array of structs', 'items.sku', 'select items.sku as a from s.o', {
    description: 'The array of that field.',
  }),
  expression(
    'lambda',
    'x -> x + 1, (x, i) -> …',
    'select transform(tags, (x, i) -> concat(x, i)) as a from s.o',
  ),
  expression(
    'DISTINCT in aggregates',
    'count(DISTINCT a, b)',
    'select count(distinct region, n) as a from s.o',
  ),
  expression(
    'FILTER',
    'sum(a) FILTER (WHERE b)',
    'select sum(n) filter (where id > 1) as a from s.o',
  ),
  expression(
    'WITHIN GROUP',
    'listagg(a) WITHIN GROUP (ORDER BY b)',
    "select listagg(region, ',') within group (order by id) as a from s.o",
  ),
  expression('EXTRACT', 'EXTRACT(year FROM a)', 'select extract(year from t) as a from s.o'),
  expression(
    'SUBSTRING, TRIM, POSITION, OVERLAY',
    'SUBSTRING(a FROM 1 FOR 2), …',
    "select substring(region from 1 for 2) as a, position('o' in region) as b, trim(both 'n' from region) as c from s.o",
  ),
  expression('array of nothing', 'array()', 'select coalesce(tags, array()) as a from s.o'),
  expression('JSON paths with a colon', 'a:b.c', 'select region:a as x from s.o', {
    reason: 'Open-source Spark has them for VARIANT alone. Use get_json_object.',
  }),
  expression('interval of two times', 'date - date', 'select t - t as a from s.o', {
    reason: 'No column can hold an interval. Use datediff or timestampdiff.',
  }),
  expression(
    'IN (SELECT …) as a value',
    'SELECT a IN (SELECT …)',
    'select n in (select n from s.c) as a from s.o',
    {
      reason: 'There Spark says false where SQL says NULL. Use it in WHERE, or EXISTS.',
    },
  ),
  expression('order of arrays and structs', 'array < array', 'select tags < tags as a from s.o', {
    reason:
      'Inside of them NULL sorts first in Spark and last in DuckDB. Compare their parts; = and <> are taken.',
  }),
  expression(
    'rows in IN',
    '(a, b) IN (SELECT …)',
    'select id from s.o where (id, n) in (select id, n from s.c)',
    {
      reason: 'Use EXISTS, or a join.',
    },
  ),
  expression('COLLATE', 'a COLLATE UTF8_LCASE', 'select region collate UTF8_LCASE as a from s.o', {
    reason: 'Text is compared byte by byte on both engines. Compare lower(…) instead.',
  }),
  expression('fields of a struct by .*', 'r.*', 'select r.* from s.o', {
    reason: 'Name the fields: the columns of a table are pinned.',
  }),
  expression('named arguments', 'f(a => 1)', 'select mask(str => region) as a from s.o', {
    reason: 'Write the arguments in their order.',
  }),
  expression(
    'collect_list without an order',
    'collect_list(a)',
    'select collect_list(n) as a from s.o',
    {
      reason: `${STREAM} Write sort_array(collect_list(a)).`,
    },
  ),
]
