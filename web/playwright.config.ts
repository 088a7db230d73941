import { existsSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { defineConfig } from '@playwright/test'

// Workers read this file again, and must find the same folder.
const home = (process.env.LAKEFORGE_E2E_DIR ??= mkdtempSync(join(tmpdir(), 'lakeforge e2e ')))
const port = process.env.LAKEFORGE_E2E_PORT ?? '8799'
const url = `http://127.0.0.1:${port}`

const chromium = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser'].find(
  (path) => path && existsSync(path),
)

export default defineConfig({
  testDir: 'e2e',
  testMatch: '*.e2e.ts',
  outputDir: '../test-results',
  globalTeardown: './e2e/teardown.ts',
  workers: 1,
  timeout: 180_000,
  expect: { timeout: 15_000 },
  reporter: 'list',
  use: {
    baseURL: url,
    viewport: { width: 1440, height: 900 },
    // Moving parts would be caught half-way by the checks of colours.
    contextOptions: { reducedMotion: 'reduce' },
    launchOptions: {
      executablePath: chromium,
      args: [
        '--no-sandbox',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
        '--no-first-run',
      ],
    },
    trace: 'retain-on-failure',
  },
  webServer: {
    command: 'node functions/node.ts',
    cwd: join(import.meta.dirname, '..'),
    url: `${url}/api/health`,
    timeout: 120_000,
    gracefulShutdown: { signal: 'SIGTERM', timeout: 10_000 },
    env: { LAKEFORGE_HOME: join(home, 'home'), PORT: port },
  },
})
