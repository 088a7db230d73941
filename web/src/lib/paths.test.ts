import { expect, it } from 'vitest'
import { NAV, paths } from '#lib/paths.ts'
import { readBatchFilter, readBatchView } from '#lib/run/view.ts'
import { since } from '#lib/since.ts'

it('shows all addresses at once', () => {
  expect({
    home: paths.home(),
    batches: paths.batches(),
    filtered: paths.batches({ group: 'a b', state: 'failed', since: '24h' }),
    batch: paths.batch('../x'),
    step: paths.batch('1', { tab: 'timeline', step: 'raw:a&b' }),
    logs: paths.batch('1', { tab: 'logs', level: 'error' }),
  }).toEqual({
    home: '/',
    batches: '/batches',
    filtered: '/batches?group=a+b&state=failed&since=24h',
    batch: '/batches/..%2Fx',
    step: '/batches/1?step=raw%3Aa%26b',
    logs: '/batches/1?tab=logs&level=error',
  })
})

it('gives each place of the side bar one address and one key', () => {
  const entries = NAV.flatMap((part) => part.entries)
  expect(new Set(entries.map((entry) => entry.href)).size).toBe(entries.length)
  const keys = entries.flatMap((entry) => entry.key ?? [])
  expect(new Set(keys).size).toBe(keys.length)
})

it('reads back what it wrote, and leaves out what it does not know', () => {
  const filter = { group: 'g', state: 'failed', trigger: 'api', since: '7d' } as const
  expect(readBatchFilter(new URL(paths.batches(filter), 'http://x').searchParams)).toEqual(filter)
  expect(readBatchFilter(new URLSearchParams('state=exploded&group='))).toEqual({})
  const view = { tab: 'logs', step: 'a:b', level: 'warn', find: 'x', problems: '1' } as const
  expect(readBatchView(new URL(paths.batch('1', view), 'http://x').searchParams)).toEqual(view)
})

it('begins a window on the full minute', () => {
  const now = Date.parse('2026-11-23T10:41:07.120Z')
  expect(since('24h', now)).toBe('2026-11-22T10:41:00.000Z')
  expect([since(undefined, now), since('yesterday', now)]).toEqual([undefined, undefined])
})
