// What handlers share: the context's variables, validated input, keyset pages. Nothing about any resource.
import type { Context } from 'hono'
import { validator } from 'hono-openapi'
import type { ValidationTargets } from 'hono'
import * as v from 'valibot'
import { fail } from '#core/errors.ts'
import type { FieldError } from '#core/errors.ts'
import { messageOf } from '#core/fields.ts'
import { TOKEN_ROLES } from '#core/token.ts'
import type { WorkspaceDoor } from '#engine/databricks/sync-run.ts'
import type { Engine } from '#engine/engine.ts'
import type { SourceDoor } from '#engine/source.ts'
import type { Sql } from '#sql/db.ts'
import type { Spool } from './spool.ts'
import type { DialectDoor } from './sql-check.ts'
import type { Finding } from './status.ts'

export const ROLES = TOKEN_ROLES
export type Role = (typeof ROLES)[number]

/** Who asks. `groups`: role per group id, where it differs from the global one. */
export type Actor = { name: string; role: Role; groups: Record<string, Role> }

/** What an entry hands to the app: the store, the engines that it can reach, and how it knows who asks. */
export type Deps = {
  /** The store for one request; an entry on Workers opens a client here and closes it after the answer. */
  sql: Sql
  /** By name of the kind of engine; empty where none can run (Workers). */
  engines: Partial<Record<Engine['name'], Engine>>
  version: string
  /** Opens the SQL dialect; null where it can't be had: SQL is then not saved. */
  dialect: DialectDoor
  /** Looks into sources; null where no engine runs. */
  sources: SourceDoor | null
  /** Whether a secret can be read here; throws with what to do where it can't. Never answers the value. Absent on Workers. */
  hasSecret?: (reference: string) => Promise<void>
  /** Logs in to workspaces and has the notebooks that go there; absent on Workers. */
  workspaces?: WorkspaceDoor
  /** What only this machine can say of itself; absent on Workers. */
  doctor?: () => Promise<Finding[]>
  /** Puts a stream aside on disk; absent where the store has connections to spare, or there is no disk. */
  spool?: Spool
  /** Tells the owner that there is work; absent where no owner runs in this process. */
  nudge?: () => void
}

/** Who asks, as the audit names it. */
export function writer(c: Ctx): { name: string; request_id: string } {
  return { name: c.var.actor.name, request_id: c.var.request_id }
}

export type Env = { Variables: { deps: Deps; sql: Sql; actor: Actor; request_id: string } }
export type Ctx = Context<Env>

/**
 * Validates a part of the request against a valibot schema and documents it in OpenAPI.
 * @throws validation_failed with each field's path; values are never repeated
 */
export function validate<Schema extends v.GenericSchema, Target extends keyof ValidationTargets>(
  target: Target,
  schema: Schema,
) {
  return validator(target, schema, (result) => {
    if (!result.success) fail('validation_failed', {}, { errors: fieldErrors(result.error) })
  })
}

/** valibot's issues as field errors. Its ready-made messages quote what was received: that half is cut off. */
export function fieldErrors(
  issues: readonly {
    message: string
    path?: readonly (PropertyKey | { key: PropertyKey })[] | undefined
  }[],
): FieldError[] {
  return issues.map((issue) => ({
    path: (issue.path ?? [])
      .map((part) => String(typeof part === 'object' ? part.key : part))
      .join('.'),
    message: messageOf(issue),
  }))
}

/**
 * Parses outside of a request (files, queries of the CLI).
 * @throws validation_failed with each field's path below `prefix`
 */
export function parse<Schema extends v.GenericSchema>(
  schema: Schema,
  value: unknown,
  prefix = '',
): v.InferOutput<Schema> {
  const result = v.safeParse(schema, value)
  if (result.success) return result.output
  const errors = fieldErrors(result.issues as Parameters<typeof fieldErrors>[0])
  return fail(
    'validation_failed',
    {},
    {
      errors: errors.map((error) => ({
        ...error,
        path: [prefix, error.path].filter(Boolean).join('.'),
      })),
    },
  )
}

/** A whole number of the address, as text there: from `least` to `most`. */
export function wholeNumber(least: number, most: number) {
  const message = `A whole number from ${least} to ${most}.`
  return v.pipe(
    v.string(),
    v.regex(/^\d{1,9}$/, message),
    v.transform(Number),
    v.minValue(least, message),
    v.maxValue(most, message),
  )
}

/** `after` is the opaque cursor of the former page's `next`. */
export const PageQuery = {
  after: v.optional(v.pipe(v.string(), v.maxLength(1000))),
  limit: v.optional(wholeNumber(1, 500)),
  include: v.optional(v.pipe(v.string(), v.maxLength(100))),
}

/** A page's cursor from the sort values of its last row: opaque to clients, URL-safe. */
export function encodeCursor(values: readonly (string | null)[]): string {
  const bytes = new TextEncoder().encode(JSON.stringify(values))
  return btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '')
}

/**
 * The sort values that `encodeCursor` put in; null for the first page.
 * @throws cursor_invalid for anything else
 */
export function decodeCursor(cursor: string | undefined, length: number): (string | null)[] | null {
  if (cursor === undefined) return null
  try {
    const text = atob(cursor.replaceAll('-', '+').replaceAll('_', '/'))
    const values: unknown = JSON.parse(
      new TextDecoder().decode(Uint8Array.from(text, (char) => char.charCodeAt(0))),
    )
    const fits =
      Array.isArray(values) &&
      values.length === length &&
      values.every((value) => value === null || typeof value === 'string')
    if (fits) return values
  } catch {
    // Falls through: whatever is wrong with it, the answer is the same.
  }
  return fail('cursor_invalid')
}

/** The `version` that a write expects, from `If-Match: "3"`; null where the header is absent. */
export function ifMatch(c: Ctx): number | null {
  const header = c.req.header('if-match')
  if (header === undefined || header === '*') return null
  const found = /^(?:W\/)?"?(\d{1,9})"?$/.exec(header.trim())
  return found ? Number(found[1]) : fail('if_match_invalid')
}

/**
 * Refuses unless the actor has at least `role`, globally or for the group.
 * @throws forbidden naming the missing role
 */
export function need(c: Ctx, role: Role, group_id?: string): void {
  const actor = c.var.actor
  const held = group_id ? (actor.groups[group_id] ?? actor.role) : actor.role
  if (ROLES.indexOf(held) < ROLES.indexOf(role)) fail('forbidden', { role })
}
