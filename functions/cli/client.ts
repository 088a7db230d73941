// The CLI's end of the API: with the running owner of the home, or as its owner while the verb lasts. Answers are values, faults
// are thrown with everything that the API said of them.
import { setTimeout as sleep } from 'node:timers/promises'
import { LakeForgeError } from '#core/errors.ts'
import type { Connection, HomeOptions } from '../home.ts'

/** A problem document of the API, or what is shown like one. */
export type Problem = {
  code: string
  detail: string
  hint?: string
  status?: number
  request_id?: string
  errors?: { path: string; message: string; file?: string; line?: number }[]
  dependants?: unknown
}

/** What a verb ends with when something is refused or fails. */
export class CliError extends Error {
  problem: Problem
  /** 2: the command line is wrong. */
  exit: 1 | 2

  constructor(problem: Problem, exit: 1 | 2 = 1) {
    super(problem.detail)
    this.problem = problem
    this.exit = exit
  }
}

/** The command line is wrong. */
export function usage(detail: string, hint = 'lakeforge help'): never {
  throw new CliError({ code: 'usage', detail, hint }, 2)
}

export type Client = {
  home: string
  /** Where the owner listens; null: this process is the owner. */
  url(): string | null
  migrated(): string[] | null
  get<Answer>(path: string): Promise<Answer>
  post<Answer>(path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>
  delete(path: string): Promise<void>
  /** The answer as it is; its status is a success. */
  raw(path: string, init?: RequestInit): Promise<Response>
  /** All items of a list, page after page. */
  all<Item>(path: string): Promise<Item[]>
  close(): Promise<void>
}

/** How long an owner that went away may take to leave the home. */
const OWNER_MS = 30_000

export async function openClient(options: HomeOptions = {}): Promise<Client> {
  // Not before a verb needs them: help is there at once
  const [{ connectHome, homeDir }, { listen }] = await Promise.all([
    import('../home.ts'),
    import('../node.ts'),
  ])
  const open = () =>
    connectHome({ ...options, listen: (home) => listen(home.app.fetch, '127.0.0.1', 0) })
  let connection: Connection = await open()

  /** The owner may end or be killed at any time: then another one is found, or this process becomes it. */
  const send = async (path: string, init: RequestInit = {}): Promise<Response> => {
    const until = performance.now() + OWNER_MS
    for (;;) {
      try {
        return await connection.request(path, init)
      } catch (error) {
        if (connection.url === null || performance.now() > until || !mayRepeat(init, error))
          throw error
        // One that is closing no longer listens, and still holds the home for a moment
        await sleep(200)
        await connection.close()
        connection = await open()
      }
    }
  }

  const raw = async (path: string, init?: RequestInit): Promise<Response> => {
    const answer = await send(path, init)
    if (!answer.ok) throw new CliError(await problemOf(answer))
    return answer
  }
  const json = async <Answer>(path: string, init?: RequestInit): Promise<Answer> =>
    (await (await raw(path, init)).json()) as Answer

  return {
    home: options.dir ?? homeDir(options.env),
    url: () => connection.url,
    migrated: () => connection.migrated,
    get: (path) => json(path),
    post: (path, body = {}, headers = {}) =>
      json(path, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify(body),
      }),
    delete: async (path) => void (await raw(path, { method: 'DELETE' })),
    raw,
    async all<Item>(path: string): Promise<Item[]> {
      const items: Item[] = []
      let after: string | null = null
      do {
        const cursor: string = after === null ? '' : `&after=${encodeURIComponent(after)}`
        const page: { items: Item[]; next: string | null } = await json(
          `${path}${path.includes('?') ? '&' : '?'}limit=500${cursor}`,
        )
        items.push(...page.items)
        after = page.next
      } while (after !== null)
      return items
    },
    close: () => connection.close(),
  }
}

/** Never twice what may have been done: unless nobody was there to do it, only reads and what carries a key. */
function mayRepeat(init: RequestInit, error: unknown): boolean {
  const code = (error as { cause?: { code?: string } }).cause?.code
  if (code === 'ECONNREFUSED') return !(init.body instanceof ReadableStream)
  return (init.method ?? 'GET') === 'GET' || new Headers(init.headers).has('idempotency-key')
}

async function problemOf(answer: Response): Promise<Problem> {
  const text = await answer.text()
  try {
    const body = JSON.parse(text) as Problem
    if (typeof body.detail === 'string') return body
  } catch {
    // Not ours: whatever stands between, a proxy perhaps
  }
  return {
    code: 'internal',
    detail: `The answer was ${answer.status} ${answer.statusText}.`.replace(' .', '.'),
    hint: 'See what the owner of this home prints.',
  }
}

/** Any thrown value as a problem to show. */
export function problemFrom(error: unknown): { problem: Problem; exit: 1 | 2 } {
  if (error instanceof CliError) return { problem: error.problem, exit: error.exit }
  if (error instanceof LakeForgeError) {
    const { code, message: detail, hint, errors } = error
    return { problem: { code, detail, hint, ...(errors.length > 0 && { errors }) }, exit: 1 }
  }
  const system = error as { code?: string; path?: string; message?: string }
  if (typeof system.code === 'string' && system.path !== undefined)
    return {
      problem: {
        code: system.code.toLowerCase(),
        detail: FILE_FAULTS[system.code]?.(system.path) ?? String(system.message),
        hint: 'Check the path and its permissions.',
      },
      exit: 1,
    }
  return {
    problem: {
      code: 'internal',
      detail: `Something went wrong: ${system.message ?? String(error)}`,
      hint: 'lakeforge doctor',
    },
    exit: 1,
  }
}

const FILE_FAULTS: Record<string, (path: string) => string> = {
  ENOENT: (path) => `There is no file or folder ${path}.`,
  EACCES: (path) => `${path} may not be opened.`,
  EPERM: (path) => `${path} may not be opened.`,
  EEXIST: (path) => `${path} is there already.`,
  EISDIR: (path) => `${path} is a folder.`,
  ENOTDIR: (path) => `${path} leads through something that is no folder.`,
  EROFS: (path) => `${path} lies on a disk that can not be written.`,
  ENOSPC: (path) => `There is no space left for ${path}.`,
}
