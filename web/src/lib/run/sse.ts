// A reader for server-sent events over fetch: unlike EventSource it can send a token and the id to go on from, and it sees
// why a stream was refused.

export type Message = { id: string | null; event: string; data: string }

/** Parses a stream of text into messages, after the HTML standard. Comments and empty messages give nothing. */
export class SseParser {
  #rest = ''
  #id: string | null = null
  #event = ''
  #data: string[] = []
  /** Milliseconds that the server asks to wait before a new try; null if it said nothing. */
  retry: number | null = null

  push(text: string): Message[] {
    const messages: Message[] = []
    // A line may end in \n, \r\n or \r; a \r at the end of a chunk waits for what follows it.
    this.#rest += text
    for (;;) {
      const match = /\r\n|\n|\r(?!$)/.exec(this.#rest)
      if (!match) return messages
      const line = this.#rest.slice(0, match.index)
      this.#rest = this.#rest.slice(match.index + match[0].length)
      const message = this.#line(line)
      if (message) messages.push(message)
    }
  }

  #line(line: string): Message | null {
    if (line === '') {
      const data = this.#data.join('\n')
      const message = this.#data.length
        ? { id: this.#id, event: this.#event || 'message', data }
        : null
      this.#event = ''
      this.#data = []
      return message
    }
    const colon = line.indexOf(':')
    if (colon === 0) return null
    const field = colon < 0 ? line : line.slice(0, colon)
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '')
    if (field === 'data') this.#data.push(value)
    else if (field === 'event') this.#event = value
    else if (field === 'id' && !value.includes('\0')) this.#id = value
    else if (field === 'retry' && /^\d+$/.test(value)) this.retry = Number(value)
    return null
  }
}

/** Reads a response's body to its end, handing over each message. */
export async function readMessages(
  body: ReadableStream<Uint8Array>,
  onmessage: (message: Message) => void,
): Promise<void> {
  const parser = new SseParser()
  const reader = body.getReader()
  const decoder = new TextDecoder()
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return
    for (const message of parser.push(decoder.decode(value, { stream: true }))) onmessage(message)
  }
}
