// Pictures of the main screens for the README, light and dark, of the demo's real data: `npm run screenshots`. They go to
// web/screenshots/. Runs the demo in a home of its own, starts the server on it, and looks with Debian's Chromium.
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium } from '@playwright/test'

const top = join(import.meta.dirname, '..')
const out = process.env.SCREENSHOTS_DIR ?? join(import.meta.dirname, 'screenshots')
const known = process.env.SCREENSHOTS_HOME
const home = known ?? (await mkdtemp(join(tmpdir(), 'lakeforge pictures ')))
const env = { ...process.env, LAKEFORGE_HOME: home, PORT: '0', HOST: '127.0.0.1' }
const WIDTH = 1440
const HEIGHT = 900

if (!known) {
  const demo = ['functions/cli.ts', 'demo', '--no-serve']
  execFileSync(process.execPath, demo, { cwd: top, env, stdio: ['ignore', 'ignore', 'inherit'] })
}
const server = spawn(process.execPath, ['functions/node.ts'], {
  cwd: top,
  env,
  stdio: ['ignore', 'pipe', 'inherit'],
})
try {
  const url = await new Promise<string>((resolve, reject) => {
    let text = ''
    server.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString()
      const found = /http:\/\/127\.0\.0\.1:\d+/.exec(text)
      if (found) resolve(found[0])
    })
    server.once('exit', () => reject(new Error(`The server did not start: ${text}`)))
  })
  const first = async (path: string): Promise<Record<string, string>> => {
    const answer = await fetch(`${url}/api/${path}`)
    const { items } = (await answer.json()) as { items: Record<string, string>[] }
    return items[0] ?? {}
  }
  const batch = await first('batches?limit=1')
  const screens: [name: string, path: string][] = [
    ['home', '/'],
    ['batch', `/batches/${batch.id}`],
    ['tables', '/tables'],
    ['graph', '/tables?view=graph'],
    ['table', '/tables/silver.flights'],
    ['quality', '/quality'],
    ['quarantine', '/quarantine?table=silver.movies'],
    ['source', '/sources/new'],
    ...(process.argv.slice(2).map((path) => [path.replace(/\W+/g, '-'), path]) as [
      string,
      string,
    ][]),
  ]

  mkdirSync(out, { recursive: true })
  const path = ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find((each) => existsSync(each))
  const browser = await chromium.launch({
    ...(path && { executablePath: path }),
    args: ['--no-sandbox'],
  })
  for (const theme of ['light', 'dark'] as const) {
    const page = await browser.newPage({
      viewport: { width: WIDTH, height: HEIGHT },
      colorScheme: theme,
      reducedMotion: 'reduce',
    })
    for (const [name, path] of screens) {
      await page.goto(`${url}${path}`)
      await page.getByRole('heading', { level: 1 }).waitFor()
      // Everything that is asked for has come; the stream of a batch never ends, so that the network never falls silent
      await page.waitForTimeout(1500)
      await page.screenshot({ path: join(out, `${name}-${theme}.png`) })
    }
    await page.close()
  }
  await browser.close()
} finally {
  server.kill('SIGTERM')
  await once(server, 'exit')
  if (!known) await rm(home, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 })
}
