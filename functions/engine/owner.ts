// The owner of a home at work: claims what is due and drives the open batches of its environments. Exactly one per home.
import type { Sql } from '#sql/db.ts'
import type { Engine } from './engine.ts'
import { notifyEnd } from './notify.ts'
import { driveReplay, openReplays } from './replay.ts'
import { driveBatch, plainly } from './run.ts'
import type { Around } from './run.ts'
import { claimDue } from './sync-jobs.ts'

export type Owner = {
  /** Looks for work now instead of at the next tick. */
  nudge(): void
  /** Stops taking up work; running batches are left as they are and go on at the next start. */
  stop(): Promise<void>
}

type OfGroup = { group_id: string; environment_id: string }
const keyOf = ({ group_id, environment_id }: OfGroup) => `${group_id}/${environment_id}`

/**
 * The owner of a home at work: every `tick_ms` it claims what is due and drives the open batches of its environments, one at a
 * time per group and environment, in the order of `seq`.
 */
export function startOwner(
  sql: Sql,
  engine: Engine,
  options: {
    home_id: string
    /** Resolves a secret reference; for notify addresses that are secret. */
    secret: (reference: string) => Promise<string>
    tick_ms?: number
    around?: Around
    /** Runs at the start of each round. */
    before?: () => Promise<void>
    schedules?: boolean
  },
): Owner {
  const stopping = new AbortController()
  const driving = new Map<string, Promise<void>>()
  let nudged = Promise.withResolvers<void>()
  const nudge = () => nudged.resolve()

  const drive = async (batch: { id: string; group_id: string; environment_id: string }) => {
    const state = await driveBatch(sql, engine, batch.id, {
      signal: stopping.signal,
      ...(options.around && { around: options.around }),
    })
    await notifyEnd(sql, batch.id, state, options.secret)
  }

  const round = async () => {
    await options.before?.()
    if (options.schedules !== false) await claimDue(sql, { by: options.home_id })
    const open = await sql<{ id: string; group_id: string; environment_id: string }[]>`
      select distinct on (b.group_id, b.environment_id) b.id, b.group_id, b.environment_id
      from logging.batch_run b
      join config.environment e on e.id = b.environment_id
      where b.state in ('pending', 'running', 'waiting')
        and e.engine = ${engine.name}
        and e.home_id = ${options.home_id}
      order by b.group_id, b.environment_id, b.seq
    `
    // Read after the batches: a replay is asked for only while none is open, so that none is seen without it
    const replays = await openReplays(sql, engine.name, options.home_id)
    for (const replay of replays)
      take(replay, 'replay', () => driveReplay(sql, engine, replay.id, options.around ?? plainly))
    // Before its tables are restored, no batch of the group may begin
    const held = new Set(replays.map(keyOf))
    for (const batch of open) if (!held.has(keyOf(batch))) take(batch, 'batch', () => drive(batch))
  }

  /** Begins what is to be done for a group in an environment, unless something is being done there. */
  const take = (what: OfGroup & { id: string }, name: string, work: () => Promise<void>) => {
    const key = keyOf(what)
    if (driving.has(key)) return
    driving.set(
      key,
      work()
        // The next of the group at once; after an error at the next tick, so that a broken one can't spin
        .then(nudge, (error: unknown) => {
          if (!stopping.signal.aborted) console.error(`${name} ${what.id}:`, error)
        })
        .finally(() => driving.delete(key)),
    )
  }

  const loop = (async () => {
    while (!stopping.signal.aborted) {
      try {
        await round()
      } catch (error) {
        // The store may be away for a while: said, and tried again at the next tick
        if (!stopping.signal.aborted) console.error('looking for due batches:', error)
      }
      const timer = setTimeout(nudge, options.tick_ms ?? 1000)
      await nudged.promise
      clearTimeout(timer)
      nudged = Promise.withResolvers()
    }
  })()

  return {
    nudge,
    async stop() {
      stopping.abort()
      nudge()
      await loop
      await Promise.allSettled(driving.values())
    },
  }
}
