// Keys, sequences and deletions at their edges: nulls, ties, several keys, batches that go back in time.
import { lines, type Scenario, type SilverCase } from '../scenario.ts'

const fields = [
  'a int',
  'b string',
  'v string',
  'n int',
  'd date',
  'm decimal(6,2)',
  'gone boolean',
]
const merging = (name: string, text: string, more: Partial<SilverCase>): SilverCase => ({
  case: text,
  name,
  load_type: 'merge',
  keys: ['a', 'b'],
  dedupe: true,
  where: 'b is not null',
  select: 'a, b, v, n, d, m',
  fields: fields.slice(0, 6),
  ...more,
})

export const keys: Scenario = {
  name: 'keys',
  feeds: [{ case: 'the rows', name: 'rows', object: 'rows/*.csv', fields }],
  silver: [
    merging('by_number', 'two keys, ties at one sequence go by the text', {
      sequence: { expression: 'n', type: 'int', column: 'n' },
    }),
    merging('by_date', 'a sequence of dates with nulls, and deletions', {
      sequence: { expression: 'd', type: 'date', column: 'd' },
      deletes: 'gone',
    }),
    merging('by_decimal', 'a sequence of decimals, without dedupe before', {
      dedupe: false,
      sequence: { expression: 'm', type: 'decimal(6,2)', column: 'm' },
    }),
    merging('null_keys', 'a null in a key is refused', { where: 'true' }),
    merging('no_column', 'a sequence that is no column is refused', {
      sequence: { expression: 'n + 1', type: 'int' },
    }),
    merging('history_by_date', 'history by dates, two keys, deletions', {
      load_type: 'scd2',
      where: 'b is not null and d is not null',
      sequence: { expression: 'd', type: 'date' },
      deletes: 'gone',
    }),
    merging('history_ties', 'history by a number with ties', {
      load_type: 'scd2',
      where: 'b is not null and n is not null',
      sequence: { expression: 'n', type: 'int' },
    }),
    merging('history_null', 'history refuses a null sequence', {
      load_type: 'scd2',
      sequence: { expression: 'd', type: 'date' },
    }),
    merging('appended', 'append keeps rows with nulls in the keys of its dedupe', {
      load_type: 'append',
      where: 'true',
      sequence: { expression: 'n', type: 'int' },
    }),
  ],
  gold: [
    {
      case: 'history as of a day',
      name: 'as_of',
      from: ['s.history_by_date'],
      query:
        "select a, b, v from s.history_by_date where __START_AT <= date'2026-01-05' and (__END_AT is null or __END_AT > date'2026-01-05')",
      fields: ['a int', 'b string', 'v string'],
    },
  ],
  batches: [
    {
      'rows/1.csv': lines(
        'a,b,v,n,d,m,gone',
        '1,x,first,1,2026-01-01,1.00,false',
        '1,x,tie one,2,2026-01-03,2.00,false',
        '1,x,tie two,2,2026-01-03,2.00,false',
        '1,y,other,1,,,false',
        '2,x,gone,5,2026-01-04,5.00,true',
        '3,,nobody,1,2026-01-01,1.00,false',
      ),
    },
    {
      'rows/2.csv': lines(
        'a,b,v,n,d,m,gone',
        '1,x,back in time,1,2026-01-02,1.50,false',
        '1,x,tie three,2,2026-01-03,2.00,false',
        '1,y,dated,1,2026-01-04,0.10,false',
        '2,x,here again,6,2026-01-06,6.00,false',
        '4,x,new,1,2026-01-07,,false',
      ),
    },
    {
      'rows/3.csv': lines(
        'a,b,v,n,d,m,gone',
        '1,x,ended,9,2026-01-08,9.00,true',
        '1,y,dated,1,2026-01-04,0.10,false',
        '2,x,between,5,2026-01-05,5.50,false',
        '4,x,undone,2,2026-01-07,1.00,true',
        '4,x,undone,2,2026-01-07,1.00,true',
      ),
    },
  ],
}
