// Files in a folder: test, discover, preview, and Source → Raw.
import { access, constants } from 'node:fs/promises'
import { LakeForgeError } from '#core/errors.ts'
import { rootOf, listFiles } from './file-list.ts'
import { testSteps, type LocalExtractor, type SourceContext } from './extractor.ts'
import { discoverFiles } from './files-discover.ts'
import { extractFiles } from './files-extract.ts'
import { previewFiles } from './files-preview.ts'

export const files: LocalExtractor = {
  test: testFiles,
  discover: discoverFiles,
  preview: previewFiles,
  // Files have no common state to hold on to: each is checked for itself.
  async openBatch(context) {
    return {
      extract: (raw, input) => extractFiles(context, raw, input),
      async close() {},
    }
  },
}

function testFiles(context: SourceContext) {
  const root = String(context.source.options.root)
  let base = root
  return testSteps(
    [
      {
        check: 'folder_exists',
        run: async () => {
          base = await rootOf(root)
          return `There is a folder ${base}.`
        },
      },
      {
        check: 'folder_readable',
        run: async () => {
          await access(base, constants.R_OK | constants.X_OK)
          return 'Its files can be listed.'
        },
      },
      {
        check: 'files_found',
        run: async () => {
          const found = await listFiles(root, '**/*')
          if (found.length === 0) throw new LakeForgeError('source_empty', { path: root })
          const bytes = found.reduce((sum, file) => sum + file.size, 0)
          return `${found.length} files, ${bytes} bytes.`
        },
      },
      {
        check: 'files_readable',
        run: async () => {
          const found = await listFiles(root, '**/*')
          for (const file of found) await access(file.absolute, constants.R_OK)
          return 'All of them can be read.'
        },
      },
    ],
    (error) =>
      error instanceof LakeForgeError
        ? { message: error.message, hint: error.hint }
        : {
            message: 'The folder or one of its files can not be read.',
            hint: 'Give the user that runs LakeForge the right to read it.',
          },
  )
}
