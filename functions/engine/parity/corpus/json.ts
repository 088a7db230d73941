// JSON: lines and documents, nested values, fields that come and go, values that don't fit.
import { lines, type Scenario } from '../scenario.ts'

const nested = [
  'id bigint',
  'name string',
  'tags array<string>',
  'place struct<city:string,at:struct<lat:double,lon:double>>',
  'counts map<string,bigint>',
  'amount decimal(12,3)',
]

export const json: Scenario = {
  name: 'json',
  feeds: [
    {
      case: 'lines with nested values, unicode and nulls',
      name: 'events',
      object: 'events/*.ndjson',
      fields: nested,
      raw: { format: 'ndjson' },
    },
    {
      case: 'values that do not fit are rescued',
      name: 'misfits',
      object: 'misfits/*.ndjson',
      fields: ['id int', 'flag boolean', 'day date', 'at timestamp', 'n decimal(5,2)'],
      raw: { format: 'ndjson', options: { bad_rows: 'rescue' } },
    },
    {
      case: 'a value that does not fit stops the batch',
      name: 'strict',
      object: 'misfits/*.ndjson',
      fields: ['id int', 'flag boolean', 'day date', 'at timestamp', 'n decimal(5,2)'],
      raw: { format: 'ndjson' },
    },
    {
      case: 'one document that is an array',
      name: 'document',
      object: 'documents/*.json',
      fields: ['id bigint', 'text string'],
      raw: { format: 'json' },
    },
    {
      case: 'rows at a path of a document',
      name: 'below',
      object: 'below/*.json',
      fields: ['id bigint', 'text string'],
      raw: { format: 'json', options: { record_path: 'data.items' } },
    },
    {
      case: 'new fields evolve in the order in which they came',
      name: 'growing',
      object: 'growing/*.ndjson',
      fields: ['id bigint'],
      raw: { format: 'ndjson' },
    },
    {
      case: 'what is not well-formed stops the batch',
      name: 'broken',
      object: 'broken/*.ndjson',
      fields: ['id bigint'],
      raw: { format: 'ndjson' },
    },
  ],
  silver: [
    {
      case: 'fields and elements of nested values',
      name: 'unfolded',
      select:
        "id, place.city as city, place.at.lat as lat, tags[0] as tag, counts['a'] as a, size(tags) as n, amount * 2 as twice",
      fields: [
        'id bigint',
        'city string',
        'lat double',
        'tag string',
        'a bigint',
        'n int',
        'twice decimal(14,3)',
      ],
      where: 'id <> 3',
    },
    {
      case: 'nested values merged whole',
      name: 'nested_merged',
      load_type: 'merge',
      keys: ['id'],
      dedupe: true,
      select: 'id, tags, place',
      fields: [
        'id bigint',
        'tags array<string>',
        'place struct<city:string,at:struct<lat:double,lon:double>>',
      ],
    },
  ],
  batches: [
    {
      'events/1.ndjson': lines(
        '{"id":1,"name":"Zoë 🎌","tags":["a","b"],"place":{"city":"Zürich","at":{"lat":47.5,"lon":8.25}},"counts":{"a":1,"b":2},"amount":12.345}',
        '{"id":2,"name":null,"tags":[],"place":null,"counts":{},"amount":0.5}',
        '{"id":3,"tags":[null,"x"],"place":{"city":null,"at":{"lat":null,"lon":1.5}}}',
      ),
      'misfits/1.ndjson': lines(
        '{"id":1,"flag":true,"day":"2026-01-01","at":"2026-01-01T10:00:00Z","n":1.25}',
        '{"id":"two","flag":"maybe","day":"2026-13-01","at":"noon","n":12345.5}',
        '{"id":3,"flag":false,"day":"2026-01-03","at":"2026-01-03T10:00:00+02:00","n":"3.5"}',
      ),
      'documents/1.json':
        '[\n  {"id": 1, "text": "one"},\n  {"id": 2,\n   "text": "two\\nlines"}\n]\n',
      'below/1.json':
        '{"meta": {"page": 1}, "data": {"total": 2, "items": [{"id": 1, "text": "a"}, {"id": 2, "text": "b"}]}}\n',
      'growing/1.ndjson': lines('{"id":1}'),
      'broken/1.ndjson': lines('{"id":1}', '{"id":2'),
    },
    {
      'events/2.ndjson': lines(
        '{"id":1,"name":"again","tags":["c"],"place":{"city":"Bern","at":{"lat":46.95,"lon":7.45}},"counts":{"a":3},"amount":1}',
        '{"id":4,"name":"four","tags":["d"],"place":{"city":"Genf","at":{"lat":46.2,"lon":6.15}},"counts":{"a":4},"amount":2.5}',
      ),
      'documents/2.json': '[]\n',
      'growing/2.ndjson': lines(
        '{"id":2,"zeta":"z","alpha":1,"when":"2026-01-01","deep":{"b":true}}',
        '{"id":3,"alpha":2,"mid":1.5}',
      ),
    },
  ],
}
