// Merge of 1 % changes into 10 million rows, against a script that does the same by hand: it looks which files hold a changed
// key, copies those without the changed rows, and writes the changes beside them. Same files, same DuckDB settings, each run in
// a process of its own. Ours also decides by sequence, counts, keeps content sums and statistics, and commits.
// `node functions/bench/merge.ts [rows in millions] [rounds]` prints times, the ratio of medians and peak memory.
import { spawnSync } from 'node:child_process'
import { cp, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { literalDuckdb } from '#core/names.ts'
import type { PlanColumn } from '#core/plan.ts'
import { commit, readSnapshot } from '#engine/local/delta.ts'
import { openSession, type StepSession } from '#engine/local/session.ts'
import { write } from '#engine/local/writers/index.ts'
import type { Load } from '#engine/local/writers/writer.ts'

const COLUMNS: PlanColumn[] = Object.entries({
  id: 'bigint',
  name: 'string',
  city: 'string',
  amount: 'decimal(12,2)',
  score: 'double',
  born: 'date',
  updated_at: 'timestamp',
  note: 'string',
}).map(([name, type]) => ({ name, type, nullable: true }))

/** Changed keys all over the table, or among its newest tenth. */
const SPREADS = ['scattered', 'recent'] as const
type Spread = (typeof SPREADS)[number]
type Who = 'ours' | 'by hand'
type Measure = { seconds: number; cpu: number; peak_mb: number; files: number; rows: number }

const [mode, ...rest] = process.argv.slice(2)
if (mode === 'child') await child(rest[0]!, rest[1] as Who, rest[2]!)
else await compare(Number(mode ?? 10), Number(rest[0] ?? 3))

async function compare(millions: number, rounds: number): Promise<void> {
  const root = await mkdtemp(join(tmpdir(), 'bench-merge-'))
  try {
    await makeTable(root, millions * 1_000_000)
    for (const spread of SPREADS) {
      const found: Record<Who, Measure[]> = { 'by hand': [], ours: [] }
      for (let round = 0; round < rounds; round++)
        for (const who of ['by hand', 'ours'] as const)
          found[who].push(await run(root, who, spread))
      for (const who of ['by hand', 'ours'] as const) {
        const middle = median(found[who])
        const all = found[who].map(({ seconds }) => seconds.toFixed(2)).join(', ')
        const peak = Math.max(...found[who].map(({ peak_mb }) => peak_mb))
        console.log(
          `${spread} ${who.padEnd(8)} ${middle.seconds.toFixed(2)} s (${all}), CPU ${middle.cpu.toFixed(2)} s, peak ${peak} MB, ` +
            `${middle.files} files rewritten, ${middle.rows} rows after`,
        )
      }
      const [mine, theirs] = [median(found.ours), median(found['by hand'])]
      console.log(
        `${spread} ratio ${(mine.seconds / theirs.seconds).toFixed(2)} (aim: at most 1.5), ` +
          `of CPU ${(mine.cpu / theirs.cpu).toFixed(2)}`,
      )
    }
  } finally {
    await rm(root, { recursive: true, force: true })
  }
}

/** The table, and a Parquet file of changes for each spread: nine updates for each new row. */
async function makeTable(root: string, rows: number): Promise<void> {
  await withSession(root, async (sql) => {
    const values = (id: string, version: number) => `select ${id} as id,
      'name ' || (${id} * 7919 % 1000003) as name, 'city ' || (${id} % 500) as city,
      (${id} * 31 % 1000000)::decimal(12,2) as amount, (${id} * 17 % 999983) / 7.0::double as score,
      date '1950-01-01' + (${id} % 20000)::int as born,
      timestamptz '2024-01-01 00:00:00+00' + to_seconds(${id} % 10000000 + ${version} * 86400) as updated_at,
      md5((${id} % 100000)::varchar) as note`
    const load = loadOf(root, sql, `(${values('range', 0)} from range(${rows}))`)
    const { adds, columns } = await write('append', load)
    await commit(load.dir, { base: null, operation: 'WRITE', adds, columns, timestamp: 1 })
    const changes = rows / 100
    const known = changes * 0.9
    const every = (step: number, from: number) =>
      `if(range < ${known}, ${from} + range * ${step}, ${rows} + range)`
    const ids: Record<Spread, string> = {
      scattered: every(Math.floor(rows / known), 0),
      recent: every(Math.floor(rows / 10 / known), rows - rows / 10),
    }
    for (const spread of SPREADS)
      await sql.run(
        `copy (${values('id', 9)} from (select ${ids[spread]} as id from range(${changes})))
          to ${literalDuckdb(changesFile(root, spread))} (format parquet)`,
      )
  })
}

async function run(root: string, who: Who, spread: Spread): Promise<Measure> {
  const copy = join(root, 'copy')
  await rm(copy, { recursive: true, force: true })
  await cp(tableDir(root), tableDir(copy), { recursive: true })
  const ended = spawnSync(
    process.execPath,
    [import.meta.filename, 'child', copy, who, changesFile(root, spread)],
    { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] },
  )
  if (ended.status !== 0) throw new Error(`${who} ended with ${ended.status ?? ended.signal}`)
  return JSON.parse(ended.stdout) as Measure
}

