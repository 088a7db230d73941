// `npm run pack:test`: makes the tarball, installs it in an empty folder as a user would, and uses it by whichever Node the machine has.
// Ends with exit code 1 at the first thing that is not as it should be.
import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { access, mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { promisify } from 'node:util'
import { pack } from './pack.ts'

const START_MS = 60_000
const STOP_MS = 20_000

const dir = await mkdtemp(join(tmpdir(), 'lakeforge install '))
const home = join(dir, 'home')
const user = join(dir, 'a user')
// Without the folders of this clone on the PATH: else its pinned Node would be found in place of the machine's
const { NODE_OPTIONS: _options, ...rest } = process.env
const env: NodeJS.ProcessEnv = {
  ...Object.fromEntries(
    Object.entries(rest).filter(([name]) => !/^(npm_|LAKEFORGE_|PG)/.test(name)),
  ),
  DATABASE_URL: '',
  LAKEFORGE_HOME: home,
  PORT: '0',
  PATH: (process.env.PATH ?? '')
    .split(delimiter)
    .filter((folder) => !folder.includes('node_modules'))
    .join(delimiter),
}

/** Runs a command in the user's folder; its stdout. @throws with all it said, where it fails */
async function run(command: string, ...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(command, args, {
    cwd: user,
    env,
    maxBuffer: 2 ** 26,
  })
  return stdout
}

async function step(name: string, work: () => Promise<string | void>): Promise<void> {
  const started = performance.now()
  const found = await work()
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  console.log(`${name}: ${found ?? 'ok'} (${seconds} s)`)
}

try {
  await mkdir(user)
  let tarball = ''
  await step('pack', async () => {
    const packed = await pack(dir)
    tarball = packed.file
    assert.deepEqual(
      packed.files.filter((path) => /\.ts$|[./](test|testing)\.|fixture/.test(path)),
      [],
      'no source and no test belongs into the package',
    )
    return `${(packed.bytes / 2 ** 20).toFixed(1)} MiB, ${packed.files.length} files and the screens`
  })
  await step('npm install in an empty folder', async () => {
    await run(
      'npm',
      'install',
      tarball,
      '--omit=dev',
      '--prefix',
      user,
      '--prefer-offline',
      '--no-audit',
      '--no-fund',
    )
    const packages = await readdir(join(user, 'node_modules'))
    assert.ok(!packages.includes('vite'), 'nothing of the development is installed')
    return `${packages.length} packages, called by Node ${(await run('node', '--version')).trim()}`
  })
  const installed = join(user, 'node_modules/lakeforge')

  await step('npx lakeforge help', async () => {
    assert.match(await run('npx', '--no', 'lakeforge', 'help'), /lakeforge .*start/s)
  })
  await step('npx lakeforge doctor --json', async () => {
    const text = await run('npx', '--no', 'lakeforge', 'doctor', '--json')
    const findings = (JSON.parse(text) as { findings: { check: string; state: string }[] }).findings
    for (const check of ['node', 'screens'])
      assert.equal(findings.find((each) => each.check === check)?.state, 'ok', `${check}: ${text}`)
    return `${findings.length} findings`
  })
  await step('a question to DuckDB, in its child process', async () => {
    const text = await run('npx', '--no', 'lakeforge', 'sql', 'select 41 + 1 as answer', '--json')
    assert.match(text, /42/)
  })
  await step('npx lakeforge demo --no-serve', async () => {
    await run('npx', '--no', 'lakeforge', 'demo', '--no-serve')
  })
  await step('the server starts, serves and stops', async () => {
    const server = spawn(join(user, 'node_modules/.bin/lakeforge'), ['start'], {
      cwd: user,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let said = ''
    server.stdout.on('data', (data: Buffer) => (said += data.toString()))
    server.stderr.on('data', (data: Buffer) => (said += data.toString()))
    const ended = new Promise<string>((resolve) =>
      server.once('exit', (code, signal) => resolve(signal ?? String(code))),
    )
    try {
      const url = await Promise.race([
        ownerUrl(),
        ended.then((how) => assert.fail(`The server ended with ${how}: ${said}`)),
      ])
      const health = await fetch(`${url}/api/health`)
      assert.equal(health.status, 200)
      const { version } = JSON.parse(await readFile(join(installed, 'package.json'), 'utf8')) as {
        version: string
      }
      assert.equal(((await health.json()) as { version: string }).version, version)
      assert.match(await (await fetch(url)).text(), /<html/)
    } finally {
      server.kill('SIGTERM')
      const late = wait(STOP_MS, 'still running', { ref: false })
      const how = await Promise.race([ended, late])
      if (how === 'still running') server.kill('SIGKILL')
      assert.equal(how, '0', `How it ended. ${said}`)
    }
    // The owner lets go of its home
    await assert.rejects(access(join(home, 'owner.json')))
  })
  console.log('The packed LakeForge works.')
} finally {
  await rm(dir, { recursive: true, force: true })
}

/** Where the owner of the home listens, once it says so. */
async function ownerUrl(): Promise<string> {
  for (const until = Date.now() + START_MS; Date.now() < until; await wait(200)) {
    const text = await readFile(join(home, 'owner.json'), 'utf8').catch(() => null)
    if (text !== null) {
      const { url } = JSON.parse(text) as { url?: string }
      if (url) return url
    }
  }
  throw new Error(`No server after ${START_MS / 1000} s.`)
}
