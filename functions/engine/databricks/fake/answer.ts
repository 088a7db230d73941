// How the fake answers: bodies with int64 as bare numbers, errors in the workspace's shape, requests checked against the official
// SDK's fields and types.
import type { Context } from 'hono'
import { parseJson, stringifyJson } from '../json.ts'
import type { FakeState, Json } from './state.ts'
import SHAPES from './shapes.json' with { type: 'json' }

export type Ctx = Context<{ Variables: { fake: FakeWorld; user: FakeUser } }>

export type FakeUser = { name: string; id: string; admin: boolean }

/** What every part of the fake works on. */
export type FakeWorld = {
  state: FakeState
  /** Epoch milliseconds. */
  now(): number
  /** Items of a page at most, whatever is asked: so that everybody pages. */
  page: number
  /** Fields that a request had and the official SDK does not know: a test that leaves any has failed. */
  unknown: string[]
  /** The workspace's own habit for jobs that say nothing. */
  queue_default: boolean
  execute: Execute
}

/** What happens when a task of a run is carried out. */
export type Execute = (task: {
  job: Json
  run_id: string
  task: Json
  parameters: Record<string, string>
}) => Promise<{ ok: boolean; output?: string; error?: string }>

/** An error answer on its way out. */
export class Refusal extends Error {
  status: number
  code: string
  headers: Record<string, string>

  constructor(status: number, code: string, message: string, headers: Record<string, string> = {}) {
    super(message)
    this.status = status
    this.code = code
    this.headers = headers
  }
}

export function refuse(status: number, code: string, message: string): never {
  throw new Refusal(status, code, message)
}
export const invalid = (message: string): never => refuse(400, 'INVALID_PARAMETER_VALUE', message)
export const gone = (message: string): never => refuse(404, 'RESOURCE_DOES_NOT_EXIST', message)

export function reply(value: unknown, status = 200): Response {
  return new Response(stringifyJson(value), {
    status,
    headers: { 'content-type': 'application/json' },
  })
}
/** A success without a body: reset, delete, PUT of a pipeline. */
export const nothing = () => new Response(null, { status: 200 })

/** The body of a request, its fields and types checked; `shape` is a name of shapes.json. */
export async function body(c: Ctx, shape: string): Promise<Json> {
  let value: unknown
  try {
    value = parseJson((await c.req.text()) || '{}')
  } catch {
    return refuse(400, 'MALFORMED_REQUEST', 'The request body is no JSON.')
  }
  check(c.get('fake'), value, shape, shape)
  return value as Json
}

const fields = new Map<string, Map<string, string>>()
function fieldsOf(shape: string): Map<string, string> {
  let known = fields.get(shape)
  if (!known) {
    const text = (SHAPES as Record<string, string>)[shape] ?? ''
    known = new Map(
      text
        .split(' ; ')
        .filter(Boolean)
        .map((part) => part.split(': ') as [string, string]),
    )
    fields.set(shape, known)
  }
  return known
}

function check(fake: FakeWorld, value: unknown, type: string, path: string): void {
  const wrong = (what: string) =>
    refuse(400, 'MALFORMED_REQUEST', `Could not parse request object: ${path} is no ${what}.`)
  if (value === null || value === undefined || type === 'any') return
  if (type.startsWith('[')) {
    if (!Array.isArray(value)) return wrong('list')
    value.forEach((item, index) => check(fake, item, type.slice(1, -1), `${path}[${index}]`))
  } else if (type.startsWith('map ')) {
    if (typeof value !== 'object' || Array.isArray(value)) return wrong('map')
    for (const [key, item] of Object.entries(value))
      check(fake, item, type.slice(4), `${path}.${key}`)
  } else if (type.startsWith('enum ')) {
    if (!type.slice(5).split('|').includes(String(value)))
      invalid(`${path}: ${String(value)} is not a valid value.`)
  } else if (type === 'string') {
    if (typeof value !== 'string') wrong('string')
  } else if (type === 'bool') {
    if (typeof value !== 'boolean') wrong('boolean')
  } else if (type === 'int') {
    if (!/^-?\d+$/.test(String(value))) wrong('integer')
  } else if (type === 'float') {
    if (typeof value !== 'number') wrong('number')
  } else {
    if (typeof value !== 'object' || Array.isArray(value)) return wrong('object')
    const known = fieldsOf(type)
    for (const [key, item] of Object.entries(value)) {
      const kind = known.get(key)
      if (kind === undefined) fake.unknown.push(`${path}.${key}`)
      else check(fake, item, kind, `${path}.${key}`)
    }
  }
}

/** One page of a list: `page_token` is an offset. Answers the items and the next token, if there is more. */
export function pageOf<Item>(
  items: readonly Item[],
  token: string | undefined,
  size: number,
): { items: Item[]; next?: string } {
  const from = token ? Number(token) : 0
  if (!Number.isInteger(from) || from < 0) invalid('The page token is invalid.')
  const end = from + size
  return { items: items.slice(from, end), ...(end < items.length && { next: String(end) }) }
}

/** As the server stores: an empty list or map is as good as absent. Zero and false are values. */
export function dropEmpty(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(dropEmpty)
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(
    Object.entries(value)
      .map(([key, inner]) => [key, dropEmpty(inner)] as const)
      .filter(
        ([, inner]) =>
          inner !== null &&
          inner !== undefined &&
          !(typeof inner === 'object' && Object.keys(inner).length === 0),
      ),
  )
}

/** `/Workspace/Users/x` and `/Users/x` are one object; the server speaks of the shorter one. */
export function workspacePath(path: string): string {
  const plain = path.replace(/^\/Workspace(?=\/|$)/, '').replace(/\/+$/, '')
  return plain === '' ? '/' : plain
}
