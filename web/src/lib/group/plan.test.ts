import { expect, it } from 'vitest'
import type { PlanStep } from '#core/plan.ts'
import { planLines } from './plan.ts'

it('reads a plan by zones: what each step does and waits for', () => {
  const steps = [
    {
      zone: 'silver',
      key: 'silver:s.a',
      target: 's.a',
      depends_on: ['bronze:b.a'],
      load_type: 'merge',
      keys: ['id', 'at'],
      rules: [1, 2],
    },
    {
      zone: 'raw',
      key: 'raw:f.a',
      depends_on: [],
      source: { name: 'f' },
      name: 'a',
      read_mode: 'files',
      object: 'a.csv',
    },
    {
      zone: 'bronze',
      key: 'bronze:b.a',
      target: 'b.a',
      depends_on: ['raw:f.a'],
      write: 'append',
      rules: [],
    },
  ] as unknown as PlanStep[]
  expect(planLines(steps)).toEqual([
    {
      zone: 'raw',
      lines: [{ key: 'raw:f.a', name: 'f.a', what: 'files of a.csv', waits_for: [], rules: 0 }],
    },
    {
      zone: 'bronze',
      lines: [{ key: 'bronze:b.a', name: 'b.a', what: 'append', waits_for: ['f.a'], rules: 0 }],
    },
    {
      zone: 'silver',
      lines: [
        { key: 'silver:s.a', name: 's.a', what: 'merge by id, at', waits_for: ['b.a'], rules: 2 },
      ],
    },
  ])
})
