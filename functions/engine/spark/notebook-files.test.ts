import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { notebookFiles } from './notebook-files.ts'

it('the JSON that the notebooks read is what the schemas and the catalogue say now', () => {
  const notebooks = join(import.meta.dirname, '../../../notebooks')
  for (const [path, text] of Object.entries(notebookFiles()))
    expect(
      readFileSync(join(notebooks, path), 'utf8'),
      `${path} is stale: node functions/engine/spark/notebook-files.ts`,
    ).toBe(text)
})
