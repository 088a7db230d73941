// Which steps a retry runs again.
import { describe, expect, it } from 'vitest'
import { stepsToRetry } from './retry.ts'
import type { RetryScope, RetryStep } from './retry.ts'

const step = (key: string, state: RetryStep['state'], ...depends_on: string[]): RetryStep => ({
  key,
  state,
  depends_on,
})

// a fails and takes c and d along; b is cancelled with e below it; f is done
const STEPS = [
  step('a', 'failed'),
  step('b', 'cancelled'),
  step('f', 'succeeded'),
  step('c', 'skipped', 'a', 'f'),
  step('d', 'skipped', 'c', 'b'),
  step('e', 'skipped', 'b'),
]

describe('a retry runs', () => {
  it.each<[string, RetryScope, string[]]>([
    ['everything that is not done', { scope: 'all', from: null }, ['a', 'b', 'c', 'd', 'e']],
    [
      'what failed, what followed from it, and what that needs besides',
      { scope: 'failed', from: null },
      ['a', 'b', 'c', 'd'],
    ],
    [
      'from a step on, with the unfinished steps above it',
      { scope: 'step', from: 'c' },
      ['a', 'b', 'c', 'd'],
    ],
    ['from the last step on, with all that it reads', { scope: 'step', from: 'e' }, ['b', 'e']],
    [
      'below a step that is done already, without it',
      { scope: 'step', from: 'f' },
      ['a', 'b', 'c', 'd'],
    ],
    ['nothing from a step that is not there', { scope: 'step', from: 'x' }, []],
    ['nothing from no step', { scope: 'step', from: null }, []],
  ])('%s', (_what, scope, keys) => expect(stepsToRetry(STEPS, scope)).toEqual(keys))

  it('what a stop at the failure skipped, though it does not depend on it', () => {
    const steps = [step('a', 'failed'), { ...step('z', 'skipped'), root_cause: 'a' }]
    expect(stepsToRetry(steps, { scope: 'failed', from: null })).toEqual(['a', 'z'])
  })

  it('nothing where all is done or still runs', () => {
    const steps = [step('a', 'succeeded'), step('b', 'running', 'a'), step('c', 'pending', 'b')]
    expect(stepsToRetry(steps, { scope: 'all', from: null })).toEqual([])
  })

  it('ten thousand steps in a row at once', () => {
    const chain = Array.from({ length: 10_000 }, (_, n) =>
      n === 0 ? step('s0', 'failed') : step(`s${n}`, 'skipped', `s${n - 1}`),
    )
    expect(stepsToRetry(chain, { scope: 'failed', from: null })).toHaveLength(10_000)
  })
})
