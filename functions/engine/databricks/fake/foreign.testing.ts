// For tests: the foreign client's process. It is there once foreign-env.sh has made its environment.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'

const cache = process.env.LAKEFORGE_CACHE ?? join(import.meta.dirname, '../../../../.cache')
export const SDK_PYTHON = process.env.SDK_PYTHON ?? join(cache, 'sdk-venv/bin/python')

/** Whether to ask the foreign client: where CI says so even if it is missing, which then fails. */
export const foreignClient = process.env.LAKEFORGE_READERS === '1' || existsSync(SDK_PYTHON)
export const whyNot = foreignClient
  ? ''
  : ' (skipped: run functions/engine/databricks/fake/foreign-env.sh once)'

/** What foreign.py prints. */
export function askForeign(args: string[], input = ''): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    const child = spawn(SDK_PYTHON, [join(import.meta.dirname, 'foreign.py'), ...args], {
      env: { PATH: process.env.PATH ?? '', HOME: '/nonexistent' },
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    let out = ''
    let err = ''
    child.stdout.on('data', (part) => (out += String(part)))
    child.stderr.on('data', (part) => (err += String(part)))
    child.on('error', reject)
    child.on('close', (code) => {
      if (code === 0) resolve(JSON.parse(out) as Record<string, unknown>)
      else reject(new Error(err.slice(-4000)))
    })
    child.stdin.end(input)
  })
}
