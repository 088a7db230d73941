// `npm run pack`: the publishable tarball. Node strips no types below node_modules, so the sources go in as JavaScript, each file in
// its place: lines keep their numbers, and what lies beside a file (migrations, samples, web/build) is found as in a clone.
// `npm run pack:test` installs it in an empty folder and uses it.
import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { stripTypeScriptTypes } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { ensureBuilt } from './web-build.ts'

const TOP = resolve(import.meta.dirname, '..')

/** What only a clone needs: tests and what they stand on, benchmarks, the Worker, this file. */
const LEFT_OUT =
  /\.test\.ts$|[./]testing\.ts$|\.fixture\.ts$|conformance\.ts$|vitest\.config\.ts$|\.vectors\.json$|\.md$|^functions\/.*\.py$|^notebooks\/(tests?|examples)\b|\.pyc$|\/parity\/(corpus|scenario)|\/bench\/|\/edge-values\/|^functions\/(worker|pack)\b/

type Manifest = {
  name: string
  version: string
  description: string
  license: string
  type: string
  engines: Record<string, string>
  imports: Record<string, string>
  dependencies: Record<string, string>
}

export type Packed = { file: string; bytes: number; files: string[] }

/**
 * Writes `lakeforge-<version>.tgz` into the folder `out`.
 * @throws Error when the screens can't be built, or a file names one that is not in the package
 */
export async function pack(out: string): Promise<Packed> {
  const build = await ensureBuilt(TOP, (line) => console.error(line))
  if (build === null) throw new Error('The package needs the screens: `npm run build`.')
  const stage = await mkdtemp(join(tmpdir(), 'lakeforge-pack-'))
  try {
    const files = await writeSources(stage)
    await cp(build, join(stage, 'web/build'), { recursive: true })
    for (const name of ['README.md', 'CHANGELOG.md', 'LICENSE'])
      await cp(join(TOP, name), join(stage, name))
    const manifest = JSON.parse(await readFile(join(TOP, 'package.json'), 'utf8')) as Manifest
    await writeFile(join(stage, 'package.json'), JSON.stringify(published(manifest), null, 2))
    await mkdir(out, { recursive: true })
    const { stdout } = await promisify(execFile)(
      'npm',
      ['pack', '--json', '--ignore-scripts', '--pack-destination', resolve(out)],
      { cwd: stage, maxBuffer: 2 ** 26 },
    )
    const name = `${manifest.name}-${manifest.version}.tgz`
    if (!stdout.includes(name)) throw new Error(`npm pack did not make ${name}.`)
    const file = join(resolve(out), name)
    return { file, bytes: (await stat(file)).size, files }
  } finally {
    await rm(stage, { recursive: true, force: true })
  }
}

/** The manifest of the package: what it needs to run, and nothing of how it is made. */
function published(manifest: Manifest): Record<string, unknown> {
  const { name, version, description, license, type, engines, dependencies } = manifest
  const imports = Object.entries(manifest.imports)
    .filter(([, to]) => !to.startsWith('./web/'))
    // The longer pattern wins: sources become JavaScript, data stays as it is
    .flatMap(([from, to]) => [
      [`${from}.ts`, `${to}.js`],
      [from, to],
    ])
  return {
    name,
    version,
    description,
    license,
    type,
    engines,
    bin: { lakeforge: 'functions/launch.js' },
    imports: Object.fromEntries(imports) as Record<string, string>,
    dependencies,
  }
}

/** Copies functions/, sql/ and notebooks/, types stripped; the paths written, relative to the package. */
async function writeSources(stage: string): Promise<string[]> {
  const paths: string[] = []
  for (const folder of ['functions', 'sql', 'notebooks'])
    for (const entry of await readdir(join(TOP, folder), { recursive: true, withFileTypes: true }))
      if (entry.isFile()) paths.push(join(entry.parentPath, entry.name).slice(TOP.length + 1))
  const taken = paths.filter((path) => !LEFT_OUT.test(path)).sort()
  const known = new Set(taken)
  const written: string[] = []
  for (const path of taken) {
    const to = path.replace(/\.ts$/, '.js')
    await mkdir(dirname(join(stage, to)), { recursive: true })
    const mode = (await stat(join(TOP, path))).mode & 0o777
    if (to === path) await cp(join(TOP, path), join(stage, to))
    else
      await writeFile(
        join(stage, to),
        javaScript(path, await readFile(join(TOP, path), 'utf8'), known),
        { mode },
      )
    written.push(to)
  }
  return written
}

/** A source without its types, naming the files beside it as they are called in the package. */
function javaScript(path: string, text: string, known: ReadonlySet<string>): string {
  const name = (found: string): string => {
    const target = join(dirname(path), found)
    if (!known.has(target)) throw new Error(`${path} names ${found}, which is not in the package.`)
    return found.replace(/\.ts$/, '.js')
  }
  // Imports, and what is started by `new URL('./child.ts', import.meta.url)`
  return stripTypeScriptTypes(text).replaceAll(/(?<=['"])\.{1,2}\/[\w./-]+\.ts(?=['"])/g, name)
}

if (import.meta.main) {
  const packed = await pack(join(TOP, '.cache'))
  console.log(`${packed.file} (${(packed.bytes / 2 ** 20).toFixed(1)} MiB)`)
}
