import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, expect, it, vi } from 'vitest'
import { joinHome, readOwner, takeHome } from './home.ts'

// processes are started here, on machines that may be busy
vi.setConfig({ testTimeout: 120_000 })

const root = await mkdtemp(join(tmpdir(), 'home with space-'))
const children: ChildProcess[] = []
afterAll(async () => {
  for (const child of children) child.kill('SIGKILL')
  await rm(root, { recursive: true, force: true })
})

/** Another process that tries to take the home; what it says first. */
async function other(dir: string, url = ''): Promise<{ child: ChildProcess; said: string }> {
  const child = spawn(
    process.execPath,
    [join(import.meta.dirname, 'home-owner.fixture.ts'), dir, url],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  )
  children.push(child)
  const [said] = (await once(createInterface({ input: child.stdout! }), 'line')) as [string]
  return { child, said }
}

it('has one owner, whom others find with its token', async () => {
  const dir = join(root, 'one')
  const { child, said } = await other(dir, 'http://127.0.0.1:8787')
  expect(said).toMatch(/^took /)
  expect((await other(dir)).said).toBe('refused home_in_use')
  await expect(takeHome(dir)).rejects.toMatchObject({
    code: 'home_in_use',
    status: 409,
    detail: { url: 'http://127.0.0.1:8787' },
  })
  const joined = await joinHome(dir)
  expect(joined.owner).toMatchObject({ url: 'http://127.0.0.1:8787', pid: child.pid })
  expect(joined.owner!.token.length).toBeGreaterThan(40)
  expect((await stat(join(dir, 'owner.json'))).mode & 0o777).toBe(0o600)
})

it('is free at once when its owner is killed, and remembers its id', async () => {
  const dir = join(root, 'killed')
  const { child, said } = await other(dir, 'http://127.0.0.1:1')
  child.kill('SIGKILL')
  await once(child, 'exit')
  const home = await takeHome(dir)
  expect(said).toBe(`took ${home.id}`)
  // what the dead one said of itself is gone
  expect(await readOwner(dir)).toBeNull()
  await home.release()
})

it('is free when its owner gives it up', async () => {
  const dir = join(root, 'given')
  const { child } = await other(dir, 'http://127.0.0.1:1')
  child.stdin!.write('go\n')
  await once(child, 'exit')
  const home = await takeHome(dir)
  await home.release()
  const again = await takeHome(dir)
  expect(again.id).toBe(home.id)
  await again.release()
})

it('is refused to a second taker in the same process', async () => {
  const dir = join(root, 'same')
  const home = await takeHome(dir)
  await expect(takeHome(dir)).rejects.toMatchObject({ code: 'home_in_use', detail: { url: null } })
  expect((await other(dir)).said).toBe('refused home_in_use')
  await home.release()
})

it('goes to one of many who start at the same time', async () => {
  const dir = join(root, 'raced')
  const said = (await Promise.all(Array.from({ length: 4 }, () => other(dir)))).map(
    (one) => one.said,
  )
  expect(said.filter((line) => line.startsWith('took'))).toHaveLength(1)
  expect(said.filter((line) => line === 'refused home_in_use')).toHaveLength(3)
})

it('is joined once its owner says where it listens', async () => {
  const dir = join(root, 'joined')
  const home = await takeHome(dir)
  await expect(joinHome(dir, 50)).rejects.toMatchObject({ code: 'home_in_use' })
  const joining = joinHome(dir, 20_000)
  const token = await home.announce('http://127.0.0.1:2')
  expect((await joining).owner).toMatchObject({ url: 'http://127.0.0.1:2', token })
  expect((await readdir(dir)).filter((name) => name.endsWith('.tmp'))).toEqual([])
  await home.release()
})
