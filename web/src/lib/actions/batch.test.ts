import { describe, expect, it } from 'vitest'
import { BATCH_CAN, STATES } from '#core/batch.ts'
import { batchActions, retryFromReason } from '#lib/actions/batch.ts'

const reason = (of: Parameters<typeof batchActions>[0], id: string) =>
  batchActions(of).find((action) => action.id === id)?.disabled_reason

describe('what can be done to a batch', () => {
  it('agrees with the back end in every state, and says why not', () => {
    for (const state of STATES) {
      for (const id of ['retry', 'replay', 'cancel'] as const)
        expect(reason({ state }, id) === undefined, `${state} ${id}`).toBe(
          BATCH_CAN[state].includes(id),
        )
      expect(reason({ state }, 'run')).toBeUndefined()
    }
  })

  it('is not cancelled twice, and a replay is not replayed', () => {
    expect(reason({ state: 'running', cancel_requested_at: 'x' }, 'cancel')).toMatch(/being/)
    expect(reason({ state: 'succeeded', replay_of: 'x' }, 'replay')).toMatch(/itself/)
  })

  it('goes on at a step that is not done, once the batch has ended', () => {
    expect(retryFromReason({ state: 'failed' }, { state: 'skipped' })).toBeUndefined()
    expect(retryFromReason({ state: 'failed' }, { state: 'succeeded' })).toMatch(/done/)
    expect(retryFromReason({ state: 'running' }, { state: 'failed' })).toMatch(/not ended/)
  })
})
