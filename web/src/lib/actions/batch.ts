// What can be done to a batch, as data: the header, the step and the keyboard draw the same list. Which state allows what is the
// back end's table, so that a button and the API's refusal agree.
import { BATCH_CAN, isFinal, type BatchAction as Ability, type State } from '#core/batch.ts'

export type BatchAction = {
  id: 'retry' | 'retry_all' | 'replay' | 'apply' | 'run' | 'cancel'
  label: string
  danger: boolean
  /** Why it can't be done now. */
  disabled_reason?: string
}

type Of = { state: State; cancel_requested_at?: string | null; replay_of?: string | null }

/** In the order of the header: the first is the most likely one. */
export function batchActions(batch: Of): BatchAction[] {
  const can = (ability: Ability) => BATCH_CAN[batch.state].includes(ability)
  const not_ended = 'The batch has not ended yet.'
  const retry = can('retry')
    ? undefined
    : isFinal(batch.state)
      ? 'Nothing failed in this batch.'
      : not_ended
  const replay = !isFinal(batch.state)
    ? not_ended
    : batch.replay_of
      ? 'This batch is itself a replay.'
      : can('replay')
        ? undefined
        : 'Nothing of it succeeded that could be repeated.'
  return [
    { id: 'retry', label: 'Retry failed', danger: false, disabled_reason: retry },
    { id: 'retry_all', label: 'Retry all that is not done', danger: false, disabled_reason: retry },
    { id: 'replay', label: 'Replay and compare', danger: false, disabled_reason: replay },
    { id: 'apply', label: 'Replay and apply…', danger: true, disabled_reason: replay },
    { id: 'run', label: 'Run now', danger: false },
    {
      id: 'cancel',
      label: 'Cancel batch',
      danger: true,
      disabled_reason: !can('cancel')
        ? 'The batch has ended.'
        : batch.cancel_requested_at
          ? 'It is being cancelled.'
          : undefined,
    },
  ]
}

/** Why a retry can't begin at a step now; undefined where it can. */
export function retryFromReason(batch: Of, step: { state: State }): string | undefined {
  if (!isFinal(batch.state)) return 'The batch has not ended yet.'
  return step.state === 'succeeded' ? 'This step is done: a retry would not run it.' : undefined
}
