import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { LiveBatch, type Change } from '#lib/run/live.svelte.ts'
import { step } from '#lib/run/testing.ts'

// The network is not ours: each connection is a stream that the test writes and breaks.
type Line = { headers: Headers; say: (text: string) => void; close: () => void; cut: () => void }
let lines: Line[]
let refuse: number
let stop: () => void

const log = (seq: number) =>
  `event: log\ndata: ${JSON.stringify({ seq, step: null, level: 'info', text: `${seq}`, at: '2026-11-23T10:00:00Z' })}\nid: ${seq}\n\n`

function connect(_url: unknown, init?: RequestInit): Promise<Response> {
  if (refuse > 0) {
    refuse--
    return Promise.reject(new TypeError('Failed to fetch'))
  }
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      init?.signal?.addEventListener('abort', () => controller.error(init.signal?.reason))
      lines.push({
        headers: new Headers(init?.headers),
        say: (text) => controller.enqueue(new TextEncoder().encode(text)),
        close: () => controller.close(),
        cut: () => controller.error(new TypeError('network error')),
      })
    },
  })
  return Promise.resolve(new Response(body))
}

function open(ended: () => boolean = () => false) {
  const changes: Change[] = []
  const onreload = vi.fn(async () => ended())
  const live = new LiveBatch({ id: 'b', onchange: (change) => changes.push(change), onreload })
  stop = live.start()
  return { live, changes, onreload }
}
const line = (n: number) => vi.waitFor(() => lines[n] ?? expect.unreachable(), { timeout: 8000 })

beforeEach(() => {
  lines = []
  refuse = 0
  vi.stubGlobal('fetch', vi.fn(connect))
})
afterEach(() => {
  stop()
  vi.unstubAllGlobals()
})

it('hands over lines and the newest state of each changed step', async () => {
  const { live, changes } = open()
  const first = await line(0)
  const running = step({ key: 'a', state: 'running' })
  const done = step({ key: 'a', state: 'succeeded' })
  first.say(log(1) + `event: step\ndata: ${JSON.stringify(running)}\n\n`)
  first.say(`event: step\ndata: ${JSON.stringify(done)}\n\n`)
  await vi.waitFor(() => expect(changes.at(-1)?.steps.get('a')?.state).toBe('succeeded'))
  expect(live.mode).toBe('live')
  expect(live.buffer.lines.map((one) => one.seq)).toEqual([1])
})

it('takes a broken stream up again after the last line it has, and polls meanwhile', async () => {
  const { live } = open()
  const first = await line(0)
  expect(first.headers.get('last-event-id')).toBeNull()
  first.say(log(1) + log(2))
  await vi.waitFor(() => expect(live.buffer.last_seq).toBe(2))
  refuse = 1
  first.cut()
  await vi.waitFor(() => expect(live.mode).toBe('polling'))
  const second = await line(1)
  expect(second.headers.get('last-event-id')).toBe('2')
  second.say(log(2) + log(3))
  await vi.waitFor(() => expect(live.buffer.lines.map((one) => one.seq)).toEqual([1, 2, 3]))
  expect(live.mode).toBe('live')
})

it('is over when the server closes the stream of a batch that has ended, and asks no more', async () => {
  const { live, onreload } = open(() => true)
  const first = await line(0)
  first.close()
  await vi.waitFor(() => expect(live.mode).toBe('ended'))
  expect(onreload).toHaveBeenCalledTimes(1)
  expect(fetch).toHaveBeenCalledTimes(1)
})

it('goes on when the server closes the stream of a batch that still runs', async () => {
  const { live } = open(() => false)
  ;(await line(0)).close()
  await line(1)
  await vi.waitFor(() => expect(live.mode).toBe('live'))
})

it('leaves the stream while its page is out of sight', async () => {
  const { live } = open()
  const first = await line(0)
  first.say(log(1))
  await vi.waitFor(() => expect(live.buffer.last_seq).toBe(1))
  const hidden = vi.spyOn(document, 'hidden', 'get').mockReturnValue(true)
  document.dispatchEvent(new Event('visibilitychange'))
  expect(() => first.say(log(2))).toThrow()
  hidden.mockReturnValue(false)
  document.dispatchEvent(new Event('visibilitychange'))
  expect((await line(1)).headers.get('last-event-id')).toBe('1')
  hidden.mockRestore()
})
