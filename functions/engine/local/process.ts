// A child process with DuckDB in it, from the parent's side: start, send, hear, notice its death.
import { fork } from 'node:child_process'
import type { FromChild, ToChild } from './protocol.ts'

export type Child = {
  send(message: ToChild): void
  /** Ends it as the system would; `ended` follows. */
  kill(): void
  /** Asks it to end; `ended` follows. */
  close(): void
  pid: number | undefined
}

/** Starts `child.ts` with this very Node. `ended` is called once, with the exit code or the signal in words. */
export function startChild(
  heard: (message: FromChild) => void,
  ended: (reason: string) => void,
): Child {
  const child = fork(new URL('./child.ts', import.meta.url), [], {
    execPath: process.execPath,
    execArgv: [],
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  let over = false
  const end = (reason: string) => {
    if (over) return
    over = true
    ended(reason)
  }
  child.on('message', (message) => heard(message as FromChild))
  child.on('exit', (code, signal) => end(signal ?? `exit code ${code}`))
  child.on('error', (error) => end(error.message))
  return {
    send: (message) => void (child.connected && child.send(message, () => undefined)),
    kill: () => void child.kill('SIGKILL'),
    close: () => void (child.connected ? child.disconnect() : child.kill('SIGKILL')),
    pid: child.pid,
  }
}
