import { spawn } from 'node:child_process'
import { cp, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isTemp } from '../durable.ts'
import { readSnapshot, vacuum } from '../delta.ts'
import { append, openBench, rowsOf, step as stepHere, STEP_COLUMNS } from './testing.ts'
import type { Bench } from './testing.ts'

let bench: Bench
beforeAll(async () => void (bench = await openBench()))
afterAll(() => bench.close())

/** The step in a process of its own, which a point may kill: `ok`, the signal, or what it said. */
async function step(dir: string, seq: number, env: Record<string, string> = {}): Promise<string> {
  const script = `
    import { openDuckdb, step } from ${JSON.stringify(import.meta.resolve('./testing.ts'))}
    await step(await openDuckdb(), process.argv[1], Number(process.argv[2]))
  `
  const child = spawn(process.execPath, ['--input-type=module', '-e', script, dir, String(seq)], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let errors = ''
  child.stderr.on('data', (data: Buffer) => (errors += data.toString()))
  return await new Promise((done) =>
    child.on('close', (status, signal) => done(signal ?? (status === 0 ? 'ok' : errors))),
  )
}

describe('a commit that is killed', () => {
  it.each([
    ['the first of a table', 0],
    ['one that is due for a checkpoint', 2],
  ])(
    'at any point of %s leaves the table before or after it, and a retry ends at the same rows',
    async (_, seq) => {
      const start = await bench.folder()
      for (let earlier = 0; earlier < seq; earlier++)
        await stepHere(bench.connection, start, earlier)
      const list = join(bench.root, `points-${seq}`)
      const undisturbed = await bench.folder()
      await cp(start, undisturbed, { recursive: true })
      expect(await step(undisturbed, seq, { LAKEFORGE_CRASH_LIST: list })).toBe('ok')
      const names = (await readFile(list, 'utf8')).trim().split('\n')
      expect(names.length).toBeGreaterThan(seq === 0 ? 13 : 30)
      const wanted = await rows(undisturbed)
      expect(wanted).toHaveLength(3 * (seq + 1))

      // "after" a point is "before" the next one, but for the work between them.
      const points = names.filter((name, i) => name.endsWith('before') || i === names.length - 1)
      const tries = points.map((name) => async () => {
        const at = `${name.split(' ')[0]}:${name.split(' ').at(-1)}`
        const dir = await bench.folder()
        await cp(start, dir, { recursive: true })
        expect(await step(dir, seq, { LAKEFORGE_CRASH_AT: at }), name).toBe('SIGKILL')
        const found = await rows(dir)
        expect([wanted.slice(0, 3 * seq), wanted], name).toContainEqual(found)
        await stepHere(bench.connection, dir, seq)
        expect(await rows(dir), name).toEqual(wanted)
        await vacuum(dir, {
          now: Date.now() + 60_000,
          retention_ms: 0,
          connection: bench.connection,
        })
        expect(await rows(dir), name).toEqual(wanted)
        const left = [...(await readdir(dir)), ...(await readdir(join(dir, '_delta_log')))]
        expect(left.filter(isTemp), name).toEqual([])
        expect(left.filter((file) => file.startsWith('part-')).length, name).toBe(seq + 1)
        await rm(dir, { recursive: true })
      })
      for (let i = 0; i < tries.length; i += 2)
        await Promise.all(tries.slice(i, i + 2).map((attempt) => attempt()))
    },
    120_000,
  )

  it('after the link is known by its batch, and the next version follows', async () => {
    const dir = await bench.folder()
    await stepHere(bench.connection, dir, 0)
    const list = join(bench.root, 'points-link')
    const copy = await bench.folder()
    await cp(dir, copy, { recursive: true })
    await step(copy, 1, { LAKEFORGE_CRASH_LIST: list })
    const link = (await readFile(list, 'utf8'))
      .split('\n')
      .find((name) => / link .*json after$/.test(name))!
    expect(await step(dir, 1, { LAKEFORGE_CRASH_AT: `${link.split(' ')[0]}:after` })).toBe(
      'SIGKILL',
    )
    const snapshot = await readSnapshot(dir)
    expect(snapshot!.txn.get('step')).toBe(1)
    expect((await append(bench, dir, STEP_COLUMNS, 'SELECT 9 seq, 9 "row"')).version).toBe(2)
  })
})

async function rows(dir: string): Promise<unknown[]> {
  const plain = await readSnapshot(dir)
  const pointed = await readSnapshot(dir, { connection: bench.connection })
  if (!plain || !pointed) return []
  const order = (found: Record<string, unknown>[]) =>
    found.map((row) => `${String(row.seq)} ${String(row.row)}`).toSorted()
  const found = order(await rowsOf(bench, plain))
  expect(order(await rowsOf(bench, pointed))).toEqual(found)
  return found
}
