// What sources are called on the screen.
import { EXTRACTORS, extractorOf, SOURCE_KINDS } from '#core/extractors.ts'
import type { Source, SourceHealth } from '#lib/api/sources.ts'
import { plural } from '#lib/format.ts'
import type { Shown } from '#lib/states.ts'

export function kindTitle(kind: string): string {
  return extractorOf(kind)?.title ?? kind
}

/** Every kind, for the picker: words that find it beside its title. */
export const KIND_CARDS = SOURCE_KINDS.map((kind) => ({
  kind,
  title: EXTRACTORS[kind].title,
  description: EXTRACTORS[kind].description,
  words: `${kind} ${Object.values(extractorOf(kind)!.formats)
    .map((format) => format.title)
    .join(' ')} ${kind === 'files' ? 'folder directory' : 'database db sql'}`.toLowerCase(),
}))

/** Where it is, in one line; no user, no secret. */
export function whereOf(source: Pick<Source, 'kind' | 'options'>): string {
  const { root, host, port, database, url } = source.options as Record<string, unknown>
  if (typeof root === 'string') return root
  if (typeof host === 'string')
    return `${host}${port ? `:${String(port)}` : ''}${database ? `/${String(database)}` : ''}`
  return typeof url === 'string' ? url : '–'
}

/** Its state and the words beside it; null while nothing was ever read. */
export function healthState(health: SourceHealth): { state: Shown; words: string } | null {
  if (health.running > 0) return { state: 'running', words: plural(health.running, 'read') }
  if (health.failed > 0)
    return { state: 'failed', words: `${health.failed} of ${plural(health.tables, 'table')}` }
  if (health.succeeded > 0) return { state: 'succeeded', words: '' }
  return null
}

const CHECKS: Record<string, string> = {
  folder_exists: 'Folder is there',
  folder_readable: 'Folder can be read',
  files_found: 'Files are found',
  files_readable: 'Files can be read',
  name_resolves: 'Name resolves',
  port_reachable: 'Port is reachable',
  login: 'Login',
  schemas_listed: 'Schemas are listed',
  tables_readable: 'Tables can be read',
}

export function checkTitle(check: string): string {
  const words = check.replaceAll('_', ' ')
  return CHECKS[check] ?? words.charAt(0).toUpperCase() + words.slice(1)
}
