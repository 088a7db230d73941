// CSV as it is found: delimiters, encodings, quotes, headers, lines of the wrong length, texts of every form of a value.
import { gzipSync } from 'node:zlib'
import { lines, type Scenario } from '../scenario.ts'

const VALUES = [
  'whole tinyint',
  'big bigint',
  'money decimal(10,2)',
  'exact decimal(38,18)',
  'ratio double',
  'small float',
  'yes boolean',
  'day date',
  'at timestamp',
  'local timestamp_ntz',
]

export const texts: Scenario = {
  name: 'texts',
  feeds: [
    {
      case: 'semicolons, no header, windows line ends, latin-1',
      name: 'latin',
      object: 'latin.csv',
      fields: ['a string', 'b int'],
      source_names: { a: '_c0', b: '_c1' },
      raw: { options: { delimiter: ';', header: false, encoding: 'latin-1' } },
    },
    {
      case: 'tabs, lines before the header, packed by gzip',
      name: 'tabs',
      object: 'tabs.tsv.gz',
      fields: ['id int', 'text string'],
      raw: { format: 'tsv', options: { skip_rows: 2 } },
    },
    {
      case: 'names with spaces, repeated names, names that differ by case',
      name: 'named',
      object: 'named.csv',
      fields: ['order_id int', 'order_id_2 string', 'order_id_3 string', 'total_chf decimal(8,2)'],
      source_names: {
        order_id: 'Order ID',
        order_id_2: 'Order ID[2]',
        order_id_3: 'order id',
        total_chf: 'Total (CHF)',
      },
    },
    {
      case: 'texts that mean null',
      name: 'nothing',
      object: 'nothing.csv',
      fields: ['id int', 'a string', 'b int'],
      raw: { options: { null_values: ['', 'NA', '-'] } },
    },
    {
      case: 'no quotes at all',
      name: 'plain',
      object: 'plain.csv',
      fields: ['id int', 'text string'],
      raw: { options: { quote: null, escape: null } },
    },
    {
      case: 'lines too long and too short, kept',
      name: 'ragged',
      object: 'ragged.csv',
      fields: ['id int', 'a string', 'b string'],
      raw: { options: { bad_rows: 'rescue' } },
    },
    {
      case: 'lines too long stop the batch',
      name: 'ragged_strict',
      object: 'ragged.csv',
      fields: ['id int', 'a string', 'b string'],
    },
    {
      case: 'every form of a value, the unfit rescued',
      name: 'forms',
      object: 'forms.csv',
      fields: VALUES,
      raw: { options: { bad_rows: 'rescue' } },
    },
    {
      case: 'a header alone, and an empty file',
      name: 'empty',
      object: 'empty/*.csv',
      fields: ['id int', 'text string'],
    },
    {
      case: 'no file at all',
      name: 'absent',
      object: 'absent/*.csv',
      fields: ['id int'],
    },
    {
      case: 'bytes that the encoding does not have',
      name: 'garbled',
      object: 'garbled.csv',
      fields: ['id int', 'text string'],
    },
  ],
  silver: [
    {
      case: 'expressions over every type',
      name: 'computed',
      from: ['b.forms'],
      select:
        'whole, big, money + 1 as money, exact, ratio * 2 as ratio, small, not yes as no, date_add(day, 1) as day, at, local, cast(money as string) as said',
      fields: [
        'whole tinyint',
        'big bigint',
        'money decimal(11,2)',
        'exact decimal(38,18)',
        'ratio double',
        'small float',
        'no boolean',
        'day date',
        'at timestamp',
        'local timestamp_ntz',
        'said string',
      ],
    },
  ],
  gold: [
    {
      case: 'aggregates of every type',
      name: 'summed',
      from: ['b.forms'],
      query:
        'select count(*) as n, count(money) as m, sum(money) as money, min(day) as first, max(at) as last, sum(whole) as whole, avg(money) as mean from b.forms',
      fields: [
        'n bigint',
        'm bigint',
        'money decimal(20,2)',
        'first date',
        'last timestamp',
        'whole bigint',
        'mean decimal(14,6)',
      ],
    },
  ],
  batches: [
    {
      'latin.csv': Buffer.from('Zürich;1\r\n"a;b";2\r\n', 'latin1'),
      'tabs.tsv.gz': gzipSync('made by hand\n\nid\ttext\n1\tone\n2\t"two\ttabs"\n'),
      'named.csv': lines('Order ID,Order ID,order id,Total (CHF)', '1,a,b,10.50', '2,,,0.00'),
      'nothing.csv': lines('id,a,b', '1,NA,5', '2,-,-', '3,,NA', '4,"",7'),
      'plain.csv': lines('id,text', '1,"quoted"', "2,it's"),
      'ragged.csv': lines('id,a,b', '1,x,y', '2,x', '3,x,y,more,still more', '4,,'),
      'forms.csv': lines(
        VALUES.map((field) => field.split(' ')[0]).join(','),
        '1,1,1.5,1.5,1.5,1.5,true,2026-01-01,2026-01-01,2026-01-01',
        '-128,-9223372036854775808,-0.01,0.000000000000000001,-1e-300,1e10,FALSE,0001-01-01,2026-01-01 10:00,2026-01-01 10:00:00.1',
        '127,9223372036854775807,99999999.99,12345678901234567890.123456789012345678,NaN,inf,1,9999-12-31,2026-01-01T10:00:00Z,2026-01-01T10:00:00.123456',
        '128,9223372036854775808,100000000.00,1.0000000000000000001,one,1e39,maybe,2026-02-30,2026-01-01 25:00:00,noon',
        ' 5 ,+7,1e2,.5,.5,5.,no,2026-1-2,2026-01-01 10:00:00+02:00,2026-01-01 10:00:00',
        '1.0,007,1.005,-1,-Infinity,-0.0,Y,2026-01-01,2026-01-01 10:00:00.123456789,2026-01-01 10:00:00.999999',
        '1.5,1e3,"1,5",0,1e400,nan,f,,1969-12-31 23:59:59.5,1582-10-15 12:00:00',
        ',,,,,,,,,',
      ),
      'empty/1.csv': 'id,text\n',
      'empty/2.csv': '',
      'garbled.csv': Buffer.from([...Buffer.from('id,text\n1,'), 0xff, 0xfe, 0x0a]),
    },
    { 'empty/3.csv': lines('id,text', '1,at last') },
  ],
}
