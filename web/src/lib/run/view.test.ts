import { describe, expect, it } from 'vitest'
import { matchOf, readBatchFilter, readBatchView } from '#lib/run/view.ts'

const filter = (text: string) => readBatchFilter(new URLSearchParams(text))

describe('the filter of batches', () => {
  it('reads what the address holds and nothing else', () => {
    expect(filter('group=g&state=failed&since=24h&nonsense=1')).toEqual({
      group: 'g',
      state: 'failed',
      since: '24h',
    })
    expect(filter('state=nonsense')).toEqual({})
    expect(filter('state=nonsense,-failed')).toEqual({ state: '-failed' })
  })

  it.each([
    ['state=failed,running', { state: 'failed,running' }],
    ['state=-succeeded', { not_state: 'succeeded' }],
    [
      'trigger=-replay,manual&group=-g',
      { trigger: 'manual', not_trigger: 'replay', not_group: 'g' },
    ],
    ['since=1h', { from: '2026-11-22T01:00:00.000Z' }],
    ['since=1h&from=2026-01-01T00:00:00Z', { from: '2026-01-01T00:00:00Z' }],
    ['warned=true', { warned: 'true' }],
    ['', {}],
  ])('asks the API for %s', (text, match) =>
    expect(matchOf(filter(text), Date.UTC(2026, 10, 22, 2, 0, 30))).toEqual(match),
  )
})

describe('the view of a batch', () => {
  it('takes a line by its number alone, and a tab that there is', () => {
    const view = (text: string) => readBatchView(new URLSearchParams(text))
    expect(view('tab=logs&line=17')).toMatchObject({ tab: 'logs', line: '17' })
    expect(view('tab=nothing&line=x')).toMatchObject({ tab: undefined, line: undefined })
  })
})
