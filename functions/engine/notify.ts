// Tells people by webhook that a group has failed, and that it is well again. One attempt at each address per end of a batch, with
// a few repetitions where the other side is away; what could not be told stands in the batch's events.
import { lookup } from 'node:dns'
import type { LookupAddress } from 'node:dns'
import { request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import { BlockList, isIP } from 'node:net'
import type { LookupFunction } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { describeError, fail } from '#core/errors.ts'
import type { Group } from '#core/group.ts'
import type { Sql } from '#sql/db.ts'

const TRIES = 3
const TIMEOUT_MS = 10_000

/** Addresses that a machine uses for itself and its neighbours, and those of the clouds' metadata services. */
const PRIVATE = new BlockList()
for (const [net, bits] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
] as const)
  PRIVATE.addSubnet(net, bits, 'ipv4')
for (const [net, bits] of [
  ['::', 128],
  ['::1', 128],
  ['::ffff:0:0', 96],
  ['64:ff9b::', 96],
  ['fc00::', 7],
  ['fe80::', 10],
  ['ff00::', 8],
] as const)
  PRIVATE.addSubnet(net, bits, 'ipv6')

/** Whether an IP address is not of the public internet. */
export function isPrivateAddress(address: string): boolean {
  return PRIVATE.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4')
}

/**
 * Posts JSON. The address is checked when the connection is made, so that a name can't point elsewhere after the check.
 * @throws address_refused for private addresses unless `allow_private`, notify_failed otherwise
 */
export function postJson(
  url: string,
  body: unknown,
  options: { allow_private: boolean },
): Promise<void> {
  const target = new URL(url)
  const checked: LookupFunction = (hostname, how, done) =>
    lookup(hostname, { ...how, all: true }, (error, addresses: LookupAddress[]) => {
      const bad =
        !options.allow_private && addresses?.some(({ address }) => isPrivateAddress(address))
      if (error || bad) done(error ?? new Error('address_refused'), [], 0)
      else if (how.all) done(null, addresses)
      else done(null, addresses[0]!.address, addresses[0]!.family)
    })
  const literal = target.hostname.replace(/^\[|\]$/g, '')
  if (!options.allow_private && isIP(literal) !== 0 && isPrivateAddress(literal))
    fail('address_refused', { host: target.host })
  return new Promise((resolve, reject) => {
    const send = target.protocol === 'https:' ? requestHttps : requestHttp
    const text = JSON.stringify(body)
    const outgoing = send(
      target,
      {
        method: 'POST',
        lookup: checked,
        timeout: TIMEOUT_MS,
        headers: {
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(text),
          'user-agent': 'LakeForge',
        },
      },
      (answer) => {
        answer.resume()
        // A redirect is not followed: it could lead to an address that the check never saw
        if (answer.statusCode !== undefined && answer.statusCode < 300) resolve()
        else refuse(`HTTP ${answer.statusCode}`)
      },
    )
    const refuse = (what: string) => {
      try {
        fail(what === 'address_refused' ? 'address_refused' : 'notify_failed', {
          host: target.host,
          what,
        })
      } catch (error) {
        reject(error as Error)
      }
    }
    outgoing.on('timeout', () => outgoing.destroy(new Error('no answer in time')))
    outgoing.on('error', (error) => refuse(error.message))
    outgoing.end(text)
  })
}

/**
 * After a batch's end: tells the group's addresses of a failure, of the first success after one, and of warnings.
 * Never throws for an address that can't be reached: that becomes an event of the batch.
 */
export async function notifyEnd(
  sql: Sql,
  batch_id: string,
  state: string,
  secret: (reference: string) => Promise<string>,
): Promise<void> {
  if (state !== 'failed' && state !== 'succeeded') return
  const [batch] = await sql<
    {
      group_name: string
      environment: string
      seq: string
      attempt: number
      error_code: string | null
      error_message: string | null
      error_hint: string | null
      finished_at: Date
      notify: Group['notify']
      warned: boolean
      before: string | null
      again: boolean
    }[]
  >`
    select b.group_name, b.environment, b.seq::text, b.attempt, b.error_code, b.error_message, b.error_hint, b.finished_at, b.warned, g.notify,
      b.replay_run_id is not null as again,
      (
        select e.state from logging.batch_run e
        where e.group_id = b.group_id and e.environment_id = b.environment_id and e.seq < b.seq
          and e.replay_of is null and e.state in ('succeeded', 'failed')
        order by e.seq desc limit 1
      ) as before
    from logging.batch_run b
    join config.source_group g on g.id = b.group_id
    where b.id = ${batch_id} and b.replay_of is null
  `
  if (!batch) return
  // A retry that succeeds heals its own failure; an applied replay repeats what was well
  const recovered = batch.before === 'failed' || (batch.attempt > 1 && !batch.again)
  const kinds: Group['notify'][number]['on'] =
    state === 'failed'
      ? ['failed']
      : [
          ...(recovered ? (['recovered'] as const) : []),
          ...(batch.warned ? (['warned'] as const) : []),
        ]
  const message = {
    group: batch.group_name,
    environment: batch.environment,
    batch_id,
    seq: batch.seq,
    state,
    error: batch.error_code && {
      code: batch.error_code,
      message: batch.error_message,
      hint: batch.error_hint,
    },
    finished_at: batch.finished_at.toISOString(),
  }
  for (const { url, on } of batch.notify) {
    // One message at most: that it is well again says more than that there are warnings
    const event = kinds.find((kind) => on.includes(kind))
    if (event === undefined) continue
    const problem = await tell(url, { event, ...message }, secret)
    if (problem)
      await sql`
        select logging.add_events(${batch_id}, ${JSON.stringify([
          { step: null, level: 'warn', text: `Could not notify: ${problem}` },
        ])}::jsonb)
      `
  }
}

/** Null, or what went wrong in words; a URL that is a secret itself never stands in them, nor its host. */
async function tell(
  url: string,
  message: unknown,
  secret: (reference: string) => Promise<string>,
): Promise<string | null> {
  const allow_private = process.env.LAKEFORGE_ALLOW_PRIVATE_HTTP === '1'
  for (let attempt = 1; ; attempt++) {
    try {
      const address = url.startsWith('secret://') ? await secret(url) : url
      await postJson(address, message, { allow_private })
      return null
    } catch (error) {
      const described = describeError(error)
      if (url.startsWith('secret://') && attempt === TRIES)
        return `${url} did not take the message.`
      if (described.code === 'address_refused' || attempt === TRIES) return described.message
      await wait(500 * 2 ** attempt)
    }
  }
}
