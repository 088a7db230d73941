import { expect, it } from 'vitest'
import { BATCH_CAN, STATES } from '#core/batch.ts'
import { batchActions } from '#lib/actions/batch.ts'

it.each(STATES)(
  'offers for a batch that is %s what the back end allows, and says why not',
  (state) => {
    for (const action of batchActions({ id: '1', state })) {
      const allowed = BATCH_CAN[state].includes(action.id)
      expect(action.disabled_reason === undefined).toBe(allowed)
      if (!allowed) expect(action.disabled_reason).toMatch(/^[A-Z].*\.$/)
    }
  },
)

it('asks before it cancels, and does not cancel twice', () => {
  const cancel = (cancel_requested_at: string | null) =>
    batchActions({ id: '1', state: 'running', cancel_requested_at }).find(
      (action) => action.id === 'cancel',
    )!
  expect(cancel(null).confirm?.title).toBe('Cancel this batch?')
  expect(cancel('2026-11-23T10:00:00Z').disabled_reason).toBe('It is being cancelled.')
})
