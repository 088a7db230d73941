// A disk that is full at any point of a batch, for real: a lake on a small file system of its own. Needs the right to mount.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { mkdir, mkdtemp, rm, statfs, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { columns, fileSteps, silverStep } from '../testing.ts'
import { type Lake, openLake } from './testing.ts'

const ROWS = 60_000
const place = mkdtempSync(join(tmpdir(), 'lakeforge-disk-'))
const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64m', 'tmpfs', place]).status === 0

describe.skipIf(!mounted)('a full disk (needs the right to mount a small file system)', () => {
  let folder: string
  let lake: Lake
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'lakeforge-source-'))
    // Rows that hardly compress, so that files have a size to speak of.
    const row = (_: unknown, i: number) => `${i},${crypto.randomUUID()}${crypto.randomUUID()}`
    await writeFile(
      join(folder, 'a.csv'),
      `id,word\n${Array.from({ length: ROWS }, row).join('\n')}\n`,
    )
    await mkdir(join(place, 'lake'))
    lake = await openLake({ root: join(place, 'lake') })
  })
  afterAll(async () => {
    await lake.close()
    spawnSync('umount', [place])
    rmSync(place, { recursive: true })
    await rm(folder, { recursive: true })
  })

  /** Fills the disk until so many KiB are left. */
  const fill = async (left_kib: number) => {
    const { bavail, bsize } = await statfs(place)
    const bytes = bavail * bsize - left_kib * 1024
    await writeFile(join(place, 'balloon'), Buffer.alloc(bytes, 1))
  }
  const free = () => rm(join(place, 'balloon'))

  const stepsOf = (name: string) => {
    const [raw, bronze] = fileSteps(folder, '*.csv', `b.${name}`, columns('id int', 'word string'))
    const silver = silverStep(
      `s.${name}`,
      `select id, word from b.${name}`,
      columns('id int', 'word string'),
      [{ table: bronze.target, columns: bronze.columns, external: false }],
      { depends_on: [bronze.key] },
    )
    return [raw, bronze, silver]
  }
  const whole = async (name: string) => {
    const done = await lake.run(stepsOf(name), 1)
    expect(done.state).toBe('succeeded')
    const { counts } = done.steps[`silver:s.${name}`]!
    expect(counts).toMatchObject({ rows_read: ROWS, rows_written: ROWS })
    const query = `select count(*)::int, count(distinct id)::int from s.${name}`
    expect(await lake.rows(query, `s.${name}`)).toEqual([[ROWS, ROWS]])
    const { blocks, bavail, bsize } = await statfs(place)
    rmSync(join(place, 'lake'), { recursive: true })
    return ((blocks - bavail) * bsize) / 1024
  }

  it('fails the step that needs more, wherever it is; with room again all goes on, nothing lost or double', async () => {
    const needed = await whole('undisturbed')
    const seen = new Set<string>()
    const lefts = [0, 64, 0.4 * needed, 0.6 * needed, 0.7 * needed, 0.85 * needed]
    for (const left of [...lefts, needed - 64, needed - 24].map(Math.floor)) {
      const name = `t${left}`
      await fill(left)
      const full = await lake.run(stepsOf(name), 1)
      await free()
      const failed = Object.values(full.steps).filter(({ state }) => state === 'failed')
      expect(failed.map(({ error }) => error!.code)).toEqual(['disk_full'])
      seen.add(failed[0]!.step.split(':')[0]!)
      await whole(name)
    }
    expect([...seen].sort()).toEqual(['bronze', 'raw', 'silver'])
  }, 120_000)
})
if (!mounted) rmSync(place, { recursive: true })
