// What stands behind `secret://scope/key` on this machine: the environment, or a file that only its owner can read.
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { fail } from '#core/errors.ts'

/**
 * The value of a reference: the variable `LAKEFORGE_SECRET_<SCOPE>_<KEY>` (upper case, other characters as `_`), else the
 * entry `"scope/key"` of `secrets.json` in `home`. Read anew each time, so that a rotated secret is taken without a restart.
 * @throws secret_missing, secret_exposed when others may read the file
 */
export async function resolveSecret(home: string | null, reference: string): Promise<string> {
  const found = /^secret:\/\/([A-Za-z0-9_.-]{1,128})\/([A-Za-z0-9_.-]{1,128})$/.exec(reference)
  if (!found) return fail('secret_missing', { variable: '', reference: 'of another form' })
  const [, scope, key] = found
  const variable = `LAKEFORGE_SECRET_${scope}_${key}`.toUpperCase().replace(/[^A-Z0-9]/g, '_')
  const value = process.env[variable] ?? (await entries(home))[`${scope}/${key}`]
  return typeof value === 'string' ? value : fail('secret_missing', { reference, variable })
}

async function entries(home: string | null): Promise<Record<string, unknown>> {
  if (home === null) return {}
  const path = join(home, 'secrets.json')
  let text: string
  try {
    if (process.platform !== 'win32' && ((await stat(path)).mode & 0o077) !== 0)
      fail('secret_exposed', { path })
    text = await readFile(path, 'utf8')
  } catch (error) {
    if ((error as { code?: string }).code === 'ENOENT') return {}
    throw error
  }
  try {
    return JSON.parse(text) as Record<string, unknown>
  } catch {
    // The parser's message quotes the text, and the text is secret.
    return fail('secret_file_invalid', { path })
  }
}
