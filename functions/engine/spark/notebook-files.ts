// What the notebooks share with TypeScript, as JSON that is checked in: the schemas of plan and run input, and the entries of
// the error catalogue that the notebooks use. `node functions/engine/spark/notebook-files.ts` writes them anew.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { toJsonSchema } from '@valibot/to-json-schema'
import { ERRORS } from '#core/errors.ts'
import { canonicalJson, Plan, RunInput } from '#core/plan.ts'

const NOTEBOOKS = join(import.meta.dirname, '../../../notebooks')

/** Path below `notebooks/` -> text, for every generated file. @throws when Python names a code that the catalogue lacks */
export function notebookFiles(): Record<string, string> {
  const codes = [...new Set(pythonFiles().flatMap((path) => codesIn(readFileSync(path, 'utf8'))))]
  const unknown = codes.filter((code) => !Object.hasOwn(ERRORS, code))
  if (unknown.length > 0) throw new Error(`not in the catalogue: ${unknown.join(', ')}`)
  const errors = Object.fromEntries(
    codes.toSorted().map((code) => {
      const { message, hint, retry } = ERRORS[code as keyof typeof ERRORS]
      return [code, { message, hint, retry }]
    }),
  )
  return {
    'lakeforge/plan.schema.json': pretty({
      plan: toJsonSchema(Plan),
      run_input: toJsonSchema(RunInput),
    }),
    'lakeforge/errors.json': pretty(errors),
  }
}

/** Codes that Python throws, or names as what a foreign error means. */
function codesIn(text: string): string[] {
  return [...text.matchAll(/\b(?:LakeForgeError|fail|error_code)\(\s*"([a-z_]+)"/g)].map(
    (match) => match[1]!,
  )
}

function pythonFiles(): string[] {
  return readdirSync(NOTEBOOKS, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.py') && !path.startsWith('tests'))
    .map((path) => join(NOTEBOOKS, path))
}

function pretty(value: unknown): string {
  return `${JSON.stringify(JSON.parse(canonicalJson(value)), null, 2)}\n`
}

if (import.meta.main)
  for (const [path, text] of Object.entries(notebookFiles()))
    writeFileSync(join(NOTEBOOKS, path), text)
