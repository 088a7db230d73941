#!/usr/bin/env node
// The `lakeforge` command of an installed package: runs the CLI by the Node that came with the package, whichever Node called it.
// In a clone npm's own PATH does this. Written so that an old Node gets through it.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const LEAST_MAJOR = 24

/** The package's own Node; this one where the package's is not there and this is new enough; null where neither will do. */
function findNode(): string | null {
  try {
    const home = dirname(createRequire(import.meta.url).resolve('node/package.json'))
    const file = join(home, 'bin', process.platform === 'win32' ? 'node.exe' : 'node')
    if (existsSync(file)) return file
  } catch {
    // Left out by whoever installed it
  }
  return Number.parseInt(process.versions.node, 10) >= LEAST_MAJOR ? process.execPath : null
}

const node = findNode()
if (node === null) {
  console.error(
    `LakeForge needs Node ${LEAST_MAJOR}, and this is ${process.versions.node}. ` +
      'The package brings its own by an install script that has not run: `npm install-scripts approve node && npm rebuild node`, or call it with a newer Node.',
  )
  process.exit(1)
}

const cli = fileURLToPath(new URL('./cli.ts', import.meta.url))
const child = spawn(node, [cli, ...process.argv.slice(2)], { stdio: 'inherit' })

// A terminal and some supervisors send it to both: the server takes two within a second for one
const pass = (signal: NodeJS.Signals) => void child.kill(signal)
const signals: NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP']
for (const signal of signals) process.on(signal, pass)
child.on('error', (error) => {
  console.error(`${node} did not start: ${error.message}`)
  process.exit(1)
})
child.on('exit', (code, signal) => {
  for (const each of signals) process.off(each, pass)
  if (signal) process.kill(process.pid, signal)
  else process.exit(code ?? 1)
})
