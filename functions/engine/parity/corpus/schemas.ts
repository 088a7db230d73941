// Schema policies and column policies: columns that come, go and change their type from one delivery to the next.
import { lines, type Feed, type Scenario } from '../scenario.ts'

const fields = ['id int', 'name string', 'score int']
const feed = (name: string, text: string, more: Pick<Feed, 'raw' | 'bronze'>): Feed => ({
  case: text,
  name,
  object: 'people/*.csv',
  fields,
  ...more,
})
const rescue = { options: { bad_rows: 'rescue' } }

export const schemas: Scenario = {
  name: 'schemas',
  feeds: [
    feed('evolving', 'evolve: new columns are taken on, missing ones are null, misfits rescued', {
      raw: rescue,
      bronze: { schema_policy: 'evolve' },
    }),
    feed('strict', 'evolve with bad rows refused', { bronze: { schema_policy: 'evolve' } }),
    feed('frozen', 'freeze: the batch is refused, and its rows wait', {
      raw: rescue,
      bronze: { schema_policy: 'freeze' },
    }),
    feed('rescued', 'rescue: new columns go to _rescued_data', {
      raw: rescue,
      bronze: { schema_policy: 'rescue' },
    }),
    feed('newest', 'replace: the newest delivery alone', {
      raw: rescue,
      bronze: { write: 'replace', schema_policy: 'evolve' },
    }),
    feed('guarded', 'mask and hash', {
      raw: rescue,
      bronze: {
        schema_policy: 'rescue',
        column_policies: [
          { column: 'name', policy: 'mask' },
          { column: 'score', policy: 'hash' },
        ],
      },
    }),
    feed('without', 'a column left out', {
      raw: rescue,
      bronze: { schema_policy: 'rescue', column_policies: [{ column: 'name', policy: 'exclude' }] },
    }),
  ],
  silver: [
    {
      case: 'reads on while its bronze table evolves',
      name: 'reading',
      select: 'id, name, score + 1 as next',
      fields: ['id int', 'name string', 'next int'],
    },
  ],
  batches: [
    { 'people/1.csv': lines('id,name,score', '1,anna,10', '2,bert,') },
    {
      'people/2.csv': lines(
        'id,score,City,joined at,joined_at',
        '3,30,Zürich,2026-01-01 10:00:00,5',
        '4,40,,2026-01-02 11:00:00,6',
      ),
    },
    {
      'people/3.csv': lines('id,name,score,City', '5,carl,many,Bern', '6,dora,60,7'),
    },
    { 'people/4.csv': lines('id,name,score', '7,emil,70') },
  ],
}
