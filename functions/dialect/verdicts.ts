// What SQL in metadata may use and what it may not, as data for the help pages: verdicts.json is written by
// `node functions/dialect/verdicts.ts` from the catalogue, and verdicts.test.ts holds the two together.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { CONSTRUCTS } from './constructs.ts'
import { FUNCTIONS } from './functions.ts'
import { REFUSED } from './refused.ts'

export type Verdict = {
  kind: 'function' | 'construct'
  name: string
  aliases: string[]
  category: string
  /** How it is written. */
  signature: string
  /** What it gives; empty for what is refused. */
  description: string
  /** Spark's rule for the type of its result; empty for constructs and for what is refused. */
  returns: string
  /** `same`: the same value and type on both engines. `refused`: at save, by name, with the reason. */
  verdict: 'same' | 'refused'
  /** Why it is refused, and what to use instead. */
  reason?: string
}

/** Functions, then constructs; each by name. */
export const VERDICTS: Verdict[] = [
  ...[
    ...FUNCTIONS.map(({ name, aliases, category, signature, description, returns }): Verdict => ({
      kind: 'function',
      name,
      aliases,
      category,
      signature,
      description,
      returns,
      verdict: 'same',
    })),
    ...[...REFUSED.values()].map(({ name, category, reason }): Verdict => ({
      kind: 'function',
      name,
      aliases: [],
      category,
      signature: `${name}(…)`,
      description: '',
      returns: '',
      verdict: 'refused',
      reason,
    })),
  ].sort((a, b) => (a.name < b.name ? -1 : 1)),
  ...CONSTRUCTS.map(({ name, category, signature, description, reason }): Verdict => ({
    kind: 'construct',
    name,
    aliases: [],
    category,
    signature,
    description: description ?? '',
    returns: '',
    verdict: reason === undefined ? 'same' : 'refused',
    ...(reason === undefined ? {} : { reason }),
  })),
]

if (import.meta.main)
  writeFileSync(
    join(import.meta.dirname, 'verdicts.json'),
    `${JSON.stringify(VERDICTS, null, 2)}\n`,
  )
