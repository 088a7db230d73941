// An app over a fresh store for tests, called as a client calls it.
import { freshDb } from '#sql/testing.ts'
import type { Sql } from '#sql/db.ts'
import { createApp } from './app.ts'
import type { AuthSettings } from './auth.ts'
import type { Deps } from './request.ts'

export type TestApp = {
  sql: Sql
  deps: Deps
  /** Status, headers and the body as JSON (text where it is none). */
  call(
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<Answer>
}
// oxlint-disable-next-line typescript/no-explicit-any -- tests look at whatever came back
export type Answer = { status: number; headers: Headers; body: any }

/** Opens an app on a database of its own, in mode `local` unless told otherwise. Close it with `sql.end()`. */
export async function openTestApp(
  overrides: Partial<Deps> = {},
  auth: AuthSettings = { mode: 'local' },
): Promise<TestApp> {
  const sql = await freshDb()
  const deps: Deps = {
    sql,
    engines: {},
    version: 'test',
    dialect: () => import('#dialect/index.ts'),
    sources: null,
    ...overrides,
  }
  const app = createApp(deps, auth)
  return {
    sql,
    deps,
    async call(method, path, body, headers = {}) {
      const answer = await app.request(`http://localhost${path}`, {
        method,
        headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
        ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      })
      const text = await answer.text()
      const json =
        /json/.test(answer.headers.get('content-type') ?? '') &&
        !/ndjson/.test(answer.headers.get('content-type') ?? '')
      return {
        status: answer.status,
        headers: answer.headers,
        body: json ? JSON.parse(text) : text,
      }
    },
  }
}
