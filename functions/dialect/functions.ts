// The list: every function that SQL in metadata may call, in Spark's words. What isn't here is refused by name.
import type { FunctionEntry, FunctionInfo } from './catalogue.ts'
import { AGGREGATES } from './functions/aggregates.ts'
import { ARRAYS } from './functions/arrays.ts'
import { ATTEMPTS } from './functions/attempts.ts'
import { BITS } from './functions/bits.ts'
import { COLLECTIONS } from './functions/collections.ts'
import { CONDITIONALS } from './functions/conditionals.ts'
import { CONVERSIONS } from './functions/conversions.ts'
import { DATE_ARITHMETIC } from './functions/date-arithmetic.ts'
import { DATE_PARTS } from './functions/date-parts.ts'
import { DATE_TEXTS } from './functions/date-texts.ts'
import { ENCODINGS } from './functions/encodings.ts'
import { EPOCHS } from './functions/epochs.ts'
import { JSONS } from './functions/json.ts'
import { LAMBDAS } from './functions/lambdas.ts'
import { MAPS } from './functions/maps.ts'
import { MATHEMATICS } from './functions/mathematics.ts'
import { NUMBERS } from './functions/numbers.ts'
import { REGEXES } from './functions/regexes.ts'
import { SEQUENCES } from './functions/sequences.ts'
import { STATISTICS } from './functions/statistics.ts'
import { STRINGS } from './functions/strings.ts'
import { TEXTS } from './functions/texts.ts'
import { WINDOWS } from './functions/windows.ts'
import { ZONES } from './functions/zones.ts'

const ENTRIES: FunctionEntry[] = [
  ...AGGREGATES,
  ...ARRAYS,
  ...ATTEMPTS,
  ...BITS,
  ...COLLECTIONS,
  ...CONDITIONALS,
  ...CONVERSIONS,
  ...DATE_ARITHMETIC,
  ...DATE_PARTS,
  ...DATE_TEXTS,
  ...ENCODINGS,
  ...EPOCHS,
  ...JSONS,
  ...LAMBDAS,
  ...MAPS,
  ...MATHEMATICS,
  ...NUMBERS,
  ...REGEXES,
  ...SEQUENCES,
  ...STATISTICS,
  ...STRINGS,
  ...TEXTS,
  ...WINDOWS,
  ...ZONES,
]

const BY_NAME = new Map<string, FunctionEntry>()
for (const entry of ENTRIES)
  for (const name of [entry.name, ...(entry.aliases ?? [])]) BY_NAME.set(name, entry)

/** The entry of a function's name or alias in lower case. */
export const lookup = (name: string): FunctionEntry | undefined => BY_NAME.get(name)

/** The list for people: help pages and completion are drawn from it. Sorted by name. */
export const FUNCTIONS: FunctionInfo[] = ENTRIES.map(
  ({ name, category, signature, description, returns, kind, aliases }) => ({
    name,
    category,
    signature,
    description,
    returns,
    kind: kind ?? ('scalar' as const),
    aliases: aliases ?? [],
  }),
).sort((a, b) => (a.name < b.name ? -1 : 1))
