// The live stream of a batch: server-sent events, taken up again where they broke off.
import type { State } from '#core/batch.ts'
import { setTimeout as sleep } from 'node:timers/promises'
import { CliError } from './client.ts'
import type { Client } from './client.ts'
import type { Step } from './progress.ts'

export type LogLine = { step: string | null; level: string; text: string; at: string }
export type Happened =
  | { event: 'log'; data: LogLine }
  | { event: 'step'; data: Step }
  | { event: 'batch'; data: { state: State } }
  | { event: 'end'; data: { state: State } }

/** What happens in a batch until its end, from its beginning or after the log line `after`. */
export async function* follow(api: Client, batch_id: string, after = 0): AsyncGenerator<Happened> {
  let last = String(after)
  for (let broken = 0; ; broken++) {
    try {
      const answer = await api.raw(`/api/batches/${batch_id}/events`, {
        headers: { 'last-event-id': last },
      })
      for await (const { event, data, id } of eventsOf(answer.body!)) {
        broken = 0
        if (id !== null) last = id
        yield { event, data: JSON.parse(data) } as Happened
        if (event === 'end') return
      }
    } catch (error) {
      // The owner went away in the middle: the next request finds the next one
      if (error instanceof CliError || broken >= 5) throw error
    }
    await sleep(200)
  }
}

/** https://html.spec.whatwg.org/multipage/server-sent-events.html, as far as we send it. */
async function* eventsOf(
  body: ReadableStream<Uint8Array>,
): AsyncGenerator<{ event: string; data: string; id: string | null }> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const bytes of body as unknown as AsyncIterable<Uint8Array>) {
    const blocks = (rest + decoder.decode(bytes, { stream: true })).split('\n\n')
    rest = blocks.pop()!
    for (const block of blocks) {
      const fields = new Map<string, string>()
      for (const line of block.split('\n')) {
        const found = /^(event|data|id): ?(.*)$/.exec(line)
        if (found)
          fields.set(
            found[1]!,
            [fields.get(found[1]!), found[2]!].filter((each) => each !== undefined).join('\n'),
          )
      }
      const data = fields.get('data')
      if (data !== undefined)
        yield { event: fields.get('event') ?? 'message', data, id: fields.get('id') ?? null }
    }
  }
}
