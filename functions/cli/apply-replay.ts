// replay --apply: shows what goes back and what runs again, asks, and follows it to its end.
import { setTimeout as sleep } from 'node:timers/promises'
import type { ReplayPreview, ReplayState } from '#engine/replay.ts'
import { watch } from './batches.ts'
import { CliError } from './client.ts'
import type { Client } from './client.ts'
import { confirmed, count, paint, stateStyle, table, words } from './io.ts'
import type { Format, Io } from './io.ts'

const POLL_MS = 300

/** The exit code: 1 unless every batch succeeded. */
export async function applyReplay(
  io: Io,
  api: Client,
  id: string,
  format: Format,
  how: { dry_run: boolean; yes: boolean },
): Promise<number> {
  const path = `/api/batches/${id}/replay`
  const preview = await api.post<ReplayPreview>(path, { apply: true, dry_run: true })
  const kind = format === 'md' ? 'md' : 'text'
  if (how.dry_run) {
    if (format === 'json') io.out(JSON.stringify(preview, null, 2))
    else for (const line of shown(io, preview, kind)) io.out(line)
    return 0
  }
  if (!how.yes) {
    for (const line of shown(io, preview, kind)) io.err(line)
    const question = `Take back ${words(preview.tables.length, 'table')} and run ${words(preview.batches.length, 'batch', 'batches')} again?`
    if (!(await confirmed(io, question)))
      throw new CliError({
        code: 'not_confirmed',
        detail: 'Nothing was changed.',
        hint: 'Add --yes to apply it without a question.',
      })
  }
  const asked = await api.post<ReplayState>(path, { apply: true })
  const end = await followed(io, api, asked)
  if (format === 'json') io.out(JSON.stringify(end, null, 2))
  else for (const line of report(io, end, kind)) io.out(line)
  return end.state === 'succeeded' ? 0 : 1
}

/** Waits for the restore, then shows one batch after the other. */
async function followed(io: Io, api: Client, asked: ReplayState): Promise<ReplayState> {
  const read = () => api.get<ReplayState>(`/api/batches/${asked.batch_id}/replay`)
  let now = asked
  let trouble = ''
  while (now.restored_at === null && now.state !== 'failed') {
    if (now.error && now.error.message !== trouble) {
      trouble = now.error.message
      io.err(`${trouble} It is tried again. ${now.error.hint}`)
    }
    await sleep(POLL_MS)
    now = await read()
  }
  for (const batch of now.batches) {
    io.err(paint(io, 'bold', `Batch ${batch.seq}`))
    await watch(io, api, batch.id)
  }
  return read()
}

function shown(io: Io, preview: ReplayPreview, kind: 'text' | 'md'): string[] {
  const { group_name, environment, seq, tables, batches, readers } = preview
  const head = (text: string) => (kind === 'md' ? `\n### ${text}\n` : paint(io, 'bold', text))
  const title = `Batch ${seq} of ${group_name} in ${environment} and all since run again`
  return [
    kind === 'md' ? `## ${title}` : paint(io, 'bold', title),
    head('Tables go back'),
    ...table(
      io,
      tables,
      [
        { title: 'table', of: (each) => each.table },
        { title: 'from version', of: (each) => String(each.from_version), right: true },
        { title: 'rows', of: (each) => count(each.from_rows), right: true },
        {
          title: 'to version',
          of: (each) => (each.to_version === null ? 'empty' : String(each.to_version)),
          right: true,
        },
        { title: 'rows', of: (each) => count(each.to_rows), right: true },
      ],
      kind,
    ),
    head('Batches run again, in this order'),
    ...table(
      io,
      batches,
      [
        { title: 'batch', of: (each) => each.seq, right: true },
        { title: 'was', of: (each) => each.state, style: (each) => stateStyle(each.state) },
        { title: 'steps', of: (each) => String(each.steps.length), right: true },
        { title: 'rows to read', of: (each) => count(each.rows_read), right: true },
        { title: 'bytes to read', of: (each) => count(each.bytes_read), right: true },
        { title: 'id', of: (each) => each.id },
      ],
      kind,
    ),
    ...(readers.length === 0
      ? []
      : [
          head('Other groups read these tables: replay them too, or they take the rows twice'),
          ...table(
            io,
            readers,
            [
              { title: 'group', of: (each) => each.group_name },
              { title: 'table', of: (each) => each.table },
              { title: 'reads', of: (each) => each.reads.join(', ') },
            ],
            kind,
          ),
        ]),
  ]
}

function report(io: Io, { state, batches, error }: ReplayState, kind: 'text' | 'md'): string[] {
  const title = `Replay ${state}`
  return [
    kind === 'md' ? `## ${title}\n` : paint(io, 'bold', title),
    ...(error ? [`${error.message} (${error.code})`, error.hint] : []),
    ...table(
      io,
      batches,
      [
        { title: 'batch', of: (each) => each.seq, right: true },
        { title: 'state', of: (each) => each.state, style: (each) => stateStyle(each.state) },
        { title: 'id', of: (each) => each.id },
      ],
      kind,
    ),
  ]
}
