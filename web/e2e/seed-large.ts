// A home with a batch of 3 000 steps and one with 100 000 log lines, written straight into the store: running them for real would
// take longer than looking at them. Prints the ids of both as JSON. Usage: node web/e2e/seed-large.ts <home>
import { openHome } from '#functions/home.ts'
import { uuidv7 } from '#core/id.ts'
import type { Sql } from '#sql/db.ts'

export const STEPS = 3000
export const LINES = 100_000

const home = await openHome({ dir: process.argv[2]!, env: {}, schedules: false })
try {
  const group_id = uuidv7()
  const [environment] = await home.sql<{ id: string }[]>`select id from config.environment limit 1`
  await home.sql`
    insert into config.plan ${home.sql({
      hash: 'large',
      group_id,
      plan: home.sql.json({
        format: 1,
        group: { id: group_id, name: 'large', max_parallel: 8, on_failure: 'continue' },
        steps: [],
      }),
    })}
  `
  const batch = async (seq: number, state: string) => {
    const id = uuidv7()
    await home.sql`
      insert into logging.batch_run ${home.sql({
        id,
        group_id,
        group_name: 'large',
        environment_id: environment!.id,
        environment: 'laptop',
        seq,
        engine: 'local',
        state,
        trigger: 'manual',
        plan_hash: 'large',
        metadata_version: 1,
        requested_by: 'test',
        started_at: new Date(Date.now() - 3_600_000),
        finished_at: new Date(),
      })}
    `
    return id
  }
  const wide = await batch(1, 'failed')
  await steps(home.sql, wide, group_id)
  const long = await batch(2, 'succeeded')
  await lines(home.sql, long)
  console.log(JSON.stringify({ wide, long }))
} finally {
  await home.close()
}

/** A thousand tables through three zones; every hundredth fails in bronze, and its silver table is skipped. */
async function steps(sql: Sql, batch_id: string, group_id: string): Promise<void> {
  const begin = Date.now() - 3_600_000
  for (const [zone, offset] of [
    ['raw', 0],
    ['bronze', 1],
    ['silver', 2],
  ] as const) {
    const rows = Array.from({ length: STEPS / 3 }, (_, n) => {
      const bad = n % 100 === 7
      const name = `${zone}.table_${String(n).padStart(4, '0')}`
      const before = [
        '',
        `raw:${name.replace(zone, 'raw')}`,
        `bronze:${name.replace(zone, 'bronze')}`,
      ]
      const state =
        bad && zone === 'bronze' ? 'failed' : bad && zone === 'silver' ? 'skipped' : 'succeeded'
      const started = new Date(begin + offset * 1_000_000 + n * 900)
      return {
        id: uuidv7(),
        batch_id,
        group_id,
        key: `${zone}:${name}`,
        zone,
        name,
        config_id: uuidv7(),
        depends_on: offset === 0 ? [] : [before[offset]!],
        state,
        attempt: 1,
        rows_read: 1000 + n,
        rows_written: bad ? 0 : 1000 + n,
        duration_ms: 3000,
        root_cause: state === 'skipped' ? `bronze:${name.replace(zone, 'bronze')}` : null,
        error_code: state === 'failed' ? 'sql_failed' : null,
        error_message: state === 'failed' ? 'A value could not be cast.' : null,
        error_hint: state === 'failed' ? 'Look at the column.' : null,
        started_at: state === 'skipped' ? null : started,
        finished_at: new Date(started.getTime() + 3000 + (n % 50) * 400),
      }
    })
    for (let from = 0; from < rows.length; from += 500)
      await sql`insert into logging.step_run ${sql(rows.slice(from, from + 500))}`
  }
}

async function lines(sql: Sql, batch_id: string): Promise<void> {
  for (let from = 0; from < LINES; from += 10_000)
    await sql`
      insert into logging.event (batch_id, number, step, level, text)
      select ${batch_id}, n, 'bronze:bronze.orders',
        case when n % 5000 = 0 then 'error' when n % 500 = 0 then 'warn' else 'info' end,
        case when n % 5000 = 0 then 'needle ' || n || E'\n  at one\n  at two' else 'read file part-' || n || '.parquet, 12 000 rows' end
      from generate_series(${from + 1}::integer, ${from + 10_000}::integer) n
    `
}
