// The screens as files: built from web/ when they are missing or older than what they are made of. Needs the development
// packages; an installed package brings its build along and has no sources.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '..')

/** What the build is made of, relative to the root. */
const SOURCES = [
  'package-lock.json',
  'functions/core',
  'web/src',
  'web/static',
  'web/vite.config.ts',
]

/**
 * The folder to serve, after building it if need be; null when there is none and none can be made, which is said.
 * The API works without it.
 */
export async function ensureBuilt(root = ROOT, say = console.log): Promise<string | null> {
  const build = join(root, 'web/build')
  const built_ms = await modified(join(build, 'index.html'))
  const changed_ms = await newest(SOURCES.map((path) => join(root, path)))
  const have = built_ms > 0 ? build : null
  const sources = existsSync(join(root, 'web/src'))
  if (have && (!sources || built_ms >= changed_ms)) return have

  const vite = sources ? findVite(root) : null
  if (!vite) {
    say(
      have
        ? 'web/build is older than web/src, and the development packages to build it are not installed: serving it as it is.'
        : 'There is no web/build, and the development packages to make it are not installed: only the API is served. `npm ci` installs them.',
    )
    return have
  }
  say(have ? 'Building web/build again: its sources changed.' : 'Building web/build, once.')
  const started = performance.now()
  const { code, output } = await run(vite, join(root, 'web'))
  if (code !== 0) {
    say(
      `${output}\nBuilding web/build failed: ${have ? 'the former one is served' : 'only the API is served'}.`,
    )
    return have
  }
  say(`Built web/build in ${((performance.now() - started) / 1000).toFixed(1)} s.`)
  return build
}

function findVite(root: string): string | null {
  const require = createRequire(join(root, 'package.json'))
  try {
    // The adapter stands for the rest: hosts drop all development packages or none.
    require.resolve('@sveltejs/adapter-static/package.json')
    return join(require.resolve('vite/package.json'), '../bin/vite.js')
  } catch {
    return null
  }
}

function run(script: string, cwd: string): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [script, 'build', '--logLevel', 'warn'], { cwd })
    let output = ''
    child.stdout.on('data', (data: Buffer) => (output += data.toString()))
    child.stderr.on('data', (data: Buffer) => (output += data.toString()))
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, output: output.trim() }))
  })
}

/** The latest change in milliseconds among files and everything below folders; 0 for none. */
async function newest(paths: string[]): Promise<number> {
  const times = paths.map(async (path) => {
    const own = await modified(path)
    const entries = await readdir(path, { recursive: true }).catch(() => [])
    return Math.max(own, ...(await Promise.all(entries.map((name) => modified(join(path, name))))))
  })
  return Math.max(0, ...(await Promise.all(times)))
}

async function modified(path: string): Promise<number> {
  return (await stat(path).catch(() => null))?.mtimeMs ?? 0
}
