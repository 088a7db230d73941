// run, logs, status: batches from the command line.
import { randomUUID } from 'node:crypto'
import type { State } from '#core/batch.ts'
import { CliError } from './client.ts'
import type { Client } from './client.ts'
import { follow } from './follow.ts'
import { count, duration, paint, plain, stateStyle, table, time, words } from './io.ts'
import type { Format, Io } from './io.ts'
import { findGroup } from './metadata.ts'
import { because, openProgress } from './progress.ts'
import type { Step } from './progress.ts'
import { ENV } from './verb.ts'
import type { Verb } from './verb.ts'

export type Detail = {
  batch: {
    id: string
    group_name: string
    environment: string
    seq: string
    state: State
    warned: boolean
    waiting_reason: string | null
    trigger: string
    attempt: number
    created_at: string
    started_at: string | null
    finished_at: string | null
    error: { code: string; message: string; hint: string } | null
  }
  steps: Step[]
  rules: {
    name: string
    table: string
    check: string
    on_fail: string
    rows_checked: number
    rows_failed: number
    applied: boolean
  }[]
}

export const run: Verb = {
  name: 'run',
  takes: '<group>',
  summary: 'Run a group as one batch, and wait for its end.',
  about: [
    'Ctrl-C asks the batch to stop; a second one leaves, and the batch goes on where it is owned. The exit code is 1 unless the batch succeeds.',
  ],
  options: {
    env: ENV,
    detach: {
      type: 'boolean',
      short: 'd',
      help: 'Start it and leave; a running `lakeforge start` drives it.',
    },
  },
  formats: ['text', 'md', 'json'],
  least: 1,
  most: 1,
  examples: ['lakeforge run shop', 'lakeforge run shop --env dev --json'],
  async run({ io, args, options, format, client }) {
    const api = await client()
    const group = await findGroup(api, args[0]!)
    const started = await api.post<{ batch_id: string }>(
      `/api/groups/${group.id}/run`,
      options.env ? { environment: options.env } : {},
      { 'idempotency-key': randomUUID() },
    )
    if (options.detach === true) {
      io.out(format === 'json' ? JSON.stringify(started) : `Batch ${started.batch_id}`)
      return 0
    }
    return reported(io, await watch(io, api, started.batch_id), format)
  },
}

/** Prints the end of a batch; the exit code. */
function reported(io: Io, detail: Detail, format: Format): number {
  if (format === 'json') io.out(JSON.stringify(detail, null, 2))
  else for (const line of report(io, detail, format)) io.out(line)
  return detail.batch.state === 'succeeded' ? 0 : 1
}

/** Follows a batch to its end, with its progress on stderr. Ctrl-C asks it to stop. */
export async function watch(io: Io, api: Client, batch_id: string): Promise<Detail> {
  const first = await api.get<Detail>(`/api/batches/${batch_id}`)
  const progress = openProgress(io, first.steps)
  const stop = onInterrupt(io, async () => {
    progress.note('Asking the batch to stop. Once more leaves at once.')
    await api.post(`/api/batches/${batch_id}/cancel`).catch((error: unknown) => {
      // It may have ended in this very moment
      if (!(error instanceof CliError && error.problem.code === 'batch_final')) throw error
    })
  })
  try {
    for await (const { event, data } of follow(api, batch_id)) {
      if (event === 'step') progress.step(data)
      else if (
        event === 'log' &&
        data.level !== 'debug' &&
        data.step === null &&
        data.level !== 'info'
      )
        progress.note(paint(io, data.level === 'error' ? 'red' : 'yellow', plain(data.text)))
    }
  } finally {
    stop()
    progress.end()
  }
  return api.get<Detail>(`/api/batches/${batch_id}`)
}

const ONE_SIGNAL_MS = 1000

function onInterrupt(io: Io, first: () => Promise<void>): () => void {
  let asked_at = 0
  const heard = () => {
    // A terminal and npm both pass on the same one
    if (asked_at > 0 && performance.now() - asked_at < ONE_SIGNAL_MS) return
    if (asked_at > 0) {
      io.err('Left. `lakeforge status` tells what runs.')
      process.exit(130)
    }
    asked_at = performance.now()
    first().catch((error: unknown) =>
      io.err(error instanceof Error ? error.message : String(error)),
    )
  }
  process.on('SIGINT', heard)
  return () => process.off('SIGINT', heard)
}

