import { describe, expect, it } from 'vitest'
import type { Plan } from '#core/plan.ts'
import type { StepError } from '#engine/engine.ts'
import { createSchedule } from './schedule.ts'

type Sketch = { key: string; depends_on?: string[]; retries?: number; target?: string }

function plan(
  steps: Sketch[],
  options: { max_parallel?: number; on_failure?: 'stop' | 'continue' } = {},
): Plan {
  return {
    format: 1,
    group: {
      id: 'g',
      name: 'g',
      max_parallel: options.max_parallel ?? 10,
      on_failure: options.on_failure ?? 'continue',
    },
    steps: steps.map(({ key, depends_on = [], retries = 0, target = `t.${key}` }) => ({
      zone: 'gold',
      key,
      config_id: key,
      depends_on,
      retries,
      timeout_s: null,
      target,
      columns: [],
      rules: [],
      cluster_by: [],
      properties: {},
      quarantine: false,
      query: 'select 1',
      materialisation: 'replace',
      inputs: [],
    })),
  }
}

const good = { state: 'succeeded', error: null } as const
const error = (retry: boolean): StepError => ({ code: 'x', message: '', hint: '', retry })
const bad = { state: 'failed', error: error(false) } as const
const flaky = { state: 'failed', error: error(true) } as const
const keys = (started: { step: string }[]) => started.map(({ step }) => step)

describe('a failure that is not the step’s own', () => {
  it('costs no attempt when another step’s stop took it along', () => {
    const schedule = createSchedule(plan([{ key: 'a' }, { key: 'b' }]), undefined, 1)
    schedule.next(0)
    expect(schedule.ended('a', { ...flaky, blameless: 'displaced' }, 5).retry).toBe(true)
    expect(schedule.next(5)).toEqual([{ step: 'a', attempt: 2 }])
    expect(schedule.ended('a', flaky, 6).retry).toBe(false)
  })

  it('lets those that fell together run one by one, and only who falls again pays', () => {
    const schedule = createSchedule(
      plan([{ key: 'a', retries: 1 }, { key: 'b' }, { key: 'c' }], { max_parallel: 2 }),
      undefined,
      100,
    )
    expect(keys(schedule.next(0))).toEqual(['a', 'b'])
    for (const key of ['a', 'b'])
      expect(schedule.ended(key, { ...flaky, blameless: 'crowd' }, 0).retry).toBe(true)
    expect(keys(schedule.next(0))).toEqual(['a'])
    expect(schedule.next(0)).toEqual([])
    // It falls alone: that is its own, and its one retry.
    expect(schedule.ended('a', flaky, 0).retry).toBe(true)
    expect(keys(schedule.next(0))).toEqual(['b'])
    schedule.ended('b', good, 0)
    expect(keys(schedule.next(1))).toEqual(['c'])
    expect(schedule.next(100)).toEqual([])
    schedule.ended('c', good, 100)
    expect(keys(schedule.next(100))).toEqual(['a'])
    expect(schedule.ended('a', flaky, 101).retry).toBe(false)
    expect(schedule.result()).toBe('failed')
  })
})

describe('the order of steps', () => {
  it('starts what depends on nothing, and the rest when all that it depends on has succeeded', () => {
    const schedule = createSchedule(
      plan([{ key: 'a' }, { key: 'b' }, { key: 'c', depends_on: ['a', 'b'] }]),
      undefined,
      1,
    )
    expect(keys(schedule.next(0))).toEqual(['a', 'b'])
    schedule.ended('a', good, 0)
    expect(schedule.next(0)).toEqual([])
    schedule.ended('b', good, 0)
    expect(schedule.next(0)).toEqual([{ step: 'c', attempt: 1 }])
    expect(schedule.result()).toBe(null)
    schedule.ended('c', good, 0)
    expect(schedule.result()).toBe('succeeded')
  })

  it('is done at once with nothing to do', () => {
    expect(createSchedule(plan([]), undefined, 1).result()).toBe('succeeded')
    expect(createSchedule(plan([{ key: 'a' }]), [], 1).result()).toBe('succeeded')
  })

  it('runs no more than max_parallel at once', () => {
    const schedule = createSchedule(
      plan([{ key: 'a' }, { key: 'b' }, { key: 'c' }], { max_parallel: 2 }),
      undefined,
      1,
    )
    expect(keys(schedule.next(0))).toEqual(['a', 'b'])
    schedule.ended('a', good, 0)
    expect(keys(schedule.next(0))).toEqual(['c'])
  })

  it('never runs two steps that write one table', () => {
    const schedule = createSchedule(
      plan([{ key: 'a', target: 's.t' }, { key: 'b', target: 's.t' }, { key: 'c' }]),
      undefined,
      1,
    )
    expect(keys(schedule.next(0))).toEqual(['a', 'c'])
    schedule.ended('a', bad, 0)
    expect(keys(schedule.next(0))).toEqual(['b'])
  })

  it('takes the steps that it was not asked to run as done', () => {
    const schedule = createSchedule(plan([{ key: 'a' }, { key: 'b', depends_on: ['a'] }]), ['b'], 1)
    expect(keys(schedule.next(0))).toEqual(['b'])
  })
})

