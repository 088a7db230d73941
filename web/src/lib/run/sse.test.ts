import { describe, expect, it } from 'vitest'
import { SseParser, readMessages, type Message } from '#lib/run/sse.ts'

const TEXT =
  ': hello\r\n\r\nid: 7\nevent: step\ndata: {"a":1}\n\ndata: one\ndata: two\r\n\r\nid: 8\ndata\n\nevent: lost\n\nretry: 1500\nid: 9\rdata: x\r\rdata: cut'
const MESSAGES = [
  { id: '7', event: 'step', data: '{"a":1}' },
  { id: '7', event: 'message', data: 'one\ntwo' },
  { id: '8', event: 'message', data: '' },
  { id: '9', event: 'message', data: 'x' },
]

describe('a stream of server-sent events', () => {
  it.each([1, 2, 3, 7, 1000])('reads the same in pieces of %s characters', (size) => {
    const parser = new SseParser()
    const found: Message[] = []
    for (let at = 0; at < TEXT.length; at += size)
      found.push(...parser.push(TEXT.slice(at, at + size)))
    expect(found).toEqual(MESSAGES)
    expect(parser.retry).toBe(1500)
  })

  it('is not cut inside of a letter', async () => {
    const bytes = new TextEncoder().encode('data: größer ✓\n\n')
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        for (const byte of bytes) controller.enqueue(Uint8Array.of(byte))
        controller.close()
      },
    })
    const found: Message[] = []
    await readMessages(body, (message) => found.push(message))
    expect(found).toEqual([{ id: null, event: 'message', data: 'größer ✓' }])
  })
})
