import { spawn } from 'node:child_process'
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, expect, it, vi } from 'vitest'
import { openEmbedded } from './pglite.ts'
import { storeDump } from './testing.ts'

// processes are started here, on machines that may be busy
vi.setConfig({ testTimeout: 120_000 })

const root = await mkdtemp(join(tmpdir(), 'store with space-'))
afterAll(() => rm(root, { recursive: true, force: true }))

it('keeps every committed transaction, and no half one, through SIGKILL', async () => {
  const dir = join(root, 'killed')
  await (await openEmbedded(dir, { load: await storeDump([]) })).end()
  let next = 0
  for (let round = 0; round < 3; round++) {
    const child = spawn(
      process.execPath,
      [join(import.meta.dirname, 'pglite-writer.fixture.ts'), dir, String(next)],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    )
    const first = next
    for await (const line of createInterface({ input: child.stdout })) {
      next = Number(line) + 1
      if (next - first === 20) child.kill('SIGKILL')
    }
    const sql = await openEmbedded(dir)
    const rows = await sql<{ n: number; half: string }[]>`select n, half from public.row order by n`
    await sql.end()
    // the last commit may have happened without its line
    expect([2 * next, 2 * next + 2]).toContain(rows.length)
    expect(rows.map(({ n }) => n)).toEqual(rows.map((_, index) => index))
    next = rows.length / 2
  }
})

it('leaves no half-made folder behind and flushes commits', async () => {
  const dir = join(root, 'new')
  await mkdir(`${dir}.new-1/base`, { recursive: true })
  const sql = await openEmbedded(dir)
  expect(await sql`show fsync`).toEqual([{ fsync: 'on' }])
  await sql.end()
  expect((await readdir(root)).filter((name) => name.startsWith('new'))).toEqual(['new'])
})