/** The end of a batch: tables and rows, then what failed and why, then which rules had something to say. */
export function report(io: Io, { batch, steps, rules }: Detail, format: Format): string[] {
  const kind = format === 'md' ? 'md' : 'text'
  const took =
    batch.started_at && batch.finished_at
      ? ` in ${duration(Date.parse(batch.finished_at) - Date.parse(batch.started_at))}`
      : ''
  const state =
    batch.state === 'succeeded' && batch.warned ? 'succeeded with warnings' : batch.state
  const title = `Batch ${batch.seq} of ${batch.group_name} in ${batch.environment}: ${state}${took}`
  const blank = kind === 'md' ? [''] : []
  const lines = [
    kind === 'md'
      ? `## ${title}`
      : paint(
          io,
          'bold',
          title.replace(state, paint(io, stateStyle(batch.state) ?? 'bold', state)),
        ),
    ...blank,
    ...table(
      io,
      steps,
      [
        { title: 'zone', of: (step) => step.zone },
        { title: 'table', of: (step) => step.name },
        { title: 'state', of: (step) => step.state, style: (step) => stateStyle(step.state) },
        { title: 'read', of: (step) => count(step.rows_read), right: true },
        { title: 'written', of: (step) => count(step.rows_written), right: true },
        { title: 'quarantined', of: (step) => count(step.rows_quarantined || ''), right: true },
        { title: 'dropped', of: (step) => count(step.rows_dropped || ''), right: true },
        { title: 'time', of: (step) => duration(step.duration_ms), right: true },
      ],
      kind,
    ),
  ]
  const bullet = kind === 'md' ? '- ' : ''
  const section = (head: string, body: string[]) => {
    if (body.length > 0)
      lines.push('', kind === 'md' ? `### ${head}` : paint(io, 'bold', head), ...blank, ...body)
  }
  section(
    'Failed',
    steps
      .filter((step) => step.state === 'failed' && step.error)
      .flatMap(({ key, error }) => [
        `${bullet}${paint(io, 'red', key)}: ${plain(error!.message)} (${error!.code})`,
        `  ${plain(error!.hint)}`,
      ]),
  )
  if (batch.error && !steps.some((step) => step.error))
    section('Failed', [
      `${bullet}${plain(batch.error.message)} (${batch.error.code})`,
      `  ${plain(batch.error.hint)}`,
    ])
  section(
    'Skipped',
    steps
      .filter((step) => step.state === 'skipped')
      .map((step) => `${bullet}${step.key}${because(step)}`),
  )
  section(
    'Warnings',
    steps.flatMap((step) => step.warnings.map((text) => `${bullet}${step.key}: ${plain(text)}`)),
  )
  section(
    'Rules with failing rows',
    rules
      .filter((rule) => rule.rows_failed > 0)
      .map(
        (rule) =>
          `${bullet}${rule.table} ${rule.name}: ${count(rule.rows_failed)} of ${words(rule.rows_checked, 'row')}, ${rule.on_fail}${rule.applied ? '' : ' (within its threshold)'}`,
      ),
  )
  lines.push('', `Batch id ${batch.id}`)
  return lines
}

export const logs: Verb = {
  name: 'logs',
  takes: '<batch>',
  summary: 'Show a batch: its tables, and what it said.',
  about: [
    'A batch is named by its id, by the beginning of it, by its group for the last one, or by `last`.',
  ],
  options: {
    follow: { type: 'boolean', short: 'f', help: 'Stay until the batch ends.' },
  },
  formats: ['text', 'md', 'json'],
  least: 1,
  most: 1,
  examples: ['lakeforge logs last', 'lakeforge logs shop --follow'],
  async run({ io, args, options, format, client }) {
    const api = await client()
    const id = await findBatch(api, args[0]!)
    if (options.follow === true) return reported(io, await watch(io, api, id), format)
    const detail = await api.get<Detail>(`/api/batches/${id}`)
    const events = (
      await api.all<{ step: string | null; level: string; text: string; at: string }>(
        `/api/logs/events?batch=${id}&sort=time`,
      )
    ).filter((event) => event.level !== 'debug')
    if (format === 'json') {
      io.out(JSON.stringify({ ...detail, events }, null, 2))
      return 0
    }
    for (const line of report(io, detail, format)) io.out(line)
    if (events.length > 0) io.out('')
    for (const event of events) {
      const text = `${time(event.at)} ${event.level.padEnd(5)} ${event.step ?? ''} ${plain(event.text)}`
      io.out(event.level === 'error' ? paint(io, 'red', text) : text)
    }
    return 0
  },
}

