import { spawnSync } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { isTemp, linkNew, mkdirDurable, tempName, writeDurable } from './durable.ts'

let root: string
let dir: string
let n = 0
beforeAll(async () => void (root = await mkdtemp(join(tmpdir(), 'durable-'))))
afterAll(() => rm(root, { recursive: true }))
beforeEach(async () => {
  dir = join(root, `${++n} ä'\n`)
  await mkdir(dir)
})

describe('durable files', () => {
  it('writes and replaces a file and leaves nothing else', async () => {
    await writeDurable(join(dir, 'a'), 'one')
    await writeDurable(join(dir, 'a'), new Uint8Array([0, 255]))
    expect([...(await readFile(join(dir, 'a')))]).toEqual([0, 255])
    expect(await readdir(dir)).toEqual(['a'])
  })

  it('lets exactly one of many links win, and the winner keeps its content', async () => {
    const path = join(dir, 'v')
    const won = await Promise.all(
      Array.from({ length: 20 }, (_, i) => linkNew(path, `content ${i}`)),
    )
    expect(won.filter(Boolean)).toHaveLength(1)
    expect(await readFile(path, 'utf8')).toBe(`content ${won.indexOf(true)}`)
    expect(await readdir(dir)).toEqual(['v'])
  })

  it('cleans up its temp file when the rename fails', async () => {
    await mkdir(join(dir, 'a'))
    await writeFile(join(dir, 'a', 'inside'), '')
    await expect(writeDurable(join(dir, 'a'), 'x')).rejects.toThrow()
    expect(await readdir(dir)).toEqual(['a'])
  })

  it('fails without a folder', async () => {
    await expect(linkNew(join(dir, 'no', 'a'), '')).rejects.toThrow('ENOENT')
  })

  it('makes folders once and again', async () => {
    await mkdirDurable(join(dir, 'x', 'y', 'z'))
    await mkdirDurable(join(dir, 'x', 'y', 'z'))
    expect(await readdir(join(dir, 'x', 'y'))).toEqual(['z'])
  })

  it('knows its temp names, and no others', () => {
    expect(isTemp(tempName('/a/b/part-1.parquet'))).toBe(true)
    expect(isTemp('/a/.hidden.tmp')).toBe(false)
    expect(isTemp('/a/part-1.parquet')).toBe(false)
  })
})

describe('points', () => {
  const script = `
    import { durable, linkNew, writeDurable } from ${JSON.stringify(import.meta.resolve('./durable.ts'))}
    await writeDurable(process.argv[1] + '/a', 'A')
    await linkNew(process.argv[1] + '/b', 'B')
    await durable('commit', async () => undefined)
  `
  const run = (env: Record<string, string>) =>
    spawnSync(process.execPath, ['--input-type=module', '-e', script, dir], {
      env: { ...process.env, ...env },
      encoding: 'utf8',
    })

  it('are listed by number, before and after', async () => {
    const list = join(dir, 'list')
    expect(run({ LAKEFORGE_CRASH_LIST: list }).status).toBe(0)
    const lines = (await readFile(list, 'utf8')).trim().split('\n')
    expect(lines.slice(0, 4)).toEqual([
      '1 write a before',
      '1 write a after',
      '2 rename to a before',
      '2 rename to a after',
    ])
    expect(lines.at(-1)).toBe('8 commit after')
    expect(lines).toHaveLength(16)
    expect(run({ LAKEFORGE_CRASH_LIST: list }).status).toBe(0)
    expect((await readFile(list, 'utf8')).trim().split('\n').at(-1)).toBe('16 commit after')
  })

  it('kill the process exactly there', async () => {
    for (const [at, files, temps] of [
      ['1:before', [], 0],
      ['1:after', [], 1],
      ['2:after', ['a'], 0],
      ['5:before', ['a'], 1],
      ['5:after', ['a', 'b'], 1],
      ['8:before', ['a', 'b'], 0],
    ] as const) {
      await rm(dir, { recursive: true })
      await mkdir(dir)
      expect(run({ LAKEFORGE_CRASH_AT: at }).signal, at).toBe('SIGKILL')
      const names = await readdir(dir)
      expect(names.filter((name) => !isTemp(name)).toSorted(), at).toEqual(files)
      expect(names.filter(isTemp), at).toHaveLength(temps)
    }
  })
})
