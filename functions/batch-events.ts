// What happens in a batch, as server-sent events. However many look on, one reader a batch asks the store, and only for what is new:
// a batch of 3 000 steps with many viewers must not slow down the batch.
import { Hono } from 'hono'
import { describeRoute } from 'hono-openapi'
import { streamSSE } from 'hono/streaming'
import type { Step } from '#core/batch.ts'
import { fail } from '#core/errors.ts'
import type { Sql } from '#sql/db.ts'
import { readBatch, shownBatch, shownStep } from './batches.ts'
import { need } from './request.ts'
import type { Env } from './request.ts'

/** How often a reader looks for something new, and how long a stream stays open at most. */
const POLL_MS = 300
const STREAM_MAX_MS = 30 * 60_000
/** Proxies end a stream that says nothing (Cloudflare after 100 s), and on Workers only a write tells that the viewer has gone. */
const STREAM_QUIET_MS = 15_000
const LINES_AT_ONCE = 1000

export const batchEvents = new Hono<Env>().get(
  '/:id/events',
  describeRoute({
    tags: ['batches'],
    summary: 'What happens in a batch, as server-sent events; goes on after Last-Event-ID',
  }),
  async (c) => {
    need(c, 'viewer')
    const sql = c.var.sql
    const id = c.req.param('id')
    if (!(await readBatch(sql, id))) fail('not_found', { kind: 'batch', name: id })
    const last = Number(c.req.header('last-event-id') ?? c.req.query('after') ?? 0)
    return streamSSE(c, (stream) =>
      show(stream, sql, id, Number.isSafeInteger(last) && last > 0 ? last : 0),
    )
  },
)

type Stream = Parameters<Parameters<typeof streamSSE>[1]>[0]
type Message = { id?: string; event: string; data: string }
type Line = {
  number: string
  step: string | null
  level: string
  text: string
  at: Date
  progress: unknown
}

/** What one viewer has not been sent yet. Of a step and of the batch only the newest counts, so a slow one holds little. */
type Viewer = {
  lines: Message[]
  steps: Map<string, string>
  batch: string | null
  ended: boolean
  wake: () => void
}

/** A batch as its reader knows it, and who looks on. */
type Feed = {
  viewers: Set<Viewer>
  /** The last line that was read, and all steps and the batch as they are shown since then. */
  number: number
  steps: Map<string, string>
  batch: string
  state: string
  ended: boolean
  /** The store did not answer, or the batch is gone: nobody knows how it goes on. */
  broken: boolean
  /** Resolves when the batch has been read once; rejects with what kept it from that. */
  ready: Promise<void>
}

/** By store, since on Workers each request has its own. */
const feeds = new WeakMap<Sql, Map<string, Feed>>()

/** Sends lines in their order, steps that change and the batch's state, until the batch has ended and all is sent. */
async function show(stream: Stream, sql: Sql, id: string, after: number): Promise<void> {
  const feed = openFeed(sql, id)
  const viewer: Viewer = { lines: [], steps: new Map(), batch: null, ended: false, wake() {} }
  feed.viewers.add(viewer)
  stream.onAbort(() => viewer.wake())
  try {
    await feed.ready
    // In one go with nothing in between: what is known now, and what comes from now on
    const number = feed.number
    Object.assign(viewer, { lines: [], steps: new Map(feed.steps), batch: feed.batch })
    viewer.ended = feed.ended
    for (let from = after; from < number && !stream.aborted;) {
      const lines = await readLines(sql, id, from, number)
      for (const line of lines) await stream.writeSSE(messageOf(line))
      from = lines.length === 0 ? number : Number(lines.at(-1)!.number)
    }
    const until = Date.now() + STREAM_MAX_MS
    while (!stream.aborted && Date.now() < until) {
      const spoke = await send(stream, viewer)
      // Whoever reads on begins anew
      if (feed.broken) return
      if (viewer.ended && !waits(viewer)) {
        const event = { event: 'end', data: JSON.stringify({ state: feed.state }) }
        return await stream.writeSSE(event)
      }
      if (!spoke && !(await news(viewer))) {
        // A comment: every reader of events skips it
        await stream.write(':\n\n')
      }
    }
  } finally {
    feed.viewers.delete(viewer)
  }
}

/** Whether there was something to send. */
async function send(stream: Stream, viewer: Viewer): Promise<boolean> {
  const { lines, steps, batch } = viewer
  Object.assign(viewer, { lines: [], steps: new Map(), batch: null })
  for (const line of lines) await stream.writeSSE(line)
  for (const data of steps.values()) await stream.writeSSE({ event: 'step', data })
  if (batch !== null) await stream.writeSSE({ event: 'batch', data: batch })
  return waits({ ...viewer, lines, steps, batch })
}

function waits({ lines, steps, batch }: Viewer): boolean {
  return lines.length > 0 || steps.size > 0 || batch !== null
}

