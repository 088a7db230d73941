// apply, export, plan: metadata as files, and what it means for a group.
import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { basename, join, relative } from 'node:path'
import type { Change } from '#core/metadata-changes.ts'
import type { MetadataFile } from '#core/metadata-file.ts'
import { didYouMean } from '#core/nearest.ts'
import type { Plan, PlanStep } from '#core/plan.ts'
import type { Applied } from '../metadata.ts'
import { CliError, usage } from './client.ts'
import type { Client } from './client.ts'
import { confirmed, paint, plain, table, words } from './io.ts'
import type { Format, Io } from './io.ts'
import type { Verb } from './verb.ts'

export const apply: Verb = {
  name: 'apply',
  takes: '<file|dir>',
  summary: 'Make the metadata what files say: all of it, or nothing.',
  about: [
    'Takes YAML and JSON, a folder with all files below it, or - for stdin. Everything that is wrong is said at once, with file and line. Objects that the files do not name stay.',
    '--prune deletes what a former apply made and the files no longer have; it is shown and asked first.',
    'An object that somebody changed since its file was exported is refused, unless --force.',
  ],
  options: {
    'dry-run': { type: 'boolean', help: 'Say what would change; change nothing.' },
    prune: { type: 'boolean', help: 'Also delete what a former apply made and is in no file now.' },
    yes: { type: 'boolean', short: 'y', help: 'Do not ask before --prune deletes.' },
    force: { type: 'boolean', help: 'Overwrite what has changed since the export.' },
  },
  formats: ['text', 'md', 'json'],
  least: 1,
  most: 1,
  examples: ['lakeforge apply lake.yaml', 'lakeforge apply metadata/ --dry-run --format md'],
  async run({ io, args, options, format, client }) {
    const files = await readMetadata(args[0]!)
    const api = await client()
    const body = { files, prune: options.prune === true, force: options.force === true }
    const dry_run = options['dry-run'] === true
    const ask = (dry: boolean) => api.post<Applied>('/api/apply', { ...body, dry_run: dry })
    if (body.prune && !dry_run && options.yes !== true) {
      const shown = await ask(true)
      const gone = shown.changes.filter((change) => change.action === 'delete')
      if (gone.length > 0) {
        for (const line of changeLines(io, gone, 'text')) io.err(line)
        if (!(await confirmed(io, `Delete ${words(gone.length, 'object')}?`)))
          throw new CliError({
            code: 'not_confirmed',
            detail: 'Nothing was changed.',
            hint: 'Say yes, or give --yes.',
          })
      }
    }
    const answer = await ask(dry_run)
    if (format === 'json') io.out(JSON.stringify(answer, null, 2))
    else for (const line of appliedLines(io, answer, format)) io.out(line)
    return 0
  },
}

export const exportVerb: Verb = {
  name: 'export',
  takes: '[file]',
  summary: 'Write the metadata as a file that apply takes.',
  about: [
    'Names instead of ids, defaults left out, always in the same order. Secrets are references.',
  ],
  options: {
    group: { type: 'string', value: 'group', help: 'Only what belongs to one group.' },
    schema: { type: 'boolean', help: 'The JSON Schema of metadata files instead, for editors.' },
  },
  formats: ['yaml', 'json'],
  least: 0,
  most: 1,
  examples: ['lakeforge export lake.yaml', 'lakeforge export --schema lakeforge.schema.json'],
  async run({ io, args, options, format, client }) {
    const text = options.schema
      ? `${JSON.stringify((await import('#core/metadata-schema.ts')).metadataSchema(), null, 2)}\n`
      : await (
          await client()
        )
          .raw(
            `/api/export?format=${format}${options.group ? `&group=${encodeURIComponent(String(options.group))}` : ''}`,
          )
          .then((answer) => answer.text())
    if (args[0] === undefined) io.out(text.trimEnd())
    else {
      await writeFile(args[0], text)
      io.err(`Written to ${args[0]}.`)
    }
    return 0
  },
}

export const plan: Verb = {
  name: 'plan',
  takes: '<group>',
  summary: 'Show what a batch of a group would do.',
  formats: ['text', 'md', 'json'],
  least: 1,
  most: 1,
  examples: ['lakeforge plan shop', 'lakeforge plan shop --format md > plan.md'],
  async run({ io, args, format, client }) {
    const api = await client()
    const group = await findGroup(api, args[0]!)
    const answer = await api.get<{ plan: Plan; hash: string; metadata_version: string }>(
      `/api/groups/${group.id}/plan`,
    )
    if (format === 'json') {
      io.out(JSON.stringify(answer, null, 2))
      return 0
    }
    const { steps } = answer.plan
    const title = `Plan of ${group.name}: ${words(steps.length, 'step')}, at most ${answer.plan.group.max_parallel} at a time`
    io.out(format === 'md' ? `## ${title}\n` : paint(io, 'bold', title))
    const lines = table(
      io,
      steps,
      [
        { title: 'zone', of: (step) => step.zone },
        { title: 'step', of: (step) => step.key.slice(step.zone.length + 1) },
        { title: 'does', of: does },
        { title: 'reads', of: reads },
        {
          title: 'rules',
          of: (step) => ('rules' in step ? String(step.rules.length || '') : ''),
          right: true,
        },
      ],
      format === 'md' ? 'md' : 'text',
    )
    for (const line of lines) io.out(line)
    io.out(
      `${format === 'md' ? '\n' : ''}Plan ${answer.hash.slice(0, 12)}, metadata version ${answer.metadata_version}.`,
    )
    return 0
  },
}

