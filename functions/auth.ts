// Who asks, and may they ask here at all: the modes `local` and `token`. Other identities (OIDC, forwarded headers) are
// further entries of AuthSettings and end in the same Actor.
import { createMiddleware } from 'hono/factory'
import { fail } from '#core/errors.ts'
import type { Sql } from '#sql/db.ts'
import { ROLES } from './request.ts'
import type { Actor, Env, Role } from './request.ts'

export type AuthSettings =
  /** Loopback only: Host and Origin must be ours, so that no web page can reach in by a name of its own. */
  | { mode: 'local'; owner_token?: string }
  /** Every request carries an API token; only its hash is stored. */
  | { mode: 'token'; owner_token?: string }

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d{1,5})?$/i

/** Sets `actor`, or refuses with `host_refused`, `unauthenticated`. */
export function authenticate(settings: AuthSettings) {
  return createMiddleware<Env>(async function authenticate(c, next) {
    const bearer = /^Bearer\s+(\S+)$/i.exec(c.req.header('authorization') ?? '')?.[1]
    if (settings.mode === 'local') {
      const host = c.req.header('host') ?? new URL(c.req.url).host
      if (!LOOPBACK.test(host)) fail('host_refused')
      const origin = c.req.header('origin')
      if (origin !== undefined && origin !== `http://${host}` && origin !== `https://${host}`)
        fail('host_refused')
      c.set('actor', { name: 'local', role: 'admin', groups: {} })
    } else if (
      bearer !== undefined &&
      settings.owner_token !== undefined &&
      (await sameText(bearer, settings.owner_token))
    ) {
      c.set('actor', { name: 'owner', role: 'admin', groups: {} })
    } else {
      const actor = bearer === undefined ? null : await actorOfToken(c.var.sql, bearer)
      if (actor === null) {
        c.header('www-authenticate', 'Bearer')
        fail('unauthenticated')
      }
      c.set('actor', actor)
    }
    await next()
  })
}

/** Hex sha256 of a token: what the store holds. A token has 256 random bits, so that no salt is needed. */
export async function hashToken(token: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(token))
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** A new API token: `lf_` and 256 random bits. Shown once, stored as its hash. */
export function newToken(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(32))
  return `lf_${Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')}`
}

async function actorOfToken(sql: Sql, token: string): Promise<Actor | null> {
  const [row] = await sql<{ name: string; role: Role; group_id: string | null }[]>`
    update config.token
    set last_used_at = now()
    where hash = ${await hashToken(token)}
      and revoked_at is null
      and (expires_at is null or expires_at > now())
    returning name, role, group_id
  `
  if (!row || !ROLES.includes(row.role)) return null
  const name = `token:${row.name}`
  // A token for one group sees everything and does its work there alone
  return row.group_id === null
    ? { name, role: row.role, groups: {} }
    : { name, role: 'viewer', groups: { [row.group_id]: row.role } }
}

/** Compares hashes, so that the time taken says nothing about the text. */
async function sameText(a: string, b: string): Promise<boolean> {
  return (await hashToken(a)) === (await hashToken(b))
}
