// What a verb is, and how a command line becomes its arguments. Help is drawn from the same description.
import { parseArgs } from 'node:util'
import { didYouMean } from '#core/nearest.ts'
import { usage } from './client.ts'
import type { Client } from './client.ts'
import type { Format, Io } from './io.ts'

export type Option = {
  type: 'string' | 'boolean'
  short?: string
  /** What stands for the value in the help. */
  value?: string
  help: string
}

export type Call = {
  io: Io
  args: string[]
  options: Record<string, string | boolean | undefined>
  format: Format
  /** Opens the API; closed when the verb is done. */
  client(): Promise<Client>
  home: string | undefined
}

export type Verb = {
  name: string
  /** Behind the name: `<group>`, `[file]`. */
  takes: string
  summary: string
  /** Paragraphs of the help. */
  about?: string[]
  options?: Record<string, Option>
  formats: readonly Format[]
  /** How many arguments; a missing one is named by `takes`. */
  least: number
  most: number
  examples: string[]
  /** The exit code. */
  run(call: Call): Promise<number>
}

/** What every verb has. */
export const COMMON: Record<string, Option> = {
  home: {
    type: 'string',
    value: 'dir',
    help: 'Folder of LakeForge; else LAKEFORGE_HOME, else .lakeforge.',
  },
  json: { type: 'boolean', help: 'The answer as JSON, for programs.' },
  help: { type: 'boolean', short: 'h', help: 'This help.' },
}
const FORMAT: Option = { type: 'string', value: 'format', help: '' }
export const ENV: Option = {
  type: 'string',
  value: 'environment',
  help: 'In which environment; else the default one.',
}

export function optionsOf(verb: Verb): Record<string, Option> {
  const most = verb.formats.length > 1
  const format = { ...FORMAT, help: `${verb.formats.join(', ')}; else ${verb.formats[0]}.` }
  return { ...verb.options, ...(most && { format }), ...COMMON }
}

/** The arguments of a verb. @throws usage */
export function parseCall(verb: Verb, argv: string[]): Pick<Call, 'args' | 'options' | 'format'> {
  const known = optionsOf(verb)
  const { tokens } = parseArgs({
    args: argv,
    options: Object.fromEntries(
      Object.entries(known).map(([name, { type, short }]) => [
        name,
        { type, ...(short && { short }) },
      ]),
    ),
    strict: false,
    allowPositionals: true,
    tokens: true,
  })
  const hint = `lakeforge help ${verb.name}`
  const args: string[] = []
  const options: Record<string, string | boolean | undefined> = {}
  for (const token of tokens) {
    if (token.kind === 'positional') args.push(token.value)
    if (token.kind !== 'option') continue
    const option = Object.hasOwn(known, token.name) ? known[token.name] : undefined
    if (!option)
      usage(
        `${verb.name} has no option ${token.rawName}.${didYouMean(token.name, Object.keys(known)).replace(/ (\S+)\?$/, ' --$1?')}`,
        hint,
      )
    if (option.type === 'string' && (token.value === undefined || token.value === ''))
      usage(`${token.rawName} needs a value: ${token.rawName} <${option.value}>.`, hint)
    if (option.type === 'boolean' && token.value !== undefined)
      usage(`${token.rawName} takes no value.`, hint)
    if (options[token.name] !== undefined && option.type === 'string')
      usage(`${token.rawName} stands there twice.`, hint)
    options[token.name] = token.value ?? true
  }
  if (options.help !== true) {
    if (args.length < verb.least) usage(`${verb.name} needs ${verb.takes}.`, hint)
    if (args.length > verb.most)
      usage(
        `${verb.name} takes ${verb.takes || 'no arguments'}, not also ${args[verb.most]}.`,
        hint,
      )
  }
  return { args, options, format: formatOf(verb, options, hint) }
}

function formatOf(
  verb: Verb,
  options: Record<string, string | boolean | undefined>,
  hint: string,
): Format {
  const given = options.format as Format | undefined
  if (given !== undefined && !verb.formats.includes(given))
    usage(`${verb.name} has no format ${given}. Use one of: ${verb.formats.join(', ')}.`, hint)
  if (options.json === true) {
    if (given !== undefined && given !== 'json')
      usage(`--json and --format ${given} ask for two things at once.`, hint)
    return 'json'
  }
  return given ?? verb.formats[0]!
}

/** Help of one verb. */
export function helpOf(verb: Verb): string {
  const options = Object.entries(optionsOf(verb)).map(([name, option]) => [
    `${option.short ? `-${option.short}, ` : '    '}--${name}${option.value ? ` <${option.value}>` : ''}`,
    option.help,
  ])
  const wide = Math.max(...options.map(([left]) => left!.length))
  return [
    `lakeforge ${[verb.name, verb.takes].filter(Boolean).join(' ')} [options]`,
    '',
    verb.summary,
    ...(verb.about ?? []).flatMap((paragraph) => ['', paragraph]),
    '',
    'Options',
    ...options.map(([left, right]) => `  ${left!.padEnd(wide)}  ${right}`),
    '',
    verb.examples.length > 1 ? 'Examples' : 'Example',
    ...verb.examples.map((example) => `  ${example}`),
  ].join('\n')
}

/** Help of all. */
export function overview(verbs: readonly Verb[]): string {
  const lines = verbs.map((verb) => [
    [verb.name, verb.takes].filter(Boolean).join(' '),
    verb.summary,
  ])
  const wide = Math.max(...lines.map(([left]) => left!.length))
  return [
    'lakeforge <verb> [options]: declare ingestion as metadata, run it, look at it',
    '',
    ...lines.map(([left, right]) => `  ${left!.padEnd(wide)}  ${right}`),
    '',
    'lakeforge help <verb> tells more. Exit codes: 0 done, 1 failed or refused, 2 the command line is wrong.',
  ].join('\n')
}
