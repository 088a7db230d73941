// What differs between two plans.
import { describe, expect, it } from 'vitest'
import { columns, fileSteps, goldStep, rule } from '#engine/testing.ts'
import { columnChanges, planChanges } from './plan-changes.ts'
import type { Plan } from './plan.ts'

const plan = (...steps: Plan['steps']): Plan => ({
  format: 1,
  group: { id: 'g', name: 'shop', max_parallel: 4, on_failure: 'continue' },
  steps,
})
const raw = () => fileSteps('/data', '*.csv', 'bronze.orders', columns('id int', 'amount int'))
const gold = (query: string, more = {}) =>
  goldStep('gold.sum', query, columns('n bigint'), [], more)

describe('between two plans', () => {
  it('nothing differs where nothing changed', () => {
    expect(planChanges(plan(...raw()), plan(...raw()))).toEqual([])
    expect(columnChanges(plan(...raw()), plan(...raw()))).toEqual([])
  })

  it('a setting is named by its path, before and after', () => {
    const changes = planChanges(plan(gold('select 1 as n')), plan(gold('select 2 as n')))
    expect(changes).toEqual([
      {
        step: 'gold:gold.sum',
        change: 'changed',
        settings: [{ path: 'query', before: 'select 1 as n', after: 'select 2 as n' }],
      },
    ])
  })

  it('a rule is found by its name, wherever it stands', () => {
    const one = rule('one', 'not_null', ['n'], 'warn')
    const two = rule('two', 'not_null', ['n'], 'warn')
    const changes = planChanges(
      plan(gold('select 1 as n', { rules: [two] })),
      plan(gold('select 1 as n', { rules: [one, { ...two, on_fail: 'fail' }] })),
    )
    expect(changes[0]!.settings.map((each) => each.path)).toEqual([
      'rules.one',
      'rules.two.on_fail',
    ])
  })

  it('steps come and go, and the group itself may change', () => {
    const before = plan(gold('select 1 as n'))
    const after = { ...plan(...raw()), group: { ...before.group, max_parallel: 8 } }
    expect(planChanges(before, after).map((each) => [each.step, each.change])).toEqual([
      ['group', 'changed'],
      ['raw:files.bronze_orders', 'added'],
      ['bronze:bronze.orders', 'added'],
      ['gold:gold.sum', 'removed'],
    ])
  })

  it('columns are added, removed and retyped, and are no setting', () => {
    const [, before] = raw()
    const [, after] = fileSteps('/data', '*.csv', 'bronze.orders', columns('id bigint', 'tax int'))
    expect(columnChanges(plan(before), plan(after))).toEqual([
      {
        step: 'bronze:bronze.orders',
        column: 'id',
        change: 'retyped',
        before: 'int',
        after: 'bigint',
      },
      { step: 'bronze:bronze.orders', column: 'tax', change: 'added', before: null, after: 'int' },
      {
        step: 'bronze:bronze.orders',
        column: 'amount',
        change: 'removed',
        before: 'int',
        after: null,
      },
    ])
    expect(planChanges(plan(before), plan(after))).toEqual([])
  })
})
