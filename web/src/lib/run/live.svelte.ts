// One open batch: its stream of events while the page is in sight. Lines go into a plain buffer, changed steps are handed over
// once per animation frame. If the stream breaks, it is tried again from the last number, and the page polls meanwhile.
import { api, request, type LogEvent, type Step } from '#lib/api.ts'
import { EventBuffer } from '#lib/run/buffer.ts'
import { readMessages, type Message } from '#lib/run/sse.ts'

export type LiveMode = 'connecting' | 'live' | 'polling' | 'ended'

/** Waits before the second, third, … try; the last one repeats. */
const BACK_OFF_MS = [500, 2000, 5000]

export type StepChange = Pick<Step, 'key'> & Partial<Step>

export type LiveOptions = {
  id: string
  onsteps: (changed: Map<string, StepChange>) => void
  /** The batch's own row may have changed: read it again, and answer whether it has ended. */
  onchange: () => Promise<boolean>
}

export class LiveBatch {
  mode = $state<LiveMode>('connecting')
  /** Grows with every drawn change of `buffer`; read it to be told. */
  version = $state(0)
  readonly buffer = new EventBuffer()
  /** The newest progress of each step that has said any. */
  readonly progress = new Map<string, NonNullable<LogEvent['progress']>>()

  #options: LiveOptions
  #steps = new Map<string, StepChange>()
  #frame = 0
  #last_id: string | null = null
  #abort: AbortController | null = null
  #stopped = false
  #opened = false

  constructor(options: LiveOptions) {
    this.#options = options
  }

  /** Opens the stream; the answer closes it for good. */
  start(): () => void {
    const onvisibility = () => {
      if (document.hidden) this.#abort?.abort()
      else if (!this.#abort && this.mode !== 'ended') void this.#loop()
    }
    document.addEventListener('visibilitychange', onvisibility)
    if (!document.hidden) void this.#loop()
    return () => {
      this.#stopped = true
      this.#abort?.abort()
      cancelAnimationFrame(this.#frame)
      document.removeEventListener('visibilitychange', onvisibility)
    }
  }

  async #loop(): Promise<void> {
    const abort = (this.#abort = new AbortController())
    let failures = 0
    while (!abort.signal.aborted) {
      let closed = false
      try {
        const headers: Record<string, string> = { accept: 'text/event-stream' }
        if (this.#last_id !== null) headers['last-event-id'] = this.#last_id
        const response = await request(api.eventsUrl(this.#options.id), {
          headers,
          signal: abort.signal,
        })
        if (!response.body) throw new TypeError('a stream without a body')
        // What happened while there was no stream is in the batch, not in the stream.
        if (this.#opened) void this.#options.onchange()
        this.#opened = true
        this.mode = 'live'
        await readMessages(response.body, (message) => {
          failures = 0
          this.#take(message)
        })
        closed = true
      } catch {
        if (abort.signal.aborted) break
      }
      // The server closes the stream of a batch that has ended; anything else is a broken line.
      if (closed && (await this.#options.onchange())) {
        if (!this.#stopped) this.mode = 'ended'
        break
      }
      this.mode = 'polling'
      await sleep(BACK_OFF_MS[Math.min(failures++, BACK_OFF_MS.length - 1)]!, abort.signal)
    }
    if (this.#abort === abort) this.#abort = null
  }

  #take(message: Message): void {
    if (message.id !== null) this.#last_id = message.id
    const data = parse(message.data)
    if (data === null) return
    if (message.event === 'step') {
      const step = data as StepChange
      this.#steps.set(step.key, { ...this.#steps.get(step.key), ...step })
    } else if (message.event === 'batch') void this.#options.onchange()
    else if ('text' in data)
      this.#line({ ...(data as LogEvent), seq: Number((data as LogEvent).seq) })
    this.#draw()
  }

  #line(line: LogEvent): void {
    if (line.step && line.progress) this.progress.set(line.step, line.progress)
    this.buffer.add(line)
  }

  #draw(): void {
    if (this.#frame) return
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0
      const steps = this.#steps
      this.#steps = new Map()
      if (steps.size) this.#options.onsteps(steps)
      this.version++
    })
  }
}

function parse(data: string): object | null {
  try {
    const value: unknown = JSON.parse(data)
    return typeof value === 'object' ? value : null
  } catch {
    return null
  }
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms)
    signal.addEventListener('abort', () => {
      clearTimeout(timer)
      resolve()
    })
  })
}
