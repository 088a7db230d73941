// Which files a path or glob below a source's root means. Nothing outside of the root is ever named: not by `..`, not by an
// absolute path, not through a symbolic link.
import { glob, realpath, stat } from 'node:fs/promises'
import { isAbsolute, join, relative, sep } from 'node:path'
import { fail } from '#core/errors.ts'

export type SourceFile = {
  /** Below the root, with `/`. */
  path: string
  absolute: string
  size: number
  /** Nanoseconds since 1970. */
  modified_ns: bigint
}

/** Pattern characters of a glob; a file that is really called so is found by its exact name first. */
const GLOB = /[*?[\]{}()!]/

/**
 * Files that `object` names, by the UTF-8 order of their paths. Hidden files (`.…`) and folders are left out.
 * @throws path_outside, source_folder_missing
 */
export async function listFiles(root: string, object: string): Promise<SourceFile[]> {
  const base = await rootOf(root)
  const pattern = checkedPattern(object)
  const paths = new Set<string>()
  const exact = await fileAt(base, pattern)
  if (exact) paths.add(pattern)
  else if (GLOB.test(pattern))
    for await (const entry of glob(pattern, { cwd: base }))
      if (!isHidden(entry)) paths.add(entry.split(sep).join('/'))
  const files: SourceFile[] = []
  for (const path of paths) {
    const file = await fileAt(base, path)
    if (file) files.push(file)
  }
  return files.sort((a, b) => Buffer.compare(Buffer.from(a.path), Buffer.from(b.path)))
}

/**
 * The root as the file system knows it.
 * @throws source_folder_missing
 */
export async function rootOf(root: string): Promise<string> {
  if (!isAbsolute(root) || root.includes('\0')) return fail('path_outside', { path: shown(root) })
  try {
    const real = await realpath(root)
    if ((await stat(real)).isDirectory()) return real
  } catch (error) {
    if (['EACCES', 'EPERM'].includes(codeOf(error)))
      return fail('file_denied', { reason: shown(root) }, { cause: error })
  }
  return fail('source_folder_missing', { path: shown(root) })
}

/** Braces could still put a `..` together; what they find is checked one by one. @throws path_outside */
function checkedPattern(object: string): string {
  const pattern = object.replace(/^(\.\/)+/, '').replace(/\/{2,}/g, '/')
  if (
    pattern === '' ||
    object.includes('\0') ||
    isAbsolute(pattern) ||
    pattern.split(/[/\\]/).includes('..')
  )
    return fail('path_outside', { path: shown(object) })
  return pattern
}

/** The regular file at a path below the root; null when there is none. @throws path_outside for links that leave the root */
async function fileAt(base: string, path: string): Promise<SourceFile | null> {
  const absolute = join(base, path)
  try {
    const real = await realpath(absolute)
    const inside = relative(base, real)
    if (inside === '..' || inside.startsWith(`..${sep}`) || isAbsolute(inside))
      return fail('path_outside', { path: shown(path) })
    const info = await stat(real, { bigint: true })
    if (!info.isFile()) return null
    return { path, absolute: real, size: Number(info.size), modified_ns: info.mtimeNs }
  } catch (error) {
    // Gone since it was listed, or a link to nothing.
    if (['ENOENT', 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG'].includes(codeOf(error))) return null
    if (['EACCES', 'EPERM'].includes(codeOf(error)))
      return fail('file_denied', { reason: shown(path) }, { cause: error })
    throw error
  }
}

function isHidden(path: string): boolean {
  return path.split(sep).some((part) => part.startsWith('.') && part !== '..')
}

function shown(path: string): string {
  return path.replaceAll('\0', '␀').slice(0, 300)
}

function codeOf(error: unknown): string {
  return String((error as { code?: unknown } | null)?.code ?? '')
}
