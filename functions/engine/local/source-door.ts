// Looks into sources from the parent's side: each look is a child process of its own, so that a huge file or a slow database
// never holds the server, and ends with it.
import { fork } from 'node:child_process'
import { fail, LakeForgeError } from '#core/errors.ts'
import type { ErrorCode } from '#core/errors.ts'
import type {
  DiscoveredObject,
  Preview,
  RawObject,
  SourceDoor,
  SourceLike,
  TestStep,
} from '#engine/source.ts'

export type LookRequest = { home: string; memory_bytes: number; source: SourceLike } & (
  { op: 'test' } | { op: 'discover' } | { op: 'preview'; object: RawObject; limit: number }
)

export type LookAnswer =
  | { kind: 'step'; step: TestStep }
  | { kind: 'result'; result: unknown }
  | { kind: 'error'; code: ErrorCode; detail: Record<string, unknown>; hint: string }

const LOOK_MS = 120_000
const MEMORY_BYTES = 256 * 2 ** 20

/** `home`: where secrets.json lies. */
export function openSourceDoor(settings: { home: string; timeout_ms?: number }): SourceDoor {
  const timeout_ms = settings.timeout_ms ?? LOOK_MS
  const common = { home: settings.home, memory_bytes: MEMORY_BYTES }

  async function result(request: LookRequest): Promise<unknown> {
    for await (const answer of look(request, timeout_ms))
      if (answer.kind === 'result') return answer.result
    return fail('engine_killed', { reason: 'it ended without an answer' })
  }

  return {
    async *test(source) {
      for await (const answer of look({ ...common, op: 'test', source }, timeout_ms))
        if (answer.kind === 'step') yield answer.step
    },
    discover: (source) =>
      result({ ...common, op: 'discover', source }) as Promise<DiscoveredObject[]>,
    preview: (source, object, limit) =>
      result({ ...common, op: 'preview', source, object, limit }) as Promise<Preview>,
  }
}

/** What one child answers, in order. @throws what it failed with, engine_killed, source_timeout */
async function* look(request: LookRequest, timeout_ms: number): AsyncIterable<LookAnswer> {
  const child = fork(new URL('./source-child.ts', import.meta.url), [], {
    execPath: process.execPath,
    execArgv: [],
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  const answers: LookAnswer[] = []
  let ended: string | null = null
  let wake = Promise.withResolvers<void>()
  child.on('message', (message) => {
    answers.push(message as LookAnswer)
    wake.resolve()
  })
  child.on('exit', (code, signal) => {
    ended = signal ?? `exit code ${code}`
    wake.resolve()
  })
  child.on('error', (error) => {
    ended = error.message
    wake.resolve()
  })
  let late = false
  const timer = setTimeout(() => {
    late = true
    child.kill('SIGKILL')
  }, timeout_ms)
  try {
    child.send(request)
    for (;;) {
      const answer = answers.shift()
      if (answer?.kind === 'error')
        throw new LakeForgeError(answer.code, answer.detail, { hint: answer.hint })
      if (answer) yield answer
      else if (late)
        fail('source_timeout', { source: request.source.name, seconds: timeout_ms / 1000 })
      else if (ended !== null && ended !== 'exit code 0') fail('engine_killed', { reason: ended })
      else if (ended !== null) return
      else {
        await wake.promise
        wake = Promise.withResolvers()
      }
    }
  } finally {
    clearTimeout(timer)
    child.kill('SIGKILL')
  }
}
