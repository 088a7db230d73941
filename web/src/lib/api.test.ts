import { afterEach, expect, it, vi } from 'vitest'
import { api, writeToken, type ApiError } from '#lib/api.ts'

// The network is not ours: fetch answers what a server would.
function answer(response: () => Response | Promise<Response>) {
  const asked = vi.fn<typeof fetch>(async () => response())
  vi.stubGlobal('fetch', asked)
  return asked
}
const failure = (work: Promise<unknown>): Promise<ApiError> =>
  work.then(
    () => expect.unreachable('it should have failed'),
    (error: ApiError) => error,
  )

afterEach(() => {
  vi.unstubAllGlobals()
  writeToken('')
})

it('turns a problem document into one error with its code, hint and request id', async () => {
  answer(() =>
    Response.json(
      { detail: 'The store is busy.', code: 'store_busy', hint: 'Wait.', request_id: 'r1' },
      { status: 503 },
    ),
  )
  expect(await failure(api.batch('1'))).toMatchObject({
    code: 'store_busy',
    message: 'The store is busy.',
    hint: 'Wait.',
    status: 503,
    request_id: 'r1',
  })
})

it('has words for an answer that is no problem document, and for none', async () => {
  answer(() => new Response('<h1>Bad gateway</h1>', { status: 502 }))
  expect(await failure(api.groups())).toMatchObject({ code: 'http_502', status: 502 })
  answer(() => Promise.reject(new TypeError('Failed to fetch')))
  expect(await failure(api.groups())).toMatchObject({ code: 'offline', status: 0 })
})

it('lets an abort be an abort', async () => {
  const abort = new AbortController()
  abort.abort()
  answer(() => Promise.reject(new DOMException('aborted', 'AbortError')))
  await expect(api.groups(abort.signal)).rejects.toHaveProperty('name', 'AbortError')
})

it('sends the token that a person typed, and none otherwise', async () => {
  const asked = answer(() => Response.json({ items: [], next: null }))
  const sent = () => new Headers(asked.mock.lastCall?.[1]?.headers).get('authorization')
  await api.groups()
  expect(sent()).toBeNull()
  writeToken('lf_1')
  await api.cancel('a/.. b')
  expect(sent()).toBe('Bearer lf_1')
  expect(String(asked.mock.lastCall?.[0])).toMatch(/\/api\/batches\/a%2F\.\.%20b\/cancel$/)
})
