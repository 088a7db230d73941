// The Worker as it would be deployed: built by wrangler from wrangler.toml, and run by its runtime on this machine.
// Nothing of it reaches the network.
import { execFile, spawn } from 'node:child_process'
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'

const TOP = join(import.meta.dirname, '..')

/** Wrangler asks for the address of its user, reports usage and looks for a newer version, unless it is told not to. */
const QUIET = {
  WRANGLER_SEND_METRICS: 'false',
  WRANGLER_HIDE_BANNER: 'true',
  CLOUDFLARE_CF_FETCH_ENABLED: 'false',
  NO_UPDATE_NOTIFIER: '1',
  CI: '1',
}

export type BuiltWorker = {
  dir: string
  /** wrangler.toml of the project with the folders of this build. */
  config: string
  /** The assets: a start page, one script, and how they are served. */
  assets: string
  script: string
  gzip_bytes: number
  remove(): Promise<void>
}

/** Builds what `wrangler deploy` would upload. `dialect: false` leaves the SQL dialect out, to weigh it. */
export async function buildWorker(options: { dialect?: boolean } = {}): Promise<BuiltWorker> {
  const dir = await mkdtemp(join(tmpdir(), 'lakeforge worker '))
  const assets = join(dir, 'assets')
  await mkdir(assets)
  await writeFile(join(assets, 'index.html'), '<!doctype html><title>LakeForge</title>')
  await writeFile(join(assets, 'theme.js'), '/* theme */')
  await writeFile(join(assets, 'theme.js.gz'), 'packed')
  for (const name of ['_headers', '.assetsignore'])
    await copyFile(join(TOP, 'web/static', name), join(assets, name))
  const path = (text: string) => JSON.stringify(text)
  let text = (await readFile(join(TOP, 'wrangler.toml'), 'utf8'))
    .replace('"functions/worker.ts"', path(join(TOP, 'functions/worker.ts')))
    .replace('"web/build"', path(assets))
  if (options.dialect === false) {
    await writeFile(join(dir, 'none.js'), 'export {}')
    text += `\n[alias]\n"#dialect/index.ts" = ${path(join(dir, 'none.js'))}\n`
  }
  const config = join(dir, 'wrangler.toml')
  await writeFile(config, text)
  const wrangler = createRequire(import.meta.url).resolve('wrangler/package.json')
  const built = join(dir, 'built')
  await promisify(execFile)(
    process.execPath,
    [
      join(wrangler, '../bin/wrangler.js'),
      'deploy',
      '--dry-run',
      '--minify',
      '--config',
      config,
      '--outdir',
      built,
    ],
    { cwd: dir, env: { ...process.env, ...QUIET, WRANGLER_LOG_PATH: join(dir, 'logs') } },
  )
  const script = join(built, 'worker.js')
  return {
    dir,
    config,
    assets,
    script,
    gzip_bytes: gzipSync(await readFile(script)).length,
    remove: () => rm(dir, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 }),
  }
}

export type RunningWorker = {
  url: string
  fetch(path: string, init?: RequestInit): Promise<Response>
  /** Fires the cron trigger; its outcome (`ok`, `exception`). */
  scheduled(): Promise<string>
  logs(): string[]
  stop(): Promise<void>
}

/** Runs a built Worker in workerd on a free port of the loopback. */
export async function runWorker(
  built: BuiltWorker,
  secrets: Record<string, string>,
): Promise<RunningWorker> {
  Object.assign(process.env, QUIET, { WRANGLER_LOG_PATH: join(built.dir, 'logs') })
  const { createTestHarness } = await import('wrangler')
  const harness = createTestHarness({
    root: built.dir,
    workers: [{ configPath: built.config, prebuiltWorkerDir: join(built.dir, 'built'), secrets }],
  })
  const { url } = await harness.listen()
  const base = url.href.replace(/\/$/, '')
  return {
    url: base,
    fetch: (path, init) => fetch(`${base}${path}`, init),
    async scheduled() {
      const worker = harness.getWorker()
      const { outcome } = await worker.scheduled({
        cron: '* * * * *',
        scheduledTime: new Date(),
      })
      return outcome
    },
    logs: () => harness.getLogs().map((each) => each.message),
    stop: () => harness.close(),
  }
}

/**
 * Runs a built Worker in workerd alone: no assets, no cron trigger, and nothing between it and its client. Wrangler's proxies keep a
 * stream open whose reader has gone.
 */
export async function runWorkerd(
  built: BuiltWorker,
  bindings: Record<string, string>,
): Promise<{ url: string; stop(): Promise<void> }> {
  const text = await readFile(built.config, 'utf8')
  const date = /compatibility_date = "([\d-]+)"/.exec(text)![1]!
  const config = join(built.dir, 'built/worker.capnp')
  await writeFile(
    config,
    `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .main),
    (name = "internet", network = (allow = ["private"])),
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);
const main :Workerd.Worker = (
  modules = [(name = "worker.js", esModule = embed "worker.js")],
  compatibilityDate = "${date}",
  compatibilityFlags = ["nodejs_compat"],
  bindings = [${Object.entries(bindings).map(([name, value]) => `(name = "${name}", text = ${JSON.stringify(value)})`)}],
);
`,
  )
  const require = createRequire(createRequire(import.meta.url).resolve('wrangler/package.json'))
  const { default: workerd } = require('workerd') as { default: string }
  const child = spawn(workerd, ['serve', '--control-fd=3', config], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
  })
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const port = await new Promise<number>((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`workerd ended with ${code}`)))
    child.stdio[3]!.once('data', (line: Buffer) =>
      resolve((JSON.parse(line.toString()) as { port: number }).port),
    )
  })
  return {
    url: `http://127.0.0.1:${port}`,
    async stop() {
      child.kill()
      await exited
    },
  }
}