/** One run, measured without the opening of the session. */
async function child(root: string, who: Who, changes: string): Promise<void> {
  await withSession(join(root, '..'), async (sql) => {
    const staged = `read_parquet(${literalDuckdb(changes)})`
    const from = performance.now()
    const before = process.cpuUsage()
    const files = who === 'ours' ? await ours(sql, root, staged) : await byHand(sql, root, staged)
    const seconds = (performance.now() - from) / 1000
    const used = process.cpuUsage(before)
    const cpu = (used.user + used.system) / 1e6
    const peak_mb = Math.round(process.resourceUsage().maxRSS / 1024)
    const { rows } = await sql.row(`select count(*) as rows from read_parquet(${list(files.live)})`)
    console.log(
      JSON.stringify({ seconds, cpu, peak_mb, files: files.rewritten, rows: Number(rows) }),
    )
  })
}

type Files = { live: string[]; rewritten: number }

async function ours(sql: StepSession, root: string, staged: string): Promise<Files> {
  const load = loadOf(root, sql, `(select *, updated_at as __sequence from ${staged})`)
  const snapshot = await readSnapshot(load.dir)
  const { adds, removes, columns, operation } = await write('merge', {
    ...load,
    snapshot,
    has_sequence: true,
  })
  await commit(load.dir, { base: snapshot, operation, adds, removes, columns, timestamp: 2 })
  const after = (await readSnapshot(load.dir))!
  return { live: after.files.map((file) => join(load.dir, file.path)), rewritten: removes.length }
}

async function byHand(sql: StepSession, root: string, staged: string): Promise<Files> {
  const dir = tableDir(root)
  const names = (await readdir(dir)).filter((name) => name.endsWith('.parquet'))
  const all = names.map((name) => join(dir, name))
  await sql.run(`create temp table changes as select * from ${staged}`)
  const rows = await sql.rows(
    `select distinct filename from read_parquet(${list(all)}, filename = true) as t
      semi join changes using (id)`,
  )
  const touched = rows.map((row) => String(row.filename))
  const made = await sql.rows(
    `copy (select t.* from read_parquet(${list(touched)}) as t anti join changes using (id)
        union all select * from changes)
      to ${literalDuckdb(dir)} (format parquet, compression zstd, return_stats, append,
        file_size_bytes '64MiB', filename_pattern 'new-{uuid}')`,
  )
  const kept = all.filter((path) => !touched.includes(path))
  return { live: [...kept, ...made.map((row) => String(row.filename))], rewritten: touched.length }
}

async function withSession(
  root: string,
  action: (sql: StepSession) => Promise<void>,
): Promise<void> {
  const session = await openSession({ root, memory_bytes: 1024 ** 3, threads: 2, prelude: [] })
  const sql = await session.open()
  await action(sql)
  await sql.close()
  await session.close()
}

function loadOf(root: string, sql: StepSession, staged: string): Load {
  return {
    sql,
    table: 'bench.merge',
    dir: tableDir(root),
    snapshot: null,
    staged,
    columns: COLUMNS,
    keys: ['id'],
    has_sequence: false,
    has_delete: false,
    sequence_type: 'timestamp',
    sequence_column: 'updated_at',
    unique_keys: true,
  }
}

function tableDir(root: string): string {
  return join(root, 'tables', 'bench', 'merge')
}

function changesFile(root: string, spread: Spread): string {
  return join(root, `changes-${spread}.parquet`)
}

function list(files: readonly string[]): string {
  return `[${files.map(literalDuckdb).join(', ')}]`
}

function median(measures: readonly Measure[]): Measure {
  return measures.toSorted((a, b) => a.seconds - b.seconds)[Math.floor(measures.length / 2)]!
}
