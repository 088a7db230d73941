import { describe, expect, it } from 'vitest'
import type { Action } from '#lib/api/sync.ts'
import { counts, inOrder, refusal, requestOf, stateOf, withNeeds } from './plan.ts'

const action = (id: string, more: Partial<Action> = {}): Action => ({
  id,
  kind: 'job',
  key: id,
  name: id,
  do: 'update',
  reason: '',
  confirm: false,
  changes: [],
  drift: [],
  drift_at: null,
  blast: null,
  spec: {},
  content: null,
  remote_id: null,
  live_hash: null,
  needs: [],
  ...more,
})
const gone = action('job:old', { name: 'crm_old', do: 'delete', confirm: true })
const made = action('pipeline:sales', { do: 'create' })
const job = action('job:sales', { needs: ['pipeline:sales'] })
const changed = action('job:crm', {
  do: 'drift',
  confirm: true,
  drift: [{ path: 'max_concurrent_runs', before: 3, after: 1 }],
})
const all = [made, job, gone, changed]
const choice = (ids: string[], more = {}) => ({
  chosen: new Set(ids),
  typed: {},
  drift: {},
  ...more,
})

describe('a sync plan on screen', () => {
  it('shows what takes something away first, and counts each kind', () => {
    expect(inOrder(all).map(({ id }) => id)).toEqual([gone.id, changed.id, made.id, job.id])
    expect(counts(all)).toEqual([
      { doing: 'create', count: 1 },
      { doing: 'update', count: 1 },
      { doing: 'delete', count: 1 },
      { doing: 'drift', count: 1 },
    ])
  })

  it('takes along what a chosen action needs', () => {
    expect([...withNeeds(all, [job.id])].sort()).toEqual([job.id, made.id])
    expect(requestOf('p', all, choice([job.id])).only).toEqual([made.id, job.id])
  })

  it('is not applied before a delete is typed by its name, exactly', () => {
    const typed = (text: string) => refusal(all, choice([gone.id], { typed: { [gone.id]: text } }))
    expect(refusal(all, choice([gone.id]))).toContain('crm_old')
    expect(typed('crm_ol')).toContain('crm_old')
    expect(typed('crm_old')).toBeUndefined()
    const request = requestOf('p', all, choice([gone.id], { typed: { [gone.id]: 'crm_old' } }))
    expect(request).toEqual({ plan_id: 'p', only: [gone.id], confirm: [gone.id] })
  })

  it('is not applied before a drift is decided, and says the decision', () => {
    expect(refusal(all, choice([changed.id]))).toContain('job:crm')
    const decided = choice([changed.id], { drift: { [changed.id]: 'adopt' } })
    expect(refusal(all, decided)).toBeUndefined()
    expect(requestOf('p', all, decided).drift).toEqual({ [changed.id]: 'adopt' })
  })

  it('refuses an empty choice, and knows how far each action has come', () => {
    expect(refusal(all, choice([]))).toBe('Choose what to apply.')
    const items = [
      {
        position: 1,
        state: 'failed' as const,
        error_code: 'x',
        error_message: 'm',
        error_hint: null,
      },
    ]
    const states = stateOf(all, items)
    expect(states.get(job.id)?.state).toBe('failed')
    expect(states.get(made.id)).toBeUndefined()
  })
})