function does(step: PlanStep): string {
  if (step.zone === 'raw') return `read ${step.read_mode}`
  if (step.zone === 'bronze') return step.write
  return step.zone === 'silver'
    ? [step.load_type, step.keys.length > 0 ? `by ${step.keys.join(', ')}` : ''].join(' ').trim()
    : step.materialisation
}

function reads(step: PlanStep): string {
  if (step.zone === 'raw') return `${step.source.name}: ${step.object}`
  if (step.zone === 'bronze') return step.raw.replace(/^raw:/, '')
  return step.inputs
    .map((input) => (input.external ? `${input.table} (other group)` : input.table))
    .join(', ')
}

export type Group = { id: string; name: string }

/** The group of a name. @throws not_found with what may have been meant */
export async function findGroup(api: Client, name: string): Promise<Group> {
  const groups = await api.all<Group>('/api/groups?sort=name')
  const found = groups.find((group) => group.name === name || group.id === name)
  if (found) return found
  const names = groups.map((group) => group.name)
  throw new CliError({
    code: 'not_found',
    detail: `There is no group ${name}.${didYouMean(name, names)}`,
    hint:
      names.length === 0
        ? 'There are none yet: lakeforge apply <file> makes some, lakeforge demo shows how.'
        : `There are: ${names.slice(0, 20).join(', ')}${names.length > 20 ? ', …' : ''}.`,
  })
}

/** The metadata files of a path, named relative to it, in the order of their names. */
async function readMetadata(path: string): Promise<MetadataFile[]> {
  if (path === '-') {
    const parts: Buffer[] = []
    for await (const part of process.stdin) parts.push(part as Buffer)
    return [{ name: 'stdin', text: Buffer.concat(parts).toString('utf8') }]
  }
  const read = async (file: string, name: string) => ({ name, text: await readText(file) })
  if (!(await stat(path)).isDirectory()) return [await read(path, basename(path))]
  const entries = await readdir(path, { recursive: true, withFileTypes: true })
  const names = entries
    .filter(
      (entry) =>
        entry.isFile() &&
        /\.(ya?ml|json)$/i.test(entry.name) &&
        !/\.schema\.json$/i.test(entry.name) &&
        !relative(path, join(entry.parentPath, entry.name))
          .split(/[/\\]/)
          .some((part) => part.startsWith('.')),
    )
    .map((entry) => relative(path, join(entry.parentPath, entry.name)))
    .sort()
  if (names.length === 0)
    usage(`There is no .yaml, .yml or .json file in ${path}.`, 'lakeforge help apply')
  return Promise.all(names.map((name) => read(join(path, name), name)))
}

async function readText(file: string): Promise<string> {
  const bytes = await readFile(file)
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new CliError({
      code: 'file_unreadable',
      detail: `${file} is not UTF-8 text.`,
      hint: 'Save it as UTF-8.',
    })
  }
}

const SIGNS = { create: '+', update: '~', rename: '~', delete: '-', unchanged: ' ' } as const
const STYLES = {
  create: 'green',
  update: 'yellow',
  rename: 'yellow',
  delete: 'red',
  unchanged: 'dim',
} as const

function appliedLines(io: Io, answer: Applied, format: Format): string[] {
  const changed = answer.changes.filter((change) => change.action !== 'unchanged')
  const { create, update, rename, unchanged } = answer.summary
  const parts = [
    [create, 'created'],
    [update, 'changed'],
    [rename, 'renamed'],
    [answer.summary.delete, 'deleted'],
    [unchanged, 'unchanged'],
  ].flatMap(([number, word]) => (number ? [`${words(Number(number), 'object')} ${word}`] : []))
  const sum = parts.join(', ') || 'The files name nothing'
  const title = answer.dry_run ? `Dry run, nothing was changed: ${sum}.` : `${sum}.`
  return format === 'md'
    ? [`## ${title}`, '', ...changeLines(io, changed, 'md')]
    : [...changeLines(io, changed, 'text'), title]
}

function changeLines(io: Io, changes: readonly Change[], format: 'text' | 'md'): string[] {
  return changes.flatMap((change) => {
    const name =
      change.action === 'rename' ? `${change.former ?? ''} → ${change.name}` : change.name
    const head = `${change.kind} ${name}`
    const fields = change.fields.map(
      ({ path, before, after }) => `${path}: ${value(before)} → ${value(after)}`,
    )
    if (format === 'md')
      return [
        `- **${change.action}** ${head}`,
        ...fields.map((field) => `  - \`${field.replaceAll('`', "'")}\``),
      ]
    return [
      paint(io, STYLES[change.action], `${SIGNS[change.action]} ${change.action} ${head}`),
      ...fields.map((field) => `    ${field}`),
    ]
  })
}

function value(any: unknown): string {
  const text = plain(typeof any === 'string' ? any : JSON.stringify(any))
  return text.length > 120 ? `${text.slice(0, 117)}…` : text
}
