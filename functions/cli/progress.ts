// A batch on the screen while it runs: bars per zone and table on a terminal, a line for each thing that happens elsewhere.
import type { State } from '#core/batch.ts'
import { isFinal } from '#core/batch.ts'
import { count, duration, paint, plain, stateStyle, words } from './io.ts'
import type { Io } from './io.ts'

/** A step as the API shows it; what is drawn of it. */
export type Step = {
  id: string
  key: string
  zone: 'raw' | 'bronze' | 'silver' | 'gold'
  name: string
  state: State
  attempt: number
  reason: string | null
  root_cause: string | null
  rows_read: number
  rows_written: number
  rows_quarantined: number
  rows_dropped: number
  duration_ms: number | null
  content_hash: string | null
  warnings: string[]
  progress: { done: number; total: number | null; unit: string } | null
  error: { code: string; message: string; hint: string } | null
}

export type Progress = {
  step(step: Step): void
  /** Something said beside the bars. */
  note(text: string): void
  end(): void
}

const ZONES = ['raw', 'bronze', 'silver', 'gold'] as const

export function openProgress(io: Io, steps: readonly Step[]): Progress {
  return io.tty && io.env.TERM !== 'dumb' ? bars(io, steps) : linesOf(io, steps)
}

function linesOf(io: Io, steps: readonly Step[]): Progress {
  const known = new Map(steps.map((step) => [step.key, `${step.state}/${step.attempt}`]))
  return {
    step(step) {
      const now = `${step.state}/${step.attempt}`
      if (known.get(step.key) === now) return
      known.set(step.key, now)
      if (step.state !== 'pending') io.err(`${step.key} ${said(step)}`)
    },
    note: (text) => io.err(text),
    end() {},
  }
}

/** `succeeded, 1,200 rows in 0.3 s` */
function said(step: Step): string {
  if (step.state === 'succeeded')
    return `succeeded, ${words(step.rows_written, 'row')} in ${duration(step.duration_ms)}`
  if (step.state === 'failed') return `failed: ${plain(step.error?.message ?? '')}`
  if (step.state === 'skipped') return `skipped${because(step)}`
  if (step.state === 'running' && step.attempt > 1) return `running, attempt ${step.attempt}`
  return step.reason ? `${step.state}: ${plain(step.reason)}` : step.state
}

export function because(step: Step): string {
  if (step.root_cause) return ` because of ${plain(step.root_cause)}`
  return step.reason ? `: ${plain(step.reason)}` : ''
}

const REDRAW_MS = 100
const BAR = 24

function bars(io: Io, steps: readonly Step[]): Progress {
  const byKey = new Map(steps.map((step) => [step.key, step]))
  let drawn = 0
  let timer: ReturnType<typeof setTimeout> | null = null
  const clear = () => (drawn > 0 ? `\x1b[${drawn}A\x1b[J` : '')
  const draw = () => {
    timer = null
    const lines = drawing(io, [...byKey.values()])
    process.stderr.write(`${clear()}${lines.map((line) => `${line}\n`).join('')}`)
    drawn = lines.length
  }
  draw()
  return {
    step(step) {
      byKey.set(step.key, step)
      timer ??= setTimeout(draw, REDRAW_MS)
    },
    note(text) {
      process.stderr.write(`${clear()}${text}\n`)
      drawn = 0
      draw()
    },
    end() {
      if (timer) clearTimeout(timer)
      draw()
    },
  }
}

function drawing(io: Io, steps: readonly Step[]): string[] {
  const lines: string[] = []
  const most = io.width - 1
  for (const zone of ZONES) {
    const own = steps.filter((step) => step.zone === zone)
    if (own.length === 0) continue
    const done = own.filter((step) => isFinal(step.state))
    const share = own.reduce((sum, step) => sum + shareOf(step), 0) / own.length
    const failed = own.some((step) => step.state === 'failed')
    const rows = own.reduce((sum, step) => sum + step.rows_written, 0)
    const bar = paint(
      io,
      failed ? 'red' : done.length === own.length ? 'green' : 'cyan',
      barOf(share),
    )
    lines.push(`${zone.padEnd(6)} ${bar} ${done.length}/${own.length}, ${words(rows, 'row')}`)
    for (const step of own.filter((each) => each.state === 'running').slice(0, 8)) {
      const { progress } = step
      const far = progress
        ? `${count(progress.done)}${progress.total ? ` of ${count(progress.total)}` : ''} ${progress.unit}`
        : ''
      const attempt = step.attempt > 1 ? `, attempt ${step.attempt}` : ''
      lines.push(`  ${step.name} ${far}${attempt}`.slice(0, most))
    }
    for (const step of own.filter((each) => each.state === 'failed'))
      lines.push(
        paint(
          io,
          stateStyle('failed')!,
          `  ${step.name} failed: ${plain(step.error?.message ?? '')}`.slice(0, most),
        ),
      )
  }
  return lines
}

function shareOf(step: Step): number {
  if (isFinal(step.state)) return 1
  const { progress } = step
  return progress?.total ? Math.min(0.99, progress.done / progress.total) : 0
}

function barOf(share: number): string {
  const full = Math.round(share * BAR)
  return '█'.repeat(full) + '░'.repeat(BAR - full)
}
