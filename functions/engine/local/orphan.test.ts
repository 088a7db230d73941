import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { expect, it } from 'vitest'

it.skipIf(process.platform !== 'linux')(
  'the engine’s process dies with the one that started it, in the middle of a query',
  async () => {
    const root = await mkdtemp(join(tmpdir(), 'lakeforge-orphan-'))
    const owner = spawn(process.execPath, [join(import.meta.dirname, 'orphan.fixture.ts'), root], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    try {
      await new Promise((resolve) => owner.stdout.once('data', resolve))
      const { pid } = owner
      const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')
      const [child] = children.trim().split(' ').map(Number)
      expect(child).toBeGreaterThan(0)
      // It must be at work: its threads burn time.
      const ticks = async () =>
        Number((await readFile(`/proc/${child}/stat`, 'utf8')).split(') ')[1]!.split(' ')[11])
      const before = await ticks()
      while ((await ticks()) < before + 100) await wait(50)
      owner.kill('SIGKILL')
      const gone = () => !existsSync(`/proc/${child}`)
      for (const until = Date.now() + 20_000; !gone() && Date.now() < until;) await wait(50)
      expect(gone()).toBe(true)
    } finally {
      owner.kill('SIGKILL')
      await rm(root, { recursive: true, force: true })
    }
  },
  60_000,
)