/** The id that somebody means; `last` and groups mean no replay where `replays` is false. @throws not_found, ambiguous */
export async function findBatch(api: Client, named: string, replays = true): Promise<string> {
  if (/^[0-9a-f]{8}-[0-9a-f-]{27}$/.test(named)) return named
  const page = async (query: string) =>
    (
      await api.get<{ items: { id: string; group_name: string; trigger: string }[] }>(
        `/api/batches?${query}`,
      )
    ).items.filter(({ trigger }) => replays || trigger !== 'replay')
  const missing = (hint: string): never => {
    throw new CliError({ code: 'not_found', detail: `There is no batch ${named}.`, hint })
  }
  if (named === 'last')
    return (await page('limit=100'))[0]?.id ?? missing('None has run yet: lakeforge run <group>.')
  const ofGroup = await page(`limit=100&group=${encodeURIComponent(named)}`)
  if (ofGroup[0]) return ofGroup[0].id
  const recent = /^[0-9a-f-]{4,}$/.test(named) ? await page('limit=500') : []
  const found = recent.filter((batch) => batch.id.startsWith(named))
  if (found.length > 1)
    throw new CliError({
      code: 'ambiguous',
      detail: `${found.length} batches begin with ${named}.`,
      hint: 'Give more of the id.',
    })
  return found[0]?.id ?? missing('`lakeforge status` shows what there is; `last` is the last one.')
}

type Status = {
  version: string
  metadata_version: string
  environments: { name: string; engine: string; is_default: boolean; schedules_paused: boolean }[]
  groups: {
    name: string
    schedule: string | null
    batch_id: string | null
    state: State | null
    finished_at: string | null
    next_run_at: string | null
  }[]
  running: {
    id: string
    group_name: string
    environment: string
    state: State
    started_at: string | null
  }[]
}

export const status: Verb = {
  name: 'status',
  takes: '',
  summary: 'Show who owns the home, what runs, and what comes next.',
  formats: ['text', 'md', 'json'],
  least: 0,
  most: 0,
  examples: ['lakeforge status'],
  async run({ io, format, client }) {
    const api = await client()
    const answer = await api.get<Status>('/api/status')
    const owner = api.url()
    if (format === 'json') {
      io.out(JSON.stringify({ home: api.home, owner, ...answer }, null, 2))
      return 0
    }
    const kind = format === 'md' ? 'md' : 'text'
    io.out(`LakeForge ${answer.version}, home ${api.home}`)
    io.out(owner ? `Running at ${owner}` : 'No server runs: schedules wait for `lakeforge start`.')
    const section = (head: string, lines: string[]) => {
      io.out('')
      io.out(kind === 'md' ? `## ${head}\n` : paint(io, 'bold', head))
      for (const line of lines) io.out(line)
    }
    section(
      'Environments',
      table(
        io,
        answer.environments,
        [
          { title: 'name', of: (each) => each.name },
          { title: 'engine', of: (each) => each.engine },
          {
            title: '',
            of: (each) =>
              [each.is_default && 'default', each.schedules_paused && 'schedules paused']
                .filter(Boolean)
                .join(', '),
          },
        ],
        kind,
      ),
    )
    if (answer.groups.length === 0) {
      io.out('')
      io.out('No groups yet: lakeforge apply <file> makes some, lakeforge demo shows how.')
      return 0
    }
    section(
      'Groups',
      table(
        io,
        answer.groups,
        [
          { title: 'name', of: (each) => each.name },
          {
            title: 'last batch',
            of: (each) => each.state ?? 'none',
            style: (each) => stateStyle(each.state),
          },
          { title: 'ended', of: (each) => time(each.finished_at) },
          { title: 'schedule', of: (each) => each.schedule ?? 'by hand' },
          { title: 'next run', of: (each) => time(each.next_run_at) },
        ],
        kind,
      ),
    )
    if (answer.running.length > 0)
      section(
        'Running',
        table(
          io,
          answer.running,
          [
            { title: 'batch', of: (each) => each.id },
            { title: 'group', of: (each) => each.group_name },
            { title: 'environment', of: (each) => each.environment },
            { title: 'state', of: (each) => each.state, style: (each) => stateStyle(each.state) },
            { title: 'since', of: (each) => time(each.started_at) },
          ],
          kind,
        ),
      )
    return 0
  },
}
