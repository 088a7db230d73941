// The password of a Lakebase database: a token that the workspace gives for about an hour and that counts at login alone. Both
// generations of the product, behind one function that postgres.js asks at each new connection.
import { fail } from '#core/errors.ts'
import type { Client } from './client.ts'

/** An endpoint's path of Lakebase Autoscaling, or an instance's name of Lakebase Provisioned. */
export type LakebaseTarget = { endpoint: string } | { instance: string }

/** A login that begins with the old token must end with it. */
const RENEW_BEFORE_MS = 120_000

/**
 * Fetches the password for `target`, once for however many connections wait, and again two minutes before it ends (a shorter
 * one at half its life). `now` in epoch milliseconds.
 * @throws what the workspace answers; workspace_answer_unreadable
 */
export function openLakebasePassword(
  client: Client,
  target: LakebaseTarget | (() => Promise<LakebaseTarget>),
  options: { now?: () => number } = {},
): () => Promise<string> {
  const now = options.now ?? Date.now
  let found: LakebaseTarget | undefined
  let held: { token: string; until: number } | undefined
  let pending: Promise<string> | undefined

  const renew = async () => {
    found ??= typeof target === 'function' ? await target() : target
    const { token, ends } = await credentials(client, found)
    const life = ends - now()
    held = { token, until: ends - Math.min(RENEW_BEFORE_MS, life / 2) }
    return token
  }
  return () => {
    if (held && now() < held.until) return Promise.resolve(held.token)
    pending ??= renew().finally(() => (pending = undefined))
    return pending
  }
}

/** The provisioned instance behind this host name. @throws lakebase_unknown */
export async function lakebaseInstance(client: Client, host: string): Promise<LakebaseTarget> {
  type Instance = { name: string; read_write_dns?: string; read_only_dns?: string }
  const instances = client.list<Instance>('/api/2.0/database/instances', 'database_instances')
  for await (const each of instances)
    if (each.read_write_dns === host || each.read_only_dns === host) return { instance: each.name }
  return fail('lakebase_unknown', { host })
}

async function credentials(
  client: Client,
  target: LakebaseTarget,
): Promise<{ token: string; ends: number }> {
  const [path, body] =
    'endpoint' in target
      ? ['/api/2.0/postgres/credentials', { endpoint: target.endpoint }]
      : [
          '/api/2.0/database/credentials',
          { request_id: crypto.randomUUID(), instance_names: [target.instance] },
        ]
  // One token more than needed harms nobody: it may be asked for again
  const answer = await client.call<{
    token?: unknown
    expire_time?: unknown
    expiration_time?: unknown
  }>('POST', path, { body, repeatable: true })
  const ends = Date.parse(String(answer.expire_time ?? answer.expiration_time))
  if (typeof answer.token !== 'string' || answer.token === '' || Number.isNaN(ends))
    fail('workspace_answer_unreadable', { call: `POST ${path}`, status: 200 })
  return { token: answer.token as string, ends }
}
