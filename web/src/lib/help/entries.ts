// The reference pages, drawn from the catalogues that validation and engines read: what stands here is what is there. Pure.
import { CHECKS, CHECK_KINDS } from '#core/checks.ts'
import { ERRORS } from '#core/errors.ts'
import { EXTRACTORS, SOURCE_KINDS } from '#core/extractors.ts'
import { LOAD_TYPES, LOAD_TYPE_NAMES } from '#core/writers.ts'
import { fieldsOf } from '#lib/form/schema.ts'
import { ON_FAIL } from '#lib/quality.ts'

export const TOPICS = [
  {
    id: 'extractors',
    title: 'Sources',
    about: 'What LakeForge reads, and the options of each kind.',
  },
  { id: 'load', title: 'Load types', about: 'How rows get into a silver table.' },
  {
    id: 'checks',
    title: 'Checks',
    about: 'What a rule can check, and what happens to rows that fail.',
  },
  {
    id: 'functions',
    title: 'SQL functions',
    about: 'What expressions, rules and queries may call.',
  },
  { id: 'states', title: 'States', about: 'What a batch, a table or a step can be.' },
  { id: 'errors', title: 'Error codes', about: 'What went wrong, and what to do next.' },
  { id: 'keys', title: 'Keyboard', about: 'The keys of every screen.' },
] as const
export type Topic = (typeof TOPICS)[number]['id']

export type Entry = {
  topic: Topic
  /** Unique in its topic; the address points at it. */
  id: string
  title: string
  text: string
  /** Name, what it means. */
  facts: { name: string; text: string }[]
  code?: string
}

export type FunctionInfo = {
  name: string
  category: string
  signature: string
  description: string
  returns: string
  kind: string
  aliases: string[]
}

const options = (schema: Parameters<typeof fieldsOf>[0]) =>
  fieldsOf(schema).map((field) => ({
    name: field.key,
    text: [
      field.title,
      field.hint,
      field.options?.length ? `One of ${field.options.join(', ')}.` : '',
    ]
      .filter(Boolean)
      .join('. ')
      .replaceAll('..', '.'),
  }))

/** All entries but the functions, which the dialect tells. */
export function entries(): Entry[] {
  return [
    ...SOURCE_KINDS.map((kind): Entry => {
      const of = EXTRACTORS[kind]
      return {
        topic: 'extractors',
        id: kind,
        title: of.title,
        text: of.description,
        code: kind,
        facts: [
          ...options(of.source_options),
          { name: 'object', text: `${of.object.title}. ${of.object.description}` },
          { name: 'formats', text: Object.keys(of.formats).join(', ') || 'none' },
          { name: 'read modes', text: of.read_modes.join(', ') },
        ],
      }
    }),
    ...LOAD_TYPE_NAMES.map((name): Entry => {
      const of = LOAD_TYPES[name]
      return {
        topic: 'load',
        id: name,
        title: of.title,
        text: of.meaning,
        code: name,
        facts: [
          { name: 'needs', text: of.requires.join(', ') || 'nothing more' },
          {
            name: 'reads',
            text: of.reads === 'new' ? 'what is new in its first table' : 'everything each time',
          },
          { name: 'delete_when', text: of.deletes ? 'may be given' : 'has no meaning' },
          { name: 'engines', text: of.engines.join(', ') },
        ],
      }
    }),
    ...CHECK_KINDS.map((kind): Entry => {
      const of = CHECKS[kind]
      return {
        topic: 'checks',
        id: kind,
        title: of.title,
        text: of.meaning,
        code: kind,
        facts: [{ name: 'null', text: of.nulls }, ...options(of.options)],
      }
    }),
    ...ON_FAIL.map((of): Entry => ({
      topic: 'checks',
      id: `on_fail_${of.value}`,
      title: `When it fails: ${of.label.toLowerCase()}`,
      text: of.meaning,
      code: of.value,
      facts: [],
    })),
    ...STATES.map(([id, title, text]): Entry => ({ topic: 'states', id, title, text, facts: [] })),
    ...Object.entries(ERRORS).map(([code, of]): Entry => ({
      topic: 'errors',
      id: code,
      title: code,
      text: of.message,
      facts: [
        { name: 'what to do', text: of.hint },
        {
          name: 'HTTP',
          text: `${of.status}${of.retry ? ', tried again by itself in a batch' : ''}`,
        },
      ],
    })),
  ]
}

export function functionEntries(functions: readonly FunctionInfo[]): Entry[] {
  return functions.map((of) => ({
    topic: 'functions',
    id: of.name,
    title: of.name,
    text: of.description,
    code: of.signature,
    facts: [
      { name: 'returns', text: of.returns },
      { name: 'kind', text: `${of.kind}, ${of.category}` },
      ...(of.aliases.length > 0 ? [{ name: 'also', text: of.aliases.join(', ') }] : []),
    ],
  }))
}

/** Entries that hold every word, those whose title begins with the search first. */
export function search(all: readonly Entry[], text: string): Entry[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean)
  if (words.length === 0) return [...all]
  const rank = (entry: Entry) =>
    entry.title.toLowerCase().startsWith(words[0]!)
      ? 0
      : entry.title.toLowerCase().includes(words[0]!)
        ? 1
        : 2
  return all
    .filter((entry) => {
      const whole = `${entry.title} ${entry.code ?? ''} ${entry.text} ${entry.facts
        .map((fact) => `${fact.name} ${fact.text}`)
        .join(' ')}`.toLowerCase()
      return words.every((word) => whole.includes(word))
    })
    .sort((a, b) => rank(a) - rank(b))
}

const STATES: readonly (readonly [string, string, string])[] = [
  ['queued', 'Queued', 'It has not begun: the engine is busy, or steps before it still run.'],
  ['running', 'Running', 'It runs now; retrying, where an attempt before this one failed.'],
  ['waiting', 'Waiting', 'For a person or the end of a blackout; the reason stands beside it.'],
  [
    'succeeded',
    'Succeeded',
    'It is done; warned, where it succeeded and something is worth a look.',
  ],
  [
    'failed',
    'Failed',
    'It ended with an error, after its last attempt. Nothing half-written is visible.',
  ],
  [
    'skipped',
    'Skipped',
    'It did not run, because a step before it failed or a later batch took its rows.',
  ],
  ['cancelled', 'Cancelled', 'A person stopped it. What was committed before stays.'],
]
