// Queries on the parent's side: one child per lake, started by the first query and ended when idle.
import { fail, LakeForgeError } from '#core/errors.ts'
import type { QueryRequest, QueryResult, RuleTest, RuleTestRequest } from '#engine/engine.ts'
import { type Child, startChild } from './process.ts'
import type { FromChild, ToChild } from './protocol.ts'

export type QueryRunner = {
  /** @throws query_timeout, table_missing, sql_failed, engine_killed, … */
  run(request: QueryRequest): Promise<QueryResult>
  /** @throws as `run`, and rule_invalid, rule_broken */
  testRule(request: RuleTestRequest): Promise<RuleTest>
  close(): void
}

const IDLE_MS = 60_000

type Answer = QueryResult | RuleTest
type Waiting = { started(): void; resolve(answer: Answer): void; reject(error: Error): void }

/** `grace_ms`: how long a query may take to stop before its process is killed. */
export function createQueryRunner(settings: {
  root: string
  memory_bytes: number
  threads: number
  grace_ms: number
}): QueryRunner {
  const waiting = new Map<number, Waiting>()
  let child: Child | null = null
  let idle: NodeJS.Timeout | undefined
  let asked = 0

  const close = () => {
    clearTimeout(idle)
    const old = child
    child = null
    old?.close()
    for (const { reject } of waiting.values())
      reject(new LakeForgeError('engine_killed', { reason: 'closed' }))
    waiting.clear()
  }

  const heard = (message: FromChild) => {
    if (message.kind === 'broken')
      return failAll(new LakeForgeError('engine_failed', { reason: message.error.message }))
    if (message.kind === 'started') waiting.get(message.id)?.started()
    if (message.kind !== 'answer') return
    const asker = waiting.get(message.id)
    waiting.delete(message.id)
    if ('result' in message) asker?.resolve(message.result)
    else {
      const { code, detail, hint } = message.failure
      asker?.reject(new LakeForgeError(code, detail, { hint }))
    }
    if (waiting.size === 0) {
      clearTimeout(idle)
      idle = setTimeout(close, IDLE_MS)
      idle.unref()
    }
  }

  const failAll = (error: LakeForgeError) => {
    for (const { reject } of waiting.values()) reject(error)
    waiting.clear()
  }

  const spawn = (): Child => {
    const { root, memory_bytes, threads } = settings
    const made = startChild(
      (message) => void (child === made && heard(message)),
      (reason) => {
        if (child !== made) return
        child = null
        failAll(new LakeForgeError('engine_killed', { reason }))
      },
    )
    made.send({ kind: 'open_queries', settings: { root, home: null, memory_bytes, threads } })
    return made
  }

  const ask = async (timeout_ms: number, message: (id: number) => ToChild): Promise<Answer> => {
    clearTimeout(idle)
    const id = ++asked
    const asking = (child ??= spawn())
    let timer: NodeJS.Timeout | undefined
    let kill: NodeJS.Timeout | undefined
    let expired = false
    const expire = () => {
      expired = true
      asking.send({ kind: 'stop_query', id })
      kill = setTimeout(() => waiting.has(id) && asking.kill(), settings.grace_ms)
    }
    try {
      return await new Promise<Answer>((resolve, reject) => {
        // A query's time begins when it does, not while its process starts.
        const started = () => (timer = setTimeout(expire, timeout_ms))
        waiting.set(id, { started, resolve, reject })
        asking.send(message(id))
      })
    } catch (error) {
      if (expired) fail('query_timeout', { timeout_s: timeout_ms / 1000 }, { cause: error })
      throw error
    } finally {
      clearTimeout(timer)
      clearTimeout(kill)
    }
  }

  return {
    run: async (request) =>
      (await ask(request.timeout_ms, (id) => ({ kind: 'query', id, request }))) as QueryResult,
    testRule: async (request) =>
      (await ask(request.timeout_ms, (id) => ({ kind: 'test_rule', id, request }))) as RuleTest,
    close,
  }
}
