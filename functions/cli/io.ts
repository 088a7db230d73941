// What a verb writes: lines, tables, faults. Colours only on a terminal that wants them; `--json` alone on stdout.
import { createInterface } from 'node:readline/promises'
import { styleText } from 'node:util'

export type Format = 'text' | 'md' | 'json' | 'yaml' | 'csv' | 'table'

export type Io = {
  out(text: string): void
  err(text: string): void
  /** Whether stdout is a terminal. */
  tty: boolean
  /** Columns of it. */
  width: number
  color: boolean
  env: NodeJS.ProcessEnv
}

export function openIo(env: NodeJS.ProcessEnv = process.env): Io {
  const tty = process.stdout.isTTY === true
  return {
    out: (text) => process.stdout.write(`${text}\n`),
    err: (text) => process.stderr.write(`${text}\n`),
    tty,
    width: process.stdout.columns || 100,
    color: tty && !env.NO_COLOR && env.TERM !== 'dumb',
    env,
  }
}

type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan'

export function paint(io: Pick<Io, 'color'>, style: Style, text: string): string {
  return io.color ? styleText(style, text, { validateStream: false }) : text
}

/** Text from outside, made harmless for a terminal: control characters become visible. */
export function plain(text: string): string {
  // oxlint-disable-next-line no-control-regex -- finding them is the point
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '�').replaceAll('\n', '⏎')
}

export type Column<Row> = {
  title: string
  of: (row: Row) => string
  /** Numbers stand at the right. */
  right?: boolean
  style?: (row: Row) => Style | undefined
}

/** A table in text or Markdown; the lines of it. */
export function table<Row>(
  io: Pick<Io, 'color'>,
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  format: 'text' | 'md' = 'text',
): string[] {
  const cells = rows.map((row) => columns.map((column) => plain(column.of(row))))
  if (format === 'md') {
    const line = (parts: readonly string[]) => `| ${parts.join(' | ')} |`
    const escape = (text: string) => text.replaceAll('\\', '\\\\').replaceAll('|', '\\|')
    return [
      line(columns.map(({ title }) => title)),
      line(columns.map(({ right }) => (right ? '---:' : '---'))),
      ...cells.map((row) => line(row.map(escape))),
    ]
  }
  const widths = columns.map(({ title }, index) =>
    cells.reduce((most, row) => Math.max(most, wide(row[index]!)), wide(title)),
  )
  const pad = (text: string, index: number) => {
    const space = ' '.repeat(widths[index]! - wide(text))
    return columns[index]!.right ? space + text : text + space
  }
  const lines = cells.map((row, at) =>
    row
      .map((text, index) => {
        const style = columns[index]!.style?.(rows[at]!)
        const padded = pad(text, index)
        return style ? paint(io, style, padded) : padded
      })
      .join('  ')
      .trimEnd(),
  )
  const head = columns.map(({ title }, index) => pad(title, index)).join('  ')
  return [paint(io, 'dim', head.trimEnd()), ...lines]
}

/** Characters count once: close enough for names and numbers. */
function wide(text: string): number {
  return [...text].length
}

/** 1234567 -> 1,234,567; null and undefined are nothing. */
export function count(value: unknown): string {
  return value === null || value === undefined || value === ''
    ? ''
    : Number(value).toLocaleString('en-US')
}

/** 950 ms, 1.2 s, 3 min 5 s */
export function duration(ms: number | null | undefined): string {
  if (ms === null || ms === undefined) return ''
  if (ms < 1000) return `${Math.round(ms)} ms`
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`
  return `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`
}

/** `2026-02-03 04:05:06Z`; nothing for null. */
export function time(value: string | Date | null | undefined): string {
  if (value === null || value === undefined) return ''
  return new Date(value)
    .toISOString()
    .replace('T', ' ')
    .replace(/\.\d+Z$/, 'Z')
}

export function stateStyle(state: string | null | undefined): Style | undefined {
  if (state === 'succeeded') return 'green'
  if (state === 'failed') return 'red'
  if (state === 'running') return 'cyan'
  return state === 'cancelled' || state === 'skipped' || state === 'waiting' ? 'yellow' : undefined
}

export function words(number: number, one: string, many = `${one}s`): string {
  return `${count(number)} ${number === 1 ? one : many}`
}

/** Asks on the terminal; no, said aloud, where nobody sits at one. */
export async function confirmed(io: Io, question: string): Promise<boolean> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) {
    io.err('There is nobody to ask.')
    return false
  }
  const ask = createInterface({ input: process.stdin, output: process.stderr })
  try {
    return /^y(es)?$/i.test((await ask.question(`${question} [y/N] `)).trim())
  } finally {
    ask.close()
  }
}
