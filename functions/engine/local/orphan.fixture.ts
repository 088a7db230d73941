// A process with an engine at work on a query without an end, until it is killed. Used by orphan.test.ts.
import { columns, goldStep } from '../testing.ts'
import { literalRows, openLake } from './testing.ts'

const number = columns('n bigint')
const lake = await openLake({ root: process.argv[2]! })
await lake.append('t.big', number, literalRows(number, '(1)'))
await lake.append('t.big', number, 'select range as n from range(200000)')
const query =
  'select count(*) as n from t.big as a cross join t.big as b cross join t.big as c where a.n * b.n % 7 = c.n'
const step = goldStep('g.slow', query, number, [
  { table: 't.big', columns: number, external: true },
])
await lake.run([step], 1, {
  during: (report) => {
    if (report.kind === 'step' && report.state === 'running') process.stdout.write('running\n')
  },
})
