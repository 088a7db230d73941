// The house rules that a grep can hold: who may import whom, where files lie, what the project never says.
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ERRORS } from '#core/errors.ts'

const TOP = resolve(import.meta.dirname, '..')
const SKIP = new Set([
  'node_modules',
  '.git',
  'build',
  '.svelte-kit',
  '.cache',
  '.wrangler',
  '.lakeforge',
])

function walk(folder: string): string[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (SKIP.has(entry.name)) return []
    const path = join(folder, entry.name)
    return entry.isDirectory() ? walk(path) : [path]
  })
}

const files = walk(TOP).map((path) => relative(TOP, path))
const text = (path: string) => readFileSync(join(TOP, path), 'utf8')
const sources = files.filter((path) => /^(functions|sql)\/.*\.ts$/.test(path))
const production = sources.filter(
  (path) =>
    !/\.test\.ts$|vitest\.config\.ts$|^functions\/bench\/|^sql\/testing|testing\.ts$|\.fixture\.ts$|conformance\.ts$/.test(
      path,
    ),
)

/** Where `#room/` points if not to a folder of functions/. */
const ROOMS: Record<string, string> = { sql: 'sql', functions: 'functions', lib: 'web/src/lib' }

type Import = { from: string; to: string; dynamic: boolean; typeOnly: boolean }

