// What a workspace answers when something is wrong, in any of its shapes, as one of our errors.
import { LakeForgeError } from '#core/errors.ts'
import type { ErrorCode } from '#core/errors.ts'
import { parseJson } from './json.ts'

/** What an error answer says, whatever its shape. */
export type Said = {
  status: number
  /** `error_code` as the workspace spells it; empty where it gave none. Codes that we don't know are opaque. */
  error_code: string
  message: string
  details: Record<string, unknown>[]
  /** Milliseconds that it asks to wait; null without such a wish. */
  retry_after_ms: number | null
}

const LONGEST = 1000

/** Reads an error answer: JSON with `error_code`, the old `error`, SCIM, `CODE: text`, an HTML page, or nothing at all. */
export function readError(status: number, headers: Headers, body: string): Said {
  const said: Said = {
    status,
    error_code: '',
    message: '',
    details: [],
    retry_after_ms: retryAfter(headers.get('retry-after')),
  }
  const text = body.trim()
  if (text !== '') readBody(said, text)
  said.message = said.message.trim().slice(0, LONGEST) || `HTTP status ${status}`
  return said
}

function readBody(said: Said, text: string): void {
  let json: unknown
  try {
    json = parseJson(text)
  } catch {
    const plain = /^([A-Z][A-Z0-9_]+): (.+)/s.exec(text)
    const page = /<pre>([\s\S]*?)<\/pre>/i.exec(text) ?? /<title>([\s\S]*?)<\/title>/i.exec(text)
    if (plain) {
      said.error_code = plain[1]!
      said.message = plain[2]!
    } else if (page) said.message = page[1]!.replace(/<[^>]*>/g, ' ').replace(/\s+/g, ' ')
    else if (!text.startsWith('<')) said.message = text
    return
  }
  if (json === null || typeof json !== 'object' || Array.isArray(json)) {
    said.message = typeof json === 'string' ? json : ''
    return
  }
  const body = json as Record<string, unknown>
  const word = (value: unknown) =>
    typeof value === 'string' || typeof value === 'number' ? String(value) : ''
  said.error_code = word(body.error_code) || word(body.errorCode)
  said.message =
    word(body.message) ||
    [word(body.scimType), word(body.detail)].filter(Boolean).join(' ') ||
    word(body.error_description) ||
    word(body.errorSummary) ||
    word(body.error)
  if (Array.isArray(body.details))
    said.details = body.details.filter(
      (item): item is Record<string, unknown> => item !== null && typeof item === 'object',
    )
}

/** `Retry-After` in seconds or as a date; null where it is absent or neither. */
function retryAfter(header: string | null): number | null {
  if (header === null) return null
  const seconds = Number(header)
  if (Number.isFinite(seconds) && seconds >= 0) return seconds * 1000
  const at = Date.parse(header)
  return Number.isNaN(at) ? null : Math.max(0, at - Date.now())
}

/** A missing job, run or cluster answers 400: only the words tell. */
const MISSING = [
  /^\/api\/2\.\d\/jobs\//,
  /(Job .* does not exist|Run .* does not exist|Run: .* in job: .* doesn't exist)/,
  /^\/api\/2\.\d\/clusters\//,
  /Cluster .* does not exist/,
] as const

/** Which of our codes an answer means. */
export function codeOf(path: string, said: Said): ErrorCode {
  const { status, error_code: code, message } = said
  const missing =
    (MISSING[0].test(path) && MISSING[1].test(message)) ||
    (MISSING[2].test(path) && MISSING[3].test(message))
  if (status === 401 || code === 'UNAUTHENTICATED') return 'workspace_unauthenticated'
  if (status === 429 || code === 'RESOURCE_EXHAUSTED' || code === 'REQUEST_LIMIT_EXCEEDED')
    return 'workspace_busy'
  if (status === 404 || code.endsWith('DOES_NOT_EXIST') || code === 'NOT_FOUND' || missing)
    return 'workspace_missing'
  if (status === 403 || code === 'PERMISSION_DENIED') return 'workspace_denied'
  if (status === 409 || code === 'ABORTED' || code.endsWith('ALREADY_EXISTS'))
    return 'workspace_conflict'
  if (status >= 500) return 'workspace_unavailable'
  return 'workspace_refused'
}

/** Texts with which a workspace says that it will be able to in a moment. */
const TRANSIENT =
  /workspace .* is not ready|cluster .* is not (ready|running)|token bucket limit|try again (later|in)|temporarily unavailable/i

export function isTransient(said: Said): boolean {
  return said.status === 429 || said.status === 503 || TRANSIENT.test(said.message)
}

/** An answer as our error; its detail keeps status, the workspace's own code and the call. */
export function workspaceError(method: string, path: string, said: Said): LakeForgeError {
  return new LakeForgeError(codeOf(path, said), {
    said: said.message,
    status: said.status,
    error_code: said.error_code,
    call: `${method} ${path}`,
    details: said.details,
  })
}
