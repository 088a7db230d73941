// A server of its own for a journey that begins with an empty home.
import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export type OwnServer = { url: string; dir: string; close(): Promise<void> }

const START_MS = 120_000

/** Starts it on a free port, with a home in a new folder; `env` adds to the process's own. `close` removes the folder. */
export async function startOwnServer(env: Record<string, string> = {}): Promise<OwnServer> {
  const dir = await mkdtemp(join(tmpdir(), 'lakeforge journey '))
  const child = spawn('node', ['functions/node.ts'], {
    cwd: join(import.meta.dirname, '../..'),
    env: {
      ...process.env,
      ...env,
      LAKEFORGE_HOME: join(dir, 'home'),
      PORT: '0',
      HOST: '127.0.0.1',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const url = await new Promise<string>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('The server did not start.')), START_MS)
    let text = ''
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString()
      const found = /http:\/\/127\.0\.0\.1:\d+/.exec(text)
      if (!found) return
      clearTimeout(timer)
      resolve(found[0])
    })
    child.once('exit', (code) => reject(new Error(`The server ended with ${code}: ${text}`)))
  })
  return {
    url,
    dir,
    async close() {
      child.kill('SIGTERM')
      await ended
      await rm(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 })
    },
  }
}