/** Imports of a file as paths from the top (our own) or package names; by text, which is enough for a house that forbids clever ones. */
function importsOf(path: string): Import[] {
  const code = text(path)
  const found: Import[] = []
  const add = (specifier: string, dynamic: boolean, typeOnly: boolean) => {
    const own = /^#(\w+)\/(.*)$/.exec(specifier)
    const to = own
      ? join(ROOMS[own[1]!] ?? `functions/${own[1]}`, own[2]!)
      : specifier.startsWith('.')
        ? relative(TOP, resolve(TOP, dirname(path), specifier))
        : specifier
    found.push({ from: path, to, dynamic, typeOnly })
  }
  for (const match of code.matchAll(
    /^\s*(?:import|export)\s+(type\s+)?[^'"`;()]*?from\s+'([^']+)'/gm,
  ))
    add(match[2]!, false, Boolean(match[1]))
  for (const match of code.matchAll(/^\s*import\s+'([^']+)'/gm)) add(match[1]!, false, false)
  for (const match of code.matchAll(/\bimport\(\s*'([^']+)'/g)) add(match[1]!, true, false)
  return found
}

const imports = production.flatMap(importsOf)
const inRoom = (path: string, room: string) => path.startsWith(`${room}/`)
const ours = (path: string) =>
  inRoom(path, 'functions') || inRoom(path, 'sql') || inRoom(path, 'web')
const say = (list: Import[]) => list.map((each) => `${each.from} imports ${each.to}`)

describe('who may import whom', () => {
  // node:crypto for md5, which Web Crypto lacks: a pure function, on Workers too
  it('core imports nothing of ours but core, and no package but valibot, croner, cronstrue and yaml', () => {
    const bad = imports.filter(
      (each) =>
        inRoom(each.from, 'functions/core') &&
        !inRoom(each.to, 'functions/core') &&
        ![
          'valibot',
          '@valibot/to-json-schema',
          'croner',
          'cronstrue',
          'yaml',
          'node:crypto',
        ].includes(each.to),
    )
    expect(say(bad)).toEqual([])
  })

  it('dialect imports only core and its parser', () => {
    const bad = imports.filter(
      (each) =>
        inRoom(each.from, 'functions/dialect') &&
        ours(each.to) &&
        !inRoom(each.to, 'functions/core') &&
        !inRoom(each.to, 'functions/dialect'),
    )
    expect(say(bad)).toEqual([])
  })

  it('sql imports only core', () => {
    const bad = imports.filter(
      (each) =>
        inRoom(each.from, 'sql') &&
        ours(each.to) &&
        !inRoom(each.to, 'functions/core') &&
        !inRoom(each.to, 'sql'),
    )
    expect(say(bad)).toEqual([])
  })

  it('engine imports no handler and no entry', () => {
    const bad = imports.filter(
      (each) => inRoom(each.from, 'functions/engine') && /^functions\/[^/]+\.ts$/.test(each.to),
    )
    expect(say(bad)).toEqual([])
  })

  it('only the Node entries and the CLI open the local engine and the embedded database', () => {
    const entries = ['functions/node.ts', 'functions/cli.ts', 'functions/home.ts']
    const bad = imports.filter(
      (each) =>
        !entries.includes(each.from) &&
        !inRoom(each.from, 'functions/cli') &&
        !['local', 'spark', 'parity'].some((room) =>
          inRoom(each.from, `functions/engine/${room}`),
        ) &&
        !each.typeOnly &&
        ((inRoom(each.to, 'functions/engine/local') && !each.dynamic) ||
          each.to === 'sql/pglite.ts'),
    )
    expect(say(bad)).toEqual([])
  })

  it('the dialect is imported dynamically by handlers: who saves no SQL never loads it', () => {
    const bad = imports.filter(
      (each) =>
        /^functions\/[^/]+\.ts$/.test(each.from) &&
        inRoom(each.to, 'functions/dialect') &&
        !each.dynamic &&
        !each.typeOnly,
    )
    expect(say(bad)).toEqual([])
  })

  it('nothing that the Worker imports reaches DuckDB, PGlite, the dialect or the file system', () => {
    const seen = new Set<string>()
    const bad: string[] = []
    const visit = (path: string) => {
      if (seen.has(path) || !existsSync(join(TOP, path))) return
      seen.add(path)
      for (const each of importsOf(path)) {
        if (each.typeOnly || each.dynamic) continue
        if (
          /^(@duckdb|@electric-sql|node:(fs|child_process|sqlite|worker_threads))/.test(each.to) ||
          inRoom(each.to, 'functions/dialect') ||
          inRoom(each.to, 'functions/engine/local')
        )
          bad.push(`${each.from} imports ${each.to}`)
        visit(each.to)
      }
    }
    visit('functions/worker.ts')
    expect(seen.size).toBeGreaterThan(5)
    expect(bad).toEqual([])
  })

  it('every import of ours names a file that exists', () => {
    const bad = sources
      .flatMap(importsOf)
      .filter((each) => ours(each.to) && !existsSync(join(TOP, each.to)))
    expect(say(bad)).toEqual([])
  })
})

describe('where things lie', () => {
  it('has nothing at the top level beyond the settled layout', () => {
    const settled =
      /^(functions|web|sql|notebooks|package\.json|package-lock\.json|tsconfig\.json|wrangler\.toml|README\.md|CHANGELOG\.md|LICENSE|app\.yaml|\..+)$/
    expect(
      readdirSync(TOP).filter((name) => name !== 'node_modules' && !settled.test(name)),
    ).toEqual([])
  })

  it('has no room called common, util, helper or service', () => {
    expect(
      files.filter((path) =>
        /(^|[/.-])(common|utils?|helpers?|services?|managers?)([/.-]|$)/i.test(path),
      ),
    ).toEqual([])
  })
})

describe('what the project never says', () => {
  const spoken = files.filter(
    (path) =>
      /\.(ts|svelte|py|sql|md|json|toml|yaml|yml|sh|css|html)$/.test(path) &&
      path !== 'package-lock.json' &&
      path !== 'functions/house.test.ts',
  )

  it('leaves no unfinished mark in the code', () => {
    const marks = new RegExp(['TO' + 'DO', 'FIX' + 'ME', 'not ' + 'implemented'].join('|'))
    expect(spoken.filter((path) => !path.endsWith('.md') && marks.test(text(path)))).toEqual([])
  })

  it('names no path of a machine and no registry', () => {
    const lock = text('package-lock.json')
    expect(lock.includes('"resolved"')).toBe(false)
    expect(
      spoken.filter((path) => /(^|[\s"'`(=])\/(work|home|root)\/[a-z.]/m.test(text(path))),
    ).toEqual([])
  })
})

describe('errors', () => {
  it('are sorted by code, and each says what happened and what to do next', () => {
    const codes = Object.keys(ERRORS)
    expect(codes).toEqual([...codes].sort())
    for (const [code, entry] of Object.entries(ERRORS)) {
      expect(entry.message, code).toMatch(/\S.*[.!?]$|\}$/)
      expect(entry.hint, code).toMatch(/\S/)
    }
  })

  it('are only thrown with codes that the catalogue has', () => {
    const codes = new Set(Object.keys(ERRORS))
    const bad = production.flatMap((path) =>
      [...text(path).matchAll(/\bfail\(\s*'([a-z_]+)'/g)]
        .filter((match) => !codes.has(match[1]!))
        .map((match) => `${path}: ${match[1]}`),
    )
    expect(bad).toEqual([])
  })
})
