// The server as a process: what it listens on, whom it lets in, what it serves, how it stops.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { access, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connectHome } from './home.ts'
import { startServer } from './node.ts'
import type { Server } from './node.ts'

let dir: string
let server: Server
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'lakeforge home '))
  const build = join(dir, 'build')
  await mkdir(build)
  await writeFile(join(build, 'index.html'), '<!doctype html><title>LakeForge</title>')
  await writeFile(join(build, 'theme.js'), '/* theme */')
  server = await startServer({ dir: join(dir, 'home'), env: {}, port: 0, build })
}, 60_000)
afterAll(async () => {
  await server?.close()
  await rm(dir, { recursive: true, force: true })
})

describe('the server', () => {
  it('answers its health, and makes the environment of a new home', async () => {
    const health = await fetch(`${server.url}/api/health`)
    expect(await health.json()).toMatchObject({
      status: 'ok',
      version: expect.stringMatching(/^\d/),
    })
    const { items } = (await (await fetch(`${server.url}/api/environments`)).json()) as {
      items: unknown[]
    }
    expect(items).toMatchObject([{ name: 'laptop', engine: 'local', is_default: true }])
  })

  it('serves the screens, and the start page for each path of the app, but no API path that is not there', async () => {
    expect(await (await fetch(`${server.url}/theme.js`)).text()).toContain('theme')
    const page = await fetch(`${server.url}/batches/some-id`)
    expect(page.headers.get('content-type')).toContain('text/html')
    expect(page.headers.get('x-frame-options')).toBe('DENY')
    expect((await fetch(`${server.url}/api/nothing`)).status).toBe(404)
    expect(
      (await fetch(`${server.url}/..%2f..%2fpackage.json`)).headers.get('content-type'),
    ).toContain('text/html')
  })

  it('refuses a foreign Host and a foreign Origin, as a page elsewhere would send them', async () => {
    const { request } = await import('node:http')
    const status = await new Promise((resolve) =>
      request(`${server.url}/api/groups`, { headers: { host: 'evil.example' } }, (answer) => {
        answer.resume()
        resolve(answer.statusCode)
      }).end(),
    )
    expect(status).toBe(403)
    const origin = await fetch(`${server.url}/api/groups`, {
      headers: { origin: 'http://evil.example' },
    })
    expect(await origin.json()).toMatchObject({ code: 'host_refused' })
    expect(
      (await fetch(`${server.url}/api/groups`, { headers: { origin: server.url } })).status,
    ).toBe(200)
  })

  it('is found by others through its home, who talk to it instead of opening the store', async () => {
    const other = await connectHome({ dir: server.home, env: {} })
    expect(other.url).toBe(server.url)
    expect((await other.request('/api/status')).status).toBe(200)
    await other.close()
    const owner = JSON.parse(await readFile(join(server.home, 'owner.json'), 'utf8')) as {
      url: string
    }
    expect(owner.url).toBe(server.url)
  })

  it('does not listen beyond this machine without authentication', async () => {
    await expect(
      startServer({ dir: join(dir, 'open'), env: {}, host: '0.0.0.0', port: 0, build: null }),
    ).rejects.toMatchObject({
      code: 'bind_refused',
    })
  })

  it('listens where Databricks Apps say, and ends cleanly, also when the same signal comes by two ways', async () => {
    const free = createServer().listen(0, '127.0.0.1')
    await once(free, 'listening')
    const { port } = free.address() as AddressInfo
    await new Promise((resolve) => free.close(resolve))
    const home = join(dir, 'asked')
    const { PORT: _port, DATABASE_URL: _url, ...env } = process.env
    const child = spawn(process.execPath, [join(import.meta.dirname, 'node.ts')], {
      env: { ...env, LAKEFORGE_HOME: home, DATABRICKS_APP_PORT: String(port) },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const ended = once(child, 'exit')
    let said = ''
    child.stdout.on('data', (data: Buffer) => (said += data.toString()))
    await expect.poll(() => said, { timeout: 60_000 }).toContain(`http://127.0.0.1:${port}`)
    child.kill('SIGTERM')
    child.kill('SIGINT')
    expect(await ended).toEqual([0, null])
    await expect(access(join(home, 'owner.json'))).rejects.toThrow()
  }, 90_000)

  it('lets only tokens in where it is told so, each with its role', async () => {
    const guarded = await startServer({
      dir: join(dir, 'guarded'),
      env: { LAKEFORGE_AUTH: 'token' },
      port: 0,
      build: null,
    })
    try {
      expect((await fetch(`${guarded.url}/api/groups`)).status).toBe(401)
      expect((await fetch(`${guarded.url}/api/health`)).status).toBe(200)
      const owner = await connectHome({ dir: guarded.home, env: {} })
      const made = await owner.request('/api/tokens', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ name: 'reader', role: 'viewer' }),
      })
      const { token, id } = (await made.json()) as { token: string; id: string }
      expect(token).toMatch(/^lf_[0-9a-f]{64}$/)
      const as = (path: string, init: RequestInit = {}) =>
        fetch(`${guarded.url}${path}`, {
          ...init,
          headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        })
      expect((await as('/api/groups')).status).toBe(200)
      const refused = await as('/api/groups', { method: 'POST', body: '{"name":"mine"}' })
      expect(await refused.json()).toMatchObject({ status: 403, code: 'forbidden' })
      expect((await as('/api/tokens')).status).toBe(403)
      const stored = JSON.stringify(await (await owner.request('/api/tokens')).json())
      expect(stored).not.toContain(token)
      expect((await owner.request(`/api/tokens/${id}`, { method: 'DELETE' })).status).toBe(204)
      expect((await as('/api/groups')).status).toBe(401)
      await owner.close()
    } finally {
      await guarded.close()
    }
  })
})
