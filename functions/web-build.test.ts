import { mkdir, mkdtemp, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ensureBuilt } from '#functions/web-build.ts'

let root: string
let said: string[]
const say = (text: string) => said.push(text)

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'web build '))
  said = []
  await writeFile(join(root, 'package.json'), '{}')
})
afterEach(() => rm(root, { recursive: true, force: true }))

async function file(path: string, at: number): Promise<void> {
  await mkdir(join(root, path, '..'), { recursive: true })
  await writeFile(join(root, path), path)
  await utimes(join(root, path), at, at)
}

describe('the built screens', () => {
  it('are served as they are when newer than their sources', async () => {
    await file('web/src/app.html', 1000)
    await utimes(join(root, 'web/src'), 1000, 1000)
    await file('web/build/index.html', 2000)
    expect(await ensureBuilt(root, say)).toBe(join(root, 'web/build'))
    expect(said).toEqual([])
  })

  it('are served without sources, as an installed package has them', async () => {
    await file('web/build/index.html', 2000)
    expect(await ensureBuilt(root, say)).toBe(join(root, 'web/build'))
    expect(said).toEqual([])
  })

  it('are served though old where the development packages are missing, which is said', async () => {
    await file('web/build/index.html', 1000)
    await file('web/src/routes/+page.svelte', 2000)
    expect(await ensureBuilt(root, say)).toBe(join(root, 'web/build'))
    expect(said.join()).toContain('older than web/src')
  })

  it('are missed in words where they can not be made', async () => {
    await file('web/src/app.html', 1000)
    expect(await ensureBuilt(root, say)).toBeNull()
    expect(said.join()).toContain('npm ci')
  })

  it('leave the former build in place when a build fails, and show why', async () => {
    await symlink(join(import.meta.dirname, '../node_modules'), join(root, 'node_modules'))
    await file('web/build/index.html', 1000)
    await file('web/src/app.html', 2000)
    await writeFile(join(root, 'web/vite.config.ts'), 'throw new Error("no such plugin here")')
    expect(await ensureBuilt(root, say)).toBe(join(root, 'web/build'))
    expect(said.join()).toContain('no such plugin here')
  })
})
