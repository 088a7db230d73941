// A process that writes to the embedded store until it is killed: one line a committed row. Used by pglite.test.ts.
import { openEmbedded } from './pglite.ts'

const sql = await openEmbedded(process.argv[2]!)
await sql`create table if not exists public.row (n integer primary key, half text not null)`
for (let n = Number(process.argv[3]); ; n++) {
  await sql.begin(async (tx) => {
    await tx`insert into public.row values (${2 * n}, 'first')`
    await tx`insert into public.row values (${2 * n + 1}, 'second')`
  })
  process.stdout.write(`${n}\n`)
}
