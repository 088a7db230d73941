// Rules of each kind over each type that they may meet, with nulls, filters, thresholds, and in every zone.
import { lines, rule, type Scenario } from '../scenario.ts'

const fields = [
  'id int',
  'code string',
  'price decimal(8,2)',
  'ratio double',
  'day date',
  'at timestamp',
  'on_sale boolean',
]

export const rules: Scenario = {
  name: 'rules',
  feeds: [
    {
      case: 'rules on bronze',
      name: 'items',
      object: 'items/*.csv',
      fields,
      bronze: {
        rules: [
          rule('coded', 'not_null', ['code'], 'quarantine'),
          rule('priced', 'range', ['price'], 'warn', { min: 0, max: 1000 }),
        ],
      },
    },
    {
      case: 'the table that others refer to',
      name: 'codes',
      object: 'codes.csv',
      fields: ['code string', 'day date'],
    },
  ],
  silver: [
    {
      case: 'ranges of decimals, dates, instants, texts and doubles, ends left out',
      name: 'ranges',
      select: 'id, code, price, ratio, day, at',
      fields: [
        'id int',
        'code string',
        'price decimal(8,2)',
        'ratio double',
        'day date',
        'at timestamp',
      ],
      rules: [
        rule('price', 'range', ['price'], 'warn', { min: 1.1, max: '99.99', max_exclusive: true }),
        rule('day', 'range', ['day'], 'warn', { min: '2026-01-01' }, { null_passes: true }),
        rule('at', 'range', ['at'], 'warn', { max: '2026-01-01 12:00:00+02:00' }),
        rule('code', 'range', ['code'], 'warn', { min: 'b', max: 'y' }),
        rule('ratio', 'range', ['ratio'], 'drop', { min: -10 }),
      ],
    },
    {
      case: 'accepted texts, decimals, dates and booleans',
      name: 'accepted',
      select: 'id, code, price, day, on_sale',
      fields: ['id int', 'code string', 'price decimal(8,2)', 'day date', 'on_sale boolean'],
      rules: [
        rule('code', 'accepted_values', ['code'], 'quarantine', {
          values: ['a', 'b', "it's", 'ü', 'e', 'f', 'g', 'h', 'i', 'j'],
        }),
        rule('price', 'accepted_values', ['price'], 'warn', { values: [1.1, '2.50', 100] }),
        rule('day', 'accepted_values', ['day'], 'warn', { values: ['2026-01-01'] }),
        rule('sale', 'accepted_values', ['on_sale'], 'warn', { values: [true] }),
      ],
    },
    {
      case: 'patterns with unicode and classes, nulls that pass',
      name: 'patterns',
      select: 'id, code',
      fields: ['id int', 'code string'],
      rules: [
        rule(
          'word',
          'regex',
          ['code'],
          'quarantine',
          { pattern: '^[a-zü]+$' },
          { null_passes: true },
        ),
        rule('quote', 'regex', ['code'], 'warn', { pattern: "'" }),
        rule('digits', 'regex', ['code'], 'warn', { pattern: '\\d' }),
      ],
    },
    {
      case: 'unique over several columns, with nulls and a filter',
      name: 'uniques',
      select: 'id, code, day',
      fields: ['id int', 'code string', 'day date'],
      rules: [
        rule('both', 'unique', ['code', 'day'], 'quarantine', {}, { null_passes: true }),
        rule('some', 'unique', ['code'], 'warn', {}, { filter: "day > date'2026-01-01'" }),
      ],
    },
    {
      case: 'references over two columns',
      name: 'references',
      select: 'id, code, day',
      fields: ['id int', 'code string', 'day date'],
      rules: [
        rule('there', 'referential', ['code', 'day'], 'drop', {
          table: 'b.codes',
          columns: ['code', 'day'],
        }),
      ],
    },
    {
      case: 'thresholds met exactly and passed',
      name: 'thresholds',
      select: 'id, code, price',
      fields: ['id int', 'code string', 'price decimal(8,2)'],
      rules: [
        rule(
          'half',
          'expression',
          ['id'],
          'quarantine',
          { expression: 'id % 2 = 0' },
          { threshold: 0.5 },
        ),
        rule('few', 'not_null', ['price'], 'quarantine', {}, { threshold: 0.1 }),
      ],
    },
    {
      case: 'several failing rules: the hardest action, the row once, all errors told',
      name: 'hardest',
      select: 'id, code, price, ratio',
      fields: ['id int', 'code string', 'price decimal(8,2)', 'ratio double'],
      rules: [
        rule('a', 'not_null', ['price'], 'warn'),
        rule('b', 'range', ['ratio'], 'drop', { min: 0 }),
        rule('c', 'expression', ['price', 'ratio'], 'quarantine', {
          expression: 'price is not null and ratio >= 0 /* both */',
        }),
      ],
    },
    {
      case: 'an expression that fails on a value',
      name: 'breaking',
      select: 'id, code',
      fields: ['id int', 'code string'],
      rules: [
        rule('number', 'expression', ['code'], 'warn', { expression: 'cast(code as int) > 0' }),
      ],
    },
    {
      case: 'a rule on a column that is not there',
      name: 'invalid',
      select: 'id',
      fields: ['id int'],
      rules: [rule('other', 'not_null', ['nothing'], 'warn')],
    },
    {
      case: 'rules on a merge: what fails changes nothing',
      name: 'merged',
      load_type: 'merge',
      keys: ['id'],
      dedupe: true,
      select: 'id, code, price',
      fields: ['id int', 'code string', 'price decimal(8,2)'],
      rules: [rule('priced', 'not_null', ['price'], 'quarantine')],
    },
  ],
  gold: [
    {
      case: 'rules on gold',
      name: 'per_code',
      from: ['s.ranges'],
      query: 'select code, count(*) as n, sum(price) as price from s.ranges group by code',
      fields: ['code string', 'n bigint', 'price decimal(18,2)'],
      rules: [rule('many', 'range', ['n'], 'quarantine', { min: 2 })],
    },
  ],
  batches: [
    {
      'items/1.csv': lines(
        'id,code,price,ratio,day,at,on_sale',
        '1,a,1.10,0.5,2026-01-01,2026-01-01T10:00:00Z,true',
        "2,it's,99.99,NaN,2026-01-02,2026-01-01T09:59:59Z,false",
        '3,ü,,,,,',
        '4,,2.50,-11,2025-12-31,2026-01-02T00:00:00Z,true',
        '5,z9,100,-1,2026-01-03,,true',
        '6,b,5000,1,2026-01-03,2026-01-01T00:00:00Z,',
      ),
      'codes.csv': lines('code,day', 'a,2026-01-01', 'b,2026-01-03', 'ü,', "it's,2026-01-09"),
    },
    {
      'items/2.csv': lines(
        'id,code,price,ratio,day,at,on_sale',
        '1,a,,2,2026-01-01,2026-01-01T10:00:00Z,true',
        '7,b,3.00,2,2026-01-05,2026-01-05T10:00:00Z,true',
        '8,b,3.00,2,2026-01-05,2026-01-05T10:00:00Z,true',
        '9,c,4.00,inf,2026-01-06,2026-01-05T10:00:00Z,true',
      ),
    },
  ],
}
