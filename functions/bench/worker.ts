// The Worker's weight and its first answer. Aims: 500 KB of gzip without the SQL dialect, 100 ms. Loading is measured against an empty
// Worker in the same runtime; the first answer needs no database, so that it says nothing of the network to one.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildWorker, runWorkerd } from '#functions/worker.testing.ts'
import type { BuiltWorker } from '#functions/worker.testing.ts'

const RUNS = 5

const built = await buildWorker()
const light = await buildWorker({ dialect: false })
const dir = await mkdtemp(join(tmpdir(), 'lakeforge-bench-'))
try {
  await mkdir(join(dir, 'built'))
  await writeFile(
    join(dir, 'built/worker.js'),
    'export default { fetch: () => new Response("", { status: 401 }) }',
  )
  const empty: BuiltWorker = { ...built, dir }

  const kb = (bytes: number) => `${(bytes / 1000).toFixed(0)} KB`
  console.log(
    `bundle, gzip: ${kb(light.gzip_bytes)} without the SQL dialect (aim 500 KB), ${kb(built.gzip_bytes)} with it`,
  )
  const times = {
    load: [] as number[],
    empty: [] as number[],
    first: [] as number[],
    next: [] as number[],
  }
  for (let run = 0; run < RUNS; run++) {
    times.empty.push((await visit(empty)).load_ms)
    const { load_ms, first_ms, next_ms } = await visit(built)
    times.load.push(load_ms)
    times.first.push(first_ms)
    times.next.push(next_ms)
  }
  const load = Math.max(0, median(times.load) - median(times.empty))
  const first = median(times.first)
  console.log(
    `cold: ${load.toFixed(0)} ms to load (an empty Worker taken off), ${first.toFixed(0)} ms to the first answer: ` +
      `${(load + first).toFixed(0)} ms (aim 100 ms); the next answer ${median(times.next).toFixed(1)} ms`,
  )
} finally {
  await Promise.all([built.remove(), light.remove(), rm(dir, { recursive: true, force: true })])
}

/** A runtime started for this visit: until it listens, until its first answer, until the next one. */
async function visit(
  worker: BuiltWorker,
): Promise<{ load_ms: number; first_ms: number; next_ms: number }> {
  const started = performance.now()
  const running = await runWorkerd(worker, { DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none' })
  try {
    const load_ms = performance.now() - started
    return { load_ms, first_ms: await answer(running.url), next_ms: await answer(running.url) }
  } finally {
    await running.stop()
  }
}

async function answer(url: string): Promise<number> {
  const started = performance.now()
  const found = await fetch(`${url}/api/groups`)
  await found.arrayBuffer()
  if (found.status !== 401) throw new Error(`The Worker answered ${found.status}.`)
  return performance.now() - started
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!
}
