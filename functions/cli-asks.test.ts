// Where the command asks or is told to stop: nothing is deleted unasked, and Ctrl-C leaves no batch running.
import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import type { AddressInfo, Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'

const CLI = join(import.meta.dirname, 'cli.ts')
let dir: string
/** Takes every connection and never says a word. */
let silent: Server
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'lakeforge asks '))
  silent = createServer(() => undefined)
  await new Promise<void>((done) => silent.listen(0, '127.0.0.1', done))
  const options = {
    host: '127.0.0.1',
    port: (silent.address() as AddressInfo).port,
    database: 'd',
    user: 'u',
    sslmode: 'disable',
  }
  const table = { format: 'table', read_mode: 'full', columns: [{ name: 'id', type: 'int' }] }
  const set = {
    groups: [{ name: 'mute' }],
    sources: [{ name: 'mute', kind: 'postgres', options }],
    raw_configs: [
      { name: 'orders', source: 'mute', group: 'mute', object: 'public.orders', ...table },
    ],
  }
  await writeFile(join(dir, 'all.json'), JSON.stringify(set))
  await writeFile(join(dir, 'less.json'), JSON.stringify({ ...set, raw_configs: [] }))
}, 30_000)
afterAll(async () => {
  silent.close()
  await rm(dir, { recursive: true, force: true })
})

/** Runs a command to its end; sends SIGINT once it has said `until`. */
function call(
  args: string[],
  until?: RegExp,
): Promise<{ code: number | null; err: string; out: string }> {
  const child = spawn(process.execPath, [CLI, ...args], {
    cwd: dir,
    env: { PATH: process.env.PATH, LAKEFORGE_HOME: join(dir, 'home'), NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let out = ''
  let err = ''
  let sent = false
  child.stdout.on('data', (data: Buffer) => (out += data.toString()))
  child.stderr.on('data', (data: Buffer) => {
    err += data.toString()
    if (!sent && until?.test(err)) sent = child.kill('SIGINT')
  })
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, out, err })))
}

it('cancels the batch on Ctrl-C, says so, and ends with 1', async () => {
  expect(await call(['apply', 'all.json'])).toMatchObject({ code: 0 })
  const stopped = await call(['run', 'mute'], /raw:mute\.orders running/)
  expect(stopped).toMatchObject({
    code: 1,
    err: expect.stringContaining('Asking the batch to stop. Once more leaves at once.'),
    out: expect.stringContaining('cancelled'),
  })
  const status = JSON.parse((await call(['status', '--json'])).out) as { running: unknown[] }
  expect(status.running).toEqual([])
}, 180_000)

it('shows what --prune would delete, and deletes nothing where nobody can be asked', async () => {
  const asked = await call(['apply', 'less.json', '--prune'])
  expect(asked).toMatchObject({ code: 1 })
  expect(asked.err).toContain('mute.orders')
  expect(asked.err).toContain('There is nobody to ask.')
  expect((await call(['export'])).out).toContain('public.orders')
  expect(await call(['apply', 'less.json', '--prune', '--yes'])).toMatchObject({ code: 0 })
  expect((await call(['export'])).out).not.toContain('public.orders')
}, 180_000)
