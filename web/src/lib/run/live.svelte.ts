// One open batch: its stream of events while the page is in sight. Lines go into a plain buffer; what changed in the batch and its
// steps is handed over once per animation frame. If the stream breaks, it is tried again from the last number, and the page polls meanwhile.
import { batchApi } from '#lib/api/batches.ts'
import { api, type Batch, type LogEvent, type Step } from '#lib/api.ts'
import { EventBuffer } from '#lib/run/buffer.ts'
import { readMessages, type Message } from '#lib/run/sse.ts'

export type LiveMode = 'connecting' | 'live' | 'polling' | 'ended'

/** Lines of one page: 10 000 are about 2 MB of JSON. */
const PAGE_LINES = 10_000
/** A long log is drawn anew this often at most: filtering 100 000 lines for each frame would leave no time for scrolling. */
const LONG_LOG = 20_000
const LONG_LOG_MS = 250

/** Waits before the second, third, … try; the last one repeats. */
const BACK_OFF_MS = [500, 2000, 5000]

/** The newest state of what changed: the batch or null, and steps by their key. */
export type Change = { batch: Batch | null; steps: ReadonlyMap<string, Step> }

export type LiveOptions = {
  id: string
  /** Number of the last line that had been said when the batch was read: the stream tells what came after it. */
  after?: number
  /** The batch had ended when it was read: there is no stream to open, lines are only loaded. */
  ended?: boolean
  onchange: (change: Change) => void
  /** The stream is over or was taken up again: read the batch once more, and answer whether it has ended. */
  onreload: () => Promise<boolean>
}

export class LiveBatch {
  mode = $state<LiveMode>('connecting')
  /** Grows with every drawn change of `buffer`; read it to be told. */
  version = $state(0)
  readonly buffer = new EventBuffer()

  #options: LiveOptions
  #batch: Batch | null = null
  #steps = new Map<string, Step>()
  #frame = 0
  #last_id: string | null = null
  #abort: AbortController | null = null
  #loads = new AbortController()
  #drawn_at = 0
  #stopped = false

  /** How far the lines from before the page was opened are loaded: none asked for, under way, all there, or why not. */
  loading = $state<'no' | 'loading' | 'done' | 'failed'>('no')

  constructor(options: LiveOptions) {
    this.#options = options
    if (options.after) this.#last_id = String(options.after)
    if (options.ended) this.mode = 'ended'
  }

  /** Loads the lines from before the page was opened, once; again after a failure. */
  async load(): Promise<void> {
    if (this.loading === 'loading' || this.loading === 'done') return
    this.loading = 'loading'
    const until = this.#options.after ?? 0
    let after = Math.max(0, until - this.buffer.limit)
    this.buffer.dropped += after
    try {
      while (!this.#stopped && after < until) {
        const page = await batchApi.lines(this.#options.id, after, PAGE_LINES, this.#loads.signal)
        this.buffer.addAll(page.items)
        this.#draw()
        if (page.next === null) break
        after = page.next
      }
      this.loading = 'done'
    } catch {
      if (!this.#stopped) this.loading = 'failed'
    }
  }

  /** Opens the stream; the answer closes it for good. */
  start(): () => void {
    const onvisibility = () => {
      if (document.hidden) {
        this.#abort?.abort()
        this.#abort = null
      } else if (!this.#abort && this.mode !== 'ended') void this.#loop()
    }
    document.addEventListener('visibilitychange', onvisibility)
    if (!document.hidden && this.mode !== 'ended') void this.#loop()
    return () => {
      this.#stopped = true
      this.#loads.abort()
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
        const response = await api.events(this.#options.id, this.#last_id, abort.signal)
        if (!response.body) throw new TypeError('a stream without a body')
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
      if (closed && (await this.#options.onreload())) {
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
    if (message.event === 'step') this.#steps.set((data as Step).key, data as Step)
    else if (message.event === 'batch') this.#batch = data as Batch
    else if (message.event === 'log') this.buffer.add(data as LogEvent)
    this.#draw()
  }

  #draw(): void {
    if (this.#frame) return
    this.#frame = requestAnimationFrame((at) => {
      this.#frame = 0
      const long = this.buffer.lines.length > LONG_LOG && !this.#batch && this.#steps.size === 0
      if (long && at - this.#drawn_at < LONG_LOG_MS) {
        this.#draw()
        return
      }
      this.#drawn_at = at
      const change = { batch: this.#batch, steps: this.#steps }
      this.#batch = null
      this.#steps = new Map()
      if (change.batch || change.steps.size) this.#options.onchange(change)
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
