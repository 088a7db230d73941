// Every route is called by some test: by text, which is enough to notice one that nobody thought of.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { createApp } from './app.ts'
import type { Deps } from './request.ts'

it('calls every route in some test', () => {
  const app = createApp({ version: 'test' } as Deps, { mode: 'local' })
  const tests = [import.meta.dirname, join(import.meta.dirname, 'cli')]
    .flatMap((folder) => readdirSync(folder).map((name) => join(folder, name)))
    .filter((path) => path.endsWith('.test.ts') && !path.endsWith('routes.test.ts'))
    .map((path) => readFileSync(path, 'utf8'))
    .join('\n')
  const routes = new Set(
    app.routes.filter((route) => route.method !== 'ALL').map((route) => route.path),
  )
  const parametric = (path: string) =>
    new RegExp(
      path
        .split('/')
        .map((part) => (part.startsWith(':') ? '[^/\'"`?]+' : part.replaceAll('.', '\\.')))
        .join('/') + '(?=[\'"`?$]|$)',
      'm',
    )
  // Those of the factory in resource.ts are one piece of code: tried on the resources that differ most
  const byFactory = /^\/api\/[a-z-]+(\/:id(\/dependants)?)?$/
  const missing = [...routes].filter(
    (path) => !byFactory.test(path) && !parametric(path).test(tests),
  )
  expect(routes.size).toBeGreaterThan(50)
  expect(missing).toEqual([])
})
