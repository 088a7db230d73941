// parity: a group on two engines, and whether they make the same tables.
import { join, resolve } from 'node:path'
import type { Plan } from '#core/plan.ts'
import type { GroupParity, TableParity } from '#engine/parity/group.ts'
import { homeDir } from '#functions/home.ts'
import { count, paint, plain, table } from './io.ts'
import type { Io } from './io.ts'
import { findGroup } from './metadata.ts'
import type { Verb } from './verb.ts'

export const parity: Verb = {
  name: 'parity',
  takes: '<group>',
  summary: 'Run a group on the local engine and on Spark, and compare the tables.',
  about: [
    'Both engines make the tables from the beginning, from the same raw files, in folders of their own; nothing of yours changes. Compared are schema, rows in any order, quarantine, counts, rules and content hash.',
    'Needs Python 3.11 and Java 17. The first time, Spark is set up: some minutes.',
  ],
  formats: ['text', 'md', 'json'],
  least: 1,
  most: 1,
  examples: ['lakeforge parity shop', 'lakeforge parity shop --format md > parity.md'],
  async run({ io, args, format, client, home }) {
    const api = await client()
    const group = await findGroup(api, args[0]!)
    const { plan } = await api.get<{ plan: Plan }>(`/api/groups/${group.id}/plan`)
    const [environment] = (
      await api.all<{ engine: string; is_default: boolean; root: string }>('/api/environments')
    )
      .filter(({ engine }) => engine !== 'databricks')
      .toSorted((a, b) => Number(b.is_default) - Number(a.is_default))
    const dir = home ?? homeDir(io.env)
    const { groupParity } = await import('#engine/parity/group.ts')
    const found = await groupParity(plan, {
      home: dir,
      lake: environment?.root ? resolve(dir, environment.root) : join(dir, 'lake'),
      env: io.env,
      told: (engine, { step, state }) => {
        if (format === 'text') io.err(paint(io, 'dim', `${engine}: ${plain(step)} ${state}`))
      },
    })
    if (format === 'json') io.out(JSON.stringify(found, null, 2))
    else for (const line of report(io, found, format === 'md' ? 'md' : 'text')) io.out(line)
    return found.state === 'equal' ? 0 : 1
  },
}

/** The lines of a report: the tables, then what differs. */
export function report(io: Pick<Io, 'color'>, found: GroupParity, format: 'text' | 'md'): string[] {
  const differing = found.tables.filter(({ state }) => state === 'differs')
  const title = `${found.group} on local and Spark: ${
    differing.length === 0
      ? 'the same tables'
      : `${differing.length} of ${found.tables.length} tables differ`
  }`
  const rows = ({ rows: { local, spark } }: TableParity) =>
    local === spark ? number(local) : `${number(local)} ≠ ${number(spark)}`
  const hash = ({ hash: { local, spark } }: TableParity) =>
    local === spark ? (local ?? '') : `${local ?? 'none'} ≠ ${spark ?? 'none'}`
  return [
    format === 'md' ? `## ${title}\n` : paint(io, 'bold', title),
    ...table(
      io,
      found.tables,
      [
        { title: 'table', of: (each) => each.table },
        {
          title: 'is',
          of: (each) => each.state,
          style: (each) => (each.state === 'equal' ? 'green' : 'red'),
        },
        { title: 'rows', of: rows, right: true },
        {
          title: 'schema',
          of: ({ schema }) => (schema.local === schema.spark ? 'same' : 'differs'),
        },
        { title: 'content hash', of: hash },
      ],
      format,
    ),
    ...differing.flatMap((each) => [
      '',
      format === 'md' ? `### ${each.table}\n` : paint(io, 'bold', each.table),
      ...each.differences.flatMap(({ what, left, right }) => [
        `${format === 'md' ? '- ' : '  '}${what}`,
        `${format === 'md' ? '  - ' : '    '}local: ${plain(left)}`,
        `${format === 'md' ? '  - ' : '    '}spark: ${plain(right)}`,
      ]),
    ]),
  ]
}

function number(rows: number | null): string {
  return rows === null ? 'none' : count(rows)
}
