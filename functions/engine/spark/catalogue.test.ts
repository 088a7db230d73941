import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { CHECKS } from '#core/checks.ts'
import { EXTRACTORS } from '#core/extractors.ts'
import { LOAD_TYPES } from '#core/writers.ts'

/** Keys of a dictionary that a Python file of the notebooks' library assigns to `name`. */
function keysOf(path: string, name: string): string[] {
  const text = readFileSync(join(import.meta.dirname, '../../../notebooks/lakeforge', path), 'utf8')
  const body = new RegExp(`^${name}[^=]*= \\{([^}]*)\\}`, 'm').exec(text)![1]!
  return [...body.matchAll(/"([a-z0-9_]+)":/g)].map((match) => match[1]!)
}
const claimed = (entries: Record<string, { engines: readonly string[] }>) =>
  Object.keys(entries).filter((key) => entries[key]!.engines.includes('spark'))

it('what the catalogues promise for Spark, the library has', () => {
  expect(keysOf('extractors/__init__.py', 'EXTRACTORS')).toEqual(
    expect.arrayContaining(claimed(EXTRACTORS)),
  )
  expect(keysOf('writers/__init__.py', 'WRITERS').toSorted()).toEqual(
    claimed(LOAD_TYPES).toSorted(),
  )
  expect(keysOf('checks.py', 'KINDS').toSorted()).toEqual(claimed(CHECKS).toSorted())
})
