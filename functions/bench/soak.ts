// The soak: kills LakeForge before and after every durable action of a batch, and at random moments, starts it again, and
// compares every table, count and rule with a run that nobody disturbed. `npm run soak`; `-- --tenth` for a tenth of it.
// Prints what it found; exits 1 if anything differed.
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { cp, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const SHARE = process.argv.includes('--tenth') ? 10 : 1
const RANDOM_KILLS = Number(process.env.SOAK_KILLS ?? Math.ceil(200 / SHARE))
/** More lives than this for one trial mean that it makes no progress. */
const MOST_LIVES = 40
const WORKER = join(import.meta.dirname, 'soak-worker.ts')

const top = await mkdtemp(join(tmpdir(), 'lakeforge soak '))
const template = join(top, 'template')
let failed = 0
let trials = 0
let kills = 0

type Life = { code: number | null; output: string; errors: string }

/** One life: to its end, or until `kill_ms` have passed. The whole group of processes is killed, as a machine's end would. */
function live(
  folder: string,
  last: number,
  env: Record<string, string>,
  kill_ms?: number,
): Promise<Life> {
  const child: ChildProcess = spawn(
    process.execPath,
    [WORKER, join(folder, 'home'), join(folder, 'deliveries'), '2', String(last)],
    { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'], detached: true },
  )
  let output = ''
  let errors = ''
  child.stdout!.on('data', (data: Buffer) => (output += data.toString()))
  child.stderr!.on('data', (data: Buffer) => (errors += data.toString()))
  const timer =
    kill_ms === undefined
      ? undefined
      : setTimeout(() => {
          kills++
          process.kill(-child.pid!, 'SIGKILL')
        }, kill_ms)
  return new Promise((resolve) =>
    child.on('close', (code) => {
      clearTimeout(timer)
      try {
        // Whatever of its group is left dies with it
        process.kill(-child.pid!, 'SIGKILL')
      } catch {
        // Nothing is.
      }
      resolve({ code, output, errors })
    }),
  )
}

async function fresh(name: string): Promise<string> {
  const folder = join(top, name)
  await cp(template, folder, { recursive: true })
  return folder
}

/** A trial from the template on: lives until one ends by itself; then its facts must be those of the undisturbed run. */
async function trial(
  name: string,
  expected: string,
  last: number,
  next: (life: number) => { env?: Record<string, string>; kill_ms?: number },
): Promise<void> {
  const folder = await fresh(`trial ${++trials}`)
  for (let life = 1; ; life++) {
    const { env = {}, kill_ms } = next(life)
    const { code, output, errors } = await live(
      folder,
      last,
      { ...env, ...(env.LAKEFORGE_CRASH_AT && { LAKEFORGE_CRASH_LIST: join(folder, 'points') }) },
      kill_ms,
    )
    if (code === 0) {
      if (output !== expected) {
        failed++
        console.log(
          `DIFFERS: ${name} after ${life} lives\n  expected ${expected}\n  found    ${output}`,
        )
        return
      }
      break
    }
    if (code !== null && code !== 137) {
      failed++
      console.log(`BROKE: ${name} in life ${life} with exit code ${code}\n${errors.slice(-2000)}`)
      return
    }
    if (life === MOST_LIVES) {
      failed++
      console.log(`STUCK: ${name} after ${life} lives\n${errors.slice(-2000)}`)
      return
    }
  }
  await rm(folder, { recursive: true, force: true })
}

try {
  // The template: a home with its metadata and the first batch done, so that merges meet rows
  await mkdir(join(template, 'deliveries'), { recursive: true })
  // The folder of deliveries stands in the metadata: every trial applies its own, so the template's batch is run in place
  const start = spawn(
    process.execPath,
    [WORKER, join(template, 'home'), join(template, 'deliveries'), '1', '1'],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  )
  const code = await new Promise((resolve) => start.on('close', resolve))
  if (code !== 0) throw new Error('the first batch failed')

  const quiet = await fresh('undisturbed')
  const list = join(quiet, 'points')
  const calm = await live(quiet, 2, { LAKEFORGE_CRASH_LIST: list })
  if (calm.code !== 0) throw new Error(`the undisturbed run failed\n${calm.errors}`)
  const names = (await readFile(list, 'utf8'))
    .trim()
    .split('\n')
    .filter((line) => line.endsWith('before'))
  const longer = await live(await fresh('undisturbed twice'), 3, {})
  if (longer.code !== 0) throw new Error(`the undisturbed run failed\n${longer.errors}`)
  const length_ms = Number(process.env.SOAK_MS ?? 6000)

  const points = names.flatMap((line) => {
    const [n = ''] = line.split(' ')
    return [`${n}:before`, `${n}:after`]
  })
  const tried = points.filter((_, index) => index % SHARE === 0)
  console.log(
    `${names.length} durable actions in a batch; killing at ${tried.length} of ${points.length} points`,
  )
  for (const at of tried) {
    kills++
    await trial(`killed at ${at} ${names[Number.parseInt(at, 10) - 1]}`, calm.output, 2, (life) =>
      // Points are counted over all processes and lives, so the place comes once
      ({ env: { LAKEFORGE_CRASH_AT: life <= 2 ? at : '0:before' } }),
    )
  }
  console.log(
    `killed at ${tried.length} points: ${failed === 0 ? 'every table as undisturbed' : `${failed} failed`}`,
  )

  const before = kills
  let seed = Number(process.env.SOAK_SEED ?? Date.now() % 2 ** 31)
  console.log(`random kills: ${RANDOM_KILLS}, seed ${seed}`)
  const random = () => (seed = (seed * 48271) % 2147483647) / 2147483647
  while (kills - before < RANDOM_KILLS)
    await trial('killed at random', longer.output, 3, (life) =>
      life <= 4 && kills - before < RANDOM_KILLS ? { kill_ms: 300 + random() * length_ms } : {},
    )
  console.log(`${kills - before} random kills in ${trials - tried.length} trials`)
  console.log(`soak: ${trials - failed} trials passed, ${failed} failed`)
  process.exitCode = failed === 0 ? 0 : 1
} finally {
  await rm(top, { recursive: true, force: true })
}
