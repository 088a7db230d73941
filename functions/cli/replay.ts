// replay: a batch once more beside its tables, and how it compares; or applied, in apply-replay.ts.
import { applyReplay } from './apply-replay.ts'
import { findBatch, watch } from './batches.ts'
import type { Detail } from './batches.ts'
import { usage } from './client.ts'
import { count, paint, plain, table } from './io.ts'
import type { Io } from './io.ts'
import type { Step } from './progress.ts'
import type { Verb } from './verb.ts'

/** How a step came out: the same, otherwise, or not to an end that could be compared. */
type Outcome = 'equal' | 'differs' | 'failed' | 'skipped' | 'cancelled'
const STYLES = {
  equal: 'green',
  differs: 'red',
  failed: 'red',
  skipped: 'yellow',
  cancelled: 'yellow',
} as const

type Compared = { key: string; outcome: Outcome; former: Step | null; again: Step }

export const replay: Verb = {
  name: 'replay',
  takes: '<batch>',
  summary: 'Run a batch again beside its tables, and compare.',
  about: [
    'From its raw files and its stored plan, at the versions that it read. Nothing that is there changes. The exit code is 1 where something differs.',
    '--apply takes its tables back to before it, and runs it and all later batches of its group again, in order. What that means is shown and asked first. The exit code is 1 unless all of them succeed.',
    'A batch is named by its id, by the beginning of it, by its group for the last one, or by `last`.',
  ],
  options: {
    apply: { type: 'boolean', help: 'Take the tables back and run all batches since again.' },
    'dry-run': { type: 'boolean', help: 'With --apply: only show what it would do.' },
    yes: { type: 'boolean', short: 'y', help: 'Do not ask before --apply.' },
  },
  formats: ['text', 'md', 'json'],
  least: 1,
  most: 1,
  examples: [
    'lakeforge replay last',
    'lakeforge replay shop --format md',
    'lakeforge replay 0198c7 --apply',
  ],
  async run({ io, args, options, format, client }) {
    const api = await client()
    const id = await findBatch(api, args[0]!, false)
    if (options.apply === true)
      return applyReplay(io, api, id, format, {
        dry_run: options['dry-run'] === true,
        yes: options.yes === true,
      })
    if (options['dry-run'] === true)
      usage('--dry-run goes with --apply.', 'lakeforge replay --help')
    const { batch_id } = await api.post<{ batch_id: string }>(`/api/batches/${id}/replay`)
    const now = await watch(io, api, batch_id)
    const first = await api.get<Detail>(`/api/batches/${id}`)
    const former = new Map(first.steps.map((step) => [step.key, step]))
    const steps = now.steps.map((step): Compared => {
      const differs = step.error?.code === 'replay_differs'
      const outcome = differs
        ? 'differs'
        : step.state === 'succeeded'
          ? 'equal'
          : (step.state as Outcome)
      return { key: step.key, outcome, former: former.get(step.key) ?? null, again: step }
    })
    const equal = steps.every(({ outcome }) => outcome === 'equal')
    if (format === 'json')
      io.out(
        JSON.stringify({ batch_id, replay_of: id, state: now.batch.state, equal, steps }, null, 2),
      )
    else
      for (const line of lines(io, id, equal, steps, format === 'md' ? 'md' : 'text')) io.out(line)
    return equal ? 0 : 1
  },
}

function lines(
  io: Io,
  id: string,
  equal: boolean,
  steps: readonly Compared[],
  kind: 'text' | 'md',
): string[] {
  const title = equal
    ? `Batch ${id} comes to the same again`
    : `Batch ${id} comes to something else`
  const bullet = kind === 'md' ? '- ' : ''
  return [
    kind === 'md' ? `## ${title}\n` : paint(io, 'bold', title),
    ...table(
      io,
      steps,
      [
        { title: 'step', of: (step) => step.key },
        { title: 'outcome', of: (step) => step.outcome, style: (step) => STYLES[step.outcome] },
        { title: 'rows then', of: (step) => count(step.former?.rows_written), right: true },
        { title: 'rows now', of: (step) => count(step.again.rows_written), right: true },
        { title: 'hash then', of: (step) => step.former?.content_hash ?? '' },
        { title: 'hash now', of: (step) => step.again.content_hash ?? '' },
      ],
      kind,
    ),
    ...steps.flatMap(({ key, again: { error, warnings } }) => [
      ...(error
        ? [`${bullet}${key}: ${plain(error.message)} (${error.code})`, `  ${plain(error.hint)}`]
        : []),
      ...warnings.map((text) => `${bullet}${key}: ${plain(text)}`),
    ]),
  ]
}