describe('a failure', () => {
  const chain = [
    { key: 'a' },
    { key: 'b', depends_on: ['a'] },
    { key: 'c', depends_on: ['b'] },
    { key: 'x' },
    { key: 'y', depends_on: ['x'] },
  ]

  it('skips all that is below it, naming the step that failed first', () => {
    const schedule = createSchedule(plan(chain), undefined, 1)
    schedule.next(0)
    expect(schedule.ended('a', bad, 0)).toEqual({
      retry: false,
      decided: [
        { step: 'b', state: 'skipped', root_cause: 'a' },
        { step: 'c', state: 'skipped', root_cause: 'a' },
      ],
    })
    schedule.ended('x', good, 0)
    expect(keys(schedule.next(0))).toEqual(['y'])
    schedule.ended('y', good, 0)
    expect(schedule.result()).toBe('failed')
  })

  it('starts nothing more with on_failure stop, and lets what runs come to its end', () => {
    const schedule = createSchedule(plan(chain, { on_failure: 'stop' }), undefined, 1)
    schedule.next(0)
    const { decided } = schedule.ended('a', bad, 0)
    expect(decided.map(({ step, root_cause }) => [step, root_cause])).toEqual([
      ['b', 'a'],
      ['c', 'a'],
      ['y', 'a'],
    ])
    expect(schedule.running()).toEqual(['x'])
    schedule.ended('x', good, 0)
    expect(schedule.next(0)).toEqual([])
    expect(schedule.result()).toBe('failed')
  })

  it('is tried again after 1, 2, 4 times the base, as often as the step has retries', () => {
    const schedule = createSchedule(
      plan([
        { key: 'a', retries: 2 },
        { key: 'b', depends_on: ['a'] },
      ]),
      undefined,
      100,
    )
    expect(schedule.next(0)).toEqual([{ step: 'a', attempt: 1 }])
    expect(schedule.ended('a', flaky, 1000)).toEqual({ retry: true, decided: [] })
    expect(schedule.wakeAt(1000)).toBe(1100)
    expect(schedule.next(1099)).toEqual([])
    expect(schedule.next(1100)).toEqual([{ step: 'a', attempt: 2 }])
    schedule.ended('a', flaky, 2000)
    expect(schedule.wakeAt(2000)).toBe(2200)
    expect(schedule.next(2200)).toEqual([{ step: 'a', attempt: 3 }])
    expect(schedule.ended('a', flaky, 3000).decided).toEqual([
      { step: 'b', state: 'skipped', root_cause: 'a' },
    ])
    expect(schedule.wakeAt(3000)).toBe(null)
    expect(schedule.result()).toBe('failed')
  })

  it('that trying again can not help is not tried again', () => {
    const schedule = createSchedule(plan([{ key: 'a', retries: 5 }]), undefined, 1)
    schedule.next(0)
    expect(schedule.ended('a', bad, 0).retry).toBe(false)
    expect(schedule.result()).toBe('failed')
  })
})

it('lets steps run whose input was skipped because a later batch has it', () => {
  const schedule = createSchedule(
    plan([{ key: 'a' }, { key: 'b', depends_on: ['a'] }]),
    undefined,
    1,
  )
  schedule.next(0)
  schedule.ended('a', { state: 'skipped', error: null }, 0)
  expect(keys(schedule.next(0))).toEqual(['b'])
  schedule.ended('b', good, 0)
  expect(schedule.result()).toBe('succeeded')
})

it('is not asked again by the clock while ready steps wait for one that runs alone', () => {
  const schedule = createSchedule(
    plan([
      { key: 'a', retries: 1 },
      { key: 'b', retries: 1 },
    ]),
    undefined,
    1000,
  )
  schedule.next(0)
  for (const key of ['a', 'b']) schedule.ended(key, { ...flaky, blameless: 'crowd' }, 5)
  expect(schedule.next(5)).toEqual([{ step: 'a', attempt: 2 }])
  expect(schedule.wakeAt(5)).toBe(null)
  schedule.ended('a', good, 9)
  expect(schedule.next(9)).toEqual([{ step: 'b', attempt: 2 }])
})

it('ends what waits when cancelled, at once, and starts nothing more', () => {
  const schedule = createSchedule(
    plan([{ key: 'a' }, { key: 'b', retries: 1 }, { key: 'c', depends_on: ['a'] }]),
    undefined,
    1000,
  )
  schedule.next(0)
  schedule.ended('b', flaky, 0)
  expect(schedule.cancel().map(({ step, state }) => [step, state])).toEqual([
    ['b', 'cancelled'],
    ['c', 'cancelled'],
  ])
  expect(schedule.result()).toBe(null)
  expect(schedule.ended('a', { state: 'cancelled', error: null }, 0).retry).toBe(false)
  expect(schedule.next(10_000)).toEqual([])
  expect(schedule.result()).toBe('cancelled')
})
