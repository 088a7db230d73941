// What the palette finds by name. An area adds its objects here: one line each, with the address of a thing by its row.
import { read, search as query } from '#lib/api/resource.ts'
import { paths } from '#lib/paths.ts'
import { tablePaths } from '#lib/table-paths.ts'

export type Found = { kind: string; label: string; hint: string; href: string }

type Kind = {
  kind: string
  /** The collection's list, which takes `q`. */
  collection: string
  href: (row: Row) => string
}

type Row = { id: string; name: string; description?: string; target?: string }

const EACH = 6

export const KINDS: Kind[] = [
  {
    kind: 'Compute profile',
    collection: 'compute-profiles',
    href: (row) => paths.compute(row.id),
  },
  { kind: 'Environment', collection: 'environments', href: (row) => paths.environment(row.id) },
  { kind: 'Rule set', collection: 'rule-sets', href: (row) => paths.ruleSet(row.id) },
  { kind: 'Source', collection: 'sources', href: (row) => paths.source(row.id) },
  { kind: 'Group', collection: 'groups', href: (row) => tablePaths.group(row.id) },
  {
    kind: 'Bronze table',
    collection: 'bronze-configs',
    href: (row) => tablePaths.table(row.target ?? row.name),
  },
  {
    kind: 'Silver table',
    collection: 'silver-configs',
    href: (row) => tablePaths.table(row.target ?? row.name),
  },
  {
    kind: 'Gold table',
    collection: 'gold-configs',
    href: (row) => tablePaths.table(row.target ?? row.name),
  },
  { kind: 'Schedule', collection: 'schedules', href: (row) => paths.schedule(row.id) },
  { kind: 'Rule', collection: 'dq-rules', href: (row) => paths.rule(row.id) },
]

/** Things whose name or description has `text`, at most six of a kind. A kind that can't be read is left out. */
export async function findObjects(text: string, signal: AbortSignal): Promise<Found[]> {
  const answers = await Promise.allSettled(
    KINDS.map(async ({ kind, collection, href }) => {
      const url = `/api/${collection}${query({ q: text, limit: String(EACH) })}`
      const { items } = await read<{ items: Row[] }>(url, signal)
      return items.map((row) => ({
        kind,
        label: row.target ?? row.name,
        hint: row.description ?? '',
        href: href(row),
      }))
    }),
  )
  return answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []))
}
