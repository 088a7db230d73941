// The Python process with a Spark session in it, from the engine's side: one for all batches, since a session takes seconds to
// start. Each batch sees a child of its own in it, with the messages of the local engine's protocol as lines of JSON.
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Child } from '#engine/local/process.ts'
import type { FromChild, ToChild } from '#engine/local/protocol.ts'
import type { SparkCommand } from './command.ts'

export type SparkProcess = {
  /** A child for one batch. `ended` is called once, when the process is gone or the child was closed. */
  open(heard: (message: FromChild) => void, ended: (reason: string) => void): Child
  /** Ends the process and with it all of its children. */
  close(): void
}

type Logical = { heard: (message: FromChild) => void; ended: (reason: string) => void }
type Line = { run?: string; kind: string } & Record<string, unknown>

/** How much of what the process printed is kept, for the reason of its end. */
const TAIL_CHARACTERS = 2000

/**
 * Starts nothing yet: the process comes with its first child. One that has had no child for `idle_ms` is ended.
 * `command` is asked anew for each process; when it fails, so does the child.
 */
export function createSparkProcess(
  command: () => Promise<SparkCommand>,
  idle_ms: number,
): SparkProcess {
  let running: Running | null = null
  let idle: NodeJS.Timeout | undefined
  let closed = false

  const open: SparkProcess['open'] = (heard, ended) => {
    clearTimeout(idle)
    if (running === null || running.over()) running = startProcess(command)
    const mine = running
    const id = crypto.randomUUID()
    mine.add(id, { heard, ended })
    const leave = (reason: string) => {
      if (!mine.remove(id)) return
      ended(reason)
      if (mine.empty() && !closed) {
        idle = setTimeout(() => mine.kill(), idle_ms)
        idle.unref()
      }
    }
    return {
      pid: mine.pid(),
      send: (message) => mine.send({ ...message, run: id }),
      // A step that doesn't stop when asked takes the process with it: the others' steps are tried again.
      kill: () => mine.kill(),
      close() {
        mine.send({ kind: 'close', run: id })
        leave('closed')
      },
    }
  }

  return {
    open,
    close() {
      closed = true
      clearTimeout(idle)
      running?.kill()
    },
  }
}

type Running = {
  add(id: string, child: Logical): void
  remove(id: string): boolean
  send(message: (ToChild | { kind: 'close' }) & { run: string }): void
  kill(): void
  empty(): boolean
  over(): boolean
  pid(): number | undefined
}

function startProcess(command: () => Promise<SparkCommand>): Running {
  const children = new Map<string, Logical>()
  /** Said before the process could listen. */
  const waiting: string[] = []
  let socket: Socket | null = null
  let process: ChildProcess | null = null
  let server: Server | null = null
  let folder: string | null = null
  let tail = ''
  let ended = false

  const end = (reason: string) => {
    if (ended) return
    ended = true
    socket?.destroy()
    server?.close()
    if (folder !== null) void rm(folder, { recursive: true, force: true })
    const left = [...children.values()]
    children.clear()
    for (const child of left) child.ended(reason)
  }

  const heard = (line: string) => {
    const { run, ...message } = JSON.parse(line) as Line
    if (message.kind === 'ready') return
    // Without a run it is about the process: all that run in it hear it.
    const told = run === undefined ? [...children.values()] : [children.get(run)]
    for (const child of told) child?.heard(message as unknown as FromChild)
  }

  const start = async () => {
    const { file, args, env, cwd } = await command()
    // A folder of our own, closed to others: whoever reaches the socket in it is who we started.
    folder = await mkdtemp(join(tmpdir(), 'lakeforge-spark-'))
    const path = join(folder, 'socket')
    server = createServer((connected) => {
      if (socket !== null) {
        connected.destroy()
        return
      }
      socket = connected
      connected.on('error', () => end('its connection broke'))
      createInterface({ input: connected }).on('line', heard)
      for (const line of waiting.splice(0)) connected.write(line)
    })
    const listening = Promise.withResolvers<void>()
    server.once('error', listening.reject)
    server.listen(path, listening.resolve)
    await listening.promise
    if (ended) return
    const started = spawn(file, [...args, path], {
      env,
      cwd,
      stdio: ['ignore', 'ignore', 'pipe'],
      // spark-submit starts processes of its own: they end together.
      detached: true,
    })
    process = started
    started.stderr?.setEncoding('utf8').on('data', (text: string) => {
      tail = (tail + text).slice(-TAIL_CHARACTERS)
    })
    started.on('error', (error) => end(error.message))
    started.on('exit', (code, signal) => {
      const last = tail.trim().split('\n').at(-1) ?? ''
      end(signal ?? `exit code ${code}${code && last ? `, ${last.slice(0, 200)}` : ''}`)
    })
  }
  start().catch((error: unknown) => end(error instanceof Error ? error.message : String(error)))

  return {
    add: (id, child) => void children.set(id, child),
    remove: (id) => children.delete(id),
    send(message) {
      const line = `${JSON.stringify(message)}\n`
      if (socket === null) waiting.push(line)
      else if (!socket.destroyed) socket.write(line)
    },
    kill() {
      if (process?.pid !== undefined) {
        try {
          globalThis.process.kill(-process.pid, 'SIGKILL')
        } catch {
          // Gone already.
        }
      } else end('closed')
    },
    empty: () => children.size === 0,
    over: () => ended,
    pid: () => process?.pid,
  }
}