/** Waits for something new; false when it was quiet for long. */
function news(viewer: Viewer): Promise<boolean> {
  if (viewer.ended || waits(viewer)) return Promise.resolve(true)
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), STREAM_QUIET_MS)
    viewer.wake = () => {
      clearTimeout(timer)
      viewer.wake = () => undefined
      resolve(true)
    }
  })
}

function openFeed(sql: Sql, id: string): Feed {
  const known = feeds.get(sql) ?? new Map<string, Feed>()
  feeds.set(sql, known)
  const open = known.get(id)
  if (open) return open
  const first = Promise.withResolvers<void>()
  const feed: Feed = {
    viewers: new Set(),
    number: 0,
    steps: new Map(),
    batch: '',
    state: '',
    ended: false,
    broken: false,
    ready: first.promise,
  }
  known.set(id, feed)
  void (async () => {
    try {
      await readAll(sql, id, feed)
      first.resolve()
      while (!feed.ended && feed.viewers.size > 0) {
        await new Promise((resolve) => setTimeout(resolve, POLL_MS))
        await readNew(sql, id, feed)
      }
    } catch (error) {
      first.reject(error)
      if (feed.viewers.size > 0) console.error(`events of batch ${id}:`, error)
    } finally {
      // Who comes later begins anew: the batch may have been taken up again
      known.delete(id)
      feed.broken = !feed.ended
      for (const viewer of feed.viewers) viewer.wake()
    }
  })()
  first.promise.catch(() => undefined)
  return feed
}

/** The batch as it is now, with all its steps. */
async function readAll(sql: Sql, id: string, feed: Feed): Promise<void> {
  const [last] = await sql<{ number: string | null }[]>`
    select max(number) as number from logging.event where batch_id = ${id}
  `
  feed.number = Number(last?.number ?? 0)
  await readBatchAndSteps(sql, id, feed, null)
}

/**
 * What is new since the last time. Every change of a step says something of it in the same transaction: the lines tell which
 * steps to read again, and a line of the batch itself that it may be any.
 */
async function readNew(sql: Sql, id: string, feed: Feed): Promise<void> {
  const [row] = await sql<{ state: string; number: string }[]>`
    select state, (
      select coalesce(max(number), 0) from logging.event e where e.batch_id = b.id
    ) as number
    from logging.batch_run b where id = ${id}
  `
  if (!row) return fail('not_found', { kind: 'batch', name: id })
  const number = Number(row.number)
  if (number === feed.number && row.state === feed.state) return
  const lines: Line[] = []
  for (let from = feed.number; from < number;) {
    const page = await readLines(sql, id, from, number)
    lines.push(...page)
    from = page.length === 0 ? number : Number(page.at(-1)!.number)
  }
  const every = row.state !== feed.state || lines.some(({ step }) => step === null)
  const keys = every ? null : [...new Set(lines.map(({ step }) => step!))]
  feed.number = number
  const messages = lines.map(messageOf)
  for (const viewer of feed.viewers) viewer.lines.push(...messages)
  await readBatchAndSteps(sql, id, feed, keys)
  for (const viewer of feed.viewers) viewer.wake()
}

async function readBatchAndSteps(
  sql: Sql,
  id: string,
  feed: Feed,
  /** Null: all. */
  keys: string[] | null,
): Promise<void> {
  const batch = await readBatch(sql, id)
  const steps = await sql<Step[]>`
    select * from logging.step_run
    where batch_id = ${id} ${keys === null ? sql`` : sql`and key = any (${keys})`}
    order by id
  `
  for (const step of steps) {
    const data = JSON.stringify(shownStep(step))
    if (feed.steps.get(step.id) === data) continue
    feed.steps.set(step.id, data)
    for (const viewer of feed.viewers) viewer.steps.set(step.id, data)
  }
  if (!batch) return
  const data = JSON.stringify(shownBatch(batch))
  if (data !== feed.batch) for (const viewer of feed.viewers) viewer.batch = data
  Object.assign(feed, { batch: data, state: batch.state })
  // Lines are read before: what was said before the end is sent before the end, by the next look if it came in between
  if (batch.finished_at !== null && (await lastLine(sql, id)) === feed.number) {
    feed.ended = true
    for (const viewer of feed.viewers) viewer.ended = true
  }
}

async function lastLine(sql: Sql, id: string): Promise<number> {
  const [last] = await sql<{ number: string | null }[]>`
    select max(number) as number from logging.event where batch_id = ${id}
  `
  return Number(last?.number ?? 0)
}

function readLines(sql: Sql, id: string, after: number, upTo: number): Promise<Line[]> {
  return sql<Line[]>`
    select number, step, level, text, at, progress from logging.event
    where batch_id = ${id} and number > ${after} and number <= ${upTo}
    order by number limit ${LINES_AT_ONCE}
  `
}

function messageOf({ number, ...line }: Line): Message {
  return { id: number, event: 'log', data: JSON.stringify({ ...line, seq: Number(number) }) }
}
